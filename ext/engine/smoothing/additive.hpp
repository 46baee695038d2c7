// Additive smoothing: something is added to the count of every word seen, and to the total; what is
// left of the latter goes to the words not seen. ngram/smoothing/additive.py defines it.
#pragma once

#include "smoothing/method.hpp"

namespace ngram {

class Additive {
  public:
    struct Sum : TotalSum {
        double kept = 0;  // how many n-grams are seen and not pruned

        void add(double count, bool is_pruned) {
            TotalSum::add(count, is_pruned);
            if (!is_pruned && count != 0) kept += 1;
        }
    };

    struct Context {
        double total;  // with what is added
        float gamma;
    };

    explicit Additive(const MethodNumbers& numbers) : numbers_(numbers) {
        numbers.expect(2, "additive");
    }

    Context context(unsigned order, const Sum& sum) const {
        const double unseen = mass(order) - added(order) * sum.kept;
        const double total = sum.total + mass(order);
        return {total, static_cast<float>((unseen + sum.pruned) / total)};
    }

    float alpha(unsigned order, double count, const Context& context) const {
        if (count == 0) return 0.0F;
        return static_cast<float>((count + added(order)) / context.total);
    }

  private:
    double added(unsigned order) const { return numbers_.row(order)[0]; }
    double mass(unsigned order) const { return numbers_.row(order)[1]; }

    MethodNumbers numbers_;
};

}  // namespace ngram
