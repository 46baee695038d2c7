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

#if !defined(_WIN32)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace ngram {
namespace memory {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kGrain = std::size_t{64} << 10;        // mapped blocks are multiples of it
constexpr std::size_t kMappedFrom = std::size_t{512} << 10;  // bytes

#if defined(__linux__)

inline std::size_t whole_pages(std::size_t bytes) {
    return (bytes + kGrain - 1) & ~(kGrain - 1);
}

// Large blocks begin at a huge page.
inline void* map_fresh(std::size_t bytes) {
    const std::size_t reach = bytes + kHugePage;
    void* found = mmap(nullptr, reach, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED) throw std::bad_alloc();
    char* begin = static_cast<char*>(found);
    const std::size_t before = -reinterpret_cast<std::uintptr_t>(begin) & (kHugePage - 1);
    if (before != 0) munmap(begin, before);
    char* block = begin + before;
    if (before != kHugePage) munmap(block + bytes, kHugePage - before);
    madvise(block, bytes, MADV_HUGEPAGE);  // advice: a refusal changes speed only
    return block;
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
    // A block of exactly `bytes`: the front of the smallest that is large enough, or else a new
    // one whose pages come from the pool as far as it has any. Null if the pool is empty.
    void* take(std::size_t bytes) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (blocks_.empty()) return nullptr;
        auto best = blocks_.end();
        for (auto block = blocks_.begin(); block != blocks_.end(); ++block) {
            const bool fits = block->bytes >= bytes;
            if (fits && (best == blocks_.end() || block->bytes < best->bytes)) best = block;
        }
        if (best == blocks_.end()) return assemble(bytes);
        void* data = best->data;
        *best = {static_cast<char*>(data) + bytes, best->bytes - bytes};
        if (best->bytes == 0) {
            *best = blocks_.back();
            blocks_.pop_back();
        }
        return data;
    }

  private:
    struct Block {
        void* data;
        std::size_t bytes;
    };

    // Moves the pages of released blocks into a new range.
    void* assemble(std::size_t bytes) {
        char* range = static_cast<char*>(map_fresh(bytes));
        for (std::size_t filled = 0; filled < bytes && !blocks_.empty();) {
            const Block block = blocks_.back();
            blocks_.pop_back();
            const std::size_t part = std::min(block.bytes, bytes - filled);
            char* data = static_cast<char*>(block.data);
            if (part < block.bytes) blocks_.push_back({data + part, block.bytes - part});
            void* moved = mremap(data, part, part, MREMAP_MAYMOVE | MREMAP_FIXED, range + filled);
            if (moved == MAP_FAILED) {
                // A block of several mappings does not move as one on some kernels, and the
                // attempt has already unmapped its goal.
                munmap(data, part);
                moved = mmap(range + filled, part, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
                if (moved == MAP_FAILED) {
                    munmap(range, bytes);
                    throw std::bad_alloc();
                }
            }
            filled += part;
        }
        return range;
    }

    std::mutex mutex_;
    std::size_t users_ = 0;
    std::vector<Block> blocks_;
};

inline void* map(std::size_t bytes) {
    bytes = whole_pages(bytes);
    void* block = Pool::instance().take(bytes);
    return block != nullptr ? block : map_fresh(bytes);
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
    // An assembled block consists of several mappings, which some kernels do not move as one.
    void* moved = mremap(block, old_bytes, bytes, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED) {
        moved = map(bytes);
        std::memcpy(moved, block, old_bytes);
        unmap(block, old_bytes);
    }
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
    void* block = bytes <= PTRDIFF_MAX ? std::malloc(bytes) : nullptr;
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

// Of mapped files (spill.hpp): buffers begin at such pages, a multiple of those of any machine.
constexpr std::size_t kFilePage = 1 << 16;

inline std::size_t whole_file_pages(std::size_t bytes) {
    return (bytes + kFilePage - 1) & ~(kFilePage - 1);
}

inline void unmap_file(void* data, std::size_t bytes) {
#if !defined(_WIN32)
    munmap(data, whole_file_pages(bytes));
#else
    (void)data, (void)bytes;
#endif
}

// Drops the pages between two addresses of a mapped file from memory; the file keeps them. A page
// that is in use at its other end comes back.
inline void rest_mapped(const void* begin, const void* end) {
#if !defined(_WIN32)
    // Of the system, not kFilePage: the file begins at any page of it, and others end before.
    static const std::uintptr_t within = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE)) - 1;
    const std::uintptr_t from = reinterpret_cast<std::uintptr_t>(begin) & ~within;
    const std::uintptr_t to = (reinterpret_cast<std::uintptr_t>(end) + within) & ~within;
    if (from < to) madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
#else
    (void)begin, (void)end;
#endif
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
