// Building tables of lines (bucketed.hpp) from n-grams in suffix order, level by level, because the
// keys of an order are slots of the order below; and the structure `bucketed`, made of them. The
// structure `fast` has a builder of its own with the same steps: fast_build.hpp.
//
// One level: (1) n-grams are dealt to partitions, runs of lines that fit a processor's own cache,
// keeping suffix order within a partition; (2) each partition counts the n-grams of its lines,
// which tells where each of them stands, and puts them there; (3) what passes the end of a
// partition is put into the first lines with room of the next, in order; (4) the slots go the way
// of (1) back. Every cut depends on the number of n-grams only, so the bytes do not depend on
// threads. No step jumps about in far memory: (1) writes and (4) reads one stream for each
// partition. Where finished partitions go is up to a sink (bucketed_sinks.hpp). Memory beside it:
// 16 bytes for each n-gram of the level being built, 12 at the highest order. A consumed level's
// slots take the place of its suffixes; otherwise they need 4 bytes more. With less memory than
// that the steps are repeated in rounds, for some of the partitions at a time, and the slots go to
// a file.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/errors.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "base/spill.hpp"
#include "model/bucketed.hpp"
#include "model/bucketed_sinks.hpp"
#include "ngrams/prefixes.hpp"
#include "ngrams/sorted_ngrams.hpp"

namespace ngram {

namespace bucketed {

// n-grams per place. Fuller tables save memory and cost lookups a second line more often.
constexpr double kLoad = 0.8;
constexpr std::size_t kTaskNgrams = std::size_t{1} << 17;

// The n-grams of a home are placed in four classes, much used ones first, so that those that must
// stand behind it are seldom asked for. How many longer n-grams end in one tells how much it is
// used. Measured: it saves a third of the second lines and 3 % of the time with 10^8 n-grams.
constexpr unsigned kClassShift = 30;
constexpr std::uint32_t kHome = (1U << kClassShift) - 1;

inline std::uint32_t usage_class(std::uint32_t longer) {
    return std::uint32_t{longer <= 7} + std::uint32_t{longer <= 3} + std::uint32_t{longer <= 1};
}

// One n-gram on its way to its line.
template <class Line>
struct Dealt;
template <>
struct Dealt<MiddleLine> {
    static constexpr std::uint32_t kClasses = 4;
    static constexpr bool kHasWide = false;
    std::uint32_t remainder;
    std::uint32_t home_and_class;
    std::uint32_t prob_bits;
    std::uint32_t backoff_bits;

    std::uint32_t home() const { return home_and_class & kHome; }
    // Which of the n-grams of one home stays there if not all can: lowest first. Where lines have
    // wide n-grams, which take two places, they are class 0.
    std::uint32_t usage_class() const { return home_and_class >> kClassShift; }
    std::uint32_t passing() const { return remainder; }
};
template <>
struct Dealt<LongestLine> {
    static constexpr std::uint32_t kClasses = 1;
    static constexpr bool kHasWide = false;
    std::uint32_t remainder;
    std::uint32_t home_line;
    std::uint32_t prob_bits;

    std::uint32_t home() const { return home_line; }
    std::uint32_t usage_class() const { return 0; }
    std::uint32_t passing() const { return remainder; }
};

inline void write_entry(MiddleLine& line, unsigned place, const Dealt<MiddleLine>& ngram) {
    line.remainder[place] = ngram.remainder;
    line.prob_bits[place] = ngram.prob_bits;
    line.backoff_bits[place] = ngram.backoff_bits;
}

inline void write_entry(LongestLine& line, unsigned place, const Dealt<LongestLine>& ngram) {
    line.remainder[place] = ngram.remainder;
    line.prob_bits[place] = ngram.prob_bits | (line.prob_bits[place] & kSign);  // keeps the filter
}

// The first place from `place` on where an n-gram of a class can stand: a wide one stands within
// one line.
template <class Line>
constexpr std::uint32_t fitting(std::uint32_t place, std::uint32_t usage_class) {
    if constexpr (Dealt<Line>::kHasWide) {
        if (usage_class == 0 && place % Line::kEntries == Line::kEntries - 1) return place + 1;
    }
    return place;
}
// How many places it takes.
template <class Line>
constexpr std::uint32_t width(std::uint32_t usage_class) {
    return Dealt<Line>::kHasWide && usage_class == 0 ? 2 : 1;
}
// The place behind `count` n-grams of a class from `place` on.
template <class Line>
constexpr std::uint32_t behind(std::uint32_t place, std::uint32_t usage_class,
                               std::uint32_t count) {
    if (width<Line>(usage_class) == 1) return place + count;
    for (; count != 0; --count) {
        place = fitting<Line>(place, usage_class) + width<Line>(usage_class);
    }
    return place;
}

}  // namespace bucketed

// What to hold in memory at once; 0 is no limit. The bytes do not depend on it.
struct TablePlan {
    std::uint64_t dealt_bytes = 0;  // of n-grams on their way to their lines
    Spill spill;                    // where their slots go if not all are dealt at once
};

// What a file holds after a table was written: its header, and an array for each order.
struct WrittenTable {
    std::vector<std::uint64_t> header;
    std::vector<bucketed::Section> sections;
};

// The steps that are the same for every structure of lines. `Builder` derives from this and says
// what lines hold: prepare(), place_unigrams(), middle_entry() and longest_entry(),
// release_values(order) and finish_order(order, remainder). `Ngrams` has levels with `word` and
// `suffix`.
template <class Builder, class Structure, class Ngrams>
class LineTableBuilder {
  public:
    // Builds the table. With `consume` every level of `ngrams` is freed as soon as it is placed.
    static std::shared_ptr<Structure> build(Ngrams& ngrams, bool consume, unsigned threads,
                                            Progress& progress) {
        const Recycling recycling;  // a consumed level's memory holds lines next
        bucketed::MemorySink sink;
        Builder builder(ngrams, consume, TablePlan(), threads, progress, sink);
        builder.run();
        return builder.table_;
    }

