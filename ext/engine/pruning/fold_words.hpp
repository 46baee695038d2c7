// Fewer words: the dropped ones become <unk>. Input: levels in suffix order, prefixes, and which
// words stay. Output: n-grams of the words that stay, closed, in suffix order, words numbered anew
// without gaps.
//
// After a context of words that stay, every word that stays keeps its probability exactly, and
// <unk> gets those of the dropped ones, whether stored or backed off to:
//
//     p'(<unk>|h) = p(<unk>|h) + D(h),   D(h) = b(h) D(h') + sum over dropped w, hw stored, of
//                                               p(w|h) - b(h) p(w|h')
//
// with b the back-off and h' the suffix of h. It is stored where backing off would not give the
// same: where h had <unk> or a dropped word after it. So back-offs stay as they are, and contexts
// sum to one as before. What the model knew about contexts that hold a dropped word is lost: they
// become contexts with <unk>, after which it backs off.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/exp10.hpp"
#include "base/progress.hpp"
#include "ngrams/backoff_weights.hpp"
#include "ngrams/sorted_ngrams.hpp"
#include "text/vocabulary.hpp"

namespace ngram {

namespace fold_words {

inline float log10_of(double probability) {
    if (probability <= 0) return -std::numeric_limits<float>::infinity();
    return std::min(static_cast<float>(std::log10(probability)), 0.0F);
}

// What is known of the n-grams of one order, by old index.
struct Folded {
    Buffer<std::uint8_t> kept;          // all words stay
    Buffer<std::uint8_t> last_dropped;  // the last word does not
    Buffer<std::uint32_t> moved;        // new index of the kept ones that do not end in <unk>
};

// The same as contexts of the next order.
struct Contexts {
    explicit Contexts(std::size_t size) : dropped(size), unknown(size), stored(size, 0) {}

