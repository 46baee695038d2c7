// The estimate from counts, order by order: p(w | h) = alpha(hw) + gamma(h) p(w | h without its
// first word). Input: NgramCounts in suffix order, and a method of smoothing. Output: the sorted
// n-grams with log10 probabilities and back-offs, pruned ones left out. For texts there is a faster
// way to modified Kneser-Ney (kneser_ney.hpp); this one takes any counts, and any method that has
//
//     static constexpr bool kAdjusted;  // of adjusted counts; else of raw ones
//     struct Sum;                       // what it gathers of the n-grams that extend a context:
//         void add(double count, bool pruned);
//     struct Context;                   // what it keeps of that; `float gamma` is the back-off
//     Context context(unsigned order, const Sum&) const;         // the empty context has order 0
//     float alpha(unsigned order, double count, const Context&) const;  // of an n-gram
//
// A context is met once in an n-gram's prefix, so sums are random access; each task owns a range of
// contexts and reads the prefixes of all n-grams, in suffix order. Sums of fractions therefore
// don't depend on the number of threads or tasks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/bits.hpp"
#include "base/buffer.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "counts/count_trie.hpp"
#include "counts/ngram_counts.hpp"
#include "ngrams/prefixes.hpp"
#include "ngrams/sorted_ngrams.hpp"
#include "smoothing/context_sums.hpp"
#include "smoothing/kneser_ney.hpp"

namespace ngram {

// Modified Kneser-Ney on real counts. The discount of a count between two integers lies between
// theirs, linearly; a count a between j and j + 1 then takes part in the sums as 1 - (a - j)
// n-grams with count j and a - j with count j + 1. Of integers, exactly the arithmetic of
// context_sums.hpp.
class ModifiedKneserNey {
  public:
    static constexpr bool kAdjusted = true;

    struct Sum {
        double total = 0;
        double pruned = 0;
        double extensions[3] = {0, 0, 0};  // kept ones with adjusted count 1, 2, 3 and more

        void add(double count, bool is_pruned) {
            total += count;
            if (is_pruned) {
                pruned += count;
            } else if (count >= 3) {
                extensions[2] += 1;
            } else {
                const auto below = static_cast<unsigned>(count);
                const double part = count - below;
                if (below != 0) extensions[below - 1] += 1 - part;
                extensions[below] += part;
            }
        }
    };

    struct Context {
        float total;
        float gamma;
    };

    explicit ModifiedKneserNey(const std::vector<Discounts>& discounts) : discounts_(discounts) {}

    // Chen and Goodman (1999), gamma of modified Kneser-Ney. A context that nothing follows has 1.
    Context context(unsigned order, const Sum& sum) const {
        if (sum.total == 0) return {0.0F, 1.0F};
        float mass = 0.0F;
        for (unsigned a = 1; a <= 3; ++a) {
            mass += discounts_[order].by_count[a] * static_cast<float>(sum.extensions[a - 1]);
        }
        const float total = static_cast<float>(sum.total);
        return {total, (mass + static_cast<float>(sum.pruned)) / total};
    }

    float alpha(unsigned order, double count, const Context& context) const {
        return (static_cast<float>(count) - discount(discounts_[order - 1], count)) / context.total;
    }

  private:
    static float discount(const Discounts& discounts, double count) {
        if (count >= 3) return discounts.by_count[3];
        const auto below = static_cast<unsigned>(count);
        const float low = discounts.by_count[below];
        const float part = static_cast<float>(count - below);
        if (part == 0.0F) return low;
        const float between = low + part * (discounts.by_count[below + 1] - low);
        return std::min(between, static_cast<float>(count));  // rounding takes no more than all
    }

    const std::vector<Discounts>& discounts_;  // [k - 1] of order k
};

namespace level_estimate {

constexpr std::size_t kPart = 1 << 16;                      // n-grams of a task
constexpr std::size_t kMaxContexts = std::size_t{1} << 22;  // contexts of a task
constexpr std::size_t kAhead = 16;

// Calls work(begin, end) for parts of `size` values.
template <class Work>
void for_parts(std::size_t size, unsigned threads, Progress& progress, Work work) {
    parallel_for((size + kPart - 1) / kPart, threads, progress, [&](std::size_t part, unsigned) {
        const std::size_t end = std::min(size, (part + 1) * kPart);
        work(part * kPart, end);
        progress.advance(end - part * kPart);
    });
}

// Which n-grams are pruned, by their raw counts, and where the others stand when these are gone.
struct Kept {
    Buffer<std::uint8_t> pruned;
    Buffer<std::uint32_t> index;  // of a pruned n-gram: of the kept one after it
    std::size_t size = 0;

