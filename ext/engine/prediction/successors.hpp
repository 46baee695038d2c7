// Successor lists: for every context the words that follow it in the model, most probable first.
// An optional section of a model; with it the best next words are found by merging at most one
// list per order instead of asking for every word of the vocabulary.
//
// Order k has one list per context of k - 1 words, in the order of the contexts' slots (order 1:
// one list, all words). Within a list log10_prob falls; equal ones stand by ascending word id. A
// list stores word ids in as many bits as the vocabulary needs; where lists begin is a monotone
// sequence. Probabilities are not repeated: they are in the query reader.
//
// `Reader` reads the n-grams of a query structure: see ngram_reader.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/errors.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "prediction/packed.hpp"

namespace ngram {

// One order's lists as they are stored.
struct SuccessorArrays {
    Span<const std::uint64_t> words;
    Span<const std::uint64_t> starts_low;
    Span<const std::uint64_t> starts_high;
    Span<const std::uint64_t> starts_samples;
};

struct SuccessorStorage {
    Buffer<std::uint64_t> words;
    MonotoneInts::Storage starts;

    SuccessorArrays arrays() const {
        return {words.span(), starts.low.span(), starts.high.span(), starts.samples.span()};
    }
};

// The lists of a model, reading memory that somebody else owns.
class Successors {
  public:
    struct Range {
        std::uint64_t begin;
        std::uint64_t end;
    };

    // Checks that the arrays have the sizes the model asks for.
    template <class Reader>
    static Successors attach(const Reader& reader, const std::vector<SuccessorArrays>& orders) {
        if (orders.size() != reader.order()) {
            throw ModelFileError("the successor lists are those of " +
                                 std::to_string(orders.size()) + " orders, the model has " +
                                 std::to_string(reader.order()));
        }
        Successors successors;
        successors.vocabulary_size_ = reader.vocabulary_size();
        const unsigned width = bit_width(successors.vocabulary_size_ - 1);
        for (std::size_t k = 1; k <= orders.size(); ++k) {
            const SuccessorArrays& arrays = orders[k - 1];
            const std::uint64_t size = reader.size(k);
            const std::uint64_t contexts = k == 1 ? 1 : reader.slots(k - 1);
            successors.levels_.push_back(
                {PackedInts::attach(arrays.words, size, width),
                 MonotoneInts::attach(arrays.starts_low, arrays.starts_high, arrays.starts_samples,
                                      contexts + 1, size)});
        }
        return successors;
    }

    // Fetch what range() and word() will read first.
    void prefetch_range(std::size_t order, std::uint64_t context) const {
        levels_[order - 1].starts.prefetch(context);
    }
    void prefetch_word(std::size_t order, std::uint64_t index) const {
        levels_[order - 1].words.prefetch(index);
    }

    // Where the list of a context (its slot; 0 at order 1) lies among the words of its order.
    Range range(std::size_t order, std::uint64_t context) const {
        const auto [begin, end] = levels_[order - 1].starts.pair(context);
        return {begin, end};
    }

    std::uint32_t word(std::size_t order, std::uint64_t index) const {
        const std::uint32_t word = levels_[order - 1].words[index];
        if (word >= vocabulary_size_) {
            throw ModelFileError("the successor lists of the model are damaged: word id " +
                                 std::to_string(word) + " of " + std::to_string(vocabulary_size_) +
                                 ". Load the model with verify=True to check the file");
        }
        return word;
    }

  private:
    struct Level {
        PackedInts words;
        MonotoneInts starts;
    };

