// Decimal text of float32 numbers, both ways, exact: format_float writes the shortest decimal that
// reads back as the same float (of several the nearest), parse_float rounds correctly. Text
// -> parse -> format gives lmplz's bytes back.
//
// The layout of the text is lmplz's: positional for 1e-6 <= |x| < 1e21 (-0.0001, -12, 0, -0), with
// an exponent without plus sign or padding elsewhere (-1.5e-7, 1e30), inf, -inf, NaN.
//
// Sources: R. Giulietti (2020), The Schubfach way to render doubles, sections 6 to 9, for the
// shortest decimal; W. Clinger (1990), How to read floating point numbers accurately, section 3,
// for the fast path of the parser.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <system_error>

#if !defined(__cpp_lib_to_chars) && !defined(_MSC_VER)
#define NGRAM_NO_FLOAT_FROM_CHARS  // libc++ before LLVM 20
#include <clocale>
#include <cstdlib>
#include <string>
#if defined(__APPLE__)
#include <xlocale.h>
#endif
#endif
#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace ngram {

// Room format_float needs: the longest text has 22 characters, and it may write past its end.
constexpr std::size_t kFloatRoom = 32;

namespace numbers {

constexpr int kPowerMin = -31;  // powers of ten that a float32 asks for, as 10^k
constexpr int kPowerMax = 45;

// floor(e * log10(2)), floor(e * log10(2) + log10(3/4)) and floor(e * log2(10)), exact for |e|
// below 1000: Giulietti (2020), section 9. Right shifts of negative numbers keep the sign.
constexpr int floor_log10_pow2(int e) {
    return (e * 1262611) >> 22;
}
constexpr int floor_log10_three_quarters_pow2(int e) {
    return (e * 1262611 - 524031) >> 22;
}
constexpr int floor_log2_pow10(int e) {
    return (e * 1741647) >> 19;
}

// The 64 leading bits of 10^k, rounded up, for every k a float32 asks for: computed by the
// compiler with long multiplication and division, so there is no table to mistype.
struct PowersOfTen {
    std::uint64_t leading[kPowerMax - kPowerMin + 1];

    constexpr PowersOfTen() : leading{} {
        for (int k = kPowerMin; k <= kPowerMax; ++k) leading[k - kPowerMin] = leading_bits(k);
    }

    static constexpr int kLimbs = 10;  // of 32 bits, the least significant first

