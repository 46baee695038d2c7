// What the values of a structure mean to the batch scorer (batch.hpp): how the probability of a
// position grows as longer n-grams are found that end there. Input: what a look at a line says.
// Output: log10 probabilities of the longest n-grams, and back-offs, by position.
//
// Each structure says: what of a unigram, a middle and a longest n-gram is taken at once, while
// other lookups are under way (Take...); what is settled when all lookups of an order are done; and
// what is left to do when all orders are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/buffer.hpp"
#include "base/log10.hpp"
#include "model/bucketed.hpp"
#include "model/fast.hpp"

namespace ngram {

template <class Structure>
class BatchValues;

// The table has log10 probabilities: the last one found counts.
template <>
class BatchValues<Bucketed> {
  public:
    BatchValues(const Bucketed& table, std::size_t) : table_(table) {}

    // Takes the unigram at position i, and returns a word whose sign says that no longer n-gram
    // ends in it.
    struct TakeUnigram {
        const Bucketed& table;
        float* log10_prob;
        std::uint32_t* backoff;  // [i + 1] belongs to position i; null at order 1

        std::uint32_t operator()(std::size_t i, std::uint32_t word) const {
            const bucketed::Unigram& values = table.unigram(word);
            const std::uint32_t prob_bits = values.prob_bits;
            const std::uint32_t backoff_bits = values.backoff_bits;
            log10_prob[i] = bucketed::bits_float(prob_bits | bucketed::kSign);
            if (backoff != nullptr) backoff[i + 1] = backoff_bits;
            return prob_bits;
        }
    };
    TakeUnigram unigrams(float* log10_prob, std::uint32_t* backoff) {
        return {table_, log10_prob, backoff};
    }

    // Returns whether an n-gram was found that longer ones may end in.
    struct TakeMiddle {
        float* log10_prob;
        std::uint32_t* backoff;

        bool operator()(std::size_t i, const bucketed::Look<bucketed::MiddleLine>& look) const {
            const std::uint32_t found = 0U - static_cast<std::uint32_t>(look.found);
            take_longer(log10_prob[i], look.values.prob_bits, found);
            backoff[i + 1] = (look.values.backoff_bits & found) | (bucketed::kSign & ~found);
            return look.found & (look.values.prob_bits >> 31 == 0);
        }
    };
    TakeMiddle middle(std::size_t, float* log10_prob, std::uint32_t* backoff) {
        return {log10_prob, backoff};
    }
    std::size_t settle(std::size_t, std::uint32_t*, std::size_t found, float*, std::uint32_t*) {
        return found;
    }

    struct TakeLongest {
        float* log10_prob;

        void operator()(std::size_t i, const bucketed::Look<bucketed::LongestLine>& look) const {
            const std::uint32_t found = 0U - static_cast<std::uint32_t>(look.found);
            take_longer(log10_prob[i], look.values.prob_bits, found);
        }
    };
    TakeLongest longest(float* log10_prob) { return {log10_prob}; }
    void settle_longest(const std::uint32_t*, std::size_t, float*) {}

    void finish(float*, std::size_t) {}
    void carry(std::size_t) {}

  private:
    static void take_longer(float& log10_prob, std::uint32_t bits, std::uint32_t found) {
        const std::uint32_t old = bucketed::float_bits(log10_prob);
        log10_prob = bucketed::bits_float((bits & found) | (old & ~found) | bucketed::kSign);
    }

    const Bucketed& table_;
};

// The table has counts: the probability of each order is made of that of the order below, linear,
// and all logarithms are taken together at the end.
template <>
class BatchValues<Fast> {
  public:
    BatchValues(const Fast& table, std::size_t capacity)
        : table_(table), width_(capacity + 1), ids_(capacity), contexts_(table.order() * width_) {
        std::fill(contexts_.begin(), contexts_.end(), fast::Context{0, 0});
    }

    struct TakeUnigram {
        const Fast& table;
        float* prob;
        std::uint32_t* backoff;
        fast::Context* contexts;

        std::uint32_t operator()(std::size_t i, std::uint32_t word) const {
            const fast::Value value = table.unigram(word);
            prob[i] = value.part;
            if (backoff != nullptr) {
                backoff[i + 1] = value.backoff_bits;
                contexts[i + 1] = value.context();
            }
            return value.total_bits;
        }
    };
    TakeUnigram unigrams(float* prob, std::uint32_t* backoff) {
        return {table_, prob, backoff, table_.order() > 1 ? contexts(1) : nullptr};
    }

    struct TakeMiddle {
        const fast::Value* values;
        std::uint32_t last;
        std::uint32_t* ids;

        bool operator()(std::size_t i, const bucketed::Look<fast::MiddleLine>& look) const {
            const std::uint32_t id = std::min(look.values.value, last);
            prefetch(values + id);
            ids[i] = id;
            return look.found;
        }
    };
    TakeMiddle middle(std::size_t k, float*, std::uint32_t*) {
        const Span<const fast::Value> values = table_.values(k);
        return {values.data(), static_cast<std::uint32_t>(values.size() - 1), ids_.data()};
    }
    std::size_t settle(std::size_t k, std::uint32_t* positions, std::size_t found, float* prob,
                       std::uint32_t* backoff) {
        const fast::Value* const values = table_.values(k).data();
        const std::uint32_t* const ids = ids_.data();
        const fast::Context* const below = contexts(k - 1);
        fast::Context* const own = contexts(k);
        std::size_t extendable = 0;
        for (std::size_t j = 0; j < found; ++j) {
            const std::uint32_t i = positions[j];
            const fast::Value value = values[ids[i]];
            prob[i] = below[i].interpolate(value.part, prob[i]);
            backoff[i + 1] = value.backoff_bits;
            own[i + 1] = value.context();
            positions[extendable] = i;
            extendable += value.extends_left();
        }
        return extendable;
    }

    struct TakeLongest {
        const float* parts;
        std::uint32_t last;
        std::uint32_t* ids;

        void operator()(std::size_t i, const bucketed::Look<fast::LongestLine>& look) const {
            ids[i] = std::min(look.values.value, last);
        }
    };
    TakeLongest longest(float*) {
        const Span<const float> parts = table_.parts();
        return {parts.data(), static_cast<std::uint32_t>(parts.size() - 1), ids_.data()};
    }
    void settle_longest(const std::uint32_t* positions, std::size_t found, float* prob) {
        const float* const parts = table_.parts().data();
        const fast::Context* const below = contexts(table_.order() - 1);
        for (std::size_t j = 0; j < found; ++j) {
            const std::uint32_t i = positions[j];
            prob[i] = below[i].interpolate(parts[ids_[i]], prob[i]);
        }
    }

    void finish(float* prob, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) prob[i] = std::min(prob[i], 1.0F);
        log10_in_place(prob, count);
        for (std::size_t i = 0; i < count; ++i) {
            prob[i] = bucketed::bits_float(bucketed::float_bits(prob[i]) | bucketed::kSign);
        }
    }

    void carry(std::size_t count) {
        for (std::size_t k = 1; k < table_.order(); ++k) contexts(k)[0] = contexts(k)[count];
    }

  private:
    // Of n-grams of length k, as contexts: [i + 1] of the one that ends at position i.
    fast::Context* contexts(std::size_t k) { return contexts_.data() + k * width_; }

    const Fast& table_;
    std::size_t width_;
    Buffer<std::uint32_t> ids_;
    Buffer<fast::Context> contexts_;
};

}  // namespace ngram
