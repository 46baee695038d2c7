// How often contexts occur: the probability that a token of running text stands right after the
// words of a context. A pruning criterion weighs what removing an n-gram does by it. Input: levels
// in suffix order with their prefixes (ngrams/prefixes.hpp). Output: histories[k - 1][i], linear
// float32, of n-gram i of order k < n as a context.
//
// Two estimates read the model alone:
//
// * chain_histories: p(h) = p(h1) p(h2|h1) p(h3|h1 h2) .., each factor a stored probability. Right
//   where the lower orders are what the text has; Kneser-Ney's are not (they count contexts, not
//   occurrences: Chelba et al. 2010), so its frequent words come out too rare by far.
// * stationary_histories: what a long text that the model generates has. Only there do the
//   lower orders weigh as much as they are used, so it is right for any smoothing. The states are
//   the contexts; a state passes its mass to its followers, and with its back-off to its suffix:
//
//       A(h)   = q(h) + sum over v of A(vh) b(vh)              all that arrives at h
//       F(hw)  = p(w|h) (A(h) - sum over v, vhw stored, of A(vh) b(vh))   goes on by hw itself
//       E(hw)  = F(hw) + sum over v of E(vhw)                  how often hw occurs
//       q'(hw) = F(hw), or E(hw) where order n - 1 is reached; q'(<s>) = E(</s>)
//
//   with q the mass of every state and b its back-off. It is repeated until q stays the same.
//
// Both take <s> to be as frequent as </s>: it is never predicted.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/bits.hpp"
#include "base/buffer.hpp"
#include "base/exp10.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "ngrams/backoff_weights.hpp"
#include "ngrams/sorted_ngrams.hpp"
#include "text/vocabulary.hpp"

namespace ngram {

using Histories = std::vector<Buffer<float>>;

namespace pruning {

// Long loops go in parts of so many n-grams, whatever the number of threads.
constexpr std::size_t kPart = std::size_t{1} << 16;

inline std::size_t part_count(std::size_t size) {
    return (size + kPart - 1) / kPart;
}
inline std::size_t part_begin(std::size_t size, std::size_t part) {
    return std::min(size, part * kPart);
}

// Calls body(begin, end) for the parts of 0..size, in parallel.
template <class Body>
void for_parts(std::size_t size, unsigned threads, Progress& progress, Body body) {
    parallel_for(part_count(size), threads, progress, [&](std::size_t part, unsigned) {
        body(part_begin(size, part), part_begin(size, part + 1));
    });
}

}  // namespace pruning

namespace histories {

inline Buffer<float> linear(Span<const float> log10_values, unsigned threads, Progress& progress) {
    Buffer<float> values(log10_values.size());
    pruning::for_parts(values.size(), threads, progress, [&](std::size_t begin, std::size_t end) {
        constexpr std::size_t kBlock = 256;
        std::array<double, kBlock> block;
        for (std::size_t first = begin; first < end; first += kBlock) {
            const std::size_t size = std::min(kBlock, end - first);
            exp10_all(log10_values.data() + first, size, block.data());
            std::transform(block.begin(), block.begin() + size, values.begin() + first,
                           [](double value) { return static_cast<float>(value); });
        }
    });
    return values;
}

}  // namespace histories

inline Histories chain_histories(const std::vector<NgramLevel>& levels,
                                 const std::vector<Buffer<std::uint32_t>>& prefixes,
                                 unsigned threads, Progress& progress) {
    Histories result;
    for (std::size_t k = 1; k < levels.size(); ++k) {
        Buffer<float> mass = histories::linear(levels[k - 1].log10_prob.span(), threads, progress);
        if (k == 1) {
            mass[kBos] = mass[kEos];
        } else {
            const Buffer<float>& before = result.back();
            const std::uint32_t* const prefix = prefixes[k - 1].data();
            pruning::for_parts(mass.size(), threads, progress,
                               [&](std::size_t begin, std::size_t end) {
                                   for (std::size_t i = begin; i < end; ++i) {
                                       mass[i] *= before[prefix[i]];
                                   }
                               });
        }
        result.push_back(std::move(mass));
    }
    return result;
}

namespace histories {

// Mass that goes round the states of a model. A turn is a token.
class Flow {
  public:
    Flow(const std::vector<NgramLevel>& levels, const std::vector<Buffer<std::uint32_t>>& prefixes,
         unsigned threads, Progress& progress)
        : levels_(levels),
          prefixes_(prefixes),
          order_(levels.size()),
          threads_(threads),
          progress_(progress) {
        for (std::size_t k = 1; k <= order_; ++k) {
            prob_.push_back(linear(levels[k - 1].log10_prob.span(), threads, progress));
            const auto [bos, after_bos] = backoff_weights::ending_in(levels, k, kBos);
            std::fill(prob_[k - 1].begin() + bos, prob_[k - 1].begin() + after_bos, 0.0F);
            if (k == order_) break;
            backoff_.push_back(linear(levels[k - 1].log10_backoff.span(), threads, progress));
            state_.emplace_back(levels[k - 1].size(), State{0, 0});
            occurring_.emplace_back(levels[k - 1].size(), 0.0F);
        }
        // Begins after single words, as often as the unigrams say.
        for (std::size_t word = 0; word < state_[0].size(); ++word) {
            state_[0][word].mass = prob_[0][word];
        }
        std::swap(state_[0][kBos], state_[0][kEos]);
    }

