// The next word: the whole smoothed distribution, and its exact best words.
//
// After a context h = h_d .. h_2 h_1 (h_1 is the last word) a word w has the probability of the
// longest n-gram h_j .. h_1 w in the model, times the back-offs of all longer contexts. With
// weight(k) = product of the linear back-offs of the contexts of k or more words in the model,
//
//     p(w | h) = 10 ** log10_prob(h_{k-1} .. h_1 w) * weight(k)      (k = length of that n-gram)
//
// in float64. All functions here compute exactly this expression, so their results agree to the
// last bit. It is also right for models that do not interpolate (Katz, pruned, other toolkits').
//
// Two ways lead to the words with their own n-gram: asking the table for every word, or reading
// the contexts' successor lists (successors.hpp), thousands of times less work.
// Read next: sampler.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "prediction/ngram_reader.hpp"
#include "prediction/successors.hpp"

namespace ngram {

struct Prediction {
    std::uint32_t word;
    double probability;
};

// 10 ** log10_value, in float64.
inline double linear(float log10_value) {
    constexpr double kLog2Of10 = 3.321928094887362348;
    return std::exp2(static_cast<double>(log10_value) * kLog2Of10);
}

// Whether the first is the better prediction: more probable, or as probable with a smaller id.
inline bool better(const Prediction& first, const Prediction& second) {
    if (first.probability != second.probability) return first.probability > second.probability;
    return first.word < second.word;
}

template <class Reader>
class Predictor {
  public:
    static constexpr std::uint32_t kFirstWord = 2;  // after <unk> and <s>: never predicted

    // What they read lives longer than the predictor; `successors` may be null.
    Predictor(const Reader& reader, const Successors* successors)
        : reader_(reader), successors_(successors) {}

    std::size_t vocabulary_size() const { return reader_.vocabulary_size(); }

    // Fills out[0 .. vocabulary_size) with p(w | context); <s> gets 0. Context: word ids, the last
    // word last; as many of its last words count as the order allows.
    void distribution(Span<const std::uint32_t> context_ids, double* out) const {
        const Context context = find_context(context_ids);
        const std::size_t size = vocabulary_size();
        const std::vector<double>& unigrams = unigram_probabilities();
        const double weight = context.weights[1];
        for (std::size_t w = 0; w < size; ++w) out[w] = unigrams[w] * weight;
        visit_ngrams(context, [&](std::size_t k, std::uint32_t word, float log10_prob) {
            out[word] = linear(log10_prob) * context.weights[k];
        });
        out[kBeginSentence] = 0.0;
    }

    // The `count` most probable words after the context, best first, without <s> and <unk> and
    // without words of probability 0; fewer if there are not so many.
    std::vector<Prediction> next_words(Span<const std::uint32_t> context_ids,
                                       std::size_t count) const {
        // Merging costs about 0.4 us per word taken, the distribution 3 ns per word there is.
        const bool few = count < 256 || count < vocabulary_size() / 256;
        if (successors_ != nullptr && few) return merge_lists(find_context(context_ids), count);
        Buffer<double> probabilities(vocabulary_size());
        distribution(context_ids, probabilities.data());
        return best(probabilities.data(), count);
    }

    // The `count` best words of a distribution over the vocabulary.
    std::vector<Prediction> best(const double* probabilities, std::size_t count) const {
        std::vector<Prediction> words;
        if (count == 0) return words;
        // A heap of the best so far, the worst of them on top.
        for (std::size_t w = kFirstWord; w < vocabulary_size(); ++w) {
            const Prediction word{static_cast<std::uint32_t>(w), probabilities[w]};
            if (!(word.probability > 0)) continue;
            if (words.size() < count) {
                words.push_back(word);
                if (words.size() == count) std::make_heap(words.begin(), words.end(), better);
            } else if (better(word, words.front())) {
                std::pop_heap(words.begin(), words.end(), better);
                words.back() = word;
                std::push_heap(words.begin(), words.end(), better);
            }
        }
        std::sort(words.begin(), words.end(), better);
        return words;
    }

    // p(w | context) of some words; <s> has 0. The ids are below vocabulary_size.
    void probabilities(Span<const std::uint32_t> context_ids, Span<const std::uint32_t> words,
                       double* out) const {
        const Context context = find_context(context_ids);
        for (std::size_t i = 0; i < words.size(); ++i) {
            out[i] = words[i] == kBeginSentence ? 0.0 : probability(context, words[i]);
        }
    }

    // The contexts that the model has: slots[j] is the n-gram h_j .. h_1, firsts[j] its first word
    // and what it brings as a context, weights[k] what an n-gram of length k is multiplied with;
    // 1 <= j <= depth, 1 <= k <= depth + 1.
    struct Context {
        std::size_t depth = 0;
        std::vector<FirstWord> firsts{{0}};
        std::vector<std::uint64_t> slots{0};
        std::vector<double> weights;
    };

