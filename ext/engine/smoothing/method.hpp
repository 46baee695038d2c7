// What a method of smoothing is for the kernel that smooths level by level (level_estimate.hpp):
// a form, and a policy that says alpha and gamma (ngram/smoothing/contract.py defines both). A
// policy is a type with
//
//     struct Sum;      // what it gathers of the n-grams that extend a context:
//         void add(double count, bool is_pruned);
//         double total;
//     struct Context;  // what it keeps of that; `float gamma` among it
//     Context context(unsigned order, const Sum&) const;  // of n-grams of this order; total > 0
//     float alpha(unsigned order, double count, const Context&) const;
//     explicit Policy(const MethodNumbers&);
//
// alpha of the count 0 is 0. Values are float64 and rounded once, unless the policy says otherwise,
// in the order of operations of the Python definition. Every policy is a row in methods.hpp.
#pragma once

#include <cstddef>
#include <string>

#include "base/buffer.hpp"
#include "base/errors.hpp"

namespace ngram {

struct MethodForm {
    bool uses_adjusted_counts = true;
    bool interpolated = true;
    bool normalised = true;  // without interpolation: back-off weights make contexts sum to one
    bool uses_lower_orders = true;
};

// The numbers of a method: a row for each order, of `columns` values.
struct MethodNumbers {
    Span<const double> values;
    std::size_t columns = 0;

    const double* row(unsigned order) const { return values.data() + (order - 1) * columns; }
    void expect(std::size_t expected, const char* method) const {
        if (columns != expected) {
            throw InputError(std::string("the smoothing method ") + method + " takes " +
                             std::to_string(expected) + " numbers for each order, not " +
                             std::to_string(columns));
        }
    }
};

// What most policies gather.
struct TotalSum {
    double total = 0;
    double pruned = 0;

    void add(double count, bool is_pruned) {
        total += count;
        if (is_pruned) pruned += count;
    }
};

}  // namespace ngram
