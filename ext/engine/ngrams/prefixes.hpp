// Prefixes: for every n-gram the index of its prefix (all words but the last), one order below. The
// prefix is the context in which the n-gram predicts its last word, so these indices join n-grams
// with their contexts. Input: levels in suffix order (sorted_ngrams.hpp). Output: one index per
// n-gram, in the same order. Any level that has words and suffixes will do: of probabilities, and
// of counts (counts/ngram_counts.hpp).
//
// Each n-gram's prefix is a child of its suffix's prefix: the n-grams with one suffix are merged
// with the children of that prefix, both in order of the leftmost word.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bits.hpp"
#include "base/buffer.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "ngrams/sorted_ngrams.hpp"
#include "text/vocabulary.hpp"

namespace ngram {

namespace prefixes {

// first[p] to first[p + 1]: the n-grams of `level` that have suffix p.
template <class Level>
Buffer<std::uint32_t> first_children(const Level& level, std::size_t suffixes) {
    Buffer<std::uint32_t> first(suffixes + 1);
    std::size_t filled = 0;
    for (std::size_t i = 0; i < level.suffix.size(); ++i) {
        while (filled <= level.suffix[i]) first[filled++] = static_cast<std::uint32_t>(i);
    }
    while (filled < first.size()) first[filled++] = static_cast<std::uint32_t>(level.suffix.size());
    return first;
}

}  // namespace prefixes

// Prefixes of order `order` >= 3, of order - 1: `lower_prefix` (order 2: its words). kAbsent where
// the prefix, or the prefix of the suffix, is not there.
template <class Level>
Buffer<std::uint32_t> prefix_indices(const std::vector<Level>& levels, std::size_t order,
                                     Span<const std::uint32_t> lower_prefix, unsigned threads,
                                     Progress& progress) {
    const Level& level = levels[order - 1];
    const std::uint32_t* const words = levels[order - 2].word.data();
    const Buffer<std::uint32_t> children =
        prefixes::first_children(levels[order - 2], levels[order - 3].size());
    Buffer<std::uint32_t> prefix(level.suffix.size());
    constexpr std::size_t kPart = 1 << 16;
    constexpr std::size_t kAhead = 16;
    constexpr std::uint32_t kScan = 16;  // ranges so short are scanned, longer ones searched
    const std::size_t tasks = (prefix.size() + kPart - 1) / kPart;
    parallel_for(tasks, threads, progress, [&](std::size_t task, unsigned) {
        const std::size_t end = std::min(prefix.size(), (task + 1) * kPart);
        std::uint32_t suffix = kAbsent;
        std::uint32_t at = 0;
        std::uint32_t last = 0;
        for (std::size_t i = task * kPart; i < end; ++i) {
            if (i + 2 * kAhead < end) {
                const std::uint32_t far = lower_prefix[level.suffix[i + 2 * kAhead]];
                if (far != kAbsent) prefetch(&children[far]);
                const std::uint32_t near = lower_prefix[level.suffix[i + kAhead]];
                if (near != kAbsent) prefetch(words + children[near]);
            }
            if (level.suffix[i] != suffix) {
                suffix = level.suffix[i];
                const std::uint32_t parent = lower_prefix[suffix];
                at = parent == kAbsent ? 0 : children[parent];
                last = parent == kAbsent ? 0 : children[parent + 1];
            }
            const std::uint32_t word = level.word[i];
            if (last - at > kScan) {
                at = static_cast<std::uint32_t>(std::lower_bound(words + at, words + last, word) -
                                                words);
            } else {
                while (at != last && words[at] < word) ++at;
            }
            prefix[i] = at != last && words[at] == word ? at : kAbsent;
        }
    });
    return prefix;
}

// Prefixes of every order; [0] is empty and [1] a copy of the words. Throws InputError if one is
// not there.
template <class Level>
std::vector<Buffer<std::uint32_t>> all_prefixes(const std::vector<Level>& levels, unsigned threads,
                                                Progress& progress) {
    std::vector<Buffer<std::uint32_t>> all(levels.size());
    for (std::size_t k = 2; k <= levels.size(); ++k) {
        if (k == 2) {
            all[1].append(levels[1].word.data(), levels[1].word.size());
        } else {
            all[k - 1] = prefix_indices(levels, k, all[k - 2].span(), threads, progress);
            const auto absent = std::find(all[k - 1].begin(), all[k - 1].end(), kAbsent);
            if (absent != all[k - 1].end()) {
                sorted_ngrams::refuse(k, absent - all[k - 1].begin(),
                                      "has a prefix that is absent");
            }
        }
    }
    return all;
}

}  // namespace ngram
