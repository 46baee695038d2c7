// Sentences -> scores: puts sentences of ids or texts into the blocks of a BatchScorer and hands
// the scores to whoever wants them (a sum per sentence, or every token). Input order -> the same
// order. Sentences are cut into tasks by size alone, so threads change nothing but the time.
// Read next: scoring/state.hpp (one word at a time).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.hpp"
#include "base/errors.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "scoring/batch.hpp"
#include "text/encode.hpp"
#include "text/tokenizer.hpp"
#include "text/vocabulary.hpp"

namespace ngram {

struct ScoringOptions {
    bool bos = true;  // <s> precedes every sentence
    bool eos = true;  // </s> follows every sentence and is scored
    unsigned threads = 1;
};

// Sinks: take(sentence, log10_prob, length, count) gets the scores of the next `count` tokens of
// a sentence; a sentence may come in several parts, in order.

// Sums of float32 scores in float64, one per sentence.
struct SumSink {
    double* sums;  // zero at first, indexed by sentence

    void take(std::size_t sentence, const float* log10_prob, const std::uint32_t*,
              std::size_t count) {
        double sum = sums[sentence];
        for (std::size_t i = 0; i < count; ++i) sum += log10_prob[i];
        sums[sentence] = sum;
    }
};

// Scores of every token, one after the other.
struct TokenSink {
    float* log10_prob;
    std::uint8_t* length;

    void take(std::size_t, const float* probs, const std::uint32_t* lengths, std::size_t count) {
        std::memcpy(log10_prob, probs, count * sizeof(float));
        for (std::size_t i = 0; i < count; ++i) length[i] = static_cast<std::uint8_t>(lengths[i]);
        log10_prob += count;
        length += count;
    }
};

// Scores sentences as they are added. One per thread.
template <class Structure, class Sink>
class SentenceScorer {
  public:
    // `capacity`: most tokens scored at once; the tokens of all sentences if they are few.
    SentenceScorer(const Structure& table, const ScoringOptions& options, std::size_t capacity,
                   Sink sink)
        : scorer_(table, capacity), bos_(options.bos), eos_(options.eos), sink_(sink) {}

    // The ids are below the vocabulary size of the table.
    void add(std::size_t sentence, const std::uint32_t* ids, std::size_t count) {
        const std::size_t total = count + eos_;
        if (total == 0) return;
        if (fill_ == scorer_.capacity()) score();
        scorer_.begin_sentence(fill_);
        if (bos_) scorer_.words()[fill_++] = kBos;
        for (std::size_t done = 0; done < total;) {
            if (fill_ == scorer_.capacity()) score();
            const std::size_t part = std::min(scorer_.capacity() - fill_, total - done);
            const std::size_t words = std::min(part, count - std::min(count, done));
            std::uint32_t* const out = scorer_.words() + fill_;
            if (words != 0) std::memcpy(out, ids + done, words * sizeof(std::uint32_t));
            if (words != part) out[words] = kEos;
            scorer_.expect(fill_, part);
            parts_.push_back({sentence, fill_, part});
            fill_ += part;
            done += part;
        }
    }

    // Scores what is left.
    Sink& finish() {
        if (fill_ != 0) score();
        return sink_;
    }

  private:
    struct Part {
        std::size_t sentence;
        std::size_t first;
        std::size_t count;
    };

    void score() {
        scorer_.score(fill_);
        for (const Part& part : parts_) {
            sink_.take(part.sentence, scorer_.log10_prob() + part.first,
                       scorer_.length() + part.first, part.count);
        }
        parts_.clear();
        fill_ = 0;
    }

