// The query structure `bucketed`: one exact hash table per order, float32 values, any ARPA model.
// Input: n-grams in suffix order (bucketed_build.hpp) or arrays of a file (attach). Output: what
// the scoring kernels ask for. Read next: scoring/batch.hpp.
//
// Order 1 is an array by word id. Order k is an array of 64-byte lines, one cache line each: 5
// n-grams with probability and back-off, or at the highest order 8 n-grams with a probability.
//
// The key of (w1 .. wk) is the slot of its suffix (w2 .. wk) in the table below, times 2^word_bits,
// plus w1: K bits that name the n-gram exactly. An invertible mix permutes the K-bit numbers; the
// top of the mixed value chooses a line, and the line keeps only its low 32 bits (the remainder).
// That is enough. The keys at home in one line are a contiguous range of 2^K / lines mixed values;
// an n-gram stands at most max_displacement lines behind its home; so two mixed values that meet in
// a line differ by less than (max_displacement + 2) * 2^K / lines. While that is at most 2^32,
// equal remainders mean equal n-grams: there are no false positives. build and attach check it.
//
// An n-gram whose home is full moves to the following line; every full line it passes keeps one
// bit of a small filter, so that a lookup leaves its home only if something passed.
//
// Signs carry flags. Probabilities are at most 0, so their sign bit is free: at middle orders it
// says that no longer n-gram ends in this one (no left extension), at the highest order it holds
// the filter. A back-off of -0.0 says that no longer n-gram begins with this one (no right
// extension); a back-off of 0 that must be looked past is +0.0. This is KenLM's state minimisation.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "base/bits.hpp"
#include "base/buffer.hpp"
#include "base/errors.hpp"