    Context find_context(Span<const std::uint32_t> ids) const {
        Context context;
        const std::size_t longest = std::min(ids.size(), reader_.order() - 1);
        std::vector<double> backoffs{1.0};
        for (std::size_t j = 1; j <= longest; ++j) {
            const std::uint32_t word = ids[ids.size() - j];
            if (word >= vocabulary_size()) break;
            const FoundNgram found =
                j == 1 ? reader_.unigram(word) : reader_.find(j, {context.slots[j - 1]}, {word});
            if (!found) break;
            context.depth = j;
            context.firsts.push_back({word, found.context});
            context.slots.push_back(found.slot);
            backoffs.push_back(linear(found.log10_backoff));
        }
        context.weights.assign(context.depth + 2, 1.0);
        for (std::size_t k = context.depth; k >= 1; --k) {
            context.weights[k] = context.weights[k + 1] * backoffs[k];
        }
        return context;
    }

    // Computed once, when first asked for: 8 bytes per word, and an exponential each.
    const std::vector<double>& unigram_probabilities() const {
        std::call_once(unigrams_once_, [this] {
            std::vector<double> unigrams(vocabulary_size());
            for (std::size_t w = 0; w < unigrams.size(); ++w) {
                unigrams[w] = linear(reader_.unigram(static_cast<std::uint32_t>(w)).log10_prob);
            }
            unigrams_ = std::move(unigrams);
        });
        return unigrams_;
    }

    // What a word of the list of order k is worth: its n-gram of that order, times the weight of
    // the order. That is its probability if `longest`, if it has no longer n-gram.
    struct Worth {
        double value;
        bool longest;
    };

    // With `look_further` false, stops at the order and leaves `longest` open: fewer look-ups.
    Worth worth(const Context& context, std::size_t order, std::uint32_t word,
                bool look_further = true) const {
        auto found = reader_.unigram(word);
        std::size_t k = 1;
        float log10_prob = found.log10_prob;
        const std::size_t last = look_further ? context.depth + 1 : order;
        while (k < last && found.extends_left) {
            found = reader_.find(k + 1, found.suffix(), context.firsts[k]);
            if (!found) break;
            ++k;
            if (k <= order) log10_prob = found.log10_prob;
        }
        return {linear(log10_prob) * context.weights[order], k == order};
    }

    double probability(const Context& context, std::uint32_t word) const {
        auto found = reader_.unigram(word);
        std::size_t k = 1;
        float log10_prob = found.log10_prob;
        while (k <= context.depth && found.extends_left) {
            found = reader_.find(k + 1, found.suffix(), context.firsts[k]);
            if (!found) break;
            log10_prob = found.log10_prob;
            ++k;
        }
        return linear(log10_prob) * context.weights[k];
    }

    // The list of one order after a context: words by falling worth. Made for this context if the
    // model has no lists.
    struct List {
        std::uint64_t begin = 0;
        std::uint64_t end = 0;
        std::vector<std::uint64_t> keys;  // sort keys; `begin` is 0
    };

    std::uint32_t word_at(const List& list, std::size_t order, std::uint64_t index) const {
        if (successors_ != nullptr) return successors_->word(order, index);
        return static_cast<std::uint32_t>(order == 1 ? sorted_unigrams()[index] : list.keys[index]);
    }

    // [k - 1] is the list of order k <= depth + 1.
    std::vector<List> lists(const Context& context) const {
        std::vector<List> lists(context.depth + 1);
        if (successors_ != nullptr) {
            for (std::size_t k = 2; k <= lists.size(); ++k) {
                successors_->prefetch_range(k, context.slots[k - 1]);
            }
            for (std::size_t k = 1; k <= lists.size(); ++k) {
                const auto range = successors_->range(k, k == 1 ? 0 : context.slots[k - 1]);
                lists[k - 1].begin = range.begin;
                lists[k - 1].end = range.end;
                successors_->prefetch_word(k, range.begin);
            }
            return lists;
        }
        visit_ngrams(context, [&](std::size_t k, std::uint32_t word, float log10_prob) {
            lists[k - 1].keys.push_back(successors::sort_key(log10_prob, word));
        });
        for (List& list : lists) {
            std::sort(list.keys.begin(), list.keys.end());
            list.end = list.keys.size();
        }
        lists[0].end = vocabulary_size();
        return lists;
    }

  private:
    static constexpr std::uint32_t kBeginSentence = 1;
    static constexpr std::size_t kAhead = 16;  // look-ups prefetched

    struct Candidate {
        std::uint32_t word;
        Suffix ngram;  // the longest one so far that ends in the word
    };

