// What smoothing must know about the n-grams that extend one context by a word.
#pragma once

#include <algorithm>
#include <cstdint>

namespace ngram {

constexpr std::uint32_t kPruned = std::uint32_t{1} << 31;  // marks an adjusted count

template <class Total>
struct ContextSum {
    Total total;                  // of the adjusted counts
    Total pruned;                 // the part of it that is pruned
    std::uint32_t extensions[3];  // kept ones with adjusted count 1, 2, 3 and more
    std::uint32_t order;          // of the context

    void add(std::uint32_t count) {
        const std::uint32_t adjusted = count & ~kPruned;
        total += adjusted;
        if ((count & kPruned) != 0) {
            pruned += adjusted;
        } else {
            ++extensions[std::min(adjusted, 3U) - 1];
        }
    }
    // Whether an n-gram that is kept follows.
    bool is_followed() const { return (extensions[0] | extensions[1] | extensions[2]) != 0; }
    void add(const ContextSum& other) {
        total += other.total;
        pruned += other.pruned;
        for (unsigned a = 0; a < 3; ++a) extensions[a] += other.extensions[a];
    }
};

}  // namespace ngram
