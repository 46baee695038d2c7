// The exchange algorithm (Kneser and Ney 1993; Martin, Liermann and Ney 1998, section 2): classes
// of words that make a class bigram model of the corpus most probable. Input: word bigrams and a
// first class of every word. Output: the class of every word after some passes, and the likelihood
// after each. Next: agglomerate.hpp.
//
// With N(g, h) the number of times that a word of class h follows one of class g, N(g) the tokens
// of class g and f(x) = x log2 x, the log-likelihood is, up to a constant,
//
//     F = sum over g, h of f(N(g, h))  -  2 * sum over g of f(N(g)).
//
// One pass visits every word, the frequent ones first, and moves it to the class where F grows
// most; the lowest class among equals, and no move if none grows. The last word of a class stays.
//
// Blocks. The gains of the words of a block are computed in parallel while nothing moves. Then, one
// word after the other, its best move is made if it still raises F in the classes as they are by
// then: so F never falls. Blocks grow from one word (for the words that matter most, the algorithm
// is the published one) by the place in the order alone, so the result does not depend on threads.
//
// Speed. Most neighbours of most words occur once beside them. N lies in memory in both
// orientations, and so does f(N + 1) - f(N): such a neighbour costs one addition of two rows of
// integers, four classes at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "base/buffer.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "classes/bigrams.hpp"
#include "classes/information.hpp"

namespace ngram {
namespace classes {

// Class bigrams, and what one more occurrence of each adds to f; the last class is the edge.
class ClassBigrams {
  public:
    ClassBigrams(const Bigrams& bigrams, Span<const std::uint32_t> class_of, std::uint32_t classes,
                 const Information& f)
        : f_(f),
          size_(classes + 1),
          stride_((size_ + 7) & ~std::size_t{7}),
          total_(stride_, 0),
          rows_{Rows(size_ * stride_), Rows(size_ * stride_)} {
        for (std::size_t v = 0; v < bigrams.words(); ++v) {
            const std::uint32_t g = class_of[v];
            total_[g] += bigrams.total[v];
            for (std::uint64_t i = bigrams.after.begin[v]; i < bigrams.after.begin[v + 1]; ++i) {
                const std::uint32_t h = class_of[bigrams.after.word[i]];
                rows_[kAfter].count[h * stride_ + g] += bigrams.after.count[i];
            }
        }
        for (std::uint32_t g = 0; g < size_; ++g) {
            for (std::uint32_t h = 0; h < size_; ++h) change(g, h, 0);
        }
    }

    enum Side { kAfter, kBefore };

    std::uint32_t edge() const { return static_cast<std::uint32_t>(size_ - 1); }
    std::uint32_t total(std::uint32_t g) const { return total_[g]; }
    std::uint32_t count(std::uint32_t g, std::uint32_t h) const {
        return rows_[kAfter].count[h * stride_ + g];
    }
    // count(side, h)[g]: kAfter N(g, h), kBefore N(h, g).
    const std::uint32_t* count(Side side, std::uint32_t h) const {
        return rows_[side].count.data() + h * stride_;
    }
    const std::int32_t* step(Side side, std::uint32_t h) const {
        return rows_[side].step.data() + h * stride_;
    }

    void change(std::uint32_t g, std::uint32_t h, std::int64_t difference) {
        const auto count = static_cast<std::uint32_t>(this->count(g, h) + difference);
        const std::int32_t step = f_.step(count);
        rows_[kAfter].count[h * stride_ + g] = rows_[kBefore].count[g * stride_ + h] = count;
        rows_[kAfter].step[h * stride_ + g] = rows_[kBefore].step[g * stride_ + h] = step;
    }
    void change_total(std::uint32_t g, std::int64_t difference) {
        total_[g] = static_cast<std::uint32_t>(total_[g] + difference);
    }

