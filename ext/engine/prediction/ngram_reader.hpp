// What prediction asks of a query structure, the same for every structure: an n-gram by its suffix
// and first word, its plain values, and all n-grams of an order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/bits.hpp"
#include "model/bucketed.hpp"

namespace ngram {

// `slot` names the n-gram within its order, below slots(order); at order 1 it is the word. If not
// `extends_left`, no longer n-gram ends in this one.
struct FoundNgram {
    std::uint64_t slot = 0;
    float log10_prob = 0;
    float log10_backoff = 0;
    bool found = false;
    bool extends_left = false;

    explicit operator bool() const { return found; }
};

template <class Structure>
class NgramReader;

template <>
class NgramReader<Bucketed> {
  public:
    explicit NgramReader(const Bucketed& table) : table_(table) {}

    std::size_t order() const { return table_.order(); }
    std::size_t vocabulary_size() const { return table_.vocabulary_size(); }

    // N-grams of one order, and the bound of their slots.
    std::uint64_t size(std::size_t order) const {
        if (order == 1) return vocabulary_size();
        return order < table_.order() ? table_.middle(order).count() : table_.longest().count();
    }
    std::uint64_t slots(std::size_t order) const {
        if (order == 1) return vocabulary_size();
        return order < table_.order() ? table_.middle(order).slots() : table_.longest().slots();
    }

    FoundNgram unigram(std::uint32_t word) const {
        const bucketed::Unigram& unigram = table_.unigram(word);
        return {word, log10_prob(unigram.prob_bits), bucketed::bits_float(unigram.backoff_bits),
                true, (unigram.prob_bits & bucketed::kSign) == 0};
    }

    // The n-gram of order 2 and above that begins with `word` and goes on with the n-gram of the
    // order below at `suffix`.
    FoundNgram find(std::size_t order, std::uint64_t suffix, std::uint32_t word) const {
        if (order == table_.order()) {
            const bucketed::LongestTable& longest = table_.longest();
            const std::uint32_t slot = longest.find(suffix, word);
            if (slot == bucketed::LongestTable::kNone) return {};
            return {slot, log10_prob(longest.prob_bits(slot)), 0.0F, true, false};
        }
        const bucketed::MiddleTable& middle = table_.middle(order);
        const std::uint32_t slot = middle.find(suffix, word);
        if (slot == bucketed::MiddleTable::kNone) return {};
        const std::uint32_t prob_bits = middle.prob_bits(slot);
        return {slot, log10_prob(prob_bits), bucketed::bits_float(middle.backoff_bits(slot)), true,
                (prob_bits & bucketed::kSign) == 0};
    }

    // Fetches what find() will read.
    void prefetch(std::size_t order, std::uint64_t suffix, std::uint32_t word) const {
        if (order == table_.order()) {
            table_.longest().prefetch(table_.longest().probe(suffix, word));
        } else {
            table_.middle(order).prefetch(table_.middle(order).probe(suffix, word));
        }
    }

    // Calls visit(slot, suffix slot, first word, log10_prob) for the n-grams of order 2 and above
    // with begin <= slot < end, in the order of the slots.
    template <class Visit>
    void for_each(std::size_t order, std::uint64_t begin, std::uint64_t end, Visit visit) const {
        if (order == table_.order()) {
            visit_lines(table_.longest(), begin, end, visit);
        } else {
            visit_lines(table_.middle(order), begin, end, visit);
        }
    }

  private:
    // The sign bit carries flags; a probability is at most 1.
    static float log10_prob(std::uint32_t bits) {
        return bucketed::bits_float(bits | bucketed::kSign);
    }

    template <class Line, class Visit>
    static void visit_lines(const bucketed::LineTable<Line>& table, std::uint64_t begin,
                            std::uint64_t end, Visit& visit) {
        const unsigned word_bits = table.hasher().word_bits();
        const std::uint64_t word_mask = (std::uint64_t{1} << word_bits) - 1;
        for (std::uint64_t slot = begin; slot < end; ++slot) {
            const std::uint64_t index = slot / Line::kEntries;
            const std::size_t place = slot % Line::kEntries;
            const Line& line = table.lines()[index];
            if (line.remainder[place] == table.empty_remainder(index)) continue;
            const std::uint64_t key = key_at(table, index, line.remainder[place]);
            visit(slot, key >> word_bits, static_cast<std::uint32_t>(key & word_mask),
                  log10_prob(line.prob_bits[place]));
        }
    }

    // The homes of what stands in a line are that line and max_displacement before it; of their
    // mixed values only one ends in the remainder.
    template <class Line>
    static std::uint64_t key_at(const bucketed::LineTable<Line>& table, std::uint64_t line,
                                std::uint32_t remainder) {
        const std::uint64_t farthest = std::min<std::uint64_t>(line, table.max_displacement());
        const std::uint64_t least = table.hasher().first_value(line - farthest);
        const std::uint32_t above = remainder - static_cast<std::uint32_t>(least);
        return table.hasher().unmix(least + above);
    }

    const Bucketed& table_;
};

}  // namespace ngram