    // The words that may have an n-gram of two words after the context: the successors of its last
    // word, or all words if there are no lists. Longer n-grams end in a shorter one.
    Buffer<Candidate> bigram_candidates(const Context& context) const {
        Buffer<Candidate> candidates;
        if (successors_ == nullptr) {
            candidates.reserve(vocabulary_size());
            for (std::size_t w = 0; w < vocabulary_size(); ++w) {
                const auto word = static_cast<std::uint32_t>(w);
                const FoundNgram unigram = reader_.unigram(word);
                if (unigram.extends_left) candidates.push_back({word, unigram.suffix()});
            }
            return candidates;
        }
        const auto [begin, end] = successors_->range(2, context.slots[1]);
        candidates.resize(end - begin);
        for (std::uint64_t i = begin; i < end; ++i) {
            const std::uint32_t word = successors_->word(2, i);
            candidates[i - begin] = {word, reader_.unigram(word).suffix()};
        }
        return candidates;
    }

    // Calls visit(k, word, log10_prob) for all n-grams of k >= 2 words that end in the context and
    // a word, shorter ones first: looks up h_1 w for every candidate, then h_2 h_1 w for those
    // found, and so on.
    template <class Visit>
    void visit_ngrams(const Context& context, Visit visit) const {
        if (context.depth == 0) return;
        Buffer<Candidate> candidates = bigram_candidates(context);
        for (std::size_t k = 2; k <= context.depth + 1 && !candidates.empty(); ++k) {
            const FirstWord& first = context.firsts[k - 1];
            std::size_t kept = 0;
            for (std::size_t i = 0; i < candidates.size(); ++i) {
                if (i + kAhead < candidates.size()) {
                    reader_.prefetch(k, candidates[i + kAhead].ngram.slot, first.word);
                }
                const std::uint32_t word = candidates[i].word;
                const FoundNgram found = reader_.find(k, candidates[i].ngram, first);
                if (!found) continue;
                visit(k, word, found.log10_prob);
                if (found.extends_left) candidates[kept++] = {word, found.suffix()};
            }
            candidates.resize(kept);
        }
    }

    // The list of order 1, of all words. Computed once, when first asked for.
    const std::vector<std::uint64_t>& sorted_unigrams() const {
        std::call_once(sorted_once_, [this] {
            std::vector<std::uint64_t> keys(vocabulary_size());
            for (std::size_t w = 0; w < keys.size(); ++w) {
                const auto word = static_cast<std::uint32_t>(w);
                keys[w] = successors::sort_key(reader_.unigram(word).log10_prob, word);
            }
            std::sort(keys.begin(), keys.end());
            sorted_unigrams_ = std::move(keys);
        });
        return sorted_unigrams_;
    }

    // The best word of one order's list that has not been taken. `bound` is what it would have if
    // this order's n-gram were the longest; `longest` says whether it is.
    struct Head {
        std::size_t order;
        std::uint64_t next;
        std::uint64_t end;
        std::uint32_t word;
        double bound;
        bool longest;
    };

    // Moves a head to its list's next word, but not to one of the first words taken: those have
    // longer n-grams, and seeing that here saves their look-ups. Returns false at the list's end.
    bool advance(const Context& context, const std::vector<Prediction>& taken, Head& head) const {
        const std::size_t seen = std::min<std::size_t>(taken.size(), 32);
        bool repeated = true;
        while (repeated) {
            if (head.next == head.end) return false;
            head.word = successors_->word(head.order, head.next++);
            repeated = false;
            for (std::size_t i = 0; i < seen; ++i) repeated |= taken[i].word == head.word;
        }
        const Worth worth = this->worth(context, head.order, head.word);
        head.bound = worth.value;
        head.longest = worth.longest;
        return true;
    }

    // Takes the head with the highest bound until there are enough words. A word that has a longer
    // n-gram is skipped: the list of that order holds it, with its own probability. Every bound is
    // at least the probability of all words behind it that count in its list, so the order of the
    // words taken is the order of the whole distribution.
    std::vector<Prediction> merge_lists(const Context& context, std::size_t count) const {
        std::vector<Prediction> words;
        std::vector<Head> heads;
        std::size_t order = 0;
        for (const List& list : lists(context)) {
            Head head{++order, list.begin, list.end, 0, 0.0, false};
            if (advance(context, words, head)) heads.push_back(head);
        }
        while (words.size() < count && !heads.empty()) {
            auto top = heads.begin();
            for (auto head = top + 1; head != heads.end(); ++head) {
                if (better({head->word, head->bound}, {top->word, top->bound})) top = head;
            }
            if (!(top->bound > 0)) break;
            if (top->longest && top->word >= kFirstWord) words.push_back({top->word, top->bound});
            if (!advance(context, words, *top)) heads.erase(top);
        }
        return words;
    }

    const Reader reader_;
    const Successors* successors_;
    mutable std::once_flag unigrams_once_;
    mutable std::vector<double> unigrams_;
    mutable std::once_flag sorted_once_;
    mutable std::vector<std::uint64_t> sorted_unigrams_;
};

}  // namespace ngram
