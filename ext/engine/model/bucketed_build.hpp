// Building the structure `bucketed` (bucketed.hpp) from n-grams in suffix order, level by level,
// because the keys of an order are slots of the order below.
//
// One level: (1) n-grams are dealt to partitions, runs of lines that fit a processor's own cache,
// keeping suffix order within a partition; (2) each partition orders its n-grams by home line and
// fills the lines in that order, first come first served; (3) what passes the end of a partition
// is put into the next lines with room, in order. Every cut depends on the number of n-grams only,
// so the bytes do not depend on threads. Only three accesses per n-gram go to far memory: reading
// in order, dealing, and noting the slot. Large levels are dealt in rounds. Memory beside the
// table: kRoundBytes, and 4 bytes for the slot of each n-gram of the level being built.
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
#include "model/bucketed.hpp"
#include "ngrams/sorted_ngrams.hpp"

namespace ngram {

namespace bucketed {

// n-grams per place. Fuller tables save memory and cost lookups a second line more often.
constexpr double kLoad = 0.8;
// Where keys are so long that exactness, not load, decides the number of lines: how far an n-gram
// may stand behind its home. Such tables are loosely filled; measured at kLoad: 40 in 4 * 10^7.
constexpr std::uint32_t kDisplacementAllowance = 30;
constexpr std::size_t kTaskNgrams = std::size_t{1} << 17;
constexpr std::size_t kMaxPartitions = 2048;  // more would spoil the dealing
constexpr std::size_t kRoundBytes = std::size_t{500} << 20;
constexpr unsigned kMinPartitionShift = 12;  // 4,096 lines: 256 KB

// The n-grams of a home are placed in four classes, much used ones first, so that those that must
// stand behind it are seldom asked for. How many longer n-grams end in one tells how much it is
// used. Measured: it saves a third of the second lines and 3 % of the time with 10^8 n-grams.
constexpr unsigned kClassShift = 30;
constexpr std::uint32_t kHome = (1U << kClassShift) - 1;
constexpr std::uint32_t kClasses = 4;

inline std::uint32_t usage_class(std::size_t longer) {
    return longer > 7 ? 0 : longer > 3 ? 1 : longer > 1 ? 2 : 3;
}

// One n-gram on its way to its line.
template <class Line>
struct Dealt;
template <>
struct Dealt<MiddleLine> {
    std::uint32_t remainder;
    std::uint32_t home_and_class;
    std::uint32_t prob_bits;
    std::uint32_t backoff_bits;
    std::uint32_t index;

    std::uint32_t home() const { return home_and_class & kHome; }
    // Which of the n-grams of one home stays there if not all can: lowest first.
    std::uint32_t usage_class() const { return home_and_class >> kClassShift; }
};
template <>
struct Dealt<LongestLine> {
    std::uint32_t remainder;
    std::uint32_t home_line;
    std::uint32_t prob_bits;

    std::uint32_t home() const { return home_line; }
    std::uint32_t usage_class() const { return 0; }
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

template <class Line>
void clear_line(Line& line, std::uint32_t empty) {
    std::memset(&line, 0, sizeof line);
    for (std::uint32_t& remainder : line.remainder) remainder = empty;
}

}  // namespace bucketed

class BucketedBuilder {
  public:
    // Builds the table. With `consume` every level of `ngrams` is freed as soon as it is placed.
    static std::shared_ptr<Bucketed> build(SortedNgrams& ngrams, bool consume, unsigned threads,
                                           Progress& progress) {
        const Recycling recycling;  // each level works in the memory of the level before
        BucketedBuilder builder(ngrams, consume, threads, progress);
        builder.run();
        return builder.table_;
    }

  private:
    using MiddleLine = bucketed::MiddleLine;
    using LongestLine = bucketed::LongestLine;

    BucketedBuilder(SortedNgrams& ngrams, bool consume, unsigned threads, Progress& progress)
        : ngrams_(ngrams),
          consume_(consume),
          threads_(threads),
          progress_(progress),
          table_(std::make_shared<Bucketed>()) {}

