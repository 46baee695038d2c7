// Blocks of lines of one section -> n-grams as arrays, on any number of threads. Input order: that
// of the file. Output order: the same, either as sorted n-grams (leftmost word and index of the
// suffix one order below), if the block is in suffix order and closed, or as rows of word ids.
// Words that stand where the line before has the same word are not looked up again: in a sorted
// file that is most of them. Read next: arpa/reader.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arpa/closure.hpp"
#include "arpa/lines.hpp"
#include "base/buffer.hpp"
#include "ngrams/sorted_ngrams.hpp"
#include "text/vocabulary.hpp"

namespace ngram::arpa {

// Which line row `row` and those after it stand on, until the next mark.
struct LineMark {
    std::uint64_t row;
    std::uint64_t line;
};

inline std::uint64_t line_of(const Buffer<LineMark>& marks, std::uint64_t row) {
    std::size_t at = marks.size();
    while (at > 1 && marks[at - 1].row > row) --at;
    return at == 0 ? 0 : marks[at - 1].line + (row - marks[at - 1].row);
}

inline void mark_line(Buffer<LineMark>& marks, std::uint64_t row, std::uint64_t line) {
    if (marks.empty() || marks.back().line + (row - marks.back().row) != line) {
        marks.push_back({row, line});
    }
}

// A block of lines of one section and what became of it. Lines are counted from 0 here.
struct LineBlock {
    Buffer<char> text;
    std::uint64_t lines = 0;
    Buffer<LineMark> marks;
    Buffer<float> log10_prob;
    Buffer<float> log10_backoff;
    std::vector<std::string_view> unigrams;  // order 1
    bool as_rows = false;
    Buffer<std::uint32_t> rows;  // higher orders, as rows
    Buffer<std::uint32_t> word;  // higher orders, sorted
    Buffer<std::uint32_t> suffix;
    Complaint complaint;
    std::uint64_t complaint_line = 0;

    std::size_t size() const { return log10_prob.size(); }
    const char* begin() const { return text.data(); }
    const char* end() const { return text.data() + text.size() - kTextPadding; }
    void restart() {
        lines = 0;
        complaint.clear();
        for (Buffer<float>* values : {&log10_prob, &log10_backoff}) values->resize(0);
        for (Buffer<std::uint32_t>* ids : {&rows, &word, &suffix}) ids->resize(0);
        marks.resize(0);
        unigrams.clear();
    }
    void complain(std::uint64_t line, Complaint what) {
        complaint = std::move(what);
        complaint_line = line;
    }
};

// Parses blocks of the section of one order above 1. Many threads use one parser.
class NgramParser {
  public:
    NgramParser(const std::vector<NgramLevel>& levels, const Vocabulary& vocabulary,
                bool unk_is_upper_case, std::size_t order, bool highest)
        : levels_(levels),
          vocabulary_(vocabulary),
          unk_is_upper_case_(unk_is_upper_case),
          order_(order),
          highest_(highest) {}

    void parse(LineBlock& block, bool as_rows) const {
        block.as_rows = as_rows;
        if (!as_rows && !parse_lines<false>(block)) block.as_rows = true;
        if (block.as_rows) parse_lines<true>(block);
    }

  private:
    // Lines are parsed in small groups, each in three sweeps (split into words, look words up,
    // find suffixes), so that the memory of a lookup is on its way long before it is needed.
    static constexpr std::size_t kGroup = 16;
    static constexpr std::uint32_t kSameWord = kAbsent;  // as in the line before

    struct Lookup {
        WordKey key;
        std::uint64_t hash;
        std::size_t at;
    };

    // Row 0 of a group is the last line of the group before.
    struct Group {
        explicit Group(std::size_t order)
            : words((kGroup + 1) * order),
              keys((kGroup + 1) * order),
              ids((kGroup + 1) * order, kAbsent),
              lines(kGroup) {
            lookups.reserve(kGroup * order);
        }
        std::vector<std::string_view> words;
        std::vector<WordKey> keys;
        std::vector<std::uint32_t> ids;
        std::vector<std::uint64_t> lines;
        std::vector<Lookup> lookups;
        std::size_t size = 0;
    };

    // False if the block is not sorted or not closed: it must be parsed as rows.
    template <bool kRows>
    bool parse_lines(LineBlock& block) const {
        block.restart();
        LineParser parser(order_, highest_);
        SuffixFinder finder(levels_);
        Group group(order_);
        std::vector<std::uint32_t> path(order_ + 1, kAbsent);  // suffixes of the line before
        const char* at = block.begin();
        bool more = true;
        while (more) {
            more = split(block, parser, at, group);
            more = look_up(block, group) && more;
            if (kRows) {
                block.rows.append(group.ids.data() + order_, group.size * order_);
            } else if (!find_suffixes(block, finder, group, path)) {
                return false;
            }
            more = more && block.complaint.empty();
            const std::size_t all = kRows ? block.rows.size() / order_ : block.word.size();
            const std::size_t first_row = all - group.size;
            for (std::size_t i = 0; i < group.size; ++i) {
                mark_line(block.marks, first_row + i, group.lines[i]);
            }
            keep_last(group);
        }
        const std::size_t parsed = kRows ? block.rows.size() / order_ : block.word.size();
        block.log10_prob.resize(parsed);
        if (!highest_) block.log10_backoff.resize(parsed);
        return true;
    }

