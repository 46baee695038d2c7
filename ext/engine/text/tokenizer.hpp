// Text -> tokens -> ids, for the tokenizers built into the engine:
//
//   whitespace  words are runs of bytes between NUL, TAB, LF, CR and SPACE;
//   characters  every Unicode code point is a token. SPACE is U+2581 (lower one eighth block), so
//               that an ARPA file can hold it; to stay lossless U+2581 itself, TAB, LF, CR and NUL
//               are U+2581 followed by U+2581, "t", "n", "r", "0". A byte that is not valid UTF-8
//               is a token of its own;
//   bytes       every byte is a token: printable ASCII except "<" as itself, others as "<0xEA>".
//
// In corpora LF ends a sentence; in a single text it is one more blank or character. Order: tokens
// come out as they stand in the text. Looking a word up waits for memory, so a batch of tokens
// is hashed and its slots are prefetched before the first lookup.
// Read next: text/corpus.hpp (training) and text/encode.hpp (scoring).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/buffer.hpp"
#include "text/scan.hpp"
#include "text/vocabulary.hpp"

namespace ngram {

enum class TokenizerKind : std::uint8_t { kWhitespace = 0, kCharacters = 1, kBytes = 2 };

// Bytes that may be read after the end of a text, so that no load needs a bounds check.
constexpr std::size_t kTextPadding = 64;

// ---- characters and bytes: what one unit of text is called --------------------------------

// Length of the valid UTF-8 sequence at `bytes` (Unicode 15, table 3-7); 0 if there is none.
inline std::size_t utf8_length(const char* bytes, const char* end) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
    const std::size_t left = static_cast<std::size_t>(end - bytes);
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first < 0xC2 || first > 0xF4) return 0;
    if (left < 2 || !tail(1)) return 0;
    if (first < 0xE0) return 2;
    const unsigned second = byte(1);
    if (left < 3 || !tail(2)) return 0;
    if (first < 0xF0) {
        if (first == 0xE0 && second < 0xA0) return 0;
        if (first == 0xED && second > 0x9F) return 0;
        return 3;
    }
    if (left < 4 || !tail(3)) return 0;
    if (first == 0xF0 && second < 0x90) return 0;
    if (first == 0xF4 && second > 0x8F) return 0;
    return 4;
}

// The token of each ASCII character under `characters`.
inline std::string_view character_token(const char* byte) {
    switch (*byte) {
        case ' ':
            return "\xE2\x96\x81";
        case '\t':
            return "\xE2\x96\x81t";
        case '\n':
            return "\xE2\x96\x81n";
        case '\r':
            return "\xE2\x96\x81r";
        case '\0':
            return "\xE2\x96\x81"
                   "0";
        default:
            return {byte, 1};
    }
}

// The names of the 256 bytes under `bytes`.
inline std::string_view byte_token(unsigned char byte) {
    struct Names {
        std::array<std::array<char, 6>, 256> text;
        std::array<unsigned char, 256> size;
    };
    static const Names names = [] {
        Names made{};
        constexpr char kDigits[] = "0123456789ABCDEF";
        for (unsigned value = 0; value < 256; ++value) {
            if (value > 0x20 && value < 0x7F && value != '<') {
                made.text[value][0] = static_cast<char>(value);
                made.size[value] = 1;
            } else {
                made.text[value] = {'<', '0', 'x', kDigits[value >> 4], kDigits[value & 15], '>'};
                made.size[value] = 6;
            }
        }
        return made;
    }();
    return {names.text[byte].data(), names.size[byte]};
}

// Calls each(token, size) for every token of a text; `size` is its length in the text, in bytes.
template <class Each>
void for_each_character(const char* begin, const char* end, Each each) {
    while (begin != end) {
        const unsigned char first = static_cast<unsigned char>(*begin);
        std::size_t size = 1;
        std::string_view token;
        if (first < 0x80) {
            token = character_token(begin);
        } else {
            const std::size_t length = utf8_length(begin, end);
            size = length == 0 ? 1 : length;
            token = {begin, size};
            if (token == "\xE2\x96\x81") token = "\xE2\x96\x81\xE2\x96\x81";
        }
        each(token, size);
        begin += size;
    }
}

template <class Each>
void for_each_byte(const char* begin, const char* end, Each each) {
    for (; begin != end; ++begin) each(byte_token(static_cast<unsigned char>(*begin)), 1);
}

// The definition of the batched whitespace form below.
template <class Each>
void for_each_word(const char* begin, const char* end, Each each) {
    while (begin != end) {
        if (is_space(*begin)) {
            ++begin;
            continue;
        }
        const char* stop = begin;
        while (stop != end && !is_space(*stop)) ++stop;
        each(std::string_view(begin, static_cast<std::size_t>(stop - begin)),
             static_cast<std::size_t>(stop - begin));
        begin = stop;
    }
}

template <class Each>
void for_each_token(TokenizerKind kind, std::string_view text, Each each) {
    const char* begin = text.data();
    const char* end = begin + text.size();
    switch (kind) {
        case TokenizerKind::kWhitespace:
            for_each_word(begin, end, each);
            break;
        case TokenizerKind::kCharacters:
            for_each_character(begin, end, each);
            break;
        case TokenizerKind::kBytes:
            for_each_byte(begin, end, each);
            break;
    }
}