    std::int64_t likelihood() const {
        std::int64_t sum = 0;
        for (std::uint32_t g = 0; g < size_; ++g) {
            for (std::uint32_t h = 0; h < size_; ++h) sum += f_(count(g, h));
            sum -= 2 * f_(total_[g]);
        }
        return sum;
    }

  private:
    struct Rows {
        explicit Rows(std::size_t cells) : count(cells, 0), step(cells, 0) {}
        Buffer<std::uint32_t> count;
        Buffer<std::int32_t> step;
    };

    const Information& f_;
    std::size_t size_;    // classes and the edge
    std::size_t stride_;  // cells from one row to the next
    Buffer<std::uint32_t> total_;
    Rows rows_[2];
};

// The neighbours of one word by their classes.
struct Surroundings {
    explicit Surroundings(std::size_t classes)
        : after(classes, 0), before(classes, 0), once(classes), score(classes) {}

    void look(const Bigrams& bigrams, Span<const std::uint32_t> class_of, std::uint32_t word) {
        clear();
        self = 0;
        collect(bigrams.after, class_of, word, after, after_classes);
        const std::uint32_t own = self;
        collect(bigrams.before, class_of, word, before, before_classes);
        self = own;  // the pair of the word with itself is one pair, seen from both sides
    }

    std::uint32_t self = 0;                    // how often the word follows itself
    Buffer<std::uint32_t> after, before;       // other words by class
    std::vector<std::uint32_t> after_classes;  // those not zero
    std::vector<std::uint32_t> before_classes;
    Buffer<std::int32_t> once;   // sums of steps
    Buffer<std::int64_t> score;  // gain of every class, once removed

  private:
    void collect(const Neighbours& neighbours, Span<const std::uint32_t> class_of,
                 std::uint32_t word, Buffer<std::uint32_t>& counts,
                 std::vector<std::uint32_t>& touched) {
        for (std::uint64_t i = neighbours.begin[word]; i < neighbours.begin[word + 1]; ++i) {
            if (neighbours.word[i] == word) {
                self = neighbours.count[i];
                continue;
            }
            const std::uint32_t g = class_of[neighbours.word[i]];
            if (counts[g] == 0) touched.push_back(g);
            counts[g] += neighbours.count[i];
        }
    }
    void clear() {
        for (const std::uint32_t g : after_classes) after[g] = 0;
        for (const std::uint32_t g : before_classes) before[g] = 0;
        after_classes.clear();
        before_classes.clear();
    }
};

class Exchange {
  public:
    // class_of: IN and OUT; below `classes`, for the edge `classes`. Words that do not occur keep
    // their class.
    Exchange(const Bigrams& bigrams, Span<std::uint32_t> class_of, std::uint32_t classes,
             unsigned threads)
        : bigrams_(bigrams),
          class_of_(class_of),
          classes_(classes),
          threads_(std::max(1U, threads)),
          f_(std::accumulate(bigrams.total.begin(), bigrams.total.end(), std::uint64_t{0})),
          counts_(bigrams, class_of, classes, f_),
          members_(classes + 1, 0),
          proposal_(kLargestBlock) {
        for (std::uint32_t word = 0; word < bigrams.words(); ++word) {
            if (bigrams.total[word] == 0 || word == kEdge) continue;
            order_.push_back(word);
            ++members_[class_of[word]];
        }
        std::stable_sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
            return bigrams.total[a] > bigrams.total[b];
        });
        for (unsigned worker = 0; worker < threads_; ++worker) scratch_.emplace_back(classes + 1);
    }

    const ClassBigrams& counts() const { return counts_; }

    // In bits, times kOneBit.
    std::int64_t likelihood() const { return counts_.likelihood(); }

    // One visit of every word; returns how many moved.
    std::uint64_t pass(Progress& progress) {
        std::uint64_t moved = 0;
        for (std::size_t begin = 0; begin < order_.size();) {
            const std::size_t size = block_size(begin);
            propose(begin, size, progress);
            for (std::size_t i = 0; i < size; ++i) moved += move(order_[begin + i], proposal_[i]);
            begin += size;
            progress.advance(size);
            progress.poll();
        }
        return moved;
    }

