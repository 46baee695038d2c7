// Rounds over the windows of a text: each reads the whole text and collects, sorts and hands on the
// next windows in suffix order, as many as memory is meant for. Input: ids in text order. Output,
// for every chunk, a range of last words: its sorted windows, to a builder of its own.
//
// A chunk is collected and sorted as a whole, bucket by bucket. A bucket that is too large for that
// is a chunk by itself and comes in pieces (window_pieces.hpp), in one or several rounds.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "base/spill.hpp"
#include "counts/window_pieces.hpp"
#include "counts/window_sort.hpp"
#include "counts/windows.hpp"

namespace ngram {

// What to hold in memory at once; 0 is no limit. The result does not depend on it.
struct MemoryPlan {
    std::uint64_t round_windows = 0;   // windows collected at once
    std::uint64_t bucket_windows = 0;  // windows sorted at once by one thread
    std::uint64_t chunk_events = 0;    // events of a chunk
    std::size_t tasks = 0;             // parts of the contexts; 0: as many as threads need
    Spill spill;                       // where finished parts go
};

// Ranges of buckets of about equal size. Their number is the same for any number of threads.
inline std::vector<std::size_t> cut_chunks(const Buckets& buckets, const MemoryPlan& plan) {
    constexpr std::uint64_t kMinEvents = 1 << 12;
    constexpr std::uint64_t kChunks = 64;
    std::uint64_t target = std::max(kMinEvents, buckets.begin.back() / kChunks);
    if (plan.chunk_events != 0) target = std::min(target, plan.chunk_events);
    std::vector<std::size_t> begin{0};
    bool alone = false;  // whether the bucket before is a chunk by itself
    for (std::size_t bucket = 0; bucket < buckets.size(); ++bucket) {
        const std::uint64_t size = buckets.begin[bucket + 1] - buckets.begin[bucket];
        const bool large = plan.bucket_windows != 0 && size > plan.bucket_windows;
        const bool full = buckets.begin[bucket] - buckets.begin[begin.back()] >= target;
        if (bucket != 0 && (full || large || alone)) begin.push_back(bucket);
        alone = large;
    }
    begin.push_back(buckets.size());
    return begin;
}

// Hands the windows of a chunk on to its builder, word by word.
template <unsigned W, class Builder>
class WindowFeed {
  public:
    WindowFeed(Builder& builder, Span<const std::uint32_t> counts, std::uint32_t first_word,
               std::uint32_t end_word)
        : builder_(builder), counts_(counts), word_(first_word), end_word_(end_word) {
        builder_.begin_word(word_);
    }

    // The next windows. The one before them in memory is the last of the feed before, if that had
    // the same word.
    void add(const Window<W>* windows, std::uint64_t size) {
        while (size != 0) {
            while (event_ == counts_[word_]) end_word();
            const std::uint64_t part = std::min(size, counts_[word_] - event_);
            builder_.add_windows(windows, part, event_);
            event_ += part;
            windows += part;
            size -= part;
        }
    }
    void finish() {
        while (word_ < end_word_) end_word();
    }

  private:
    void end_word() {
        builder_.end_word(event_);
        event_ = 0;
        if (++word_ < end_word_) builder_.begin_word(word_);
    }

    Builder& builder_;
    Span<const std::uint32_t> counts_;
    std::uint32_t word_;
    std::uint32_t end_word_;
    std::uint64_t event_ = 0;  // windows of the word so far
};

template <unsigned W>
class WindowRounds {
  public:
    // counts[w] windows end in w. `ids` are released when the last round has read them.
    WindowRounds(Buffer<std::uint32_t>& ids, Span<const std::uint32_t> counts,
                 const WordCodes& codes, const Buckets& buckets, const WindowLayout& layout,
                 const MemoryPlan& plan, unsigned threads, Progress& progress)
        : ids_(ids),
          counts_(counts),
          buckets_(buckets),
          plan_(plan),
          threads_(std::max(1U, threads)),
          progress_(progress),
          cuts_(cut_chunks(buckets, plan)),
          collector_(begun(progress, ids), codes, buckets, layout, threads, progress),
          pieces_(cut_pieces(collector_, buckets, counts, layout, plan.bucket_windows)),
          sorters_(threads_),
          scratch_(threads_) {
        for (std::size_t chunk = 0; chunk < chunks(); ++chunk) {
            const Pieces<W>& pieces = pieces_of(chunk);
            if (pieces.empty()) units_.push_back({chunk, 0, first_window(chunk + 1)});
            for (std::size_t piece = 0; piece < pieces.size(); ++piece) {
                units_.push_back({chunk, piece, pieces[piece].size});
            }
            if (pieces.empty()) units_.back().windows -= first_window(chunk);
        }
    }

