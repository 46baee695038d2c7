// What the removal of each n-gram would cost: one score per n-gram above order 1, from the original
// model, whatever else is removed. Input: levels in suffix order, prefixes, and how often contexts
// occur (histories.hpp). Output: scores[k - 1][i] >= 0, float32; order 1 has none.
//
// An n-gram must stay as long as a longer one begins or ends with it, so close() then gives each at
// least the scores of those. After that, the n-grams above any threshold are closed, and what is
// kept at a higher threshold is kept at a lower one: a model of a wished size is found by selecting
// among scores (selection.hpp).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bits.hpp"
#include "base/buffer.hpp"
#include "base/exp10.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "ngrams/backoff_weights.hpp"
#include "ngrams/sorted_ngrams.hpp"
#include "pruning/histories.hpp"

namespace ngram {

namespace pruning {

// One n-gram hw and what is known of it. Logarithms are natural.
struct Removal {
    double history;            // p(h)
    double prob;               // p(w|h)
    double prob_ratio;         // log p(w|h) - log p(w|h')
    double unseen;             // what h leaves to the words not seen after it
    double log_backoff;        // of h
    double log_backoff_after;  // of h without hw

    // log p(w|h) - log p'(w|h)
    double loss() const { return prob_ratio - log_backoff_after; }
};

// Relative growth of the perplexity of text like that of the model: exp(D(p||p')) - 1.
struct Entropy {
    static double score(const Removal& removal) {
        // Stolcke (1998): hw itself, and the words not seen after h, whose back-off
        // changes.
        double nats = removal.prob * removal.loss();
        if (removal.unseen > 0) {
            nats -= removal.unseen * (removal.log_backoff_after - removal.log_backoff);
        }
        return small_expm1(removal.history * nats);
    }

    static double small_expm1(double x) {
        return std::abs(x) < 1e-5 ? x * (1 + x / 2) : std::expm1(x);
    }
};

// Seymore and Rosenfeld (1996): K (log p(w|h) - log p'(w|h)), with the expected count per token for
// K, in nats. It leaves out the words not seen after h.
struct WeightedDifference {
    static double score(const Removal& removal) {
        return removal.history * removal.prob * removal.loss();
    }
};

// What the scores of all n-grams with one context have in common: half a cache line.
struct ContextTerms {
    SeenMass seen;
    double log_backoff;
    float history;
};

inline Buffer<ContextTerms> context_terms(const Buffer<float>& history,
                                          const Buffer<SeenMass>& seen, unsigned threads,
                                          Progress& progress) {
    Buffer<ContextTerms> terms(seen.size());
    for_parts(seen.size(), threads, progress, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            // Most contexts have nothing after them.
            const double log_backoff = seen[i].context == 0 ? 0 : std::log(backoff_weight(seen[i]));
            terms[i] = {seen[i], log_backoff, history[i]};
        }
    });
    return terms;
}

// Of n-grams [begin, end) of order k.
template <class Criterion>
void score_range(const NgramLevel& level, const NgramLevel& lower, Span<const std::uint32_t> prefix,
                 const Buffer<ContextTerms>& contexts, std::size_t begin, std::size_t end,
                 float* scores) {
    constexpr double kLn10 = 2.302585092994046;
    constexpr std::size_t kBlock = 256;
    std::array<float, kBlock> log10_lower;
    std::array<double, kBlock> prob;
    std::array<double, kBlock> lower_prob;
    for (std::size_t first = begin; first < end; first += kBlock) {
        const std::size_t size = std::min(kBlock, end - first);
        const float* const log10_prob = level.log10_prob.data() + first;
        for (std::size_t j = 0; j < size; ++j) {
            prefetch(&contexts[prefix[first + j]]);
            log10_lower[j] = lower.log10_prob[level.suffix[first + j]];
        }
        exp10_all(log10_prob, size, prob.data());
        exp10_all(log10_lower.data(), size, lower_prob.data());
        for (std::size_t j = 0; j < size; ++j) {
            const ContextTerms& context = contexts[prefix[first + j]];
            const SeenMass without{context.seen.context - prob[j],
                                   context.seen.lower - lower_prob[j]};
            const double ratio = kLn10 * (static_cast<double>(log10_prob[j]) - log10_lower[j]);
            const double score =
                Criterion::score({context.history, prob[j], ratio, 1 - context.seen.context,
                                  context.log_backoff, std::log(backoff_weight(without))});
            // By rounding a score may be below 0, and 0 times infinity is no number.
            scores[first + j] = score > 0 ? static_cast<float>(score) : 0.0F;
        }
    }
}

// Scores of order k >= 2. What ends in <s> is never asked for and costs nothing.
template <class Criterion>
Buffer<float> level_scores(const std::vector<NgramLevel>& levels, std::size_t k,
                           Span<const std::uint32_t> prefix, const Buffer<float>& history,
                           unsigned threads, Progress& progress) {
    const NgramLevel& level = levels[k - 1];
    const NgramLevel& lower = levels[k - 2];
    const Buffer<ContextTerms> contexts =
        context_terms(history, seen_mass(levels, k, prefix, threads, progress), threads, progress);
    Buffer<float> scores(level.size());
    for_parts(scores.size(), threads, progress, [&](std::size_t begin, std::size_t end) {
        score_range<Criterion>(level, lower, prefix, contexts, begin, end, scores.data());
        progress.advance(end - begin);
    });
    const auto [bos, after_bos] = backoff_weights::ending_in(levels, k, kBos);
    std::fill(scores.begin() + bos, scores.begin() + after_bos, 0.0F);
    return scores;
}

// Raises the scores of prefixes and suffixes to those of the longer n-grams.
inline void close(const std::vector<NgramLevel>& levels,
                  const std::vector<Buffer<std::uint32_t>>& prefixes,
                  std::vector<Buffer<float>>& scores, Progress& progress) {
    for (std::size_t k = levels.size(); k >= 3; --k) {
        const std::uint32_t* const suffix = levels[k - 1].suffix.data();
        const std::uint32_t* const prefix = prefixes[k - 1].data();
        const Buffer<float>& score = scores[k - 1];
        float* const lower = scores[k - 2].data();
        for (std::size_t i = 0; i < score.size(); ++i) {
            lower[suffix[i]] = std::max(lower[suffix[i]], score[i]);
            lower[prefix[i]] = std::max(lower[prefix[i]], score[i]);
        }
        progress.poll();
    }
}

}  // namespace pruning

// The scores of every order, closed.
template <class Criterion>
std::vector<Buffer<float>> removal_scores(const std::vector<NgramLevel>& levels,
                                          const std::vector<Buffer<std::uint32_t>>& prefixes,
                                          const Histories& histories, unsigned threads,
                                          Progress& progress) {
    std::uint64_t total = 0;
    for (std::size_t k = 2; k <= levels.size(); ++k) total += levels[k - 1].size();
    progress.begin("score n-grams", total);
    std::vector<Buffer<float>> scores(levels.size());
    for (std::size_t k = levels.size(); k >= 2; --k) {  // what the largest needs does for all
        scores[k - 1] = pruning::level_scores<Criterion>(levels, k, prefixes[k - 1].span(),
                                                         histories[k - 2], threads, progress);
    }
    pruning::close(levels, prefixes, scores, progress);
    return scores;
}

}  // namespace ngram
