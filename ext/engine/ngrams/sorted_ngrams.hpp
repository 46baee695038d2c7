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

}  // namespace sorted_ngrams

}  // namespace ngram