    void run() {
        const std::size_t order = ngrams_.order();
        if (order < 1 || order > 255) {
            throw InputError("a model has order 1 to 255: these n-grams have order " +
                             std::to_string(order));
        }
        const std::size_t words = ngrams_.levels[0].size();
        if (words == 0) throw InputError("cannot build a model without words");
        std::uint64_t total = 0;
        for (const NgramLevel& level : ngrams_.levels) total += level.size();
        progress_.begin("table", total);
        table_->order_ = order;
        table_->vocabulary_size_ = words;
        table_->word_bits_ = std::max(1U, bit_width(words - 1));
        contexts_by_lookup_ = order > 2 && has_doubtful_context();
        place_unigrams();
        std::uint64_t lower_slots = words;
        for (std::size_t k = 2; k < order; ++k) {
            Buffer<std::uint32_t> slots(ngrams_.levels[k - 1].size());
            const Bucketed::Middle view =
                place<Bucketed::Middle, MiddleLine>(k, lower_slots, slots);
            table_->middle_.push_back(view);
            lower_slots = view.slots();
            finish_level(k, std::move(slots));
        }
        if (order > 1) {
            Buffer<std::uint32_t> none;
            table_->longest_ = place<Bucketed::Longest, LongestLine>(order, lower_slots, none);
            finish_level(order, std::move(none));
        }
    }

    // Whether some n-gram above order 1 with back-off 0 might begin a longer one. Its suffix then
    // begins a longer one too, so the suffix's back-off or, at order 1, the bigrams tell. In a
    // model of lmplz without pruning there is none, and the extra lookups are saved.
    bool has_doubtful_context() {
        for (std::size_t k = 2; k < ngrams_.order(); ++k) {
            const NgramLevel& level = ngrams_.levels[k - 1];
            const NgramLevel& lower = ngrams_.levels[k - 2];
            std::atomic<bool> found{false};
            for_ranges(level.size(), [&](std::size_t begin, std::size_t end) {
                for (std::size_t i = begin; i < end; ++i) {
                    if (level.log10_backoff[i] != 0 || lower.log10_backoff[level.suffix[i]] == 0)
                        continue;
                    found = true;
                    return;
                }
            });
            if (found) return true;
            if (k == 2 && has_zero_unigram_context()) return true;
        }
        return false;
    }

    // Words with back-off 0 that begin a bigram: their bigrams' extensions need a closer look.
    bool has_zero_unigram_context() const {
        const NgramLevel& unigrams = ngrams_.levels[0];
        for (const std::uint32_t word : ngrams_.levels[1].word) {
            if (unigrams.log10_backoff[word] == 0) return true;
        }
        return false;
    }

    void place_unigrams() {
        const NgramLevel& level = ngrams_.levels[0];
        Buffer<bucketed::Unigram> unigrams(level.size());
        const bool highest = ngrams_.order() == 1;
        std::vector<bool> begins(level.size());
        std::vector<bool> ends(level.size());
        if (!highest) {
            for (const std::uint32_t word : ngrams_.levels[1].word) begins[word] = true;
            for (const std::uint32_t word : ngrams_.levels[1].suffix) ends[word] = true;
        }
        for (std::size_t word = 0; word < level.size(); ++word) {
            const float backoff = highest ? 0.0F : level.log10_backoff[word];
            unigrams[word] = {checked_prob(level, 1, word) | (ends[word] ? 0 : bucketed::kSign),
                              backoff == 0 ? (begins[word] ? 0 : bucketed::kSign)
                                           : bucketed::float_bits(backoff)};
        }
        table_->owned_unigrams_ = std::move(unigrams);
        table_->unigrams_ = table_->owned_unigrams_.data();
        progress_.advance(level.size());
        if (consume_ && ngrams_.order() == 1) ngrams_.levels[0] = NgramLevel();
    }

