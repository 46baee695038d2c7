// The n-grams of KenLM's `trie` files, asked where they lie: plain or quantised values, plain or
// array-compressed pointers. Words stand from the last one to the first: the children of an n-gram
// put one more word before it. Each order is an array of entries packed bit by bit and sorted by
// parent, then word:
//
//   word | value | pointer to the first child in the next array (not at the highest order)
//
// A child list ends where that of the next entry begins, so there is one entry more. Values are 31
// bits of a probability (its sign is always set) and 32 of a back-off, or numbers of bins: those of
// the back-off first. Array compression keeps the low bits of a pointer in the entry; the high
// ones are the rank of the entry in a sorted list of the places where they change.
//
// Whatever the arrays hold, nothing outside them is read: pointers are compared with the number of
// entries when they are read, words and bins have no more bits than their tables have places.
// Read next: kenlm/search.hpp, which asks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/bits.hpp"
#include "kenlm/file.hpp"
#include "kenlm/probing.hpp"
#include "kenlm/words.hpp"
#include "model/bucketed.hpp"

namespace ngram {
namespace kenlm {

// At most 57 bits that begin at bit `at` of `base`.
inline std::uint64_t load_bits(const char* base, std::uint64_t at, unsigned bits) {
    const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
    return load<std::uint64_t>(base + at / 8) >> at % 8 & mask;
}

// How the numbers of bins become values.
struct Quantiser {
    bool used = false;
    unsigned prob_bits = 31;
    unsigned backoff_bits = 32;
    const char* tables = nullptr;  // of float32: for each order its probabilities, its back-offs

    Quantiser() = default;
    Quantiser(Cursor& cursor, std::size_t order) : used(true) {
        const char* const at = cursor.take(8, "the quantisation");
        prob_bits = static_cast<unsigned char>(at[1]);
        backoff_bits = static_cast<unsigned char>(at[2]);
        if (at[0] != 2) {
            throw ModelFileError("the quantisation of the KenLM binary file has version " +
                                 std::to_string(static_cast<unsigned char>(at[0])) +
                                 "; only 2 is read. Build it again from the ARPA file.");
        }
        if (prob_bits == 0 || prob_bits > 25 || backoff_bits == 0 || backoff_bits > 25) {
            fail_damaged("it is quantised to " + std::to_string(prob_bits) + " and " +
                         std::to_string(backoff_bits) + " bits");
        }
        const std::uint64_t floats = (order - 2) * order_floats() + (std::uint64_t{1} << prob_bits);
        tables = cursor.take(4 * floats, "the bins of the quantisation");
    }

    std::uint64_t order_floats() const {
        return (std::uint64_t{1} << prob_bits) + (std::uint64_t{1} << backoff_bits);
    }
    // The number of order k is k - 2.
    float prob(std::size_t number, std::uint64_t bin) const {
        return load<float>(tables + 4 * (number * order_floats() + bin));
    }
    std::uint32_t backoff_bits_of(std::size_t number, std::uint64_t bin) const {
        const std::uint64_t before = number * order_floats() + (std::uint64_t{1} << prob_bits);
        return load<std::uint32_t>(tables + 4 * (before + bin));
    }
};

// The high bits of the pointers of one order, if they are compressed.
class PointerArray {
  public:
    PointerArray() = default;

    // How many bits of a pointer stay in the entry, and how many places the array has.
    struct Layout {
        unsigned low_bits;
        std::uint64_t size;

        // Pointers up to `most` of so many entries; at most `limit` bits leave an entry.
        Layout(std::uint64_t entries, std::uint64_t most, unsigned limit) {
            const unsigned needed = bit_width(most);
            unsigned cut = 0;
            std::int64_t least = std::numeric_limits<std::int64_t>::max();
            for (unsigned bits = 0; bits <= std::min(needed, limit); ++bits) {
                // 64 bits for each place, against `bits` saved in each entry.
                const std::int64_t change =
                    static_cast<std::int64_t>(shifted(most, needed - bits) * 64 - entries * bits);
                if (change < least) {
                    least = change;
                    cut = bits;
                }
            }
            low_bits = needed - cut;
            size = shifted(most, low_bits) + 1;
        }
        // A version and the limit, the places behind them at a multiple of 8.
        std::uint64_t bytes() const { return 8 * (1 + size) + 7; }
    };

