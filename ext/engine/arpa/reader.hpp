// ARPA text -> sorted, closed n-grams and their vocabulary. Lines are parsed in parallel blocks
// and appended in file order. Input order: unigrams in any order (words get ids in that order,
// <unk>, <s>, </s> always 0, 1, 2), other sections in any order. Output order: suffix order.
//
// A file in suffix order, as this package and lmplz write it, needs no sorting: a block finds the
// suffixes of its n-grams one order below while it is parsed. The first block that is out of order
// or lacks a suffix turns its section into rows of word ids, which arpa/closure.hpp sorts and
// completes.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arpa/blocks.hpp"
#include "arpa/closure.hpp"
#include "arpa/lines.hpp"
#include "base/buffer.hpp"
#include "base/errors.hpp"
#include "base/ordered.hpp"
#include "base/progress.hpp"
#include "ngrams/sorted_ngrams.hpp"
#include "text/vocabulary.hpp"

namespace ngram {

struct ArpaModel {
    std::shared_ptr<SortedNgrams> ngrams;
    std::shared_ptr<Vocabulary> vocabulary;

    // What the file lacked, and was added.
    bool unk_is_upper_case = false;  // <UNK> stands for <unk>
    bool unk_missing = false;
    bool bos_missing = false;
    bool eos_missing = false;
    arpa::Completed completed;

    // Where <unk>, <s> and </s> (by id) stand among the lines of the 1-grams, from 0; kAbsent.
    std::array<std::uint32_t, kSpecialWords> special_rows = {kAbsent, kAbsent, kAbsent};
};

namespace arpa {

constexpr float kMissingLog10Prob = -100;  // of a missing <s> or </s>
constexpr std::size_t kMaxOrder = 1000;
constexpr std::size_t kMaxNgrams =
    0xfffffffeU;  // of one order: indexes are 32 bits, one is kAbsent

class Reader {
  public:
    Reader(const ArpaSource& source, bool strict, unsigned threads, Progress& progress)
        : cutter_(source),
          strict_(strict),
          threads_(threads),
          progress_(progress),
          bytes_(source.bytes),
          unk_log10_prob_(source.unk_log10_prob) {}

    ArpaModel read() {
        progress_.begin("read", bytes_);
        read_header();
        read_title(1);
        read_unigrams();
        for (std::size_t k = 2; k <= counts_.size(); ++k) {
            read_title(k);
            read_section(k);
        }
        read_end();
        close();
        model_.ngrams = std::make_shared<SortedNgrams>(std::move(ngrams_));
        return std::move(model_);
    }

  private:
    [[noreturn]] void fail(std::uint64_t line, const std::string& what) const {
        throw InputError(cutter_.name() + ":" + std::to_string(line) + ": " + what);
    }
    [[noreturn]] void fail_file(const std::string& what) const {
        throw InputError(cutter_.name() + ": " + what);
    }

    // ---- header

    void read_header() {
        if (cutter_.peek(3) == "\xEF\xBB\xBF") cutter_.skip(3);
        refuse_other_formats();
        std::string_view line;
        do {
            if (cutter_.bytes() > kHeaderBytes || !cutter_.next_line(line)) {
                fail_file(
                    "there is no line \\data\\, with which ARPA text begins. Give an ARPA "
                    "file, or train a model on this text.");
            }
        } while (trimmed(line) != "\\data\\");
        while (read_count()) {
        }
        if (counts_.empty()) {
            fail(cutter_.line(),
                 "after \\data\\ there must be lines like 'ngram 1=1000', but "
                 "there is '" +
                     shown(title_) + "'.");
        }
    }

    void refuse_other_formats() {
        const std::string_view start = cutter_.peek(64);
        const auto begins = [&](std::string_view with) {
            return start.substr(0, with.size()) == with;
        };
        if (start.empty()) fail_file("the file is empty. Give an ARPA file.");
        if (begins("\x1f\x8b") || begins("BZh") || begins("\x28\xb5\x2f\xfd") ||
            begins("\xfd\x37zXZ")) {
            fail_file(
                "this is compressed data, not ARPA text. Decompress it once more; it may have "
                "been compressed twice.");
        }
        if (begins("mmap lm http://kheafield.com/code")) {
            fail_file(
                "this is a binary model of KenLM, not ARPA text. Give the ARPA file it was "
                "built from.");
        }
        if (begins("SRILM_BINARY")) {
            fail_file(
                "this is a binary model of SRILM. Convert it: ngram -lm FILE -write-lm "
                "FILE.arpa");
        }
        if (begins("blmt") || begins("iARPA") || begins("qARPA") || begins("Qblmt")) {
            fail_file(
                "this is a format of IRSTLM, not ARPA. Convert it: compile-lm --text=yes "
                "FILE FILE.arpa");
        }
        if (begins("\xff\xfe") || begins("\xfe\xff")) {
            fail_file("this text is in UTF-16. Convert it to UTF-8: iconv -f UTF-16 -t UTF-8");
        }
        if (start.size() > 9 && start[8] == '{' && start[6] == '\0' && start[7] == '\0') {
            fail_file("this is a saved model, not ARPA text. Open it with ngram.load(path).");
        }
    }