    // The probability without its sign: checked, because the table cannot hold a positive one.
    static std::uint32_t checked_prob(const NgramLevel& level, std::size_t order,
                                      std::size_t index) {
        const float prob = level.log10_prob[index];
        if (!(prob <= 0)) {
            throw InputError("the " + std::to_string(order) + "-gram at index " +
                             std::to_string(index) + " has log10 probability " +
                             std::to_string(prob) + ": it must be at most 0");
        }
        return bucketed::float_bits(prob) & ~bucketed::kSign;
    }

    // Calls body(begin, end) for consecutive ranges of 0..total, in parallel.
    template <class Body>
    void for_ranges(std::size_t total, Body body) {
        const std::size_t tasks = task_count(total);
        parallel_for(tasks, threads_, progress_, [&](std::size_t task, unsigned) {
            body(part_begin(total, tasks, task), part_begin(total, tasks, task + 1));
        });
    }
    static std::size_t task_count(std::size_t total) {
        return (total + bucketed::kTaskNgrams - 1) / bucketed::kTaskNgrams;
    }

    template <class Table, class Line>
    Table place(std::size_t order, std::uint64_t lower_slots, Buffer<std::uint32_t>& slots) {
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
        while (true) {
            lines = std::max(lines, exact_lines(key_bits));
            if (lines + kTail > (std::uint64_t{1} << 32) / Line::kEntries) {
                throw InputError("the model is too large for its table: order " +
                                 std::to_string(order) + " has " + std::to_string(size) +
                                 " n-grams. Prune it, or limit its vocabulary");
            }
            const bucketed::Hasher hasher(key_bits, table_->word_bits_, lines);
            std::uint32_t displacement = 0;
            bucketed::Lines memory(lines + kTail);
            auto* const data = static_cast<Line*>(memory.data());
            if (fill<Line>(order, hasher, data, slots, displacement) &&
                hasher.is_exact(displacement)) {
                table_->owned_lines_.push_back(std::move(memory));
                return Table(hasher, data, size, displacement);
            }
            lines += lines / 4 + 1;
        }
    }

    // The fewest lines with which kDisplacementAllowance is exact.
    static std::uint64_t exact_lines(unsigned key_bits) {
        if (key_bits <= 32) return 1;
        std::uint64_t lines = (std::uint64_t{bucketed::kDisplacementAllowance} + 2)
                              << (key_bits - 32);
        while (!bucketed::Hasher(key_bits, 1, lines).is_exact(bucketed::kDisplacementAllowance))
            ++lines;
        return lines;
    }

