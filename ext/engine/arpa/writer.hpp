// Sorted n-grams and a vocabulary -> ARPA text, byte for byte the layout of lmplz:
//
//     \data\                       (first line, without anything before it)
//     ngram 1=17
//     ...
//                                    (an empty line)
//     \1-grams:
//     log10_prob TAB w1 ... wk TAB log10_backoff      (highest order: no back-off column)
//     ...
//     \end\                        (last line)
//
// Input order: suffix order. Output order: the same; unigrams by id. Numbers: base/numbers.hpp.
// What makes it fast: n-grams with the same suffix stand together, so the words of the suffix are
// spelled once and kept; only words that changed are spelled again, from right to left.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#if defined(_WIN32)
#include <io.h>
#else
#include <unistd.h>
#endif

#include "base/bits.hpp"
#include "base/buffer.hpp"
#include "base/errors.hpp"
#include "base/numbers.hpp"
#include "base/ordered.hpp"
#include "base/progress.hpp"
#include "ngrams/sorted_ngrams.hpp"
#include "text/vocabulary.hpp"

namespace ngram {

// Where the text goes, in order, in large blocks: a file descriptor, or a function. The function
// returns false when it failed and left a Python error behind.
struct ArpaSink {
    using Write = bool (*)(void* context, const char* text, std::size_t size);

    int descriptor = -1;
    Write write = nullptr;
    void* context = nullptr;
    std::string name;  // for error messages

    void operator()(const char* text, std::size_t size) const {
        if (write != nullptr) {
            if (!write(context, text, size)) throw Interrupted();
            return;
        }
        while (size != 0) {
#if defined(_WIN32)
            const std::size_t part = std::min(size, std::size_t{1} << 30);
            const int written = _write(descriptor, text, static_cast<unsigned int>(part));
#else
            const ssize_t written = ::write(descriptor, text, size);
#endif
            if (written < 0) {
                if (errno == EINTR) continue;
                throw ModelFileError(name + ": cannot be written: " + std::strerror(errno) +
                                     ". Free some space or write to another disk.");
            }
            text += written;
            size -= static_cast<std::size_t>(written);
        }
    }
};

namespace arpa {

constexpr std::size_t kLinesPerBlock = 8192;  // about half a megabyte of text
constexpr std::size_t kLinesAhead = 12;       // distance of the prefetches

struct TextBlock {
    std::size_t order = 0;
    std::size_t begin = 0;  // lines, at `order`
    std::size_t end = 0;
    Buffer<char> text;
};

// The words of one n-gram, spelled into the end of a buffer: the text of the suffix of length j is
// everything from start_[j]. Moving to another n-gram spells only what changed.
class SuffixText {
  public:
    explicit SuffixText(const SortedNgrams& ngrams, const Vocabulary& vocabulary)
        : ngrams_(ngrams),
          vocabulary_(vocabulary),
          strings_end_(vocabulary.strings().end()),
          room_(kFirstRoom) {}

    // Spells n-gram `index` of order `length`.
    void move_to(std::size_t length, std::uint32_t index) {
        if (path_.size() <= length) {
            path_.resize(length + 1, kAbsent);
            start_.resize(length + 1, 0);
        }
        // Walk down to the first suffix that is spelled already, noting the way back.
        std::size_t common = length;
        std::uint32_t at = index;
        while (common != 0 && path_[common] != at) {
            path_[common] = at;
            if (common > 1) at = ngrams_.levels[common - 1].suffix[at];
            --common;
        }
        for (std::size_t k = common + 1; k <= length; ++k) {
            const NgramLevel& level = ngrams_.levels[k - 1];
            spell(k, vocabulary_.word(k == 1 ? path_[1] : level.word[path_[k]]));
        }
    }

    // The suffix of that length, at least kPadding readable bytes after it.
    const char* text(std::size_t length) const { return room_.data() + position(length); }
    std::size_t size(std::size_t length) const { return length == 0 ? 0 : start_[length]; }

    static constexpr std::size_t kPadding = 32;

  private:
    // start_ counts from the end of the text, so a larger buffer changes nothing.
    std::size_t position(std::size_t length) const {
        return room_.size() - kPadding - size(length);
    }