    // One line 'ngram k=count' -> counts_; false at the line after them, kept in title_.
    bool read_count() {
        std::string_view line;
        do {
            if (!cutter_.next_line(line)) fail_end("header");
            line = trimmed(line);
        } while (line.empty());
        if (line.front() == '\\') {
            title_ = line;
            return false;
        }
        const std::string_view whole = line;
        std::uint64_t order = 0;
        std::uint64_t count = 0;
        bool good = line.substr(0, 5) == "ngram";
        if (good) {
            line = trimmed(line.substr(5));
            good = take_number(line, order);
            line = trimmed(line);
            good = good && !line.empty() && line.front() == '=';
            if (good) line = trimmed(line.substr(1));
            good = good && take_number(line, count) && line.empty();
        }
        if (!good) {
            fail(cutter_.line(),
                 "the line '" + shown(whole) + "' of the header should read 'ngram ORDER=COUNT'.");
        }
        if (order != counts_.size() + 1) {
            fail(cutter_.line(), "the header names order " + std::to_string(order) +
                                     " where order " + std::to_string(counts_.size() + 1) +
                                     " must stand: orders go 1, 2, 3, ...");
        }
        if (order > kMaxOrder) {
            fail(cutter_.line(), "the header names more than " + std::to_string(kMaxOrder) +
                                     " orders. The file is damaged.");
        }
        if (order == 1 && count == 0) {
            fail(cutter_.line(), "the header declares no 1-grams, so there is no vocabulary.");
        }
        counts_.push_back(count);
        return true;
    }

    static bool take_number(std::string_view& text, std::uint64_t& number) {
        std::size_t digits = 0;
        number = 0;
        while (digits < text.size() && numbers::is_digit(text[digits])) {
            const auto digit = static_cast<std::uint64_t>(text[digits] - '0');
            if (number > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) return false;
            number = number * 10 + digit;
            ++digits;
        }
        text.remove_prefix(digits);
        return digits != 0;
    }

    // ---- titles

    // Makes title_ the title of the section of order `k`. An order without n-grams may lack it.
    void read_title(std::size_t k) {
        if (title_.empty()) take_title(k);
        const std::string wanted = "\\" + std::to_string(k) + "-grams:";
        if (title_ == wanted) {
            title_.clear();
        } else if (counts_[k - 1] != 0) {
            fail(cutter_.line(),
                 "the section " + wanted + " with " + std::to_string(counts_[k - 1]) +
                     " n-grams must begin here, but there is '" + shown(title_) + "'.");
        } else {
            absent_ = true;
        }
    }

    void take_title(std::size_t k) {
        std::string_view line;
        do {
            if (!cutter_.next_line(line))
                fail_end("part before the " + std::to_string(k) + "-grams");
            line = trimmed(line);
        } while (line.empty());
        title_ = line;
    }

    void read_end() {
        if (title_.empty()) {
            std::string_view line;
            do {
                if (!cutter_.next_line(line)) fail_end("last section, without \\end\\");
                line = trimmed(line);
            } while (line.empty());
            title_ = line;
        }
        if (title_ != "\\end\\") {
            fail(cutter_.line(), "the line \\end\\ must stand here, but there is '" +
                                     shown(title_) + "'. The header may name too few orders.");
        }
        std::string_view line;
        while (cutter_.next_line(line)) {
            if (!trimmed(line).empty()) {
                fail(cutter_.line(), "after \\end\\ there is more text: '" + shown(line) +
                                         "'. Two files may have been joined.");
            }
        }
    }

    [[noreturn]] void fail_end(const std::string& where) const {
        fail(cutter_.line(),
             "the file ends in the " + where + ". It was cut off: copy it or write it again.");
    }

    // ---- sections

