// Adds counts of texts that are larger than memory: the order by order merge of merge_counts.hpp
// with sequential reads and writes only. Input: NgramCounts of one order, possibly in files, and
// the ids of each one's words in the merged vocabulary. Output: the levels of the merged counts
// from order 2 on, in files, with counts that may be 0, or below.
//
// Every shard is read once, all orders together: an n-gram comes before its extensions to the left,
// and the n-grams of every order in their own order. Under the merged ids they are sorted in runs
// that fit in memory; the runs are merged. A shard whose ids are ascending needs no sorting.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <queue>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/errors.hpp"
#include "base/progress.hpp"
#include "base/spill.hpp"
#include "counts/ngram_counts.hpp"
#include "ngrams/prefixes.hpp"

namespace ngram {

namespace merge_sorted_detail {

// Sums of fractions that cancel leave at most this part of what was added.
constexpr double kRounding = 1e-12;
constexpr std::uint32_t kNothing = 0;  // in keys, where the n-gram has no more words; words are + 1
constexpr std::size_t kBlock = 1 << 14;  // n-grams read before memory is given back

// N-grams of one shard: each its words from the last one to the first, then its weighted count.
class Records {
  public:
    Records(std::size_t order, const Spill& spill)
        : order_(order), width_(order + 2), spill_(spill) {}

    std::size_t size() const { return values_.size() / width_; }
    std::size_t bytes() const { return values_.bytes(); }
    const std::uint32_t* key(std::size_t index) const { return values_.data() + index * width_; }
    double count(std::size_t index) const {
        double count;
        std::memcpy(&count, key(index) + order_, sizeof count);
        return count;
    }
    bool less(const std::uint32_t* a, const std::uint32_t* b) const {
        return std::lexicographical_compare(a, a + order_, b, b + order_);
    }

    void add(const std::vector<std::uint32_t>& key, double count) {
        values_.append(key.data(), order_);
        std::uint32_t bits[2];
        std::memcpy(bits, &count, sizeof count);
        values_.append(bits, 2);
        const std::size_t last = size() - 1;
        sorted_ = sorted_ && (last == 0 || less(this->key(last - 1), this->key(last)));
    }
    // Moves the records to a file, in order of their keys.
    Records sort() {
        Records sorted(order_, spill_);
        if (sorted_) {
            sorted.values_ = std::move(values_);
        } else {
            sorted.values_ = ordered();
        }
        spill_.spill(sorted.values_);
        values_.resize(0);
        sorted_ = true;
        return sorted;
    }
    void rest(std::size_t begin, std::size_t end) const {
        values_.rest(begin * width_, end * width_);
    }

  private:
    Buffer<std::uint32_t> ordered() const {
        Buffer<std::uint32_t> order(size());
        for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
        std::sort(order.begin(), order.end(),
                  [&](std::uint32_t a, std::uint32_t b) { return less(key(a), key(b)); });
        SpilledArray<std::uint32_t> values(spill_, 1 << 20);
        for (const std::uint32_t i : order) {
            std::memcpy(values.extend(width_), key(i), width_ * sizeof(std::uint32_t));
        }
        return values.take();
    }

    std::size_t order_;
    std::size_t width_;
    const Spill& spill_;
    Buffer<std::uint32_t> values_;
    bool sorted_ = true;
};

// The n-grams of a shard from order 2 on, in runs of at most `limit` bytes.
class RunMaker {
  public:
    RunMaker(const NgramCounts& counts, Span<const std::uint32_t> ids, double weight,
             const Spill& spill, std::size_t limit, Progress& progress)
        : counts_(counts),
          ids_(ids),
          weight_(weight),
          limit_(limit),
          progress_(progress),
          next_(counts.order() + 1, 0),
          key_(counts.order(), kNothing),
          records_(counts.order(), spill) {}

    std::vector<Records> run() {
        for (std::uint32_t word = 0; word < ids_.size(); ++word) {
            key_[0] = ids_[word] + 1;
            visit(2, word);
        }
        finish();
        return std::move(runs_);
    }

  private:
    // The n-grams of an order with this suffix, each followed by its extensions.
    void visit(std::size_t order, std::uint32_t suffix) {
        if (order > counts_.order()) return;
        const CountLevel& level = counts_.levels[order - 1];
        std::size_t& next = next_[order];
        while (next < level.size() && level.suffix[next] == suffix) {
            key_[order - 1] = ids_[level.word[next]] + 1;
            records_.add(key_, weight_ * level.count[next]);
            if (records_.bytes() >= limit_) finish();
            const auto index = static_cast<std::uint32_t>(next++);
            if (next % kBlock == 0) {
                level.rest(next - kBlock, next);
                progress_.advance(kBlock);
            }
            visit(order + 1, index);
        }
        key_[order - 1] = kNothing;
    }
    void finish() {
        progress_.poll();
        if (records_.size() != 0) runs_.push_back(records_.sort());
    }

