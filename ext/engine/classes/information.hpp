// x log2 x in fixed point, of which the likelihood of a class bigram model is a sum. Integers, so
// that sums are exact: the same in any order, and in a plain definition that adds up differently.
// Next: exchange.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/buffer.hpp"

namespace ngram {
namespace classes {

constexpr double kOneBit = 65536.0;  // the value of one bit: 16 digits behind the point

class Information {
  public:
    // For counts up to `largest`; those below 2^20 are looked up.
    explicit Information(std::uint64_t largest)
        : table_(std::min<std::uint64_t>(largest + 2, std::uint64_t{1} << 20)) {
        for (std::size_t count = 0; count < table_.size(); ++count) table_[count] = compute(count);
    }

    std::int64_t operator()(std::uint64_t count) const {
        return count < table_.size() ? table_[count] : compute(count);
    }

    // What one more occurrence adds: below 2^22 for counts below 2^32.
    std::int32_t step(std::uint64_t count) const {
        return static_cast<std::int32_t>((*this)(count + 1) - (*this)(count));
    }

  private:
    static std::int64_t compute(std::uint64_t count) {
        if (count < 2) return 0;
        const double value = static_cast<double>(count);
        return std::llround(value * std::log2(value) * kOneBit);
    }

    Buffer<std::int64_t> table_;
};

}  // namespace classes
}  // namespace ngram