    // Runs parse(block) in parallel and append(block) in order over the section of order `k`.
    template <class Parse, class Append>
    void read_lines(std::size_t k, Parse parse, Append append) {
        if (absent_) {
            absent_ = false;
            return;
        }
        const auto fill = [&](LineBlock& block) { return cutter_.next_block(block.text); };
        std::uint64_t seen = 0;
        const auto drain = [&](LineBlock& block) {
            const std::uint64_t first_line = cutter_.line() + 1;
            seen += block.size();
            if (seen > counts_[k - 1]) {
                const std::uint64_t row = block.size() - (seen - counts_[k - 1]);
                fail(first_line + line_of(block.marks, row), counts_differ(k, "more are there"));
            }
            append(block, first_line);
            if (!block.complaint.empty()) {
                fail(first_line + block.complaint_line, block.complaint);
            }
            cutter_.add_lines(block.lines);
            progress_.advance(block.text.size() - kTextPadding);
        };
        ordered_pipeline<LineBlock>(threads_, progress_, fill, parse, drain);
        if (seen == counts_[k - 1]) return;
        std::string_view line;
        if (!cutter_.next_line(line)) {
            fail_end(std::to_string(k) + "-grams, after " + std::to_string(seen) + " of " +
                     std::to_string(counts_[k - 1]));
        }
        fail(cutter_.line(), counts_differ(k, "there are " + std::to_string(seen)));
    }

    std::string counts_differ(std::size_t k, const std::string& found) const {
        return "the header declares " + std::to_string(counts_[k - 1]) + " " + std::to_string(k) +
               "-grams, but " + found + ". Correct the line 'ngram " + std::to_string(k) +
               "=', or find the lost lines.";
    }

    void check_size(std::size_t k, std::size_t size) const {
        if (size > kMaxNgrams) {
            fail_file("more than " + std::to_string(kMaxNgrams) + " n-grams of order " +
                      std::to_string(k) + " cannot be read.");
        }
    }

    void read_unigrams() {
        const bool highest = counts_.size() == 1;
        auto builder = std::make_unique<VocabularyBuilder>();
        ngrams_.levels.emplace_back();
        NgramLevel& level = ngrams_.levels[0];
        for (std::uint32_t id = 0; id < kSpecialWords; ++id) {
            level.log10_prob.push_back(std::numeric_limits<float>::quiet_NaN());
            if (!highest) level.log10_backoff.push_back(0);
        }

        const auto parse = [&](LineBlock& block) {
            block.restart();
            LineParser parser(1, highest);
            const char* at = block.begin();
            while (at != block.end()) {
                std::string_view word;
                Complaint complaint;
                const LineParser::Result result = parser.parse(at, block.end(), &word, complaint);
                const std::uint64_t line = block.lines++;
                if (result == LineParser::Result::kBlank) continue;
                if (result == LineParser::Result::kBad) {
                    block.complain(line, std::move(complaint));
                    return;
                }
                mark_line(block.marks, block.size(), line);
                block.unigrams.push_back(word);
                block.log10_prob.push_back(parser.log10_prob);
                if (!highest) block.log10_backoff.push_back(parser.log10_backoff);
            }
        };
        std::uint32_t row = 0;
        const auto append = [&](LineBlock& block, std::uint64_t first_line) {
            for (std::size_t i = 0; i < block.size(); ++i, ++row) {
                const std::uint32_t id = builder->find_or_add(block.unigrams[i]);
                if (id == level.size()) {
                    level.log10_prob.push_back(block.log10_prob[i]);
                    if (!highest) level.log10_backoff.push_back(block.log10_backoff[i]);
                    continue;
                }
                const bool first = level.log10_prob[id] != level.log10_prob[id];
                if (!first) {
                    fail(first_line + line_of(block.marks, i),
                         "the word '" + shown(block.unigrams[i]) +
                             "' is there twice. Remove one of the lines and correct the header.");
                }
                model_.special_rows[id] = row;
                level.log10_prob[id] = block.log10_prob[i];
                if (!highest) level.log10_backoff[id] = block.log10_backoff[i];
            }
            check_size(1, level.size());
        };
        read_lines(1, parse, append);
        add_special_words(std::move(builder), highest);
        level.log10_prob.shrink_to_fit();
        level.log10_backoff.shrink_to_fit();
    }

    // The line of a word, whose ids follow the lines but for those of special words.
    std::uint32_t row_of(std::uint32_t id) const {
        std::array<std::uint32_t, kSpecialWords> rows = model_.special_rows;
        std::sort(rows.begin(), rows.end());
        std::uint32_t row = id - kSpecialWords;
        for (const std::uint32_t special : rows) row += special <= row;
        return row;
    }