    Buffer<double> dropped;          // D(h)
    Buffer<double> unknown;          // p(<unk>|h)
    Buffer<std::uint8_t> stored;     // p'(<unk>|h) is
    Buffer<std::uint32_t> followed;  // new index of h <unk>, where it is
};

// D and p(<unk>|h) of the contexts of order k - 1; `shorter` is that of order k - 2, which is the
// empty context for k = 2.
inline Contexts weigh_contexts(const std::vector<NgramLevel>& levels, std::size_t k,
                               const Buffer<std::uint32_t>& prefix, const Folded& lower,
                               const Contexts& shorter, std::size_t after_unk) {
    const NgramLevel& level = levels[k - 1];
    const NgramLevel& below = levels[k - 2];
    Contexts contexts(below.size());
    for (std::size_t i = 0; i < below.size(); ++i) {
        const double backoff = exp10_of(below.log10_backoff[i]);
        const std::size_t suffix = k == 2 ? 0 : below.suffix[i];
        contexts.dropped[i] = backoff * shorter.dropped[suffix];
        contexts.unknown[i] = backoff * shorter.unknown[suffix];
    }
    for (std::size_t i = 0; i < level.size(); ++i) {
        const std::uint32_t h = prefix[i];
        if (lower.kept[h] == 0) continue;
        if (i < after_unk) {
            contexts.unknown[h] = exp10_of(level.log10_prob[i]);
            contexts.stored[h] = 1;
        } else if (lower.last_dropped[level.suffix[i]] != 0) {
            contexts.dropped[h] +=
                exp10_of(level.log10_prob[i]) -
                exp10_of(below.log10_backoff[h]) * exp10_of(below.log10_prob[level.suffix[i]]);
            contexts.stored[h] = 1;
        }
    }
    return contexts;
}

// Appends to `target` what ends in <unk>: suffix order begins with it.
inline void write_unknown(const std::vector<NgramLevel>& levels, std::size_t k,
                          const Buffer<std::uint32_t>& prefix, const Buffer<std::uint32_t>& ids,
                          const Contexts& shorter, std::size_t after_unk, Contexts& contexts,
                          NgramLevel& target) {
    const bool highest = k == levels.size();
    contexts.followed.resize(contexts.stored.size());
    Buffer<float> backoff(contexts.stored.size(), 0.0F);  // of h <unk>, where it was stored
    if (!highest) {
        for (std::size_t i = 0; i < after_unk; ++i) {
            backoff[prefix[i]] = levels[k - 1].log10_backoff[i];
        }
    }
    for (std::size_t h = 0; h < contexts.stored.size(); ++h) {
        if (contexts.stored[h] == 0) continue;
        contexts.followed[h] = static_cast<std::uint32_t>(target.size());
        target.word.push_back(ids[k == 2 ? h : levels[k - 2].word[h]]);
        target.suffix.push_back(k == 2 ? kUnk : shorter.followed[levels[k - 2].suffix[h]]);
        target.log10_prob.push_back(log10_of(contexts.unknown[h] + contexts.dropped[h]));
        if (!highest) target.log10_backoff.push_back(backoff[h]);
    }
}

// Appends the other n-grams of words that stay.
inline Folded write_kept(const std::vector<NgramLevel>& levels, std::size_t k,
                         const Buffer<std::uint32_t>& ids, const Folded& lower,
                         std::size_t after_unk, NgramLevel& target) {
    const NgramLevel& level = levels[k - 1];
    const bool highest = k == levels.size();
    Folded folded{Buffer<std::uint8_t>(level.size()), Buffer<std::uint8_t>(level.size()),
                  Buffer<std::uint32_t>(level.size(), kAbsent)};
    for (std::size_t i = 0; i < level.size(); ++i) {
        const std::uint32_t suffix = level.suffix[i];
        folded.kept[i] = lower.kept[suffix] != 0 && ids[level.word[i]] != kAbsent;
        folded.last_dropped[i] = lower.last_dropped[suffix];
        if (folded.kept[i] == 0 || i < after_unk) continue;
        folded.moved[i] = static_cast<std::uint32_t>(target.size());
        target.word.push_back(ids[level.word[i]]);
        target.suffix.push_back(lower.moved[suffix]);
        target.log10_prob.push_back(level.log10_prob[i]);
        if (!highest) target.log10_backoff.push_back(level.log10_backoff[i]);
    }
    return folded;
}

// Order 1; also gives what the empty context says of <unk>.
inline Folded write_words(const NgramLevel& level, const Buffer<std::uint32_t>& ids,
                          Contexts& empty, NgramLevel& target) {
    Folded folded{Buffer<std::uint8_t>(level.size()), Buffer<std::uint8_t>(level.size()),
                  Buffer<std::uint32_t>(level.size())};
    empty.dropped[0] = 0;
    empty.unknown[0] = exp10_of(level.log10_prob[kUnk]);
    for (std::size_t word = 0; word < level.size(); ++word) {
        folded.kept[word] = ids[word] != kAbsent;
        folded.last_dropped[word] = ids[word] == kAbsent;
        folded.moved[word] = ids[word];
        if (folded.kept[word] == 0) {
            empty.dropped[0] += exp10_of(level.log10_prob[word]);
            continue;
        }
        target.log10_prob.push_back(level.log10_prob[word]);
        if (!level.log10_backoff.empty()) target.log10_backoff.push_back(level.log10_backoff[word]);
    }
    target.log10_prob[kUnk] = log10_of(empty.unknown[0] + empty.dropped[0]);
    return folded;
}

}  // namespace fold_words

// `kept_words`: the words that stay, ascending; <unk>, <s>, </s> are among them.
inline std::shared_ptr<SortedNgrams> fold_words_into_unk(
    const std::vector<NgramLevel>& levels, const std::vector<Buffer<std::uint32_t>>& prefixes,
    Span<const std::uint32_t> kept_words, Progress& progress) {
    std::uint64_t total = 0;
    for (const NgramLevel& level : levels) total += level.size();
    progress.begin("fold words", total);
    Buffer<std::uint32_t> ids(levels[0].size(), kAbsent);
    for (std::size_t i = 0; i < kept_words.size(); ++i) {
        ids[kept_words[i]] = static_cast<std::uint32_t>(i);
    }
    auto result = std::make_shared<SortedNgrams>();
    fold_words::Contexts shorter(1);
    fold_words::Folded lower =
        fold_words::write_words(levels[0], ids, shorter, result->levels.emplace_back());
    for (std::size_t k = 2; k <= levels.size(); ++k) {
        progress.advance(levels[k - 2].size());
        progress.poll();
        const std::size_t after_unk = backoff_weights::ending_in(levels, k, kUnk).second;
        fold_words::Contexts contexts =
            fold_words::weigh_contexts(levels, k, prefixes[k - 1], lower, shorter, after_unk);
        NgramLevel target;
        fold_words::write_unknown(levels, k, prefixes[k - 1], ids, shorter, after_unk, contexts,
                                  target);
        lower = fold_words::write_kept(levels, k, ids, lower, after_unk, target);
        if (target.size() == 0) break;
        result->levels.push_back(std::move(target));
        shorter = std::move(contexts);
    }
    result->levels.back().log10_backoff.clear();
    return result;
}

}  // namespace ngram