    void number() {
        index.resize(pruned.size());
        for (std::size_t i = 0; i < pruned.size(); ++i) {
            index[i] = static_cast<std::uint32_t>(size);
            size += pruned[i] == 0;
        }
    }
};

// <unk>, <s> and </s> stay, and so do words that a vocabulary has and the text has not.
inline Kept keep_words(const NgramCounts& counts, const CountOptions& pruning) {
    const Buffer<double>& count = counts.levels[0].count;
    Kept kept;
    kept.pruned = Buffer<std::uint8_t>(count.size(), 0);
    if (pruning.prunes()) {
        const auto threshold = static_cast<double>(pruning.threshold(1));
        for (std::uint32_t word = kEndSentence + 1; word < count.size(); ++word) {
            kept.pruned[word] =
                count[word] != 0 && (count[word] <= threshold || !pruning.is_listed(word));
        }
    }
    kept.number();
    return kept;
}

// An n-gram goes with its suffix and its prefix, so that what is left is closed.
inline Kept keep_ngrams(const CountLevel& level, std::size_t order, const CountOptions& pruning,
                        const Kept& lower, Span<const std::uint32_t> prefix) {
    Kept kept;
    kept.pruned = Buffer<std::uint8_t>(level.size(), 0);
    if (pruning.prunes()) {
        const auto threshold = static_cast<double>(pruning.threshold(order));
        for (std::size_t i = 0; i < level.size(); ++i) {
            kept.pruned[i] = level.count[i] <= threshold || lower.pruned[level.suffix[i]] != 0 ||
                             lower.pruned[prefix[i]] != 0;
            if (order == 2) kept.pruned[i] |= !pruning.is_listed(level.word[i]);
        }
    }
    kept.number();
    return kept;
}

template <class Method>
Buffer<double> counts_of(const NgramCounts& counts, std::size_t order) {
    if (Method::kAdjusted) return adjusted_counts(counts, order);
    Buffer<double> raw;
    raw.append(counts.levels[order - 1].count.data(), counts.levels[order - 1].size());
    return raw;
}

template <class Method>
std::vector<typename Method::Context> sum_contexts(
    const Method& method, unsigned order, Span<const double> count, Span<const std::uint8_t> pruned,
    Span<const std::uint32_t> prefix, std::size_t contexts, unsigned threads, Progress& progress) {
    using Sum = typename Method::Sum;
    std::vector<typename Method::Context> result(contexts);
    const std::size_t tasks =
        std::max<std::size_t>(threads, (contexts + kMaxContexts - 1) / kMaxContexts);
    parallel_for(tasks, threads, progress, [&](std::size_t task, unsigned) {
        const std::size_t begin = part_begin(contexts, tasks, task);
        const std::size_t size = part_begin(contexts, tasks, task + 1) - begin;
        std::vector<Sum> sums(size);
        for (std::size_t i = 0; i < prefix.size(); ++i) {
            if (i + kAhead < prefix.size() && prefix[i + kAhead] - begin < size) {
                prefetch(&sums[prefix[i + kAhead] - begin]);
            }
            const std::size_t context = prefix[i] - begin;  // wraps if below
            if (context < size) sums[context].add(count[i], pruned[i] != 0);
        }
        for (std::size_t i = 0; i < size; ++i) {
            result[begin + i] = method.context(order - 1, sums[i]);
        }
        progress.advance(part_begin(prefix.size(), tasks, task + 1) -
                         part_begin(prefix.size(), tasks, task));
    });
    return result;
}

// Linear probabilities of all words as unigrams. <s> has probability 1 (it is never predicted).
template <class Method>
Buffer<float> unigrams(const Method& method, Span<const double> count, const Kept& kept,
                       const EstimateOptions& options) {
    typename Method::Sum sum;
    for (std::size_t word = 0; word < count.size(); ++word) {
        if (count[word] != 0) sum.add(count[word], kept.pruned[word] != 0);
    }
    const typename Method::Context context = method.context(0, sum);
    const double words = std::max(options.vocabulary_pad, static_cast<double>(kept.size) - 1);
    const float uniform = static_cast<float>(1.0 / static_cast<float>(words));
    Buffer<float> probability(count.size());
    for (std::size_t word = 0; word < count.size(); ++word) {
        const float alpha = method.alpha(1, count[word], context);
        probability[word] = options.interpolate_unigrams ? alpha + context.gamma * uniform : alpha;
    }
    if (!options.interpolate_unigrams) probability[estimation::kUnkWord] = context.gamma;
    probability[kBeginSentence] = 1.0F;
    return probability;
}

// Linear probabilities of one order above the first; `lower` are those of the order below.
template <class Method>
Buffer<float> interpolate(const Method& method, unsigned order, const CountLevel& level,
                          Span<const double> count, Span<const std::uint32_t> prefix,
                          const std::vector<typename Method::Context>& contexts,
                          Span<const float> lower, unsigned threads, Progress& progress) {
    Buffer<float> probability(level.size());
    for_parts(level.size(), threads, progress, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            if (i + kAhead < end) prefetch(&contexts[prefix[i + kAhead]]);
            const typename Method::Context& context = contexts[prefix[i]];
            const float alpha = method.alpha(order, count[i], context);
            probability[i] = alpha + context.gamma * lower[level.suffix[i]];
        }
    });
    return probability;
}

