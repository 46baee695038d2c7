// The n-grams of every order with what makes their probabilities in interpolated Kneser-Ney: the
// estimator's counts, before any interpolation. Suffix order, as in sorted_ngrams.hpp. There are
// few different values, because counts are small, so each order has a dictionary of them.
//
//     p(w | h) = part(hw) / total(h) + gamma(h) * p(w | h without its first word)     in float32
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/buffer.hpp"
#include "base/errors.hpp"
#include "base/log10.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "ngrams/prefixes.hpp"
#include "ngrams/sorted_ngrams.hpp"

namespace ngram {

// Of an n-gram, and of it as a context; at the highest order it is none.
struct CountedValue {
    float part;   // adjusted count less its discount; at order 1 the probability
    float total;  // of the adjusted counts that follow; 0 if no longer n-gram begins with it
    float gamma;  // mass that is left for the lower order; 1 if total is 0
    std::uint32_t extends_left;  // 1 if a longer n-gram ends in it
};

struct CountedLevel {
    Buffer<std::uint32_t> word;    // leftmost word; empty at order 1
    Buffer<std::uint32_t> suffix;  // index of the n-gram without it, one order below
    Buffer<std::uint32_t> value;   // index in `values`; at order 1 the word
    Buffer<CountedValue> values;   // from order 2 on the most frequent first

    std::size_t size() const { return value.size(); }
    // These n-grams are not needed soon (Buffer::rest).
    void rest(std::size_t begin, std::size_t end) const {
        if (!word.empty()) word.rest(begin, end), suffix.rest(begin, end);
        value.rest(begin, end);
    }
};

struct CountedNgrams {
    std::vector<CountedLevel> levels;  // levels[k - 1] is order k

    std::size_t order() const { return levels.size(); }
};

namespace counted_ngrams {

constexpr std::size_t kPart = 1 << 16;

template <class Body>
void for_parts(std::size_t size, unsigned threads, Progress& progress, Body body) {
    parallel_for((size + kPart - 1) / kPart, threads, progress, [&](std::size_t task, unsigned) {
        body(task * kPart, std::min(size, (task + 1) * kPart));
    });
}

// log10 of probabilities; rounding may carry them past 1, their logarithm is 0 all the same.
inline void to_log10(const Buffer<float>& linear, Buffer<float>& log10_prob, unsigned threads,
                     Progress& progress) {
    log10_prob.resize(linear.size());
    for_parts(linear.size(), threads, progress, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) log10_prob[i] = std::min(linear[i], 1.0F);
        log10_in_place(log10_prob.data() + begin, end - begin);
    });
}

inline void set_backoffs(const CountedLevel& level, Buffer<float>& log10_backoff, unsigned threads,
                         Progress& progress) {
    Buffer<float> backoffs(level.values.size());
    for (std::size_t v = 0; v < backoffs.size(); ++v) backoffs[v] = level.values[v].gamma;
    log10_in_place(backoffs.data(), backoffs.size());
    log10_backoff.resize(level.size());
    for_parts(level.size(), threads, progress, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) log10_backoff[i] = backoffs[level.value[i]];
    });
}

}  // namespace counted_ngrams

// The same n-grams with log10 probabilities and back-offs, bit for bit those that the estimator
// computes. The bits do not depend on `threads`.
inline std::shared_ptr<SortedNgrams> interpolate(const CountedNgrams& ngrams, unsigned threads,
                                                 Progress& progress) {
    auto made = std::make_shared<SortedNgrams>();
    made->levels.resize(ngrams.order());
    Buffer<float> lower;                 // linear, of the order below
    Buffer<std::uint32_t> lower_prefix;  // of order 3 and above
    for (std::size_t k = 1; k <= ngrams.order(); ++k) {
        const CountedLevel& level = ngrams.levels[k - 1];
        NgramLevel& out = made->levels[k - 1];
        Buffer<float> linear(level.size());
        Buffer<std::uint32_t> prefix;
        if (k > 2) {
            const Span<const std::uint32_t> below =
                k == 3 ? ngrams.levels[1].word.span() : lower_prefix.span();
            prefix = prefix_indices(ngrams.levels, k, below, threads, progress);
            if (std::find(prefix.begin(), prefix.end(), kAbsent) != prefix.end()) {
                throw ModelFileError("the model's n-gram table is damaged: a context of order " +
                                     std::to_string(k - 1) +
                                     " is missing. Save or download the model again");
            }
        }
        const std::uint32_t* const contexts = k == 2 ? level.word.data() : prefix.data();
        counted_ngrams::for_parts(
            level.size(), threads, progress, [&](std::size_t begin, std::size_t end) {
                for (std::size_t i = begin; i < end; ++i) {
                    const float part = level.values[level.value[i]].part;
                    if (k == 1) {
                        linear[i] = part;
                        continue;
                    }
                    const CountedLevel& below = ngrams.levels[k - 2];
                    const CountedValue& context = below.values[below.value[contexts[i]]];
                    const float alpha = part / context.total;
                    linear[i] = alpha + context.gamma * lower[level.suffix[i]];
                }
            });
        counted_ngrams::to_log10(linear, out.log10_prob, threads, progress);
        if (k < ngrams.order()) {
            counted_ngrams::set_backoffs(level, out.log10_backoff, threads, progress);
        }
        out.word.append(level.word.data(), level.word.size());
        out.suffix.append(level.suffix.data(), level.suffix.size());
        lower = std::move(linear);
        lower_prefix = std::move(prefix);
    }
    return made;
}

}  // namespace ngram