    // Builds the table in an open file, from `offset` on. What is returned has no lines.
    static std::shared_ptr<Structure> write(Ngrams& ngrams, bool consume, int descriptor,
                                            std::uint64_t offset, const TablePlan& plan,
                                            unsigned threads, Progress& progress,
                                            WrittenTable& written) {
        OutputFile file(descriptor);
        bucketed::FileSink sink(file, offset);
        Builder builder(ngrams, consume, plan, threads, progress, sink);
        builder.run();
        written = {builder.table_->header(), sink.sections()};
        return builder.table_;
    }

  protected:
    using MiddleLine = typename Structure::Middle::Line;
    using LongestLine = typename Structure::Longest::Line;

    LineTableBuilder(Ngrams& ngrams, bool consume, const TablePlan& plan, unsigned threads,
                     Progress& progress, bucketed::LineSink& sink)
        : ngrams_(ngrams),
          consume_(consume),
          plan_(plan),
          threads_(std::max(1U, threads)),
          progress_(progress),
          sink_(sink),
          table_(std::make_shared<Structure>()) {}

    void run() {
        const std::size_t order = ngrams_.order();
        if (order < 1 || order > 255) {
            throw InputError("a model has order 1 to 255: these n-grams have order " +
                             std::to_string(order));
        }
        const std::size_t words = ngrams_.levels[0].size();
        if (words == 0) throw InputError("cannot build a model without words");
        std::uint64_t total = 0;
        for (const auto& level : ngrams_.levels) total += level.size();
        progress_.begin("table", total);
        table_->order_ = order;
        table_->vocabulary_size_ = words;
        table_->word_bits_ = std::max(1U, bit_width(words - 1));
        self().prepare();
        self().place_unigrams();
        std::uint64_t lower_slots = words;
        for (std::size_t k = 2; k < order; ++k) {
            table_->middle_.push_back(place<MiddleLine>(k, lower_slots));
            lower_slots = table_->middle_.back().slots();
        }
        if (order > 1) {
            table_->longest_ = place<LongestLine>(order, lower_slots);
        }
    }

    Builder& self() { return static_cast<Builder&>(*this); }
    const Builder& self() const { return static_cast<const Builder&>(*this); }

    // Calls body(value) for all values, which leave memory then, as far as they are in a file.
    template <class Body>
    static void visit(const Buffer<std::uint32_t>& values, Body body) {
        for (std::size_t begin = 0; begin < values.size(); begin += bucketed::kTaskNgrams) {
            const std::size_t end = std::min(begin + bucketed::kTaskNgrams, values.size());
            for (std::size_t i = begin; i < end; ++i) body(values[i]);
            values.rest(begin, end);
        }
    }

    // Calls body(task, begin, end) for consecutive ranges of 0..total, in parallel.
    template <class Body>
    void for_tasks(std::size_t total, Body body) {
        const std::size_t tasks = task_count(total);
        parallel_for(tasks, threads_, progress_, [&](std::size_t task, unsigned) {
            body(task, part_begin(total, tasks, task), part_begin(total, tasks, task + 1));
        });
    }
    static std::size_t task_count(std::size_t total) {
        return (total + bucketed::kTaskNgrams - 1) / bucketed::kTaskNgrams;
    }

