// Arrays of plain values: one owner, no initialisation, cheap growth (memory.hpp tells how).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "base/memory.hpp"

namespace ngram {

// A view of `size` values that somebody else owns.
template <class T>
class Span {
  public:
    constexpr Span() = default;
    constexpr Span(T* data, std::size_t size) : data_(data), size_(size) {}

    constexpr T* data() const { return data_; }
    constexpr std::size_t size() const { return size_; }
    constexpr bool empty() const { return size_ == 0; }
    constexpr T& operator[](std::size_t index) const { return data_[index]; }
    constexpr T* begin() const { return data_; }
    constexpr T* end() const { return data_ + size_; }
    constexpr operator Span<const T>() const { return {data_, size_}; }

  private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

// An owned array of trivially copyable values. New values are uninitialised.
template <class T>
class Buffer {
    static_assert(std::is_trivially_copyable_v<T>);

  public:
    Buffer() = default;
    explicit Buffer(std::size_t size) { resize(size); }
    Buffer(std::size_t size, const T& value) : Buffer(size) {
        for (T& item : *this) item = value;
    }
    Buffer(Buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)),
          capacity_(std::exchange(other.capacity_, 0)),
          in_file_(std::exchange(other.in_file_, false)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
        std::swap(in_file_, other.in_file_);
        return *this;
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { clear(); }

    // Takes over `size` values in a mapped file (spill.hpp).
    static Buffer from_file(T* data, std::size_t size) {
        Buffer buffer;
        buffer.data_ = data;
        buffer.size_ = buffer.capacity_ = size;
        buffer.in_file_ = true;
        return buffer;
    }
    bool in_file() const { return in_file_; }
    // The values [begin, end) are not needed soon: if they are in a file, they leave memory.
    void rest(std::size_t begin, std::size_t end) const {
        if (in_file_) memory::rest_mapped(data_ + begin, data_ + end);
    }
    void rest() const { rest(0, size_); }

    T* data() { return data_; }
    const T* data() const { return data_; }
    std::size_t size() const { return size_; }
    std::size_t bytes() const { return size_ * sizeof(T); }
    std::size_t capacity() const { return capacity_; }
    bool empty() const { return size_ == 0; }
    T& operator[](std::size_t index) { return data_[index]; }
    const T& operator[](std::size_t index) const { return data_[index]; }
    T* begin() { return data_; }
    T* end() { return data_ + size_; }
    const T* begin() const { return data_; }
    const T* end() const { return data_ + size_; }
    T& back() { return data_[size_ - 1]; }
    const T& back() const { return data_[size_ - 1]; }
    Span<T> span() { return {data_, size_}; }
    Span<const T> span() const { return {data_, size_}; }

    // Values past the old size are uninitialised.
    void resize(std::size_t size) {
        if (size > capacity_) set_capacity(size);
        size_ = size;
    }
    void reserve(std::size_t capacity) {
        if (capacity > capacity_) set_capacity(capacity);
    }
    void push_back(const T& value) {
        if (size_ == capacity_) set_capacity(capacity_ + capacity_ / 2 + 16);
        data_[size_++] = value;
    }
    // Adds `count` uninitialised values.
    void extend(std::size_t count) {
        if (size_ + count > capacity_) set_capacity(size_ + count + capacity_ / 2 + 16);
        size_ += count;
    }
    void append(const T* values, std::size_t count) {
        if (count == 0) return;
        if (size_ + count > capacity_) set_capacity(size_ + count + capacity_ / 2);
        std::memcpy(data_ + size_, values, count * sizeof(T));
        size_ += count;
    }
    void shrink_to_fit() { set_capacity(size_); }
    void clear() {
        set_capacity(0);
        size_ = 0;
    }

  private:
    void set_capacity(std::size_t capacity) {
        if (capacity > PTRDIFF_MAX / sizeof(T)) throw std::bad_alloc();
        if (in_file_) {
            leave_file(capacity);
            return;
        }
        data_ = static_cast<T*>(memory::grow(data_, capacity_ * sizeof(T), capacity * sizeof(T)));
        capacity_ = capacity;
        if (size_ > capacity) size_ = capacity;
    }

    void leave_file(std::size_t capacity) {
        Buffer copy;
        if (capacity != 0) copy.append(data_, std::min(size_, capacity));
        memory::unmap_file(data_, capacity_ * sizeof(T));
        data_ = nullptr;
        size_ = capacity_ = 0;
        in_file_ = false;
        *this = std::move(copy);
        if (capacity > capacity_) set_capacity(capacity);
    }

    T* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
    bool in_file_ = false;
};

}  // namespace ngram
