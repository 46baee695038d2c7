// Tables of lines (bucketed.hpp) back to n-grams in suffix order: exactly those they were built
// from, in the same order. Line order -> suffix order, level by level. The structure `fast` has an
// enumerator of its own with the same steps: fast_enumerate.hpp.
//
// A place gives its mixed value back (the home lies at most max_displacement lines before it, so
// the remainder names one value), the mix is invertible, and the key is the suffix's slot and the
// word. The lines may come from a damaged file: what cannot be is refused, never followed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/buffer.hpp"
#include "base/errors.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "model/bucketed.hpp"
#include "ngrams/sorted_ngrams.hpp"

namespace ngram {

// The steps that are the same for every structure of lines. `Enumerator` derives from this and says
// what becomes of the values: read_unigrams(), begin_level(order, size) and
// put(order, index, values), which many threads call.
template <class Enumerator, class Structure, class Ngrams>
class LineTableEnumerator {
  public:
    static std::shared_ptr<Ngrams> enumerate(const Structure& table, unsigned threads,
                                             Progress& progress) {
        const Recycling recycling;
        Enumerator enumerator(table, threads, progress);
        enumerator.run();
        return enumerator.ngrams_;
    }

  protected:
    // An n-gram between its line and its index.
    template <class Line>
    struct Found {
        std::uint32_t suffix;
        std::uint32_t word;
        std::uint32_t slot;
        typename Line::Values values;
    };

    static constexpr std::uint32_t kEmpty = 0xffffffffU;
    static constexpr std::uint64_t kTaskLines = 1 << 14;
    static constexpr std::size_t kMaxPartitions = 2048;

    LineTableEnumerator(const Structure& table, unsigned threads, Progress& progress)
        : table_(table),
          threads_(threads),
          progress_(progress),
          ngrams_(std::make_shared<Ngrams>()) {}

    Enumerator& self() { return static_cast<Enumerator&>(*this); }

    [[noreturn]] static void refuse(std::size_t order, std::uint64_t line) {
        throw ModelFileError("the model's n-gram table is damaged: line " + std::to_string(line) +
                             " of order " + std::to_string(order) +
                             " holds no n-gram of this model. Save or download the model again");
    }

    void run() {
        const std::size_t order = table_.order();
        ngrams_->levels.resize(order);
        std::uint64_t total = 0;
        for (const bucketed::OrderStatistics& row : table_.memory_statistics()) total += row.ngrams;
        progress_.begin("n-grams", total);
        self().read_unigrams();
        progress_.advance(table_.vocabulary_size());
        for (std::size_t k = 2; k < order; ++k) read_level(k, table_.middle(k));
        if (order > 1) read_level(order, table_.longest());
    }