    template <class Line>
    bucketed::LineTable<Line> place(std::size_t order, std::uint64_t lower_slots) {
        const std::size_t size = ngrams_.levels[order - 1].size();
        const unsigned key_bits =
            std::max(bucketed::kMinKeyBits, bit_width(lower_slots - 1) + table_->word_bits_);
        if (key_bits > bucketed::kMaxKeyBits) {
            throw InputError("the model is too large for its table: keys of order " +
                             std::to_string(order) + " need " + std::to_string(key_bits) +
                             " bits, at most " + std::to_string(bucketed::kMaxKeyBits) +
                             " are possible. Prune it, or limit its vocabulary");
        }
        const double places = bucketed::kLoad * Line::kEntries;
        std::uint64_t lines = static_cast<std::uint64_t>(static_cast<double>(size) / places) + 1;
        std::uint64_t allowance = Line::Remainder::kAllowance;
        while (true) {
            lines = std::max(lines, exact_lines<Line>(key_bits));
            if (lines + bucketed::kHead > (std::uint64_t{1} << 32) / Line::kEntries) {
                throw InputError("the model is too large for its table: order " +
                                 std::to_string(order) + " has " + std::to_string(size) +
                                 " n-grams. Prune it, or limit its vocabulary");
            }
            const bucketed::Hasher hasher(key_bits, table_->word_bits_, lines);
            std::uint32_t displacement = 0;
            Level<Line> level(order, hasher, Line::Remainder::of(hasher, allowance));
            const bool filled = fill(level, displacement);
            if (filled && hasher.is_exact(displacement, level.remainder.bits)) {
                finish_level(level);
                bucketed::Lines memory = sink_.end(lines + displacement);
                const auto* const data = static_cast<const Line*>(memory.data());
                table_->owned_lines_.push_back(std::move(memory));
                return {hasher, level.remainder, data, size, displacement};
            }
            if (filled && hasher.is_exact(displacement, Line::Remainder::kMostBits)) {
                allowance = displacement + 1;
            } else {
                lines += lines / 4 + 1;
            }
        }
    }

    // The fewest lines with which the allowance is exact.
    template <class Line>
    static std::uint64_t exact_lines(unsigned key_bits) {
        constexpr std::uint64_t kAllowance = Line::Remainder::kAllowance;
        constexpr unsigned kMostBits = Line::Remainder::kMostBits;
        if (key_bits <= kMostBits) return 1;
        std::uint64_t lines = (kAllowance + 2) << (key_bits - kMostBits);
        while (!bucketed::Hasher(key_bits, 1, lines).is_exact(kAllowance, kMostBits)) ++lines;
        return lines;
    }

    static constexpr std::size_t kBatch = 32;  // n-grams whose memory is under way at once

    // One level on its way into lines.
    template <class Line>
    struct Level {
        Level(std::size_t order, const bucketed::Hasher& hasher, typename Line::Remainder remainder)
            : order(order), hasher(hasher), remainder(remainder), partitions(hasher.lines()) {}

        std::size_t order;
        bucketed::Hasher hasher;
        typename Line::Remainder remainder;
        bucketed::Partitions partitions;
        // The n-grams of a partition begin at bounds[p]; when they are in their lines, their slots
        // do, one after the other. Those of the partitions [first, end) are there.
        bucketed::Dealt<Line>* dealt = nullptr;
        std::size_t first = 0;
        std::size_t end = 0;
        std::vector<std::uint32_t> bounds;  // the n-grams of partition p: bounds[p] to [p + 1]
        // ends[task * partitions + p]: behind the last n-gram that `task` dealt to p.
        Buffer<std::uint32_t> ends;
        // The slots of the partition before `first`: what passed its end is placed after the
        // others.
        Buffer<std::uint32_t> waiting;
        Buffer<std::uint32_t> all_slots;  // in suffix order; empty if all are dealt at once

        bucketed::Dealt<Line>* at(std::uint32_t index) const {
            return dealt + (index - bounds[first]);
        }
        bool is_dealt(std::size_t partition) const { return partition - first < end - first; }
        std::uint32_t* slots(std::size_t partition) {
            if (partition + 1 == first) return waiting.data();
            return reinterpret_cast<std::uint32_t*>(at(bounds[partition]));
        }

        // Where `task` dealt its first n-gram of each partition.
        const std::uint32_t* begins(std::size_t task) const {
            return task == 0 ? bounds.data() : ends.data() + (task - 1) * partitions.count();
        }
    };

