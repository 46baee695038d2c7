// Word bigrams as two lists per word: which words follow it, which stand before it, how often.
// Input: the ids of a corpus, each sentence closed by id 2 (`</s>`), which is also the `<s>` of the
// next sentence: the corpus is one circle, and every token has a word after and a word before it.
// Output: Bigrams; the words after a word in order of first occurrence, those before it in order
// of their ids. Next: exchange.hpp.
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

namespace ngram {
namespace classes {

constexpr std::uint32_t kEdge = 2;  // `</s>`, and the `<s>` that follows it

// The neighbours of word w on one side: word[i] occurs count[i] times, begin[w] <= i < begin[w+1].
struct Neighbours {
    Buffer<std::uint64_t> begin;
    Buffer<std::uint32_t> word;
    Buffer<std::uint32_t> count;
};

struct Bigrams {
    Buffer<std::uint32_t> total;  // occurrences of every word
    Neighbours after;
    Neighbours before;

    std::size_t words() const { return total.size(); }
};

namespace bigrams {

// followers[begin[v]..begin[v + 1]): the word after each occurrence of v, in text order.
inline Buffer<std::uint32_t> followers(Span<const std::uint32_t> ids,
                                       const Buffer<std::uint64_t>& begin) {
    Buffer<std::uint32_t> result(ids.size());
    Buffer<std::uint64_t> next(begin.size());
    std::memcpy(next.data(), begin.data(), begin.bytes());
    std::uint32_t previous = kEdge;
    for (const std::uint32_t word : ids) {
        result[next[previous]++] = word;
        previous = word;
    }
    return result;
}

// Replaces the list of every word in [first, last) by its distinct words, and counts them.
inline void count_distinct(const Buffer<std::uint64_t>& begin, std::size_t first, std::size_t last,
                           Buffer<std::uint32_t>& seen,      // zeros, and zeros again afterwards
                           Buffer<std::uint32_t>& list,      // IN and OUT
                           Buffer<std::uint32_t>& count,     // OUT
                           Buffer<std::uint32_t>& distinct)  // OUT
{
    for (std::size_t v = first; v < last; ++v) {
        std::uint32_t* const words = list.data() + begin[v];
        const std::size_t size = begin[v + 1] - begin[v];
        std::uint32_t different = 0;
        for (std::size_t i = 0; i < size; ++i) {
            const std::uint32_t word = words[i];
            if (seen[word]++ == 0) words[different++] = word;
        }
        for (std::uint32_t i = 0; i < different; ++i) {
            count[begin[v] + i] = seen[words[i]];
            seen[words[i]] = 0;
        }
        distinct[v] = different;
    }
}

inline Buffer<std::uint64_t> sums_before(const Buffer<std::uint32_t>& sizes) {
    Buffer<std::uint64_t> begin(sizes.size() + 1);
    begin[0] = 0;
    for (std::size_t v = 0; v < sizes.size(); ++v) begin[v + 1] = begin[v] + sizes[v];
    return begin;
}

// Turns the lists around: the words before each word.
inline Neighbours reversed(const Neighbours& after, std::size_t words) {
    Buffer<std::uint32_t> sizes(words, 0);
    for (const std::uint32_t word : after.word) ++sizes[word];
    Neighbours before{sums_before(sizes), Buffer<std::uint32_t>(after.word.size()),
                      Buffer<std::uint32_t>(after.word.size())};
    Buffer<std::uint64_t> next(words + 1);
    std::memcpy(next.data(), before.begin.data(), before.begin.bytes());
    for (std::size_t v = 0; v < words; ++v) {
        for (std::uint64_t i = after.begin[v]; i < after.begin[v + 1]; ++i) {
            const std::uint64_t place = next[after.word[i]]++;
            before.word[place] = static_cast<std::uint32_t>(v);
            before.count[place] = after.count[i];
        }
    }
    return before;
}

}  // namespace bigrams

// Every id is below `words`; the last one is `</s>`.
inline Bigrams count_bigrams(Span<const std::uint32_t> ids, std::size_t words, unsigned threads,
                             Progress& progress) {
    if (ids.size() > UINT32_MAX) {
        throw InputError("the corpus has " + std::to_string(ids.size()) +
                         " tokens; classes are made of at most 4,294,967,295. Pass a part of it.");
    }
    progress.begin("count bigrams", ids.size());
    Bigrams result;
    result.total = Buffer<std::uint32_t>(words, 0);
    for (const std::uint32_t word : ids) ++result.total[word];
    // As a circle, the corpus has as many followers of a word as occurrences.
    const Buffer<std::uint64_t> begin = bigrams::sums_before(result.total);
    Buffer<std::uint32_t> list = bigrams::followers(ids, begin);
    progress.poll();

    Buffer<std::uint32_t> count(ids.size());
    Buffer<std::uint32_t> distinct(words);
    constexpr std::size_t kParts = 256;
    std::vector<Buffer<std::uint32_t>> seen(threads);
    parallel_for(kParts, threads, progress, [&](std::size_t part, unsigned worker) {
        if (seen[worker].empty()) seen[worker] = Buffer<std::uint32_t>(words, 0);
        // Parts of about the same number of tokens.
        auto edge = [&](std::size_t index) -> std::size_t {
            if (index == kParts) return words;
            const std::uint64_t from = part_begin(ids.size(), kParts, index);
            return std::lower_bound(begin.begin(), begin.end() - 1, from) - begin.begin();
        };
        const std::size_t first = edge(part), last = edge(part + 1);
        bigrams::count_distinct(begin, first, last, seen[worker], list, count, distinct);
        progress.advance(begin[last] - begin[first]);
    });

    result.after.begin = bigrams::sums_before(distinct);
    for (std::size_t v = 0; v < words; ++v) {  // close the gaps, from left to right
        const std::uint64_t to = result.after.begin[v];
        std::memmove(list.data() + to, list.data() + begin[v], distinct[v] * sizeof(list[0]));
        std::memmove(count.data() + to, count.data() + begin[v], distinct[v] * sizeof(count[0]));
    }
    list.resize(result.after.begin[words]);
    count.resize(result.after.begin[words]);
    result.after.word = std::move(list);
    result.after.count = std::move(count);
    result.before = bigrams::reversed(result.after, words);
    progress.poll();
    return result;
}

}  // namespace classes
}  // namespace ngram
