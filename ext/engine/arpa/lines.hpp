// ARPA text -> lines: the source of the text, cut into blocks of whole lines, and the parser of
// one line of a section. Input: bytes in any pieces. Output: per line a log10 probability, the
// words as views and a back-off. Both layouts are read: the exact one that this package, lmplz
// and SRILM write (fast), and anything with other white space (slow, and the one place where
// errors are explained). Read next: arpa/reader.hpp.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cmath>
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

#include "base/buffer.hpp"
#include "base/errors.hpp"
#include "base/numbers.hpp"

namespace ngram {

// Where the text comes from: a file descriptor, or a function that fills `buffer` and returns the
// number of bytes (0 at the end, kFailed if it left a Python error behind).
struct ArpaSource {
    using Read = std::size_t (*)(void* context, char* buffer, std::size_t size);
    static constexpr std::size_t kFailed = static_cast<std::size_t>(-1);

    static constexpr std::size_t kLargestRead = std::size_t{1} << 30;

    int descriptor = -1;
    Read read = nullptr;
    void* context = nullptr;
    std::string name;             // for error messages
    std::uint64_t bytes = 0;      // size of the text for progress, 0 if unknown
    float unk_log10_prob = -100;  // of <unk>, if the file lacks it; -100 as KenLM has it

    // Reads until `size` bytes are there or the text ends.
    std::size_t operator()(char* buffer, std::size_t size) const {
        std::size_t total = 0;
        while (total < size) {
            std::size_t got;
            if (read != nullptr) {
                got = read(context, buffer + total, size - total);
                if (got == kFailed) throw Interrupted();
            } else {
                const std::size_t part = std::min(size - total, kLargestRead);
#if defined(_WIN32)
                const int result =
                    _read(descriptor, buffer + total, static_cast<unsigned int>(part));
#else
                const ssize_t result = ::read(descriptor, buffer + total, part);
#endif
                if (result < 0 && errno == EINTR) continue;
                if (result < 0) {
                    throw InputError(name + ": cannot be read: " + std::strerror(errno) + ".");
                }
                got = static_cast<std::size_t>(result);
            }
            if (got == 0) break;
            total += got;
        }
        return total;
    }
};

namespace arpa {

constexpr std::size_t kBlockBytes = std::size_t{1} << 19;  // half of a usual second-level cache
constexpr std::size_t kLongestLine = std::size_t{1} << 26;
constexpr std::size_t kTextPadding = 16;  // readable bytes after a block, for whole-register loads

// Text as an error message shows it: at most 60 bytes, control characters escaped.
inline std::string shown(std::string_view text) {
    std::string result;
    for (const char c : text.substr(0, 60)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte == '\t') {
            result += "\\t";
        } else if (byte < 0x20 || byte == 0x7f) {
            const char* const hex = "0123456789abcdef";
            result += {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
        } else {
            result += c;
        }
    }
    return text.size() > 60 ? result + "..." : result;
}

inline bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

inline std::string_view trimmed(std::string_view line) {
    while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
    while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
    return line;
}

// The text as single lines (header, titles of sections) and as blocks of the lines between titles.
// A title is a line that begins with a backslash: no line of n-grams does.
class TextCutter {
  public:
    explicit TextCutter(const ArpaSource& source) : source_(source) {}

    std::uint64_t line() const { return line_; }       // number of the last line given
    std::uint64_t bytes() const { return consumed_; }  // bytes given so far
    const std::string& name() const { return source_.name; }

    // The line without its end, valid until the next call; false at the end of the text.
    bool next_line(std::string_view& line) {
        std::size_t searched = 0;
        for (;;) {
            const char* const begin = rest_.data() + rest_begin_;
            const std::size_t size = rest_.size() - rest_begin_;
            const auto* const end = static_cast<const char*>(
                size == searched ? nullptr : std::memchr(begin + searched, '\n', size - searched));
            if (end != nullptr || (ended_ && size != 0)) {
                const std::size_t length =
                    end != nullptr ? static_cast<std::size_t>(end - begin) : size;
                line = {begin, length};
                give(length + (end != nullptr ? 1 : 0));
                rest_begin_ += length + (end != nullptr ? 1 : 0);
                ++line_;
                return true;
            }
            if (ended_) return false;
            check_length(size);
            searched = size;
            refill();
        }
    }

    // The first bytes of the text, before anything was taken.
    std::string_view peek(std::size_t size) {
        while (!ended_ && rest_.size() - rest_begin_ < size) refill();
        return {rest_.data() + rest_begin_, std::min(size, rest_.size() - rest_begin_)};
    }

    void skip(std::size_t size) {
        rest_begin_ += size;
        give(size);
    }