    static constexpr std::uint64_t leading_bits(int k) {
        std::uint32_t limbs[kLimbs] = {};
        bool inexact = false;
        // Negative powers: 2^(32 * 9) divided by ten again and again; 2^288 leaves room enough.
        limbs[k < 0 ? kLimbs - 1 : 0] = 1;
        for (int i = 0; i < k; ++i) {
            std::uint64_t carry = 0;
            for (int j = 0; j < kLimbs; ++j) {
                carry += static_cast<std::uint64_t>(limbs[j]) * 10;
                limbs[j] = static_cast<std::uint32_t>(carry);
                carry >>= 32;
            }
        }
        for (int i = 0; i < -k; ++i) {
            std::uint64_t rest = 0;
            for (int j = kLimbs - 1; j >= 0; --j) {
                rest = rest << 32 | limbs[j];
                limbs[j] = static_cast<std::uint32_t>(rest / 10);
                rest %= 10;
            }
            inexact = true;  // no negative power of ten is a binary fraction
        }
        int top = kLimbs * 32 - 1;
        while ((limbs[top / 32] >> (top % 32) & 1) == 0) --top;
        std::uint64_t bits = 0;
        for (int i = top; i > top - 64; --i) {
            bits = bits << 1 | (i < 0 ? 0 : limbs[i / 32] >> (i % 32) & 1);
        }
        for (int i = top - 64; i >= 0; --i) inexact = inexact || (limbs[i / 32] >> (i % 32) & 1);
        return bits + (inexact ? 1 : 0);
    }
};
inline constexpr PowersOfTen kPowersOfTen{};

// Bits, in the ways of the compilers. The argument is not 0.
inline int leading_zeros(std::uint64_t bits) {
#if defined(_MSC_VER)
    unsigned long at;
    _BitScanReverse64(&at, bits);
    return 63 - static_cast<int>(at);
#else
    return __builtin_clzll(bits);
#endif
}
inline int trailing_zeros(std::uint64_t bits) {
#if defined(_MSC_VER)
    unsigned long at;
    _BitScanForward64(&at, bits);
    return static_cast<int>(at);
#else
    return __builtin_ctzll(bits);
#endif
}

struct Decimal {  // digits * 10^exponent
    std::uint32_t digits;
    int exponent;
};

// The upper part of power * value, its last bit set if anything was cut off ("round to odd"): all
// later comparisons with exact bounds then come out right.
inline std::uint32_t round_to_odd(std::uint64_t power, std::uint32_t value) {
    // 64 x 32 bits in two products: the middle word tells whether anything was cut off.
    const std::uint64_t low = (power & 0xffffffff) * value;
    const std::uint64_t high = (power >> 32) * value + (low >> 32);
    return static_cast<std::uint32_t>(high >> 32) | (static_cast<std::uint32_t>(high) > 1);
}

// Giulietti (2020), section 6: the shortest decimal inside the interval that rounds to the float
// with this mantissa and exponent field (not both zero, exponent below 255).
inline Decimal shortest(std::uint32_t mantissa, std::uint32_t exponent_field) {
    const bool normal = exponent_field != 0;
    const std::uint32_t c = normal ? mantissa | 1U << 23 : mantissa;
    const int q = (normal ? static_cast<int>(exponent_field) : 1) - 150;
    const bool even = (c & 1) == 0;
    // Below a power of two the neighbour is only half as far away.
    const bool lower_closer = mantissa == 0 && exponent_field > 1;
    const std::uint32_t below = 4 * c - (lower_closer ? 1 : 2);
    const int k = lower_closer ? floor_log10_three_quarters_pow2(q) : floor_log10_pow2(q);
    const int shift = q + floor_log2_pow10(-k) + 1;
    const std::uint64_t power = kPowersOfTen.leading[-k - kPowerMin];
    const std::uint32_t lower = round_to_odd(power, below << shift) + (even ? 0 : 1);
    const std::uint32_t value = round_to_odd(power, 4 * c << shift);
    const std::uint32_t upper = round_to_odd(power, (4 * c + 2) << shift) - (even ? 0 : 1);

    // All candidates are computed, then one is selected: which one is random, and a branch on it
    // would be mispredicted half the time.
    const std::uint32_t s = value / 4;
    const std::uint32_t tens = s / 10;
    const bool ten_down = lower <= 40 * tens;
    const bool ten_up = 40 * tens + 40 <= upper;
    const bool one_down = lower <= 4 * s;
    const bool one_up = 4 * s + 4 <= upper;
    const std::uint32_t middle = 4 * s + 2;
    const bool nearest_up = value > middle || (value == middle && (s & 1) != 0);
    const std::uint32_t ones = s + (one_down != one_up ? one_up : nearest_up);
    const bool use_tens = s >= 10 && ten_down != ten_up;
    return {use_tens ? tens + ten_up : ones, k + use_tens};
}

inline char* copy_text(char* out, const char* text, std::size_t size) {
    std::memcpy(out, text, size);
    return out + size;
}

inline constexpr std::uint32_t kIntegerPowersOfTen[] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

// Digits of a number below 10^9, not 0. bits * 1233 / 4096 is bits * log10(2), near enough.
inline int count_digits(std::uint32_t value) {
    const int guess = ((64 - leading_zeros(value)) * 1233) >> 12;
    return guess + (value >= kIntegerPowersOfTen[guess] ? 1 : 0);
}

// The eight digits of a number below 10^8 as bytes 0 to 9, the first digit in the lowest byte:
// halves into quarters into single digits, all of a stage in one register.
inline std::uint64_t split_digits(std::uint32_t value) {
    const std::uint64_t halves = value / 10000 | static_cast<std::uint64_t>(value % 10000)
                                                     << 32;  // 2 x 4 digits
    const std::uint64_t hundreds = (halves * 10486 >> 20) & 0x0000007f0000007f;
    const std::uint64_t pairs = hundreds | (halves - hundreds * 100) << 16;  // 4 x 2 digits
    const std::uint64_t tens = (pairs * 103 >> 10) & 0x000f000f000f000f;
    return tens | (pairs - tens * 10) << 8;
}

// Writes eight bytes, the lowest first (processors are little-endian here, as model files are).
inline void store_bytes(char* out, std::uint64_t bytes) {
    std::memcpy(out, &bytes, sizeof bytes);
}

// Writes a whole number; returns the end.
inline char* format_integer(std::uint64_t value, char* out) {
    char reversed[20];
    char* begin = reversed + sizeof reversed;
    do {
        *--begin = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return copy_text(out, begin, static_cast<std::size_t>(reversed + sizeof reversed - begin));
}

}  // namespace numbers

// Writes `value` to `out`, which has kFloatRoom bytes; returns the end of the text.
inline char* format_float(float value, char* out) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    const std::uint32_t mantissa = bits & ((1U << 23) - 1);
    const std::uint32_t exponent_field = bits >> 23 & 0xff;
    if (exponent_field == 255 && mantissa != 0) return numbers::copy_text(out, "NaN", 3);
    *out = '-';
    out += bits >> 31;
    if (exponent_field == 255) return numbers::copy_text(out, "inf", 3);
    if ((bits << 1) == 0) {
        *out = '0';
        return out + 1;
    }

