// The few machine operations behind the kernels, each with a portable form. Nothing here
// allocates or fails.
#pragma once

#include <cstdint>

#if defined(_MSC_VER)
#include <intrin.h>
#endif
#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#endif

// A function marked so is compiled once more for processors with AVX2, everything it calls
// included, and chosen while the program runs: NGRAM_HAS_AVX2 says whether that is possible.
#if defined(__x86_64__) && defined(__GNUC__)
#define NGRAM_HAS_AVX2 1
#define NGRAM_FOR_AVX2 __attribute__((target("avx2,bmi,bmi2"), flatten))
#endif

// The same for carry-less products, which sum bytes (crc32.hpp).
#if defined(__x86_64__) && defined(__GNUC__)
#define NGRAM_HAS_CARRYLESS 1
#define NGRAM_FOR_CARRYLESS __attribute__((target("pclmul")))
#endif

namespace ngram {

#if defined(NGRAM_HAS_CARRYLESS)
inline bool processor_has_carryless() {
    static const bool has = __builtin_cpu_supports("pclmul");
    return has;
}
#endif

#if defined(NGRAM_HAS_AVX2)
inline bool processor_has_avx2() {
    static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
    return has;
}
#endif

// The high 64 bits of a 128-bit product.
inline std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
#if defined(__SIZEOF_INT128__)
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(a) * b) >> 64);
#else
    return __umulh(a, b);
#endif
}

// How many bits `value` needs; 0 needs none.
inline unsigned bit_width(std::uint64_t value) {
    unsigned width = 0;
    while (value != 0) {
        value >>= 1;
        ++width;
    }
    return width;
}

// The index of the lowest set bit of a value that is not 0.
inline unsigned lowest_lane(std::uint32_t value) {
#if defined(_MSC_VER)
    unsigned long index;
    _BitScanForward(&index, value);
    return index;
#else
    return static_cast<unsigned>(__builtin_ctz(value));
#endif
}

// Asks for the cache line at `address`, which need not be valid.
inline void prefetch(const void* address) {
#if defined(_MSC_VER)
#if defined(_M_X64)
    _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T0);
#else
    __prefetch(address);
#endif
#else
    __builtin_prefetch(address);
#endif
}

// Bit i says whether values[i] == needle, i < 8.
inline std::uint32_t equal_lanes(const std::uint32_t* values, std::uint32_t needle) {
#if defined(__SSE2__) || defined(_M_X64)
    const __m128i wanted = _mm_set1_epi32(static_cast<int>(needle));
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values + 4));
    const int a = _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(low, wanted)));
    const int b = _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(high, wanted)));
    return static_cast<std::uint32_t>(a | b << 4);
#elif defined(__ARM_NEON) && defined(__aarch64__)
    const std::uint32_t weight_values[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    const uint32x4_t wanted = vdupq_n_u32(needle);
    const uint32x4_t low =
        vandq_u32(vceqq_u32(vld1q_u32(values), wanted), vld1q_u32(weight_values));
    const uint32x4_t high =
        vandq_u32(vceqq_u32(vld1q_u32(values + 4), wanted), vld1q_u32(weight_values + 4));
    return vaddvq_u32(vorrq_u32(low, high));
#else
    std::uint32_t mask = 0;
    for (unsigned i = 0; i < 8; ++i) mask |= static_cast<std::uint32_t>(values[i] == needle) << i;
    return mask;
#endif
}

// Bit i says whether values[i], as far as `mask` has bits, is `needle`, i < 16.
inline std::uint32_t equal_masked_lanes(const std::uint32_t* values, std::uint32_t needle,
                                        std::uint32_t mask) {
#if defined(__SSE2__) || defined(_M_X64)
    const __m128i wanted = _mm_set1_epi32(static_cast<int>(needle));
    const __m128i kept = _mm_set1_epi32(static_cast<int>(mask));
    const auto equal = [&](unsigned lane) {
        const __m128i four = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values + lane));
        return _mm_cmpeq_epi32(_mm_and_si128(four, kept), wanted);
    };
    const __m128i low = _mm_packs_epi32(equal(0), equal(4));
    const __m128i high = _mm_packs_epi32(equal(8), equal(12));
    return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
#else
    std::uint32_t lanes = 0;
    for (unsigned i = 0; i < 16; ++i) {
        lanes |= static_cast<std::uint32_t>((values[i] & mask) == needle) << i;
    }
    return lanes;
#endif
}

}  // namespace ngram
