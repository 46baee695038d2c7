// Witten-Bell: a new word is as likely as there were new words. ngram/smoothing/witten_bell.py
// defines it.
#pragma once

#include "smoothing/method.hpp"

namespace ngram {

class WittenBell {
  public:
    struct Sum : TotalSum {
        double types = 0;  // distinct n-grams, pruned ones too

        void add(double count, bool is_pruned) {
            TotalSum::add(count, is_pruned);
            if (count > 0) types += 1;
        }
    };

    struct Context {
        double total;  // with the types
        float gamma;
    };

    explicit WittenBell(const MethodNumbers& numbers) { numbers.expect(0, "witten-bell"); }

    Context context(unsigned, const Sum& sum) const {
        const double total = sum.total + sum.types;
        return {total, static_cast<float>((sum.types + sum.pruned) / total)};
    }

    float alpha(unsigned, double count, const Context& context) const {
        return static_cast<float>(count / context.total);
    }
};

}  // namespace ngram