    // Deals and places one level. False if some n-gram passes the last line.
    template <class Line>
    bool fill(std::size_t order, const bucketed::Hasher& hasher, Line* lines,
              Buffer<std::uint32_t>& slots, std::uint32_t& displacement) {
        using bucketed::Dealt;
        const NgramLevel& level = ngrams_.levels[order - 1];
        const std::size_t size = level.size();
        unsigned shift = bucketed::kMinPartitionShift;
        while ((hasher.lines() >> shift) >= bucketed::kMaxPartitions) ++shift;
        const std::size_t partitions = (hasher.lines() >> shift) + 1;
        const std::size_t tasks = task_count(size);

        // starts[task * partitions + p]: where the task deals its first n-gram of partition p.
        Buffer<std::uint32_t> starts(tasks * partitions, 0);
        parallel_for(tasks, threads_, progress_, [&](std::size_t task, unsigned) {
            std::uint32_t* const counts = starts.data() + task * partitions;
            const std::size_t end = part_begin(size, tasks, task + 1);
            for (std::size_t i = part_begin(size, tasks, task); i < end; ++i) {
                ++counts[probe_of(order, hasher, level, i).line >> shift];
            }
        });
        std::vector<std::uint32_t> bounds(partitions + 1, 0);
        std::uint32_t sum = 0;
        for (std::size_t p = 0; p < partitions; ++p) {
            bounds[p] = sum;
            for (std::size_t task = 0; task < tasks; ++task) {
                const std::uint32_t count = starts[task * partitions + p];
                starts[task * partitions + p] = sum;
                sum += count;
            }
        }
        bounds[partitions] = sum;

        std::vector<std::vector<Dealt<Line>>> passed(partitions);
        std::vector<std::uint32_t> farthest(partitions, 0);
        Buffer<Dealt<Line>> dealt;
        for (std::size_t from = 0; from < partitions;) {
            // As many partitions as memory is meant for; each round reads the level again.
            std::size_t to = from + 1;
            while (to < partitions &&
                   bounds[to + 1] - bounds[from] <= bucketed::kRoundBytes / sizeof(dealt[0])) {
                ++to;
            }
            dealt.resize(bounds[to] - bounds[from]);
            const Round round{shift, from, to, bounds[from]};
            parallel_for(tasks, threads_, progress_, [&](std::size_t task, unsigned) {
                std::uint32_t* const next = starts.data() + task * partitions;
                deal(order, hasher, level, part_begin(size, tasks, task),
                     part_begin(size, tasks, task + 1), round, next, dealt.data());
            });
            parallel_for(to - from, threads_, progress_, [&](std::size_t i, unsigned) {
                const std::size_t p = from + i;
                const std::uint64_t first = std::uint64_t{p} << shift;
                const bool last = p + 1 == partitions;
                const std::uint64_t end =
                    last ? hasher.lines() + kTail : (std::uint64_t{p} + 1) << shift;
                farthest[p] = fill_partition(hasher, lines, first, end,
                                             dealt.data() + bounds[p] - bounds[from],
                                             bounds[p + 1] - bounds[p], slots, passed[p]);
                progress_.advance(bounds[p + 1] - bounds[p]);
            });
            from = to;
        }
        displacement = *std::max_element(farthest.begin(), farthest.end());
        for (std::size_t p = 0; p < partitions; ++p) {
            for (const Dealt<Line>& ngram : passed[p]) {
                if (!place_passed(hasher, lines, ngram, slots, displacement)) return false;
            }
        }
        return true;
    }

    // The partitions [from, to) that are filled in one round.
    struct Round {
        unsigned shift;
        std::size_t from;
        std::size_t to;
        std::uint32_t first;  // n-gram of the level, in the order of partitions

        bool has(std::uint64_t line) const {
            const std::size_t partition = line >> shift;
            return from <= partition && partition < to;
        }
    };

    bucketed::Probe probe_of(std::size_t order, const bucketed::Hasher& hasher,
                             const NgramLevel& level, std::size_t index) const {
        const std::uint32_t suffix = level.suffix[index];
        return hasher.probe(order == 2 ? suffix : lower_slots_[suffix], level.word[index]);
    }

    void deal(std::size_t order, const bucketed::Hasher& hasher, const NgramLevel& level,
              std::size_t begin, std::size_t end, const Round& round, std::uint32_t* next,
              bucketed::Dealt<MiddleLine>* dealt) const {
        const Buffer<std::uint32_t>& above = ngrams_.levels[order].suffix;
        const std::uint32_t* extended =
            std::lower_bound(above.begin(), above.end(), static_cast<std::uint32_t>(begin));
        for (std::size_t i = begin; i < end; ++i) {
            const std::uint32_t* const first_extended = extended;
            while (extended != above.end() && *extended == i) ++extended;
            const std::size_t longer = static_cast<std::size_t>(extended - first_extended);
            const bucketed::Probe at = probe_of(order, hasher, level, i);
            if (!round.has(at.line)) continue;
            const float backoff = level.log10_backoff[i];
            dealt[next[at.line >> round.shift]++ - round.first] = {
                at.remainder, at.line | bucketed::usage_class(longer) << bucketed::kClassShift,
                checked_prob(level, order, i) | (longer != 0 ? 0 : bucketed::kSign),
                // Most n-grams without back-off begin nothing; mark_contexts corrects the rest.
                backoff == 0 ? bucketed::kSign : bucketed::float_bits(backoff),
                static_cast<std::uint32_t>(i)};
        }
    }

