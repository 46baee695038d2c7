// Modified Kneser-Ney: p(w | h) = alpha(hw) + gamma(h) p(w | h without its first word), for every
// n-gram. Input: the count trie in suffix order and the discounts. Output, per chunk: the gamma of
// every node below the highest order as a context (its back-off), and either the linear probability
// of every node or, where counts are kept, the total of every context. Next: kneser_ney.hpp, and
// kept_counts.hpp.
//
// The events of context words are walked in suffix order; the open nodes are the contexts, and the
// cursor of the next word delivers the n-grams that follow them (count_trie.hpp, KEY FACT). A first
// walk over a block of contexts sums, a second one computes. Each word's n-grams are met in suffix
// order, so the probabilities of the suffixes of the current one wait in the word's cursor.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/buffer.hpp"
#include "base/parallel.hpp"
#include "counts/count_trie.hpp"

namespace ngram {

struct Discounts {
    float by_count[4];  // by_count[a] is subtracted from adjusted count a; [3] from 3 and more

    float of(std::uint32_t count) const { return by_count[count < 3 ? count : 3]; }
};

// Chen and Goodman (1999), gamma of modified Kneser-Ney; the mass of pruned n-grams joins it.
template <class Total>
float gamma(const ContextSum<Total>& sum, const Discounts& discounts) {
    float mass = 0.0F;
    for (unsigned a = 1; a <= 3; ++a) {
        mass += discounts.by_count[a] * static_cast<float>(sum.extensions[a - 1]);
    }
    return (mass + static_cast<float>(sum.pruned)) / static_cast<float>(sum.total);
}

namespace context_sums {

constexpr std::uint64_t kBlockEvents = FrequentContexts::kMinEvents;  // a block fits in L2
constexpr unsigned kFarAhead = 64;   // events ahead at which a cursor is fetched
constexpr unsigned kNearAhead = 24;  // ... at which what it points to is

struct OpenContext {
    float total;
    float gamma;
};

// Where the second walk is in the events of a word.
struct Cursor {
    const std::uint8_t* event;
    float* probability;

    // Of the suffixes of the current n-gram: lower()[k - 1] of order k. Behind the cursor.
    float* lower() { return reinterpret_cast<float*>(this + 1); }
};

class CursorTable {
  public:
    CursorTable(std::size_t words, unsigned order)
        : stride_((sizeof(Cursor) + (order - 1) * sizeof(float) + 15) / 16 * 16),
          bytes_(words * stride_) {}

    Cursor& operator[](std::uint32_t word) {
        return *reinterpret_cast<Cursor*>(bytes_.data() + word * stride_);
    }

  private:
    std::size_t stride_;
    Buffer<std::uint8_t> bytes_;
};

// kInterpolates: whether it gives probabilities, or totals.
template <bool kInterpolates>
class Task {
  public:
    Task(CountTrie& trie, const Buffer<float>& unigram, const std::vector<Discounts>& discounts,
         std::size_t task)
        : trie_(trie),
          task_(task),
          discounts_(discounts),
          sum_cursor_(trie.vocabulary_size()),
          cursor_(kInterpolates ? trie.vocabulary_size() : 0, trie.order),
          open_(trie.order + 1) {
        for (TrieChunk& chunk : trie.chunks) {
            TriePart& part = chunk.parts[task];
            if (kInterpolates) part.probability.resize(part.nodes);
            for (std::uint32_t word = chunk.first_word; word < chunk.end_word; ++word) {
                const EventStart start = part.starts[word - chunk.first_word];
                sum_cursor_[word] = part.stream.data() + start.stream;
                if (!kInterpolates) continue;
                cursor_[word].event = sum_cursor_[word];
                cursor_[word].probability = part.probability.data() + start.node;
                cursor_[word].lower()[0] = unigram[word];
            }
        }
    }