    // The digits as one leading digit and eight more in a register, zeros at the end included.
    const numbers::Decimal decimal = numbers::shortest(mantissa, exponent_field);
    const int count = numbers::count_digits(decimal.digits);
    const int point = count + decimal.exponent;  // value = 0.digits * 10^point
    const std::uint32_t scaled = decimal.digits * numbers::kIntegerPowersOfTen[9 - count];
    const char first = static_cast<char>('0' + scaled / 100000000);
    const std::uint64_t values = numbers::split_digits(scaled % 100000000);
    const std::uint64_t digits = values | 0x3030303030303030;
    const int length = values == 0 ? 1 : 9 - numbers::leading_zeros(values) / 8;

    if (point > 0 && point <= 21) {
        out[0] = first;
        if (point < length) {
            // The point goes between the digits: those behind it are written one byte later.
            const int before = 8 * (point - 1);
            const std::uint64_t low = (std::uint64_t{1} << before) - 1;
            const std::uint64_t behind = before == 56 ? 0 : digits >> before << (before + 8);
            numbers::store_bytes(out + 2, digits);
            numbers::store_bytes(
                out + 1, (digits & low) | static_cast<std::uint64_t>('.') << before | behind);
            return out + length + 1;
        }
        numbers::store_bytes(out + 1, digits);
        std::memset(out + 9, '0', 12);
        return out + point;
    }
    if (point <= 0 && point >= -5) {
        std::memcpy(out, "0.000000", 8);
        out += 2 - point;
        out[0] = first;
        numbers::store_bytes(out + 1, digits);
        return out + length;
    }
    out[0] = first;
    out[1] = '.';
    numbers::store_bytes(out + 2, digits);
    out += length == 1 ? 1 : length + 1;
    *out++ = 'e';
    const int exponent = point - 1;
    if (exponent < 0) *out++ = '-';
    return numbers::format_integer(static_cast<std::uint64_t>(exponent < 0 ? -exponent : exponent),
                                   out);
}