    void deal(std::size_t order, const bucketed::Hasher& hasher, const NgramLevel& level,
              std::size_t begin, std::size_t end, const Round& round, std::uint32_t* next,
              bucketed::Dealt<LongestLine>* dealt) const {
        for (std::size_t i = begin; i < end; ++i) {
            const bucketed::Probe at = probe_of(order, hasher, level, i);
            if (!round.has(at.line)) continue;
            dealt[next[at.line >> round.shift]++ - round.first] = {at.remainder, at.line,
                                                                   checked_prob(level, order, i)};
        }
    }

    // Fills lines [first, end) with their n-grams. Those of one home are in the order of their
    // classes, and within a class in suffix order.
    // Returns the largest displacement; what does not fit goes to `passed`, in home order.
    template <class Line>
    static std::uint32_t fill_partition(const bucketed::Hasher& hasher, Line* lines,
                                        std::uint64_t first, std::uint64_t end,
                                        const bucketed::Dealt<Line>* dealt, std::size_t count,
                                        Buffer<std::uint32_t>& slots,
                                        std::vector<bucketed::Dealt<Line>>& passed) {
        const std::size_t size = static_cast<std::size_t>(end - first);
        const auto rank = [first](const bucketed::Dealt<Line>& ngram) {
            return (ngram.home() - first) * bucketed::kClasses + ngram.usage_class();
        };
        std::vector<std::uint32_t> begins(size * bucketed::kClasses + 1, 0);
        for (std::size_t i = 0; i < count; ++i) ++begins[rank(dealt[i]) + 1];
        for (std::size_t r = 1; r < begins.size(); ++r) begins[r] += begins[r - 1];
        std::vector<std::uint32_t> by_home(count);
        for (std::size_t i = 0; i < count; ++i) {
            by_home[begins[rank(dealt[i])]++] = static_cast<std::uint32_t>(i);
        }
        for (std::uint64_t line = first; line < end; ++line) {
            bucketed::clear_line(lines[line],
                                 static_cast<std::uint32_t>(hasher.first_value(line + 1)));
        }
        std::uint32_t farthest = 0;
        std::uint64_t line = first;  // the place to fill next
        unsigned place = 0;
        for (std::size_t j = 0; j < count; ++j) {
            if (j + kAhead < count) expect_slot(dealt[by_home[j + kAhead]], slots);
            const bucketed::Dealt<Line>& ngram = dealt[by_home[j]];
            if (ngram.home() > line) {
                line = ngram.home();
                place = 0;
            } else if (place == Line::kEntries) {
                ++line;
                place = 0;
            }
            for (std::uint64_t full = ngram.home(); full < std::min(line, end); ++full) {
                lines[full].set_overflowed(ngram.remainder);
            }
            if (line >= end) {
                passed.push_back(ngram);
                place = 0;
                line = end;
                continue;
            }
            farthest = std::max(farthest, static_cast<std::uint32_t>(line - ngram.home()));
            bucketed::write_entry(lines[line], place, ngram);
            note_slot(ngram, line * Line::kEntries + place, slots);
            ++place;
        }
        return farthest;
    }

    // Puts an n-gram that passed the end of its partition into the next line with room.
    template <class Line>
    static bool place_passed(const bucketed::Hasher& hasher, Line* lines,
                             const bucketed::Dealt<Line>& ngram, Buffer<std::uint32_t>& slots,
                             std::uint32_t& displacement) {
        for (std::uint64_t line = ngram.home(); line < hasher.lines() + kTail; ++line) {
            const auto empty = static_cast<std::uint32_t>(hasher.first_value(line + 1));
            const std::uint32_t mask =
                equal_lanes(lines[line].remainder, empty) & bucketed::entry_mask<Line>();
            if (mask == 0) {
                lines[line].set_overflowed(ngram.remainder);
                continue;
            }
            const unsigned place = lowest_lane(mask);
            displacement = std::max(displacement, static_cast<std::uint32_t>(line - ngram.home()));
            bucketed::write_entry(lines[line], place, ngram);
            note_slot(ngram, line * Line::kEntries + place, slots);
            return true;
        }
        return false;
    }

