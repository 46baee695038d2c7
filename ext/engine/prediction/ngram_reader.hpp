// What prediction asks of a query structure, the same for every structure: an n-gram by its suffix
// and first word, its plain values, and all n-grams of an order. Where a probability is made of
// that of the suffix (fast.hpp), the suffix brings it, and the context what interpolation needs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/bits.hpp"
#include "base/buffer.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "model/bucketed.hpp"
#include "model/fast.hpp"

namespace ngram {

// An n-gram that a longer one ends in: its slot, and its linear probability where that is needed.
struct Suffix {
    std::uint64_t slot;
    float prob = 0;
};

// The first word of an n-gram, and what its context brings where that is needed. Who only wants to
// know the n-gram as a context leaves it out.
struct FirstWord {
    std::uint32_t word;
    fast::Context context{1.0F, 0};
};

// `slot` names the n-gram within its order, below slots(order); at order 1 it is the word. If not
// `extends_left`, no longer n-gram ends in this one.
struct FoundNgram {
    std::uint64_t slot = 0;
    float log10_prob = 0;
    float log10_backoff = 0;
    bool found = false;
    bool extends_left = false;
    float prob = 0;                  // linear, where longer n-grams need it
    fast::Context context{1.0F, 0};  // of the n-gram as a context, where they need that

    explicit operator bool() const { return found; }
    Suffix suffix() const { return {slot, prob}; }
};

template <class Structure>
class NgramReader;

// What does not depend on values.
template <class Structure>
class SlotReader {
  public:
    explicit SlotReader(const Structure& table) : table_(table) {}

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

    // Fetches what find() will read.
    void prefetch(std::size_t order, std::uint64_t suffix, std::uint32_t word) const {
        if (order == table_.order()) {
            table_.longest().prefetch(table_.longest().probe(suffix, word));
        } else {
            table_.middle(order).prefetch(table_.middle(order).probe(suffix, word));
        }
    }

    // The slot of an n-gram, or kNone.
    static constexpr std::uint32_t kNone = Structure::Middle::kNone;
    std::uint32_t locate(std::size_t order, std::uint64_t suffix, std::uint32_t word) const {
        return order == table_.order() ? table_.longest().find(suffix, word)
                                       : table_.middle(order).find(suffix, word);
    }

    // Calls visit(slot, suffix slot, first word) for the n-grams of order 2 and above with begin <=
    // slot < end, in the order of the slots.
    template <class Visit>
    void for_each(std::size_t order, std::uint64_t begin, std::uint64_t end, Visit visit) const {
        if (order == table_.order()) {
            visit_lines(table_.longest(), begin, end, visit);
        } else {
            visit_lines(table_.middle(order), begin, end, visit);
        }
    }

  protected:
    const Structure& table_;

  private:
    template <class Line, class Visit>
    static void visit_lines(const bucketed::LineTable<Line>& table, std::uint64_t begin,
                            std::uint64_t end, Visit& visit) {
        const unsigned word_bits = table.hasher().word_bits();
        const std::uint64_t word_mask = (std::uint64_t{1} << word_bits) - 1;
        for (std::uint64_t slot = begin; slot < end; ++slot) {
            const std::uint64_t line = slot / Line::kEntries;
            const auto place = static_cast<unsigned>(slot % Line::kEntries);
            if (!table.holds(line, place)) continue;
            const std::uint64_t key = table.hasher().unmix(table.value_at(line, place));
            visit(slot, key >> word_bits, static_cast<std::uint32_t>(key & word_mask));
        }
    }
};

template <>
class NgramReader<Bucketed> : public SlotReader<Bucketed> {
  public:
    using SlotReader::SlotReader;

    FoundNgram unigram(std::uint32_t word) const {
        const bucketed::Unigram& unigram = table_.unigram(word);
        return found(word, unigram.prob_bits, unigram.backoff_bits);
    }

    // The n-gram of order 2 and above that begins with `first` and goes on with `suffix`.
    FoundNgram find(std::size_t order, const Suffix& suffix, const FirstWord& first) const {
        if (order == table_.order()) {
            const bucketed::LongestTable& longest = table_.longest();
            const std::uint32_t slot = longest.find(suffix.slot, first.word);
            if (slot == kNone) return {};
            return found(slot, longest.values(slot).prob_bits | bucketed::kSign, 0);
        }
        const bucketed::MiddleTable& middle = table_.middle(order);
        const std::uint32_t slot = middle.find(suffix.slot, first.word);
        if (slot == kNone) return {};
        const bucketed::MiddleLine::Values values = middle.values(slot);
        return found(slot, values.prob_bits, values.backoff_bits);
    }

