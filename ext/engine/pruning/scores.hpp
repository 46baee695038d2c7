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
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/exp10.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "ngrams/backoff_weights.hpp"
#include "ngrams/sorted_ngrams.hpp"
#include "pruning/histories.hpp"

namespace ngram {

namespace pruning {

// One n-gram hw, linear: p(h), p(w|h), p(w|h'), and the seen mass of h.
struct Removal {
    double history;
    double prob;
    double lower;
    SeenMass seen;

    // The back-off of h without hw.
    double backoff_after() const {
        return backoff_weight({seen.context - prob, seen.lower - lower});
    }
    // log p(w|h) - log p'(w|h), in nats; infinite if w could not follow any more.
    double loss() const {
        const double after = backoff_after() * lower;
        return after > 0 ? std::log(prob / after) : std::numeric_limits<double>::infinity();
    }
};

// Relative growth of the perplexity of text like that of the model: exp(D(p||p')) - 1.
struct Entropy {
    static double score(const Removal& removal) {
        if (removal.prob <= 0) return 0;
        // Stolcke (1998), eq. 9: hw itself, and the words not seen after h, whose back-off changes.
        double nats = removal.prob * removal.loss();
        const double unseen = 1 - removal.seen.context;
        if (unseen > 0) {
            nats -= unseen * std::log(removal.backoff_after() / backoff_weight(removal.seen));
        }
        return std::expm1(removal.history * nats);
    }
};

// Seymore and Rosenfeld (1996): K (log p(w|h) - log p'(w|h)), with the expected count per token for
// K, in nats. It leaves out the words not seen after h.
struct WeightedDifference {
    static double score(const Removal& removal) {
        if (removal.prob <= 0) return 0;
        return removal.history * removal.prob * removal.loss();
    }
};

// Scores of order k >= 2. What ends in <s> is never asked for and costs nothing.
template <class Criterion>
Buffer<float> level_scores(const std::vector<NgramLevel>& levels, std::size_t k,
                           Span<const std::uint32_t> prefix, const Buffer<float>& history,
                           unsigned threads, Progress& progress) {
    const NgramLevel& level = levels[k - 1];
    const NgramLevel& lower = levels[k - 2];
    const Buffer<SeenMass> seen = seen_mass(levels, k, prefix, threads, progress);
    const auto [bos, after_bos] = backoff_weights::ending_in(levels, k, kBos);
    Buffer<float> scores(level.size());
    pruning::for_parts(scores.size(), threads, progress,
                       [&, bos = bos, after_bos = after_bos](std::size_t begin, std::size_t end) {
                           for (std::size_t i = begin; i < end; ++i) {
                               const std::uint32_t context = prefix[i];
                               const pruning::Removal removal{
                                   history[context], exp10_of(level.log10_prob[i]),
                                   exp10_of(lower.log10_prob[level.suffix[i]]), seen[context]};
                               const double score = Criterion::score(removal);
                               const bool ends_in_bos = i >= bos && i < after_bos;
                               // By rounding a score may be below 0, and 0 times infinity is no
                               // number.
                               scores[i] =
                                   ends_in_bos || !(score > 0) ? 0.0F : static_cast<float>(score);
                           }
                           progress.advance(end - begin);
                       });
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
    for (std::size_t k = 2; k <= levels.size(); ++k) {
        scores[k - 1] = pruning::level_scores<Criterion>(levels, k, prefixes[k - 1].span(),
                                                         histories[k - 2], threads, progress);
    }
    pruning::close(levels, prefixes, scores, progress);
    return scores;
}

}  // namespace ngram
