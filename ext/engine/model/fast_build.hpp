// Building the structure `fast` (fast.hpp) from n-grams with counts, by the steps of
// bucketed_build.hpp. What lines hold is here: a remainder and a code, or an index in a place of
// its own; how many bits the remainder has is known from the number of lines.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/buffer.hpp"
#include "base/log10.hpp"
#include "model/bucketed_build.hpp"
#include "model/fast.hpp"
#include "ngrams/counted_ngrams.hpp"

namespace ngram {

namespace bucketed {

// The n-grams of a home whose value has no code are wide, and come first: they have large counts,
// so they are much used. The others follow in the classes of `bucketed`.
struct DealtCode {
    static constexpr bool kHasWide = true;
    std::uint32_t word;
    std::uint32_t home_and_class;
    std::uint32_t value;

    std::uint32_t home() const { return home_and_class & kHome; }
    std::uint32_t usage_class() const { return home_and_class >> kClassShift; }
    std::uint32_t passing() const { return word; }  // its low bits are the remainder's
};
template <>
struct Dealt<fast::MiddleLine> : DealtCode {
    static constexpr std::uint32_t kClasses = 4;
};
template <>
struct Dealt<fast::LongestLine> : DealtCode {
    static constexpr std::uint32_t kClasses = 2;
};

inline void write_entry(fast::Line& line, unsigned place, const DealtCode& ngram) {
    line.words[place] = ngram.word;
    if (ngram.usage_class() != 0) return;
    line.words[place + 1] = ngram.value;
    line.words[fast::Line::kMarks] |= 1U << (fast::Line::kIndexShift + place + 1);
}

}  // namespace bucketed

class FastBuilder : public LineTableBuilder<FastBuilder, Fast, CountedNgrams> {
  private:
    using Base = LineTableBuilder<FastBuilder, Fast, CountedNgrams>;
    friend Base;
    using Base::Base;

    void prepare() {}

    void place_unigrams() {
        table_->owned_unigrams_ = values_of(ngrams_.levels[0]);
        const Buffer<fast::Value>& unigrams = table_->owned_unigrams_;
        table_->unigrams_ = unigrams.data();
        sink_.put_unigrams(unigrams.data(), unigrams.bytes());
        progress_.advance(unigrams.size());
        if (consume_) ngrams_.levels[0] = {};
    }

    // An n-gram on its way. `usage_class` is its class if it has a code.
    template <class Line>
    bucketed::Dealt<Line> entry(const Level<Line>& level, std::size_t i, bucketed::Probe at,
                                std::uint32_t usage_class) const {
        const fast::CutRemainder& remainder = level.remainder;
        const std::uint32_t value = ngrams_.levels[level.order - 1].value[i];
        const bool has_code = value < remainder.escape;
        const std::uint32_t code = has_code ? value : remainder.escape;
        bucketed::Dealt<Line> dealt;
        dealt.word = remainder.cut(at.remainder) | code << remainder.bits;
        dealt.home_and_class = at.line | (has_code ? usage_class : 0) << bucketed::kClassShift;
        dealt.value = value;
        return dealt;
    }
    bucketed::Dealt<MiddleLine> middle_entry(const Level<MiddleLine>& level, std::size_t i,
                                             bucketed::Probe at, std::uint32_t longer) const {
        return entry(level, i, at, std::max(1U, bucketed::usage_class(longer)));
    }
    bucketed::Dealt<LongestLine> longest_entry(const Level<LongestLine>& level, std::size_t i,
                                               bucketed::Probe at) const {
        return entry(level, i, at, 1);
    }

    void finish_order(std::size_t order, fast::CutRemainder) {
        CountedLevel& level = ngrams_.levels[order - 1];
        if (order < ngrams_.order()) {
            table_->owned_values_.push_back(values_of(level));
            table_->values_.push_back(table_->owned_values_.back().span());
        } else {
            Buffer<float> parts(level.values.size());
            for (std::size_t v = 0; v < parts.size(); ++v) parts[v] = level.values[v].part;
            if (parts.empty()) parts.push_back(0.0F);  // no n-gram of the order is in the model
            table_->owned_parts_ = std::move(parts);
            table_->parts_ = table_->owned_parts_.span();
        }
        if (consume_) level.value = Buffer<std::uint32_t>();
    }

    static Buffer<fast::Value> values_of(const CountedLevel& level) {
        Buffer<float> backoffs(level.values.size());
        for (std::size_t v = 0; v < backoffs.size(); ++v) backoffs[v] = level.values[v].gamma;
        log10_in_place(backoffs.data(), backoffs.size());
        Buffer<fast::Value> values(level.values.size());
        for (std::size_t v = 0; v < values.size(); ++v) {
            const CountedValue& counted = level.values[v];
            const std::uint32_t backoff = bucketed::float_bits(backoffs[v]);
            const std::uint32_t zero = counted.total != 0 ? 0 : fast::kSign;
            values[v] = {
                counted.part, (backoff & ~fast::kSign) == 0 ? zero : backoff,
                bucketed::float_bits(counted.total) | (counted.extends_left != 0 ? 0 : fast::kSign),
                counted.gamma};
        }
        if (values.empty()) values.push_back({0.0F, fast::kSign, fast::kSign, 1.0F});
        return values;
    }
};

}  // namespace ngram
