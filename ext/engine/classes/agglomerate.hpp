// A hierarchy over classes: again and again the two classes are merged that lose the least mutual
// information (Brown et al. 1992, section 3). Input: the class bigrams. Output: the merges, first
// to last; undone from the last one on they give nested classes of every size.
//
// With f(x) = x log2 x (information.hpp) and phi(x, y) = f(x) + f(y) - f(x + y), a merge of i and j
// loses
//
//     sum over h of phi(N(i, h), N(j, h)) + phi(N(h, i), N(h, j))  -  2 phi(N(i), N(j)),
//
// where the four cells of i and j themselves become one. The sums over all other h are kept for
// every pair; a merge changes three terms of each, so the whole takes the cube of the classes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/buffer.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "classes/information.hpp"

namespace ngram {
namespace classes {

// The second class becomes part of the first, which is the lower one.
struct Merge {
    std::uint32_t into;
    std::uint32_t from;
};

class Agglomeration {
  public:
    // counts[g * (classes + 1) + h] = N(g, h); the last class, the edge, is never merged.
    Agglomeration(Span<const std::uint32_t> counts, std::uint32_t classes, unsigned threads)
        : size_(classes + 1),
          threads_(threads),
          counts_(counts.size()),
          totals_(size_, 0),
          sums_(static_cast<std::size_t>(classes) * classes),
          best_(classes),
          f_(sum(counts)) {
        for (std::size_t i = 0; i < counts.size(); ++i) counts_[i] = counts[i];
        for (std::uint32_t g = 0; g < size_; ++g) {
            for (std::uint32_t h = 0; h < size_; ++h) totals_[g] += count(g, h);
            if (g < classes) left_.push_back(g);
        }
    }

    std::vector<Merge> run(Progress& progress) {
        progress.begin("merge classes", left_.size());
        for_rows(progress, [&](std::size_t row) {
            for (std::size_t other = row + 1; other < left_.size(); ++other) {
                sum_of(left_[row], left_[other]) = all_terms(left_[row], left_[other]);
            }
        });
        std::vector<Merge> merges;
        while (left_.size() > 1) {
            merges.push_back(cheapest(progress));
            merge(merges.back(), progress);
            progress.advance(1);
        }
        return merges;
    }

  private:
    struct Loss {
        std::int64_t bits;
        std::uint32_t with;
    };

    static std::uint64_t sum(Span<const std::uint32_t> counts) {
        std::uint64_t total = 0;
        for (const std::uint32_t count : counts) total += count;
        return total;
    }

    std::uint64_t& count(std::uint32_t g, std::uint32_t h) { return counts_[g * size_ + h]; }
    std::uint64_t count(std::uint32_t g, std::uint32_t h) const { return counts_[g * size_ + h]; }
    std::int64_t& sum_of(std::uint32_t i, std::uint32_t j) { return sums_[i * (size_ - 1) + j]; }

    std::int64_t phi(std::uint64_t x, std::uint64_t y) const {
        return x == 0 || y == 0 ? 0 : f_(x) + f_(y) - f_(x + y);
    }
    // What column and row h add to the loss of merging i and j.
    std::int64_t term(std::uint32_t i, std::uint32_t j, std::uint32_t h) const {
        return phi(count(i, h), count(j, h)) + phi(count(h, i), count(h, j));
    }
    std::int64_t all_terms(std::uint32_t i, std::uint32_t j) const {
        std::int64_t sum = term(i, j, size_ - 1);
        for (const std::uint32_t h : left_) {
            if (h != i && h != j) sum += term(i, j, h);
        }
        return sum;
    }
    std::int64_t loss(std::uint32_t i, std::uint32_t j) {
        const std::uint64_t ii = count(i, i), ij = count(i, j), ji = count(j, i), jj = count(j, j);
        return sum_of(i, j) + f_(ii) + f_(ij) + f_(ji) + f_(jj) - f_(ii + ij + ji + jj) -
               2 * phi(totals_[i], totals_[j]);
    }

    template <class Body>
    void for_rows(Progress& progress, Body body) {
        constexpr std::size_t kParallelFrom = 128;  // fewer rows don't pay for threads
        const unsigned threads = left_.size() < kParallelFrom ? 1 : threads_;
        if (threads == 1) {
            for (std::size_t row = 0; row < left_.size(); ++row) body(row);
            progress.poll();
        } else {
            parallel_for(left_.size(), threads, progress,
                         [&](std::size_t row, unsigned) { body(row); });
        }
    }

    // The first pair of those that lose the least.
    Merge cheapest(Progress& progress) {
        for_rows(progress, [&](std::size_t row) {
            const std::uint32_t i = left_[row];
            best_[row] = {INT64_MAX, i};
            for (std::size_t other = row + 1; other < left_.size(); ++other) {
                const std::int64_t bits = loss(i, left_[other]);
                if (bits < best_[row].bits) best_[row] = {bits, left_[other]};
            }
        });
        std::size_t first = 0;
        for (std::size_t row = 1; row < left_.size(); ++row) {
            if (best_[row].bits < best_[first].bits) first = row;
        }
        return {left_[first], best_[first].with};
    }

    void merge(Merge pair, Progress& progress) {
        const std::uint32_t a = pair.into, b = pair.from;
        erase(b);
        // The terms of a and b go, the term of both comes.
        for_rows(progress, [&](std::size_t row) {
            const std::uint32_t k = left_[row];
            for (std::size_t other = row + 1; k != a && other < left_.size(); ++other) {
                const std::uint32_t l = left_[other];
                if (l == a) continue;
                sum_of(k, l) += phi(count(k, a) + count(k, b), count(l, a) + count(l, b)) +
                                phi(count(a, k) + count(b, k), count(a, l) + count(b, l)) -
                                term(k, l, a) - term(k, l, b);
            }
        });
        for (std::uint32_t h = 0; h < size_; ++h) count(a, h) += count(b, h);
        for (std::uint32_t h = 0; h < size_; ++h) count(h, a) += count(h, b);
        totals_[a] += totals_[b];
        for_rows(progress, [&](std::size_t row) {
            const std::uint32_t k = left_[row];
            if (k < a) sum_of(k, a) = all_terms(k, a);
            if (k > a) sum_of(a, k) = all_terms(a, k);
        });
    }

    void erase(std::uint32_t g) {
        for (auto place = left_.begin();; ++place) {
            if (*place == g) {
                left_.erase(place);
                return;
            }
        }
    }

    std::size_t size_;  // classes and the edge
    unsigned threads_;
    Buffer<std::uint64_t> counts_;
    Buffer<std::uint64_t> totals_;
    Buffer<std::int64_t> sums_;  // of the terms of h other than i and j, for i < j
    Buffer<Loss> best_;          // of the pairs that begin with a class that is left
    Information f_;
    std::vector<std::uint32_t> left_;  // classes, ascending
};

}  // namespace classes
}  // namespace ngram