// The kept values, in the same order, as log10; none is above 0 if they are probabilities.
inline void select(Span<const float> values, const Kept& kept, Buffer<float>& selected) {
    selected.resize(kept.size);
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (kept.pruned[i] == 0) selected[kept.index[i]] = values[i];
    }
}

// Words and suffixes of the kept n-grams, under the new ids and indices.
inline void select_keys(const CountLevel& level, const Kept& kept, const Kept& lower,
                        const Kept& words, NgramLevel& selected, unsigned threads,
                        Progress& progress) {
    selected.word.resize(kept.size);
    selected.suffix.resize(kept.size);
    for_parts(level.size(), threads, progress, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            if (kept.pruned[i] != 0) continue;
            selected.word[kept.index[i]] = words.index[level.word[i]];
            selected.suffix[kept.index[i]] = lower.index[level.suffix[i]];
        }
    });
}

}  // namespace level_estimate

// `pruning`: its thresholds (of raw counts) and listed words.
template <class Method>
Estimate estimate_levels(const NgramCounts& counts, const Method& method,
                         const CountOptions& pruning, const EstimateOptions& options,
                         Progress& progress) {
    using namespace level_estimate;
    Estimate result;
    std::vector<NgramLevel>& levels = result.ngrams.levels;
    levels.resize(counts.order());
    Kept kept = keep_words(counts, pruning);
    for (std::uint32_t word = 0; word < kept.pruned.size(); ++word) {
        if (kept.pruned[word] == 0) result.kept_words.push_back(word);
    }
    Buffer<float> probability =
        unigrams(method, counts_of<Method>(counts, 1).span(), kept, options);
    select(probability.span(), kept, levels[0].log10_prob);
    Kept words;
    words.index.append(kept.index.data(), kept.index.size());

    std::uint64_t total = 0;
    for (std::size_t k = 2; k <= counts.order(); ++k) total += 3 * counts.levels[k - 1].size();
    progress.begin("smooth", total);
    Buffer<std::uint32_t> prefix;
    for (std::size_t k = 2; k <= counts.order(); ++k) {
        const CountLevel& level = counts.levels[k - 1];
        const auto order = static_cast<unsigned>(k);
        if (k == 2) {
            prefix.append(level.word.data(), level.word.size());
        } else {
            prefix = prefix_indices(counts.levels, k, prefix.span(), options.threads, progress);
            const auto absent = std::find(prefix.begin(), prefix.end(), kAbsent);
            if (absent != prefix.end()) {
                sorted_ngrams::refuse(k, absent - prefix.begin(), "has a prefix that is absent");
            }
        }
        const Kept lower = std::move(kept);
        kept = keep_ngrams(level, k, pruning, lower, prefix.span());
        const Buffer<double> count = counts_of<Method>(counts, k);
        const std::vector<typename Method::Context> contexts =
            sum_contexts(method, order, count.span(), kept.pruned.span(), prefix.span(),
                         counts.levels[k - 2].size(), options.threads, progress);
        levels[k - 2].log10_backoff.resize(lower.size);
        for (std::size_t i = 0; i < contexts.size(); ++i) {
            if (lower.pruned[i] == 0) {
                levels[k - 2].log10_backoff[lower.index[i]] = contexts[i].gamma;
            }
        }
        probability = interpolate(method, order, level, count.span(), prefix.span(), contexts,
                                  probability.span(), options.threads, progress);
        select(probability.span(), kept, levels[k - 1].log10_prob);
        select_keys(level, kept, lower, words, levels[k - 1], options.threads, progress);
    }
    if (!options.log10) return result;
    for (NgramLevel& level : levels) {
        for_parts(level.size(), options.threads, progress, [&](std::size_t begin, std::size_t end) {
            estimation::to_log10(level, begin, end);
        });
    }
    return result;
}

}  // namespace ngram
