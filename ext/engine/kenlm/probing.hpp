// The n-grams of KenLM's `probing` files, asked where they lie. Order 1 is an array by word id;
// order k a hash table whose keys are 64-bit hashes of the n-gram, combined word by word from the
// last one to the first. An n-gram is what its hash says: like KenLM, this cannot tell two n-grams
// of one hash apart, and cannot list n-grams.
//
// The sign of a probability, which is negative anyway, is free: below the highest order it is set
// if no longer n-gram ends in this one.
// Read next: kenlm/search.hpp, which asks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kenlm/file.hpp"
#include "kenlm/words.hpp"
#include "model/bucketed.hpp"

namespace ngram {
namespace kenlm {

// What a search tells of an n-gram.
struct Weights {
    float log10_prob;
    std::uint32_t backoff_bits;  // -0.0: no longer n-gram begins with it
    bool extends_left;           // whether a longer n-gram may end in it
};

// The hash of an n-gram with one more word before it; that of one word is its id.
inline std::uint64_t combine(std::uint64_t hash, std::uint32_t word) {
    return hash * 8978948897894561157U ^ (std::uint64_t{1} + word) * 17894857484156487943U;
}

class ProbingSearch {
  public:
    using Words = ProbingWords;
    // The hash of the n-gram found so far.
    using Place = std::uint64_t;

    ProbingSearch(Cursor& cursor, const Header& header) {
        const bool rest = header.kind == Kind::kRestProbing;
        weight_bytes_ = rest ? 12 : 8;
        unigrams_ = cursor.take((header.counts[0] + 1) * weight_bytes_, "the 1-grams");
        for (std::size_t k = 2; k < header.order; ++k) {
            middle_.emplace_back(cursor, header.counts[k - 1], header.multiplier, 8 + weight_bytes_,
                                 "the n-grams of a middle order");
        }
        longest_ = KeyTable(cursor, header.counts.back(), header.multiplier, 12,
                            "the n-grams of the highest order");
        words_ = static_cast<std::uint32_t>(header.counts[0] + 1);
    }

    std::size_t order() const { return middle_.size() + 2; }

    Weights unigram(std::uint32_t word, Place& place) const {
        place = word;
        return weights(unigrams_ + std::size_t{word < words_ ? word : 0} * weight_bytes_);
    }

    // Puts `word` before the n-gram at `place`, which then has length k; false if there is none.
    bool middle(std::size_t k, std::uint32_t word, Place& place, Weights& found) const {
        place = combine(place, word);
        const char* const value = middle_[k - 2].find(place);
        if (value == nullptr) return false;
        found = weights(value);
        return true;
    }

    bool longest(std::uint32_t word, Place place, float& log10_prob) const {
        const char* const value = longest_.find(combine(place, word));
        if (value == nullptr) return false;
        log10_prob = load<float>(value);
        return true;
    }

  private:
    static Weights weights(const char* at) {
        const auto prob_bits = load<std::uint32_t>(at);
        return {bucketed::bits_float(prob_bits | bucketed::kSign), load<std::uint32_t>(at + 4),
                prob_bits >> 31 == 0};
    }

    const char* unigrams_ = nullptr;
    std::size_t weight_bytes_ = 8;  // 12 with rest costs, which scoring does not need
    std::uint32_t words_ = 0;
    std::vector<KeyTable> middle_;
    KeyTable longest_;
};

}  // namespace kenlm
}  // namespace ngram
