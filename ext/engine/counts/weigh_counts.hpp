// Counts of a text whose sentences have weights: the count of an n-gram is the sum of the weights
// of the sentences of its occurrences. Input: NgramCounts of the text, the ids in text order, and a
// weight per sentence. Output: the same n-grams with weighted counts. Sums run in text order, so
// they don't depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/buffer.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "counts/ngram_counts.hpp"
#include "counts/windows.hpp"
#include "ngrams/prefixes.hpp"
#include "text/vocabulary.hpp"

namespace ngram {

namespace weigh_counts_detail {

// For every position the index of the n-gram of `order` words that ends there; kAbsent if the
// sentence, with its <s>, is too short. `index` holds that of the order below, and is replaced.
inline void extend(const NgramCounts& counts, std::size_t order, Span<const std::uint32_t> ids,
                   Buffer<std::uint32_t>& index, unsigned threads, Progress& progress) {
    const CountLevel& level = counts.levels[order - 1];
    const Buffer<std::uint32_t> children =
        prefixes::first_children(level, counts.levels[order - 2].size());
    const std::size_t parts = std::max<std::size_t>(1, ids.size() >> 16);
    const std::vector<std::uint64_t> text = cut_at_sentences(ids, parts);
    parallel_for(parts, threads, progress, [&](std::size_t part, unsigned) {
        std::uint64_t begin = text[part];  // of the sentence
        for (std::uint64_t i = text[part]; i < text[part + 1]; ++i) {
            if (i - begin + 2 < order) {
                index[i] = kAbsent;
            } else {
                const std::uint32_t word =
                    i - begin + 2 == order ? kBeginSentence : ids[i - (order - 1)];
                const std::uint32_t* const words = level.word.data();
                const std::uint32_t* const end = words + children[index[i] + 1];
                const std::uint32_t* const found =
                    std::lower_bound(words + children[index[i]], end, word);
                if (found == end || *found != word) {
                    throw InputError("the counts are not those of the text");
                }
                index[i] = static_cast<std::uint32_t>(found - words);
            }
            if (ids[i] == kEndSentence) begin = i + 1;
        }
        progress.advance(text[part + 1] - text[part]);
    });
}

}  // namespace weigh_counts_detail

// weights[s] is that of the sentence that the s-th </s> closes.
inline void weigh_counts(NgramCounts& counts, Span<const std::uint32_t> ids,
                         Span<const double> weights, unsigned threads, Progress& progress) {
    progress.begin("weigh", ids.size() * counts.order());
    Buffer<std::uint32_t> index;
    index.append(ids.data(), ids.size());
    for (std::size_t k = 1; k <= counts.order(); ++k) {
        if (k > 1) weigh_counts_detail::extend(counts, k, ids, index, threads, progress);
        Buffer<double>& count = counts.levels[k - 1].count;
        std::fill(count.begin(), count.end(), 0.0);
        std::size_t sentence = 0;
        for (std::size_t i = 0; i < index.size(); ++i) {
            if (index[i] != kAbsent) count[index[i]] += weights[sentence];
            sentence += ids[i] == kEndSentence;
        }
        progress.poll();
    }
}

}  // namespace ngram
