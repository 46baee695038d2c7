// Scores of many tokens at once: word ids -> log10 probability and length of the matching n-gram.
// Input order -> the same order. Equal to KenLM's scores to the last bit: probability of the
// longest n-gram, plus back-offs from the shortest unmatched context to the longest, in float32.
//
// A lookup in a large table waits a hundred nanoseconds for memory, and an n-gram of order k can
// only be sought when its suffix is known. So a block of about a thousand consecutive tokens is
// taken through the orders together: at each order all lookups are independent, and while some
// wait for memory others are worked on. The (w1 .. wk) ending at a token is sought only if
//   (w2 .. wk), ending at the same token, is in the model and some longer n-gram ends in it, and
//   (w1 .. wk-1), ending at the token before, is in the model and some longer n-gram begins with
//   it.
// That is both halves of KenLM's state minimisation in one rule; about 2.2 lookups per token
// remain.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/buffer.hpp"
#include "model/bucketed.hpp"
#include "scoring/batch_values.hpp"

namespace ngram {

// Scores blocks of a stream of sentences. One per thread. Structure: see bucketed.hpp, and
// batch_values.hpp for what its values mean.
template <class Structure>
class BatchScorer {
  public:
    static constexpr std::size_t kBlock = 1024;  // measured: 512 is a tenth slower, 2,048 equal

    // `capacity`: most tokens of a block, at most kBlock.
    BatchScorer(const Structure& table, std::size_t capacity)
        : table_(table),
          order_(table.order()),
          halo_(order_ - 1),
          capacity_(std::min(std::max<std::size_t>(capacity, 1), kBlock)),
          words_(halo_ + capacity_),
          slots_(capacity_),
          log10_prob_(capacity_),
          length_(capacity_),
          backoffs_(order_ * (capacity_ + 1)),
          values_(table, capacity_),
          work_(kQueue * capacity_ + 1),
          probes_(kQueue * capacity_ + 1),
          extendable_(capacity_) {
        std::fill(words_.begin(), words_.begin() + halo_, 0);
        std::fill(backoffs_.begin(), backoffs_.end(), kSign);
    }

    std::size_t capacity() const { return capacity_; }

    // Where the words of the next block are written, at most capacity() of them, each below
    // the vocabulary size.
    std::uint32_t* words() { return words_.data() + halo_; }
    // Says that position `at` of the next block begins a sentence. Called in ascending order.
    void begin_sentence(std::size_t at) { begins_.push_back(static_cast<std::uint32_t>(at)); }

    // Says that `count` words of the next block stand at `at`: their unigrams are fetched early.
    void expect(std::size_t at, std::size_t count) {
        const std::uint32_t* const words = this->words() + at;
        for (std::size_t i = 0; i < count; ++i) prefetch(&table_.unigram(words[i]));
    }

    // Of the block that was scored last.
    const float* log10_prob() const { return log10_prob_.data(); }
    const std::uint32_t* length() const { return length_.data(); }

    // Scores `count` words; the block continues the one before.
    void score(std::size_t count) {
#if defined(NGRAM_HAS_AVX2)
        if (processor_has_avx2()) {
            score_with_avx2(count);
            return;
        }
#endif
        score_block(count);
    }

  private:
    using Probe = bucketed::Probe;
    using Values = BatchValues<Structure>;
    static constexpr std::uint32_t kSign = bucketed::kSign;
    static constexpr std::size_t kQueue = 3;    // room for lookups that go on to the next line
    static constexpr std::size_t kAhead = 24;   // lookups under way; 12 and 48 are slower
    static constexpr unsigned kStepShift = 16;  // work_: position, and steps above it
    static constexpr std::uint32_t kPosition = (1U << kStepShift) - 1;

#if defined(NGRAM_HAS_AVX2)
    // The same for newer processors: a twelfth less time, mostly from shifts by variables.
    NGRAM_FOR_AVX2 void score_with_avx2(std::size_t count) { score_block(count); }
#endif

