// NgramCounts as the bytes of a file, and back. Everything is a sequence of whole numbers, each in
// as few bytes as it needs (LEB128: seven bits a byte, the lowest first, the highest bit set in all
// bytes but the last); docs/format.md describes them. What is read may come from a stranger: every
// number is checked before it is used.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/crc32.hpp"
#include "base/errors.hpp"
#include "base/output_file.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "base/spill.hpp"
#include "counts/ngram_counts.hpp"
#include "text/vocabulary.hpp"

namespace ngram {

constexpr std::size_t kRested = 1 << 17;  // n-grams after which memory is given back

// Calls body(begin, end) for blocks of 0..size: what is read in one leaves memory before the next.
template <class Body>
void rested_blocks(std::size_t size, Body body) {
    for (std::size_t begin = 0; begin < size; begin += kRested) {
        body(begin, std::min(begin + kRested, size));
    }
}

// One order in a file.
struct EncodedLevel {
    Buffer<std::uint8_t> children;  // of each n-gram one order below, how many have it as suffix
    Buffer<std::uint8_t> words;     // leftmost words: of one suffix the first, then gaps less one
    Buffer<std::uint8_t> counts;    // empty if they are not all whole
};

constexpr std::size_t kNumberBytes = 10;  // at most

// Returns the place behind.
inline std::uint8_t* put_number(std::uint8_t* bytes, std::uint64_t number) {
    for (; number >= 0x80; number >>= 7) *bytes++ = static_cast<std::uint8_t>(number | 0x80);
    *bytes++ = static_cast<std::uint8_t>(number);
    return bytes;
}

// Numbers on their way to a file, in blocks, of which old ones may be spilled.
class NumberWriter {
  public:
    explicit NumberWriter(const Spill& spill) : bytes_(spill, kBlock), block_(kBlock) {}

    void append(std::uint64_t number) {
        if (size_ + kNumberBytes > kBlock) flush();
        size_ = static_cast<std::size_t>(put_number(block_.data() + size_, number) - block_.data());
    }
    Buffer<std::uint8_t> take() {
        flush();
        return bytes_.take();
    }

  private:
    static constexpr std::size_t kBlock = 1 << 16;

    void flush() {
        if (size_ != 0) std::memcpy(bytes_.extend(size_), block_.data(), size_);
        size_ = 0;
    }

    SpilledArray<std::uint8_t> bytes_;
    Buffer<std::uint8_t> block_;
    std::size_t size_ = 0;
};

// Reads numbers one after the other, in the one form put_number gives them.
class NumberReader {
  public:
    NumberReader(Span<const std::uint8_t> bytes, std::string name)
        : next_(bytes.begin()), begin_(bytes.begin()), end_(bytes.end()), name_(std::move(name)) {}

    std::uint64_t next(std::uint64_t most) {
        std::uint64_t number = 0;
        for (unsigned shift = 0;; shift += 7) {
            if (next_ == end_) fail("ends too early");
            const std::uint64_t byte = *next_++;
            if (shift == 63 && byte > 1) fail("holds a number above 2^64");
            number |= (byte & 0x7f) << shift;
            if (byte < 0x80) {
                if (byte == 0 && shift != 0) fail("holds a number that is not in its short form");
                break;
            }
        }
        if (number > most) {
            fail("holds the number " + std::to_string(number) + " where at most " +
                 std::to_string(most) + " is possible");
        }
        return number;
    }

    void finish() const {
        if (next_ != end_) fail("is too long");
    }

    [[noreturn]] void fail(const std::string& what) const {
        throw ModelFileError("the array '" + name_ + "' " + what + " (byte " +
                             std::to_string(next_ - begin_) +
                             "). The file is damaged: copy it again, or count the text again.");
    }

  private:
    const std::uint8_t* next_;
    const std::uint8_t* begin_;
    const std::uint8_t* end_;
    std::string name_;
};

inline bool all_whole(const Buffer<double>& counts) {
    bool whole = true;
    rested_blocks(counts.size(), [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end && whole; ++i) {
            whole = counts[i] == std::floor(counts[i]);
        }
        counts.rest(begin, end);
    });
    return whole;
}

