// Counts the n-grams of a text. Input: ids in text order, every sentence closed by </s>. Output:
// NgramCounts, in suffix order. The windows are sorted as for the count trie (count_trie.hpp), but
// every node that closes writes the number of its events, and nothing else is kept. With a plan
// that spills, the n-grams of finished chunks go to files, and so does the result.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/errors.hpp"
#include "base/parallel.hpp"
#include "counts/count_trie.hpp"
#include "counts/ngram_counts.hpp"
#include "counts/window_rounds.hpp"
#include "counts/windows.hpp"

namespace ngram {

namespace count_ngrams_detail {

// The n-grams of one order whose last word is in one chunk. Suffixes are relative to the chunk; at
// order 2 they are words.
struct LevelPart {
    Buffer<std::uint32_t> code;  // of the leftmost word
    Buffer<std::uint32_t> suffix;
    Buffer<std::uint32_t> count;
};

using ChunkLevels = std::vector<LevelPart>;  // [k - 2] is order k

// The same, growing.
struct GrowingPart {
    explicit GrowingPart(const Spill& spill)
        : code(spill, kBytes), suffix(spill, kBytes), count(spill, kBytes) {}

    SpilledArray<std::uint32_t> code;
    SpilledArray<std::uint32_t> suffix;
    SpilledArray<std::uint32_t> count;

  private:
    static constexpr std::size_t kBytes = 1 << 20;  // in memory: most chunks have fewer
};

template <unsigned W>
class LevelBuilder {
  public:
    LevelBuilder(const WindowLayout& layout, const Spill& spill) : reader_(layout), spill_(spill) {
        for (unsigned k = 2; k <= layout.order; ++k) levels_.emplace_back(spill);
    }

    ChunkLevels take() {
        ChunkLevels levels(levels_.size());
        SpillBatch batch(spill_);
        for (std::size_t k = 0; k < levels.size(); ++k) {
            levels[k] = {levels_[k].code.take(), levels_[k].suffix.take(), levels_[k].count.take()};
            batch.add(levels[k].code);
            batch.add(levels[k].suffix);
            batch.add(levels[k].count);
        }
        batch.finish();
        return levels;
    }

    void begin_word(std::uint32_t word) {
        word_ = word;
        length_ = 0;
    }
    // Sorted windows of the word, of which there were `event` before; the last of these precedes
    // them in memory.
    void add_windows(const Window<W>* windows, std::uint64_t size, std::uint64_t event) {
        for (std::uint64_t i = 0; i < size; ++i, ++event) {
            const Window<W>& window = windows[i];
            const unsigned length = reader_.length(window);
            const unsigned shared =
                event == 0 ? 1 : std::min(reader_.shared(*(&window - 1), window), length);
            if (shared == length) continue;
            close(shared, length_, event);
            for (unsigned k = shared + 1; k <= length; ++k) {
                GrowingPart& level = levels_[k - 2];
                *level.code.extend(1) = reader_.code(window, k - 1);
                *level.suffix.extend(1) =
                    k == 2 ? word_ : static_cast<std::uint32_t>(levels_[k - 3].code.size() - 1);
                level.count.extend(1);
                first_event_[k] = event;
            }
            length_ = length;
        }
    }
    void end_word(std::uint64_t events) { close(1, length_, events); }
    void end_piece() {}

  private:
    void close(unsigned shared, unsigned length, std::uint64_t event) {
        for (unsigned k = shared + 1; k <= length; ++k) {
            levels_[k - 2].count.back() = static_cast<std::uint32_t>(event - first_event_[k]);
        }
    }

