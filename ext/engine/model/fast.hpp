// The query structure `fast`: one 32-bit word for each n-gram, exact keys, and values without loss,
// computed from counts. For models of interpolated Kneser-Ney whose counts are known
// (ngrams/counted_ngrams.hpp); all others are `bucketed`. Input: fast_build.hpp, or arrays of a
// file (attach). Output: what the scoring kernels ask for.
//
// Keys, homes, overflow and the proof that nothing is found that is not there are those of
// bucketed.hpp. Here a line has 15 words for n-grams, and the remainder is cut to as few bits as
// are exact (20 to 30, checked by build and attach); the rest of the word is the value's code.
//
// A value says what interpolation needs (Chen and Goodman 1999, modified Kneser-Ney): of the n-gram
// hw its part, adjusted count less discount, and of hw as a context the total of the adjusted
// counts that follow it, the mass gamma left for the lower order, and log10 of that. Then
//
//     p(w | h) = part(hw) / total(h) + gamma(h) * p(w | h without its first word)
//
// in float32, the operations of the estimator in their order, so that every score has the bits of
// the same model as `bucketed`. A probability itself has 20 bits of entropy; a value has one or
// two, because counts are small: each order has a dictionary of its values, the frequent ones
// first. A code is the index of a value. N-grams whose index is too large for a code take two
// places of their line, and the second one is the index.
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
#include "base/log10.hpp"
#include "model/bucketed.hpp"

namespace ngram {

namespace fast {

constexpr std::uint64_t kFormatVersion = 1;
constexpr std::uint32_t kSign = bucketed::kSign;

// What interpolation needs of a context.
struct Context {
    float total;
    float gamma;

    // The trainer's operations, in its order: context_sums.hpp.
    float interpolate(float part, float lower) const {
        const float alpha = part / total;
        return alpha + gamma * lower;
    }
};

// The value of an n-gram below the highest order. `total` is 0 if no longer n-gram begins with it;
// then its back-off is -0.0. The sign of the total says that no longer n-gram ends in it.
struct Value {
    float part;  // of order 1: the probability
    std::uint32_t backoff_bits;
    std::uint32_t total_bits;
    float gamma;

    bool extends_left() const { return total_bits >> 31 == 0; }
    Context context() const { return {bucketed::bits_float(total_bits & ~kSign), gamma}; }
};

// log10 of a probability; rounding may have carried it past 1. Its sign is set, as `bucketed` has
// it.
inline float log10_prob(float prob) {
    prob = std::min(prob, 1.0F);
    log10_in_place(&prob, 1);
    return bucketed::bits_float(bucketed::float_bits(prob) | kSign);
}

// How much of a mixed value a word keeps: its low bits. The code is above them.
struct CutRemainder {
    static constexpr std::uint64_t kAllowance = 12;  // measured: up to 9 in 10^7
    static constexpr unsigned kLeastBits = 8;
    static constexpr unsigned kMostBits = 30;

    unsigned bits = kMostBits;
    std::uint32_t mask = (1U << kMostBits) - 1;
    std::uint32_t escape = 3;  // the largest code: the index is in the next place

    CutRemainder() = default;
    explicit CutRemainder(unsigned bits)
        : bits(bits), mask((1U << bits) - 1), escape(0xffffffffU >> bits) {}

    static CutRemainder of(const bucketed::Hasher& hasher, std::uint64_t displacement) {
        unsigned bits = kLeastBits;
        while (bits < kMostBits && !hasher.is_exact(displacement, bits)) ++bits;
        return CutRemainder(bits);
    }
    std::uint32_t cut(std::uint32_t value) const { return value & mask; }
};

// One cache line. The last word has a filter of what passed, 16 bits, and above it a bit for each
// place that holds an index.
struct Line {
    using Remainder = CutRemainder;
    static constexpr unsigned kEntries = 15;
    static constexpr unsigned kMarks = 15;
    static constexpr unsigned kIndexShift = 16;
    struct Values {
        std::uint32_t value;  // its index
    };
    std::uint32_t words[16];