    const NgramCounts& counts_;
    Span<const std::uint32_t> ids_;
    double weight_;
    std::size_t limit_;
    Progress& progress_;
    std::vector<std::size_t> next_;   // by order, the next n-gram
    std::vector<std::uint32_t> key_;  // of the current one
    Records records_;
    std::vector<Records> runs_;
};

// One level that grows.
struct GrowingLevel {
    explicit GrowingLevel(const Spill& spill)
        : word(spill, kBytes), suffix(spill, kBytes), count(spill, kBytes) {}

    SpilledArray<std::uint32_t> word;
    SpilledArray<std::uint32_t> suffix;
    SpilledArray<double> count;

    void add(std::uint32_t w, std::uint32_t s, double c) {
        *word.extend(1) = w;
        *suffix.extend(1) = s;
        *count.extend(1) = c;
    }
    CountLevel take() { return {word.take(), suffix.take(), count.take()}; }

  private:
    static constexpr std::size_t kBytes = 1 << 20;  // in memory
};

// Merges runs, of which those of earlier shards come first.
class RunMerge {
  public:
    RunMerge(const std::vector<Records>& runs, std::size_t order, const Spill& spill)
        : runs_(runs), at_(runs.size(), 0), failed_(order + 1, kAbsent) {
        for (std::size_t k = 2; k <= order; ++k) levels_.emplace_back(spill);
    }

    // Writes the levels from order 2 on. Returns the order and the index of the first count below
    // 0, or not to be stored, in the lowest order that has one; or order 0.
    std::pair<std::size_t, std::size_t> run(std::vector<CountLevel>& merged, Progress& progress) {
        const auto later = [&](std::size_t a, std::size_t b) {
            const std::uint32_t* const left = runs_[a].key(at_[a]);
            const std::uint32_t* const right = runs_[b].key(at_[b]);
            if (runs_[a].less(right, left)) return true;
            return a > b && !runs_[a].less(left, right);
        };
        std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(later)> queue(later);
        for (std::size_t run = 0; run < runs_.size(); ++run) queue.push(run);
        std::vector<std::uint32_t> key(levels_.size() + 1);
        for (std::uint64_t n = 1; !queue.empty(); ++n) {
            const std::uint32_t* const first = runs_[queue.top()].key(at_[queue.top()]);
            key.assign(first, first + key.size());
            double sum = 0;
            double size = 0;
            while (!queue.empty()) {
                const std::size_t run = queue.top();
                if (runs_[run].less(key.data(), runs_[run].key(at_[run]))) break;
                const double count = runs_[run].count(at_[run]);
                sum += count;
                size += std::fabs(count);
                queue.pop();
                if (++at_[run] % kBlock == 0) runs_[run].rest(at_[run] - kBlock, at_[run]);
                if (at_[run] < runs_[run].size()) queue.push(run);
            }
            if (std::fabs(sum) <= kRounding * size) sum = 0;
            add(key, sum);
            if (n % kBlock == 0) progress.poll();
        }
        for (std::size_t k = 2; k <= levels_.size() + 1; ++k) {
            merged[k - 1] = levels_[k - 2].take();
        }
        for (std::size_t k = 2; k < failed_.size(); ++k) {
            if (failed_[k] != kAbsent) return {k, failed_[k]};
        }
        return {0, 0};
    }

  private:
    void add(const std::vector<std::uint32_t>& key, double count) {
        std::size_t k = key.size();
        while (key[k - 1] == kNothing) --k;
        GrowingLevel& level = levels_[k - 2];
        const std::size_t index = level.word.size();
        if (index + 1 >= kAbsent) {
            throw InputError("the merged counts have more than 4294967294 n-grams of order " +
                             std::to_string(k) + ": merge fewer shards");
        }
        if (!is_count(count) && failed_[k] == kAbsent) {
            failed_[k] = static_cast<std::uint32_t>(index);
        }
        const std::size_t suffix = k == 2 ? key[0] : levels_[k - 3].word.size();
        level.add(key[k - 1] - 1, static_cast<std::uint32_t>(suffix - 1), count);
    }

    const std::vector<Records>& runs_;
    std::vector<std::size_t> at_;  // per run
    std::vector<GrowingLevel> levels_;
    std::vector<std::uint32_t> failed_;  // by order, the first; or kAbsent
};

}  // namespace merge_sorted_detail

}  // namespace ngram