    // An n-gram that passes the end of its partition, and its place behind the end.
    template <class Line>
    struct Passed {
        std::uint32_t place;
        std::uint32_t index;  // in its partition
        bucketed::Dealt<Line> ngram;
        bool operator<(const Passed& other) const { return place < other.place; }
    };

    // Deals and places one level. False if some n-gram passes the head of the next partition, or
    // the last line.
    template <class Line>
    bool fill(Level<Line>& level, std::uint32_t& displacement) {
        count(level);
        const bucketed::Partitions& partitions = level.partitions;
        sink_.begin(partitions, threads_);
        std::vector<std::vector<Passed<Line>>> passed(partitions.count());
        std::vector<std::uint32_t> farthest(partitions.count(), 0);
        while (level.end != partitions.count()) {
            begin_round(level);
            deal(level);
            parallel_for(level.end - level.first, threads_, progress_,
                         [&](std::size_t i, unsigned worker) {
                             const std::size_t p = level.first + i;
                             auto* const lines = static_cast<Line*>(sink_.partition(p, worker));
                             farthest[p] = fill_partition(level, p, lines, passed[p]);
                             sink_.filled(p, worker);
                             progress_.advance(level.bounds[p + 1] - level.bounds[p]);
                         });
            for (std::size_t p = level.first - (level.first != 0); p + 1 < level.end; ++p) {
                if (!place_all_passed(level, p, passed[p], farthest[p])) return false;
            }
            end_round(level);
        }
        displacement = *std::max_element(farthest.begin(), farthest.end());
        return passed.back().empty();
    }

    template <class Line>
    bool place_all_passed(Level<Line>& level, std::size_t partition,
                          const std::vector<Passed<Line>>& passed, std::uint32_t& displacement) {
        if (passed.empty()) return true;
        auto* const head = static_cast<Line*>(sink_.head(partition + 1));
        for (const Passed<Line>& that : passed) {
            const std::uint32_t slot =
                place_passed(level, partition + 1, head, that.ngram, displacement);
            if (slot == Structure::Middle::kNone) return false;
            level.slots(partition)[that.index] = slot;
        }
        return true;
    }

    // How many n-grams each task deals to each partition.
    template <class Line>
    void count(Level<Line>& level) {
        const std::size_t size = ngrams_.levels[level.order - 1].size();
        const std::size_t partitions = level.partitions.count();
        const std::size_t tasks = task_count(size);
        level.ends = Buffer<std::uint32_t>(tasks * partitions, 0);
        for_ngrams(level.order, [&](std::size_t task, std::size_t begin, std::size_t end) {
            std::uint32_t* const counts = level.ends.data() + task * partitions;
            for (std::size_t i = begin; i < end; ++i) {
                ++counts[level.partitions.of(probe_of(level, i).line)];
            }
        });
        level.bounds.assign(partitions + 1, 0);
        std::uint32_t sum = 0;
        for (std::size_t p = 0; p < partitions; ++p) {
            level.bounds[p] = sum;
            for (std::size_t task = 0; task < tasks; ++task) {
                const std::uint32_t count = level.ends[task * partitions + p];
                level.ends[task * partitions + p] = sum;
                sum += count;
            }
        }
        level.bounds[partitions] = sum;
    }

    // The next partitions: as many as memory is meant for, one at least.
    template <class Line>
    void begin_round(Level<Line>& level) {
        level.first = level.end;
        const std::uint64_t limit = dealt_limit(sizeof(bucketed::Dealt<Line>));
        do {
            ++level.end;
        } while (level.end != level.partitions.count() &&
                 level.bounds[level.end + 1] - level.bounds[level.first] <= limit);
        reserve_dealt(level.order, level.bounds[level.end] - level.bounds[level.first]);
        level.dealt = reinterpret_cast<bucketed::Dealt<Line>*>(dealt_.data());
    }

    void end_round(Level<MiddleLine>& level) {
        const std::size_t partitions = level.partitions.count();
        if (level.first == 0 && level.end == partitions) return;  // finish_level
        if (level.first == 0) {
            const std::size_t size = ngrams_.levels[level.order - 1].size();
            level.all_slots = plan_.spill.allocate<std::uint32_t>(size);
        }
        return_slots(level, level.all_slots.data());
        if (level.end == partitions) return;
        Buffer<std::uint32_t> last;
        last.append(level.slots(level.end - 1),
                    level.bounds[level.end] - level.bounds[level.end - 1]);
        level.waiting = std::move(last);
    }
    void end_round(Level<LongestLine>& level) {
        if (level.end == level.partitions.count()) return;
        level.waiting.resize(level.bounds[level.end] - level.bounds[level.end - 1]);
    }

