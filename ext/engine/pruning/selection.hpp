// Keeping the n-grams with the highest scores. Input: levels in suffix order, prefixes and closed
// scores (scores.hpp). Output: histograms of the scores, to find where to cut, and the kept n-grams
// in the same order, closed, each context that lost an n-gram with a new back-off.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "ngrams/backoff_weights.hpp"
#include "ngrams/sorted_ngrams.hpp"
#include "pruning/histories.hpp"
#include "text/vocabulary.hpp"

namespace ngram {

// What stays: scores above `score`, and of those equal to it the first `ties`, by order, then in
// suffix order. (Ties are taken from the lowest order up because a longer n-gram and what it needs
// often have one score.)
struct Cut {
    float score = 0;
    std::uint64_t ties = 0;
};

namespace selection {

constexpr unsigned kHalf = 16;
constexpr std::size_t kBins = std::size_t{1} << kHalf;

// The bits of a float that is not negative stand in the order of the values.
inline std::uint32_t score_bits(float score) {
    std::uint32_t bits;
    std::memcpy(&bits, &score, sizeof bits);
    return bits;
}

}  // namespace selection

// How many scores have each value of their upper 16 bits.
inline void upper_histogram(Span<const float> scores, std::uint64_t* bins) {
    std::fill(bins, bins + selection::kBins, 0);
    for (const float score : scores) ++bins[selection::score_bits(score) >> selection::kHalf];
}

// Of the scores with these upper 16 bits: how many have each value of the lower 16.
inline void lower_histogram(Span<const float> scores, std::uint32_t upper, std::uint64_t* bins) {
    std::fill(bins, bins + selection::kBins, 0);
    for (const float score : scores) {
        const std::uint32_t bits = selection::score_bits(score);
        if (bits >> selection::kHalf == upper) ++bins[bits & (selection::kBins - 1)];
    }
}

namespace selection {

// Which n-grams of one order stay, and where they go.
class Kept {
  public:
    // Takes from the ties of `cut` what this order uses of them.
    Kept(Span<const float> scores, Cut& cut, unsigned threads, Progress& progress)
        : scores_(scores), cut_(cut.score), parts_(pruning::part_count(scores.size())) {
        struct Count {
            std::uint32_t above;
            std::uint32_t equal;
        };
        std::vector<Count> counts(parts_);
        parallel_for(parts_, threads, progress, [&](std::size_t part, unsigned) {
            Count count{0, 0};
            for (std::size_t i = begin(part); i < begin(part + 1); ++i) {
                count.above += scores_[i] > cut_;
                count.equal += scores_[i] == cut_;
            }
            counts[part] = count;
        });
        for (const Count& count : counts) {
            const std::uint64_t equal = std::min<std::uint64_t>(count.equal, cut.ties);
            cut.ties -= equal;
            first_.push_back(size_);
            ties_.push_back(equal);
            size_ += count.above + equal;
        }
    }

    std::size_t size() const { return size_; }
    std::size_t parts() const { return parts_; }
    std::size_t part_size(std::size_t part) const { return begin(part + 1) - begin(part); }

    // Calls visit(old index, new index) for the kept n-grams of a part, and lose(old index) for
    // the others.
    template <class Visit, class Lose>
    void visit(std::size_t part, Visit visit, Lose lose) const {
        std::uint64_t next = first_[part];
        std::uint64_t ties = ties_[part];
        for (std::size_t i = begin(part); i < begin(part + 1); ++i) {
            bool kept = scores_[i] > cut_;
            if (scores_[i] == cut_ && ties > 0) {
                --ties;
                kept = true;
            }
            if (kept) {
                visit(i, next++);
            } else {
                lose(i);
            }
        }
    }

  private:
    std::size_t begin(std::size_t part) const { return pruning::part_begin(scores_.size(), part); }