    std::size_t chunks() const { return cuts_.size() - 1; }
    std::uint32_t first_word(std::size_t chunk) const { return buckets_.first_word[cuts_[chunk]]; }
    bool in_pieces(std::size_t chunk) const { return !pieces_of(chunk).empty(); }
    Buffer<std::uint32_t> first_words() const { return collector_.first_words(); }

    // make(chunk) returns the builder of a chunk in a unique_ptr, and done(chunk, builder) takes it
    // back: both are called by any thread, chunks in any order.
    template <class Make, class Done>
    void run(Make make, Done done) {
        using Builder = typename decltype(make(std::size_t{}))::element_type;
        std::vector<std::unique_ptr<Open<Builder>>> open(chunks());
        for (std::size_t begin = 0, end = 0; begin < units_.size(); begin = end) {
            std::uint64_t windows = 0;
            for (; end < units_.size(); windows += units_[end++].windows) {
                const bool fits = windows + units_[end].windows <= plan_.round_windows;
                if (end != begin && plan_.round_windows != 0 && !fits) break;
            }
            progress_.begin("collect windows", ids_.size());
            std::vector<Buffer<Window<W>>> blocks = collect(begin, end);
            if (end == units_.size()) ids_.clear();

            progress_.begin("sort and count", windows);
            sort_pieces(begin, end, blocks);
            std::vector<std::size_t> first{begin};  // units of each chunk
            for (std::size_t unit = begin + 1; unit < end; ++unit) {
                if (units_[unit].chunk != units_[unit - 1].chunk) first.push_back(unit);
            }
            first.push_back(end);
            parallel_for(
                first.size() - 1, threads_, progress_, [&](std::size_t i, unsigned worker) {
                    const std::size_t chunk = units_[first[i]].chunk;
                    if (open[chunk] == nullptr) {
                        open[chunk] = std::make_unique<Open<Builder>>(
                            make(chunk), counts_, first_word(chunk), first_word(chunk + 1));
                    }
                    for (std::size_t unit = first[i]; unit < first[i + 1]; ++unit) {
                        feed(unit, blocks[unit - begin], *open[chunk], worker);
                        blocks[unit - begin].clear();  // what comes next grows in this memory
                        progress_.advance(units_[unit].windows);
                    }
                    const std::size_t last = first[i + 1] - 1;
                    if (last + 1 < units_.size() && units_[last + 1].chunk == chunk) return;
                    open[chunk]->feed.finish();
                    done(chunk, *open[chunk]->builder);
                    open[chunk].reset();
                });
        }
    }

  private:
    // What is collected as a whole: a chunk, or a piece of its only bucket.
    struct Unit {
        std::size_t chunk;
        std::size_t piece;
        std::uint64_t windows;
    };

    // A chunk that has begun.
    template <class Builder>
    struct Open {
        Open(std::unique_ptr<Builder> made, Span<const std::uint32_t> counts, std::uint32_t first,
             std::uint32_t end)
            : builder(std::move(made)), feed(*builder, counts, first, end) {}

        std::unique_ptr<Builder> builder;
        WindowFeed<W, Builder> feed;
        Window<W> last{};  // of the piece before
    };

    static constexpr std::uint64_t kCopies = 1 << 12;  // of a window that repeats, fed at once

    static const Buffer<std::uint32_t>& begun(Progress& progress,
                                              const Buffer<std::uint32_t>& ids) {
        progress.begin("collect windows", ids.size());
        return ids;
    }

    std::uint64_t first_window(std::size_t chunk) const { return buckets_.begin[cuts_[chunk]]; }
    const Pieces<W>& pieces_of(std::size_t chunk) const { return pieces_[cuts_[chunk]]; }
    const Piece<W>& piece(const Unit& unit) const { return pieces_of(unit.chunk)[unit.piece]; }

