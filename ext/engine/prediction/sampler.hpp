// Draws from the next-word distribution (predictor.hpp), exact and repeatable.
//
// Without top_k and top_p a draw needs no distribution over the vocabulary. Words with an n-gram
// of two words or more are listed with their probabilities; all other words have their unigram's
// times one weight. So draw either a listed word, or any word by its unigram probability, and
// begin again if that is a listed one (rejection): what remains is drawn with exactly the
// probabilities of the distribution. Temperature only changes the numbers. Both ways to the listed
// words, lists and table, give the same words in the same order, so a seed gives the same draws.
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

// Random numbers for draws: number i is a hash of the seed and i (SplitMix64: Steele, Lea and
// Flood (2014), Fast splittable pseudorandom number generators, figure 13), the same everywhere.
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
        : predictor_(predictor), options_(options), random_(seed) {
        if (options.temperature != 0 && options.top_k == 0 && options.top_p >= 1) sum_unigrams();
    }

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
        if (options_.top_p >= 1) {
            std::uint32_t word = 0;
            if (draw_by_rejection(context, word)) return word;
        }
        return draw_from_distribution(context);
    }

  private:
    static constexpr std::uint32_t kFirstWord = Predictor::kFirstWord;
    static constexpr std::uint32_t kEndSentence = 2;
    static constexpr int kRejections = 64;  // then the distribution is cheaper

    double tempered(double probability) const {
        return options_.temperature == 1 ? probability
                                         : std::pow(probability, 1 / options_.temperature);
    }

    static double total(const std::vector<Prediction>& words) {
        double sum = 0;
        for (const Prediction& word : words) sum += word.probability;
        return sum;
    }

    // Running sums of the unigrams' tempered probabilities, divided by the largest so that no
    // temperature makes all of them vanish.
    void sum_unigrams() {
        const std::vector<double>& unigrams = predictor_.unigram_probabilities();
        largest_unigram_ = *std::max_element(unigrams.begin() + kFirstWord, unigrams.end());
        sums_.assign(unigrams.size(), 0.0);
        if (!(largest_unigram_ > 0)) return;
        for (std::size_t w = kFirstWord; w < unigrams.size(); ++w) {
            sums_[w] = sums_[w - 1] + tempered(unigrams[w] / largest_unigram_);
        }
    }

    // Returns false if it gave up: mostly words that were drawn by their unigram are listed, or
    // probabilities too far apart for their sum.
    bool draw_by_rejection(Span<const std::uint32_t> ids, std::uint32_t& drawn) {
        const auto context = predictor_.find_context(ids);
        auto items = predictor_.ngram_items(context);
        double largest = context.weights[1] * largest_unigram_;
        for (const auto& item : items) largest = std::max(largest, item.word.probability);
        double listed = 0;
        for (auto& item : items) {
            double& probability = item.word.probability;
            probability = item.word.word < kFirstWord ? 0 : tempered(probability / largest);
            listed += probability;
        }
        const double unlisted =
            tempered(context.weights[1] * largest_unigram_ / largest) * sums_.back();
        if (!(listed + unlisted > 0) || !std::isfinite(listed + unlisted)) return false;
        for (int attempt = 0; attempt < kRejections; ++attempt) {
            double left = random_.uniform() * (listed + unlisted);
            if (left < listed) {
                for (const auto& item : items) {
                    drawn = item.word.word;
                    left -= item.word.probability;
                    if (left < 0) return true;
                }
                continue;  // the sum was rounded up
            }
            const double sum = random_.uniform() * sums_.back();
            const auto at = std::upper_bound(sums_.begin(), sums_.end(), sum);
            if (at == sums_.end()) continue;
            drawn = static_cast<std::uint32_t>(at - sums_.begin());
            if (!predictor_.has_bigram(context, drawn)) return true;
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
        std::sort(words.begin(), words.end(), better);
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
    std::vector<double> sums_;  // [w]: of words up to w
    double largest_unigram_ = 0;
};

}  // namespace ngram
