// Draws from the next-word distribution (predictor.hpp), exact and repeatable.
//
// Without top_k and top_p a draw looks at a few dozen words, whatever the vocabulary. The lists of
// the context's orders (successors.hpp) hold every word by falling worth. Cut each list into blocks
// of 1, 2, 4, .. words: no word of a block is worth more than its first. So draw a block by its
// size times the worth of its first word, a word of the block evenly, and keep it with the
// probability worth / worth of the first, if this list is the one of its longest n-gram; else begin
// again. What is kept has exactly the probabilities of the distribution. Temperature only changes
// the numbers. The same seed gives the same draws whether the model has lists or they are made for
// each context.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/buffer.hpp"
#include "prediction/predictor.hpp"

namespace ngram {

struct SamplingOptions {
    double temperature = 1;  // probabilities to the power 1 / temperature; 0: the best word
    std::size_t top_k = 0;   // only the so many best words; 0: all
    double top_p = 1;        // only the best words that hold this share of what top_k left
};

// Random numbers for draws: number i is a hash of the seed and i (the generator SplitMix64), the
// same on every machine.
class RandomStream {
  public:
    explicit RandomStream(std::uint64_t seed) : state_(seed) {}

    // The next number in [0, 1), a multiple of 2^-53.
    double uniform() {
        state_ += 0x9E3779B97F4A7C15U;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
        z ^= z >> 31;
        return static_cast<double>(z >> 11) * 0x1.0p-53;
    }

  private:
    std::uint64_t state_;
};

// Draws words one after the other with the same options. Not for several threads at once.
template <class Predictor>
class Sampler {
  public:
    // `predictor` lives longer than the sampler.
    Sampler(const Predictor& predictor, const SamplingOptions& options, std::uint64_t seed)
        : predictor_(predictor), options_(options), random_(seed) {}

    // Draws words after the context until </s>, which is the last one drawn, or `count` words.
    std::vector<std::uint32_t> sample(Span<const std::uint32_t> context, std::size_t count) {
        std::vector<std::uint32_t> words(context.begin(), context.end());
        while (words.size() - context.size() < count) {
            words.push_back(draw({words.data(), words.size()}));
            if (words.back() == kEndSentence) break;
        }
        words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(context.size()));
        return words;
    }

    // Draws one word; <s> and <unk> are never drawn. If no word has a probability above 0, the
    // sentence ends.
    std::uint32_t draw(Span<const std::uint32_t> context) {
        if (options_.temperature == 0) {
            const std::vector<Prediction> first = predictor_.next_words(context, 1);
            return first.empty() ? kEndSentence : first.front().word;
        }
        if (options_.top_k != 0) {
            std::vector<Prediction> words = predictor_.next_words(context, options_.top_k);
            for (std::size_t i = words.size(); i-- > 0;) {
                words[i].probability = tempered(words[i].probability / words[0].probability);
            }
            return draw_from(words, options_.top_p * total(words));
        }
        std::uint32_t word = 0;
        if (options_.top_p >= 1 && draw_by_rejection(context, word)) return word;
        return draw_from_distribution(context);
    }

  private:
    static constexpr std::uint32_t kFirstWord = Predictor::kFirstWord;
    static constexpr std::uint32_t kEndSentence = 2;
    static constexpr int kRejections = 200;  // about 3 are usual

    double tempered(double probability) const {
        return options_.temperature == 1 ? probability
                                         : std::pow(probability, 1 / options_.temperature);
    }

    static double total(const std::vector<Prediction>& words) {
        double sum = 0;
        for (const Prediction& word : words) sum += word.probability;
        return sum;
    }

    struct Block {
        std::size_t order;
        std::uint64_t begin;
        std::uint64_t size;
        double first;  // tempered worth of its first word
        double sum;    // of size * first, up to this block
    };