    template <class Line>
    void deal(Level<Line>& level) {
        const std::size_t partitions = level.partitions.count();
        for_ngrams(level.order, [&](std::size_t task, std::size_t begin, std::size_t end) {
            deal_range(level, begin, end, level.ends.data() + task * partitions);
        });
    }

    // As for_tasks, for the n-grams of an order: those of a task leave memory when it is done, with
    // their suffixes' slots, as far as they are in files.
    template <class Body>
    void for_ngrams(std::size_t order, Body body) {
        const auto& level = ngrams_.levels[order - 1];
        for_tasks(level.size(), [&](std::size_t task, std::size_t begin, std::size_t end) {
            const std::size_t first = level.suffix[begin];  // the task may overwrite it
            const std::size_t last = level.suffix[end - 1];
            body(task, begin, end);
            if (order > 2) lower_slots_.rest(first, last + 1);
            level.rest(begin, end);
        });
    }

    template <class Line>
    bucketed::Probe probe_of(const Level<Line>& level, std::size_t index) const {
        const auto& ngrams = ngrams_.levels[level.order - 1];
        const std::uint32_t suffix = ngrams.suffix[index];
        return level.hasher.probe(level.order == 2 ? suffix : lower_slots_[suffix],
                                  ngrams.word[index]);
    }

    // next[p]: where the next n-gram of partition p goes.
    void deal_range(const Level<MiddleLine>& level, std::size_t begin, std::size_t end,
                    std::uint32_t* next) const {
        const Buffer<std::uint32_t>& above = ngrams_.levels[level.order].suffix;
        const std::uint32_t* extended =
            std::lower_bound(above.begin(), above.end(), static_cast<std::uint32_t>(begin));
        const std::uint32_t* const first_extended = extended;
        for (std::size_t from = begin; from < end; from += kBatch) {
            const std::size_t to = std::min(from + kBatch, end);
            std::uint32_t longer[kBatch] = {};  // how many longer n-grams end in each
            for (; extended != above.end() && *extended < to; ++extended) {
                ++longer[*extended - from];
            }
            deal_batch(level, from, to, next, [&](std::size_t i, bucketed::Probe at) {
                return self().middle_entry(level, i, at, longer[i - from]);
            });
        }
        above.rest(first_extended - above.begin(), extended - above.begin());
    }

    void deal_range(const Level<LongestLine>& level, std::size_t begin, std::size_t end,
                    std::uint32_t* next) const {
        for (std::size_t from = begin; from < end; from += kBatch) {
            deal_batch(level, from, std::min(from + kBatch, end), next,
                       [&](std::size_t i, bucketed::Probe at) {
                           return self().longest_entry(level, i, at);
                       });
        }
    }

    // Deals those of up to kBatch n-grams that belong to the round: first asks for the memory where
    // they go.
    template <class Line, class Entry>
    void deal_batch(const Level<Line>& level, std::size_t begin, std::size_t end,
                    std::uint32_t* next, Entry entry) const {
        bucketed::Probe probes[kBatch];
        std::uint32_t partitions[kBatch];
        std::uint32_t index[kBatch];
        std::size_t size = 0;
        for (std::size_t i = begin; i < end; ++i) {
            const bucketed::Probe at = probe_of(level, i);
            const std::size_t partition = level.partitions.of(at.line);
            if (!level.is_dealt(partition)) continue;
            probes[size] = at;
            partitions[size] = static_cast<std::uint32_t>(partition);
            index[size++] = static_cast<std::uint32_t>(i - begin);
            prefetch(level.at(next[partition]));
        }
        for (std::size_t i = 0; i < size; ++i) {
            bucketed::Dealt<Line>* const goal = level.at(next[partitions[i]]++);
            *goal = entry(begin + index[i], probes[i]);
            prefetch(goal + 2 * 64 / sizeof(*goal));  // of so many streams no processor knows
        }
    }