namespace numbers {

inline constexpr double kExactPowersOfTen[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

inline bool is_digit(char c) {
    return static_cast<unsigned char>(c - '0') < 10;
}

// Reads a run of digits, appending them to `digits` (modulo 2^64); returns the end of the run.
// Eight at a time: bytes that are no digit are found and shifted out, then neighbours are added
// pairwise, 8 x 1 to 4 x 2 to 2 x 4 to 1 x 8 digits, with three multiplications.
inline const char* parse_digits(const char* at, const char* end, std::uint64_t& digits) {
    while (end - at >= 8) {
        std::uint64_t bytes;
        std::memcpy(&bytes, at, sizeof bytes);
        bytes ^= 0x3030303030303030;
        const std::uint64_t others =
            (((bytes & 0x7f7f7f7f7f7f7f7f) + 0x7676767676767676) | bytes) & 0x8080808080808080;
        const int count = others == 0 ? 8 : trailing_zeros(others) / 8;
        if (count == 0) return at;
        bytes <<= 8 * (8 - count);
        bytes = bytes * 10 + (bytes >> 8);
        bytes = ((bytes & 0x000000ff000000ff) * 0x000f424000000064 +
                 ((bytes >> 16) & 0x000000ff000000ff) * 0x0000271000000001) >>
                32;
        digits = digits * kIntegerPowersOfTen[count] + bytes;
        at += count;
        if (count < 8) return at;
    }
    while (at != end && is_digit(*at)) {
        digits = digits * 10 + static_cast<std::uint64_t>(*at - '0');
        ++at;
    }
    return at;
}

// Whether the text begins with the lower-case `word`, in any case.
inline bool begins_with_word(const char* begin, const char* end, const char* word,
                             std::size_t size) {
    if (static_cast<std::size_t>(end - begin) < size) return false;
    for (std::size_t i = 0; i < size; ++i) {
        if ((begin[i] | 0x20) != word[i]) return false;
    }
    return true;
}

// The rare numbers: many digits, large exponents, exactly between two floats. `begin` is after
// the sign and the text is known to be a number that ends at `end`; `large` tells which way an
// out-of-range number went.
inline float parse_rare(const char* begin, const char* end, bool large) {
    float value = 0;
#if defined(NGRAM_NO_FLOAT_FROM_CHARS)
    static const locale_t plain = newlocale(LC_ALL_MASK, "C", nullptr);
    value = strtof_l(std::string(begin, end).c_str(), nullptr, plain);
    (void)large;
#else
    const std::from_chars_result result = std::from_chars(begin, end, value);
    if (result.ec == std::errc::result_out_of_range) {
        return large ? std::numeric_limits<float>::infinity() : 0.0F;
    }
#endif
    return value;
}

}  // namespace numbers

// Reads a decimal number (sign, digits, point, exponent, inf, nan) at the beginning of the text.
// Returns its end, or nullptr when there is no number.
inline const char* parse_float(const char* begin, const char* end, float& value) {
    using numbers::is_digit;
    const char* at = begin;
    bool negative = false;
    if (at != end && (*at == '-' || *at == '+')) negative = *at++ == '-';
    const char* const unsigned_begin = at;

    std::uint64_t digits = 0;
    int exponent = 0;
    const char* const integer_begin = at;
    // Mostly one or two digits stand before the point, and eight or fewer after it.
    while (at != end && is_digit(*at)) {
        digits = digits * 10 + static_cast<std::uint64_t>(*at - '0');
        ++at;
    }
    std::ptrdiff_t count = at - integer_begin;
    std::ptrdiff_t fraction = 0;
    if (at != end && *at == '.') {
        const char* const fraction_begin = ++at;
        at = numbers::parse_digits(at, end, digits);
        fraction = at - fraction_begin;
        count += fraction;
    }
    if (count == 0) {
        if (numbers::begins_with_word(unsigned_begin, end, "inf", 3)) {
            value = std::numeric_limits<float>::infinity();
            if (negative) value = -value;
            const bool long_form = numbers::begins_with_word(unsigned_begin, end, "infinity", 8);
            return unsigned_begin + (long_form ? 8 : 3);
        }
        if (numbers::begins_with_word(unsigned_begin, end, "nan", 3)) {
            value = std::numeric_limits<float>::quiet_NaN();
            return unsigned_begin + 3;
        }
        return nullptr;
    }
    if (at != end && (*at == 'e' || *at == 'E')) {
        const char* mark = at + 1;
        bool down = false;
        if (mark != end && (*mark == '-' || *mark == '+')) down = *mark++ == '-';
        if (mark != end && is_digit(*mark)) {
            while (mark != end && is_digit(*mark)) {
                if (exponent < 100000) exponent = exponent * 10 + (*mark - '0');
                ++mark;
            }
            if (down) exponent = -exponent;
            at = mark;
        }
    }

    // Up to 15 digits and a power of ten up to 10^22 are exact doubles, so one operation gives the
    // correctly rounded double: Clinger (1990). Rounding that again to float is right unless the
    // double lies exactly between two floats, or the float is subnormal.
    if (count <= 15 && fraction <= 1000) {
        const int power = exponent - static_cast<int>(fraction);
        if (digits == 0) {
            value = negative ? -0.0F : 0.0F;
            return at;
        }
        if (power >= -22 && power <= 22) {
            const auto exact = static_cast<double>(digits);
            const double wide = power < 0 ? exact / numbers::kExactPowersOfTen[-power]
                                          : exact * numbers::kExactPowersOfTen[power];
            std::uint64_t bits;
            std::memcpy(&bits, &wide, sizeof bits);
            if ((bits & ((1U << 29) - 1)) != 1U << 28 && wide >= 1e-37 && wide <= 1e37) {
                const auto narrow = static_cast<float>(wide);
                value = negative ? -narrow : narrow;
                return at;
            }
        }
    }
    // Where the first digit that is not zero stands, to know which way an overflow goes.
    std::ptrdiff_t magnitude = 0;
    bool zero = true;
    std::ptrdiff_t integers = count - fraction;
    for (const char* digit = unsigned_begin; digit != at && zero; ++digit) {
        if (*digit == '.') continue;
        if (!is_digit(*digit)) break;
        if (*digit != '0') {
            zero = false;
            magnitude = integers;
        }
        --integers;
    }
    const float absolute =
        zero ? 0.0F : numbers::parse_rare(unsigned_begin, at, magnitude + exponent > 0);
    value = negative ? -absolute : absolute;
    return at;
}

}  // namespace ngram