    // Fills `block` with whole lines up to the next title; false if a title (or the end) is next.
    // The block has kTextPadding bytes more than its lines. Does not count lines: add_lines does.
    bool next_block(Buffer<char>& block) {
        block.resize(0);
        const char* const rest = rest_.data() + rest_begin_;
        const std::size_t rest_size = rest_.size() - rest_begin_;
        const std::size_t near = find_title(rest, rest_size, 0);
        block.append(rest, near);
        rest_begin_ += near;
        std::size_t cut = near;  // end of the last whole line
        std::size_t searched = near;
        while (near == rest_size) {  // no title among what was read already
            const std::size_t title = find_title(block.data(), block.size(), searched);
            if (title != block.size()) {
                cut = title;
                break;
            }
            searched = block.size();
            if (block.size() >= kBlockBytes || ended_) {
                cut = last_line_end(block);
                if (ended_) cut = block.size();
                if (cut != 0 || ended_) break;
            }
            const std::size_t old = block.size();
            check_length(old);
            // A line longer than a block: double, so that it is not searched again and again.
            const std::size_t wanted = old < kBlockBytes ? kBlockBytes - old : old;
            block.resize(old + wanted);
            const std::size_t got = source_(block.data() + old, wanted);
            block.resize(old + got);
            ended_ = got < wanted;
        }
        if (near == rest_size) {
            rest_.resize(0);
            rest_begin_ = 0;
            rest_.append(block.data() + cut, block.size() - cut);
        }
        block.resize(cut + kTextPadding);
        std::memset(block.data() + cut, 0, kTextPadding);
        give(cut);
        return cut != 0;
    }
    void add_lines(std::uint64_t lines) { line_ += lines; }

  private:
    void give(std::size_t size) { consumed_ += size; }

    void check_length(std::size_t size) const {
        if (size <= kLongestLine) return;
        throw InputError(source_.name + ":" + std::to_string(line_ + 1) +
                         ": a line has more than " + std::to_string(kLongestLine) +
                         " bytes. This is not ARPA text.");
    }

    // More text behind the rest.
    void refill() {
        Buffer<char> larger;
        larger.append(rest_.data() + rest_begin_, rest_.size() - rest_begin_);
        const std::size_t old = larger.size();
        const std::size_t wanted = std::max<std::size_t>(old, 1 << 14);
        larger.resize(old + wanted);
        const std::size_t got = source_(larger.data() + old, wanted);
        larger.resize(old + got);
        ended_ = got < wanted;
        rest_ = std::move(larger);
        rest_begin_ = 0;
    }

    // Where the first title at or after `from` begins, or `size`.
    static std::size_t find_title(const char* text, std::size_t size, std::size_t from) {
        while (from < size) {
            const auto* const found =
                static_cast<const char*>(std::memchr(text + from, '\\', size - from));
            if (found == nullptr) break;
            const auto at = static_cast<std::size_t>(found - text);
            if (at == 0 || text[at - 1] == '\n') return at;
            from = at + 1;
        }
        return size;
    }

    static std::size_t last_line_end(const Buffer<char>& block) {
        std::size_t end = block.size();
        while (end != 0 && block[end - 1] != '\n') --end;
        return end;
    }

    const ArpaSource& source_;
    Buffer<char> rest_;  // text read but not given yet
    std::size_t rest_begin_ = 0;
    std::uint64_t line_ = 0;
    std::uint64_t consumed_ = 0;
    bool ended_ = false;
};

// What can be said against a line; empty if nothing.
using Complaint = std::string;

// Parses the lines of one section. The text has kTextPadding readable bytes after its end.
class LineParser {
  public:
    LineParser(std::size_t order, bool highest) : order_(order), highest_(highest) {}

    float log10_prob = 0;
    float log10_backoff = 0;

    enum class Result { kNgram, kBlank, kBad };

    // Parses the line at `at` and moves `at` behind it. The words go to words[0..order).
    Result parse(const char*& at, const char* end, std::string_view* words, Complaint& complaint) {
        const char* const begin = at;
        if (parse_exact(at, end, words)) {
            return check_values(begin, at, complaint) ? Result::kNgram : Result::kBad;
        }
        const auto* line_end = static_cast<const char*>(
            std::memchr(begin, '\n', static_cast<std::size_t>(end - begin)));
        at = line_end == nullptr ? end : line_end + 1;
        if (line_end == nullptr) line_end = end;
        return parse_any(begin, line_end, words, complaint);
    }

    // The first byte at or after `at` that is white space or NUL, or `end`. Eight bytes at a
    // time; other control characters are parts of words.
    static const char* word_end(const char* at, const char* end) {
        for (; at < end; at += 8) {
            std::uint64_t bytes;
            std::memcpy(&bytes, at, sizeof bytes);
            std::uint64_t low = (bytes - 0x2121212121212121) & ~bytes & 0x8080808080808080;
            for (; low != 0; low &= low - 1) {
                const char* const found = at + first_byte(low);
                if (found >= end) return end;
                // A borrow can mark a byte above a real hit, so each one is looked at.
                if (*found == ' ' || *found == '\t' || *found == '\n' || *found == '\r' ||
                    *found == '\0') {
                    return found;
                }
            }
        }
        return end;
    }