    // The next lines -> words, and lookups of those that differ from the line before. False at the
    // end of the block or at a bad line.
    bool split(LineBlock& block, LineParser& parser, const char*& at, Group& group) const {
        group.size = 0;
        group.lookups.clear();
        const char* const end = block.end();
        while (group.size < kGroup) {
            if (at == end) return false;
            const std::size_t row = (group.size + 1) * order_;
            Complaint complaint;
            const LineParser::Result result =
                parser.parse(at, end, group.words.data() + row, complaint);
            const std::uint64_t line = block.lines++;
            if (result == LineParser::Result::kBlank) continue;
            if (result == LineParser::Result::kBad) {
                block.complain(line, std::move(complaint));
                return false;
            }
            group.lines[group.size] = line;
            block.log10_prob.push_back(parser.log10_prob);
            if (!highest_) block.log10_backoff.push_back(parser.log10_backoff);
            for (std::size_t i = row; i < row + order_; ++i) compare_word(group, i);
            ++group.size;
        }
        return true;
    }

    void compare_word(Group& group, std::size_t i) const {
        const std::string_view word = group.words[i];
        WordKey key;
        bool same;
        if (word.size() <= WordKey::kShort) {
            key = WordKey::of_short(load64(word.data()), load64(word.data() + 8), word.size());
            const WordKey& before = group.keys[i - order_];
            same = key.low == before.low && key.high == before.high;
        } else {
            same = word == group.words[i - order_];
            key = same ? group.keys[i - order_] : WordKey::of_long(word);
        }
        group.keys[i] = key;
        group.ids[i] = kSameWord;
        if (!same) {
            const std::uint64_t hash = key.hash();
            vocabulary_.prefetch(hash);
            group.lookups.push_back({key, hash, i});
        }
    }

    // False at a word that is no unigram: the group then ends before its line.
    bool look_up(LineBlock& block, Group& group) const {
        bool known = true;
        for (const Lookup& lookup : group.lookups) {
            if (lookup.at / order_ > group.size) break;
            const std::string_view word = group.words[lookup.at];
            const std::uint32_t id = vocabulary_.find(lookup.key, lookup.hash, word);
            if (id == kUnk && word != "<unk>" && !(unk_is_upper_case_ && word == "<UNK>")) {
                group.size = lookup.at / order_ - 1;
                block.complain(group.lines[group.size],
                               "the word '" + shown(word) + "' of a " + std::to_string(order_) +
                                   "-gram is not among the unigrams, which list the whole "
                                   "vocabulary. Add it to the 1-grams or remove the line.");
                known = false;
                break;
            }
            group.ids[lookup.at] = id;
        }
        for (std::size_t i = order_; i < (group.size + 1) * order_; ++i) {
            if (group.ids[i] == kSameWord) group.ids[i] = group.ids[i - order_];
        }
        return known;
    }

    bool find_suffixes(LineBlock& block, SuffixFinder& finder, Group& group,
                       std::vector<std::uint32_t>& path) const {
        for (std::size_t line = 1; line <= group.size; ++line) {
            const std::uint32_t* const ids = group.ids.data() + line * order_;
            const std::uint32_t* const before = ids - order_;
            // path[j]: the suffix of length j; the common ones are known from the line before.
            std::size_t j = 1;
            while (j < order_ && ids[order_ - j] == before[order_ - j]) ++j;
            for (; j < order_; ++j) {
                path[j] = finder.find(j, path[j - 1], ids[order_ - j]);
                if (path[j] == kAbsent) return false;
            }
            const std::uint32_t suffix = path[order_ - 1];
            if (!block.word.empty()) {
                const std::uint32_t last = block.suffix.back();
                if (suffix < last || (suffix == last && ids[0] < block.word.back())) return false;
                if (suffix == last && ids[0] == block.word.back()) {
                    block.complain(group.lines[line - 1], repeated(ids));
                    group.size = line - 1;
                    return true;
                }
            }
            block.word.push_back(ids[0]);
            block.suffix.push_back(suffix);
        }
        return true;
    }

    void keep_last(Group& group) const {
        if (group.size == 0) return;
        const std::size_t from = group.size * order_;
        std::copy_n(group.words.begin() + static_cast<std::ptrdiff_t>(from), order_,
                    group.words.begin());
        std::copy_n(group.keys.begin() + static_cast<std::ptrdiff_t>(from), order_,
                    group.keys.begin());
        std::copy_n(group.ids.begin() + static_cast<std::ptrdiff_t>(from), order_,
                    group.ids.begin());
    }

  public:
    std::string spelled(const std::uint32_t* ids, std::size_t count) const {
        std::string text;
        for (std::size_t i = 0; i < count; ++i) {
            if (i != 0) text += ' ';
            text += vocabulary_.word(ids[i]);
        }
        return shown(text);
    }
    Complaint repeated(const std::uint32_t* ids) const {
        return "the " + std::to_string(order_) + "-gram '" + spelled(ids, order_) +
               "' is there twice. Remove one of the lines and correct the header.";
    }

  private:
    const std::vector<NgramLevel>& levels_;
    const Vocabulary& vocabulary_;
    bool unk_is_upper_case_;
    std::size_t order_;
    bool highest_;
};

}  // namespace ngram::arpa