    // Fills the lines of a partition with its n-grams, home after home. Those of one home are in
    // the order of their classes, and within a class in suffix order. Returns the largest
    // displacement; what does not fit goes to `passed`, in home order.
    template <class Line>
    static std::uint32_t fill_partition(Level<Line>& level, std::size_t partition, Line* lines,
                                        std::vector<Passed<Line>>& passed) {
        constexpr std::uint32_t kEntries = Line::kEntries;
        constexpr std::uint32_t kClasses = bucketed::Dealt<Line>::kClasses;
        const std::uint64_t first = level.partitions.begin(partition);
        const auto size = static_cast<std::uint32_t>(level.partitions.size(partition));
        const auto rank = [first](const bucketed::Dealt<Line>& ngram) {
            return static_cast<std::uint32_t>(ngram.home() - first) * kClasses +
                   ngram.usage_class();
        };
        // How many n-grams have each home and class, then the place of the next of them.
        std::vector<std::uint32_t> next(size * kClasses, 0);
        const bucketed::Dealt<Line>* const dealt = level.at(level.bounds[partition]);
        const std::uint32_t count = level.bounds[partition + 1] - level.bounds[partition];
        for (std::uint32_t i = 0; i < count; ++i) ++next[rank(dealt[i])];
        std::uint32_t place = 0;
        for (std::uint32_t home = 0; home < size; ++home) {
            place = std::max(place, home * kEntries);
            for (std::uint32_t c = 0; c < kClasses; ++c) {
                const std::uint32_t members = std::exchange(next[home * kClasses + c], place);
                place = bucketed::behind<Line>(place, c, members);
            }
        }
        for (std::uint32_t line = 0; line < size; ++line) {
            lines[line].clear(empty_remainder(level, first + line));
        }
        std::uint32_t* const slots = level.slots(partition);  // over n-grams that are placed
        std::uint32_t farthest = 0;
        std::uint32_t places[kBatch];
        for (std::uint32_t i = 0; i < count; ++i) {
            if (i % kBatch == 0) {
                const auto batch = std::min(count - i, std::uint32_t{kBatch});
                for (std::uint32_t j = 0; j < batch; ++j) {
                    const std::uint32_t c = dealt[i + j].usage_class();
                    std::uint32_t& place = next[rank(dealt[i + j])];
                    places[j] = bucketed::fitting<Line>(place, c);
                    place = places[j] + bucketed::width<Line>(c);
                    prefetch(lines + places[j] / kEntries);
                }
            }
            const bucketed::Dealt<Line> ngram = dealt[i];
            const std::uint32_t at = places[i % kBatch];
            const std::uint32_t line = at / kEntries;
            const auto home = static_cast<std::uint32_t>(ngram.home() - first);
            for (std::uint32_t full = home; full < std::min(line, size); ++full) {
                lines[full].set_overflowed(ngram.passing());
            }
            if (line >= size) {
                passed.push_back({at, i, ngram});
                continue;
            }
            farthest = std::max(farthest, line - home);
            write_entry(lines[line], at % kEntries, ngram);
            if constexpr (Line::kMiddle) {
                slots[i] = static_cast<std::uint32_t>(first * kEntries + at);
            }
        }
        std::sort(passed.begin(), passed.end());
        return farthest;
    }

    template <class Line>
    static std::uint32_t empty_remainder(const Level<Line>& level, std::uint64_t line) {
        return level.remainder.cut(static_cast<std::uint32_t>(level.hasher.first_value(line + 1)));
    }

    // Puts an n-gram that passed the end of the partition before into the next line with room.
    // Returns its slot, or kNone.
    template <class Line>
    static std::uint32_t place_passed(const Level<Line>& level, std::size_t partition, Line* head,
                                      const bucketed::Dealt<Line>& ngram,
                                      std::uint32_t& displacement) {
        const std::uint64_t first = level.partitions.begin(partition);
        for (std::uint64_t line = first; line < first + bucketed::kHead; ++line) {
            std::uint32_t mask =
                head[line - first].match(empty_remainder(level, line), level.remainder);
            if (bucketed::width<Line>(ngram.usage_class()) == 2) mask &= mask >> 1;
            if (mask == 0) {
                head[line - first].set_overflowed(ngram.passing());
                continue;
            }
            const unsigned place = lowest_lane(mask);
            displacement = std::max(displacement, static_cast<std::uint32_t>(line - ngram.home()));
            write_entry(head[line - first], place, ngram);
            return static_cast<std::uint32_t>(line * Line::kEntries + place);
        }
        return Structure::Middle::kNone;
    }

