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

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
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

    // Whether remainders of so many bits identify n-grams that stand up to `displacement` lines
    // behind their home.
    bool is_exact(std::uint64_t displacement, unsigned bits) const {
        return displacement < (std::uint64_t{1} << 31) &&
               (displacement + 2) <= (std::uint64_t{1} << bits) / (quotient_ + (rest_ != 0));
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

// How much of a mixed value a line keeps of each n-gram: here the low 32 bits.
struct WholeRemainder {
    // Where keys are so long that exactness, not load, decides the number of lines: how far an
    // n-gram may stand behind its home. Such tables are loosely filled; at load .8 it was 40 in
    // 4 * 10^7.
    static constexpr std::uint64_t kAllowance = 30;
    static constexpr unsigned kMostBits = 32;
    static constexpr unsigned bits = 32;

    // As many bits as n-grams need that stand `displacement` lines behind their home.
    static WholeRemainder of(const Hasher&, std::uint64_t) { return {}; }
    std::uint32_t cut(std::uint32_t value) const { return value; }
};

template <unsigned kEntries>
constexpr std::uint32_t entry_mask() {
    return (1U << kEntries) - 1;
}

// One cache line of a middle order.
struct MiddleLine {
    using Remainder = WholeRemainder;
    static constexpr unsigned kEntries = 5;
    static constexpr bool kMiddle = true;
    struct Values {
        std::uint32_t prob_bits;
        std::uint32_t backoff_bits;
    };
    std::uint32_t remainder[kEntries];
    std::uint32_t overflow;
    std::uint32_t prob_bits[kEntries];
    std::uint32_t backoff_bits[kEntries];

    // Bit i says whether place i holds `wanted`.
    std::uint32_t match(std::uint32_t wanted, Remainder) const {
        return equal_lanes(remainder, wanted) & entry_mask<kEntries>();
    }
    std::uint32_t remainder_at(unsigned place, Remainder) const { return remainder[place]; }
    // Whether an n-gram stands at a place; `empty` is the remainder of empty places.
    bool holds(unsigned place, std::uint32_t empty, Remainder) const {
        return remainder[place] != empty;
    }
    // 1 if an n-gram passed that may be the one wanted. No bool: it is to be no branch.
    std::uint32_t overflowed(std::uint32_t wanted) const { return (overflow >> (wanted & 31)) & 1; }
    void set_overflowed(std::uint32_t passing) { overflow |= std::uint32_t{1} << (passing & 31); }
    Values read(unsigned place, Remainder) const { return {prob_bits[place], backoff_bits[place]}; }
    void clear(std::uint32_t empty) {
        *this = MiddleLine{};
        for (std::uint32_t& value : remainder) value = empty;
    }
};

// One cache line of the highest order.
struct LongestLine {
    using Remainder = WholeRemainder;
    static constexpr unsigned kEntries = 8;
    static constexpr bool kMiddle = false;
    struct Values {
        std::uint32_t prob_bits;
    };
    std::uint32_t remainder[kEntries];
    std::uint32_t prob_bits[kEntries];

    std::uint32_t match(std::uint32_t wanted, Remainder) const {
        return equal_lanes(remainder, wanted);
    }
    std::uint32_t remainder_at(unsigned place, Remainder) const { return remainder[place]; }
    bool holds(unsigned place, std::uint32_t empty, Remainder) const {
        return remainder[place] != empty;
    }
    std::uint32_t overflowed(std::uint32_t wanted) const { return prob_bits[wanted & 7] >> 31; }
    void set_overflowed(std::uint32_t passing) { prob_bits[passing & 7] |= kSign; }
    Values read(unsigned place, Remainder) const { return {prob_bits[place]}; }
    void clear(std::uint32_t empty) {
        *this = LongestLine{};
        for (std::uint32_t& value : remainder) value = empty;
    }
};

static_assert(sizeof(MiddleLine) == 64 && sizeof(LongestLine) == 64 && sizeof(Unigram) == 8);

// What one line says about an n-gram. If it was not found but others passed the line, the next
// line (up to max_displacement behind the first) may hold it.
template <class Line>
struct Look {
    bool found;
    bool passed;
    std::uint32_t slot;
    typename Line::Values values;
};

// The table of one order: a view of lines.
template <class L>
class LineTable {
  public:
    using Line = L;
    using Remainder = typename Line::Remainder;
    static constexpr std::uint32_t kNone = 0xffffffffU;

    LineTable() = default;
    LineTable(const Hasher& hasher, Remainder remainder, const Line* lines, std::uint64_t count,
              std::uint32_t max_displacement)
        : hasher_(hasher),
          remainder_(remainder),
          lines_(lines),
          count_(count),
          max_displacement_(max_displacement) {}

    const Hasher& hasher() const { return hasher_; }
    Remainder remainder() const { return remainder_; }
    const Line* lines() const { return lines_; }
    std::uint64_t count() const { return count_; }
    std::uint32_t max_displacement() const { return max_displacement_; }
    // The last homes may spill into the lines behind them.
    std::uint64_t total_lines() const { return hasher_.lines() + max_displacement_; }
    std::uint64_t slots() const { return total_lines() * Line::kEntries; }

    Probe probe(std::uint64_t suffix_slot, std::uint32_t word) const {
        const Probe at = hasher_.probe(suffix_slot, word);
        return {at.line, remainder_.cut(at.remainder)};
    }
    void prefetch(Probe at) const { ngram::prefetch(&lines_[at.line]); }

    // One step of a lookup: what the line of `at` says. Without branches, because whether an
    // n-gram is there is what a processor predicts worst.
    Look<Line> look(Probe at) const {
        const Line& line = lines_[at.line];
        const std::uint32_t mask = line.match(at.remainder, remainder_);
        const unsigned place = lowest_lane(mask | 1U << (Line::kEntries - 1));
        const bool found = mask != 0;
        const bool passed = static_cast<unsigned>(!found) & line.overflowed(at.remainder);
        return {found, passed, at.line * Line::kEntries + place, line.read(place, remainder_)};
    }

    // The slot of an n-gram, or kNone: the whole lookup, one step after the other.
    std::uint32_t find(std::uint64_t suffix_slot, std::uint32_t word) const {
        return find(probe(suffix_slot, word));
    }
    std::uint32_t find(Probe at) const {
        for (std::uint32_t step = 0;; ++step) {
            const Line& line = lines_[at.line];
            const std::uint32_t mask = line.match(at.remainder, remainder_);
            if (mask != 0) return at.line * Line::kEntries + lowest_lane(mask);
            if (step == max_displacement_ || line.overflowed(at.remainder) == 0) return kNone;
            ++at.line;
        }
    }

    // Values of a slot that `find` gave.
    typename Line::Values values(std::uint32_t slot) const {
        return lines_[slot / Line::kEntries].read(slot % Line::kEntries, remainder_);
    }

    // What an empty place in a line holds: the remainder of a key whose home is the next line,
    // which no lookup ever seeks here.
    std::uint32_t empty_remainder(std::uint64_t line) const {
        return remainder_.cut(static_cast<std::uint32_t>(hasher_.first_value(line + 1)));
    }
    bool holds(std::uint64_t line, unsigned place) const {
        return lines_[line].holds(place, empty_remainder(line), remainder_);
    }

    // The mixed value of what stands at a place: the homes of a line's n-grams are that line and
    // max_displacement before it, and of their values only one ends in the remainder.
    std::uint64_t value_at(std::uint64_t line, unsigned place) const {
        const std::uint64_t farthest = std::min<std::uint64_t>(line, max_displacement_);
        const std::uint64_t least = hasher_.first_value(line - farthest);
        const std::uint32_t remainder = lines_[line].remainder_at(place, remainder_);
        return least + remainder_.cut(remainder - static_cast<std::uint32_t>(least));
    }

  private:
    Hasher hasher_;
    Remainder remainder_{};
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

[[noreturn]] inline void refuse(const std::string& what) {
    throw ModelFileError("the model's n-gram table is damaged: " + what +
                         ". Save or download the model again");
}

// Statistics of one order.
struct OrderStatistics {
    std::uint64_t ngrams;
    std::uint64_t bytes;
    double load;  // ngrams per place
    std::uint32_t max_displacement;
    unsigned key_bits;
};

template <class Line>
OrderStatistics statistics_of(const LineTable<Line>& table) {
    return {table.count(), table.total_lines() * 64,
            static_cast<double>(table.count()) / static_cast<double>(table.slots()),
            table.max_displacement(), table.hasher().key_bits()};
}

// The numbers of one order in a file's header: n-grams, key_bits, lines, max_displacement.
constexpr std::size_t kOrderNumbers = 4;

template <class Line>
void append_numbers(const LineTable<Line>& table, std::vector<std::uint64_t>& numbers) {
    numbers.push_back(table.count());
    numbers.push_back(table.hasher().key_bits());
    numbers.push_back(table.hasher().lines());
    numbers.push_back(table.max_displacement());
}

template <class Line>
Span<const std::uint32_t> view_of(const LineTable<Line>& table) {
    return {reinterpret_cast<const std::uint32_t*>(table.lines()), table.total_lines() * 16};
}

// A table over lines that outlive it. Throws ModelFileError unless every number is in its bounds,
// so that whatever the lines contain no lookup leaves them.
template <class Line>
LineTable<Line> attach_lines(std::size_t order, const std::uint64_t* numbers,
                             typename Line::Remainder remainder, Span<const std::uint32_t> words,
                             unsigned word_bits, std::uint64_t lower_slots) {
    const std::uint64_t key_bits = numbers[1];
    const std::uint64_t lines = numbers[2];
    const std::uint64_t displacement = numbers[3];
    const std::string which = "order " + std::to_string(order) + " has ";
    const std::uint64_t total = words.size() / 16;
    const std::uint64_t limit = (std::uint64_t{1} << 32) / Line::kEntries;
    if (words.size() % 16 != 0 || total > limit || displacement >= total ||
        displacement > kMaxDisplacement || lines == 0 || lines != total - displacement) {
        refuse(which + std::to_string(total) + " lines where " + std::to_string(lines) + " and " +
               std::to_string(displacement) + " more are announced");
    }
    if (key_bits < kMinKeyBits || key_bits > kMaxKeyBits ||
        key_bits < bit_width(lower_slots - 1) + word_bits) {
        refuse(which + "keys of " + std::to_string(key_bits) + " bits");
    }
    if (numbers[0] > total * Line::kEntries) {
        refuse(which + std::to_string(numbers[0]) + " n-grams in too few lines");
    }
    const Hasher hasher(static_cast<unsigned>(key_bits), word_bits, lines);
    if (!hasher.is_exact(displacement, remainder.bits)) refuse(which + "keys that are not unique");
    return LineTable<Line>(hasher, remainder, reinterpret_cast<const Line*>(words.data()),
                           numbers[0], static_cast<std::uint32_t>(displacement));
}

// The numbers that begin a file's header: version, order, word_bits, vocabulary size.
struct HeaderStart {
    static constexpr std::size_t kNumbers = 4;
    std::uint64_t order;
    unsigned word_bits;
    std::uint64_t vocabulary_size;
};

// Checks them. `per_order`: numbers for each order from 2, of which the file has `lines` arrays;
// `unigram_words`: how many 32-bit words order 1 has, `unigram_size` for each word.
inline HeaderStart read_header(Span<const std::uint64_t> header, std::uint64_t version,
                               std::size_t per_order, std::size_t lines, std::size_t unigram_words,
                               std::size_t unigram_size) {
    if (header.size() < HeaderStart::kNumbers)
        refuse("the header has " + std::to_string(header.size()) + " numbers");
    if (header[0] != version) {
        refuse("the table has format version " + std::to_string(header[0]) + ", not " +
               std::to_string(version) + ": it was written by another release");
    }
    const std::uint64_t order = header[1];
    if (order < 1 || order > 255) refuse("the order is " + std::to_string(order));
    if (header.size() != HeaderStart::kNumbers + per_order * (order - 1) || lines != order - 1) {
        refuse("the header or the number of arrays does not fit order " + std::to_string(order));
    }
    const std::uint64_t word_bits = header[2];
    const std::uint64_t words = header[3];
    if (word_bits < 1 || word_bits > 32 || words == 0 || words > (std::uint64_t{1} << word_bits) ||
        unigram_words / unigram_size != words || unigram_words % unigram_size != 0) {
        refuse("the number of words, " + std::to_string(words) +
               ", does not fit the array of order 1");
    }
    return {order, static_cast<unsigned>(word_bits), words};
}

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
    static constexpr std::size_t kUnigramWords = sizeof(bucketed::Unigram) / sizeof(std::uint32_t);

    using OrderStatistics = bucketed::OrderStatistics;

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
        for (const Middle& table : middle_) rows.push_back(bucketed::statistics_of(table));
        if (order_ > 1) rows.push_back(bucketed::statistics_of(longest_));
        return rows;
    }

    // The numbers a file must hold beside the arrays: version, order, word_bits, vocabulary size,
    // then for each order from 2: n-grams, key_bits, lines, max_displacement.
    std::vector<std::uint64_t> header() const {
        std::vector<std::uint64_t> numbers = {bucketed::kFormatVersion, order_, word_bits_,
                                              vocabulary_size_};
        for (const Middle& table : middle_) bucketed::append_numbers(table, numbers);
        if (order_ > 1) bucketed::append_numbers(longest_, numbers);
        return numbers;
    }

    // Views of the memory, for saving: order 1, then the lines of orders 2, 3, ...
    std::vector<Span<const std::uint32_t>> blocks() const {
        std::vector<Span<const std::uint32_t>> views;
        views.emplace_back(reinterpret_cast<const std::uint32_t*>(unigrams_), 2 * vocabulary_size_);
        for (const Middle& table : middle_) views.push_back(bucketed::view_of(table));
        if (order_ > 1) views.push_back(bucketed::view_of(longest_));
        return views;
    }

    // Makes a table over arrays that outlive it. Throws ModelFileError unless every number is in
    // its bounds, so that whatever the lines contain no lookup leaves them.
    static std::shared_ptr<Bucketed> attach(const bucketed::Arrays& arrays) {
        const bucketed::HeaderStart start =
            bucketed::read_header(arrays.header, bucketed::kFormatVersion, bucketed::kOrderNumbers,
                                  arrays.lines.size(), arrays.unigrams.size(), kUnigramWords);
        auto made = std::make_shared<Bucketed>();
        Bucketed& table = *made;
        table.order_ = start.order;
        table.vocabulary_size_ = start.vocabulary_size;
        table.word_bits_ = start.word_bits;
        table.unigrams_ = reinterpret_cast<const bucketed::Unigram*>(arrays.unigrams.data());
        std::uint64_t lower_slots = table.vocabulary_size_;
        for (std::size_t k = 2; k <= table.order_; ++k) {
            const std::uint64_t* numbers = arrays.header.data() + bucketed::HeaderStart::kNumbers +
                                           bucketed::kOrderNumbers * (k - 2);
            const Span<const std::uint32_t> lines = arrays.lines[k - 2];
            if (k < table.order_) {
                table.middle_.push_back(bucketed::attach_lines<bucketed::MiddleLine>(
                    k, numbers, {}, lines, table.word_bits_, lower_slots));
                lower_slots = table.middle_.back().slots();
            } else {
                table.longest_ = bucketed::attach_lines<bucketed::LongestLine>(
                    k, numbers, {}, lines, table.word_bits_, lower_slots);
            }
        }
        return made;
    }

  private:
    friend class BucketedBuilder;
    template <class Builder, class Structure, class Ngrams>
    friend class LineTableBuilder;

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