    // Moves all mass on by one token. Returns how far the words' shares have moved, 0 to 2.
    double turn() {
        const double all = arrive();
        for (std::size_t k = order_; k >= 2; --k) pass_on(k);
        return pass_on_words(all);
    }

    // Of every n-gram below the highest order, per token.
    Histories occurring() {
        for (Buffer<float>& values : occurring_) scale(values, 1 / total_);
        return std::move(occurring_);
    }

  private:
    // A context: the mass in it, and what of that backs off. They are read together, at random.
    struct State {
        float mass;
        float backing_off;
    };
    // Of an n-gram: what the longer n-grams that end in it take of its context's mass, and how
    // often they occur.
    struct Longer {
        float backing_off;
        float occurring;
    };

    // Calls body(begin, end) for ranges of order k that do not cut a suffix in two.
    template <class Body>
    void for_suffixes(std::size_t k, Body body) {
        const Buffer<std::uint32_t>& suffix = levels_[k - 1].suffix;
        const auto cut = [&](std::size_t at) {
            while (at > 0 && at < suffix.size() && suffix[at] == suffix[at - 1]) ++at;
            return at;
        };
        pruning::for_parts(suffix.size(), threads_, progress_,
                           [&](std::size_t begin, std::size_t end) {
                               const std::size_t first = cut(begin);
                               if (first < end) body(first, cut(end));
                           });
    }

    void scale(Buffer<float>& values, double factor) {
        pruning::for_parts(values.size(), threads_, progress_,
                           [&](std::size_t begin, std::size_t end) {
                               for (std::size_t i = begin; i < end; ++i) {
                                   values[i] = static_cast<float>(values[i] * factor);
                               }
                           });
    }

    // From q to A in every state; returns A of the empty context.
    double arrive() {
        for (std::size_t k = order_ - 1; k >= 2; --k) {
            const std::uint32_t* const suffix = levels_[k - 1].suffix.data();
            const float* const backoff = backoff_[k - 1].data();
            State* const state = state_[k - 1].data();
            State* const lower = state_[k - 2].data();
            for_suffixes(k, [=](std::size_t begin, std::size_t end) {
                for (std::size_t i = begin; i < end;) {
                    const std::uint32_t at = suffix[i];
                    double sum = lower[at].mass;
                    for (; i < end && suffix[i] == at; ++i) {
                        state[i].backing_off = state[i].mass * backoff[i];
                        sum += state[i].backing_off;
                    }
                    lower[at].mass = static_cast<float>(sum);
                }
            });
        }
        double all = 0;
        for (std::size_t word = 0; word < state_[0].size(); ++word) {
            state_[0][word].backing_off = state_[0][word].mass * backoff_[0][word];
            all += state_[0][word].backing_off;
        }
        return all;
    }

    // The n-grams of order k: reads A of the contexts one shorter and, where order k has states,
    // writes their next q over their A, which nothing reads any more. `longer_` holds the sums of
    // order k + 1 by suffix, afterwards those of order k.
    void pass_on(std::size_t k) {
        lower_longer_.resize(levels_[k - 2].size());
        std::fill(lower_longer_.begin(), lower_longer_.end(), Longer{0, 0});
        const auto [eos, after_eos] = backoff_weights::ending_in(levels_, k, kEos);
        for_suffixes(k, [&, eos = eos, after_eos = after_eos](std::size_t begin, std::size_t end) {
            if (k == order_) {
                pass_on_longest(begin, end);
            } else {
                pass_on_range(k, begin, end, eos, after_eos);
            }
        });
        std::swap(longer_, lower_longer_);
    }

