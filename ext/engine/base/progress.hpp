// Progress and interruption of long work. Workers only add to a counter; the thread that called
// the engine polls, which reports to the caller and lets Ctrl-C through.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/errors.hpp"

namespace ngram {

class Progress {
  public:
    // Reports (stage, done, total); returns false when the work must stop.
    using Callback = bool (*)(void* context, const char* stage, std::uint64_t done,
                              std::uint64_t total);

    Progress() = default;  // reports to nobody
    Progress(Callback callback, void* context) : callback_(callback), context_(context) {}

    bool watched() const { return callback_ != nullptr; }

    // Called by the thread that called the engine, between parallel parts.
    void begin(const char* stage, std::uint64_t total) {
        stage_ = stage;
        total_ = total;
        done_.store(0, std::memory_order_relaxed);
        poll();
    }
    void advance(std::uint64_t amount) { done_.fetch_add(amount, std::memory_order_relaxed); }

    // Called by the thread that called the engine; throws Interrupted.
    void poll() {
        if (callback_ == nullptr) return;
        if (!callback_(context_, stage_, done_.load(std::memory_order_relaxed), total_)) {
            throw Interrupted();
        }
    }

  private:
    Callback callback_ = nullptr;
    void* context_ = nullptr;
    const char* stage_ = "";
    std::uint64_t total_ = 0;
    std::atomic<std::uint64_t> done_{0};
};

}  // namespace ngram