    std::size_t words() const { return order_.size(); }

    // The block that begins with the word at a place in the order.
    static std::size_t block(std::size_t place) {
        return std::clamp(place / kGrowth, std::size_t{1}, kLargestBlock);
    }

  private:
    static constexpr std::size_t kGrowth = 16;
    static constexpr std::size_t kLargestBlock = 4096;
    static constexpr std::size_t kParallelFrom = 64;  // words; fewer don't pay for threads
    static constexpr std::size_t kFlush = 512;        // steps that fit into 31 bits

    std::size_t block_size(std::size_t begin) const {
        return std::min(block(begin), order_.size() - begin);
    }

    void propose(std::size_t begin, std::size_t size, Progress& progress) {
        const std::size_t parts = std::min<std::size_t>(size, 64);
        if (size < kParallelFrom || threads_ == 1) {
            for (std::size_t i = 0; i < size; ++i) {
                proposal_[i] = best_class(order_[begin + i], scratch_[0]);
            }
            return;
        }
        parallel_for(parts, threads_, progress, [&](std::size_t part, unsigned worker) {
            const std::size_t last = part_begin(size, parts, part + 1);
            for (std::size_t i = part_begin(size, parts, part); i < last; ++i) {
                proposal_[i] = best_class(order_[begin + i], scratch_[worker]);
            }
        });
    }

    // The class in which the word is worth most; its own among equals, then the lowest.
    std::uint32_t best_class(std::uint32_t word, Surroundings& near) const {
        const std::uint32_t own = class_of_[word];
        if (members_[own] == 1) return own;
        near.look(bigrams_, class_of_, word);
        score_all(word, own, near);
        near.score[own] = gain_of_own(word, own, near);
        const std::int64_t* const first = near.score.begin();
        const auto best =
            static_cast<std::uint32_t>(std::max_element(first, first + classes_) - first);
        return near.score[best] > near.score[own] ? best : own;
    }

    // near.score[g] for every class g but the own: what F gains when the word, taken out of its
    // class, joins g.
    void score_all(std::uint32_t word, std::uint32_t own, Surroundings& near) const {
        score_totals(bigrams_.total[word], near);
        score_side(ClassBigrams::kAfter, own, near.after, near.after_classes, near.before, near);
        score_side(ClassBigrams::kBefore, own, near.before, near.before_classes, near.after, near);
        score_diagonal(near);
    }

    void score_totals(std::uint32_t occurrences, Surroundings& near) const {
        for (std::uint32_t g = 0; g < classes_; ++g) {
            const std::uint64_t total = counts_.total(g);
            near.score[g] = -2 * (f_(total + occurrences) - f_(total));
        }
    }

    // The pairs of the word with one side, in a row h of N at a time.
    void score_side(ClassBigrams::Side side, std::uint32_t own, const Buffer<std::uint32_t>& counts,
                    const std::vector<std::uint32_t>& touched,
                    const Buffer<std::uint32_t>& opposite, Surroundings& near) const {
        std::size_t pending = 0;
        std::fill_n(near.once.data(), classes_, 0);
        for (const std::uint32_t h : touched) {
            const std::uint32_t n = counts[h];
            const std::uint32_t* const cells = counts_.count(side, h);
            if (h == own) {  // the cells of its own class, without the word
                for (std::uint32_t g = 0; g < classes_; ++g) {
                    const std::uint32_t without = cells[g] - opposite[g];
                    near.score[g] += g == own ? 0 : f_(without + std::uint64_t{n}) - f_(without);
                }
            } else if (n == 1) {
                add_steps(counts_.step(side, h), near.once.data());
                if (++pending == kFlush) {
                    flush(near);
                    pending = 0;
                }
            } else {
                for (std::uint32_t g = 0; g < classes_; ++g) {
                    near.score[g] += f_(cells[g] + std::uint64_t{n}) - f_(cells[g]);
                }
            }
        }
        flush(near);
    }

