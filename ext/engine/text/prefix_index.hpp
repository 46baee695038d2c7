// Which words begin with a prefix: the ids of all words in the order of their bytes. Input: a
// vocabulary. Output: ranges of ids. UTF-8 keeps the order of code points, so a prefix is a range.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <vector>

#include "base/buffer.hpp"
#include "text/vocabulary.hpp"

namespace ngram {

class PrefixIndex {
  public:
    // The vocabulary lives longer than the index.
    explicit PrefixIndex(const Vocabulary& vocabulary)
        : vocabulary_(vocabulary), ids_(vocabulary.size()) {
        std::iota(ids_.begin(), ids_.end(), 0U);
        std::sort(ids_.begin(), ids_.end(), [&](std::uint32_t a, std::uint32_t b) {
            return vocabulary.word(a) < vocabulary.word(b);
        });
    }

    Span<const std::uint32_t> find(std::string_view prefix) const {
        const auto head = [&](std::uint32_t id) {
            return vocabulary_.word(id).substr(0, prefix.size());
        };
        const auto begin = std::lower_bound(
            ids_.begin(), ids_.end(), prefix,
            [&](std::uint32_t id, std::string_view wanted) { return head(id) < wanted; });
        const auto end = std::upper_bound(
            begin, ids_.end(), prefix,
            [&](std::string_view wanted, std::uint32_t id) { return wanted < head(id); });
        return {ids_.data() + (begin - ids_.begin()), static_cast<std::size_t>(end - begin)};
    }

  private:
    const Vocabulary& vocabulary_;
    std::vector<std::uint32_t> ids_;
};

}  // namespace ngram