namespace ngram {

namespace bucketed {

constexpr std::uint32_t kSign = 0x80000000U;
constexpr std::uint64_t kFormatVersion = 1;
constexpr unsigned kMinKeyBits = 16;  // below, the mix would have too few bits to move
constexpr unsigned kMaxKeyBits = 63;
constexpr std::uint64_t kMaxDisplacement = 0xffff;  // the scoring kernels count steps in 16 bits

inline std::uint32_t float_bits(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

inline float bits_float(std::uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

// Where a lookup goes, and what it looks for there.
struct Probe {
    std::uint32_t line;
    std::uint32_t remainder;
};

// Maps keys to lines and remainders, and back.
class Hasher {
  public:
    Hasher() = default;
    Hasher(unsigned key_bits, unsigned word_bits, std::uint64_t lines)
        : lines_(lines),
          top_mask_(~std::uint64_t{0} << (64 - key_bits)),
          word_bits_(word_bits),
          key_bits_(key_bits),
          unused_bits_(64 - key_bits),
          half_((key_bits + 1) / 2),
          quotient_((std::uint64_t{1} << key_bits) / lines),
          rest_((std::uint64_t{1} << key_bits) % lines),
          word_factor_(kFirst << unused_bits_),
          slot_factor_(word_factor_ << word_bits) {}

    unsigned key_bits() const { return key_bits_; }
    unsigned word_bits() const { return word_bits_; }
    std::uint64_t lines() const { return lines_; }

    Probe probe(std::uint64_t suffix_slot, std::uint32_t word) const {
        // (suffix_slot << word_bits_ | word) << unused_bits_, times kFirst
        std::uint64_t value = suffix_slot * slot_factor_ + word * word_factor_;
        value ^= (value >> half_) & top_mask_;
        value *= kSecond;
        return {static_cast<std::uint32_t>(multiply_high(value, lines_)),
                static_cast<std::uint32_t>(value >> unused_bits_)};
    }

    // The key whose mixed value, K bits, is `value`.
    std::uint64_t unmix(std::uint64_t value) const {
        value <<= unused_bits_;
        value *= inverse(kSecond);
        value ^= (value >> half_) & top_mask_;
        value *= inverse(kFirst);
        return value >> unused_bits_;
    }

    // The smallest mixed value at home in `line`: ceil(line * 2^K / lines).
    std::uint64_t first_value(std::uint64_t line) const {
        return line * quotient_ + (line * rest_ + lines_ - 1) / lines_;
    }

    // Whether remainders identify n-grams that stand up to `displacement` lines behind their home.
    bool is_exact(std::uint64_t displacement) const {
        return displacement < (std::uint64_t{1} << 31) &&
               (displacement + 2) <= (std::uint64_t{1} << 32) / (quotient_ + (rest_ != 0));
    }

  private:
    // Odd, so invertible; bits without pattern (from the fractions of sqrt(2) and sqrt(3)).
    static constexpr std::uint64_t kFirst = 0x6a09e667f3bcc909U;
    static constexpr std::uint64_t kSecond = 0xbb67ae8584caa73bU;

    static constexpr std::uint64_t inverse(std::uint64_t odd) {
        std::uint64_t result = odd;  // right in 3 bits; each step of Newton's doubles them
        for (int step = 0; step < 5; ++step) result *= 2 - odd * result;
        return result;
    }

    std::uint64_t lines_ = 1;
    std::uint64_t top_mask_ = 0;
    unsigned word_bits_ = 1;
    unsigned key_bits_ = kMinKeyBits;
    unsigned unused_bits_ = 64 - kMinKeyBits;
    unsigned half_ = kMinKeyBits / 2;
    std::uint64_t quotient_ = 0;
    std::uint64_t rest_ = 0;
    std::uint64_t word_factor_ = 0;
    std::uint64_t slot_factor_ = 0;
};

// Values and flags of order 1.
struct Unigram {
    std::uint32_t prob_bits;
    std::uint32_t backoff_bits;
};

// One cache line of a middle order.
struct MiddleLine {
    static constexpr unsigned kEntries = 5;
    std::uint32_t remainder[kEntries];
    std::uint32_t overflow;
    std::uint32_t prob_bits[kEntries];
    std::uint32_t backoff_bits[kEntries];

    bool overflowed(std::uint32_t wanted) const { return (overflow >> (wanted & 31)) & 1; }
    void set_overflowed(std::uint32_t passing) { overflow |= std::uint32_t{1} << (passing & 31); }
};

// One cache line of the highest order.
struct LongestLine {
    static constexpr unsigned kEntries = 8;
    std::uint32_t remainder[kEntries];
    std::uint32_t prob_bits[kEntries];

    bool overflowed(std::uint32_t wanted) const { return prob_bits[wanted & 7] >> 31; }
    void set_overflowed(std::uint32_t passing) { prob_bits[passing & 7] |= kSign; }
};

static_assert(sizeof(MiddleLine) == 64 && sizeof(LongestLine) == 64 && sizeof(Unigram) == 8);

template <class Line>
constexpr std::uint32_t entry_mask() {
    return (1U << Line::kEntries) - 1;
}

// What one line says about an n-gram. If it was not found but others passed the line, the next
// line (up to max_displacement behind the first) may hold it.
template <class Line>
struct Look;
template <>
struct Look<MiddleLine> {
    bool found;
    bool passed;
    std::uint32_t prob_bits;
    std::uint32_t backoff_bits;
    std::uint32_t slot;
};
template <>
struct Look<LongestLine> {
    bool found;
    bool passed;
    std::uint32_t prob_bits;
};

// The table of one order: a view of lines.
template <class Line>
class LineTable {
  public:
    static constexpr std::uint32_t kNone = 0xffffffffU;

    LineTable() = default;
    LineTable(const Hasher& hasher, const Line* lines, std::uint64_t count,
              std::uint32_t max_displacement)
        : hasher_(hasher), lines_(lines), count_(count), max_displacement_(max_displacement) {}

    const Hasher& hasher() const { return hasher_; }
    const Line* lines() const { return lines_; }
    std::uint64_t count() const { return count_; }
    std::uint32_t max_displacement() const { return max_displacement_; }
    // The last homes may spill into the lines behind them.
    std::uint64_t total_lines() const { return hasher_.lines() + max_displacement_; }
    std::uint64_t slots() const { return total_lines() * Line::kEntries; }

    Probe probe(std::uint64_t suffix_slot, std::uint32_t word) const {
        return hasher_.probe(suffix_slot, word);
    }
    void prefetch(Probe at) const { ngram::prefetch(&lines_[at.line]); }

    // One step of a lookup: what the line of `at` says. Without branches, because whether an
    // n-gram is there is what a processor predicts worst.
    Look<Line> look(Probe at) const {
        const Line& line = lines_[at.line];
        const std::uint32_t mask = equal_lanes(line.remainder, at.remainder) & entry_mask<Line>();
        const unsigned place = lowest_lane(mask | 1U << (Line::kEntries - 1));
        Look<Line> look;
        look.found = mask != 0;
        look.passed = mask == 0 && line.overflowed(at.remainder);
        look.prob_bits = line.prob_bits[place];
        if constexpr (std::is_same_v<Line, MiddleLine>) {
            look.backoff_bits = line.backoff_bits[place];
            look.slot = at.line * Line::kEntries + place;
        }
        return look;
    }

    // The slot of an n-gram, or kNone: the whole lookup, one step after the other.
    std::uint32_t find(std::uint64_t suffix_slot, std::uint32_t word) const {
        return find(probe(suffix_slot, word));
    }
    std::uint32_t find(Probe at) const {
        for (std::uint32_t step = 0;; ++step) {
            const Line& line = lines_[at.line];
            const std::uint32_t mask =
                equal_lanes(line.remainder, at.remainder) & entry_mask<Line>();
            if (mask != 0) return at.line * Line::kEntries + lowest_lane(mask);
            if (step == max_displacement_ || !line.overflowed(at.remainder)) return kNone;
            ++at.line;
        }
    }

    // Values of a slot that `find` gave.
    std::uint32_t prob_bits(std::uint32_t slot) const {
        return lines_[slot / Line::kEntries].prob_bits[slot % Line::kEntries];
    }
    std::uint32_t backoff_bits(std::uint32_t slot) const {
        return lines_[slot / Line::kEntries].backoff_bits[slot % Line::kEntries];
    }

    // What an empty place in a line holds: the remainder of a key whose home is the next line,
    // which no lookup ever seeks here.
    std::uint32_t empty_remainder(std::uint64_t line) const {
        return static_cast<std::uint32_t>(hasher_.first_value(line + 1));
    }

  private:
    Hasher hasher_;
    const Line* lines_ = nullptr;
    std::uint64_t count_ = 0;
    std::uint32_t max_displacement_ = 0;
};

using MiddleTable = LineTable<MiddleLine>;
using LongestTable = LineTable<LongestLine>;

// Owned lines that begin at a cache line, so that one line is one miss.
class Lines {
  public:
    Lines() = default;
    explicit Lines(std::size_t lines) : block_(lines * 64 + 64) {}
    void* data() {
        const auto address = reinterpret_cast<std::uintptr_t>(block_.data());
        return block_.data() + (64 - address % 64) % 64;
    }
    bool empty() const { return block_.empty(); }

  private:
    Buffer<unsigned char> block_;
};

// The arrays of a table as a file holds them: all numbers are checked before they are used.
struct Arrays {
    Span<const std::uint64_t> header;              // see Table::header
    Span<const std::uint32_t> unigrams;            // 2 per word
    std::vector<Span<const std::uint32_t>> lines;  // of order 2, 3, ..: 16 per line
};

}  // namespace bucketed

// The structure. Immutable once made; it owns its memory, or views arrays somebody keeps alive.
class Bucketed {
  public:
    using Middle = bucketed::MiddleTable;
    using Longest = bucketed::LongestTable;

    static constexpr const char* name() { return "bucketed"; }
    static constexpr const char* format_tag() { return "bucketed.1"; }

    struct OrderStatistics {
        std::uint64_t ngrams;
        std::uint64_t bytes;
        double load;  // ngrams per place
        std::uint32_t max_displacement;
        unsigned key_bits;
    };

    std::size_t order() const { return order_; }
    std::size_t vocabulary_size() const { return vocabulary_size_; }

    // Order 1; `word` is below vocabulary_size().
    const bucketed::Unigram& unigram(std::uint32_t word) const { return unigrams_[word]; }
    // Orders 2 .. order() - 1.
    const Middle& middle(std::size_t order) const { return middle_[order - 2]; }
    // Order order(), if that is above 1.
    const Longest& longest() const { return longest_; }

    std::uint64_t bytes() const {
        std::uint64_t total = vocabulary_size_ * sizeof(bucketed::Unigram);
        for (const Middle& table : middle_) total += table.total_lines() * 64;
        if (order_ > 1) total += longest_.total_lines() * 64;
        return total;
    }

    std::vector<OrderStatistics> memory_statistics() const {
        std::vector<OrderStatistics> rows;
        rows.push_back({vocabulary_size_, vocabulary_size_ * sizeof(bucketed::Unigram), 1.0, 0, 0});
        for (const Middle& table : middle_) rows.push_back(row_of(table));
        if (order_ > 1) rows.push_back(row_of(longest_));
        return rows;
    }

    // The numbers a file must hold beside the arrays: version, order, word_bits, vocabulary size,
    // then for each order from 2: n-grams, key_bits, lines, max_displacement.
    std::vector<std::uint64_t> header() const {
        std::vector<std::uint64_t> numbers = {bucketed::kFormatVersion, order_, word_bits_,
                                              vocabulary_size_};
        for (const Middle& table : middle_) append_numbers(table, numbers);
        if (order_ > 1) append_numbers(longest_, numbers);
        return numbers;
    }

    // Views of the memory, for saving: order 1, then the lines of orders 2, 3, ...
    std::vector<Span<const std::uint32_t>> blocks() const {
        std::vector<Span<const std::uint32_t>> views;
        views.emplace_back(reinterpret_cast<const std::uint32_t*>(unigrams_), 2 * vocabulary_size_);
        for (const Middle& table : middle_) views.push_back(view_of(table));
        if (order_ > 1) views.push_back(view_of(longest_));
        return views;
    }

    // Makes a table over arrays that outlive it. Throws ModelFileError unless every number is in
    // its bounds, so that whatever the lines contain no lookup leaves them.
    static std::shared_ptr<Bucketed> attach(const bucketed::Arrays& arrays) {
        using bucketed::MiddleLine;
        const Span<const std::uint64_t> header = arrays.header;
        if (header.size() < 4)
            refuse("the header has " + std::to_string(header.size()) + " numbers");
        if (header[0] != bucketed::kFormatVersion) {
            refuse("the table has format version " + std::to_string(header[0]) + ", not " +
                   std::to_string(bucketed::kFormatVersion) +
                   ": it was written by another release");
        }
        const std::uint64_t order = header[1];
        if (order < 1 || order > 255) refuse("the order is " + std::to_string(order));
        if (header.size() != 4 + 4 * (order - 1) || arrays.lines.size() != order - 1) {
            refuse("the header or the number of arrays does not fit order " +
                   std::to_string(order));
        }
        auto made = std::make_shared<Bucketed>();
        Bucketed& table = *made;
        table.order_ = order;
        const std::uint64_t word_bits = header[2];
        table.vocabulary_size_ = header[3];
        if (word_bits < 1 || word_bits > 32 || table.vocabulary_size_ == 0 ||
            table.vocabulary_size_ > (std::uint64_t{1} << word_bits) ||
            arrays.unigrams.size() / 2 != table.vocabulary_size_ ||
            arrays.unigrams.size() % 2 != 0) {
            refuse("the number of words, " + std::to_string(table.vocabulary_size_) +
                   ", does not fit the array of order 1");
        }
        table.word_bits_ = static_cast<unsigned>(word_bits);
        table.unigrams_ = reinterpret_cast<const bucketed::Unigram*>(arrays.unigrams.data());
        std::uint64_t lower_slots = table.vocabulary_size_;
        for (std::size_t k = 2; k <= order; ++k) {
            const std::uint64_t* numbers = header.data() + 4 + 4 * (k - 2);
            const Span<const std::uint32_t> lines = arrays.lines[k - 2];
            if (k < order) {
                table.middle_.push_back(attach_order<Middle, MiddleLine>(
                    k, numbers, lines, table.word_bits_, lower_slots));
                lower_slots = table.middle_.back().slots();
            } else {
                table.longest_ = attach_order<Longest, bucketed::LongestLine>(
                    k, numbers, lines, table.word_bits_, lower_slots);
            }
        }
        return made;
    }

  private:
    friend class BucketedBuilder;

    [[noreturn]] static void refuse(const std::string& what) {
        throw ModelFileError("the model's n-gram table is damaged: " + what +
                             ". Save or download the model again");
    }

    template <class Table>
    static OrderStatistics row_of(const Table& table) {
        return {table.count(), table.total_lines() * 64,
                static_cast<double>(table.count()) / static_cast<double>(table.slots()),
                table.max_displacement(), table.hasher().key_bits()};
    }

    template <class Table>
    static void append_numbers(const Table& table, std::vector<std::uint64_t>& numbers) {
        numbers.push_back(table.count());
        numbers.push_back(table.hasher().key_bits());
        numbers.push_back(table.hasher().lines());
        numbers.push_back(table.max_displacement());
    }

    template <class Table>
    static Span<const std::uint32_t> view_of(const Table& table) {
        return {reinterpret_cast<const std::uint32_t*>(table.lines()), table.total_lines() * 16};
    }

    template <class Table, class Line>
    static Table attach_order(std::size_t order, const std::uint64_t* numbers,
                              Span<const std::uint32_t> words, unsigned word_bits,
                              std::uint64_t lower_slots) {
        const std::uint64_t key_bits = numbers[1];
        const std::uint64_t lines = numbers[2];
        const std::uint64_t displacement = numbers[3];
        const std::string which = "order " + std::to_string(order) + " has ";
        const std::uint64_t total = words.size() / 16;
        const std::uint64_t limit = (std::uint64_t{1} << 32) / Line::kEntries;
        if (words.size() % 16 != 0 || total > limit || displacement >= total ||
            displacement > bucketed::kMaxDisplacement || lines == 0 ||
            lines != total - displacement) {
            refuse(which + std::to_string(total) + " lines where " + std::to_string(lines) +
                   " and " + std::to_string(displacement) + " more are announced");
        }
        if (key_bits < bucketed::kMinKeyBits || key_bits > bucketed::kMaxKeyBits ||
            key_bits < bit_width(lower_slots - 1) + word_bits) {
            refuse(which + "keys of " + std::to_string(key_bits) + " bits");
        }
        if (numbers[0] > total * Line::kEntries) {
            refuse(which + std::to_string(numbers[0]) + " n-grams in too few lines");
        }
        const bucketed::Hasher hasher(static_cast<unsigned>(key_bits), word_bits, lines);
        if (!hasher.is_exact(displacement)) refuse(which + "keys that are not unique");
        return Table(hasher, reinterpret_cast<const Line*>(words.data()), numbers[0],
                     static_cast<std::uint32_t>(displacement));
    }

    std::size_t order_ = 0;
    std::size_t vocabulary_size_ = 0;
    unsigned word_bits_ = 1;
    const bucketed::Unigram* unigrams_ = nullptr;
    std::vector<Middle> middle_;
    Longest longest_;
    Buffer<bucketed::Unigram> owned_unigrams_;  // empty if the memory is somebody else's
    std::vector<bucketed::Lines> owned_lines_;
};

}  // namespace ngram