inline EncodedLevel encode_level(const NgramCounts& counts, std::size_t order) {
    const CountLevel& level = counts.levels[order - 1];
    EncodedLevel encoded;
    if (order > 1) {
        NumberWriter words(counts.spill);
        NumberWriter children(counts.spill);
        const std::size_t suffixes = counts.levels[order - 2].size();
        std::size_t suffix = 0;
        std::size_t first = 0;  // of the suffix
        rested_blocks(level.size(), [&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i) {
                for (; suffix < level.suffix[i]; ++suffix, first = i) children.append(i - first);
                words.append(i == first ? level.word[i] : level.word[i] - level.word[i - 1] - 1);
            }
            level.word.rest(begin, end);
            level.suffix.rest(begin, end);
        });
        for (; suffix < suffixes; ++suffix, first = level.size()) {
            children.append(level.size() - first);
        }
        encoded.words = words.take();
        encoded.children = children.take();
    }
    if (all_whole(level.count)) {
        NumberWriter numbers(counts.spill);
        rested_blocks(level.size(), [&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i) {
                numbers.append(static_cast<std::uint64_t>(level.count[i]));
            }
            level.count.rest(begin, end);
        });
        encoded.counts = numbers.take();
    }
    return encoded;
}

// What an array is in a file.
struct WrittenArray {
    std::uint64_t bytes;  // without the zeros that fill it up to a cache line
    std::uint32_t crc32;  // with them
};

// Writes an array at an offset, which moves on behind it.
template <class T>
WrittenArray write_array(OutputFile& file, std::uint64_t& offset, const Buffer<T>& array) {
    static constexpr char kZeros[64] = {};
    std::uint32_t sum = 0;
    rested_blocks(array.size(), [&](std::size_t begin, std::size_t end) {
        const std::size_t bytes = (end - begin) * sizeof(T);
        file.write(offset, array.data() + begin, bytes);
        sum = crc32(array.data() + begin, bytes, sum);
        offset += bytes;
        array.rest(begin, end);
    });
    const std::size_t filling = (64 - array.bytes() % 64) % 64;
    file.write(offset, kZeros, filling);
    offset += filling;
    return {array.bytes(), crc32(kZeros, filling, sum)};
}

// `suffixes` n-grams one order below have `size` extensions to the left.
inline void decode_keys(CountLevel& level, std::size_t order, std::size_t suffixes,
                        std::size_t size, std::uint32_t vocabulary_size,
                        Span<const std::uint8_t> children, Span<const std::uint8_t> words,
                        const Spill& spill) {
    const std::string prefix = "counts." + std::to_string(order) + ".";
    NumberReader child_reader(children, prefix + "children");
    NumberReader word_reader(words, prefix + "words");
    if (size > words.size()) word_reader.fail("ends too early");  // before memory is taken
    level.word = spill.allocate<std::uint32_t>(size);
    level.suffix = spill.allocate<std::uint32_t>(size);
    std::size_t i = 0;
    std::size_t rested = 0;
    for (std::size_t suffix = 0; suffix < suffixes; ++suffix) {
        const std::size_t end = i + child_reader.next(size - i);
        std::uint64_t least = 0;
        for (; i < end; ++i) {
            if (least >= vocabulary_size) word_reader.fail("holds a word after the last one");
            const std::uint64_t word = least + word_reader.next(vocabulary_size - 1 - least);
            level.word[i] = static_cast<std::uint32_t>(word);
            level.suffix[i] = static_cast<std::uint32_t>(suffix);
            least = word + 1;
        }
        if (i - rested < kRested) continue;
        level.word.rest(rested, i);
        level.suffix.rest(rested, i);
        rested = i;
    }
    if (i != size) {
        child_reader.fail("sums to " + std::to_string(i) + " n-grams, not " + std::to_string(size));
    }
    child_reader.finish();
    word_reader.finish();
}

// At order 1 counts may be 0.
inline void decode_counts(CountLevel& level, std::size_t order, std::size_t size,
                          Span<const std::uint8_t> bytes, const Spill& spill) {
    NumberReader reader(bytes, "counts." + std::to_string(order) + ".counts");
    if (size > bytes.size()) reader.fail("ends too early");
    level.count = spill.allocate<double>(size);
    rested_blocks(size, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            level.count[i] =
                static_cast<double>(reader.next(static_cast<std::uint64_t>(kMaxCount)));
            if (level.count[i] == 0 && order > 1) reader.fail("holds the count 0");
        }
        level.count.rest(begin, end);
    });
    reader.finish();
}