    // When a level is placed, the next one needs its slots, in suffix order again.
    void finish_level(Level<MiddleLine>& level) {
        auto& ngrams = ngrams_.levels[level.order - 1];
        Buffer<std::uint32_t> slots = std::move(level.all_slots);
        if (slots.empty()) {
            if (!consume_) slots.resize(ngrams.size());
            return_slots(level, consume_ ? ngrams.suffix.data() : slots.data());
            if (consume_) slots = std::move(ngrams.suffix);
        }
        self().finish_order(level.order, level.remainder);
        // The next level is dealt in memory that is free now, and in use already: a first touch
        // costs more than the dealing. The rest goes back to the system, which needs it for files.
        const Recycling recycling;
        std::swap(lower_slots_, slots);
        slots.clear();
        dealt_.clear();
        if (consume_) ngrams = {};
        reserve_dealt(level.order + 1,
                      std::min<std::uint64_t>(ngrams_.levels[level.order].size(),
                                              dealt_limit(sizeof(bucketed::Dealt<MiddleLine>))));
    }
    void finish_level(Level<LongestLine>& level) {
        self().finish_order(level.order, level.remainder);
        if (consume_) ngrams_.levels[level.order - 1] = {};
    }

    // The slots of the partitions that are dealt, and of the waiting one, go to their n-grams'
    // places in suffix order. The last partition waits, unless it is the last of all.
    void return_slots(Level<MiddleLine>& level, std::uint32_t* goal) {
        const std::size_t first = level.first - (level.first != 0);
        const std::size_t end = level.end - (level.end != level.partitions.count());
        for_ngrams(level.order, [&](std::size_t task, std::size_t from, std::size_t to) {
            std::vector<const std::uint32_t*> next(end - first);
            for (std::size_t p = first; p < end; ++p) {
                next[p - first] = level.slots(p) + (level.begins(task)[p] - level.bounds[p]);
            }
            for (std::size_t i = from; i < to; ++i) {
                const std::size_t p = level.partitions.of(probe_of(level, i).line) - first;
                if (p < next.size()) goal[i] = *next[p]++;
            }
            level.all_slots.rest(from, to);
        });
    }

    // N-grams dealt at once.
    std::uint64_t dealt_limit(std::size_t bytes) const {
        return plan_.dealt_bytes == 0 ? ~std::uint64_t{0} : plan_.dealt_bytes / bytes;
    }

    // Memory for n-grams of a level on their way.
    void reserve_dealt(std::size_t order, std::uint64_t ngrams) {
        const bool highest = order == ngrams_.order();
        const std::size_t bytes =
            highest ? sizeof(bucketed::Dealt<LongestLine>) : sizeof(bucketed::Dealt<MiddleLine>);
        dealt_.resize(ngrams * (bytes / sizeof(std::uint32_t)));
    }

    Ngrams& ngrams_;
    bool consume_;
    const TablePlan plan_;  // a copy: callers pass temporary ones
    unsigned threads_;
    Progress& progress_;
    bucketed::LineSink& sink_;
    std::shared_ptr<Structure> table_;
    Buffer<std::uint32_t> lower_slots_;  // of each n-gram of the order below
    Buffer<std::uint32_t> dealt_;        // memory of Level::dealt, of each level in turn
};

class BucketedBuilder : public LineTableBuilder<BucketedBuilder, Bucketed, SortedNgrams> {
  private:
    using Base = LineTableBuilder<BucketedBuilder, Bucketed, SortedNgrams>;
    friend Base;
    using Base::Base;

    void prepare() {
        begins_.resize(ngrams_.order());
        if (ngrams_.order() > 2 && has_doubtful_context()) mark_contexts();
    }

    bucketed::Dealt<MiddleLine> middle_entry(const Level<MiddleLine>& level, std::size_t i,
                                             bucketed::Probe at, std::uint32_t longer) const {
        const NgramLevel& ngrams = ngrams_.levels[level.order - 1];
        // Unless contexts are doubtful, n-grams without back-off begin nothing.
        const Buffer<unsigned char>& begins = begins_[level.order - 1];
        const bool begins_longer = !begins.empty() && begins[i] != 0;
        const std::uint32_t backoff = bucketed::float_bits(ngrams.log10_backoff[i]);
        const std::uint32_t zero = begins_longer ? 0 : bucketed::kSign;
        return {at.remainder, at.line | bucketed::usage_class(longer) << bucketed::kClassShift,
                checked_prob(ngrams, level.order, i) | (longer != 0 ? 0 : bucketed::kSign),
                (backoff & ~bucketed::kSign) == 0 ? zero : backoff};
    }

    bucketed::Dealt<LongestLine> longest_entry(const Level<LongestLine>& level, std::size_t i,
                                               bucketed::Probe at) const {
        return {at.remainder, at.line,
                checked_prob(ngrams_.levels[level.order - 1], level.order, i)};
    }

    void finish_order(std::size_t order, bucketed::WholeRemainder) {
        if (!consume_) return;
        ngrams_.levels[order - 1].log10_prob = Buffer<float>();
        ngrams_.levels[order - 1].log10_backoff = Buffer<float>();
    }

