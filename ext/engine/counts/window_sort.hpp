// Sorts the windows of one bucket. Any order -> ascending (suffix order). Most significant digit
// first: a radix pass on the highest bits that differ, then the groups, which soon fit in cache;
// in small groups each window counts those before it. Windows that agree to the last bit are
// interchangeable, so the result does not depend on the order of the input.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "counts/windows.hpp"

namespace ngram {

namespace window_sort {

constexpr std::size_t kFew = 24;
constexpr unsigned kMaxDigitBits = 11;

inline unsigned leading_zeros(std::uint64_t value) {
    return static_cast<unsigned>(__builtin_clzll(value));
}

// The position of the highest bit in which some of the windows differ; 64 * W if none.
template <unsigned W>
unsigned first_difference(const Window<W>* windows, std::size_t size) {
    for (unsigned part = W; part-- > 0;) {
        std::uint64_t difference = 0;
        for (std::size_t i = 1; i < size; ++i) {
            difference |= windows[i].part[part] ^ windows[0].part[part];
        }
        if (difference != 0) return (W - 1 - part) * 64 + leading_zeros(difference);
    }
    return 64 * W;
}

// Puts each window where as many others as precede it are before it: no branch depends on the
// order, and nobody could predict it.
template <unsigned W>
void place_few(const Window<W>* from, Window<W>* to, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
        std::size_t rank = 0;
        for (std::size_t j = 0; j < i; ++j) rank += from[i] < from[j] ? 0 : 1;
        for (std::size_t j = i + 1; j < size; ++j) rank += from[j] < from[i] ? 1 : 0;
        to[rank] = from[i];
    }
}

}  // namespace window_sort

// Keeps the digit tables of the recursion; one for each thread.
template <unsigned W>
class WindowSorter {
  public:
    // `scratch` has room for `size` windows.
    void sort(Window<W>* windows, Window<W>* scratch, std::size_t size) {
        sort_between(windows, scratch, size, 0, false);
    }

  private:
    // Sorts `from`; the result is in `from` or, if `move`, in `to`. Each is scratch to the other.
    // The digit table begins at `base` of tables_, above those of the calls that wait.
    void sort_between(Window<W>* from, Window<W>* to, std::size_t size, std::size_t base,
                      bool move) {
        if (size <= window_sort::kFew) {
            if (size == 1 && !move) return;
            window_sort::place_few(from, to, size);
            if (!move) std::copy(to, to + size, from);
            return;
        }
        const unsigned begin = window_sort::first_difference(from, size);
        if (begin == 64 * W) {
            if (move) std::memcpy(to, from, size * sizeof(Window<W>));
            return;
        }
        const unsigned bits = std::min(
            {61 - window_sort::leading_zeros(size), window_sort::kMaxDigitBits, 64 * W - begin});
        const std::size_t digits = std::size_t{1} << bits;
        if (tables_.size() < base + digits + 1) tables_.resize(base + digits + 1);
        std::uint32_t* position = tables_.data() + base;
        std::memset(position, 0, (digits + 1) * sizeof(position[0]));
        const Field<W> field(begin, bits);
        for (std::size_t i = 0; i < size; ++i) ++position[field.of(from[i]) + 1];
        for (std::size_t digit = 0; digit < digits; ++digit) {
            position[digit + 1] += position[digit];
        }
        for (std::size_t i = 0; i < size; ++i) {
            to[position[field.of(from[i])]++] = from[i];
        }
        std::size_t group = 0;
        for (std::size_t digit = 0; digit < digits; ++digit) {
            const std::size_t end = tables_[base + digit];
            if (end > group) {
                sort_between(to + group, from + group, end - group, base + digits + 1, !move);
            }
            group = end;
        }
    }

    std::vector<std::uint32_t> tables_;
};

}  // namespace ngram