inline void copy_counts(CountLevel& level, std::size_t order, Span<const double> counts,
                        const Spill& spill) {
    level.count = spill.allocate<double>(counts.size());
    for (std::size_t i = 0; i < counts.size(); ++i) {
        if (!is_count(counts[i]) || (counts[i] == 0 && order > 1)) {
            throw ModelFileError("the array 'counts." + std::to_string(order) + ".counts' holds " +
                                 std::to_string(counts[i]) + " (item " + std::to_string(i) +
                                 "), which is no count. The file is damaged: copy it again, or "
                                 "count the text again.");
        }
        level.count[i] = counts[i];
    }
}

inline std::vector<EncodedLevel> encode_counts(const NgramCounts& counts, unsigned threads,
                                               Progress& progress) {
    std::vector<EncodedLevel> levels(counts.order());
    std::uint64_t total = 0;
    for (const CountLevel& level : counts.levels) total += level.size();
    progress.begin("encode", total);
    parallel_for(levels.size(), threads, progress, [&](std::size_t i, unsigned) {
        levels[i] = encode_level(counts, i + 1);
        progress.advance(counts.levels[i].size());
    });
    return levels;
}

// One order as it lies in a file; `counts` or `fractions` is empty.
struct LevelBytes {
    std::size_t size = 0;
    Span<const std::uint8_t> children;
    Span<const std::uint8_t> words;
    Span<const std::uint8_t> counts;
    Span<const double> fractions;
};

inline NgramCounts decode_counts(const std::vector<LevelBytes>& levels, const Spill& spill,
                                 unsigned threads, Progress& progress) {
    NgramCounts result;
    result.spill = spill;
    result.levels.resize(levels.size());
    std::uint64_t total = 0;
    for (const LevelBytes& level : levels) total += level.size;
    progress.begin("decode", total);
    parallel_for(levels.size(), threads, progress, [&](std::size_t i, unsigned) {
        const LevelBytes& from = levels[i];
        CountLevel& level = result.levels[i];
        if (i > 0) {
            decode_keys(level, i + 1, levels[i - 1].size, from.size,
                        static_cast<std::uint32_t>(levels[0].size), from.children, from.words,
                        spill);
        }
        if (from.fractions.empty()) {
            decode_counts(level, i + 1, from.size, from.counts, spill);
        } else {
            copy_counts(level, i + 1, from.fractions, spill);
        }
        progress.advance(from.size);
    });
    const Buffer<double>& words = result.levels[0].count;
    if (words.size() <= kEndSentence || words[kNoWord] != 0 || words[kBeginSentence] != 0) {
        throw ModelFileError(
            "the array 'counts.1.counts' does not begin with the counts 0 of <unk> and <s>. The "
            "file is damaged: copy it again, or count the text again.");
    }
    return result;
}

// The words but the special ones: their bytes without gaps, and their lengths.
inline Buffer<std::uint8_t> encode_lengths(const Vocabulary& vocabulary) {
    Buffer<std::uint8_t> lengths;
    for (std::uint32_t word = kSpecialWords; word < vocabulary.size(); ++word) {
        std::uint8_t bytes[kNumberBytes];
        const std::uint8_t* const end = put_number(bytes, vocabulary.word(word).size());
        lengths.append(bytes, static_cast<std::size_t>(end - bytes));
    }
    return lengths;
}

inline std::shared_ptr<Vocabulary> decode_vocabulary(Span<const char> strings,
                                                     Span<const std::uint8_t> lengths,
                                                     std::size_t size) {
    NumberReader reader(lengths, "vocabulary.lengths");
    VocabularyBuilder builder;
    std::size_t at = 0;
    for (std::size_t word = kSpecialWords; word < size; ++word) {
        const std::size_t length = reader.next(strings.size() - at);
        if (length == 0) reader.fail("holds the length 0");
        if (builder.find_or_add({strings.data() + at, length}) != word) {
            reader.fail("gives a word twice");
        }
        at += length;
    }
    reader.finish();
    if (at != strings.size()) reader.fail("does not cover the words");
    return builder.finish();
}

}  // namespace ngram
