// The n-grams of every order with their raw counts: what counting a text gives, what count files
// hold, and what merging and the level-wise smoothing consume.
//
// N-grams stand in suffix order, as in ngrams/sorted_ngrams.hpp: an n-gram is its leftmost word
// plus the index of its suffix one order below, (suffix, word) pairs strictly increase, and order 1
// holds every word id once, in order. The raw count of an n-gram is the number of its occurrences
// in the text, of which every sentence is padded by one <s> and one </s>. An n-gram of two or more
// words is there if its count is not zero; <unk> and <s> alone have the count 0. Counts are
// doubles: integers are exact up to 2^53, and weighted texts have fractions.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/buffer.hpp"
#include "base/errors.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "base/spill.hpp"
#include "counts/windows.hpp"

namespace ngram {

constexpr double kMinCount = 1e-18;               // of those that are not 0: far inside float32
constexpr double kMaxCount = 9007199254740992.0;  // 2^53

inline bool is_count(double count) {
    return count == 0 || (count >= kMinCount && count <= kMaxCount);
}

struct CountLevel {
    Buffer<std::uint32_t> word;    // leftmost word; empty at order 1 (the index is the word)
    Buffer<std::uint32_t> suffix;  // index of the n-gram without it, one order below
    Buffer<double> count;          // raw

    std::size_t size() const { return count.size(); }
    // These n-grams are not needed soon (Buffer::rest).
    void rest(std::size_t begin, std::size_t end) const {
        word.rest(begin, end);
        suffix.rest(begin, end);
        count.rest(begin, end);
    }
};

struct NgramCounts {
    std::vector<CountLevel> levels;  // levels[k - 1] is order k
    Spill spill;                     // where what is made of them goes

    std::size_t order() const { return levels.size(); }
    std::size_t vocabulary_size() const { return levels.empty() ? 0 : levels[0].size(); }
};

// Writes the words of one n-gram, first word first.
inline void ngram_words(const NgramCounts& counts, std::size_t order, std::size_t index,
                        std::uint32_t* words) {
    for (std::size_t k = order; k > 1; --k) {
        const CountLevel& level = counts.levels[k - 1];
        *words++ = level.word[index];
        index = level.suffix[index];
    }
    *words = static_cast<std::uint32_t>(index);
}

// Adjusted counts of one order, in the order of its n-grams: the raw count at the highest order and
// of n-grams that begin with <s>, elsewhere the number of distinct words on the left.
// Heafield et al. (2013), section 3.2.
inline Buffer<double> adjusted_counts(const NgramCounts& counts, std::size_t order) {
    const CountLevel& level = counts.levels[order - 1];
    Buffer<double> adjusted(level.size());
    if (order == counts.order()) {
        std::copy(level.count.begin(), level.count.end(), adjusted.begin());
        return adjusted;
    }
    std::fill(adjusted.begin(), adjusted.end(), 0.0);
    for (const std::uint32_t suffix : counts.levels[order].suffix) adjusted[suffix] += 1.0;
    if (order == 1) {
        adjusted[kBeginSentence] = level.count[kBeginSentence];
    } else {
        for (std::size_t i = 0; i < level.size(); ++i) {
            if (level.word[i] == kBeginSentence) adjusted[i] = level.count[i];
        }
    }
    return adjusted;
}

// The length of the last window of the text in suffix order. Its suffixes are the last n-grams of
// their orders, each the suffix of the next; an order whose last n-gram has another suffix lies
// beyond it.
inline std::size_t last_window_length(const NgramCounts& counts) {
    const Buffer<double>& words = counts.levels[0].count;
    std::size_t last = words.size();
    while (last != 0 && words[last - 1] == 0) --last;
    if (last == 0) return 0;
    std::size_t length = 1;
    for (; length < counts.order(); ++length) {
        const Buffer<std::uint32_t>& suffix = counts.levels[length].suffix;
        if (suffix.empty() || suffix[suffix.size() - 1] != last - 1) break;
        last = suffix.size();
    }
    return length;
}

using CountsOfCounts = std::vector<std::array<std::uint64_t, 5>>;  // [order - 1][r], r = 1..4

// How many n-grams of each order have the adjusted count r; a fractional count is rounded. As
// lmplz, which the discounts depend on, the last n-gram of an order below the highest enters with
// its raw count if it ends the last window.
inline CountsOfCounts counts_of_counts(const NgramCounts& counts) {
    CountsOfCounts result(counts.order());
    const std::size_t last = last_window_length(counts);
    for (std::size_t k = 1; k <= counts.order(); ++k) {
        const auto add = [&](double count, std::uint64_t n) {
            const double r = std::floor(count + 0.5);
            if (r >= 1 && r <= 4) result[k - 1][static_cast<std::size_t>(r)] += n;
        };
        const Buffer<double> adjusted = adjusted_counts(counts, k);
        for (const double count : adjusted) add(count, 1);
        if (k > last || k == counts.order()) continue;
        const Buffer<double>& raw = counts.levels[k - 1].count;
        std::size_t i = raw.size() - 1;
        while (k == 1 && raw[i] == 0) --i;
        add(adjusted[i], ~std::uint64_t{0});  // minus one
        add(raw[i], 1);
    }
    return result;
}

}  // namespace ngram
