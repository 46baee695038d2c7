// The structure `fast` (fast.hpp) back to the n-grams with counts that it was built from, in suffix
// order, by the steps of bucketed_enumerate.hpp. An index of a value that is not there, as in a
// damaged file, is refused.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/errors.hpp"
#include "model/bucketed_enumerate.hpp"
#include "model/fast.hpp"
#include "ngrams/counted_ngrams.hpp"

namespace ngram {

class FastEnumerator : public LineTableEnumerator<FastEnumerator, Fast, CountedNgrams> {
  private:
    using Base = LineTableEnumerator<FastEnumerator, Fast, CountedNgrams>;
    friend Base;
    using Base::Base;

    static CountedValue counted(const fast::Value& value) {
        const fast::Context context = value.context();
        return {value.part, context.total, context.gamma, value.extends_left()};
    }

    void read_unigrams() {
        CountedLevel& level = ngrams_->levels[0];
        const std::size_t words = table_.vocabulary_size();
        level.value.resize(words);
        level.values.resize(words);
        for (std::size_t i = 0; i < words; ++i) {
            const auto word = static_cast<std::uint32_t>(i);
            level.value[i] = word;
            level.values[i] = counted(table_.unigram(word));
        }
    }

    void begin_level(std::size_t order, std::size_t size) {
        CountedLevel& level = ngrams_->levels[order - 1];
        level.value.resize(size);
        if (order == table_.order()) {
            for (const float part : table_.parts()) level.values.push_back({part, 0.0F, 1.0F, 0});
            return;
        }
        for (const fast::Value& value : table_.values(order)) {
            level.values.push_back(counted(value));
        }
    }

    void put(std::size_t order, std::size_t i, const fast::Line::Values& values) {
        CountedLevel& level = ngrams_->levels[order - 1];
        if (values.value >= level.values.size()) {
            throw ModelFileError(
                "the model's n-gram table is damaged: an n-gram of order " + std::to_string(order) +
                " has the value " + std::to_string(values.value) + " of " +
                std::to_string(level.values.size()) + ". Save or download the model again");
        }
        level.value[i] = values.value;
    }
};

}  // namespace ngram