    count_trie::WindowReader<W> reader_;
    const Spill& spill_;
    std::vector<GrowingPart> levels_;
    std::uint32_t word_ = 0;
    unsigned length_ = 0;  // of the window before
    std::array<std::uint64_t, kMaxOrder + 1> first_event_{};
};

// Chunks -> levels from order 2 on, chunk by chunk in parallel; consumes the chunks.
inline void collect(std::vector<ChunkLevels>& chunks, const WordCodes& codes, NgramCounts& counts,
                    unsigned threads, Progress& progress) {
    const std::size_t order = counts.order();
    std::vector<std::vector<std::uint64_t>> first(chunks.size() + 1);
    first[0].assign(order + 1, 0);
    for (std::size_t chunk = 0; chunk < chunks.size(); ++chunk) {
        first[chunk + 1] = first[chunk];
        for (std::size_t k = 2; k <= order; ++k) {
            first[chunk + 1][k] += chunks[chunk][k - 2].code.size();
        }
    }
    std::uint64_t total = 0;
    for (std::size_t k = 2; k <= order; ++k) {
        const std::uint64_t size = first.back()[k];
        counts.levels[k - 1].word = counts.spill.allocate<std::uint32_t>(size);
        counts.levels[k - 1].suffix = counts.spill.allocate<std::uint32_t>(size);
        counts.levels[k - 1].count = counts.spill.allocate<double>(size);
        total += size;
    }
    progress.begin("collect n-grams", total);
    parallel_for(chunks.size(), threads, progress, [&](std::size_t chunk, unsigned) {
        for (std::size_t k = 2; k <= order; ++k) {
            LevelPart& part = chunks[chunk][k - 2];
            CountLevel& level = counts.levels[k - 1];
            const std::uint64_t begin = first[chunk][k];
            const auto suffix = static_cast<std::uint32_t>(k == 2 ? 0 : first[chunk][k - 1]);
            // In a loop of its own, which keeps many cache misses under way.
            for (std::size_t i = 0; i < part.code.size(); ++i) {
                level.word[begin + i] = codes.word(part.code[i]);
            }
            std::copy(part.count.begin(), part.count.end(), level.count.begin() + begin);
            for (std::size_t i = 0; i < part.suffix.size(); ++i) {
                level.suffix[begin + i] = suffix + part.suffix[i];
            }
            level.rest(begin, begin + part.code.size());
            progress.advance(part.code.size());
        }
        chunks[chunk].clear();
    });
}

template <unsigned W>
void count(Buffer<std::uint32_t>& ids, Span<const std::uint32_t> words, const WordCodes& codes,
           const Buckets& buckets, const WindowLayout& layout, NgramCounts& counts,
           const MemoryPlan& plan, unsigned threads, Progress& progress) {
    WindowRounds<W> rounds(ids, words, codes, buckets, layout, plan, threads, progress);
    std::vector<ChunkLevels> chunks(rounds.chunks());
    using Builder = LevelBuilder<W>;
    rounds.run([&](std::size_t) { return std::make_unique<Builder>(layout, plan.spill); },
               [&](std::size_t i, Builder& builder) { chunks[i] = builder.take(); });
    collect(chunks, codes, counts, threads, progress);
}

}  // namespace count_ngrams_detail

// Text order -> suffix order. Consumes `ids`.
inline NgramCounts count_ngrams(Buffer<std::uint32_t>& ids, std::uint64_t vocabulary_size,
                                unsigned order, const MemoryPlan& plan, unsigned threads,
                                Progress& progress) {
    if (order < 1 || order > kMaxOrder) {
        throw InputError("the order is " + std::to_string(order) + "; choose an order from 1 to " +
                         std::to_string(kMaxOrder));
    }
    if (ids.size() >= kPruned) {
        throw InputError("the corpus has " + std::to_string(ids.size()) +
                         " tokens; counting takes at most 2147483647 at a time. Count parts of "
                         "the text and merge the counts");
    }
    progress.begin("count words", ids.size());
    Buffer<std::uint32_t> words = count_words(ids.span(), vocabulary_size, threads, progress);
    plan.spill.spill(ids);
    NgramCounts counts;
    counts.spill = plan.spill;
    counts.levels.resize(order);
    counts.levels[0].count.resize(vocabulary_size);
    std::copy(words.begin(), words.end(), counts.levels[0].count.begin());
    if (order == 1 || ids.empty()) {
        ids.clear();
        return counts;
    }
    const Buckets buckets = cut_buckets(words.span());
    words[kBeginSentence] = words[kEndSentence];  // what precedes words: <s>, never </s>
    words[kEndSentence] = 0;
    const WordCodes codes(words.span());
    std::swap(words[kBeginSentence], words[kEndSentence]);
    const WindowLayout layout(order, buckets, codes, vocabulary_size);
    dispatch_parts(layout.parts(), [&](auto parts) {
        count_ngrams_detail::count<decltype(parts)::value>(ids, words.span(), codes, buckets,
                                                           layout, counts, plan, threads, progress);
    });
    return counts;
}

}  // namespace ngram
