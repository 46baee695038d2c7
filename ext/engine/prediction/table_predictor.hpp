// A predictor that keeps alive what it reads: the table and its successor lists, if there are any.
#pragma once

#include <memory>
#include <utility>

#include "model/bucketed.hpp"
#include "prediction/beam_search.hpp"
#include "prediction/ngram_reader.hpp"
#include "prediction/predictor.hpp"
#include "prediction/sampler.hpp"
#include "prediction/successors.hpp"

namespace ngram {

class TablePredictor : public Predictor<NgramReader<Bucketed>> {
  public:
    // `successors` may be null.
    TablePredictor(std::shared_ptr<Bucketed> table, std::shared_ptr<Successors> successors)
        : Predictor(NgramReader<Bucketed>(*table), successors.get()),
          table_(std::move(table)),
          successors_(std::move(successors)) {}

    std::vector<std::uint32_t> sample(Span<const std::uint32_t> context, std::size_t count,
                                      const SamplingOptions& options, std::uint64_t seed) const {
        const Predictor<NgramReader<Bucketed>>& predictor = *this;
        return Sampler(predictor, options, seed).sample(context, count);
    }

    std::vector<Continuation> continuations(Span<const std::uint32_t> context, std::size_t width,
                                            std::size_t longest) const {
        const Predictor<NgramReader<Bucketed>>& predictor = *this;
        return beam_search(predictor, context, width, longest);
    }

    static std::vector<SuccessorStorage> build_lists(const Bucketed& table, unsigned threads,
                                                     Progress& progress) {
        return build_successors(NgramReader<Bucketed>(table), threads, progress);
    }

    static std::shared_ptr<Successors> attach_lists(const Bucketed& table,
                                                    const std::vector<SuccessorArrays>& orders) {
        return std::make_shared<Successors>(
            Successors::attach(NgramReader<Bucketed>(table), orders));
    }

  private:
    std::shared_ptr<Bucketed> table_;
    std::shared_ptr<Successors> successors_;
};

}  // namespace ngram