    void add_steps(const std::int32_t* steps, std::int32_t* sums) const {
        for (std::uint32_t g = 0; g < classes_; ++g) sums[g] += steps[g];
    }
    void flush(Surroundings& near) const {
        for (std::uint32_t g = 0; g < classes_; ++g) {
            near.score[g] += near.once[g];
            near.once[g] = 0;
        }
    }

    // In N(g, g) the pairs of both sides and of the word with itself come together.
    void score_diagonal(Surroundings& near) const {
        auto correct = [&](std::uint32_t g) {
            const std::uint64_t cell = counts_.count(g, g);
            const std::uint64_t after = near.after[g], before = near.before[g];
            near.score[g] += f_(cell + after + before + near.self) - f_(cell + after) -
                             f_(cell + before) + f_(cell);
        };
        if (near.self != 0) {
            for (std::uint32_t g = 0; g < classes_; ++g) correct(g);
            return;
        }
        for (const std::uint32_t g : near.after_classes) {
            if (near.before[g] != 0) correct(g);  // else the terms cancel
        }
    }

    // What F loses when the word leaves its class, and would gain when it came back.
    std::int64_t gain_of_own(std::uint32_t word, std::uint32_t own,
                             const Surroundings& near) const {
        auto lost = [&](std::uint32_t g, std::uint32_t h, std::uint64_t n) {
            const std::uint64_t cell = counts_.count(g, h);
            return f_(cell) - f_(cell - n);
        };
        const std::uint64_t total = counts_.total(own);
        std::int64_t gain = -2 * (f_(total) - f_(total - bigrams_.total[word]));
        for (const std::uint32_t h : near.after_classes) {
            if (h != own) gain += lost(own, h, near.after[h]);
        }
        for (const std::uint32_t h : near.before_classes) {
            if (h != own) gain += lost(h, own, near.before[h]);
        }
        return gain + lost(own, own, std::uint64_t{near.after[own]} + near.before[own] + near.self);
    }

    // Moves the word if F grows; returns whether it did.
    bool move(std::uint32_t word, std::uint32_t to) {
        const std::uint32_t from = class_of_[word];
        if (to == from || members_[from] == 1) return false;
        Surroundings& near = scratch_[0];
        near.look(bigrams_, class_of_, word);
        const std::int64_t before = gain_of_own(word, from, near);
        shift(word, from, -1, near);
        shift(word, to, 1, near);
        if (gain_of_own(word, to, near) <= before) {
            shift(word, to, -1, near);
            shift(word, from, 1, near);
            return false;
        }
        class_of_[word] = to;
        --members_[from];
        ++members_[to];
        return true;
    }

    // Adds the word to the counts of a class, or takes it out.
    void shift(std::uint32_t word, std::uint32_t g, std::int64_t sign, const Surroundings& near) {
        for (const std::uint32_t h : near.after_classes) {
            counts_.change(g, h, sign * near.after[h]);
        }
        for (const std::uint32_t h : near.before_classes) {
            counts_.change(h, g, sign * near.before[h]);
        }
        counts_.change(g, g, sign * near.self);
        counts_.change_total(g, sign * bigrams_.total[word]);
    }

    const Bigrams& bigrams_;
    Span<std::uint32_t> class_of_;
    std::uint32_t classes_;
    unsigned threads_;
    Information f_;
    ClassBigrams counts_;
    Buffer<std::uint32_t> members_;        // words of every class
    std::vector<std::uint32_t> order_;     // by falling count, then by id
    std::vector<std::uint32_t> proposal_;  // of the words of a block
    std::vector<Surroundings> scratch_;    // one per worker
};

}  // namespace classes
}  // namespace ngram