    // Returns false if it gave up: some odd models (and damaged ones) reject nearly everything.
    bool draw_by_rejection(Span<const std::uint32_t> ids, std::uint32_t& word) {
        const auto context = predictor_.find_context(ids);
        const auto lists = predictor_.lists(context);
        double largest = 0;
        for (std::size_t k = 1; k <= lists.size(); ++k) {
            const auto& list = lists[k - 1];
            if (list.begin == list.end) continue;
            const std::uint32_t first = predictor_.word_at(list, k, list.begin);
            largest = std::max(largest, predictor_.worth(context, k, first, false).value);
        }
        blocks_.clear();
        double sum = 0;
        for (std::size_t k = 1; k <= lists.size(); ++k) {
            const auto& list = lists[k - 1];
            std::uint64_t size = 1;
            for (std::uint64_t begin = list.begin; begin < list.end; begin += size, size *= 2) {
                const std::uint32_t first = predictor_.word_at(list, k, begin);
                const double worth = predictor_.worth(context, k, first, false).value;
                const double value = tempered(worth / largest);
                const std::uint64_t count = std::min(size, list.end - begin);
                sum += value * static_cast<double>(count);
                blocks_.push_back({k, begin, count, value, sum});
            }
        }
        if (!(sum > 0)) return false;
        for (int attempt = 0; attempt < kRejections; ++attempt) {
            const double at = random_.uniform() * sum;
            const auto block = std::upper_bound(
                blocks_.begin(), blocks_.end(), at,
                [](double value, const Block& candidate) { return value < candidate.sum; });
            if (block == blocks_.end()) continue;  // `at` was rounded up
            const auto offset =
                static_cast<std::uint64_t>(random_.uniform() * static_cast<double>(block->size));
            word = predictor_.word_at(lists[block->order - 1], block->order,
                                      block->begin + std::min(offset, block->size - 1));
            const auto worth = predictor_.worth(context, block->order, word);
            const double uniform = random_.uniform();
            if (!worth.longest || word < kFirstWord) continue;
            if (uniform * block->first < tempered(worth.value / largest)) return true;
        }
        return false;
    }

    // Draws from the first of the words, best first, that hold `share`; at least from the first.
    std::uint32_t draw_from(const std::vector<Prediction>& words, double share) {
        std::size_t kept = 0;
        double held = 0;
        while (kept < words.size() && (kept == 0 || held < share)) {
            held += words[kept++].probability;
        }
        double left = random_.uniform() * held;
        for (std::size_t i = 0; i < kept; ++i) {
            left -= words[i].probability;
            if (left < 0) return words[i].word;
        }
        return kept == 0 ? kEndSentence : words[kept - 1].word;
    }

    std::uint32_t draw_from_distribution(Span<const std::uint32_t> context) {
        Buffer<double> probabilities(predictor_.vocabulary_size());
        predictor_.distribution(context, probabilities.data());
        for (std::size_t w = 0; w < kFirstWord; ++w) probabilities[w] = 0;
        const double largest = *std::max_element(probabilities.begin(), probabilities.end());
        if (!(largest > 0)) return kEndSentence;
        double sum = 0;
        for (double& probability : probabilities) {
            probability = tempered(probability / largest);
            sum += probability;
        }
        const double share = options_.top_p * sum;
        return draw_from(best_that_hold(probabilities, share), share);
    }

    // The best words, best first, among them the fewest that hold `share`. Words are counted by
    // the leading bits of their probabilities, so only those near the best are sorted.
    static std::vector<Prediction> best_that_hold(const Buffer<double>& probabilities,
                                                  double share) {
        std::vector<double> held(std::size_t{1} << 14, 0.0);
        for (const double probability : probabilities) held[grade(probability)] += probability;
        std::size_t lowest = held.size();
        for (double sum = 0; lowest > 0 && (sum < share || sum == 0);) sum += held[--lowest];
        std::vector<Prediction> words;
        for (std::size_t w = kFirstWord; w < probabilities.size(); ++w) {
            if (probabilities[w] > 0 && grade(probabilities[w]) >= lowest) {
                words.push_back({static_cast<std::uint32_t>(w), probabilities[w]});
            }
        }
        std::sort(words.begin(), words.end(),
                  [](const Prediction& a, const Prediction& b) { return better(a, b); });
        return words;
    }

    // Ascends with the probability: its exponent and three bits behind it.
    static std::size_t grade(double probability) {
        std::uint64_t bits;
        std::memcpy(&bits, &probability, sizeof bits);
        return static_cast<std::size_t>(bits >> 49) & 0x3FFF;
    }

    const Predictor& predictor_;
    const SamplingOptions options_;
    RandomStream random_;
    std::vector<Block> blocks_;
};

}  // namespace ngram
