// An open file that several threads write at once, each at its own offset.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <system_error>

#if defined(_WIN32)
#include <io.h>

#include <cstdio>
#else
#include <fcntl.h>
#include <unistd.h>
#endif

namespace ngram {

class OutputFile {
  public:
    // The descriptor stays its owner's, who also knows the name that belongs into an error.
    explicit OutputFile(int descriptor) : descriptor_(descriptor) {}

    // Throws std::system_error, as when the disk is full.
    void write(std::uint64_t offset, const void* data, std::size_t size) {
        const char* bytes = static_cast<const char*>(data);
#if defined(_WIN32)
        const std::lock_guard<std::mutex> lock(mutex_);
        if (_lseeki64(descriptor_, static_cast<long long>(offset), SEEK_SET) < 0) {
            fail(errno);
        }
#endif
        while (size != 0) {
#if defined(_WIN32)
            const std::size_t part = std::min(size, std::size_t{1} << 30);
            const int written = _write(descriptor_, bytes, static_cast<unsigned>(part));
#else
            const ssize_t written = pwrite(descriptor_, bytes, size, static_cast<off_t>(offset));
            if (written < 0 && errno == EINTR) continue;
#endif
            if (written < 0) fail(errno);
            if (written == 0) fail(ENOSPC);
            bytes += written;
            offset += static_cast<std::uint64_t>(written);
            size -= static_cast<std::size_t>(written);
        }
    }

    // Asks the system to bring a part of the file to the disk, which then needs no waiting for.
    void start_writeback(std::uint64_t offset, std::uint64_t size) {
#if defined(__linux__) && defined(SYNC_FILE_RANGE_WRITE)
        // Advice: where it is refused, the file is written when it is synchronised.
        (void)sync_file_range(descriptor_, static_cast<off64_t>(offset), static_cast<off64_t>(size),
                              SYNC_FILE_RANGE_WRITE);
#else
        (void)offset;
        (void)size;
#endif
    }

  private:
    [[noreturn]] static void fail(int error) {
        throw std::system_error(error, std::generic_category());
    }

    int descriptor_;
#if defined(_WIN32)
    std::mutex mutex_;
#endif
};

}  // namespace ngram
