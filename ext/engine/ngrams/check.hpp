// Whether n-grams are what sorted_ngrams.hpp promises: sizes that fit, values in range, suffix
// order, every suffix and every prefix there. For data that comes from a user, not for what the
// engine made.
#pragma once

#include <cstddef>
#include <string>

#include "base/errors.hpp"
#include "base/progress.hpp"
#include "ngrams/prefixes.hpp"
#include "ngrams/sorted_ngrams.hpp"

namespace ngram {

namespace sorted_ngrams {

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

inline void check_sizes(const NgramLevel& level, std::size_t order) {
    const std::size_t size = level.size();
    const std::size_t keys = order == 1 ? 0 : size;
    if (level.word.size() != keys || level.suffix.size() != keys) {
        throw InputError("invalid n-grams: order " + std::to_string(order) + " has " +
                         std::to_string(size) + " probabilities, " +
                         std::to_string(level.word.size()) + " words and " +
                         std::to_string(level.suffix.size()) + " suffixes");
    }
    if (size > 0xffffffffU) {
        throw InputError(order == 1 ? "invalid n-grams: more than 2^32 - 1 words"
                                    : "invalid n-grams: more than 2^32 - 1 of an order");
    }
}

inline void check_order(const NgramLevel& level, std::size_t order, std::size_t words,
                        std::size_t suffixes) {
    for (std::size_t i = 0; i < level.size(); ++i) {
        if (level.word[i] >= words) refuse(order, i, "has a word outside the vocabulary");
        if (level.suffix[i] >= suffixes) refuse(order, i, "has a suffix that is absent");
        const bool ascends =
            i == 0 || level.suffix[i - 1] < level.suffix[i] ||
            (level.suffix[i - 1] == level.suffix[i] && level.word[i - 1] < level.word[i]);
        if (!ascends) refuse(order, i, "is not in suffix order, or occurs twice");
    }
}

}  // namespace sorted_ngrams

// Throws InputError unless `ngrams` keeps every promise.
inline void check(const SortedNgrams& ngrams, unsigned threads, Progress& progress) {
    if (ngrams.levels.empty()) throw InputError("invalid n-grams: there are no orders");
    const std::size_t words = ngrams.levels[0].size();
    for (std::size_t order = 1; order <= ngrams.order(); ++order) {
        const NgramLevel& level = ngrams.levels[order - 1];
        sorted_ngrams::check_values(level, order, order == ngrams.order());
        sorted_ngrams::check_sizes(level, order);
        if (order == 1) continue;
        sorted_ngrams::check_order(level, order, words, ngrams.levels[order - 2].size());
    }
    all_prefixes(ngrams.levels, threads, progress);
}

}  // namespace ngram