    // The windows of some units, in a block for each, so that blocks can be released one by one.
    // The block of a piece has room for one more window before them.
    std::vector<Buffer<Window<W>>> collect(std::size_t begin, std::size_t end) const {
        const std::size_t first = cuts_[units_[begin].chunk];
        const std::size_t size = cuts_[units_[end - 1].chunk + 1] - first;
        std::vector<Buffer<Window<W>>> blocks(end - begin);
        std::vector<std::size_t> first_unit(size, end);  // of a bucket in pieces
        std::vector<std::atomic<Window<W>*>> of_piece(end - begin);
        Buffer<Window<W>*> cursor(collector_.parts() * size, nullptr);
        for (std::size_t i = begin; i < end; ++i) {
            const Unit& unit = units_[i];
            Buffer<Window<W>>& block = blocks[i - begin];
            const std::size_t bucket = cuts_[unit.chunk];
            if (in_pieces(unit.chunk)) {
                const bool repeats = piece(unit).repeats();
                block.resize(1 + (repeats ? std::min(unit.windows, kCopies) : unit.windows));
                if (repeats) std::fill(block.begin(), block.end(), piece(unit).first);
                of_piece[i - begin] = repeats ? nullptr : block.data() + 1;
                first_unit[bucket - first] = std::min(first_unit[bucket - first], i);
                continue;
            }
            block.resize(unit.windows);
            set_cursors(unit.chunk, first, size, block.data(), cursor.data());
        }
        collector_.collect(
            first, size, cursor.data(),
            [&](std::size_t, std::size_t bucket, const Window<W>& window) {
                const std::size_t from = first_unit[bucket - first];
                if (from == end) return;
                const std::size_t at = piece_of(pieces_[bucket], window) - units_[from].piece;
                if (at >= end - from || units_[from + at].chunk != units_[from].chunk) return;
                std::atomic<Window<W>*>& next = of_piece[from + at - begin];
                if (next.load(std::memory_order_relaxed) == nullptr) return;
                *next.fetch_add(1, std::memory_order_relaxed) = window;
            });
        return blocks;
    }

    // Where each part of the text writes into each bucket of a chunk.
    void set_cursors(std::size_t chunk, std::size_t first, std::size_t size, Window<W>* window,
                     Window<W>** cursor) const {
        for (std::size_t bucket = cuts_[chunk]; bucket < cuts_[chunk + 1]; ++bucket) {
            for (std::size_t part = 0; part < collector_.parts(); ++part) {
                cursor[part * size + (bucket - first)] = window;
                window += collector_.count(part, bucket);
            }
        }
    }

    void sort(Window<W>* windows, std::size_t size, unsigned worker) {
        if (scratch_[worker].size() < size) scratch_[worker].resize(size);
        sorters_[worker].sort(windows, scratch_[worker].data(), size);
    }

    void sort_pieces(std::size_t begin, std::size_t end, std::vector<Buffer<Window<W>>>& blocks) {
        std::vector<std::size_t> units;
        for (std::size_t unit = begin; unit < end; ++unit) {
            if (in_pieces(units_[unit].chunk) && !piece(units_[unit]).repeats()) {
                units.push_back(unit);
            }
        }
        parallel_for(units.size(), threads_, progress_, [&](std::size_t i, unsigned worker) {
            sort(blocks[units[i] - begin].data() + 1, units_[units[i]].windows, worker);
        });
    }

    template <class Builder>
    void feed(std::size_t index, Buffer<Window<W>>& block, Open<Builder>& open, unsigned worker) {
        const Unit& unit = units_[index];
        Window<W>* window = block.data();
        if (in_pieces(unit.chunk)) {
            *window = open.last;
            const std::uint64_t size = block.size() - 1;
            for (std::uint64_t left = unit.windows; left != 0;) {
                const std::uint64_t part = std::min(left, size);
                open.feed.add(window + 1, part);
                left -= part;
                *window = window[part];
            }
            open.last = *window;
            open.builder->end_piece();
            return;
        }
        for (std::size_t bucket = cuts_[unit.chunk]; bucket < cuts_[unit.chunk + 1]; ++bucket) {
            const std::size_t size = buckets_.begin[bucket + 1] - buckets_.begin[bucket];
            sort(window, size, worker);
            open.feed.add(window, size);
            window += size;
        }
    }

    Buffer<std::uint32_t>& ids_;
    Span<const std::uint32_t> counts_;
    const Buckets& buckets_;
    const MemoryPlan& plan_;
    unsigned threads_;
    Progress& progress_;
    std::vector<std::size_t> cuts_;  // first bucket of each chunk
    WindowCollector<W> collector_;
    std::vector<Pieces<W>> pieces_;  // by bucket
    std::vector<Unit> units_;
    std::vector<WindowSorter<W>> sorters_;    // per thread
    std::vector<Buffer<Window<W>>> scratch_;  // per thread
};

}  // namespace ngram
