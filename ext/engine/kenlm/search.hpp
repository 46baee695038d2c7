// KenLM's way to score one word after the other, over any search: its files (probing.hpp,
// trie.hpp) and our own table (TableSearch). Input: a context and a word. Output: log10 probability
// and length of the n-gram found, in float32 and in KenLM's order of operations, so to the bit;
// and the next context, which keeps only words that can still matter (Heafield 2011, section 4.1):
// the same rule as in scoring/state.hpp. Read next: kenlm/model.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "kenlm/context.hpp"
#include "kenlm/probing.hpp"
#include "model/bucketed.hpp"
#include "text/vocabulary.hpp"

namespace ngram {
namespace kenlm {

// Ids in the order of the 1-grams of an ARPA file, as KenLM gives them, where <unk> is 0; and those
// of our tables, where <s> and </s> are 1 and 2. Without `rows` they are the same.
class IdMap {
  public:
    IdMap() = default;
    // `rows` are the places of <s> and </s> among the 1-grams without <unk>; `size` counts all ids.
    IdMap(std::uint32_t bos_row, std::uint32_t eos_row, std::uint32_t size) {
        if (bos_row == 0 && eos_row == 1) return;
        ours_.resize(size);
        theirs_.resize(size);
        std::uint32_t next = kSpecialWords;
        for (std::uint32_t id = 0; id < size; ++id) {
            std::uint32_t our = 0;
            if (id != 0) our = id - 1 == bos_row ? kBos : id - 1 == eos_row ? kEos : next++;
            ours_[id] = our;
            theirs_[our] = id;
        }
    }

    std::uint32_t to_ours(std::uint32_t id) const { return ours_.empty() ? id : ours_[id]; }
    std::uint32_t to_theirs(std::uint32_t id) const { return theirs_.empty() ? id : theirs_[id]; }

  private:
    std::vector<std::uint32_t> ours_;
    std::vector<std::uint32_t> theirs_;
};

// Our vocabulary, asked for KenLM's ids.
class TableWords {
  public:
    TableWords(std::shared_ptr<const Vocabulary> vocabulary, std::shared_ptr<const IdMap> map)
        : vocabulary_(std::move(vocabulary)), map_(std::move(map)) {}

    std::uint32_t size() const { return static_cast<std::uint32_t>(vocabulary_->size()); }
    std::uint32_t find(std::string_view word) const {
        if (word.empty() || word.back() == '\0') return 0;
        const WordKey key = key_of(word);
        return map_->to_theirs(vocabulary_->find(key, key.hash(), word));
    }
    // Of a word that does not end in NUL: up to 12 bytes are their own key.
    static WordKey key_of(std::string_view word) {
        const std::size_t size = word.size();
        if (size > WordKey::kShort) return WordKey::of_long(word);
        WordKey key;
        key.low = load_few(word.data(), size);
        if (size > 8) {
            key.high = static_cast<std::uint32_t>(load_few(word.data() + 8, size - 8));
        }
        return key;
    }
    const Vocabulary& vocabulary() const { return *vocabulary_; }
    std::string_view spelling(std::uint32_t id) const {
        return vocabulary_->word(map_->to_ours(id));
    }

  private:
    std::shared_ptr<const Vocabulary> vocabulary_;
    std::shared_ptr<const IdMap> map_;
};

// Our table, asked with KenLM's ids.
class TableSearch {
  public:
    using Words = TableWords;
    // The slot of the n-gram found so far.
    using Place = std::uint64_t;

    TableSearch(std::shared_ptr<const Bucketed> table, std::shared_ptr<const IdMap> map)
        : table_(std::move(table)), map_(std::move(map)) {}

    std::size_t order() const { return table_->order(); }
    const Bucketed& table() const { return *table_; }

    Weights unigram(std::uint32_t word, Place& slot) const {
        slot = map_->to_ours(word < table_->vocabulary_size() ? word : 0);
        const bucketed::Unigram& found = table_->unigram(static_cast<std::uint32_t>(slot));
        return weights(found.prob_bits, found.backoff_bits);
    }

    bool middle(std::size_t k, std::uint32_t word, Place& slot, Weights& found) const {
        if (word >= table_->vocabulary_size()) return false;
        const auto& middle = table_->middle(k);
        const auto at = middle.find(slot, map_->to_ours(word));
        if (at == Bucketed::Middle::kNone) return false;
        slot = at;
        const bucketed::MiddleLine::Values values = middle.values(at);
        found = weights(values.prob_bits, values.backoff_bits);
        return true;
    }

    bool longest(std::uint32_t word, Place slot, float& log10_prob) const {
        if (word >= table_->vocabulary_size()) return false;
        const auto at = table_->longest().find(slot, map_->to_ours(word));
        if (at == Bucketed::Longest::kNone) return false;
        log10_prob = bucketed::bits_float(table_->longest().values(at).prob_bits | bucketed::kSign);
        return true;
    }

  private:
    static Weights weights(std::uint32_t prob_bits, std::uint32_t backoff_bits) {
        return {bucketed::bits_float(prob_bits | bucketed::kSign), backoff_bits,
                prob_bits >> 31 == 0};
    }

    std::shared_ptr<const Bucketed> table_;
    std::shared_ptr<const IdMap> map_;
};

struct WordScore {
    float log10_prob;
    std::uint32_t ngram_length;
};

// Scores `word` after `before`, which is not `after`; `after` becomes the new context.
template <class Search>
WordScore advance(const Search& search, const Context& before, std::uint32_t word, Context& after) {
    const std::size_t order = search.order();
    const std::size_t context = before.length();
    const std::uint32_t* const words = before.words();
    typename Search::Place place;
    Weights found = search.unigram(word, place);
    float log10_prob = found.log10_prob;
    std::size_t length = 1;
    std::size_t kept = 0;  // words that can matter to what follows
    after.reserve(order - 1);
    std::uint32_t* const next_words = after.words();
    std::uint32_t* const next_backoffs = after.backoffs();
    const auto push = [&](std::uint32_t last) {
        next_words[length - 1] = last;
        next_backoffs[length - 1] = found.backoff_bits;
        if (found.backoff_bits != bucketed::kSign) kept = length;
    };
    if (order > 1) push(word);
    while (length <= context && length < order && found.extends_left) {
        const std::uint32_t first = words[length - 1];
        if (length + 1 == order) {
            length += search.longest(first, place, log10_prob);
            break;
        }
        if (!search.middle(length + 1, first, place, found)) break;
        log10_prob = found.log10_prob;
        ++length;
        push(first);
    }
    after.set_length(kept);
    const std::uint32_t* const backoffs = before.backoffs();
    for (std::size_t i = length - 1; i < context; ++i) {
        log10_prob += bucketed::bits_float(backoffs[i]);
    }
    return {log10_prob, static_cast<std::uint32_t>(length)};
}

}  // namespace kenlm
}  // namespace ngram
