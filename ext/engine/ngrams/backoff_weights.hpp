// Back-off weights: what every context leaves to the words not seen after it, recomputed from the
// probabilities so that each context sums to one. Input: levels in suffix order with the prefix of
// every n-gram (prefixes.hpp). Output: the seen mass of every context, or log10_backoff written in
// place. For whoever changes probabilities or drops n-grams: pruning, mixing, renormalising.
//
//     bow(h) = (1 - sum p(w|h)) / (1 - sum p(w|h')),  sums over the words w seen after h,
//
// where h' is h without its first word (Stolcke 1998; Katz 1987). Both sums read
// stored probabilities alone: h'w is there as the suffix of hw. So no order waits for another one.
// `<s>` is never predicted: an n-gram that ends in it adds nothing.
//
// Sums are float64 and add the n-grams of a context in suffix order, whoever adds them: any number
// of threads gives the same bits.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/exp10.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "ngrams/prefixes.hpp"
#include "ngrams/sorted_ngrams.hpp"
#include "text/vocabulary.hpp"

namespace ngram {

// Of the words seen after a context: what they have after it, and after its suffix.
struct SeenMass {
    double context = 0;  // sum of p(w|h)
    double lower = 0;    // sum of p(w|h')
};

namespace backoff_weights {

// Less than this is rounding: probabilities are stored in 24 bits.
constexpr double kLeastMass = 1e-7;

// The n-grams of order `order` that end in a word: the first one, and the one after the last.
inline std::pair<std::size_t, std::size_t> ending_in(const std::vector<NgramLevel>& levels,
                                                     std::size_t order, std::uint32_t word) {
    std::size_t begin = word;
    std::size_t end = begin + 1;
    for (std::size_t k = 2; k <= order; ++k) {
        const Buffer<std::uint32_t>& suffix = levels[k - 1].suffix;
        begin = std::lower_bound(suffix.begin(), suffix.end(), begin) - suffix.begin();
        end = std::lower_bound(suffix.begin(), suffix.end(), end) - suffix.begin();
    }
    return {begin, end};
}

// Adds the n-grams [begin, end) to those of their contexts that are in [first, last). Exponentials
// are taken in blocks, of the n-grams that count.
inline void add_range(const std::vector<NgramLevel>& levels, std::size_t order,
                      Span<const std::uint32_t> prefix, std::size_t begin, std::size_t end,
                      std::size_t first, std::size_t last, SeenMass* sums) {
    constexpr std::size_t kBlock = 256;
    std::array<std::uint32_t, kBlock> context;
    std::array<float, kBlock> log10_prob;
    std::array<float, kBlock> log10_lower;
    std::array<double, kBlock> prob;
    std::array<double, kBlock> lower;
    const NgramLevel& level = levels[order - 1];
    const float* const below = levels[order - 2].log10_prob.data();
    for (std::size_t i = begin; i < end;) {
        std::size_t size = 0;
        for (; i < end && size < kBlock; ++i) {
            context[size] = prefix[i];
            log10_prob[size] = level.log10_prob[i];
            log10_lower[size] = below[level.suffix[i]];
            size += prefix[i] >= first && prefix[i] < last;
        }
        exp10_all(log10_prob.data(), size, prob.data());
        exp10_all(log10_lower.data(), size, lower.data());
        for (std::size_t j = 0; j < size; ++j) {
            SeenMass& sum = sums[context[j]];
            sum.context += prob[j];
            sum.lower += lower[j];
        }
    }
}

}  // namespace backoff_weights

// The seen mass of every context of order - 1 words, from the n-grams of order `order` >= 2 and
// their prefixes; zeros where nothing follows.
inline Buffer<SeenMass> seen_mass(const std::vector<NgramLevel>& levels, std::size_t order,
                                  Span<const std::uint32_t> prefix, unsigned threads,
                                  Progress& progress) {
    const std::size_t contexts = levels[order - 2].size();
    const auto [bos_begin, bos_end] = backoff_weights::ending_in(levels, order, kBos);
    Buffer<SeenMass> sums(contexts);
    // Every part looks through all n-grams for its contexts: a comparison is much cheaper than the
    // exponentials, which are taken once.
    const std::size_t parts = threads <= 1 ? 1 : 2 * static_cast<std::size_t>(threads);
    parallel_for(
        parts, threads, progress, [&, from = bos_begin, to = bos_end](std::size_t part, unsigned) {
            const std::size_t first = part_begin(contexts, parts, part);
            const std::size_t last = part_begin(contexts, parts, part + 1);
            std::fill(sums.begin() + first, sums.begin() + last, SeenMass{});
            backoff_weights::add_range(levels, order, prefix, 0, from, first, last, sums.data());
            backoff_weights::add_range(levels, order, prefix, to, prefix.size(), first, last,
                                       sums.data());
        });
    return sums;
}

// The back-off of a context. Where the quotient says nothing:
// * nothing seen: 1 (and so it is by the formula);
// * the seen words carry all of the lower distribution: 1, for the words it multiplies have no
//   probability anyway (if p(w|h) sums to less than one then, no back-off can help);
// * the seen words carry everything after h, or more by rounding: 0, in log10 minus infinity.
inline double backoff_weight(const SeenMass& seen) {
    const double left = 1 - seen.context;
    const double lower_left = 1 - seen.lower;
    if (lower_left < backoff_weights::kLeastMass) return 1;
    return left <= 0 ? 0 : left / lower_left;
}

inline float log10_backoff(const SeenMass& seen) {
    const double weight = backoff_weight(seen);
    if (weight <= 0) return -std::numeric_limits<float>::infinity();
    return static_cast<float>(std::log10(weight));
}

// Writes every back-off anew, in place. `prefixes` is what all_prefixes(levels) gives.
inline void recompute_backoffs(std::vector<NgramLevel>& levels,
                               const std::vector<Buffer<std::uint32_t>>& prefixes, unsigned threads,
                               Progress& progress) {
    progress.begin("compute back-offs", levels.size());
    for (std::size_t order = 2; order <= levels.size(); ++order) {
        const Buffer<SeenMass> sums =
            seen_mass(levels, order, prefixes[order - 1].span(), threads, progress);
        float* const backoff = levels[order - 2].log10_backoff.data();
        constexpr std::size_t kPart = 1 << 16;
        parallel_for((sums.size() + kPart - 1) / kPart, threads, progress,
                     [&](std::size_t part, unsigned) {
                         const std::size_t end = std::min(sums.size(), (part + 1) * kPart);
                         for (std::size_t i = part * kPart; i < end; ++i) {
                             backoff[i] = log10_backoff(sums[i]);
                         }
                     });
        progress.advance(1);
    }
}

// A copy with every back-off computed anew. Throws InputError if a prefix is not there.
inline std::shared_ptr<SortedNgrams> renormalized(const SortedNgrams& ngrams, unsigned threads,
                                                  Progress& progress) {
    const auto copy = std::make_shared<SortedNgrams>();
    for (const NgramLevel& level : ngrams.levels) {
        NgramLevel& target = copy->levels.emplace_back();
        target.word.append(level.word.data(), level.word.size());
        target.suffix.append(level.suffix.data(), level.suffix.size());
        target.log10_prob.append(level.log10_prob.data(), level.log10_prob.size());
        target.log10_backoff.append(level.log10_backoff.data(), level.log10_backoff.size());
    }
    const std::vector<Buffer<std::uint32_t>> prefixes =
        all_prefixes(copy->levels, threads, progress);
    recompute_backoffs(copy->levels, prefixes, threads, progress);
    return copy;
}

}  // namespace ngram
