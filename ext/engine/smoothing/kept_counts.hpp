// The estimate without interpolation: from the count trie and the discounts to the n-grams of every
// order with their counts (ngrams/counted_ngrams.hpp), pruned ones left out. Consumes the trie,
// chunk by chunk. It is what kneser_ney.hpp makes, less the walk that interpolates and all
// logarithms: probabilities are computed when they are asked for (model/fast.hpp).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/parallel.hpp"
#include "counts/count_trie.hpp"
#include "ngrams/counted_ngrams.hpp"
#include "smoothing/context_sums.hpp"
#include "smoothing/kneser_ney.hpp"

namespace ngram {

struct KeptCounts {
    CountedNgrams ngrams;
    Buffer<std::uint32_t> kept_words;  // old ids, in order; the new id is the index
};

namespace kept_counts {

// A value as it is counted: bits that are equal for equal values.
struct Key {
    std::uint32_t count;  // adjusted; the highest bit: a longer n-gram ends in it
    std::uint32_t total_bits;
    std::uint32_t gamma_bits;

    bool operator==(const Key& other) const {
        return count == other.count && total_bits == other.total_bits &&
               gamma_bits == other.gamma_bits;
    }
    bool operator<(const Key& other) const {
        if (count != other.count) return count < other.count;
        if (total_bits != other.total_bits) return total_bits < other.total_bits;
        return gamma_bits < other.gamma_bits;
    }
    std::uint64_t hash() const {
        std::uint64_t hash = (std::uint64_t{total_bits} << 32 | gamma_bits) * 0x9e3779b97f4a7c15U;
        hash = (hash ^ hash >> 32 ^ count) * 0xd6e8feb86659fd93U;
        return hash ^ hash >> 32;
    }
};

constexpr std::uint32_t kExtendsLeft = std::uint32_t{1} << 31;

inline std::uint32_t bits_of(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}
inline float float_of(std::uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

// Numbers the different values of n-grams as they come, and counts how many have each.
class Dictionary {
  public:
    std::size_t size() const { return keys_.size(); }
    const Key& key(std::size_t id) const { return keys_[id]; }
    std::uint64_t ngrams(std::size_t id) const { return ngrams_[id]; }

    std::uint32_t add(const Key& key, std::uint64_t ngrams = 1) {
        if (2 * keys_.size() >= places_.size()) grow();
        std::uint32_t& place = find(key);
        if (place == kEmpty) {
            place = static_cast<std::uint32_t>(keys_.size());
            keys_.push_back(key);
            ngrams_.push_back(0);
        }
        ngrams_[place] += ngrams;
        return place;
    }

  private:
    static constexpr std::uint32_t kEmpty = 0xffffffffU;

    std::uint32_t& find(const Key& key) {
        const std::size_t mask = places_.size() - 1;
        std::size_t at = key.hash() & mask;
        while (places_[at] != kEmpty && !(keys_[places_[at]] == key)) at = (at + 1) & mask;
        return places_[at];
    }
    void grow() {
        places_.assign(places_.empty() ? 256 : 2 * places_.size(), kEmpty);
        for (std::size_t id = 0; id < keys_.size(); ++id) {
            find(keys_[id]) = static_cast<std::uint32_t>(id);
        }
    }

    std::vector<std::uint32_t> places_;
    std::vector<Key> keys_;
    std::vector<std::uint64_t> ngrams_;
};

// Writes the n-grams of one chunk. A node's value is known when the next of its order opens: not
// before is it known whether a longer n-gram ends in it.
class ChunkWriter {
  public:
    // next[k] is the index of the first n-gram of order k; dictionaries[k] numbers its values.
    ChunkWriter(const CountTrie& trie, TrieChunk& chunk, std::vector<std::uint64_t> next,
                CountedNgrams& ngrams, std::vector<Dictionary>& dictionaries)
        : trie_(trie),
          chunk_(chunk),
          next_(std::move(next)),
          ngrams_(ngrams),
          dictionaries_(dictionaries),
          open_(trie.order + 1) {}

    void run() {
        // In a loop of its own, which keeps many cache misses under way.
        for (std::uint32_t& word : chunk_.words) word = trie_.codes.word(word);
        std::vector<const std::uint8_t*> streams;  // per part, its next event
        for (const TriePart& part : chunk_.parts) streams.push_back(part.stream.data());
        const PartSwitch* change = chunk_.switches.begin();
        std::size_t part = 0;
        const std::uint32_t* left = chunk_.words.data();
        const std::uint64_t events = chunk_.lengths.size() / kEventBytes;
        gamma_ = chunk_.gamma.data();
        total_ = chunk_.total.data();
        for (std::uint64_t i = 0; i < events; ++i) {
            if (change != chunk_.switches.end() && change->event == i) part = (change++)->part;
            const unsigned shared = chunk_.lengths[kEventBytes * i];
            const unsigned length = chunk_.lengths[kEventBytes * i + 1];
            const std::uint8_t* byte = streams[part] + kEventBytes;
            unsigned k = shared + 1;
            if (k == 1) {
                open_word(*left);
                ++k, ++left, ++byte;
            }
            for (; k < trie_.order && k <= length; ++k, ++left, ++byte) {
                open(k, *left, chunk_.parts[part].count(byte));
            }
            if (k == trie_.order && k <= length) {
                write_longest(*left++, chunk_.parts[part].count(byte++));
            }
            streams[part] = byte;
        }
        for (unsigned k = 2; k < trie_.order; ++k) close(k);
    }

  private:
    struct Open {
        std::uint64_t index = kNone;  // of the n-gram that is open
        Key key{0, 0, 0};
    };
    static constexpr std::uint64_t kNone = ~std::uint64_t{0};

    void open_word(std::uint32_t word) {
        const float gamma = *gamma_++;
        const float total = *total_++;
        open_[1].index = word;
        if (word == estimation::kUnkWord) return;  // or pruned, and become it
        ngrams_.levels[0].values[word].total = total;
        ngrams_.levels[0].values[word].gamma = gamma;
    }

    void open(unsigned k, std::uint32_t left, std::uint32_t count) {
        const float gamma = *gamma_++;
        const float total = *total_++;
        if ((count & kPruned) != 0) return;
        close(k);
        open_[k] = {add(k, left), {count, bits_of(total), bits_of(gamma)}};
    }

    void write_longest(std::uint32_t left, std::uint32_t count) {
        if ((count & kPruned) != 0) return;
        const unsigned k = trie_.order;
        const std::uint64_t index = add(k, left);
        ngrams_.levels[k - 1].value[index] = dictionaries_[k].add({count, 0, 0});
    }

    // An n-gram that ends in the one open below; returns its index.
    std::uint64_t add(unsigned k, std::uint32_t left) {
        CountedLevel& level = ngrams_.levels[k - 1];
        const std::uint64_t index = next_[k]++;
        level.word[index] = left;
        level.suffix[index] = static_cast<std::uint32_t>(open_[k - 1].index);
        if (k == 2) {
            ngrams_.levels[0].values[open_[1].index].extends_left = 1;
        } else {
            open_[k - 1].key.count |= kExtendsLeft;
        }
        return index;
    }

    void close(unsigned k) {
        if (open_[k].index == kNone) return;
        ngrams_.levels[k - 1].value[open_[k].index] = dictionaries_[k].add(open_[k].key);
        open_[k].index = kNone;
    }

    const CountTrie& trie_;
    TrieChunk& chunk_;
    std::vector<std::uint64_t> next_;
    CountedNgrams& ngrams_;
    std::vector<Dictionary>& dictionaries_;
    std::vector<Open> open_;
    const float* gamma_ = nullptr;
    const float* total_ = nullptr;
};

// Makes one dictionary of those of the chunks, the value of most n-grams first, and renumbers the
// n-grams of the order: those of chunk c are first[c] to first[c + 1].
inline void join_dictionaries(CountedLevel& level, const std::vector<const Dictionary*>& parts,
                              const std::vector<std::uint64_t>& first, const Discounts& discounts,
                              unsigned threads, Progress& progress) {
    Dictionary all;
    std::vector<std::vector<std::uint32_t>> ids(parts.size());  // of the values of each part
    for (std::size_t c = 0; c < parts.size(); ++c) {
        for (std::size_t id = 0; id < parts[c]->size(); ++id) {
            ids[c].push_back(all.add(parts[c]->key(id), parts[c]->ngrams(id)));
        }
    }
    std::vector<std::uint32_t> order(all.size());
    for (std::size_t id = 0; id < order.size(); ++id) order[id] = static_cast<std::uint32_t>(id);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        if (all.ngrams(a) != all.ngrams(b)) return all.ngrams(a) > all.ngrams(b);
        return all.key(a) < all.key(b);
    });
    std::vector<std::uint32_t> rank(all.size());
    level.values.resize(all.size());
    for (std::size_t r = 0; r < order.size(); ++r) {
        rank[order[r]] = static_cast<std::uint32_t>(r);
        const Key& key = all.key(order[r]);
        const std::uint32_t count = key.count & ~kExtendsLeft;
        level.values[r] = {static_cast<float>(count) - discounts.of(count),
                           float_of(key.total_bits), float_of(key.gamma_bits),
                           (key.count & kExtendsLeft) != 0};
    }
    parallel_for(parts.size(), threads, progress, [&](std::size_t c, unsigned) {
        for (std::uint32_t& id : ids[c]) id = rank[id];
        for (std::uint64_t i = first[c]; i < first[c + 1]; ++i) {
            level.value[i] = ids[c][level.value[i]];
        }
        level.rest(first[c], first[c + 1]);
    });
}

}  // namespace kept_counts

