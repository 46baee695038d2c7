// Subtracting discounts from counts: absolute discounting and both forms of Kneser-Ney, which
// differ in the counts and in the discounts. ngram/smoothing/discounting.py defines it. Operations
// are float32, in the order of context_sums.hpp: of the same counts, the same bits.
//
// The discount of a count between two integers lies between theirs, linearly; a count a between j
// and j + 1 then takes part in the sums as 1 - (a - j) n-grams with count j and a - j with count
// j + 1.
#pragma once

#include <algorithm>
#include <vector>

#include "smoothing/context_sums.hpp"
#include "smoothing/method.hpp"

namespace ngram {

class Discounting {
  public:
    struct Sum : TotalSum {
        double extensions[3] = {0, 0, 0};  // kept ones with count 1, 2, 3 and more

        void add(double count, bool is_pruned) {
            TotalSum::add(count, is_pruned);
            if (is_pruned) return;
            if (count >= 3) {
                extensions[2] += 1;
                return;
            }
            const auto below = static_cast<unsigned>(count);
            const double part = count - below;
            if (below != 0) extensions[below - 1] += 1 - part;
            extensions[below] += part;
        }
    };

    struct Context {
        float total;
        float gamma;
    };

    explicit Discounting(const MethodNumbers& numbers) {
        numbers.expect(3, "discounting");
        const std::size_t orders = numbers.values.size() / 3;
        for (unsigned order = 1; order <= orders; ++order) {
            const double* row = numbers.row(order);
            Discounts& discounts = discounts_.emplace_back();
            discounts.by_count[0] = 0;
            for (unsigned a = 1; a <= 3; ++a) {
                discounts.by_count[a] = static_cast<float>(row[a - 1]);
            }
        }
    }

    // Chen and Goodman (1999), gamma of modified Kneser-Ney.
    Context context(unsigned order, const Sum& sum) const {
        float mass = 0.0F;
        for (unsigned a = 1; a <= 3; ++a) {
            mass += discounts_[order - 1].by_count[a] * static_cast<float>(sum.extensions[a - 1]);
        }
        const float total = static_cast<float>(sum.total);
        return {total, (mass + static_cast<float>(sum.pruned)) / total};
    }

    float alpha(unsigned order, double count, const Context& context) const {
        return (static_cast<float>(count) - discount(discounts_[order - 1], count)) / context.total;
    }

  private:
    static float discount(const Discounts& discounts, double count) {
        if (count >= 3) return discounts.by_count[3];
        const auto below = static_cast<unsigned>(count);
        const float low = discounts.by_count[below];
        const float part = static_cast<float>(count - below);
        if (part == 0.0F) return low;
        const float between = low + part * (discounts.by_count[below + 1] - low);
        return std::min(between, static_cast<float>(count));  // rounding takes no more than all
    }

    std::vector<Discounts> discounts_;  // [k - 1] of order k
};

}  // namespace ngram
