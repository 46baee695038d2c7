// A pipeline that works in parallel and stays in order: the calling thread fills slots one after
// another, worker threads process them in any order, and the calling thread takes the results in
// the order in which it filled the slots. Only the calling thread reads, writes, appends or calls
// into Python, so those parts need no locks and behave the same for any number of threads; also
// the first error in slot order is the one that is thrown.
//
// Memory is bounded: there are 2 * threads + 2 slots, used again and again (a slot keeps its
// buffers).
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/progress.hpp"

namespace ngram {

// Polls at most every 50 ms, from loops that turn much faster.
class CalmPoll {
  public:
    explicit CalmPoll(Progress& progress) : progress_(progress) {}

    void operator()() {
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ < std::chrono::milliseconds(50)) return;
        last_ = now;
        progress_.poll();
    }

  private:
    Progress& progress_;
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// fill(slot) prepares the next slot, or returns false when there is no more; work(slot) runs on
// a worker thread; drain(slot) gets the slots in order. With one thread all three take turns on
// the calling thread.
template <class Slot, class Fill, class Work, class Drain>
void ordered_pipeline(unsigned threads, Progress& progress, Fill fill, Work work, Drain drain) {
    CalmPoll poll(progress);
    if (threads <= 1) {
        Slot slot;
        while (fill(slot)) {
            work(slot);
            drain(slot);
            poll();
        }
        return;
    }
    struct Stage {
        Slot slot;
        bool done = false;
        std::exception_ptr error;
    };
    std::vector<Stage> stages(2 * std::size_t{threads} + 2);
    // Slot i lives in stages[i % stages.size()]. drained <= taken <= filled.
    std::size_t filled = 0;   // slots handed to the workers
    std::size_t taken = 0;    // slots a worker has begun
    std::size_t drained = 0;  // slots finished and given back
    bool closing = false;
    std::mutex mutex;
    std::condition_variable to_workers;
    std::condition_variable to_caller;

    const auto serve = [&] {
        std::unique_lock<std::mutex> lock(mutex);
        for (;;) {
            to_workers.wait(lock, [&] { return closing || taken != filled; });
            if (closing) return;
            Stage& stage = stages[taken++ % stages.size()];
            lock.unlock();
            std::exception_ptr error;
            try {
                work(stage.slot);
            } catch (...) {
                error = std::current_exception();
            }
            lock.lock();
            stage.error = error;
            stage.done = true;
            to_caller.notify_one();
        }
    };

    std::vector<std::thread> pool;
    pool.reserve(threads);
    const auto close = [&] {
        {
            const std::lock_guard<std::mutex> lock(mutex);
            closing = true;
        }
        to_workers.notify_all();
        for (std::thread& thread : pool) thread.join();
    };
    try {
        bool more = true;
        for (;;) {
            // Finished work first: it frees a slot and keeps memory low.
            Stage& oldest = stages[drained % stages.size()];
            bool ready = false;
            if (drained != filled) {
                std::unique_lock<std::mutex> lock(mutex);
                const bool full = !more || filled - drained == stages.size();
                while (full && !oldest.done) {
                    if (to_caller.wait_for(lock, std::chrono::milliseconds(50)) ==
                        std::cv_status::timeout) {
                        lock.unlock();
                        poll();
                        lock.lock();
                    }
                }
                ready = oldest.done;
            }
            if (ready) {
                if (oldest.error) std::rethrow_exception(oldest.error);
                drain(oldest.slot);
                oldest.done = false;
                ++drained;
                poll();
                continue;
            }
            if (!more) break;  // nothing left in flight either: a full wait came before
            Stage& next = stages[filled % stages.size()];
            more = fill(next.slot);
            if (more) {
                {
                    const std::lock_guard<std::mutex> lock(mutex);
                    ++filled;
                }
                // Workers start with the slots: a small job never pays for idle threads.
                if (pool.size() < threads) pool.emplace_back(serve);
                to_workers.notify_one();
            }
        }
    } catch (...) {
        close();
        throw;
    }
    close();
}

}  // namespace ngram
