// Spilling: buffers that are finished go to temporary files and are read back through the page
// cache. Input: a folder, or none, and then nothing is spilled. A file has no name from the moment
// it is made, so nothing is left behind however the process ends; its space is given back when the
// last buffer in it is released. Files are written and read from front to back.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/errors.hpp"

#if !defined(_WIN32)
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#endif

namespace ngram {

#if !defined(_WIN32)

namespace spilling {

// A file without a name in a folder.
class File {
  public:
    explicit File(std::string folder) : folder_(std::move(folder)) {
#if defined(O_TMPFILE)
        descriptor_ = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
#endif
        if (descriptor_ >= 0) return;
        std::string name = folder + "/ngram-XXXXXX";  // where there is no O_TMPFILE
        descriptor_ = mkstemp(name.data());
        if (descriptor_ < 0) fail("cannot be made");
        unlink(name.c_str());
    }
    ~File() {
        if (descriptor_ >= 0) close(descriptor_);
    }
    File(File&& other) noexcept
        : folder_(std::move(other.folder_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    void write(const void* data, std::size_t bytes, std::size_t offset) const {
        const char* from = static_cast<const char*>(data);
        while (bytes != 0) {
            const ssize_t written = pwrite(descriptor_, from, bytes, static_cast<off_t>(offset));
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) fail("cannot be written");
            from += written;
            offset += static_cast<std::size_t>(written);
            bytes -= static_cast<std::size_t>(written);
        }
    }
    // Makes sure that the disk has room.
    void reserve(std::size_t bytes) const {
#if defined(__APPLE__)
        const int error = ftruncate(descriptor_, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
#else
        const int error = posix_fallocate(descriptor_, 0, static_cast<off_t>(bytes));
#endif
        if (error != 0) {
            errno = error;
            fail("cannot be written");
        }
    }
    void* map(std::size_t bytes, std::size_t offset) const {
        void* found = mmap(nullptr, memory::whole_file_pages(bytes), PROT_READ | PROT_WRITE,
                           MAP_SHARED, descriptor_, static_cast<off_t>(offset));
        if (found == MAP_FAILED) fail("cannot be mapped");
        return found;
    }

  private:
    [[noreturn]] void fail(const std::string& what) const {
        throw std::system_error(errno, std::generic_category(),
                                "a temporary file in " + folder_ + " " + what);
    }

    std::string folder_;
    int descriptor_ = -1;
};

}  // namespace spilling

class Spill {
  public:
    Spill() = default;  // spills nothing
    explicit Spill(std::string folder) : folder_(std::move(folder)) {}

    bool active() const { return !folder_.empty(); }
    const std::string& folder() const { return folder_; }

    // Moves the contents of a finished buffer to a file.
    template <class T>
    void spill(Buffer<T>& buffer) const;

    // A buffer of `size` values that will be written, in a file if there is a folder.
    template <class T>
    Buffer<T> allocate(std::size_t size) const {
        if (!active() || size == 0) return Buffer<T>(size);
        const spilling::File file(folder_);
        const std::size_t bytes = size * sizeof(T);
        file.reserve(bytes);
        return Buffer<T>::from_file(static_cast<T*>(file.map(bytes, 0)), size);
    }

  private:
    std::string folder_;
};

// Moves the contents of finished buffers to one file, in their order. The file is mapped as a
// whole, because the system allows a process only so many mappings.
class SpillBatch {
  public:
    explicit SpillBatch(const Spill& spill) : spill_(spill) {}

    template <class T>
    void add(Buffer<T>& buffer) {
        if (!spill_.active() || buffer.empty() || buffer.in_file()) return;
        if (file_ == nullptr) file_ = std::make_unique<spilling::File>(spill_.folder());
        file_->write(buffer.data(), buffer.bytes(), size_);
        moves_.push_back({&buffer, size_, &take<T>});
        size_ += memory::whole_file_pages(buffer.bytes());
    }
    void finish() {
        if (file_ == nullptr) return;
        char* const data = static_cast<char*>(file_->map(size_, 0));
        for (const Move& move : moves_) move.take(move.buffer, data + move.offset);
    }

  private:
    struct Move {
        void* buffer;
        std::size_t offset;
        void (*take)(void*, char*);
    };

    template <class T>
    static void take(void* buffer, char* data) {
        Buffer<T>& moved = *static_cast<Buffer<T>*>(buffer);
        const std::size_t size = moved.size();
        moved = Buffer<T>();  // before it becomes what it was moved to
        moved = Buffer<T>::from_file(reinterpret_cast<T*>(data), size);
    }

    const Spill& spill_;
    std::unique_ptr<spilling::File> file_;
    std::size_t size_ = 0;  // bytes
    std::vector<Move> moves_;
};

template <class T>
void Spill::spill(Buffer<T>& buffer) const {
    SpillBatch batch(*this);
    batch.add(buffer);
    batch.finish();
}

#else

namespace spilling {

struct File {
    explicit File(const std::string&) {}
    void write(const void*, std::size_t, std::size_t) const {}
    void* map(std::size_t, std::size_t) const { return nullptr; }
};

}  // namespace spilling

class Spill {  // not on this system: all stays in memory
  public:
    std::string folder() const { return {}; }
    Spill() = default;
    explicit Spill(const std::string&) {}
    bool active() const { return false; }
    template <class T>
    void spill(Buffer<T>&) const {}
    template <class T>
    Buffer<T> allocate(std::size_t size) const {
        return Buffer<T>(size);
    }
};

struct SpillBatch {
    explicit SpillBatch(const Spill&) {}
    template <class T>
    void add(Buffer<T>&) {}
    void finish() {}
};

#endif

// An array that grows at its end; what is older than `limit` bytes is in a file.
template <class T>
class SpilledArray {
  public:
    SpilledArray() = default;  // all of it stays in memory
    SpilledArray(const Spill& spill, std::size_t limit)
        : spill_(spill), limit_(std::max<std::size_t>(1, limit / sizeof(T))) {}

    std::size_t size() const { return spilled_ + recent_.size(); }
    T& back() { return recent_.back(); }
    // Adds `count` values and returns the place to write them.
    T* extend(std::size_t count) {
        if (count != 0 && spill_.active() && recent_.size() >= limit_) spill();
        const std::size_t old = recent_.size();
        recent_.extend(count);
        return recent_.data() + old;
    }
    // The whole array; this one is empty afterwards.
    Buffer<T> take() {
        if (file_ == nullptr) {
            recent_.shrink_to_fit();
            return std::move(recent_);
        }
        spill();
        const std::size_t size = std::exchange(spilled_, 0);
        return Buffer<T>::from_file(static_cast<T*>(file_->map(size * sizeof(T), 0)), size);
    }

  private:
    void spill() {
        if (file_ == nullptr) file_ = std::make_unique<spilling::File>(spill_.folder());
        file_->write(recent_.data(), recent_.bytes(), spilled_ * sizeof(T));
        spilled_ += recent_.size();
        recent_.resize(0);
    }

    Spill spill_;
    std::unique_ptr<spilling::File> file_;  // made when the limit is passed
    std::size_t limit_ = 0;                 // values
    std::size_t spilled_ = 0;
    Buffer<T> recent_;
};

}  // namespace ngram