    // Whether some n-gram above order 1 with back-off 0 might begin a longer one. Its suffix then
    // begins a longer one too, so the suffix's back-off or, at order 1, the bigrams tell. In a
    // model of lmplz without pruning there is none, and the extra lookups are saved.
    bool has_doubtful_context() {
        for (std::size_t k = 2; k < ngrams_.order(); ++k) {
            const NgramLevel& level = ngrams_.levels[k - 1];
            const NgramLevel& lower = ngrams_.levels[k - 2];
            std::atomic<bool> found{false};
            for_tasks(level.size(), [&](std::size_t, std::size_t begin, std::size_t end) {
                for (std::size_t i = begin; i < end; ++i) {
                    if (level.log10_backoff[i] != 0 || lower.log10_backoff[level.suffix[i]] == 0)
                        continue;
                    found = true;
                    return;
                }
                lower.log10_backoff.rest(level.suffix[begin], level.suffix[end - 1] + 1);
                level.log10_backoff.rest(begin, end);
                level.suffix.rest(begin, end);
            });
            if (found) return true;
            if (k == 2 && has_zero_unigram_context()) return true;
        }
        return false;
    }

    // Words with back-off 0 that begin a bigram: their bigrams' extensions need a closer look.
    bool has_zero_unigram_context() const {
        const NgramLevel& unigrams = ngrams_.levels[0];
        bool found = false;
        visit(ngrams_.levels[1].word,
              [&](std::uint32_t word) { found |= unigrams.log10_backoff[word] == 0; });
        return found;
    }

    // Notes for every n-gram whether a longer one begins with it: looks at all prefixes.
    void mark_contexts() {
        Buffer<std::uint32_t> lower;
        for (std::size_t k = 3; k <= ngrams_.order(); ++k) {
            const Span<const std::uint32_t> lower_prefix =
                k == 3 ? ngrams_.levels[1].word.span() : lower.span();
            Buffer<std::uint32_t> prefix =
                prefix_indices(ngrams_.levels, k, lower_prefix, threads_, progress_);
            Buffer<unsigned char> begins(ngrams_.levels[k - 2].size(), 0);
            for (std::size_t i = 0; i < prefix.size(); ++i) {
                if (prefix[i] == kAbsent) {
                    sorted_ngrams::refuse(k, i, "has a prefix that is absent");
                }
                begins[prefix[i]] = 1;
            }
            begins_[k - 2] = std::move(begins);
            lower = std::move(prefix);
        }
    }

    void place_unigrams() {
        const NgramLevel& level = ngrams_.levels[0];
        Buffer<bucketed::Unigram> unigrams(level.size());
        const bool highest = ngrams_.order() == 1;
        std::vector<bool> begins(level.size());
        std::vector<bool> ends(level.size());
        if (!highest) {
            visit(ngrams_.levels[1].word, [&](std::uint32_t word) { begins[word] = true; });
            visit(ngrams_.levels[1].suffix, [&](std::uint32_t word) { ends[word] = true; });
        }
        for (std::size_t word = 0; word < level.size(); ++word) {
            const float backoff = highest ? 0.0F : level.log10_backoff[word];
            unigrams[word] = {checked_prob(level, 1, word) | (ends[word] ? 0 : bucketed::kSign),
                              backoff == 0 ? (begins[word] ? 0 : bucketed::kSign)
                                           : bucketed::float_bits(backoff)};
        }
        sink_.put_unigrams(unigrams.data(), unigrams.bytes());
        table_->owned_unigrams_ = std::move(unigrams);
        table_->unigrams_ = table_->owned_unigrams_.data();
        progress_.advance(level.size());
        if (consume_) ngrams_.levels[0] = NgramLevel();
    }

    // The probability without its sign: checked, because the table cannot hold a positive one.
    static std::uint32_t checked_prob(const NgramLevel& level, std::size_t order,
                                      std::size_t index) {
        const float prob = level.log10_prob[index];
        if (!(prob <= 0)) refuse_prob(prob, order, index);
        return bucketed::float_bits(prob) & ~bucketed::kSign;
    }
    [[noreturn]] static void refuse_prob(float prob, std::size_t order, std::size_t index) {
        throw InputError("the " + std::to_string(order) + "-gram at index " +
                         std::to_string(index) + " has log10 probability " + std::to_string(prob) +
                         ": it must be at most 0");
    }

    std::vector<Buffer<unsigned char>> begins_;  // whether n-grams begin longer ones, if doubtful
};

}  // namespace ngram