    static constexpr std::size_t kAhead = 24;  // slots under way to the cache
    static void expect_slot(const bucketed::Dealt<MiddleLine>& ngram,
                            const Buffer<std::uint32_t>& slots) {
        prefetch(&slots[ngram.index]);
    }
    static void expect_slot(const bucketed::Dealt<LongestLine>&, const Buffer<std::uint32_t>&) {}

    static void note_slot(const bucketed::Dealt<MiddleLine>& ngram, std::uint64_t slot,
                          Buffer<std::uint32_t>& slots) {
        slots[ngram.index] = static_cast<std::uint32_t>(slot);
    }
    static void note_slot(const bucketed::Dealt<LongestLine>&, std::uint64_t,
                          Buffer<std::uint32_t>&) {}

    // After level `order` is placed: flags of the order below that depend on it, and freeing.
    void finish_level(std::size_t order, Buffer<std::uint32_t>&& slots) {
        if (contexts_by_lookup_ && order > 2) mark_contexts(order);
        lower_slots_ = std::move(slots);
        if (!consume_) return;
        if (order == 2) ngrams_.levels[0] = NgramLevel();
        // `has_doubtful_context` is done; the level above needs only slots and its own arrays.
        if (!contexts_by_lookup_ || order > 2) ngrams_.levels[order - 1] = NgramLevel();
    }

    // Finds the prefix of every n-gram of level `order` in the table below, and clears the sign of
    // its back-off if that is -0.0: something does begin with it.
    void mark_contexts(std::size_t order) {
        const NgramLevel& level = ngrams_.levels[order - 1];
        const Bucketed::Middle& below = table_->middle_[order - 3];
        auto* const lines = const_cast<MiddleLine*>(below.lines());
        Buffer<std::uint32_t> prefix_slots(order < ngrams_.order() ? level.size() : 0);
        const Buffer<std::uint32_t>& lower =
            order == 3 ? ngrams_.levels[1].word : lower_prefix_slots_;
        for_ranges(level.size(), [&](std::size_t begin, std::size_t end) {
            constexpr std::size_t kAhead = 64;
            bucketed::Probe probes[kAhead];
            for (std::size_t from = begin; from < end; from += kAhead) {
                const std::size_t count = std::min(kAhead, end - from);
                for (std::size_t j = 0; j < count; ++j) {
                    const std::size_t i = from + j;
                    probes[j] = below.probe(lower[level.suffix[i]], level.word[i]);
                    below.prefetch(probes[j]);
                }
                for (std::size_t j = 0; j < count; ++j) {
                    const std::uint32_t slot = below.find(probes[j]);
                    if (slot == Bucketed::Middle::kNone) {
                        sorted_ngrams::refuse(order, from + j, "has a prefix that is absent");
                    }
                    clear_no_extension(lines[slot / MiddleLine::kEntries]
                                           .backoff_bits[slot % MiddleLine::kEntries]);
                    if (!prefix_slots.empty()) prefix_slots[from + j] = slot;
                }
            }
        });
        lower_prefix_slots_ = std::move(prefix_slots);
        if (consume_ && order == 3) ngrams_.levels[1] = NgramLevel();
    }

    // Several threads may find the same n-gram; all write the same value.
    static void clear_no_extension(std::uint32_t& bits) {
        static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));
        auto& shared = reinterpret_cast<std::atomic<std::uint32_t>&>(bits);
        if (shared.load(std::memory_order_relaxed) == bucketed::kSign) {
            shared.store(0, std::memory_order_relaxed);
        }
    }

    static constexpr std::uint64_t kTail = 64;  // lines behind the last home

    Recycling recycling_;  // a consumed level's memory holds lines next
    SortedNgrams& ngrams_;
    bool consume_;
    unsigned threads_;
    Progress& progress_;
    std::shared_ptr<Bucketed> table_;
    bool contexts_by_lookup_ = false;
    Buffer<std::uint32_t> lower_slots_;         // of each n-gram of the order below
    Buffer<std::uint32_t> lower_prefix_slots_;  // of its prefix, two orders below
};

}  // namespace ngram