    void score_block(std::size_t count) {
        std::size_t pending = look_up_unigrams(count);
        for (std::size_t k = 2; k < order_ && pending != 0; ++k) {
            std::uint32_t* const backoff = backoffs(k);
            std::fill(backoff + 1, backoff + 1 + count, kSign);
            pending = look_up_middle(k, pending);
            filled_ = k;
        }
        for (std::size_t k = filled_ + 1; k < order_; ++k) {
            std::fill(backoffs(k) + 1, backoffs(k) + 1 + count, kSign);
        }
        if (order_ > 1 && pending != 0) look_up_longest(pending);
        values_.finish(log10_prob_.data(), count);
        add_backoffs(count);
        carry(count);
    }

    // Back-offs of n-grams of length k: [i + 1] belongs to the one that ends at position i, [0] to
    // the last one of the block before; -0.0 if it is not in the model or begins nothing.
    std::uint32_t* backoffs(std::size_t k) { return backoffs_.data() + k * (capacity_ + 1); }

    // Returns how many bigrams to seek; they are in extendable_.
    std::size_t look_up_unigrams(std::size_t count) {
        const std::uint32_t* const words = this->words();
        std::uint32_t* const slots = slots_.data();
        std::uint32_t* const length = length_.data();
        std::uint32_t* const positions = extendable_.data();
        float* const prob = log10_prob_.data();
        std::uint32_t* const backoff = order_ == 1 ? nullptr : backoffs(1);
        const typename Values::TakeUnigram take = values_.unigrams(prob, backoff);
        for (std::size_t i = 0; i < count; ++i) {
            slots[i] = take(i, words[i]);  // until the flag in it is read
            length[i] = 1;
        }
        if (order_ == 1) return 0;
        for (const std::uint32_t at : begins_) backoff[at] = kSign;
        std::size_t pending = 0;
        for (std::size_t i = 0; i < count; ++i) {
            positions[pending] = static_cast<std::uint32_t>(i);
            pending += (slots[i] >> 31 == 0) & (backoff[i] != kSign);
            slots[i] = words[i];
        }
        return pending;
    }

    // Seeks `pending` n-grams of length k; returns how many of length k + 1 to seek.
    std::size_t look_up_middle(std::size_t k, std::size_t pending) {
        std::uint32_t* const backoff = backoffs(k);
        std::uint32_t* const slots = slots_.data();
        std::uint32_t* const length = length_.data();
        std::uint32_t* const positions = extendable_.data();
        const typename Values::TakeMiddle take = values_.middle(k, log10_prob_.data(), backoff);
        std::size_t extendable = 0;
        look_up(table_.middle(k), k, pending, [=, &extendable](std::size_t i, const auto& look) {
            const bool extends_left = take(i, look);
            slots[i] = look.slot;  // not read again unless found
            length[i] += look.found;
            positions[extendable] = static_cast<std::uint32_t>(i);
            extendable += extends_left;
        });
        extendable = values_.settle(k, positions, extendable, log10_prob_.data(), backoff);
        std::size_t next = 0;
        for (std::size_t j = 0; j < extendable; ++j) {
            const std::uint32_t i = extendable_[j];
            extendable_[next] = i;
            next += backoff[i] != kSign;
        }
        return next;
    }

    void look_up_longest(std::size_t pending) {
        std::uint32_t* const length = length_.data();
        std::uint32_t* const positions = extendable_.data();
        const typename Values::TakeLongest take = values_.longest(log10_prob_.data());
        std::size_t found = 0;
        look_up(table_.longest(), order_, pending, [=, &found](std::size_t i, const auto& look) {
            take(i, look);
            length[i] += look.found;
            positions[found] = static_cast<std::uint32_t>(i);
            found += look.found;
        });
        values_.settle_longest(positions, found, log10_prob_.data());
    }