inline KeptCounts keep_counts(CountTrie& trie, const std::vector<Discounts>& discounts,
                              const EstimateOptions& options, Progress& progress) {
    KeptCounts result;
    const Buffer<float> unigram = estimation::unigram_probabilities(trie, discounts[0], options);
    sum_contexts<false>(trie, unigram, discounts, options.threads, progress);
    result.kept_words = estimation::keep_words(trie);

    std::vector<CountedLevel>& levels = result.ngrams.levels;
    levels.resize(trie.order);
    const std::size_t words = result.kept_words.size();
    levels[0].value.resize(words);
    levels[0].values.resize(words);
    for (std::size_t id = 0; id < words; ++id) {
        levels[0].value[id] = static_cast<std::uint32_t>(id);
        levels[0].values[id] = {unigram[result.kept_words[id]], 0.0F, 1.0F, 0};
    }
    const std::vector<std::vector<std::uint64_t>> first = estimation::first_of_chunks(trie);
    for (unsigned k = 2; k <= trie.order; ++k) {
        CountedLevel& level = levels[k - 1];
        level.word = trie.spill.allocate<std::uint32_t>(first.back()[k]);
        level.suffix = trie.spill.allocate<std::uint32_t>(first.back()[k]);
        level.value = trie.spill.allocate<std::uint32_t>(first.back()[k]);
    }
    trie.recycling.reset();
    if (trie.order == 1) return result;

    progress.begin("collect n-grams", trie.first_event.empty() ? 0 : trie.first_event.back());
    const std::size_t chunks = trie.chunks.size();
    std::vector<std::vector<kept_counts::Dictionary>> dictionaries(chunks);
    parallel_for(chunks, options.threads, progress, [&](std::size_t c, unsigned) {
        TrieChunk& chunk = trie.chunks[c];
        dictionaries[c].resize(trie.order + 1);
        kept_counts::ChunkWriter(trie, chunk, first[c], result.ngrams, dictionaries[c]).run();
        for (unsigned k = 2; k <= trie.order; ++k) levels[k - 1].rest(first[c][k], first[c + 1][k]);
        progress.advance(trie.events(chunk));
        chunk = TrieChunk{};
    });
    for (unsigned k = 2; k <= trie.order; ++k) {
        std::vector<const kept_counts::Dictionary*> parts;
        std::vector<std::uint64_t> begins;
        for (std::size_t c = 0; c < chunks; ++c) parts.push_back(&dictionaries[c][k]);
        for (const std::vector<std::uint64_t>& indices : first) begins.push_back(indices[k]);
        kept_counts::join_dictionaries(levels[k - 1], parts, begins, discounts[k - 1],
                                       options.threads, progress);
    }
    return result;
}

}  // namespace ngram
