// The list of smoothing methods: what `kernel` says in ngram/smoothing, and the policy that does
// it.
#pragma once

#include <string>

#include "base/errors.hpp"
#include "smoothing/additive.hpp"
#include "smoothing/discounting.hpp"
#include "smoothing/good_turing.hpp"
#include "smoothing/jelinek_mercer.hpp"
#include "smoothing/level_estimate.hpp"
#include "smoothing/maximum_likelihood.hpp"
#include "smoothing/method.hpp"
#include "smoothing/stupid_backoff.hpp"
#include "smoothing/witten_bell.hpp"

namespace ngram {

// Calls visit(policy) with the policy of that name.
template <class Visit>
auto with_method(const std::string& kernel, const MethodNumbers& numbers, Visit visit) {
    if (kernel == "maximum-likelihood") return visit(MaximumLikelihood(numbers));
    if (kernel == "additive") return visit(Additive(numbers));
    if (kernel == "discounting") return visit(Discounting(numbers));
    if (kernel == "witten-bell") return visit(WittenBell(numbers));
    if (kernel == "good-turing") return visit(GoodTuring(numbers));
    if (kernel == "jelinek-mercer") return visit(JelinekMercer(numbers));
    if (kernel == "stupid-backoff") return visit(StupidBackoff(numbers));
    throw InputError("there is no smoothing kernel " + kernel);
}

inline Estimate estimate_by(const std::string& kernel, const MethodNumbers& numbers,
                            const MethodForm& form, const NgramCounts& counts,
                            const CountOptions& pruning, const EstimateOptions& options,
                            Progress& progress) {
    if (numbers.values.size() != counts.order() * numbers.columns) {
        throw InputError("the smoothing method has numbers for another order than the counts");
    }
    return with_method(kernel, numbers, [&](const auto& method) {
        return estimate_levels(counts, method, form, pruning, options, progress);
    });
}

}  // namespace ngram