    void run(TrieChunk& chunk) {
        std::uint64_t contexts = 0;
        for (unsigned k = 1; k < trie_.order; ++k) contexts += chunk.opened[k];
        chunk.gamma.resize(contexts);
        gamma_ = chunk.gamma.data();
        if (!kInterpolates) {
            chunk.total.resize(contexts);
            total_ = chunk.total.data();
        }
        event_ = chunk.lengths.data();
        next_ = chunk.next.data();
        const std::uint64_t base = trie_.first_event[chunk.first_word];
        const auto first_event = [&](std::uint32_t word) { return trie_.first_event[word] - base; };
        std::uint32_t word = chunk.first_word;
        while (word < chunk.end_word) {
            const std::uint64_t begin = first_event(word++);
            if (first_event(word) - begin > kBlockEvents) {
                run_frequent(word - 1, begin, first_event(word));
                continue;
            }
            while (word < chunk.end_word && first_event(word + 1) - begin <= kBlockEvents) ++word;
            const std::uint64_t end = first_event(word);
            run_block(begin, end, end, nullptr, false);
        }
        chunk.next.clear();
        chunk.lengths.rest();
        trie_.spill.spill(chunk.gamma);
        if (!kInterpolates) trie_.spill.spill(chunk.total);
    }

    // Leaves the probabilities only, or the counts.
    void finish() {
        if (!kInterpolates) return;
        for (TrieChunk& chunk : trie_.chunks) {
            chunk.parts[task_].release_events();
            trie_.spill.spill(chunk.parts[task_].probability);
        }
    }

  private:
    using Sum = ContextSum<std::uint32_t>;

    // Contexts that end in a frequent word, in blocks that begin where the word before it changes.
    // The sum of the word alone is known; it is the first context of every block.
    void run_frequent(std::uint32_t word, std::uint64_t begin, std::uint64_t end) {
        const Sum& known = trie_.frequent.of(word);
        for (std::uint64_t at = begin; at < end;) {
            at = run_block(at, std::min(at + kBlockEvents, end), end, &known, at != begin);
        }
    }

    // A block goes on past `limit` to an event that shares at most one word, or to `end`; returns
    // where it stops. A known context has its gamma written unless an earlier block did.
    std::uint64_t run_block(std::uint64_t begin, std::uint64_t limit, std::uint64_t end,
                            const Sum* known, bool written) {
        known_ = known == nullptr ? 0 : 1;
        sums_.resize(0);
        if (known != nullptr) sums_.push_back(*known);
        open_[1] = 0;
        const std::uint8_t* first = event_;
        const std::uint64_t stop = sum_block(begin, limit, end);
        contexts_.resize(sums_.size());
        for (std::size_t i = 0; i < sums_.size(); ++i) {
            const Sum& sum = sums_[i];
            contexts_[i].total = static_cast<float>(sum.total);
            // Not followed by anything: it ends in </s>.
            contexts_[i].gamma = sum.total == 0 ? 1.0F : gamma(sum, discounts_[sum.order]);
            if (i == 0 && written) continue;
            *gamma_++ = contexts_[i].gamma;
            if (!kInterpolates) *total_++ = sum.is_followed() ? contexts_[i].total : 0.0F;
        }
        if (!kInterpolates) return stop;
        event_ = first;
        interpolate_block(begin, stop, end);
        return stop;
    }

    // Reads the context events of a block; the contexts are numbered as they open.
    template <class Visit>
    std::uint64_t walk(std::uint64_t begin, std::uint64_t limit, std::uint64_t end, Visit visit) {
        const unsigned longest = trie_.order - 1;
        const std::uint8_t* event = event_;
        std::size_t contexts = known_;
        std::uint64_t i = begin;
        for (; i < end; ++i) {
            const unsigned shared = event[0];
            const unsigned length = event[1];
            if (i >= limit && shared <= 1) break;
            event += kEventBytes;
            const unsigned first = std::max(shared, known_) + 1;
            const unsigned top = std::min(length, longest);
            for (unsigned k = first; k <= top; ++k) open_[k] = contexts++;
            visit(i, first, top);
        }
        event_ = event;
        return i;
    }