    void add_special_words(std::unique_ptr<VocabularyBuilder> builder, bool highest) {
        NgramLevel& level = ngrams_.levels[0];
        const auto lacks = [&](std::uint32_t id) {
            return level.log10_prob[id] != level.log10_prob[id];
        };
        model_.bos_missing = lacks(kBos);
        model_.eos_missing = lacks(kEos);
        if (lacks(kUnk)) {
            const std::string_view upper = "<UNK>";
            const WordKey key = WordKey::of(upper);
            const std::uint32_t id = builder->lookup(key, key.hash(), upper);
            model_.unk_is_upper_case = id != kAbsent;
            model_.unk_missing = id == kAbsent;
            if (id != kAbsent) {
                // <UNK> takes the place of <unk>; words after it move up by one.
                model_.special_rows[kUnk] = row_of(id);
                auto others = std::make_unique<VocabularyBuilder>();
                level.log10_prob[kUnk] = level.log10_prob[id];
                if (!highest) level.log10_backoff[kUnk] = level.log10_backoff[id];
                for (std::uint32_t from = kSpecialWords; from < builder->size(); ++from) {
                    if (from == id) continue;
                    const std::uint32_t to = others->find_or_add(builder->word(from));
                    level.log10_prob[to] = level.log10_prob[from];
                    if (!highest) level.log10_backoff[to] = level.log10_backoff[from];
                }
                level.log10_prob.resize(others->size());
                if (!highest) level.log10_backoff.resize(others->size());
                builder = std::move(others);
            }
        }
        for (std::uint32_t id = 0; id < kSpecialWords; ++id) {
            if (!lacks(id)) continue;
            level.log10_prob[id] = id == kUnk ? unk_log10_prob_ : kMissingLog10Prob;
            if (strict_) {
                fail_file("the unigrams lack " + std::string(builder->word(id)) +
                          ". Add it, or read without strict: then its log10 probability is -100.");
            }
        }
        if (strict_ && model_.unk_is_upper_case) {
            fail_file(
                "the unigrams lack <unk>, but have <UNK>. Rename it, or read without "
                "strict: then <UNK> is taken for <unk>.");
        }
        model_.vocabulary = builder->finish();
    }

    void read_section(std::size_t k) {
        const bool highest = k == counts_.size();
        const NgramParser parser(ngrams_.levels, *model_.vocabulary, model_.unk_is_upper_case, k,
                                 highest);
        NgramLevel level;
        Rows rows;
        rows.order = k;
        Buffer<LineMark> marks;
        // Once as rows, always as rows: the workers are told, but need not obey at once.
        std::atomic<bool> as_rows{!open_.empty()};
        bool level_as_rows = as_rows;

        const auto parse = [&](LineBlock& block) { parser.parse(block, as_rows); };
        const auto append = [&](LineBlock& block, std::uint64_t first_line) {
            if (!level_as_rows && (block.as_rows || !follows(level, block))) {
                if (!block.as_rows && !level.word.empty() && !block.word.empty() &&
                    level.suffix.back() == block.suffix[0] && level.word.back() == block.word[0]) {
                    std::vector<std::uint32_t> ids(k);
                    expand(block.word[0], block.suffix[0], k, ids.data());
                    fail(first_line + line_of(block.marks, 0), parser.repeated(ids.data()));
                }
                level_as_rows = true;
                as_rows = true;
                append_as_rows(rows, level.word, level.suffix, k);
                level.word.clear();
                level.suffix.clear();
            }
            for (const LineMark& mark : block.marks) {
                mark_line(marks, level.size() + mark.row, first_line + mark.line);
            }
            level.log10_prob.append(block.log10_prob.data(), block.size());
            if (!highest) level.log10_backoff.append(block.log10_backoff.data(), block.size());
            if (block.as_rows) {
                rows.words.append(block.rows.data(), block.rows.size());
            } else if (level_as_rows) {
                append_as_rows(rows, block.word, block.suffix, k);
            } else {
                level.word.append(block.word.data(), block.word.size());
                level.suffix.append(block.suffix.data(), block.suffix.size());
            }
            check_size(k, level.size());
        };
        read_lines(k, parse, append);

        level.log10_prob.shrink_to_fit();
        level.log10_backoff.shrink_to_fit();
        if (!level_as_rows) {
            level.word.shrink_to_fit();
            level.suffix.shrink_to_fit();
            ngrams_.levels.push_back(std::move(level));
            return;
        }
        rows.words.shrink_to_fit();
        rows.log10_prob = std::move(level.log10_prob);
        rows.log10_backoff = std::move(level.log10_backoff);
        const std::size_t repeated =
            sort_rows(rows, model_.vocabulary->size(), threads_, progress_);
        if (repeated != kNoRow) {
            fail(line_of(marks, repeated), parser.repeated(rows.row(repeated)));
        }
        if (open_.empty()) {
            const std::size_t missing = add_level(ngrams_.levels, rows, threads_, progress_);
            if (missing == kNoRow) return;
            if (strict_) {
                fail_file(not_closed(parser, rows.row(missing), k, 1, k - 1));
            }
        }
        open_.push_back(std::move(rows));
    }

