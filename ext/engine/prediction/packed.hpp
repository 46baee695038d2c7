// Two compact arrays of integers that live in a model file: `PackedInts` stores every value in the
// same number of bits, `MonotoneInts` stores a non-decreasing sequence in about 2 bits per value
// plus the bits its average step needs (Elias-Fano). Both are views of 64-bit words that somebody
// else owns, and both are read from files of strangers: `attach` checks the sizes, and a read never
// leaves the arrays and never returns more than the largest allowed value, whatever the bits say.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/bits.hpp"
#include "base/buffer.hpp"
#include "base/errors.hpp"

namespace ngram {

namespace packed {

inline std::size_t count_bits(std::uint64_t value) {
#if defined(_MSC_VER)
    value -= (value >> 1) & 0x5555555555555555U;
    value = (value & 0x3333333333333333U) + ((value >> 2) & 0x3333333333333333U);
    return (((value + (value >> 4)) & 0x0F0F0F0F0F0F0F0FU) * 0x0101010101010101U) >> 56;
#else
    return static_cast<std::size_t>(__builtin_popcountll(value));
#endif
}

// The index of the lowest set bit of a value that is not 0.
inline std::size_t lowest_bit(std::uint64_t value) {
    return count_bits((value & (~value + 1)) - 1);
}

}  // namespace packed

// Values of `width` <= 32 bits, one after the other. One spare word at the end lets a read fetch
// two words without asking whether the second exists.
class PackedInts {
  public:
    PackedInts() = default;

    static std::size_t words_for(std::size_t size, unsigned width) { return size * width / 64 + 2; }

    static PackedInts attach(Span<const std::uint64_t> words, std::size_t size, unsigned width) {
        if (width > 32 || words.size() != words_for(size, width)) {
            throw ModelFileError("the successor lists of the model have a wrong size");
        }
        PackedInts ints;
        ints.words_ = words.data();
        ints.width_ = width;
        ints.mask_ = (std::uint64_t{1} << width) - 1;
        return ints;
    }

    std::uint32_t operator[](std::size_t index) const {
        const std::size_t bit = index * width_;
        const std::uint64_t* word = words_ + bit / 64;
        const unsigned shift = bit % 64;
        // Two shifts: one of 64 would be undefined.
        const std::uint64_t high = (word[1] << 1) << (63 - shift);
        return static_cast<std::uint32_t>(((word[0] >> shift) | high) & mask_);
    }

    void prefetch(std::size_t index) const { ngram::prefetch(words_ + index * width_ / 64); }

    // Writes into zeroed words, and touches no word but those the value lies in.
    static void set(std::uint64_t* words, unsigned width, std::size_t index, std::uint64_t value) {
        const std::size_t bit = index * width;
        const unsigned shift = bit % 64;
        words[bit / 64] |= value << shift;
        if (shift + width > 64) words[bit / 64 + 1] |= value >> (64 - shift);
    }

  private:
    const std::uint64_t* words_ = nullptr;
    std::uint64_t mask_ = 0;
    unsigned width_ = 0;
};

// A non-decreasing sequence of `size` values up to `largest`. The low bits of every value are
// packed; the rest is written in unary: value i sets bit (value >> low_width) + i. Reading value i
// finds the i-th set bit from the position of every 128th.
class MonotoneInts {
  public:
    static constexpr std::size_t kSampled = 128;

    struct Storage {
        Buffer<std::uint64_t> low;
        Buffer<std::uint64_t> high;
        Buffer<std::uint64_t> samples;
    };

    MonotoneInts() = default;

    static unsigned low_width(std::size_t size, std::uint64_t largest) {
        return size == 0 ? 0 : std::max(1U, bit_width(largest / size)) - 1;
    }

    static Storage encode(Span<const std::uint64_t> values, std::uint64_t largest) {
        const unsigned width = low_width(values.size(), largest);
        Storage storage;
        storage.low = Buffer<std::uint64_t>(PackedInts::words_for(values.size(), width), 0);
        storage.high = Buffer<std::uint64_t>(high_words(values.size(), largest), 0);
        storage.samples = Buffer<std::uint64_t>(sample_count(values.size()), 0);
        for (std::size_t i = 0; i < values.size(); ++i) {
            const std::uint64_t position = (values[i] >> width) + i;
            const std::uint64_t low = values[i] & ((std::uint64_t{1} << width) - 1);
            storage.high[position / 64] |= std::uint64_t{1} << (position % 64);
            if (width != 0) PackedInts::set(storage.low.data(), width, i, low);
            if (i % kSampled == 0) storage.samples[i / kSampled] = position;
        }
        return storage;
    }

    static MonotoneInts attach(Span<const std::uint64_t> low, Span<const std::uint64_t> high,
                               Span<const std::uint64_t> samples, std::size_t size,
                               std::uint64_t largest) {
        MonotoneInts ints;
        ints.low_width_ = low_width(size, largest);
        ints.low_ = PackedInts::attach(low, size, ints.low_width_);
        if (high.size() != high_words(size, largest) || samples.size() != sample_count(size)) {
            throw ModelFileError("the successor lists of the model have a wrong size");
        }
        ints.high_ = high;
        ints.samples_ = samples.data();
        ints.largest_ = largest;
        return ints;
    }

    // Fetches what reading value `index` needs first.
    void prefetch(std::size_t index) const {
        ngram::prefetch(samples_ + index / kSampled);
        low_.prefetch(index);
    }

    struct Pair {
        std::uint64_t first;
        std::uint64_t second;
    };

    // Returns values index and index + 1, the second not below the first.
    Pair pair(std::size_t index) const {
        const std::size_t end = high_.size() * 64;
        std::size_t position = std::min<std::size_t>(samples_[index / kSampled], end);
        position = set_bit(position, index % kSampled);
        const std::uint64_t first = value(position, index);
        position = set_bit(std::min(position + 1, end), 0);
        return {first, std::max(first, value(position, index + 1))};
    }

  private:
    static std::size_t high_words(std::size_t size, std::uint64_t largest) {
        return (size + (largest >> low_width(size, largest))) / 64 + 1;
    }
    static std::size_t sample_count(std::size_t size) { return (size + kSampled - 1) / kSampled; }

    // Position of the set bit with `skipped` set bits between `position` and it; the end of the
    // bits if there is none.
    std::size_t set_bit(std::size_t position, std::size_t skipped) const {
        std::size_t word = position / 64;
        if (word >= high_.size()) return high_.size() * 64;
        std::uint64_t bits = high_[word] & (~std::uint64_t{0} << (position % 64));
        for (;;) {
            const auto ones = packed::count_bits(bits);
            if (skipped < ones) break;
            skipped -= ones;
            if (++word == high_.size()) return high_.size() * 64;
            bits = high_[word];
        }
        for (; skipped != 0; --skipped) bits &= bits - 1;
        return word * 64 + packed::lowest_bit(bits);
    }

    std::uint64_t value(std::size_t position, std::size_t index) const {
        const std::uint64_t high = position < index ? 0 : position - index;
        // Cannot overflow: position counts bits that exist, and low_width_ < 64 - bits of it.
        return std::min(largest_, (high << low_width_) | low_[index]);
    }

    PackedInts low_;
    Span<const std::uint64_t> high_;
    const std::uint64_t* samples_ = nullptr;
    std::uint64_t largest_ = 0;
    unsigned low_width_ = 0;
};

}  // namespace ngram