    BatchScorer<Structure> scorer_;
    bool bos_;
    bool eos_;
    Sink sink_;
    std::size_t fill_ = 0;
    std::vector<Part> parts_;
};

namespace sentences {

constexpr std::size_t kTaskTokens = std::size_t{1} << 15;
constexpr std::size_t kTaskBytes = std::size_t{1} << 17;
// Texts turned into ids at once, so that the ids are still in the cache when they are scored.
constexpr std::size_t kEncodeBytes = std::size_t{1} << 14;

// Where runs of items with at least `target` units begin; size(i) says the units of item i.
template <class Size>
std::vector<std::size_t> cut(std::size_t items, std::size_t target, Size size) {
    std::vector<std::size_t> begins = {0};
    std::size_t units = 0;
    for (std::size_t i = 0; i < items; ++i) {
        units += size(i) + 1;
        if (units >= target && i + 1 < items) {
            begins.push_back(i + 1);
            units = 0;
        }
    }
    begins.push_back(items);
    return begins;
}

inline std::size_t most_tokens(std::size_t ids, std::size_t sentences) {
    return ids + 2 * sentences;
}

}  // namespace sentences

// Sentence i is ids[offsets[i], offsets[i + 1]).
struct IdSentences {
    Span<const std::uint32_t> ids;
    Span<const std::int64_t> offsets;

    std::size_t size() const { return offsets.size() - 1; }
    std::size_t length(std::size_t i) const {
        return static_cast<std::size_t>(offsets[i + 1] - offsets[i]);
    }
    const std::uint32_t* begin(std::size_t i) const { return ids.data() + offsets[i]; }
};

// Throws InputError unless the sentences can be scored with `vocabulary_size` words.
inline void check(const IdSentences& sentences, std::size_t vocabulary_size) {
    const Span<const std::int64_t> offsets = sentences.offsets;
    if (offsets.empty() || offsets[0] != 0 ||
        static_cast<std::uint64_t>(offsets[offsets.size() - 1]) != sentences.ids.size()) {
        throw InputError("offsets do not fit the ids: they must begin with 0 and end with " +
                         std::to_string(sentences.ids.size()) + ", the number of ids");
    }
    for (std::size_t i = 1; i < offsets.size(); ++i) {
        if (offsets[i] < offsets[i - 1]) {
            throw InputError("offsets must not descend: offsets[" + std::to_string(i) + "] is " +
                             std::to_string(offsets[i]) + " after " +
                             std::to_string(offsets[i - 1]));
        }
    }
    std::uint32_t largest = 0;
    for (const std::uint32_t id : sentences.ids) largest = std::max(largest, id);
    if (largest >= vocabulary_size) {
        throw InputError("an id is " + std::to_string(largest) + ", but the vocabulary has " +
                         std::to_string(vocabulary_size) + " words. Take ids from this model");
    }
}

// Scores of checked sentences through one sink per task: make_sink(first sentence).
template <class Structure, class MakeSink>
void score_ids(const Structure& table, const IdSentences& sentences, const ScoringOptions& options,
               Progress& progress, MakeSink make_sink) {
    const std::vector<std::size_t> cuts =
        sentences::cut(sentences.size(), sentences::kTaskTokens,
                       [&](std::size_t i) { return sentences.length(i); });
    parallel_for(cuts.size() - 1, options.threads, progress, [&](std::size_t task, unsigned) {
        const std::size_t first = cuts[task];
        const std::size_t last = cuts[task + 1];
        if (first == last) return;
        const std::size_t ids =
            static_cast<std::size_t>(sentences.offsets[last] - sentences.offsets[first]);
        auto sink = make_sink(first);
        SentenceScorer<Structure, decltype(sink)> scorer(
            table, options, sentences::most_tokens(ids, last - first), sink);
        for (std::size_t i = first; i < last; ++i) {
            scorer.add(i, sentences.begin(i), sentences.length(i));
        }
        scorer.finish();
    });
}

// One float32 score and ngram_length per token: those of sentence i begin at offsets[i] + i * eos.
template <class Structure>
void score_id_tokens(const Structure& table, const IdSentences& sentences,
                     const ScoringOptions& options, Progress& progress, float* log10_prob,
                     std::uint8_t* length) {
    score_ids(table, sentences, options, progress, [&](std::size_t first) {
        const std::size_t at = static_cast<std::size_t>(sentences.offsets[first]) +
                               first * static_cast<std::size_t>(options.eos);
        return TokenSink{log10_prob + at, length + at};
    });
}

// One float64 sum per sentence; `sums` is zero at first.
template <class Structure>
void score_id_sums(const Structure& table, const IdSentences& sentences,
                   const ScoringOptions& options, Progress& progress, double* sums) {
    score_ids(table, sentences, options, progress, [&](std::size_t) { return SumSink{sums}; });
}

// Where the totals of each text go. The sums are zero at first; the others may be null.
struct TextTotals {
    double* log10_prob;
    std::uint32_t* tokens;  // without </s>
    std::uint32_t* oov;     // those outside the vocabulary

