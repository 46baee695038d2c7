// Jelinek-Mercer: relative frequencies, weighted by how often the context was seen.
// ngram/smoothing/jelinek_mercer.py defines it.
#pragma once

#include <algorithm>
#include <cmath>

#include "smoothing/method.hpp"

namespace ngram {

class JelinekMercer {
  public:
    static constexpr int kBuckets = 64;

    using Sum = TotalSum;

    struct Context {
        double total;
        double weight;
        float gamma;
    };

    explicit JelinekMercer(const MethodNumbers& numbers) : numbers_(numbers) {
        numbers.expect(kBuckets, "jelinek-mercer");
    }

    Context context(unsigned order, const Sum& sum) const {
        const int bucket = std::clamp(std::ilogb(sum.total), 0, kBuckets - 1);
        const double weight = numbers_.row(order)[bucket];
        const double gamma = 1 - weight + weight * sum.pruned / sum.total;
        return {sum.total, weight, static_cast<float>(gamma)};
    }

    float alpha(unsigned, double count, const Context& context) const {
        return static_cast<float>(context.weight * count / context.total);
    }

  private:
    MethodNumbers numbers_;
};

}  // namespace ngram