    std::uint64_t sum_block(std::uint64_t begin, std::uint64_t limit, std::uint64_t end) {
        const std::uint32_t* next = next_;
        return walk(begin, limit, end, [&](std::uint64_t i, unsigned k, unsigned top) {
            if (i + kFarAhead < end) __builtin_prefetch(&sum_cursor_[next[i + kFarAhead]], 1);
            if (i + kNearAhead < end) __builtin_prefetch(sum_cursor_[next[i + kNearAhead]]);
            for (; k <= top; ++k) sums_.push_back({0, 0, {0, 0, 0}, k});
            const std::uint32_t word = next[i];
            if (word == kNoWord) return;
            const std::uint8_t* event = sum_cursor_[word];
            const unsigned shared = event[0];
            const unsigned length = event[1];
            event += kEventBytes;
            for (unsigned order = shared + 1; order <= length; ++order, ++event) {
                if (order > 1 + known_) sums_[open_[order - 1]].add(count(word, event));
            }
            sum_cursor_[word] = event;
        });
    }

    void interpolate_block(std::uint64_t begin, std::uint64_t stop, std::uint64_t end) {
        const std::uint32_t* next = next_;
        walk(begin, stop, stop, [&](std::uint64_t i, unsigned, unsigned) {
            if (i + kFarAhead < end) __builtin_prefetch(&cursor_[next[i + kFarAhead]], 1);
            if (i + kNearAhead < end) {
                const Cursor& ahead = cursor_[next[i + kNearAhead]];
                __builtin_prefetch(ahead.event);
                __builtin_prefetch(ahead.probability, 1);
            }
            const std::uint32_t word = next[i];
            if (word == kNoWord) return;
            Cursor& cursor = cursor_[word];
            const std::uint8_t* event = cursor.event;
            const unsigned shared = event[0];
            const unsigned length = event[1];
            event += kEventBytes;
            float* lower = cursor.lower();
            for (unsigned order = shared + 1; order <= length; ++order, ++event) {
                float probability = 0.0F;
                if (order > 1) {
                    probability = interpolated(order, count(word, event), lower[order - 2]);
                    if (order < trie_.order) lower[order - 1] = probability;
                }
                *cursor.probability++ = probability;
            }
            cursor.event = event;
        });
    }

    float interpolated(unsigned order, std::uint32_t count, float lower) const {
        if ((count & kPruned) != 0) return -1.0F;
        const OpenContext& context = contexts_[open_[order - 1]];
        const float alpha =
            (static_cast<float>(count) - discounts_[order - 1].of(count)) / context.total;
        return alpha + context.gamma * lower;
    }

    std::uint32_t count(std::uint32_t word, const std::uint8_t* byte) const {
        if (*byte < kLargeCount) return *byte;
        return trie_.chunks[trie_.chunk_of[word]].parts[task_].count(byte);
    }

    CountTrie& trie_;
    std::size_t task_;
    const std::vector<Discounts>& discounts_;  // [k - 1] of order k
    Buffer<const std::uint8_t*> sum_cursor_;   // per word, its next event in the first walk
    CursorTable cursor_;                       // per word, in the second walk
    std::vector<std::size_t> open_;            // by order, the number of the context in the block
    Buffer<Sum> sums_;
    Buffer<OpenContext> contexts_;
    unsigned known_ = 0;  // contexts at the beginning of a block whose sum is known: 0 or 1
    const std::uint8_t* event_ = nullptr;
    const std::uint32_t* next_ = nullptr;
    float* gamma_ = nullptr;
    float* total_ = nullptr;
};

}  // namespace context_sums

// `unigram` holds the linear probabilities of order 1; for totals it may be empty.
template <bool kInterpolates>
void sum_contexts(CountTrie& trie, const Buffer<float>& unigram,
                  const std::vector<Discounts>& discounts, unsigned threads, Progress& progress) {
    if (trie.order == 1) return;
    progress.begin("sum contexts", trie.first_event.back());
    parallel_for(trie.tasks.size() - 1, threads, progress, [&](std::size_t task, unsigned) {
        context_sums::Task<kInterpolates> work(trie, unigram, discounts, task);
        for (std::size_t chunk = trie.tasks[task]; chunk < trie.tasks[task + 1]; ++chunk) {
            work.run(trie.chunks[chunk]);
            progress.advance(trie.events(trie.chunks[chunk]));
        }
        work.finish();
    });
}

}  // namespace ngram
