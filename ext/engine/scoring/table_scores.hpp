// The scoring kernels for a table of any structure (model/table.hpp).
#pragma once

#include <cstdint>

#include "model/table.hpp"
#include "scoring/sentences.hpp"
#include "scoring/state.hpp"

namespace ngram {

inline void score_id_tokens(const ModelTable& table, const IdSentences& sentences,
                            const ScoringOptions& options, Progress& progress, float* log10_prob,
                            std::uint8_t* length) {
    table.visit([&](const auto& structure) {
        score_id_tokens(structure, sentences, options, progress, log10_prob, length);
    });
}

inline void score_id_sums(const ModelTable& table, const IdSentences& sentences,
                          const ScoringOptions& options, Progress& progress, double* sums) {
    table.visit([&](const auto& structure) {
        score_id_sums(structure, sentences, options, progress, sums);
    });
}

inline void score_texts(const ModelTable& table, const Vocabulary& vocabulary, TokenizerKind kind,
                        Span<const std::string_view> texts, const ScoringOptions& options,
                        Progress& progress, const TextTotals& totals) {
    table.visit([&](const auto& structure) {
        score_texts(structure, vocabulary, kind, texts, options, progress, totals);
    });
}

inline WordScore advance(const ModelTable& table, const ContextState& before, std::uint32_t word,
                         ContextState& after) {
    return table.visit(
        [&](const auto& structure) { return advance(structure, before, word, after); });
}

}  // namespace ngram
