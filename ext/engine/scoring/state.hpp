// One word after the other: a state holds what scoring the next word needs to know about the words
// before it. Input: a state and a word id. Output: log10 probability, ngram_length, the new state.
// The slow, obvious form of scoring/batch.hpp, and the one for decoders, whose next word depends
// on the last score.
//
// A state keeps only the context that can still matter: the longest n-gram at its end with which a
// longer one begins, or whose back-off is not 0 (Heafield 2011, section 4.1, state minimisation).
// So equal states score every continuation equally, and a decoder may merge them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/log10.hpp"
#include "model/bucketed.hpp"
#include "model/fast.hpp"

namespace ngram {

// The n-gram of a state that reaches back to a word.
struct ContextCell {
    std::uint32_t word;
    std::uint32_t backoff_bits;
    fast::Context context;  // what a model of counts must know of it; else zeros
};

// Words, the last one first, and the n-gram that reaches back to each.
class ContextState {
  public:
    ContextState() = default;

    std::size_t length() const { return cells_.size(); }
    const ContextCell& cell(std::size_t i) const { return cells_[i]; }
    std::uint32_t word(std::size_t i) const { return cells_[i].word; }
    float log10_backoff(std::size_t i) const {
        return bucketed::bits_float(cells_[i].backoff_bits);
    }

    void reserve(std::size_t length) { cells_.reserve(length); }
    void push(const ContextCell& cell) { cells_.push_back(cell); }
    void resize(std::size_t length) { cells_.resize(length, {}); }

    bool same_words(const ContextState& other) const {
        if (length() != other.length()) return false;
        for (std::size_t i = 0; i < length(); ++i) {
            if (word(i) != other.word(i)) return false;
        }
        return true;
    }
    // FNV-1a over the words.
    std::uint64_t hash() const {
        std::uint64_t hash = 0xcbf29ce484222325U ^ length();
        for (std::size_t i = 0; i < length(); ++i) hash = (hash ^ word(i)) * 0x100000001b3U;
        return hash ^ hash >> 32;
    }

  private:
    std::vector<ContextCell> cells_;
};

struct WordScore {
    float log10_prob;
    std::uint32_t ngram_length;
};

// The probability of a word as longer n-grams are found that end in it.
template <class Structure>
class GrowingScore;

template <>
class GrowingScore<Bucketed> {
  public:
    explicit GrowingScore(const Bucketed& table) : table_(table) {}

    ContextCell unigram(std::uint32_t word) {
        const bucketed::Unigram& values = table_.unigram(word);
        prob_bits_ = values.prob_bits;
        return {word, values.backoff_bits, {0, 0}};
    }
    // The n-gram that begins with the word to which the context reaches back.
    ContextCell middle(std::size_t order, std::uint32_t slot, const ContextCell& context) {
        const bucketed::MiddleLine::Values values = table_.middle(order).values(slot);
        prob_bits_ = values.prob_bits;
        return {context.word, values.backoff_bits, {0, 0}};
    }
    void longest(std::uint32_t slot, const ContextCell&) {
        prob_bits_ = table_.longest().values(slot).prob_bits;
    }
    bool extends_left() const { return prob_bits_ >> 31 == 0; }
    float log10_prob() const { return bucketed::bits_float(prob_bits_ | bucketed::kSign); }

  private:
    const Bucketed& table_;
    std::uint32_t prob_bits_ = 0;
};

template <>
class GrowingScore<Fast> {
  public:
    explicit GrowingScore(const Fast& table) : table_(table) {}

    ContextCell unigram(std::uint32_t word) {
        const fast::Value value = table_.unigram(word);
        prob_ = value.part;
        extends_left_ = value.extends_left();
        return {word, value.backoff_bits, value.context()};
    }
    ContextCell middle(std::size_t order, std::uint32_t slot, const ContextCell& context) {
        const fast::Value value = table_.value(order, slot);
        prob_ = context.context.interpolate(value.part, prob_);
        extends_left_ = value.extends_left();
        return {context.word, value.backoff_bits, value.context()};
    }
    void longest(std::uint32_t slot, const ContextCell& context) {
        prob_ = context.context.interpolate(table_.part(slot), prob_);
    }
    bool extends_left() const { return extends_left_; }
    float log10_prob() const { return fast::log10_prob(prob_); }

  private:
    const Fast& table_;
    float prob_ = 0;
    bool extends_left_ = false;
};

// Scores `word`, below the vocabulary size, after `before`; `after` becomes the new state.
template <class Structure>
WordScore advance(const Structure& table, const ContextState& before, std::uint32_t word,
                  ContextState& after) {
    using bucketed::kSign;
    const std::size_t order = table.order();
    GrowingScore<Structure> score(table);
    const ContextCell unigram = score.unigram(word);
    std::uint32_t length = 1;
    std::size_t kept = 0;  // words that can matter to what follows
    after.resize(0);
    if (order > 1) {
        after.reserve(std::min(order - 1, before.length() + 1));
        after.push(unigram);
        kept = unigram.backoff_bits != kSign;
    }
    std::uint64_t slot = word;
    while (length <= before.length() && length < order && score.extends_left()) {
        const ContextCell& context = before.cell(length - 1);
        if (length + 1 == order) {
            const std::uint32_t found = table.longest().find(slot, context.word);
            if (found == Structure::Longest::kNone) break;
            score.longest(found, context);
            ++length;
            break;
        }
        const std::uint32_t found = table.middle(length + 1).find(slot, context.word);
        if (found == Structure::Middle::kNone) break;
        const ContextCell cell = score.middle(length + 1, found, context);
        after.push(cell);
        slot = found;
        ++length;
        if (cell.backoff_bits != kSign) kept = length;
    }
    after.resize(kept);
    float log10_prob = score.log10_prob();
    for (std::size_t i = length - 1; i < before.length(); ++i) {
        log10_prob += before.log10_backoff(i);
    }
    return {log10_prob, length};
}

}  // namespace ngram