    // `cursor` is at the two bytes that the arrays of all orders begin with.
    PointerArray(Cursor& cursor, const Layout& layout)
        : size_(layout.size), low_bits_(layout.low_bits) {
        const std::uint64_t begin = cursor.offset();
        begin_ = cursor.take(layout.bytes(), "the pointers") + (8 - begin % 8) % 8 + 8;
    }

    static std::uint64_t shifted(std::uint64_t value, unsigned bits) {
        return bits >= 64 ? 0 : value >> bits;
    }

    unsigned low_bits() const { return low_bits_; }

    // How many of the places are at or before `entry`.
    std::uint64_t rank(std::uint64_t entry) const {
        std::uint64_t begin = 0;
        std::uint64_t end = size_;
        while (begin < end) {
            const std::uint64_t middle = begin + (end - begin) / 2;
            if (place(middle) <= entry) {
                begin = middle + 1;
            } else {
                end = middle;
            }
        }
        return begin;
    }
    // The same for the next entry, whose rank is not smaller.
    std::uint64_t next_rank(std::uint64_t rank, std::uint64_t entry) const {
        while (rank < size_ && place(rank) <= entry) ++rank;
        return rank;
    }

  private:
    std::uint64_t place(std::uint64_t i) const { return load<std::uint64_t>(begin_ + 8 * i); }

    const char* begin_ = nullptr;
    std::uint64_t size_ = 0;
    unsigned low_bits_ = 0;
};

// Children of an n-gram in the array of the next order.
struct Children {
    std::uint64_t begin;
    std::uint64_t end;

    bool empty() const { return begin == end; }
    void check(std::uint64_t entries) const {
        if (begin > end || end > entries) {
            fail_damaged("an n-gram has the children " + std::to_string(begin) + " to " +
                         std::to_string(end) + " of " + std::to_string(entries));
        }
    }
};

// The entries of one order.
class PackedLevel {
  public:
    // `value_bits` and `pointer_bits` of an entry; `words` is the largest word id or more.
    PackedLevel(Cursor& cursor, std::uint64_t entries, std::uint64_t words, unsigned value_bits,
                unsigned pointer_bits)
        : entries_(entries),
          words_(words),
          word_bits_(bit_width(words)),
          pointer_bits_(pointer_bits),
          value_bits_(value_bits),
          total_bits_(word_bits_ + value_bits + pointer_bits) {
        begin_ = cursor.take(bytes(entries, total_bits_), "the n-grams of a trie");
    }

    // One entry more, for its pointer, and 8 bytes more, so that 8 can be read at the last bit.
    static std::uint64_t bytes(std::uint64_t entries, unsigned total_bits) {
        return ((1 + entries) * total_bits + 7) / 8 + 8;
    }

    std::uint64_t entries() const { return entries_; }
    std::uint64_t bits(std::uint64_t entry, unsigned from, unsigned count) const {
        return load_bits(begin_, entry * total_bits_ + word_bits_ + from, count);
    }
    std::uint64_t pointer(std::uint64_t entry) const {
        return bits(entry, value_bits_, pointer_bits_);
    }

    // The entry of a word among `children`. Words are spread evenly, so the place is guessed
    // between two bounds; low <= word <= high stays true for any entries.
    bool find(const Children& children, std::uint32_t word, std::uint64_t& entry) const {
        std::uint64_t begin = children.begin;
        std::uint64_t end = children.end;
        std::uint64_t low = 0;
        std::uint64_t high = words_;
        if (word > high) return false;
        while (begin < end) {
            const std::uint64_t width = end - begin;
            const std::uint64_t place = begin + (word - low) * width / (high - low + 1);
            const std::uint64_t here = load_bits(begin_, place * total_bits_, word_bits_);
            if (here == word) {
                entry = place;
                return true;
            }
            if (here < word) {
                begin = place + 1;
                low = here;
            } else {
                end = place;
                high = here;
            }
        }
        return false;
    }

  private:
    const char* begin_ = nullptr;
    std::uint64_t entries_;
    std::uint64_t words_;
    unsigned word_bits_;
    unsigned pointer_bits_;
    unsigned value_bits_;
    unsigned total_bits_;
};

template <bool kQuantised, bool kArray>
class TrieSearch {
  public:
    using Words = SortedWords;
    // The children of the n-gram found so far.
    using Place = Children;