// The tokens of one text; they lie in the text or in constants.
inline void split_text(TokenizerKind kind, std::string_view text,
                       std::vector<std::string_view>& tokens) {
    for_each_token(kind, text,
                   [&](std::string_view token, std::size_t) { tokens.push_back(token); });
}

// Joins texts, each closed by LF; LF inside a text becomes SPACE. kTextPadding bytes follow.
inline void join_lines(Span<const std::string_view> texts, Buffer<char>& joined) {
    std::size_t size = kTextPadding;
    for (const std::string_view& text : texts) size += text.size() + 1;
    if (size > joined.capacity()) {
        joined.clear();
        joined.reserve(size * 5 / 4);
    }
    joined.resize(size);
    char* out = joined.data();
    for (const std::string_view& text : texts) {
        if (!text.empty()) std::memcpy(out, text.data(), text.size());
        char* const end = out + text.size();
        *end = '\n';
        for (char* at = out;; ++at) {
            at = static_cast<char*>(std::memchr(at, '\n', static_cast<std::size_t>(end + 1 - at)));
            if (at == end) break;
            *at = ' ';
        }
        out = end + 1;
    }
}

// ---- whitespace, in batches ------------------------------------------------------------------

// A token of a batch: a word, or the end of a line (empty).
struct WordToken {
    const char* begin;
    std::size_t size;
    WordKey key;
    std::uint64_t hash;

    std::string_view word() const { return {begin, size}; }
    bool is_line_end() const { return size == 0; }
};

// Splits [begin, end) into words and line ends, a batch at a time. At least kTextPadding bytes
// after `end` are readable. A word that touches `end` ends there.
class WordScanner {
  public:
    static constexpr std::size_t kBatch = 128;
    // A block holds at most 32 word ends and, together with them, 64 line ends.
    static constexpr std::size_t kCapacity = kBatch + 1 + kBlockBytes + kBlockBytes / 2;

    WordScanner(const char* begin, const char* end) : cursor_(begin), end_(end) {}

    // Fills `batch`; returns how many tokens, 0 at the end of the text.
    std::size_t next(std::array<WordToken, kCapacity>& batch) {
        WordToken* out = batch.data();
        WordToken* const full = out + kBatch;
        while (cursor_ < end_ && out < full) {
            BlockMask mask = scan_block(cursor_);
            const std::size_t left = static_cast<std::size_t>(end_ - cursor_);
            if (left < kBlockBytes) {
                const std::uint64_t inside = (std::uint64_t{1} << left) - 1;
                mask.spaces |= ~inside;
                mask.line_ends &= inside;
            }
            out = add_block(mask, out);
            cursor_ += kBlockBytes;
        }
        if (out < full && open_ && cursor_ >= end_) {
            out->begin = begin_[0];
            out->size = static_cast<std::size_t>(end_ - begin_[0]);
            ++out;
            open_ = false;
        }
        return static_cast<std::size_t>(out - batch.data());
    }

    // Adds keys and hashes, and starts to fetch the slots of `table`.
    template <class Table>
    static void prepare(std::array<WordToken, kCapacity>& batch, std::size_t size,
                        const Table& table) {
        static const WordKey end_key = WordKey::of("</s>");
        std::array<std::uint16_t, kCapacity> long_words;
        std::size_t longs = 0;
        for (std::size_t i = 0; i < size; ++i) {
            WordToken& token = batch[i];
            if (token.size <= WordKey::kShort) {
                token.key =
                    WordKey::of_short(load64(token.begin), load64(token.begin + 8), token.size);
                token.key.low = token.size == 0 ? end_key.low : token.key.low;
            } else {
                token.key = WordKey::of_long(token.word());
                long_words[longs++] = static_cast<std::uint16_t>(i);
            }
            token.hash = token.key.hash();
            table.prefetch(token.hash);
        }
        for (std::size_t i = 0; i < longs; ++i) table.prefetch_offset(batch[long_words[i]].hash);
        for (std::size_t i = 0; i < longs; ++i) table.prefetch_string(batch[long_words[i]].hash);
    }

  private:
    // Words end where a space follows a word byte; a word may have begun in an earlier block.
    WordToken* add_block(const BlockMask& mask, WordToken* out) {
        const std::uint64_t after_space = mask.spaces << 1 | static_cast<std::uint64_t>(!open_);
        std::uint64_t begins = ~mask.spaces & after_space;
        const std::uint64_t ends = mask.spaces & ~after_space;
        std::size_t written = open_;  // begin_[0] is where the open word began
        for (; begins != 0; begins &= begins - 1) begin_[written++] = cursor_ + lowest_bit(begins);
        std::size_t read = 0;
        for (std::uint64_t events = ends | mask.line_ends; events != 0; events &= events - 1) {
            const int bit = lowest_bit(events);
            const char* const position = cursor_ + bit;
            // Both kinds are written always and kept if they are there: no branch to mispredict.
            out->begin = begin_[read];
            out->size = static_cast<std::size_t>(position - begin_[read]);
            const std::size_t is_word = ends >> bit & 1;
            out += is_word;
            read += is_word;
            out->begin = position;
            out->size = 0;
            out += mask.line_ends >> bit & 1;
        }
        open_ = (mask.spaces >> 63) == 0;
        begin_[0] = begin_[written - (written != 0)];
        return out;
    }

    const char* cursor_;
    const char* end_;
    std::array<const char*, kBlockBytes / 2 + 2> begin_{};
    bool open_ = false;  // a word reaches into the next block
};

}  // namespace ngram
