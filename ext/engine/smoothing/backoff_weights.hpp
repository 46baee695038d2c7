// Back-off weights of methods that do not interpolate: what the lower order is multiplied by after
// a context, so that the context sums to one. Input: linear probabilities in suffix order and the
// gamma of every context. Output: one weight per context, in the same order.
//
//     bow(h) = gamma(h) / (everything(h') - sum p(w | h'))       w: the words seen after h
//
// where h' is h without its first word, and everything(h') is what the vocabulary has after it:
// one, but for the rounding of stored probabilities, which would matter where the words not seen
// after h have little. Katz (1987). The same formula on stored logarithms, for whoever
// changes or drops n-grams of a finished model, is not exact to the last bit; this one is, for any
// number of threads: sums are float64, and add the n-grams of a context in suffix order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bits.hpp"
#include "base/buffer.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"

namespace ngram {

// One order, as its contexts see it: the n-grams that extend them, and their suffixes.
struct Extensions {
    Span<const float> probability;
    Span<const std::uint8_t> pruned;
    Span<const std::uint32_t> prefix;
    Span<const std::uint32_t> suffix;
    Span<const float> lower;  // probabilities of the order below, by suffix
};

// Weights of the contexts with these gammas; `followed` tells which contexts are some. Contexts of
// one word have the suffix 0; `everything_below` is everything(h') by suffix, and `everything` is
// written.
inline Buffer<float> backoff_weights(const Extensions& ngrams, Span<const float> gamma,
                                     Span<const std::uint8_t> followed,
                                     Span<const std::uint32_t> context_suffix,
                                     Span<const double> everything_below,
                                     Buffer<double>& everything, unsigned threads,
                                     Progress& progress) {
    struct Seen {
        double context = 0;  // sum of p(w | h)
        double lower = 0;    // sum of p(w | h')
    };
    constexpr std::size_t kAhead = 16;
    const std::size_t contexts = gamma.size();
    Buffer<float> weights(contexts);
    everything.resize(contexts);
    const std::size_t tasks = std::max<std::size_t>(threads, contexts >> 22);
    parallel_for(tasks, threads, progress, [&](std::size_t task, unsigned) {
        const std::size_t begin = part_begin(contexts, tasks, task);
        const std::size_t size = part_begin(contexts, tasks, task + 1) - begin;
        std::vector<Seen> seen(size);
        for (std::size_t i = 0; i < ngrams.prefix.size(); ++i) {
            if (i + kAhead < ngrams.prefix.size()) {
                const std::size_t ahead = ngrams.prefix[i + kAhead] - begin;
                if (ahead < size) prefetch(&seen[ahead]);
            }
            const std::size_t context = ngrams.prefix[i] - begin;  // wraps if below
            if (context >= size || ngrams.pruned[i] != 0) continue;
            seen[context].context += static_cast<double>(ngrams.probability[i]);
            seen[context].lower += static_cast<double>(ngrams.lower[ngrams.suffix[i]]);
        }
        for (std::size_t i = 0; i < size; ++i) {
            const std::size_t context = begin + i;
            const std::size_t suffix = context_suffix.empty() ? 0 : context_suffix[context];
            const double lower = everything_below[suffix];
            weights[context] = 1.0F;
            everything[context] = lower;
            if (followed[context] == 0) continue;
            const double left = lower - seen[i].lower;
            weights[context] =
                left > 0 ? static_cast<float>(static_cast<double>(gamma[context]) / left) : 0.0F;
            everything[context] = seen[i].context + static_cast<double>(weights[context]) * left;
        }
    });
    return weights;
}

}  // namespace ngram
