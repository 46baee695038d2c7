// The n-grams of every order with their log10 probabilities and back-offs: what the estimator and
// the ARPA reader produce, and what the ARPA writer and the query structures consume.
//
// Suffix order: n-grams of one order are sorted by last word, then the word before it, and so on.
// Then an n-gram is its leftmost word plus the index of its suffix one order below, both
// ascending: (suffix, word) pairs are strictly increasing. Every suffix and every prefix of an
// n-gram is present (closure), and order 1 holds every word id once, in order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/buffer.hpp"
#include "base/errors.hpp"

namespace ngram {

struct NgramLevel {
    Buffer<std::uint32_t> word;    // leftmost word; empty at order 1 (the index is the word)
    Buffer<std::uint32_t> suffix;  // index of the n-gram without it, one order below
    Buffer<float> log10_prob;
    Buffer<float> log10_backoff;  // empty at the highest order

    std::size_t size() const { return log10_prob.size(); }
    // These n-grams are not needed soon (Buffer::rest).
    void rest(std::size_t begin, std::size_t end) const {
        if (!word.empty()) word.rest(begin, end), suffix.rest(begin, end);
        log10_prob.rest(begin, end);
        if (!log10_backoff.empty()) log10_backoff.rest(begin, end);
    }
};

struct SortedNgrams {
    std::vector<NgramLevel> levels;  // levels[k - 1] is order k

    std::size_t order() const { return levels.size(); }
};

// Writes the words of n-grams [begin, end) of order `order`, first word first, `order` per row.
// Suffix order -> the same order.
inline void expand_words(const SortedNgrams& ngrams, std::size_t order, std::size_t begin,
                         std::size_t end, std::uint32_t* words) {
    for (std::size_t index = begin; index < end; ++index) {
        std::size_t at = index;
        for (std::size_t k = order; k > 1; --k) {
            const NgramLevel& level = ngrams.levels[k - 1];
            *words++ = level.word[at];
            at = level.suffix[at];
        }
        *words++ = static_cast<std::uint32_t>(at);
    }
}

namespace sorted_ngrams {

[[noreturn]] inline void refuse(std::size_t order, std::size_t index, const std::string& what) {
    throw InputError("invalid n-grams: the " + std::to_string(order) + "-gram at index " +
                     std::to_string(index) + " " + what);
}

inline void check_values(const NgramLevel& level, std::size_t order, bool highest) {
    const std::size_t size = level.size();
    if (level.log10_backoff.size() != (highest ? 0 : size)) {
        throw InputError("invalid n-grams: order " + std::to_string(order) + " has " +
                         std::to_string(size) + " probabilities and " +
                         std::to_string(level.log10_backoff.size()) +
                         " back-offs (the highest order has none, every other one for each)");
    }
    for (std::size_t i = 0; i < size; ++i) {
        if (!(level.log10_prob[i] <= 0)) {
            refuse(order, i,
                   "has log10 probability " + std::to_string(level.log10_prob[i]) +
                       ": it must be at most 0");
        }
    }
    for (std::size_t i = 0; i < level.log10_backoff.size(); ++i) {
        const float backoff = level.log10_backoff[i];
        if (backoff != backoff) refuse(order, i, "has a back-off that is not a number");
    }
}

}  // namespace sorted_ngrams

// Throws InputError unless `ngrams` keeps every promise made at the top of this file. Costs a
// binary search per n-gram: for data that comes from a user, not for what the engine made.
inline void check(const SortedNgrams& ngrams) {
    using sorted_ngrams::refuse;
    if (ngrams.levels.empty()) throw InputError("invalid n-grams: there are no orders");
    const std::size_t words = ngrams.levels[0].size();
    if (words > 0xffffffffU) throw InputError("invalid n-grams: more than 2^32 - 1 words");
    std::vector<std::uint32_t> lower_prefix;  // index of each n-gram's prefix, one order below
    for (std::size_t order = 1; order <= ngrams.order(); ++order) {
        const NgramLevel& level = ngrams.levels[order - 1];
        sorted_ngrams::check_values(level, order, order == ngrams.order());
        const std::size_t size = level.size();
        const std::size_t keys = order == 1 ? 0 : size;
        if (level.word.size() != keys || level.suffix.size() != keys) {
            throw InputError("invalid n-grams: order " + std::to_string(order) + " has " +
                             std::to_string(size) + " probabilities, " +
                             std::to_string(level.word.size()) + " words and " +
                             std::to_string(level.suffix.size()) + " suffixes");
        }
        if (order == 1) continue;
        if (size > 0xffffffffU) throw InputError("invalid n-grams: more than 2^32 - 1 of an order");
        const NgramLevel& lower = ngrams.levels[order - 2];
        for (std::size_t i = 0; i < size; ++i) {
            if (level.word[i] >= words) refuse(order, i, "has a word outside the vocabulary");
            if (level.suffix[i] >= lower.size()) refuse(order, i, "has a suffix that is absent");
            const bool ascends =
                i == 0 || level.suffix[i - 1] < level.suffix[i] ||
                (level.suffix[i - 1] == level.suffix[i] && level.word[i - 1] < level.word[i]);
            if (!ascends) refuse(order, i, "is not in suffix order, or occurs twice");
        }
        std::vector<std::uint32_t> prefix(size);
        for (std::size_t i = 0; i < size; ++i) {
            if (order == 2) {
                prefix[i] = level.word[i];
                continue;
            }
            const std::uint32_t* first = lower.suffix.begin();
            const auto range =
                std::equal_range(first, lower.suffix.end(), lower_prefix[level.suffix[i]]);
            const std::uint32_t* from = lower.word.begin() + (range.first - first);
            const std::uint32_t* to = lower.word.begin() + (range.second - first);
            const std::uint32_t* found = std::lower_bound(from, to, level.word[i]);
            if (found == to || *found != level.word[i]) {
                refuse(order, i, "has a prefix that is absent");
            }
            prefix[i] = static_cast<std::uint32_t>(found - lower.word.begin());
        }
        lower_prefix.swap(prefix);
    }
}

}  // namespace ngram
