// What a text has in common with counts: for every position of its sentences the n-gram of each
// order that ends there. Input: counts in suffix order, and a text as ids and offsets. Output: one
// index per order and position, kAbsent where the counts have no such n-gram.
//
// A sentence of n words has n + 2 positions: <s>, its words, </s>. No n-gram reaches back beyond
// <s>.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/buffer.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "counts/ngram_counts.hpp"
#include "ngrams/prefixes.hpp"
#include "text/vocabulary.hpp"

namespace ngram {

class NgramFinder {
  public:
    // `counts` lives longer than the finder.
    explicit NgramFinder(const NgramCounts& counts) : counts_(counts) {
        for (std::size_t k = 2; k <= counts.order(); ++k) {
            children_.push_back(
                prefixes::first_children(counts.levels[k - 1], counts.levels[k - 2].size()));
        }
    }

    // Writes the n-grams that end in words[end - 1], shortest first: out[(k - 1) * stride].
    void find(const std::uint32_t* words, std::size_t end, std::uint32_t* out,
              std::size_t stride) const {
        std::uint32_t at = words[end - 1];
        if (at >= counts_.vocabulary_size()) at = kAbsent;
        out[0] = at;
        for (std::size_t k = 2; k <= counts_.order(); ++k) {
            at = at == kAbsent || k > end ? kAbsent : child(k, at, words[end - k]);
            out[(k - 1) * stride] = at;
        }
    }

  private:
    std::uint32_t child(std::size_t order, std::uint32_t suffix, std::uint32_t word) const {
        const Buffer<std::uint32_t>& words = counts_.levels[order - 1].word;
        const std::uint32_t* const first = words.begin() + children_[order - 2][suffix];
        const std::uint32_t* const last = words.begin() + children_[order - 2][suffix + 1];
        const std::uint32_t* const found = std::lower_bound(first, last, word);
        if (found == last || *found != word) return kAbsent;
        return static_cast<std::uint32_t>(found - words.begin());
    }

    const NgramCounts& counts_;
    std::vector<Buffer<std::uint32_t>> children_;  // [k - 2] of order k
};

// Sentence i is ids[offsets[i] .. offsets[i + 1]]; `out` has a row for each order, of one value for
// each position.
inline void find_ngrams(const NgramCounts& counts, Span<const std::uint32_t> ids,
                        Span<const std::int64_t> offsets, std::uint32_t* out, unsigned threads,
                        Progress& progress) {
    constexpr std::size_t kPart = 1 << 10;
    const NgramFinder finder(counts);
    const std::size_t sentences = offsets.size() - 1;
    const std::size_t positions = ids.size() + 2 * sentences;
    progress.begin("find n-grams", sentences);
    parallel_for(
        (sentences + kPart - 1) / kPart, threads, progress, [&](std::size_t task, unsigned) {
            std::vector<std::uint32_t> words;
            const std::size_t end = std::min(sentences, (task + 1) * kPart);
            for (std::size_t i = task * kPart; i < end; ++i) {
                words.assign(1, kBeginSentence);
                words.insert(words.end(), ids.begin() + offsets[i], ids.begin() + offsets[i + 1]);
                words.push_back(kEndSentence);
                std::uint32_t* const row = out + static_cast<std::size_t>(offsets[i]) + 2 * i;
                for (std::size_t j = 0; j < words.size(); ++j) {
                    finder.find(words.data(), j + 1, row + j, positions);
                }
            }
            progress.advance(end - task * kPart);
        });
}

}  // namespace ngram
