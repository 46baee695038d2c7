// The words before the next one, as far as they can still change its score: the last one first,
// each with the back-off of the n-gram that reaches back to it. Up to 5 words, which is enough for
// order 6, need no memory of their own. Contexts compare and hash as those of KenLM do: by their
// word ids alone, as little-endian bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "kenlm/words.hpp"

namespace ngram {
namespace kenlm {

class Context {
  public:
    Context() = default;
    Context(const Context& other) { *this = other; }
    Context& operator=(const Context& other) {
        if (this == &other) return *this;
        reserve(other.length_);
        length_ = other.length_;
        std::memcpy(words(), other.words(), length_ * sizeof(std::uint32_t));
        std::memcpy(backoffs(), other.backoffs(), length_ * sizeof(float));
        return *this;
    }

    std::size_t length() const { return length_; }
    const std::uint32_t* words() const { return more_ ? more_.get() : few_; }
    std::uint32_t* words() { return more_ ? more_.get() : few_; }
    // As bits, because -0.0 is not 0.
    const std::uint32_t* backoffs() const { return words() + capacity_; }
    std::uint32_t* backoffs() { return words() + capacity_; }

    // Makes room for `length` words; those that were there are gone.
    void reserve(std::size_t length) {
        length_ = 0;
        if (length <= capacity_) return;
        more_ = std::make_unique<std::uint32_t[]>(2 * length);
        capacity_ = length;
    }
    // At most what was reserved.
    void set_length(std::size_t length) { length_ = length; }

    // Below, at or above 0: by length, then byte by byte.
    int compare(const Context& other) const {
        if (length_ != other.length_) return length_ < other.length_ ? -1 : 1;
        return std::memcmp(words(), other.words(), length_ * sizeof(std::uint32_t));
    }
    std::uint64_t hash() const {
        return murmur_hash(reinterpret_cast<const char*>(words()), length_ * sizeof(std::uint32_t));
    }

  private:
    static constexpr std::size_t kFew = 5;

    std::size_t length_ = 0;
    std::size_t capacity_ = kFew;
    std::uint32_t few_[2 * kFew];
    std::unique_ptr<std::uint32_t[]> more_;
};

}  // namespace kenlm
}  // namespace ngram
