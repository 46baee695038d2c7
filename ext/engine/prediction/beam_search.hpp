// The most probable continuations of a context, by beam search: every hypothesis is extended by its
// best next words, and the best hypotheses go on. Input: a context, word ids. Output: continuations
// by falling probability. Exact as long as no better one falls out of the beam on its way.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "prediction/predictor.hpp"

namespace ngram {

struct Continuation {
    std::vector<std::uint32_t> words;
    double log10_prob = 0;
    bool ended = false;  // the last word is </s>
};

// More probable first; then fewer words, then smaller ids.
inline bool better(const Continuation& first, const Continuation& second) {
    if (first.log10_prob != second.log10_prob) return first.log10_prob > second.log10_prob;
    if (first.words.size() != second.words.size()) {
        return first.words.size() < second.words.size();
    }
    return first.words < second.words;
}

// At most `width` continuations, each until </s> or of `longest` words.
template <class Predictor>
std::vector<Continuation> beam_search(const Predictor& predictor, Span<const std::uint32_t> context,
                                      std::size_t width, std::size_t longest) {
    constexpr std::uint32_t kEndSentence = 2;
    const auto keep_best = [width](std::vector<Continuation>& all) {
        std::sort(all.begin(), all.end(),
                  [](const Continuation& a, const Continuation& b) { return better(a, b); });
        if (all.size() > width) all.resize(width);
    };
    std::vector<Continuation> ended;
    std::vector<Continuation> open(1);
    for (std::size_t length = 0; length < longest && !open.empty(); ++length) {
        std::vector<Continuation> longer;
        for (const Continuation& hypothesis : open) {
            std::vector<std::uint32_t> words(context.begin(), context.end());
            words.insert(words.end(), hypothesis.words.begin(), hypothesis.words.end());
            for (const Prediction& next :
                 predictor.next_words({words.data(), words.size()}, width)) {
                Continuation extended = hypothesis;
                extended.words.push_back(next.word);
                extended.log10_prob += std::log10(next.probability);
                extended.ended = next.word == kEndSentence;
                (extended.ended ? ended : longer).push_back(std::move(extended));
            }
        }
        keep_best(ended);
        keep_best(longer);
        // What is behind the worst of a full list of ended ones can only fall further.
        if (ended.size() == width) {
            const auto behind =
                std::find_if(longer.begin(), longer.end(), [&](const Continuation& hypothesis) {
                    return hypothesis.log10_prob < ended.back().log10_prob;
                });
            longer.erase(behind, longer.end());
        }
        open = std::move(longer);
    }
    for (Continuation& hypothesis : open) ended.push_back(std::move(hypothesis));
    keep_best(ended);
    return ended;
}

}  // namespace ngram
