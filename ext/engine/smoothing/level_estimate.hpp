// The estimate from counts, order by order, for any method of smoothing (method.hpp): alpha(hw) and
// gamma(h) p(w | h without its first word). Input: NgramCounts in suffix order. Output: the sorted
// n-grams with log10 probabilities and back-offs, pruned ones left out. For texts there is a faster
// way to interpolated Kneser-Ney (kneser_ney.hpp); this one takes any counts.
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
#include "smoothing/backoff_weights.hpp"
#include "smoothing/kneser_ney.hpp"
#include "smoothing/method.hpp"

namespace ngram {

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

inline Buffer<double> counts_of(const NgramCounts& counts, std::size_t order, bool adjusted) {
    if (adjusted) return adjusted_counts(counts, order);
    Buffer<double> raw;
    raw.append(counts.levels[order - 1].count.data(), counts.levels[order - 1].size());
    return raw;
}

// The contexts of one order's n-grams.
template <class Method>
struct Contexts {
    std::vector<typename Method::Context> all;
    Buffer<std::uint8_t> followed;  // by any n-gram; if by none, gamma is 1
};

template <class Method>
Contexts<Method> sum_contexts(const Method& method, unsigned order, Span<const double> count,
                              Span<const std::uint8_t> pruned, Span<const std::uint32_t> prefix,
                              std::size_t contexts, unsigned threads, Progress& progress) {
    using Sum = typename Method::Sum;
    Contexts<Method> result;
    result.all.resize(contexts);
    result.followed.resize(contexts);
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
            const bool followed = sums[i].total != 0;
            result.followed[begin + i] = followed;
            if (followed) {
                result.all[begin + i] = method.context(order, sums[i]);
            } else {
                result.all[begin + i].gamma = 1.0F;
            }
        }
        progress.advance(part_begin(prefix.size(), tasks, task + 1) -
                         part_begin(prefix.size(), tasks, task));
    });
    return result;
}

// What stands below the 1-grams.
struct Uniform {
    float share;     // of every word
    double padding;  // how many words more than there are have it

    Uniform(std::size_t kept, double vocabulary_pad) {
        const double words = static_cast<double>(kept) - 1;  // <s> is never predicted
        padding = std::max(vocabulary_pad - words, 0.0);
        share = static_cast<float>(1.0 / static_cast<float>(std::max(vocabulary_pad, words)));
    }
};

struct Unigrams {
    Buffer<float> probability;  // linear, of all words; 1 of <s>
    double everything = 0;      // what the vocabulary has, with words that only pad it
};

template <class Method>
Unigrams unigrams(const Method& method, const MethodForm& form, Span<const double> count,
                  const Kept& kept, bool highest, const EstimateOptions& options) {
    typename Method::Sum sum;
    for (std::size_t word = 0; word < count.size(); ++word) {
        if (count[word] != 0) sum.add(count[word], kept.pruned[word] != 0);
    }
    const typename Method::Context context = method.context(1, sum);
    const Uniform uniform(kept.size, options.vocabulary_pad);
    const float lower = context.gamma * uniform.share;
    Unigrams result;
    result.probability.resize(count.size());
    for (std::size_t word = 0; word < count.size(); ++word) {
        const float alpha = method.alpha(1, count[word], context);
        float probability = options.interpolate_unigrams ? alpha + lower : alpha;
        if (!form.normalised) probability = alpha > 0 ? alpha : lower;
        if (!form.uses_lower_orders && !highest) probability = uniform.share;
        result.probability[word] = probability;
    }
    if (!options.interpolate_unigrams) result.probability[estimation::kUnkWord] = context.gamma;
    result.probability[kBeginSentence] = 1.0F;
    result.everything = uniform.padding * static_cast<double>(lower);
    for (std::size_t word = 0; word < count.size(); ++word) {
        if (word == kBeginSentence || kept.pruned[word] != 0) continue;
        result.everything += static_cast<double>(result.probability[word]);
    }
    return result;
}

// Contexts that count for nothing get gamma 1. `words` are their first ones; none: the index is.
template <class Method>
void ignore_contexts(Contexts<Method>& contexts, Span<const std::uint32_t> words) {
    for (std::size_t i = 0; i < contexts.all.size(); ++i) {
        const std::size_t first = words.empty() ? i : words[i];
        if (first != kBeginSentence) contexts.all[i].gamma = 1.0F;
    }
}

// Linear probabilities of one order above the first; `lower` are those of the order below. With
// `ignores`, contexts that do not begin with <s> count for nothing.
template <class Method>
Buffer<float> probabilities(const Method& method, const MethodForm& form, unsigned order,
                            bool ignores, const CountLevel& level, Span<const double> count,
                            Span<const std::uint32_t> prefix, const Contexts<Method>& contexts,
                            Span<const float> lower, unsigned threads, Progress& progress) {
    Buffer<float> probability(level.size());
    for_parts(level.size(), threads, progress, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            if (i + kAhead < end) prefetch(&contexts.all[prefix[i + kAhead]]);
            const typename Method::Context& context = contexts.all[prefix[i]];
            float alpha = method.alpha(order, count[i], context);
            if (ignores && level.word[i] != kBeginSentence) alpha = 0.0F;
            probability[i] =
                form.interpolated ? alpha + context.gamma * lower[level.suffix[i]] : alpha;
        }
    });
    return probability;
}

// The kept values, in the same order.
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
Estimate estimate_levels(const NgramCounts& counts, const Method& method, const MethodForm& form,
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
    const bool renormalises = form.normalised && !form.interpolated;
    Unigrams first = unigrams(method, form, counts_of(counts, 1, form.uses_adjusted_counts).span(),
                              kept, counts.order() == 1, options);
    Buffer<float> probability = std::move(first.probability);
    Buffer<double> everything(1, first.everything);  // after the contexts below the current ones
    select(probability.span(), kept, levels[0].log10_prob);
    Kept words;
    words.index.append(kept.index.data(), kept.index.size());

    std::uint64_t total = 0;
    for (std::size_t k = 2; k <= counts.order(); ++k) total += 3 * counts.levels[k - 1].size();
    progress.begin("smooth", total);
    Buffer<std::uint32_t> prefix;
    for (std::size_t k = 2; k <= counts.order(); ++k) {
        const CountLevel& level = counts.levels[k - 1];
        const CountLevel& below = counts.levels[k - 2];
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
        const Buffer<double> count = counts_of(counts, k, form.uses_adjusted_counts);
        Contexts<Method> contexts =
            sum_contexts(method, order, count.span(), kept.pruned.span(), prefix.span(),
                         below.size(), options.threads, progress);
        const bool ignores = !form.uses_lower_orders && k < counts.order();
        if (ignores) ignore_contexts(contexts, below.word.span());
        Buffer<float> current =
            probabilities(method, form, order, ignores, level, count.span(), prefix.span(),
                          contexts, probability.span(), options.threads, progress);
        Buffer<float> backoff(below.size());
        for (std::size_t i = 0; i < backoff.size(); ++i) backoff[i] = contexts.all[i].gamma;
        if (renormalises) {
            const Extensions ngrams{current.span(), kept.pruned.span(), prefix.span(),
                                    level.suffix.span(), probability.span()};
            Buffer<double> of_contexts;
            backoff = backoff_weights(ngrams, backoff.span(), contexts.followed.span(),
                                      below.suffix.span(), everything.span(), of_contexts,
                                      options.threads, progress);
            everything = std::move(of_contexts);
        }
        select(backoff.span(), lower, levels[k - 2].log10_backoff);
        probability = std::move(current);
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
