// Stupid backoff: relative frequencies, and a constant for every order less.
// ngram/smoothing/stupid_backoff.py defines it.
#pragma once

#include "smoothing/method.hpp"

namespace ngram {

class StupidBackoff {
  public:
    using Sum = TotalSum;

    struct Context {
        double total;
        float gamma;
    };

    explicit StupidBackoff(const MethodNumbers& numbers) : numbers_(numbers) {
        numbers.expect(1, "stupid-backoff");
    }

    Context context(unsigned order, const Sum& sum) const {
        return {sum.total, static_cast<float>(numbers_.row(order)[0])};
    }

    float alpha(unsigned, double count, const Context& context) const {
        return static_cast<float>(count / context.total);
    }

  private:
    MethodNumbers numbers_;
};

}  // namespace ngram
