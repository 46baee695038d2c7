// CRC-32 as in zlib: the remainder of a message modulo a polynomial over GF(2), bits reflected.
// Parts of a message can be summed by several threads: `append_crc32` joins their sums.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bits.hpp"

#if defined(NGRAM_HAS_CARRYLESS)
#include <wmmintrin.h>
#endif

namespace ngram {

namespace crc {

constexpr std::uint32_t kPolynomial = 0xedb88320U;  // bit 31 - i is the coefficient of x^i
constexpr std::uint32_t kOne = 0x80000000U;

constexpr std::uint32_t times_x(std::uint32_t value) {
    return (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0);
}

// The product of two remainders.
constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) {
    std::uint32_t product = 0;
    for (std::uint32_t bit = kOne; bit != 0; bit >>= 1) {
        if ((a & bit) != 0) product ^= b;
        b = times_x(b);
    }
    return product;
}

// The remainder of x^exponent.
constexpr std::uint32_t power(std::uint64_t exponent) {
    std::uint32_t result = kOne;
    std::uint32_t square = times_x(kOne);
    for (; exponent != 0; exponent >>= 1) {
        if ((exponent & 1) != 0) result = multiply(result, square);
        square = multiply(square, square);
    }
    return result;
}

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

// tables[j][b]: what byte b contributes when j more bytes follow it.
constexpr Tables make_tables() {
    Tables tables{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t value = byte;
        for (int bit = 0; bit < 8; ++bit) value = times_x(value);
        tables[0][byte] = value;
    }
    for (std::size_t j = 1; j < 8; ++j) {
        for (std::uint32_t byte = 0; byte < 256; ++byte) {
            const std::uint32_t shorter = tables[j - 1][byte];
            tables[j][byte] = (shorter >> 8) ^ tables[0][shorter & 0xff];
        }
    }
    return tables;
}
inline constexpr Tables kTables = make_tables();

// The functions below continue a sum without the inversions at its begin and end.

inline std::uint32_t by_tables(std::uint32_t sum, const unsigned char* bytes, std::size_t size) {
    for (; size >= 8; bytes += 8, size -= 8) {
        const std::uint32_t low =
            sum ^ (std::uint32_t{bytes[0]} | std::uint32_t{bytes[1]} << 8 |
                   std::uint32_t{bytes[2]} << 16 | std::uint32_t{bytes[3]} << 24);
        sum = kTables[7][low & 0xff] ^ kTables[6][low >> 8 & 0xff] ^ kTables[5][low >> 16 & 0xff] ^
              kTables[4][low >> 24] ^ kTables[3][bytes[4]] ^ kTables[2][bytes[5]] ^
              kTables[1][bytes[6]] ^ kTables[0][bytes[7]];
    }
    for (; size != 0; ++bytes, --size) sum = (sum >> 8) ^ kTables[0][(sum ^ *bytes) & 0xff];
    return sum;
}

#if defined(NGRAM_HAS_CARRYLESS)
// Moves 16 bytes of the message `bits` further: what they are worth there. Gopal et al. (2009),
// Fast CRC computation for generic polynomials using PCLMULQDQ, section 4 (reflected, in 4.4).
template <std::uint64_t bits>
NGRAM_FOR_CARRYLESS inline __m128i fold(__m128i value) {
    constexpr std::uint64_t low = std::uint64_t{power(bits + 32)} << 1;
    constexpr std::uint64_t high = std::uint64_t{power(bits - 32)} << 1;
    const __m128i factors =
        _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
    return _mm_xor_si128(_mm_clmulepi64_si128(value, factors, 0x00),
                         _mm_clmulepi64_si128(value, factors, 0x11));
}

// 64 bytes at a time, of a multiple of 64; equal to by_tables and six times as fast.
NGRAM_FOR_CARRYLESS inline std::uint32_t by_folding(std::uint32_t sum, const unsigned char* bytes,
                                                    std::size_t size) {
    const auto load = [](const unsigned char* from) NGRAM_FOR_CARRYLESS {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    };
    __m128i a = _mm_xor_si128(load(bytes), _mm_cvtsi32_si128(static_cast<int>(sum)));
    __m128i b = load(bytes + 16);
    __m128i c = load(bytes + 32);
    __m128i d = load(bytes + 48);
    for (bytes += 64, size -= 64; size != 0; bytes += 64, size -= 64) {
        a = _mm_xor_si128(fold<512>(a), load(bytes));
        b = _mm_xor_si128(fold<512>(b), load(bytes + 16));
        c = _mm_xor_si128(fold<512>(c), load(bytes + 32));
        d = _mm_xor_si128(fold<512>(d), load(bytes + 48));
    }
    b = _mm_xor_si128(fold<128>(a), b);
    c = _mm_xor_si128(fold<128>(b), c);
    d = _mm_xor_si128(fold<128>(c), d);
    unsigned char rest[16];
    std::memcpy(rest, &d, sizeof rest);
    return by_tables(0, rest, sizeof rest);
}
#endif

}  // namespace crc

// The sum of a message whose first part has the sum `before`.
inline std::uint32_t crc32(const void* data, std::size_t size, std::uint32_t before = 0) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    std::uint32_t sum = ~before;
#if defined(NGRAM_HAS_CARRYLESS)
    const std::size_t whole = size / 64 * 64;
    if (whole != 0 && processor_has_carryless()) {
        sum = crc::by_folding(sum, bytes, whole);
        bytes += whole;
        size -= whole;
    }
#endif
    return ~crc::by_tables(sum, bytes, size);
}

// The sum of two messages in a row, by their sums and the bytes of the second.
inline std::uint32_t append_crc32(std::uint32_t first, std::uint32_t second,
                                  std::uint64_t second_bytes) {
    return crc::multiply(first, crc::power(8 * second_bytes)) ^ second;
}

}  // namespace ngram