    void spell(std::size_t k, std::string_view word) {
        const std::size_t separator = k > 1 ? 1 : 0;
        const std::size_t total = size(k - 1) + separator + word.size();
        if (total + kPadding > room_.size()) {
            Buffer<char> larger(2 * (total + kPadding));
            const std::size_t used = size(k - 1) + kPadding;
            std::memcpy(larger.data() + larger.size() - used, room_.data() + room_.size() - used,
                        used);
            room_ = std::move(larger);
        }
        char* const begin = room_.data() + room_.size() - kPadding - total;
        if (word.size() < 16 && word.data() + 16 <= strings_end_) {
            // Two copies of fixed size: the second one repairs what the first one overwrites.
            char behind[16];
            std::memcpy(behind, begin + word.size(), 16);
            std::memcpy(begin, word.data(), 16);
            std::memcpy(begin + word.size(), behind, 16);
        } else {
            std::memcpy(begin, word.data(), word.size());
        }
        if (separator != 0) begin[word.size()] = ' ';
        start_[k] = total;
    }

    static constexpr std::size_t kFirstRoom = 1024;

    const SortedNgrams& ngrams_;
    const Vocabulary& vocabulary_;
    const char* strings_end_;
    Buffer<char> room_;
    std::vector<std::uint32_t> path_;  // index of the suffix of each length
    std::vector<std::size_t> start_;   // its size in bytes
};

inline char* copy_suffix(char* out, const char* text, std::size_t size) {
    // Whole blocks: both sides have room behind the text.
    std::size_t done = 0;
    do {
        std::memcpy(out + done, text + done, SuffixText::kPadding);
        done += SuffixText::kPadding;
    } while (done < size);
    return out + size;
}

inline void format_block(const SortedNgrams& ngrams, const Vocabulary& vocabulary,
                         TextBlock& block) {
    const std::size_t k = block.order;
    const NgramLevel& level = ngrams.levels[k - 1];
    const bool highest = k == ngrams.order();
    const std::uint64_t* const offsets = vocabulary.offsets().data();
    const char* const strings = vocabulary.strings().data();
    const char* const strings_end = vocabulary.strings().end();
    SuffixText suffix(ngrams, vocabulary);

    Buffer<char>& text = block.text;
    if (text.size() < 64 * kLinesPerBlock) text.resize(64 * kLinesPerBlock);
    char* out = text.data();
    char* limit = text.data() + text.size();
    for (std::size_t i = block.begin; i < block.end; ++i) {
        std::uint32_t word = static_cast<std::uint32_t>(i);
        if (k > 1) {
            word = level.word[i];
            suffix.move_to(k - 1, level.suffix[i]);
            // Words of neighbours lie anywhere in the vocabulary: first the place of a word is
            // fetched, then the word. Of the suffix, its two leftmost words are the likely new
            // ones.
            if (i + 2 * kLinesAhead < level.size()) {
                const std::size_t near = i + kLinesAhead;
                const std::size_t far = near + kLinesAhead;
                prefetch(offsets + level.word[far]);
                prefetch(strings + offsets[level.word[near]]);
                std::uint32_t far_suffix = level.suffix[far];
                std::uint32_t near_suffix = level.suffix[near];
                for (std::size_t j = k - 1; j > 1 && j + 2 >= k; --j) {
                    const NgramLevel& lower = ngrams.levels[j - 1];
                    prefetch(offsets + lower.word[far_suffix]);
                    prefetch(strings + offsets[lower.word[near_suffix]]);
                    far_suffix = lower.suffix[far_suffix];
                    near_suffix = lower.suffix[near_suffix];
                }
            }
        }
        const std::string_view first = vocabulary.word(word);
        const std::size_t needed =
            first.size() + suffix.size(k - 1) + SuffixText::kPadding + 2 * kFloatRoom + 8;
        if (static_cast<std::size_t>(limit - out) < needed) {
            const auto used = static_cast<std::size_t>(out - text.data());
            text.resize(2 * (used + needed));
            out = text.data() + used;
            limit = text.data() + text.size();
        }
        out = format_float(level.log10_prob[i], out);
        *out++ = '\t';
        if (first.size() <= 16 && first.data() + 16 <= strings_end) {
            std::memcpy(out, first.data(), 16);
        } else {
            std::memcpy(out, first.data(), first.size());
        }
        out += first.size();
        if (k > 1) {
            *out++ = ' ';
            out = copy_suffix(out, suffix.text(k - 1), suffix.size(k - 1));
        }
        if (!highest) {
            *out++ = '\t';
            out = format_float(level.log10_backoff[i], out);
        }
        *out++ = '\n';
    }
    text.resize(static_cast<std::size_t>(out - text.data()));
}

// A word with a separator in it, or none at all, would come back as other words.
inline void check_words(const Vocabulary& vocabulary) {
    bool separates[256] = {};
    for (const char c : {'\0', '\t', '\n', '\r', ' '}) {
        separates[static_cast<unsigned char>(c)] = true;
    }
    const Span<const char> strings = vocabulary.strings();
    bool found = false;
    for (const char c : strings) found = found || separates[static_cast<unsigned char>(c)];
    for (std::size_t id = 0; id < vocabulary.size(); ++id) {
        const std::string_view word = vocabulary.word(static_cast<std::uint32_t>(id));
        bool bad = word.empty();
        if (found) {
            for (const char c : word) bad = bad || separates[static_cast<unsigned char>(c)];
        }
        if (!bad) continue;
        std::string shown;
        for (const char c : word.substr(0, 40)) {
            const char* const hex = "0123456789abcdef";
            if (separates[static_cast<unsigned char>(c)]) {
                shown += {'\\', 'x', hex[c >> 4 & 15], hex[c & 15]};
            } else {
                shown += c;
            }
        }
        throw InputError("cannot write the word '" + shown + "' (id " + std::to_string(id) +
                         ") to an ARPA file: there, words are separated by white space and NUL, "
                         "and must not be empty. Save the model with Model.save, or train with a "
                         "tokenizer whose tokens hold no white space.");
    }
}

// The n-grams of one order before `end` and their suffixes are not needed soon.
inline void rest_before(const SortedNgrams& ngrams, std::size_t order, std::size_t end) {
    for (std::size_t k = order; k > 1 && end != 0; --k) {
        const NgramLevel& level = ngrams.levels[k - 1];
        level.rest(0, end);
        end = level.suffix[end - 1];
    }
}

inline std::string format_header(const SortedNgrams& ngrams) {
    std::string header = "\\data\\\n";
    for (std::size_t k = 1; k <= ngrams.order(); ++k) {
        header +=
            "ngram " + std::to_string(k) + "=" + std::to_string(ngrams.levels[k - 1].size()) + "\n";
    }
    return header;
}

}  // namespace arpa

// Throws InputError before anything is written if the vocabulary has a word that ARPA cannot
// hold, ModelFileError if the sink refuses (full disk).
inline void write_arpa(const SortedNgrams& ngrams, const Vocabulary& vocabulary,
                       const ArpaSink& sink, unsigned threads, Progress& progress) {
    if (ngrams.order() == 0 || ngrams.levels[0].size() != vocabulary.size()) {
        throw InputError("cannot write " +
                         std::to_string(ngrams.order() == 0 ? 0 : ngrams.levels[0].size()) +
                         " unigrams with a vocabulary of " + std::to_string(vocabulary.size()) +
                         " words: both must come from the same model.");
    }
    arpa::check_words(vocabulary);
    std::uint64_t total = 0;
    for (const NgramLevel& level : ngrams.levels) total += level.size();
    progress.begin("write", total);

    // Sections are headed when their first block is written; an empty section has one empty block.
    const std::string header = arpa::format_header(ngrams);
    sink(header.data(), header.size());
    std::size_t order = 0;
    std::size_t at = 0;
    const auto fill = [&](arpa::TextBlock& block) {
        if (order == 0 || at == ngrams.levels[order - 1].size()) {
            if (order == ngrams.order()) return false;
            ++order;
            at = 0;
        }
        block.order = order;
        block.begin = at;
        at = std::min(at + arpa::kLinesPerBlock, ngrams.levels[order - 1].size());
        block.end = at;
        return true;
    };
    const auto work = [&](arpa::TextBlock& block) {
        arpa::format_block(ngrams, vocabulary, block);
    };
    const auto drain = [&](const arpa::TextBlock& block) {
        if (block.begin == 0) {
            const std::string title = "\n\\" + std::to_string(block.order) + "-grams:\n";
            sink(title.data(), title.size());
        }
        sink(block.text.data(), block.text.size());
        progress.advance(block.end - block.begin);
        constexpr std::size_t kRest = std::size_t{1} << 20;  // lines
        if (block.begin / kRest != block.end / kRest) {
            arpa::rest_before(ngrams, block.order, block.begin);
        }
    };
    ordered_pipeline<arpa::TextBlock>(threads, progress, fill, work, drain);
    const std::string_view ending = "\n\\end\\\n";
    sink(ending.data(), ending.size());
    progress.poll();
}

}  // namespace ngram