    void pass_on_longest(std::size_t begin, std::size_t end) {
        const std::uint32_t* const suffix = levels_[order_ - 1].suffix.data();
        const std::uint32_t* const prefix = prefixes_[order_ - 1].data();
        const float* const prob = prob_[order_ - 1].data();
        const State* const contexts = state_[order_ - 2].data();
        for (std::size_t i = begin; i < end;) {
            const std::uint32_t at = suffix[i];
            double backing_off = 0;
            double occurring = 0;
            for (; i < end && suffix[i] == at; ++i) {
                if (i + kAhead < end) prefetch(contexts + prefix[i + kAhead]);
                const State& context = contexts[prefix[i]];
                backing_off += context.backing_off;
                occurring += static_cast<double>(context.mass) * prob[i];
            }
            lower_longer_[at] = {static_cast<float>(backing_off), static_cast<float>(occurring)};
        }
    }

    // What ends in </s>, n-grams [eos, after_eos), is no state.
    void pass_on_range(std::size_t k, std::size_t begin, std::size_t end, std::size_t eos,
                       std::size_t after_eos) {
        const std::uint32_t* const suffix = levels_[k - 1].suffix.data();
        const std::uint32_t* const prefix = prefixes_[k - 1].data();
        const float* const prob = prob_[k - 1].data();
        float* const occurs = occurring_[k - 1].data();
        State* const state = state_[k - 1].data();
        const State* const contexts = state_[k - 2].data();
        for (std::size_t i = begin; i < end;) {
            const std::uint32_t at = suffix[i];
            double backing_off = 0;
            double occurring = 0;
            for (; i < end && suffix[i] == at; ++i) {
                if (i + kAhead < end) prefetch(contexts + prefix[i + kAhead]);
                const State& context = contexts[prefix[i]];
                const Longer& longer = longer_[i];
                const float direct = std::max(context.mass - longer.backing_off, 0.0F) * prob[i];
                occurs[i] = direct + longer.occurring;
                const bool ended = i >= eos && i < after_eos;
                state[i].mass = ended ? 0 : k == order_ - 1 ? occurs[i] : direct;
                backing_off += context.backing_off;
                occurring += occurs[i];
            }
            lower_longer_[at] = {static_cast<float>(backing_off), static_cast<float>(occurring)};
        }
    }

    double pass_on_words(double all) {
        Buffer<float>& occurring = occurring_[0];
        Buffer<double> now(occurring.size());
        double total = 0;
        for (std::size_t word = 0; word < now.size(); ++word) {
            const double direct = std::max(all - longer_[word].backing_off, 0.0) * prob_[0][word];
            now[word] = direct + longer_[word].occurring;
            state_[0][word].mass = static_cast<float>(order_ == 2 ? now[word] : direct);
            if (word != kBos) total += now[word];
        }
        now[kBos] = now[kEos];
        state_[0][kBos].mass = static_cast<float>(now[kEos]);
        state_[0][kEos].mass = 0;
        double moved = 0;
        for (std::size_t word = 0; word < now.size(); ++word) {
            if (word != kBos) moved += std::abs(now[word] / total - occurring[word] / total_);
            occurring[word] = static_cast<float>(now[word]);
        }
        total_ = total;
        if (total < 0.5 || total > 2) {  // a model whose probabilities do not sum to one
            for (Buffer<State>& states : state_) {
                for (State& state : states) state.mass = static_cast<float>(state.mass / total);
            }
        }
        return moved;
    }

    static constexpr std::size_t kAhead = 16;  // contexts are fetched so many n-grams early

    const std::vector<NgramLevel>& levels_;
    const std::vector<Buffer<std::uint32_t>>& prefixes_;
    std::size_t order_;
    unsigned threads_;
    Progress& progress_;
    std::vector<Buffer<float>> prob_;     // linear; 0 for what ends in <s>
    std::vector<Buffer<float>> backoff_;  // linear
    std::vector<Buffer<State>> state_;    // q, and A between arrive() and pass_on()
    Histories occurring_;                 // E
    Buffer<Longer> longer_;               // by n-gram, of one order at a time
    Buffer<Longer> lower_longer_;         // by n-gram of the order below
    double total_ = 1;                    // of the words' E
};

}  // namespace histories

inline Histories stationary_histories(const std::vector<NgramLevel>& levels,
                                      const std::vector<Buffer<std::uint32_t>>& prefixes,
                                      unsigned threads, Progress& progress) {
    // A twentieth of that changed perplexities after pruning by 0.03 %.
    constexpr double kStill = 2e-3;
    constexpr std::size_t kTurns = 100;
    if (levels.size() < 2) return {};
    progress.begin("count histories", kTurns);
    histories::Flow flow(levels, prefixes, threads, progress);
    for (std::size_t turn = 1; turn <= kTurns; ++turn) {
        const double moved = flow.turn();
        progress.advance(1);
        progress.poll();
        if (turn >= levels.size() && !(moved > kStill)) break;
    }
    return flow.occurring();
}

}  // namespace ngram