    // log10 probabilities of one order by slot: here, what the table says.
    class SlotProbs {
      public:
        SlotProbs() = default;
        SlotProbs(const NgramReader& reader, std::size_t order, const Buffer<std::uint32_t>&,
                  const SlotProbs&, unsigned, Progress&)
            : table_(&reader.table_), order_(order) {}

        float operator[](std::uint64_t slot) const {
            const auto at = static_cast<std::uint32_t>(slot);
            return log10_prob(order_ == table_->order()
                                  ? table_->longest().values(at).prob_bits
                                  : table_->middle(order_).values(at).prob_bits);
        }

      private:
        const Bucketed* table_ = nullptr;
        std::size_t order_ = 0;
    };

  private:
    // The sign bit carries flags; a probability is at most 1.
    static float log10_prob(std::uint32_t bits) {
        return bucketed::bits_float(bits | bucketed::kSign);
    }
    static FoundNgram found(std::uint64_t slot, std::uint32_t prob_bits,
                            std::uint32_t backoff_bits) {
        FoundNgram ngram;
        ngram.slot = slot;
        ngram.log10_prob = log10_prob(prob_bits);
        ngram.log10_backoff = bucketed::bits_float(backoff_bits);
        ngram.found = true;
        ngram.extends_left = (prob_bits & bucketed::kSign) == 0;
        return ngram;
    }
};

template <>
class NgramReader<Fast> : public SlotReader<Fast> {
  public:
    using SlotReader::SlotReader;

    FoundNgram unigram(std::uint32_t word) const {
        const fast::Value& value = table_.unigram(word);
        return found(word, value.part, value);
    }

    FoundNgram find(std::size_t order, const Suffix& suffix, const FirstWord& first) const {
        if (order == table_.order()) {
            const std::uint32_t slot = table_.longest().find(suffix.slot, first.word);
            if (slot == kNone) return {};
            FoundNgram ngram;
            ngram.slot = slot;
            ngram.prob = first.context.interpolate(table_.part(slot), suffix.prob);
            ngram.log10_prob = fast::log10_prob(ngram.prob);
            ngram.found = true;
            return ngram;
        }
        const std::uint32_t slot = table_.middle(order).find(suffix.slot, first.word);
        if (slot == kNone) return {};
        const fast::Value& value = table_.value(order, slot);
        return found(slot, first.context.interpolate(value.part, suffix.prob), value);
    }

    // log10 probabilities of one order by slot, made of those of the order below. `contexts` has
    // the slot of every n-gram's context.
    class SlotProbs {
      public:
        SlotProbs() = default;
        SlotProbs(const NgramReader& reader, std::size_t order,
                  const Buffer<std::uint32_t>& contexts, const SlotProbs& below, unsigned threads,
                  Progress& progress)
            : linear_(reader.slots(order)) {
            constexpr std::size_t kBlock = std::size_t{1} << 14;
            const Fast& table = reader.table_;
            parallel_for(
                (linear_.size() + kBlock - 1) / kBlock, threads, progress,
                [&](std::size_t task, unsigned) {
                    const std::size_t end = std::min(linear_.size(), (task + 1) * kBlock);
                    reader.for_each(
                        order, task * kBlock, end,
                        [&](std::uint64_t slot, std::uint64_t suffix, std::uint32_t) {
                            const auto at = static_cast<std::uint32_t>(slot);
                            const float part = order == table.order() ? table.part(at)
                                                                      : table.value(order, at).part;
                            const fast::Value& context =
                                order == 2 ? table.unigram(contexts[slot])
                                           : table.value(order - 1, contexts[slot]);
                            const float lower =
                                order == 2 ? table.unigram(static_cast<std::uint32_t>(suffix)).part
                                           : below.linear_[suffix];
                            linear_[slot] = context.context().interpolate(part, lower);
                        });
                });
        }

        float operator[](std::uint64_t slot) const { return fast::log10_prob(linear_[slot]); }

      private:
        Buffer<float> linear_;
    };

  private:
    static FoundNgram found(std::uint64_t slot, float prob, const fast::Value& value) {
        FoundNgram ngram;
        ngram.slot = slot;
        ngram.log10_prob = fast::log10_prob(prob);
        ngram.log10_backoff = bucketed::bits_float(value.backoff_bits);
        ngram.found = true;
        ngram.extends_left = value.extends_left();
        ngram.prob = prob;
        ngram.context = value.context();
        return ngram;
    }
};

}  // namespace ngram