    static bool follows(const NgramLevel& level, const LineBlock& block) {
        if (level.word.empty() || block.word.empty()) return true;
        const std::uint32_t last = level.suffix.end()[-1];
        const std::uint32_t next = block.suffix[0];
        return last < next || (last == next && level.word.end()[-1] < block.word[0]);
    }

    void expand(std::uint32_t word, std::uint32_t suffix, std::size_t k, std::uint32_t* row) {
        row[0] = word;
        expand_words(ngrams_, k - 1, suffix, std::size_t{suffix} + 1, row + 1);
    }

    void append_as_rows(Rows& rows, const Buffer<std::uint32_t>& word,
                        const Buffer<std::uint32_t>& suffix, std::size_t k) {
        const std::size_t old = rows.words.size();
        rows.words.resize(old + word.size() * k);
        for (std::size_t i = 0; i < word.size(); ++i) {
            expand(word[i], suffix[i], k, rows.words.data() + old + i * k);
        }
    }

    // ---- closure

    static std::string not_closed(const NgramParser& parser, const std::uint32_t* row,
                                  std::size_t k, std::size_t from, std::size_t count) {
        return "the " + std::to_string(k) + "-gram '" + parser.spelled(row, k) + "' needs '" +
               parser.spelled(row + from, count) + "' among the " + std::to_string(count) +
               "-grams, but it is not there (pruned?). Read without strict: then it is added, and "
               "all scores stay as they are.";
    }

    void close() {
        const std::size_t highest = counts_.size();
        if (open_.empty()) {
            progress_.begin("check", 0);
            const auto missing = missing_prefixes(ngrams_.levels, threads_, progress_);
            std::size_t k = 3;
            while (k <= highest && missing[k - 1].empty()) ++k;
            if (k > highest) return;
            if (strict_) {
                std::vector<std::uint32_t> row(k);
                expand_words(ngrams_, k, missing[k - 1][0], std::size_t{missing[k - 1][0]} + 1,
                             row.data());
                const NgramParser parser(ngrams_.levels, *model_.vocabulary, false, k, false);
                fail_file(not_closed(parser, row.data(), k, 0, k - 1));
            }
        }
        progress_.begin("complete", 0);
        std::vector<Rows> rows;
        const std::size_t closed = ngrams_.levels.size();
        for (std::size_t k = closed; k >= 1; --k) {
            rows.push_back(take_rows(ngrams_, k));
            ngrams_.levels[k - 1] = NgramLevel();
        }
        std::reverse(rows.begin(), rows.end());
        for (Rows& level : open_) rows.push_back(std::move(level));
        ngrams_ = complete(std::move(rows), model_.completed, threads_, progress_);
    }

    static constexpr std::size_t kHeaderBytes = std::size_t{1} << 24;

    TextCutter cutter_;
    bool strict_;
    unsigned threads_;
    Progress& progress_;
    std::uint64_t bytes_;
    float unk_log10_prob_;

    std::vector<std::uint64_t> counts_;  // as the header declares them
    std::string title_;                  // a title that was read and not used yet
    bool absent_ = false;                // the section has no title and no lines
    ArpaModel model_;
    SortedNgrams ngrams_;     // orders that are sorted and have all suffixes
    std::vector<Rows> open_;  // the orders above them
};

}  // namespace arpa

// Throws InputError with the line for text that is not ARPA or contradicts itself. What can be
// added without changing a score is added and counted, with `strict` refused.
inline ArpaModel read_arpa(const ArpaSource& source, bool strict, unsigned threads,
                           Progress& progress) {
    return arpa::Reader(source, strict, threads, progress).read();
}

}  // namespace ngram
