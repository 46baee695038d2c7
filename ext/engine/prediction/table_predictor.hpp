// A predictor that keeps alive what it reads: the table, of any structure, and its successor lists,
// if there are any.
#pragma once

#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "model/table.hpp"
#include "prediction/beam_search.hpp"
#include "prediction/ngram_reader.hpp"
#include "prediction/predictor.hpp"
#include "prediction/sampler.hpp"
#include "prediction/successors.hpp"

namespace ngram {

class TablePredictor {
    template <class Structure>
    using PredictorOf = Predictor<NgramReader<Structure>>;

    template <class Visitor>
    decltype(auto) visit(Visitor visitor) const {
        return std::visit(
            [&](const auto& predictor) -> decltype(auto) { return visitor(*predictor); },
            predictor_);
    }

  public:
    // `successors` may be null.
    TablePredictor(std::shared_ptr<ModelTable> table, std::shared_ptr<Successors> successors)
        : table_(std::move(table)), successors_(std::move(successors)) {
        table_->visit([&](const auto& structure) {
            using Structure = std::decay_t<decltype(structure)>;
            predictor_ = std::make_unique<PredictorOf<Structure>>(NgramReader<Structure>(structure),
                                                                  successors_.get());
        });
    }

    std::size_t vocabulary_size() const { return table_->vocabulary_size(); }

    void distribution(Span<const std::uint32_t> context, double* out) const {
        visit([&](const auto& predictor) { predictor.distribution(context, out); });
    }
    void probabilities(Span<const std::uint32_t> context, Span<const std::uint32_t> words,
                       double* out) const {
        visit([&](const auto& predictor) { predictor.probabilities(context, words, out); });
    }
    std::vector<Prediction> next_words(Span<const std::uint32_t> context, std::size_t count) const {
        return visit([&](const auto& predictor) { return predictor.next_words(context, count); });
    }
    std::vector<std::uint32_t> sample(Span<const std::uint32_t> context, std::size_t count,
                                      const SamplingOptions& options, std::uint64_t seed) const {
        return visit([&](const auto& predictor) {
            return Sampler(predictor, options, seed).sample(context, count);
        });
    }

    std::vector<Continuation> continuations(Span<const std::uint32_t> context, std::size_t width,
                                            std::size_t longest) const {
        return visit(
            [&](const auto& predictor) { return beam_search(predictor, context, width, longest); });
    }

    static std::vector<SuccessorStorage> build_lists(const ModelTable& table, unsigned threads,
                                                     Progress& progress) {
        return table.visit([&](const auto& structure) {
            using Structure = std::decay_t<decltype(structure)>;
            return build_successors(NgramReader<Structure>(structure), threads, progress);
        });
    }

    static std::shared_ptr<Successors> attach_lists(const ModelTable& table,
                                                    const std::vector<SuccessorArrays>& orders) {
        return table.visit([&](const auto& structure) {
            using Structure = std::decay_t<decltype(structure)>;
            return std::make_shared<Successors>(
                Successors::attach(NgramReader<Structure>(structure), orders));
        });
    }

  private:
    std::shared_ptr<ModelTable> table_;
    std::shared_ptr<Successors> successors_;
    std::variant<std::unique_ptr<PredictorOf<Bucketed>>, std::unique_ptr<PredictorOf<Fast>>>
        predictor_;
};

}  // namespace ngram
