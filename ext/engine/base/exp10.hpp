// 10 to the power of float32 values, computed in float64: within two units in the last place of
// float64, and the same on every machine (no library call, no fused multiply-add). The inverse of
// log10.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bits.hpp"

namespace ngram {

namespace exp10_values {

// 10^x = 2^n * e^t with n the integer nearest to x / log10(2) and |t| <= log(2) / 2, and for e^t
// its series: the first dropped term is 4e-18.
inline __attribute__((always_inline)) double of(float log10_value) {
    constexpr float kLeast = -300;  // below: 0, and so is minus infinity
    constexpr float kMost = 300;
    constexpr double kLog2Of10 = 3.321928094887362;
    constexpr double kLn10 = 2.302585092994046;
    constexpr double kLog10Of2High = 0.301029995663157;  // 40 bits: n times it is exact
    constexpr double kLog10Of2Low = 8.241712586023572e-13;
    constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52: the sum's low bits are n
    const double x = std::min(std::max(log10_value, kLeast), kMost);
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
    return log10_value < kLeast ? 0.0 : series * power;
}

inline __attribute__((always_inline)) void of_all(const float* log10_values, std::size_t size,
                                                  double* values) {
    for (std::size_t i = 0; i < size; ++i) values[i] = of(log10_values[i]);
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
    return exp10_values::of(log10_value);
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
