// Blocks of memory for Buffer. Large blocks are mapped straight from the system and ask for huge
// pages: the first touch of a page costs more than the work done on it (measured: 0.4 to 3 s per
// GB), and growing a mapped block moves no bytes. While a Recycling lives, released blocks are
// kept and handed out again, already touched.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace ngram {
namespace memory {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kMappedFrom = 2 * kHugePage;  // bytes

#if defined(__linux__)

inline std::size_t whole_pages(std::size_t bytes) {
    return (bytes + kHugePage - 1) & ~(kHugePage - 1);
}

// Released blocks, while somebody recycles. One for the process; any thread may use it.
class Pool {
  public:
    static Pool& instance() {
        static Pool pool;
        return pool;
    }

    void begin() {
        const std::lock_guard<std::mutex> lock(mutex_);
        ++users_;
    }
    void end() {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (--users_ != 0) return;
        for (const Block& block : blocks_) munmap(block.data, block.bytes);
        blocks_.clear();
    }
    bool keep(void* data, std::size_t bytes) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (users_ == 0) return false;
        blocks_.push_back({data, bytes});
        return true;
    }
    // A block of exactly `bytes`: the front of the smallest that is large enough, or else the
    // largest one, made larger. Null if there is none.
    void* take(std::size_t bytes) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (blocks_.empty()) return nullptr;
        auto best = blocks_.begin();
        for (auto block = blocks_.begin(); block != blocks_.end(); ++block) {
            const bool fits = block->bytes >= bytes;
            const bool best_fits = best->bytes >= bytes;
            const bool smaller = block->bytes < best->bytes;
            if (fits ? !best_fits || smaller : !best_fits && !smaller) best = block;
        }
        const Block block = *best;
        if (block.bytes > bytes) {
            *best = {static_cast<char*>(block.data) + bytes, block.bytes - bytes};
            return block.data;
        }
        *best = blocks_.back();
        blocks_.pop_back();
        if (block.bytes == bytes) return block.data;
        void* grown = mremap(block.data, block.bytes, bytes, MREMAP_MAYMOVE);
        if (grown == MAP_FAILED) {
            munmap(block.data, block.bytes);
            return nullptr;
        }
        madvise(grown, bytes, MADV_HUGEPAGE);
        return grown;
    }

  private:
    struct Block {
        void* data;
        std::size_t bytes;
    };

    std::mutex mutex_;
    std::size_t users_ = 0;
    std::vector<Block> blocks_;
};

inline void* map(std::size_t bytes) {
    bytes = whole_pages(bytes);
    void* block = Pool::instance().take(bytes);
    if (block != nullptr) return block;
    block = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) throw std::bad_alloc();
    madvise(block, bytes, MADV_HUGEPAGE);  // advice: a refusal changes speed only
    return block;
}

inline void unmap(void* block, std::size_t bytes) {
    bytes = whole_pages(bytes);
    if (bytes != 0 && !Pool::instance().keep(block, bytes)) munmap(block, bytes);
}

inline void* remap(void* block, std::size_t old_bytes, std::size_t bytes) {
    old_bytes = whole_pages(old_bytes);
    bytes = whole_pages(bytes);
    if (bytes == old_bytes) return block;
    if (bytes < old_bytes) {
        unmap(static_cast<char*>(block) + bytes, old_bytes - bytes);
        return block;
    }
    void* moved = mremap(block, old_bytes, bytes, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED) throw std::bad_alloc();
    madvise(moved, bytes, MADV_HUGEPAGE);
    return moved;
}

#endif

inline void release(void* block, std::size_t bytes) {
#if defined(__linux__)
    if (bytes >= kMappedFrom) {
        unmap(block, bytes);
        return;
    }
#endif
    (void)bytes;
    std::free(block);
}

inline void* allocate(std::size_t bytes) {
#if defined(__linux__)
    if (bytes >= kMappedFrom) return map(bytes);
#endif
    void* block = std::malloc(bytes);
    if (block == nullptr) throw std::bad_alloc();
    return block;
}

// Returns a block of `bytes` that begins with the first min(old, new) bytes of `block`.
inline void* grow(void* block, std::size_t old_bytes, std::size_t bytes) {
    if (bytes == old_bytes) return block;
    if (bytes == 0) {
        release(block, old_bytes);
        return nullptr;
    }
    if (old_bytes == 0) return allocate(bytes);
#if defined(__linux__)
    if (old_bytes >= kMappedFrom && bytes >= kMappedFrom) return remap(block, old_bytes, bytes);
    if (old_bytes >= kMappedFrom || bytes >= kMappedFrom) {
        void* fresh = allocate(bytes);
        std::memcpy(fresh, block, std::min(old_bytes, bytes));
        release(block, old_bytes);
        return fresh;
    }
#endif
    void* moved = std::realloc(block, bytes);
    if (moved == nullptr) throw std::bad_alloc();
    return moved;
}

}  // namespace memory

// Keeps released blocks for reuse as long as it lives. Recycled memory is not zero.
class Recycling {
  public:
#if defined(__linux__)
    Recycling() { memory::Pool::instance().begin(); }
    ~Recycling() { memory::Pool::instance().end(); }
#else
    Recycling() {}
    ~Recycling() {}
#endif
    Recycling(const Recycling&) = delete;
    Recycling& operator=(const Recycling&) = delete;
};

}  // namespace ngram