    Span<const float> scores_;
    float cut_;
    std::size_t parts_;
    std::vector<std::uint64_t> first_;  // by part
    std::vector<std::uint64_t> ties_;   // by part
    std::size_t size_ = 0;
};

// The kept n-grams of one order, their prefixes, and what became of the old ones.
struct SelectedLevel {
    NgramLevel level;
    Buffer<std::uint32_t> prefix;
    Buffer<std::uint32_t> moved;                  // old index -> new index, or kAbsent
    std::vector<std::atomic<std::uint8_t>> lost;  // old contexts of which a follower is gone
};

// `moved` is that of the order below; order 1 stays as it is.
inline SelectedLevel select_level(const std::vector<NgramLevel>& levels, std::size_t k,
                                  Span<const std::uint32_t> prefix, const Kept& kept,
                                  const Buffer<std::uint32_t>& moved, unsigned threads,
                                  Progress& progress) {
    const NgramLevel& level = levels[k - 1];
    const bool highest = k == levels.size();
    SelectedLevel result{{}, {}, {}, std::vector<std::atomic<std::uint8_t>>(levels[k - 2].size())};
    NgramLevel& target = result.level;
    target.word.resize(kept.size());
    target.suffix.resize(kept.size());
    target.log10_prob.resize(kept.size());
    if (!highest) target.log10_backoff.resize(kept.size());
    result.prefix.resize(kept.size());
    result.moved.resize(level.size());
    const auto below = [&](std::uint32_t index) { return k == 2 ? index : moved[index]; };
    const auto keep = [&](std::size_t from, std::size_t to) {
        target.word[to] = level.word[from];
        target.suffix[to] = below(level.suffix[from]);
        target.log10_prob[to] = level.log10_prob[from];
        if (!highest) target.log10_backoff[to] = level.log10_backoff[from];
        result.prefix[to] = below(prefix[from]);
        result.moved[from] = static_cast<std::uint32_t>(to);
    };
    const auto lose = [&](std::size_t from) {
        result.lost[prefix[from]].store(1, std::memory_order_relaxed);
        result.moved[from] = kAbsent;
    };
    parallel_for(kept.parts(), threads, progress, [&](std::size_t part, unsigned) {
        kept.visit(part, keep, lose);
        progress.advance(kept.part_size(part));
    });
    return result;
}

}  // namespace selection

// The kept n-grams. Orders that have none left are gone, too; a context that lost nothing keeps its
// back-off to the bit.
inline std::shared_ptr<SortedNgrams> select(const std::vector<NgramLevel>& levels,
                                            const std::vector<Buffer<std::uint32_t>>& prefixes,
                                            const std::vector<Buffer<float>>& scores, Cut cut,
                                            unsigned threads, Progress& progress) {
    std::uint64_t total = 0;
    for (const NgramLevel& level : levels) total += level.size();
    progress.begin("select n-grams", total);
    auto result = std::make_shared<SortedNgrams>();
    NgramLevel& unigrams = result->levels.emplace_back();
    unigrams.log10_prob.append(levels[0].log10_prob.data(), levels[0].size());
    unigrams.log10_backoff.append(levels[0].log10_backoff.data(), levels[0].log10_backoff.size());

    Buffer<std::uint32_t> moved;  // of the order below
    for (std::size_t k = 2; k <= levels.size(); ++k) {
        const selection::Kept kept(scores[k - 1].span(), cut, threads, progress);
        if (kept.size() == 0) break;
        selection::SelectedLevel selected = selection::select_level(
            levels, k, prefixes[k - 1].span(), kept, moved, threads, progress);
        result->levels.push_back(std::move(selected.level));
        if (kept.size() < levels[k - 1].size()) {
            const Buffer<SeenMass> seen =
                seen_mass(result->levels, k, selected.prefix.span(), threads, progress);
            float* const backoff = result->levels[k - 2].log10_backoff.data();
            pruning::for_parts(
                selected.lost.size(), threads, progress, [&](std::size_t begin, std::size_t end) {
                    for (std::size_t i = begin; i < end; ++i) {
                        if (selected.lost[i].load(std::memory_order_relaxed) == 0) continue;
                        const auto to = k == 2 ? static_cast<std::uint32_t>(i) : moved[i];
                        if (to != kAbsent) backoff[to] = log10_backoff(seen[to]);
                    }
                });
        }
        moved = std::move(selected.moved);
    }
    result->levels.back().log10_backoff.clear();
    return result;
}

}  // namespace ngram
