// 10 to the power of float32 values, computed in float64: within two units in the last place of
// float64, and the same on every machine (no library call, no fused multiply-add). The inverse of
// log10.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bits.hpp"

namespace ngram {

namespace exp10_values {

// Of values up to 300. Below -308, where 2^n has the bits of 0, all are 0, and minus infinity is.
inline __attribute__((always_inline)) float limited(float log10_value) {
    constexpr float kLeast = -308;
    constexpr float kMost = 300;
    return std::min(std::max(log10_value, kLeast), kMost);
}

// 10^x = 2^n * e^t with n the integer nearest to x / log10(2) and |t| <= log(2) / 2, and for e^t
// its series: the first dropped term is 4e-18. -308 <= x <= 300.
inline __attribute__((always_inline)) double of_limited(float log10_value) {
    constexpr double kLog2Of10 = 3.321928094887362;
    constexpr double kLn10 = 2.302585092994046;
    constexpr double kLog10Of2High = 0.301029995663157;  // 40 bits: n times it is exact
    constexpr double kLog10Of2Low = 8.241712586023572e-13;
    constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52: the sum's low bits are n
    const double x = log10_value;
    const double shifted = x * kLog2Of10 + kRound;
    const double n = shifted - kRound;
    const double t = ((x - n * kLog10Of2High) - n * kLog10Of2Low) * kLn10;
    double series = 1.0 / 87178291200.0;
    series = series * t + 1.0 / 6227020800.0;
    series = series * t + 1.0 / 479001600.0;
    series = series * t + 1.0 / 39916800.0;
    series = series * t + 1.0 / 3628800.0;
    series = series * t + 1.0 / 362880.0;
    series = series * t + 1.0 / 40320.0;
    series = series * t + 1.0 / 5040.0;
    series = series * t + 1.0 / 720.0;
    series = series * t + 1.0 / 120.0;
    series = series * t + 1.0 / 24.0;
    series = series * t + 1.0 / 6.0;
    series = series * t + 0.5;
    series = series * t + 1.0;
    series = series * t + 1.0;
    std::uint64_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    double power;
    std::memcpy(&power, &bits, sizeof power);
    return series * power;
}

// Limits first: a loop with comparisons of floats has branches, for those may trap, and is not done
// four values at a time.
inline __attribute__((always_inline)) void of_all(const float* log10_values, std::size_t size,
                                                  double* values) {
    constexpr std::size_t kBlock = 64;
    std::array<float, kBlock> block;
    for (std::size_t begin = 0; begin < size; begin += kBlock) {
        const std::size_t count = std::min(kBlock, size - begin);
        for (std::size_t i = 0; i < count; ++i) block[i] = limited(log10_values[begin + i]);
        for (std::size_t i = 0; i < count; ++i) values[begin + i] = of_limited(block[i]);
    }
}

#if defined(NGRAM_HAS_AVX2)
NGRAM_FOR_AVX2 inline void of_all_wide(const float* log10_values, std::size_t size,
                                       double* values) {
    of_all(log10_values, size, values);
}
#endif

}  // namespace exp10_values

// Of values that are numbers, at most 300.
inline double exp10_of(float log10_value) {
    return exp10_values::of_limited(exp10_values::limited(log10_value));
}

inline void exp10_all(const float* log10_values, std::size_t size, double* values) {
#if defined(NGRAM_HAS_AVX2)
    if (processor_has_avx2()) {
        exp10_values::of_all_wide(log10_values, size, values);
        return;
    }
#endif
    exp10_values::of_all(log10_values, size, values);
}

}  // namespace ngram
