// One word after the other: a state holds what scoring the next word needs to know about the words
// before it. Input: a state and a word id. Output: log10 probability, ngram_length, the new state.
// The slow, obvious form of scoring/batch.hpp, and the one for decoders, whose next word depends
// on the last score.
//
// A state keeps only the context that can still matter: the longest n-gram at its end with which a
// longer one begins, or whose back-off is not 0 (Heafield 2011, section 4.1, state minimisation).
// So equal states score every continuation equally, and a decoder may merge them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/bucketed.hpp"

namespace ngram {

// Words, the last one first, and the back-off of the n-gram that reaches back to each.
class ContextState {
  public:
    ContextState() = default;

    std::size_t length() const { return cells_.size() / 2; }
    std::uint32_t word(std::size_t i) const { return cells_[2 * i]; }
    float log10_backoff(std::size_t i) const { return bucketed::bits_float(cells_[2 * i + 1]); }

    void reserve(std::size_t length) { cells_.reserve(2 * length); }
    void push(std::uint32_t word, std::uint32_t backoff_bits) {
        cells_.push_back(word);
        cells_.push_back(backoff_bits);
    }
    void resize(std::size_t length) { cells_.resize(2 * length); }

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
    std::vector<std::uint32_t> cells_;  // word, bits of its back-off, next word, ..
};

struct WordScore {
    float log10_prob;
    std::uint32_t ngram_length;
};

// Scores `word`, below the vocabulary size, after `before`; `after` becomes the new state.
template <class Structure>
WordScore advance(const Structure& table, const ContextState& before, std::uint32_t word,
                  ContextState& after) {
    using bucketed::kSign;
    const std::size_t order = table.order();
    const auto unigram = table.unigram(word);
    std::uint32_t prob_bits = unigram.prob_bits;
    std::uint32_t length = 1;
    std::size_t kept = 0;  // words that can matter to what follows
    after.resize(0);
    if (order > 1) {
        after.reserve(std::min(order - 1, before.length() + 1));
        after.push(word, unigram.backoff_bits);
        kept = unigram.backoff_bits != kSign;
    }
    std::uint64_t slot = word;
    // No longer n-gram ends in one whose probability has a sign.
    while (length <= before.length() && length < order && prob_bits >> 31 == 0) {
        const std::uint32_t first = before.word(length - 1);
        if (length + 1 == order) {
            const std::uint32_t found = table.longest().find(slot, first);
            if (found == Structure::Longest::kNone) break;
            prob_bits = table.longest().prob_bits(found);
            ++length;
            break;
        }
        const auto& middle = table.middle(length + 1);
        const std::uint32_t found = middle.find(slot, first);
        if (found == Structure::Middle::kNone) break;
        prob_bits = middle.prob_bits(found);
        const std::uint32_t backoff_bits = middle.backoff_bits(found);
        after.push(first, backoff_bits);
        slot = found;
        ++length;
        if (backoff_bits != kSign) kept = length;
    }
    after.resize(kept);
    float log10_prob = bucketed::bits_float(prob_bits | kSign);
    for (std::size_t i = length - 1; i < before.length(); ++i) {
        log10_prob += before.log10_backoff(i);
    }
    return {log10_prob, length};
}

}  // namespace ngram