    std::uint32_t match(std::uint32_t wanted, Remainder remainder) const {
        return equal_masked_lanes(words, wanted, remainder.mask) & ~(words[kMarks] >> kIndexShift) &
               bucketed::entry_mask<kEntries>();
    }
    std::uint32_t remainder_at(unsigned place, Remainder remainder) const {
        return remainder.cut(words[place]);
    }
    bool holds(unsigned place, std::uint32_t empty, Remainder remainder) const {
        return remainder.cut(words[place]) != empty &&
               ((words[kMarks] >> (kIndexShift + place)) & 1) == 0;
    }
    std::uint32_t overflowed(std::uint32_t wanted) const {
        return (words[kMarks] >> (wanted & 15)) & 1;
    }
    void set_overflowed(std::uint32_t passing) { words[kMarks] |= 1U << (passing & 15); }
    Values read(unsigned place, Remainder remainder) const {
        const std::uint32_t code = words[place] >> remainder.bits;
        const std::uint32_t index =
            words[place + 1];  // of the last place: the marks, bounded later
        return {code == remainder.escape ? index : code};
    }
    void clear(std::uint32_t empty) {
        for (std::uint32_t& word : words) word = empty;
        words[kMarks] = 0;
    }
};

struct MiddleLine : Line {
    static constexpr bool kMiddle = true;
};
struct LongestLine : Line {
    static constexpr bool kMiddle = false;
};

static_assert(sizeof(MiddleLine) == 64 && sizeof(LongestLine) == 64 && sizeof(Value) == 16);

// The arrays of a table as a file holds them: all numbers are checked before they are used.
struct Arrays {
    Span<const std::uint64_t> header;               // see Fast::header
    Span<const std::uint32_t> unigrams;             // 4 per word
    std::vector<Span<const std::uint32_t>> lines;   // of order 2, 3, ..: 16 per line
    std::vector<Span<const std::uint32_t>> values;  // of order 2, 3, ..: 4 per value; last order: 1
};

}  // namespace fast

// The structure. Immutable once made; it owns its memory, or views arrays somebody keeps alive.
class Fast {
  public:
    using Middle = bucketed::LineTable<fast::MiddleLine>;
    using Longest = bucketed::LineTable<fast::LongestLine>;

    static constexpr const char* name() { return "fast"; }
    static constexpr const char* format_tag() { return "fast.1"; }
    static constexpr std::size_t kValueWords = sizeof(fast::Value) / sizeof(std::uint32_t);
    static constexpr std::size_t kUnigramWords = kValueWords;

    std::size_t order() const { return order_; }
    std::size_t vocabulary_size() const { return vocabulary_size_; }

    // Order 1; `word` is below vocabulary_size().
    const fast::Value& unigram(std::uint32_t word) const { return unigrams_[word]; }
    // Orders 2 .. order() - 1, and their values.
    const Middle& middle(std::size_t order) const { return middle_[order - 2]; }
    Span<const fast::Value> values(std::size_t order) const { return values_[order - 2]; }
    // Order order(), if that is above 1, and its parts.
    const Longest& longest() const { return longest_; }
    Span<const float> parts() const { return parts_; }

    // Of a slot that `find` gave. The lines of a damaged file may hold any index.
    const fast::Value& value(std::size_t order, std::uint32_t slot) const {
        return bounded(values(order), middle(order).values(slot).value);
    }
    float part(std::uint32_t slot) const { return bounded(parts_, longest_.values(slot).value); }

    std::uint64_t bytes() const {
        std::uint64_t total = 0;
        for (const bucketed::OrderStatistics& row : memory_statistics()) total += row.bytes;
        return total;
    }

    // The bytes of an order are those of its lines and its values.
    std::vector<bucketed::OrderStatistics> memory_statistics() const {
        std::vector<bucketed::OrderStatistics> rows;
        rows.push_back({vocabulary_size_, vocabulary_size_ * sizeof(fast::Value), 1.0, 0, 0});
        for (std::size_t k = 2; k < order_; ++k) {
            rows.push_back(bucketed::statistics_of(middle(k)));
            rows.back().bytes += values(k).size() * sizeof(fast::Value);
        }
        if (order_ > 1) {
            rows.push_back(bucketed::statistics_of(longest_));
            rows.back().bytes += parts_.size() * sizeof(float);
        }
        return rows;
    }

    // The numbers a file must hold beside the arrays: version, order, word_bits, vocabulary size,
    // then for each order from 2: n-grams, key_bits, lines, max_displacement, remainder_bits.
    std::vector<std::uint64_t> header() const {
        std::vector<std::uint64_t> numbers = {fast::kFormatVersion, order_, word_bits_,
                                              vocabulary_size_};
        for (const Middle& table : middle_) append_numbers(table, numbers);
        if (order_ > 1) append_numbers(longest_, numbers);
        return numbers;
    }

    // Views of the memory, for saving: order 1, then the lines of orders 2, 3, ...
    std::vector<Span<const std::uint32_t>> blocks() const {
        std::vector<Span<const std::uint32_t>> views;
        views.push_back(words_of<fast::Value>({unigrams_, vocabulary_size_}));
        for (const Middle& table : middle_) views.push_back(bucketed::view_of(table));
        if (order_ > 1) views.push_back(bucketed::view_of(longest_));
        return views;
    }
    // The values of orders 2, 3, ...
    std::vector<Span<const std::uint32_t>> value_blocks() const {
        std::vector<Span<const std::uint32_t>> views;
        for (const Span<const fast::Value>& values : values_) views.push_back(words_of(values));
        if (order_ > 1) views.push_back(words_of(parts_));
        return views;
    }

