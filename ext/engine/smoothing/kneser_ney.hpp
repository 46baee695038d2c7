// The estimate: from the count trie and the discounts to the sorted n-grams of every order with
// log10 probabilities and back-offs, pruned ones left out. Consumes the trie, chunk by chunk.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/buffer.hpp"
#include "base/log10.hpp"
#include "base/parallel.hpp"
#include "counts/count_trie.hpp"
#include "ngrams/sorted_ngrams.hpp"
#include "smoothing/context_sums.hpp"

namespace ngram {

struct EstimateOptions {
    unsigned threads = 1;
    bool interpolate_unigrams = true;
    double vocabulary_pad = 0;  // the uniform distribution has at least this many words
    bool log10 = true;          // false: leave probabilities and back-offs as they are (for tests)
};

struct Estimate {
    SortedNgrams ngrams;
    Buffer<std::uint32_t> kept_words;  // old ids, in order; the new id is the index
};

namespace estimation {

constexpr std::uint32_t kUnkWord = 0;

// Probabilities of all words as unigrams, linear. <s> has probability 1 (it is never predicted).
inline Buffer<float> unigram_probabilities(const CountTrie& trie, const Discounts& discounts,
                                           const EstimateOptions& options) {
    ContextSum<std::uint64_t> sum{0, 0, {0, 0, 0}, 0};
    std::uint64_t kept = 0;
    for (std::uint32_t count : trie.unigram_count) {
        if (count != 0) sum.add(count);
        kept += (count & kPruned) == 0;
    }
    const float total = static_cast<float>(sum.total);
    const float mass = gamma(sum, discounts);
    const double words = std::max(options.vocabulary_pad, static_cast<double>(kept - 1));
    const float uniform = static_cast<float>(1.0 / static_cast<float>(words));
    Buffer<float> probability(trie.vocabulary_size());
    for (std::uint32_t word = 0; word < trie.vocabulary_size(); ++word) {
        const std::uint32_t count = trie.unigram_count[word] & ~kPruned;
        const float alpha = (static_cast<float>(count) - discounts.of(count)) / total;
        probability[word] = options.interpolate_unigrams ? alpha + mass * uniform : alpha;
    }
    if (!options.interpolate_unigrams) probability[kUnkWord] = mass;
    probability[kBeginSentence] = 1.0F;
    return probability;
}

// Rounding may carry a probability past 1; its logarithm is 0 all the same.
inline void to_log10(NgramLevel& level, std::uint64_t begin, std::uint64_t end) {
    float* probability = level.log10_prob.data();
    for (std::uint64_t i = begin; i < end; ++i) probability[i] = std::min(probability[i], 1.0F);
    log10_in_place(probability + begin, end - begin);
    if (!level.log10_backoff.empty()) {
        log10_in_place(level.log10_backoff.data() + begin, end - begin);
    }
}

// Writes the n-grams of one chunk; next[k] is the index of its first one of order k.
inline void write_chunk(const CountTrie& trie, TrieChunk& chunk, std::vector<std::uint64_t> next,
                        SortedNgrams& ngrams) {
    // In a loop of its own, which keeps many cache misses under way.
    for (std::uint32_t& word : chunk.words) word = trie.codes.word(word);
    std::array<std::uint32_t, kMaxOrder + 1> index;  // by order, of the current n-gram
    std::vector<const float*> probabilities;         // per part, of its next node
    for (const TriePart& part : chunk.parts) probabilities.push_back(part.probability.data());
    const PartSwitch* change = chunk.switches.begin();
    const float** probability = probabilities.data();
    const std::uint32_t* left = chunk.words.data();
    const float* gamma = chunk.gamma.data();
    const std::uint64_t events = chunk.lengths.size() / kEventBytes;
    for (std::uint64_t i = 0; i < events; ++i) {
        if (change != chunk.switches.end() && change->event == i) {
            probability = probabilities.data() + (change++)->part;
        }
        const unsigned shared = chunk.lengths[kEventBytes * i];
        const unsigned length = chunk.lengths[kEventBytes * i + 1];
        unsigned k = shared + 1;
        if (k == 1) {
            index[1] = *left;
            if (index[1] != kUnkWord) ngrams.levels[0].log10_backoff[index[1]] = *gamma;
            ++k, ++left, ++*probability, ++gamma;
        }
        for (; k <= length; ++k, ++left) {
            const float backoff = k < trie.order ? *gamma++ : 1.0F;
            const float value = *(*probability)++;
            if (value < 0) continue;
            NgramLevel& level = ngrams.levels[k - 1];
            const std::uint64_t at = next[k]++;
            index[k] = static_cast<std::uint32_t>(at);
            level.word[at] = *left;
            level.suffix[at] = index[k - 1];
            level.log10_prob[at] = value;
            if (k < trie.order) level.log10_backoff[at] = backoff;
        }
    }
}

// Renames the words of a trie to what they are when pruned ones are left out; returns the old ids.
inline Buffer<std::uint32_t> keep_words(CountTrie& trie) {
    Buffer<std::uint32_t> kept_words;
    for (std::uint32_t word = 0; word < trie.vocabulary_size(); ++word) {
        const bool kept = (trie.unigram_count[word] & kPruned) == 0;
        const auto id = static_cast<std::uint32_t>(kept_words.size());
        if (trie.order > 1) trie.codes.rename(word, kept ? id : kUnkWord);
        if (kept) kept_words.push_back(word);
    }
    return kept_words;
}

// [chunk][k]: the index of the first n-gram of order k of a chunk, pruned ones not counted.
inline std::vector<std::vector<std::uint64_t>> first_of_chunks(const CountTrie& trie) {
    std::vector<std::vector<std::uint64_t>> first(trie.chunks.size() + 1);
    first[0].assign(trie.order + 1, 0);
    for (std::size_t chunk = 0; chunk < trie.chunks.size(); ++chunk) {
        first[chunk + 1] = first[chunk];
        for (unsigned k = 2; k <= trie.order; ++k)
            first[chunk + 1][k] += trie.chunks[chunk].kept[k];
    }
    return first;
}

}  // namespace estimation

inline Estimate estimate(CountTrie& trie, const std::vector<Discounts>& discounts,
                         const EstimateOptions& options, Progress& progress) {
    Estimate result;
    const Buffer<float> unigram = estimation::unigram_probabilities(trie, discounts[0], options);
    sum_contexts<true>(trie, unigram, discounts, options.threads, progress);
    result.kept_words = estimation::keep_words(trie);

    std::vector<NgramLevel>& levels = result.ngrams.levels;
    levels.resize(trie.order);
    levels[0].log10_prob.resize(result.kept_words.size());
    for (std::size_t id = 0; id < result.kept_words.size(); ++id) {
        levels[0].log10_prob[id] = unigram[result.kept_words[id]];
    }
    if (trie.order > 1) levels[0].log10_backoff = Buffer<float>(result.kept_words.size(), 1.0F);

    const std::vector<std::vector<std::uint64_t>> first = estimation::first_of_chunks(trie);
    for (unsigned k = 2; k <= trie.order; ++k) {
        const std::uint64_t size = first.back()[k];
        NgramLevel& level = levels[k - 1];
        level.word = trie.spill.allocate<std::uint32_t>(size);
        level.suffix = trie.spill.allocate<std::uint32_t>(size);
        level.log10_prob = trie.spill.allocate<float>(size);
        if (k < trie.order) level.log10_backoff = trie.spill.allocate<float>(size);
    }

    trie.recycling.reset();

    progress.begin("collect n-grams", trie.first_event.empty() ? 0 : trie.first_event.back());
    parallel_for(trie.chunks.size(), options.threads, progress, [&](std::size_t i, unsigned) {
        TrieChunk& chunk = trie.chunks[i];
        estimation::write_chunk(trie, chunk, first[i], result.ngrams);
        for (unsigned k = 2; k <= trie.order; ++k) {
            const std::uint64_t begin = first[i][k];
            const std::uint64_t end = first[i + 1][k];
            if (options.log10) estimation::to_log10(levels[k - 1], begin, end);
            levels[k - 1].rest(begin, end);
        }
        progress.advance(trie.events(chunk));
        chunk = TrieChunk{};
    });
    if (options.log10) estimation::to_log10(levels[0], 0, levels[0].size());
    return result;
}

}  // namespace ngram