    std::vector<Level> levels_;
    std::uint64_t vocabulary_size_ = 0;
};

namespace successors {

// Sorts like (log10_prob descending, word ascending), for any bits in log10_prob.
inline std::uint64_t sort_key(float log10_prob, std::uint32_t word) {
    const float value = log10_prob + 0.0F;  // -0 equals 0
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    const std::uint32_t ascending = (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
    return (std::uint64_t{~ascending} << 32) | word;
}

// Packs the words of sorted keys.
inline Buffer<std::uint64_t> pack_words(const Buffer<std::uint64_t>& keys, unsigned width,
                                        unsigned threads, Progress& progress) {
    Buffer<std::uint64_t> words(PackedInts::words_for(keys.size(), width), 0);
    // A multiple of 64 values ends at a word's border: tasks write disjoint words.
    constexpr std::size_t kBlock = std::size_t{1} << 16;
    parallel_for((keys.size() + kBlock - 1) / kBlock, threads, progress,
                 [&](std::size_t task, unsigned) {
                     const std::size_t end = std::min(keys.size(), (task + 1) * kBlock);
                     for (std::size_t i = task * kBlock; i < end; ++i) {
                         PackedInts::set(words.data(), width, i, keys[i] & 0xFFFFFFFFU);
                     }
                 });
    return words;
}

// Of every slot of one order: its context's slot one order below, and its last word.
struct Links {
    Buffer<std::uint32_t> context;
    Buffer<std::uint32_t> last;
};

constexpr std::uint32_t kNoContext = 0xFFFFFFFFU;

inline ModelFileError unreadable(std::size_t order) {
    return ModelFileError(
        "cannot build successor lists: the suffix or the context of an n-gram of "
        "order " +
        std::to_string(order) + " is not in the model. The model is damaged");
}

// Of every slot of an order, from those of the order below: an n-gram's context is the context of
// its suffix, with its first word before it.
template <class Reader>
Links link(const Reader& reader, std::size_t order, const Links& below, unsigned threads,
           Progress& progress) {
    const std::size_t slots = reader.slots(order);
    Links links;
    links.context = Buffer<std::uint32_t>(slots, kNoContext);
    links.last = Buffer<std::uint32_t>(slots, 0);
    constexpr std::size_t kBlock = std::size_t{1} << 14;
    parallel_for((slots + kBlock - 1) / kBlock, threads, progress, [&](std::size_t task, unsigned) {
        struct Open {
            std::uint64_t slot, context;
            std::uint32_t word;
        };
        std::vector<Open> open;
        open.reserve(kBlock);
        const std::size_t end = std::min(slots, (task + 1) * kBlock);
        reader.for_each(
            order, task * kBlock, end,
            [&](std::uint64_t slot, std::uint64_t suffix, std::uint32_t word) {
                if (suffix >= reader.slots(order - 1) || word >= reader.vocabulary_size()) {
                    throw unreadable(order);
                }
                links.last[slot] =
                    order == 2 ? static_cast<std::uint32_t>(suffix) : below.last[suffix];
                if (order == 2) {
                    links.context[slot] = word;
                    return;
                }
                open.push_back({slot, below.context[suffix], word});
                reader.prefetch(order - 1, open.back().context, word);
            });
        for (const Open& item : open) {
            const std::uint32_t context = reader.locate(order - 1, item.context, item.word);
            if (context == Reader::kNone) throw unreadable(order);
            links.context[item.slot] = context;
        }
    });
    return links;
}

// The lists of one order, as sort keys, and where each begins.
struct Lists {
    Buffer<std::uint64_t> keys;
    Buffer<std::uint64_t> starts;
};

template <class Reader>
Lists sort_lists(const Reader& reader, std::size_t order, const Links& links,
                 const typename Reader::SlotProbs& probs, unsigned threads, Progress& progress) {
    const std::size_t contexts = reader.slots(order - 1);
    Lists lists;
    lists.starts = Buffer<std::uint64_t>(contexts + 1, 0);
    for (const std::uint32_t context : links.context) {
        if (context != kNoContext) ++lists.starts[context];
    }
    std::uint64_t total = 0;
    for (std::uint64_t& start : lists.starts) total += std::exchange(start, total);
    lists.keys.resize(total);
    reader.for_each(order, 0, reader.slots(order),
                    [&](std::uint64_t slot, std::uint64_t, std::uint32_t) {
                        const std::uint64_t index = lists.starts[links.context[slot]]++;
                        lists.keys[index] = sort_key(probs[slot], links.last[slot]);
                    });
    // Every start has moved to its list's end, which is the next list's start.
    std::memmove(lists.starts.data() + 1, lists.starts.data(), contexts * sizeof(std::uint64_t));
    lists.starts[0] = 0;
    const std::size_t tasks = std::min<std::size_t>(contexts, 1024);
    parallel_for(tasks, threads, progress, [&](std::size_t task, unsigned) {
        const std::size_t end = part_begin(contexts, tasks, task + 1);
        for (std::size_t i = part_begin(contexts, tasks, task); i < end; ++i) {
            std::sort(lists.keys.data() + lists.starts[i], lists.keys.data() + lists.starts[i + 1]);
        }
    });
    return lists;
}

}  // namespace successors

// Builds the lists of every order. Memory while building: 40 bytes per n-gram of the largest
// order. The result does not depend on the number of threads.
template <class Reader>
std::vector<SuccessorStorage> build_successors(const Reader& reader, unsigned threads,
                                               Progress& progress) {
    const std::size_t size = reader.vocabulary_size();
    const unsigned width = bit_width(size - 1);
    std::vector<SuccessorStorage> orders(reader.order());
    progress.begin("successors", reader.order());

    Buffer<std::uint64_t> keys(size);
    for (std::size_t i = 0; i < size; ++i) {
        const auto word = static_cast<std::uint32_t>(i);
        keys[i] = successors::sort_key(reader.unigram(word).log10_prob, word);
    }
    std::sort(keys.begin(), keys.end());
    orders[0].words = successors::pack_words(keys, width, threads, progress);
    const std::uint64_t whole[] = {0, size};
    orders[0].starts = MonotoneInts::encode({whole, 2}, size);
    progress.advance(1);

    successors::Links links;
    typename Reader::SlotProbs probs;
    for (std::size_t order = 2; order <= reader.order(); ++order) {
        if (reader.slots(order) >= successors::kNoContext) {
            throw InputError("cannot build successor lists: order " + std::to_string(order) +
                             " has more than 4294967294 slots");
        }
        links = successors::link(reader, order, links, threads, progress);
        probs = typename Reader::SlotProbs(reader, order, links.context, probs, threads, progress);
        const auto lists = successors::sort_lists(reader, order, links, probs, threads, progress);
        orders[order - 1].words = successors::pack_words(lists.keys, width, threads, progress);
        orders[order - 1].starts = MonotoneInts::encode(lists.starts.span(), lists.keys.size());
        progress.advance(1);
    }
    return orders;
}

}  // namespace ngram