    // Seeks the n-grams of length k that end at the positions in extendable_, and calls
    // take(position, look) once or, if the lookup goes on to the next line, again. kAhead lookups
    // wait for memory while one is worked on; those that go on queue behind the last one.
    template <class Table, class Take>
    void look_up(const Table& table_of_order, std::size_t k, std::size_t pending, Take take) {
        // Copies: what is stored below could change the originals, for all the compiler knows.
        const Table table = table_of_order;
        const std::uint32_t* const positions = extendable_.data();
        const std::uint32_t* const slots = slots_.data();
        const std::uint32_t* const first_words = words() - (k - 1);
        std::uint32_t* const work = work_.data();
        Probe* const probes = probes_.data();
        const std::uint32_t most_steps = table.max_displacement();
        std::size_t end = pending;
        auto start = [&](std::size_t j) {
            const std::uint32_t i = positions[j];
            work[j] = i;
            probes[j] = table.probe(slots[i], first_words[i]);
            table.prefetch(probes[j]);
        };
        auto go_on = [&](std::size_t j) {
            const std::uint32_t i = work[j] & kPosition;
            const std::uint32_t step = work[j] >> kStepShift;
            Probe at = probes[j];
            const auto look = table.look(at);
            take(i, look);
            const bool on = look.passed & (step < most_steps);
            at.line += on;
            table.prefetch(at);
            work[end] = i | (step + 1) << kStepShift;
            probes[end] = at;
            end += on;
        };
        const std::size_t ahead = std::min(kAhead, pending);
        for (std::size_t j = 0; j < ahead; ++j) start(j);
        std::size_t j = 0;
        for (; j + ahead < pending; ++j) {
            start(j + ahead);
            go_on(j);
        }
        const std::size_t room = kQueue * capacity_;
        for (; j < end; ++j) {
            go_on(j);
            if (end == room) {  // lines of a damaged file that all look passed: close up
                std::copy(work + j + 1, work + end, work);
                std::copy(probes + j + 1, probes + end, probes);
                end -= j + 1;
                j = static_cast<std::size_t>(-1);
            }
        }
    }

    void add_backoffs(std::size_t count) {
        kept_.clear();
        for (const std::uint32_t at : begins_) kept_.push_back(log10_prob_[at]);
        float* const log10_prob = log10_prob_.data();
        const std::uint32_t* const length = length_.data();
        for (std::size_t k = 1; k < order_; ++k) {
            const std::uint32_t* const backoff = backoffs(k);
            const auto matched = static_cast<std::uint32_t>(k);
            for (std::size_t i = 0; i < count; ++i) {
                const std::uint32_t counts = 0U - static_cast<std::uint32_t>(length[i] <= matched);
                log10_prob[i] += bucketed::bits_float(backoff[i] & counts);
            }
        }
        // The first token of a sentence has no context: what stands before it is another one.
        for (std::size_t j = 0; j < begins_.size(); ++j) log10_prob_[begins_[j]] = kept_[j];
        begins_.clear();
    }

    void carry(std::size_t count) {
        for (std::size_t k = 1; k < order_; ++k) backoffs(k)[0] = backoffs(k)[count];
        values_.carry(count);
        std::memmove(words_.data(), words_.data() + count, halo_ * sizeof(std::uint32_t));
        filled_ = 1;
    }

    const Structure& table_;
    std::size_t order_;
    std::size_t halo_;
    std::size_t capacity_;
    std::size_t filled_ = 1;
    Buffer<std::uint32_t> words_;
    Buffer<std::uint32_t> slots_;
    Buffer<float> log10_prob_;
    Buffer<std::uint32_t> length_;
    Buffer<std::uint32_t> backoffs_;
    Values values_;
    Buffer<std::uint32_t> work_;
    Buffer<Probe> probes_;
    Buffer<std::uint32_t> extendable_;
    std::vector<std::uint32_t> begins_;
    std::vector<float> kept_;
};

}  // namespace ngram
