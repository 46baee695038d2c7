// Maximum likelihood: relative frequencies. ngram/smoothing/maximum_likelihood.py defines it.
#pragma once

#include "smoothing/method.hpp"

namespace ngram {

class MaximumLikelihood {
  public:
    using Sum = TotalSum;

    struct Context {
        double total;
        float gamma;
    };

    explicit MaximumLikelihood(const MethodNumbers& numbers) {
        numbers.expect(0, "maximum-likelihood");
    }

    Context context(unsigned, const Sum& sum) const {
        return {sum.total, static_cast<float>(sum.pruned / sum.total)};
    }

    float alpha(unsigned, double count, const Context& context) const {
        return static_cast<float>(count / context.total);
    }
};

}  // namespace ngram