    TextTotals(double* log10_prob_, std::uint32_t* tokens_, std::uint32_t* oov_)
        : log10_prob(log10_prob_), tokens(tokens_), oov(oov_) {}

    void count(std::size_t text, const std::uint32_t* ids, std::size_t size) const {
        if (tokens != nullptr) tokens[text] = static_cast<std::uint32_t>(size);
        if (oov != nullptr)
            oov[text] = static_cast<std::uint32_t>(std::count(ids, ids + size, kUnk));
    }
};

template <class Structure>
void score_texts(const Structure& table, const Vocabulary& vocabulary, TokenizerKind kind,
                 Span<const std::string_view> texts, const ScoringOptions& options,
                 Progress& progress, TextTotals totals) {
    const std::vector<std::size_t> cuts = sentences::cut(
        texts.size(), sentences::kTaskBytes, [&](std::size_t i) { return texts[i].size(); });
    parallel_for(cuts.size() - 1, options.threads, progress, [&](std::size_t task, unsigned) {
        EncodeScratch scratch;
        Buffer<std::uint32_t> ids;
        Buffer<std::int64_t> offsets;
        std::unique_ptr<SentenceScorer<Structure, SumSink>> scorer;
        const std::size_t last = cuts[task + 1];
        for (std::size_t first = cuts[task]; first < last;) {
            std::size_t bytes = 0;
            std::size_t next = first;
            while (next < last && bytes < sentences::kEncodeBytes)
                bytes += texts[next++].size() + 1;
            encode({texts.data() + first, next - first}, vocabulary, kind, ids, offsets, scratch);
            if (!scorer) {
                const std::size_t tokens = sentences::most_tokens(ids.size(), next - first);
                scorer = std::make_unique<SentenceScorer<Structure, SumSink>>(
                    table, options, next == last ? tokens : BatchScorer<Structure>::kBlock,
                    SumSink{totals.log10_prob});
            }
            for (std::size_t i = first; i < next; ++i) {
                const std::size_t begin = static_cast<std::size_t>(offsets[i - first]);
                const std::size_t end = static_cast<std::size_t>(offsets[i - first + 1]);
                totals.count(i, ids.data() + begin, end - begin);
                scorer->add(i, ids.data() + begin, end - begin);
            }
            first = next;
        }
        if (scorer) scorer->finish();
    });
}

// Texts as ids, encoded in parallel: parts in order, each with its own offsets.
struct EncodedTexts {
    Buffer<std::uint32_t> ids;
    Buffer<std::int64_t> offsets = Buffer<std::int64_t>(1, 0);

    IdSentences sentences() const { return {ids.span(), offsets.span()}; }
};

inline EncodedTexts encode_texts(const Vocabulary& vocabulary, TokenizerKind kind,
                                 Span<const std::string_view> texts, unsigned threads,
                                 Progress& progress) {
    const std::vector<std::size_t> cuts = sentences::cut(
        texts.size(), sentences::kTaskBytes, [&](std::size_t i) { return texts[i].size(); });
    const std::size_t tasks = cuts.size() - 1;
    std::vector<EncodedTexts> parts(tasks);
    parallel_for(tasks, threads, progress, [&](std::size_t task, unsigned) {
        EncodeScratch scratch;
        encode({texts.data() + cuts[task], cuts[task + 1] - cuts[task]}, vocabulary, kind,
               parts[task].ids, parts[task].offsets, scratch);
    });
    if (tasks == 1) return std::move(parts[0]);
    EncodedTexts all;
    std::size_t ids = 0;
    for (const EncodedTexts& part : parts) ids += part.ids.size();
    all.ids.reserve(ids);
    all.offsets.reserve(texts.size() + 1);
    for (EncodedTexts& part : parts) {
        const auto before = static_cast<std::int64_t>(all.ids.size());
        all.ids.append(part.ids.data(), part.ids.size());
        for (std::size_t i = 1; i < part.offsets.size(); ++i) {
            all.offsets.push_back(before + part.offsets[i]);
        }
        part = EncodedTexts();
    }
    return all;
}

}  // namespace ngram
