// The order and the hash of contexts, as KenLM has them: of the word ids alone, the last word
// first, as little-endian bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kenlm/words.hpp"
#include "scoring/state.hpp"

namespace ngram {
namespace kenlm {

// Below, at or above 0: by length, then byte by byte.
inline int compare_words(const ContextState& a, const ContextState& b) {
    if (a.length() != b.length()) return a.length() < b.length() ? -1 : 1;
    for (std::size_t i = 0; i < a.length(); ++i) {
        for (std::uint32_t x = a.word(i), y = b.word(i); x != y; x >>= 8, y >>= 8) {
            if ((x & 255) != (y & 255)) return (x & 255) < (y & 255) ? -1 : 1;
        }
    }
    return 0;
}

inline std::size_t hash_words(const ContextState& state) {
    std::array<char, 4 * 16> few;
    std::vector<char> many;
    char* bytes = few.data();
    if (state.length() > 16) {
        many.resize(4 * state.length());
        bytes = many.data();
    }
    for (std::size_t i = 0; i < state.length(); ++i) {
        const std::uint32_t word = state.word(i);
        std::memcpy(bytes + 4 * i, &word, 4);
    }
    return static_cast<std::size_t>(murmur_hash(bytes, 4 * state.length()));
}

}  // namespace kenlm
}  // namespace ngram