    template <class Line>
    void read_level(std::size_t order, const bucketed::LineTable<Line>& lines) {
        const std::size_t lower_size = ngrams_->levels[order - 2].size();
        const std::uint64_t total = lines.total_lines();
        const std::size_t tasks = static_cast<std::size_t>((total + kTaskLines - 1) / kTaskLines);
        unsigned shift = 10;
        while ((lower_size >> shift) >= kMaxPartitions) ++shift;
        const std::size_t partitions = (lower_size >> shift) + 1;

        Buffer<std::uint32_t> starts(tasks * partitions, 0);
        parallel_for(tasks, threads_, progress_, [&](std::size_t task, unsigned) {
            std::uint32_t* const counts = starts.data() + task * partitions;
            for_each_entry(order, lines, task,
                           [&](const Found<Line>& found) { ++counts[found.suffix >> shift]; });
        });
        std::vector<std::uint32_t> bounds(partitions + 1, 0);
        std::uint32_t sum = 0;
        for (std::size_t p = 0; p < partitions; ++p) {
            bounds[p] = sum;
            for (std::size_t task = 0; task < tasks; ++task) {
                const std::uint32_t count = starts[task * partitions + p];
                starts[task * partitions + p] = sum;
                sum += count;
            }
        }
        bounds[partitions] = sum;
        Buffer<Found<Line>> dealt(sum);
        parallel_for(tasks, threads_, progress_, [&](std::size_t task, unsigned) {
            std::uint32_t* const next = starts.data() + task * partitions;
            for_each_entry(order, lines, task, [&](const Found<Line>& found) {
                dealt[next[found.suffix >> shift]++] = found;
            });
        });

        auto& level = ngrams_->levels[order - 1];
        level.word.resize(sum);
        level.suffix.resize(sum);
        self().begin_level(order, sum);
        Buffer<std::uint32_t> indices;
        if (Line::kMiddle) {
            indices.resize(static_cast<std::size_t>(lines.slots()));
            std::fill(indices.begin(), indices.end(), kEmpty);
        }
        parallel_for(partitions, threads_, progress_, [&](std::size_t p, unsigned) {
            const Found<Line>* const part = dealt.data() + bounds[p];
            const std::size_t size = bounds[p + 1] - bounds[p];
            const std::vector<std::uint64_t> sorted =
                sort_part(order, part, size, static_cast<std::uint32_t>(p << shift), 1U << shift);
            for (std::size_t j = 0; j < size; ++j) {
                const Found<Line>& found = part[static_cast<std::uint32_t>(sorted[j])];
                const std::uint32_t i = bounds[p] + static_cast<std::uint32_t>(j);
                level.word[i] = found.word;
                level.suffix[i] = found.suffix;
                self().put(order, i, found.values);
                if (Line::kMiddle) indices[found.slot] = i;
            }
            progress_.advance(size);
        });
        lower_indices_ = std::move(indices);
    }

    // The n-grams of one partition in suffix order, each as word << 32 | index in `part`. Their
    // suffixes are first_suffix .. first_suffix + suffixes - 1; most have few words before them.
    template <class Line>
    static std::vector<std::uint64_t> sort_part(std::size_t order, const Found<Line>* part,
                                                std::size_t size, std::uint32_t first_suffix,
                                                std::uint32_t suffixes) {
        std::vector<std::uint32_t> ends(suffixes + 1, 0);
        for (std::size_t i = 0; i < size; ++i) ++ends[part[i].suffix - first_suffix + 1];
        for (std::uint32_t s = 0; s < suffixes; ++s) ends[s + 1] += ends[s];
        std::vector<std::uint64_t> sorted(size);
        for (std::size_t i = 0; i < size; ++i) {
            sorted[ends[part[i].suffix - first_suffix]++] =
                std::uint64_t{part[i].word} << 32 | static_cast<std::uint64_t>(i);
        }
        std::uint32_t begin = 0;
        for (std::uint32_t s = 0; s < suffixes; ++s) {
            std::sort(sorted.begin() + begin, sorted.begin() + ends[s]);
            for (std::uint32_t j = begin + 1; j < ends[s]; ++j) {
                if (sorted[j - 1] >> 32 == sorted[j] >> 32) {
                    refuse(order,
                           part[static_cast<std::uint32_t>(sorted[j])].slot / Line::kEntries);
                }
            }
            begin = ends[s];
        }
        return sorted;
    }

    // Calls use(found) for the n-grams in the lines of one task, in line order. The suffixes lie
    // anywhere, so those of some lines are fetched before they are read.
    template <class Line, class Use>
    void for_each_entry(std::size_t order, const bucketed::LineTable<Line>& lines, std::size_t task,
                        Use use) const {
        struct Place {
            std::uint64_t key;
            std::uint64_t line;
            unsigned place;
        };
        constexpr std::uint64_t kTogether = 16;
        Place places[kTogether * Line::kEntries];
        const bucketed::Hasher& hasher = lines.hasher();
        const std::uint64_t end = std::min(lines.total_lines(), (task + 1) * kTaskLines);
        for (std::uint64_t from = task * kTaskLines; from < end; from += kTogether) {
            std::size_t count = 0;
            for (std::uint64_t at = from; at < std::min(end, from + kTogether); ++at) {
                const std::uint64_t high = hasher.first_value(at + 1);
                for (unsigned place = 0; place < Line::kEntries; ++place) {
                    if (!lines.holds(at, place)) continue;
                    const std::uint64_t value = lines.value_at(at, place);
                    if (value >= high || value >> hasher.key_bits() != 0) refuse(order, at);
                    const std::uint64_t key = hasher.unmix(value);
                    const std::uint64_t slot = key >> hasher.word_bits();
                    if (slot < lower_indices_.size()) prefetch(&lower_indices_[slot]);
                    places[count++] = {key, at, place};
                }
            }
            for (std::size_t i = 0; i < count; ++i) {
                const Place& found = places[i];
                use(entry_of(order, lines, found.key, found.line, found.place));
            }
        }
    }