    TrieSearch(Cursor& cursor, const Header& header) : order_(header.order) {
        if (kQuantised) quantiser_ = Quantiser(cursor, order_);
        words_ = header.counts[0];
        bigrams_ = header.counts[1];
        unigrams_ = cursor.take((words_ + 2) * kUnigramBytes, "the 1-grams");
        const unsigned value_bits = quantiser_.prob_bits + quantiser_.backoff_bits;
        const unsigned limit = order_ > 2 ? pointer_limit(cursor) : 0;
        for (std::size_t k = 2; k < order_; ++k) {
            const std::uint64_t entries = header.counts[k - 1];
            const std::uint64_t most = header.counts[k];
            unsigned pointer_bits = bit_width(most);
            if (kArray) {
                arrays_.emplace_back(cursor, PointerArray::Layout(entries + 1, most, limit));
                pointer_bits = arrays_.back().low_bits();
            }
            levels_.emplace_back(cursor, entries, words_, value_bits, pointer_bits);
        }
        levels_.emplace_back(cursor, header.counts.back(), words_, quantiser_.prob_bits, 0);
    }

    std::size_t order() const { return order_; }

    Weights unigram(std::uint32_t word, Place& children) const {
        if (word > words_) word = 0;
        const char* const at = unigrams_ + std::size_t{word} * kUnigramBytes;
        children = {load<std::uint64_t>(at + 8), load<std::uint64_t>(at + kUnigramBytes + 8)};
        children.check(bigrams_);
        return {load<float>(at), load<std::uint32_t>(at + 4), !children.empty()};
    }

    bool middle(std::size_t k, std::uint32_t word, Place& children, Weights& found) const {
        const PackedLevel& level = levels_[k - 2];
        std::uint64_t entry;
        if (!level.find(children, word, entry)) return false;
        children = children_of(k, level, entry);
        children.check(levels_[k - 1].entries());
        found.extends_left = !children.empty();
        if (kQuantised) {
            const unsigned below = quantiser_.backoff_bits;
            found.log10_prob =
                quantiser_.prob(k - 2, level.bits(entry, below, quantiser_.prob_bits));
            found.backoff_bits = quantiser_.backoff_bits_of(k - 2, level.bits(entry, 0, below));
        } else {
            found.log10_prob = exact_prob(level, entry);
            found.backoff_bits = static_cast<std::uint32_t>(level.bits(entry, 31, 32));
        }
        return true;
    }

    bool longest(std::uint32_t word, const Place& children, float& log10_prob) const {
        const PackedLevel& level = levels_.back();
        std::uint64_t entry;
        if (!level.find(children, word, entry)) return false;
        log10_prob = kQuantised
                         ? quantiser_.prob(order_ - 2, level.bits(entry, 0, quantiser_.prob_bits))
                         : exact_prob(level, entry);
        return true;
    }

  private:
    static constexpr std::size_t kUnigramBytes = 16;  // probability, back-off, first child

    static unsigned pointer_limit(Cursor cursor) {
        if (!kArray) return 0;
        const char* const at = cursor.take(2, "the pointers");
        if (at[0] != 0) {
            throw ModelFileError("the pointers of the KenLM binary file have version " +
                                 std::to_string(static_cast<unsigned char>(at[0])) +
                                 "; only 0 is read. Build it again from the ARPA file.");
        }
        return static_cast<unsigned char>(at[1]);
    }

    static float exact_prob(const PackedLevel& level, std::uint64_t entry) {
        const auto bits = static_cast<std::uint32_t>(level.bits(entry, 0, 31));
        return bucketed::bits_float(bits | bucketed::kSign);
    }

    Children children_of(std::size_t k, const PackedLevel& level, std::uint64_t entry) const {
        Children children = {level.pointer(entry), level.pointer(entry + 1)};
        if (kArray) {
            const PointerArray& array = arrays_[k - 2];
            const std::uint64_t rank = array.rank(entry);
            if (rank == 0) fail_damaged("the pointers of a trie do not begin with 0");
            const std::uint64_t next = array.next_rank(rank, entry + 1);
            children.begin |= (rank - 1) << array.low_bits();
            children.end |= (next - 1) << array.low_bits();
        }
        return children;
    }

    std::size_t order_;
    Quantiser quantiser_;
    std::uint64_t words_ = 0;
    std::uint64_t bigrams_ = 0;
    const char* unigrams_ = nullptr;
    std::vector<PackedLevel> levels_;  // orders 2, 3, ..
    std::vector<PointerArray> arrays_;
};

}  // namespace kenlm
}  // namespace ngram