    // Makes a table over arrays that outlive it. Throws ModelFileError unless every number is in
    // its bounds, so that whatever the lines contain no lookup leaves them.
    static std::shared_ptr<Fast> attach(const fast::Arrays& arrays) {
        const bucketed::HeaderStart start =
            bucketed::read_header(arrays.header, fast::kFormatVersion, kOrderNumbers,
                                  arrays.lines.size(), arrays.unigrams.size(), kUnigramWords);
        if (arrays.values.size() != arrays.lines.size()) {
            bucketed::refuse("it has " + std::to_string(arrays.values.size()) +
                             " arrays of values for " + std::to_string(arrays.lines.size()) +
                             " orders");
        }
        auto made = std::make_shared<Fast>();
        Fast& table = *made;
        table.order_ = start.order;
        table.vocabulary_size_ = start.vocabulary_size;
        table.word_bits_ = start.word_bits;
        table.unigrams_ = reinterpret_cast<const fast::Value*>(arrays.unigrams.data());
        check_values(1, {table.unigrams_, table.vocabulary_size_});
        std::uint64_t lower_slots = table.vocabulary_size_;
        for (std::size_t k = 2; k <= table.order_; ++k) {
            const std::uint64_t* numbers =
                arrays.header.data() + bucketed::HeaderStart::kNumbers + kOrderNumbers * (k - 2);
            const fast::CutRemainder remainder = checked_remainder(k, numbers[kRemainderBits]);
            const Span<const std::uint32_t> lines = arrays.lines[k - 2];
            const Span<const std::uint32_t> words = arrays.values[k - 2];
            if (k < table.order_) {
                table.middle_.push_back(bucketed::attach_lines<fast::MiddleLine>(
                    k, numbers, remainder, lines, table.word_bits_, lower_slots));
                lower_slots = table.middle_.back().slots();
                if (words.size() % kValueWords != 0) refuse_values(k);
                table.values_.emplace_back(reinterpret_cast<const fast::Value*>(words.data()),
                                           words.size() / kValueWords);
                check_values(k, table.values_.back());
            } else {
                table.longest_ = bucketed::attach_lines<fast::LongestLine>(
                    k, numbers, remainder, lines, table.word_bits_, lower_slots);
                table.parts_ = {reinterpret_cast<const float*>(words.data()), words.size()};
                if (table.parts_.empty()) refuse_values(k);
                for (const float part : table.parts_) {
                    if (!is_number(part)) refuse_values(k);
                }
            }
        }
        return made;
    }

  private:
    friend class FastBuilder;
    template <class Builder, class Structure, class Ngrams>
    friend class LineTableBuilder;

    static constexpr std::size_t kOrderNumbers = bucketed::kOrderNumbers + 1;
    static constexpr std::size_t kRemainderBits = bucketed::kOrderNumbers;

    template <class T>
    static const T& bounded(Span<const T> values, std::uint32_t index) {
        return values[std::min<std::size_t>(index, values.size() - 1)];
    }

    template <class T>
    static Span<const std::uint32_t> words_of(Span<const T> values) {
        return {reinterpret_cast<const std::uint32_t*>(values.data()),
                values.size() * (sizeof(T) / sizeof(std::uint32_t))};
    }

    template <class Table>
    static void append_numbers(const Table& table, std::vector<std::uint64_t>& numbers) {
        bucketed::append_numbers(table, numbers);
        numbers.push_back(table.remainder().bits);
    }

    static fast::CutRemainder checked_remainder(std::size_t order, std::uint64_t bits) {
        if (bits < fast::CutRemainder::kLeastBits || bits > fast::CutRemainder::kMostBits) {
            bucketed::refuse("order " + std::to_string(order) + " has remainders of " +
                             std::to_string(bits) + " bits");
        }
        return fast::CutRemainder(static_cast<unsigned>(bits));
    }

    [[noreturn]] static void refuse_values(std::size_t order) {
        bucketed::refuse("the values of order " + std::to_string(order) +
                         " are not those of a model");
    }
    // Neither negative nor infinite, nor no number.
    static bool is_number(float value) {
        return bucketed::float_bits(value) < bucketed::float_bits(3.0e38F);
    }
    static void check_values(std::size_t order, Span<const fast::Value> values) {
        if (values.empty()) refuse_values(order);
        for (const fast::Value& value : values) {
            const fast::Context context = value.context();
            if (!is_number(value.part) || !is_number(context.total) || !is_number(context.gamma)) {
                refuse_values(order);
            }
        }
    }

    std::size_t order_ = 0;
    std::size_t vocabulary_size_ = 0;
    unsigned word_bits_ = 1;
    const fast::Value* unigrams_ = nullptr;
    std::vector<Middle> middle_;
    std::vector<Span<const fast::Value>> values_;
    Longest longest_;
    Span<const float> parts_;
    Buffer<fast::Value> owned_unigrams_;  // empty if the memory is somebody else's
    std::vector<bucketed::Lines> owned_lines_;
    std::vector<Buffer<fast::Value>> owned_values_;
    Buffer<float> owned_parts_;
};

}  // namespace ngram
