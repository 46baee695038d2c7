// Parallel loops. Tasks are handed out in order from one counter, so who does a task depends on
// time, but what a task does must depend on its number alone: then the result is the same for any
// number of threads. The calling thread watches (progress, Ctrl-C) and rethrows a worker's error.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/progress.hpp"

namespace ngram {

// Calls body(task, worker) for task = 0..tasks-1; worker < max(1, threads).
template <class Body>
void parallel_for(std::size_t tasks, unsigned threads, Progress& progress, Body body) {
    const unsigned workers =
        static_cast<unsigned>(std::min<std::size_t>(std::max(1U, threads), tasks));
    if (workers <= 1 && !progress.watched()) {
        for (std::size_t task = 0; task < tasks; ++task) body(task, 0U);
        return;
    }
    std::atomic<std::size_t> next{0};
    std::atomic<bool> stop{false};
    std::mutex mutex;
    std::condition_variable finished;
    unsigned running = workers;
    std::exception_ptr error;

    auto work = [&](unsigned worker) {
        try {
            while (!stop.load(std::memory_order_relaxed)) {
                const std::size_t task = next.fetch_add(1, std::memory_order_relaxed);
                if (task >= tasks) break;
                body(task, worker);
            }
        } catch (...) {
            const std::lock_guard<std::mutex> lock(mutex);
            if (!error) error = std::current_exception();
            stop = true;
        }
        const std::lock_guard<std::mutex> lock(mutex);
        --running;
        finished.notify_one();
    };

    std::vector<std::thread> pool;
    auto join = [&] {
        for (std::thread& thread : pool) thread.join();
    };
    try {
        pool.reserve(workers);
        for (unsigned worker = 0; worker < workers; ++worker) pool.emplace_back(work, worker);
        std::unique_lock<std::mutex> lock(mutex);
        while (running != 0) {
            finished.wait_for(lock, std::chrono::milliseconds(50));
            lock.unlock();
            progress.poll();
            lock.lock();
        }
    } catch (...) {
        stop = true;
        join();
        throw;
    }
    join();
    if (error) std::rethrow_exception(error);
}

// Cuts `total` into `parts` nearly equal ranges: where part begins (part = parts gives total).
inline std::size_t part_begin(std::size_t total, std::size_t parts, std::size_t part) {
    const std::size_t share = total / parts;
    return part * share + std::min(part, total % parts);
}

}  // namespace ngram