    template <class Line>
    Found<Line> entry_of(std::size_t order, const bucketed::LineTable<Line>& lines,
                         std::uint64_t key, std::uint64_t at, unsigned place) const {
        const unsigned word_bits = lines.hasher().word_bits();
        const std::uint64_t word = key & ((std::uint64_t{1} << word_bits) - 1);
        const std::uint64_t suffix_slot = key >> word_bits;
        const std::uint64_t slots = order == 2 ? table_.vocabulary_size() : lower_indices_.size();
        if (word >= table_.vocabulary_size() || suffix_slot >= slots) refuse(order, at);
        const std::uint32_t suffix =
            order == 2 ? static_cast<std::uint32_t>(suffix_slot) : lower_indices_[suffix_slot];
        if (order > 2 && suffix == kEmpty) refuse(order, at);
        const auto slot = static_cast<std::uint32_t>(at * Line::kEntries + place);
        return {suffix, static_cast<std::uint32_t>(word), slot, lines.values(slot)};
    }

    const Structure& table_;
    unsigned threads_;
    Progress& progress_;
    std::shared_ptr<Ngrams> ngrams_;
    Buffer<std::uint32_t> lower_indices_;  // by slot of the order below; kEmpty where nothing is
};

class BucketedEnumerator : public LineTableEnumerator<BucketedEnumerator, Bucketed, SortedNgrams> {
  private:
    using Base = LineTableEnumerator<BucketedEnumerator, Bucketed, SortedNgrams>;
    friend Base;
    using Base::Base;

    static float prob_of(std::uint32_t bits) {
        const std::uint32_t magnitude = bits & ~bucketed::kSign;
        return bucketed::bits_float(magnitude == 0 ? 0 : magnitude | bucketed::kSign);
    }
    static float backoff_of(std::uint32_t bits) {
        return bucketed::bits_float(bits == bucketed::kSign ? 0 : bits);
    }

    void read_unigrams() {
        NgramLevel& unigrams = ngrams_->levels[0];
        const std::size_t words = table_.vocabulary_size();
        const bool highest = table_.order() == 1;
        unigrams.log10_prob.resize(words);
        unigrams.log10_backoff.resize(highest ? 0 : words);
        for (std::size_t word = 0; word < words; ++word) {
            const bucketed::Unigram& values = table_.unigram(static_cast<std::uint32_t>(word));
            unigrams.log10_prob[word] = prob_of(values.prob_bits);
            if (!highest) unigrams.log10_backoff[word] = backoff_of(values.backoff_bits);
        }
    }

    void begin_level(std::size_t order, std::size_t size) {
        NgramLevel& level = ngrams_->levels[order - 1];
        level.log10_prob.resize(size);
        level.log10_backoff.resize(order < table_.order() ? size : 0);
    }

    void put(std::size_t order, std::size_t i, const bucketed::MiddleLine::Values& values) {
        NgramLevel& level = ngrams_->levels[order - 1];
        level.log10_prob[i] = prob_of(values.prob_bits);
        level.log10_backoff[i] = backoff_of(values.backoff_bits);
    }
    void put(std::size_t order, std::size_t i, const bucketed::LongestLine::Values& values) {
        ngrams_->levels[order - 1].log10_prob[i] = prob_of(values.prob_bits);
    }
};

}  // namespace ngram