  private:
    static int first_byte(std::uint64_t mask) { return numbers::trailing_zeros(mask) / 8; }

    // number TAB w1 BLANK ... wk [TAB number] [CR] LF, nothing else.
    bool parse_exact(const char*& at, const char* end, std::string_view* words) {
        const char* next = parse_float(at, end, log10_prob);
        if (next == nullptr || next == end || *next != '\t') return false;
        for (std::size_t i = 0; i < order_; ++i) {
            const char* const word = next + 1;
            next = word_end(word, end);
            if (next == end || next == word) return false;
            words[i] = {word, static_cast<std::size_t>(next - word)};
            if (i + 1 < order_ && *next != ' ') return false;
        }
        log10_backoff = 0;
        if (*next == '\t') {
            next = parse_float(next + 1, end, log10_backoff);
            if (next == nullptr || next == end) return false;
        }
        if (*next == '\r') ++next;
        if (*next != '\n') return false;
        at = next + 1;
        return true;
    }

    Result parse_any(const char* begin, const char* end, std::string_view* words,
                     Complaint& complaint) {
        const std::string_view line(begin, static_cast<std::size_t>(end - begin));
        if (line.find('\0') != std::string_view::npos) {
            complaint =
                "there is a NUL byte in the line '" + shown(line) +
                "'. This is not an ARPA text file, or it is in UTF-16: convert it to UTF-8.";
            return Result::kBad;
        }
        std::size_t fields = 0;
        bool empty_field = false;
        std::string_view last;
        for (const char* at = begin;;) {
            const char* const blanks = at;
            while (at != end && is_blank(*at)) ++at;
            empty_field = empty_field || std::count(blanks, at, '\t') > 1;
            if (at == end) break;
            const char* const field = at;
            while (at != end && !is_blank(*at)) ++at;
            last = {field, static_cast<std::size_t>(at - field)};
            if (fields == 0) {
                if (!whole_number(last, log10_prob)) {
                    complaint = "the line '" + shown(line) +
                                "' does not begin with a number. A line of this section is "
                                "log10_prob, TAB, " +
                                words_wanted() + (highest_ ? "." : ", TAB, log10_backoff.");
                    return Result::kBad;
                }
            } else if (fields <= order_) {
                words[fields - 1] = last;
            }
            ++fields;
        }
        if (fields == 0) return Result::kBlank;
        log10_backoff = 0;
        if (fields < order_ + 1 || fields > order_ + 2) {
            complaint = "the line '" + shown(line) + "' has " + std::to_string(fields - 1) +
                        " words and numbers after its probability; " + words_wanted() +
                        (highest_ ? "" : " and at most one number (the back-off)") +
                        " must stand there.";
            return Result::kBad;
        }
        if (fields == order_ + 1 && empty_field && !highest_) {
            complaint = "the line '" + shown(line) +
                        "' has an empty column, so its word or its back-off is missing.";
            return Result::kBad;
        }
        if (fields == order_ + 2 && !whole_number(last, log10_backoff)) {
            complaint = "the line '" + shown(line) +
                        "' should end with a number (the back-off) "
                        "after " +
                        words_wanted() + ", but ends with '" + shown(last) + "'.";
            return Result::kBad;
        }
        return check_values(begin, end, complaint) ? Result::kNgram : Result::kBad;
    }

    static bool whole_number(std::string_view text, float& value) {
        const char* const end = text.data() + text.size();
        return parse_float(text.data(), end, value) == end;
    }

    std::string words_wanted() const {
        return std::to_string(order_) + (order_ == 1 ? " word" : " words");
    }

    bool check_values(const char* begin, const char* end, Complaint& complaint) const {
        // One comparison each: NaN fails both.
        if (log10_prob <= 0 && log10_backoff < INFINITY && !(highest_ && log10_backoff != 0)) {
            return true;
        }
        const std::string line =
            "' in the line '" +
            shown(trimmed({begin, static_cast<std::size_t>(end - begin) -
                                      (end != begin && end[-1] == '\n' ? 1 : 0)})) +
            "'";
        char number[kFloatRoom];
        if (!(log10_prob <= 0)) {
            complaint = "the log10 probability is '" +
                        std::string(number, format_float(log10_prob, number)) + line +
                        ". It must be a number that is at most 0: write the file again with the "
                        "tool that made it, or set the value to 0.";
        } else if (!(log10_backoff < INFINITY)) {
            complaint = "the back-off is '" +
                        std::string(number, format_float(log10_backoff, number)) + line +
                        ". It must be a number: write the file again with the tool that made it.";
        } else {
            complaint = "the back-off is '" +
                        std::string(number, format_float(log10_backoff, number)) + line +
                        ", but n-grams of the highest order (" + std::to_string(order_) +
                        ") have none. The header may name too few orders.";
        }
        return false;
    }

    std::size_t order_;
    bool highest_;
};

}  // namespace arpa
}  // namespace ngram
