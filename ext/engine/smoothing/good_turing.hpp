// Good-Turing discounts of small counts, for Katz smoothing: a count r keeps the part d_r of
// itself. ngram/smoothing/katz.py defines it. A fractional count is treated as the integer it
// rounds to.
#pragma once

#include <cmath>

#include "smoothing/method.hpp"

namespace ngram {

class GoodTuring {
  public:
    static constexpr unsigned kCounted = 6;  // counts are told apart up to this one

    struct Sum : TotalSum {
        double kept[kCounted] = {0, 0, 0, 0, 0, 0};  // sums of the counts that round to 1, 2, ..

        void add(double count, bool is_pruned) {
            TotalSum::add(count, is_pruned);
            if (!is_pruned) kept[place(count)] += count;
        }
    };

    struct Context {
        double total;
        float gamma;
    };

    explicit GoodTuring(const MethodNumbers& numbers) : numbers_(numbers) {
        numbers.expect(kCounted, "good-turing");
    }

    // Where nothing is taken and pruned, the total is raised by one: so much goes to other words.
    Context context(unsigned order, const Sum& sum) const {
        double taken = 0;
        for (unsigned r = 1; r < kCounted; ++r) {
            taken += (1 - numbers_.row(order)[r - 1]) * sum.kept[r - 1];
        }
        const double spare = taken + sum.pruned > 0 ? 0 : 1;
        const double total = sum.total + spare;
        return {total, static_cast<float>((taken + sum.pruned + spare) / total)};
    }

    float alpha(unsigned order, double count, const Context& context) const {
        return static_cast<float>(numbers_.row(order)[place(count)] * count / context.total);
    }

  private:
    static unsigned place(double count) {
        if (count >= kCounted) return kCounted - 1;
        const double rounded = std::floor(count + 0.5);
        return rounded < 1 ? 0 : static_cast<unsigned>(rounded) - 1;
    }

    MethodNumbers numbers_;
};

}  // namespace ngram
