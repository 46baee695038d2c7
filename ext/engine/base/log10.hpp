// log10 of float32 values, computed in float64 and rounded once: within 0.501 units in the last
// place of float32, and the same on every machine (no library call, no fused multiply-add).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/bits.hpp"

namespace ngram {

namespace log10_values {

constexpr std::uint32_t kSqrtHalf = 0x3f3504f3;  // bits of 1/sqrt(2)
constexpr std::uint32_t kLeastNormal = 0x00800000;

// log10(m * 2^e) = log10(2) * e + log10(m) with m in [1/sqrt(2), sqrt(2)), and for log(m) the
// series of 2 * artanh(s), s = (m - 1) / (m + 1), |s| < 0.1716: the first dropped term is 2e-12.
inline __attribute__((always_inline)) float of_normal(std::uint32_t bits) {
    const std::int32_t exponent = static_cast<std::int32_t>(bits - kSqrtHalf) >> 23;
    const std::uint32_t mantissa_bits = bits - (static_cast<std::uint32_t>(exponent) << 23);
    float mantissa;
    std::memcpy(&mantissa, &mantissa_bits, sizeof(mantissa));
    const double m = mantissa;
    const double s = (m - 1.0) / (m + 1.0);
    const double q = s * s;
    double series = 1.0 / 13;
    series = series * q + 1.0 / 11;
    series = series * q + 1.0 / 9;
    series = series * q + 1.0 / 7;
    series = series * q + 1.0 / 5;
    series = series * q + 1.0 / 3;
    series = series * q + 1.0;
    constexpr double kTwoOverLn10 = 0.86858896380650365530;
    constexpr double kLog10Of2 = 0.30102999566398119521;
    return static_cast<float>(exponent * kLog10Of2 + s * series * kTwoOverLn10);
}

// Zero gives minus infinity. 2^23 times a subnormal value is normal.
inline float of_small(float value) {
    if (value == 0.0F) return -std::numeric_limits<float>::infinity();
    const float scaled = value * 8388608.0F;
    std::uint32_t bits;
    std::memcpy(&bits, &scaled, sizeof(bits));
    return of_normal(bits) - 6.9236899F;
}

// In blocks: a branch-free loop over all values, then the rare values that need another formula.
inline __attribute__((always_inline)) void in_blocks(float* values, std::size_t size) {
    constexpr std::size_t kBlock = 512;
    std::uint32_t bits[kBlock];
    for (std::size_t begin = 0; begin < size; begin += kBlock) {
        const std::size_t count = std::min(kBlock, size - begin);
        float* block = values + begin;
        std::memcpy(bits, block, count * sizeof(float));
        std::uint32_t smallest = kLeastNormal;
        for (std::size_t i = 0; i < count; ++i) smallest = std::min(smallest, bits[i]);
        if (smallest < kLeastNormal) {
            for (std::size_t i = 0; i < count; ++i) {
                block[i] = bits[i] < kLeastNormal ? of_small(block[i]) : of_normal(bits[i]);
            }
            continue;
        }
        for (std::size_t i = 0; i < count; ++i) block[i] = of_normal(bits[i]);
    }
}

#if defined(NGRAM_HAS_AVX2)
NGRAM_FOR_AVX2 inline void in_blocks_wide(float* values, std::size_t size) {
    in_blocks(values, size);
}
#endif

}  // namespace log10_values

// In place, of values that are finite and not negative.
inline void log10_in_place(float* values, std::size_t size) {
#if defined(NGRAM_HAS_AVX2)
    if (processor_has_avx2()) {
        log10_values::in_blocks_wide(values, size);
        return;
    }
#endif
    log10_values::in_blocks(values, size);
}

}  // namespace ngram
