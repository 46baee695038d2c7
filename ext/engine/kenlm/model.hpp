// A model as KenLM's Python package sees one: words, contexts and sentences. Input: the bytes of a
// KenLM binary file (open_file) or our table and vocabulary (open_table); somebody keeps the bytes
// alive. Output: a Model, immutable, which any thread may ask. All kinds are asked where they lie:
// opening a file reads its words and headers, not its n-grams, and probing files could not be
// read into anything else, since they keep no words of n-grams, only hashes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "kenlm/file.hpp"
#include "kenlm/probing.hpp"
#include "kenlm/search.hpp"
#include "kenlm/trie.hpp"
#include "kenlm/words.hpp"
#include "scoring/sentences.hpp"

namespace ngram {
namespace kenlm {

// What separates words in a sentence: TAB, LF, VT, FF, CR and SPACE.
inline bool is_blank(char byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

// The next word of `text`, which loses it; empty at the end.
inline std::string_view next_word(std::string_view& text) {
    std::size_t begin = 0;
    while (begin < text.size() && is_blank(text[begin])) ++begin;
    std::size_t end = begin;
    while (end < text.size() && !is_blank(text[end])) ++end;
    const std::string_view word = text.substr(begin, end - begin);
    text.remove_prefix(end);
    return word;
}

// KenLM takes words as C strings: they end at the first NUL.
inline std::string_view until_nul(std::string_view word) {
    return word.substr(0, word.find('\0'));
}

class Model {
  public:
    virtual ~Model() = default;

    virtual std::size_t order() const = 0;
    virtual const char* kind() const = 0;
    // Number of ids; 0 is <unk>.
    virtual std::uint32_t size() const = 0;
    // 0 if the word is unknown, or if it is <unk>.
    virtual std::uint32_t find(std::string_view word) const = 0;
    // All words in the order of ids. Throws InputError if the file does not spell them.
    virtual std::vector<std::string_view> spellings() const = 0;
    // `after` is not `before`.
    virtual WordScore advance(const Context& before, std::uint32_t word, Context& after) const = 0;
    // The sum of the scores of the words, and of </s> if `eos`, added in float32.
    virtual float score(std::string_view sentence, bool bos, bool eos) const = 0;

    std::uint32_t bos() const { return bos_; }
    std::uint32_t eos() const { return eos_; }
    // <s>, with its back-off.
    const Context& begin_context() const { return begin_; }

  protected:
    std::uint32_t bos_ = 0;
    std::uint32_t eos_ = 0;
    Context begin_;
};

// Adds the scores of one sentence in float32.
struct FloatSink {
    float total = 0;

    void take(std::size_t, const float* log10_prob, const std::uint32_t*, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) total += log10_prob[i];
    }
};

// From so many bytes on a sentence is faster in one batch, which waits for memory once for many
// words, than word by word, which needs no room for a batch. Tables that caches hold do not wait:
// measured 64 bytes for one of 100 MB (15 words: 1.45 times as fast), 512 for one of 1 MB.
inline std::size_t many_bytes(std::uint64_t table_bytes) {
    return table_bytes < std::uint64_t{4} << 20 ? 512 : 64;
}

// The same as word by word: see scoring/batch.hpp.
inline float score_many(const TableWords& words, const TableSearch& search,
                        std::string_view sentence, bool bos, bool eos) {
    struct Wanted {
        std::string_view word;
        WordKey key;
        std::uint64_t hash;
    };
    const Vocabulary& vocabulary = words.vocabulary();
    std::vector<Wanted> wanted;
    wanted.reserve(sentence.size() / 4);
    for (;;) {
        const std::string_view token = next_word(sentence);
        if (token.empty()) break;
        const std::string_view word = until_nul(token);
        const WordKey key = word.empty() ? WordKey() : TableWords::key_of(word);
        wanted.push_back({word, key, key.hash()});
        vocabulary.prefetch(wanted.back().hash);
    }
    Buffer<std::uint32_t> ids(wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const Wanted& one = wanted[i];
        ids[i] = one.word.empty() ? kUnk : vocabulary.find(one.key, one.hash, one.word);
    }
    ScoringOptions options;
    options.bos = bos;
    options.eos = eos;
    SentenceScorer<Bucketed, FloatSink> scorer(search.table(), options, ids.size() + 2,
                                               FloatSink());
    scorer.add(0, ids.data(), ids.size());
    return scorer.finish().total;
}

template <class Search>
class SearchedModel final : public Model {
  public:
    using Words = typename Search::Words;

    SearchedModel(Words words, Search search, const char* kind, bool has_spellings,
                  Span<const char> spellings)
        : words_(std::move(words)),
          search_(std::move(search)),
          kind_(kind),
          has_spellings_(has_spellings),
          spellings_(spellings) {
        bos_ = words_.find("<s>");
        eos_ = words_.find("</s>");
        if constexpr (std::is_same_v<Search, TableSearch>) {
            many_bytes_ = many_bytes(search_.table().bytes());
        }
        if (search_.order() > 1) {
            typename Search::Place place;
            begin_.words()[0] = bos_;
            begin_.backoffs()[0] = search_.unigram(bos_, place).backoff_bits;
            begin_.set_length(1);
        }
    }

    std::size_t order() const override { return search_.order(); }
    const char* kind() const override { return kind_; }
    std::uint32_t size() const override { return words_.size(); }
    std::uint32_t find(std::string_view word) const override { return words_.find(word); }

    std::vector<std::string_view> spellings() const override {
        if constexpr (std::is_same_v<Words, TableWords>) {
            std::vector<std::string_view> all;
            for (std::uint32_t id = 0; id < size(); ++id) all.push_back(words_.spelling(id));
            return all;
        } else {
            if (!has_spellings_) {
                throw InputError(
                    "the KenLM binary file holds hashes of its words and not their spelling. "
                    "Build it again from the ARPA file without the option -v.");
            }
            return read_spellings(spellings_, size());
        }
    }

    WordScore advance(const Context& before, std::uint32_t word, Context& after) const override {
        return kenlm::advance(search_, before, word, after);
    }

    float score(std::string_view sentence, bool bos, bool eos) const override {
        if constexpr (std::is_same_v<Search, TableSearch>) {
            if (sentence.size() >= many_bytes_) {
                return score_many(words_, search_, sentence, bos, eos);
            }
        }
        Context states[2];
        if (bos) states[0] = begin_;
        const bool has_nul = sentence.find('\0') != std::string_view::npos;
        unsigned now = 0;
        float total = 0;
        const auto add = [&](std::uint32_t word) {
            total += kenlm::advance(search_, states[now], word, states[1 - now]).log10_prob;
            now = 1 - now;
        };
        for (;;) {
            const std::string_view word = next_word(sentence);
            if (word.empty()) break;
            add(words_.find(has_nul ? until_nul(word) : word));
        }
        if (eos) add(eos_);
        return total;
    }

  private:
    Words words_;
    Search search_;
    const char* kind_;
    bool has_spellings_;
    Span<const char> spellings_;
    std::size_t many_bytes_ = 0;  // of our tables
};

template <class Search>
std::shared_ptr<const Model> open_search(Span<const char> file, const Header& header) {
    Cursor cursor(file, header.bytes);
    typename Search::Words words(cursor, header);
    Search search(cursor, header);
    const Span<const char> rest(cursor.here(), file.size() - cursor.offset());
    constexpr std::string_view kFirst("<unk>\0", 6);
    if (header.has_words && !begins_with(rest, kFirst)) {
        fail_damaged("the spelled words do not begin with <unk> at byte " +
                     std::to_string(cursor.offset()));
    }
    return std::make_shared<SearchedModel<Search>>(std::move(words), std::move(search),
                                                   name_of(header.kind), header.has_words, rest);
}

// Throws ModelFileError for files that are damaged or of another version.
inline std::shared_ptr<const Model> open_file(Span<const char> file) {
    const Header header = read_header(file);
    switch (header.kind) {
        case Kind::kTrie:
            return open_search<TrieSearch<false, false>>(file, header);
        case Kind::kQuantTrie:
            return open_search<TrieSearch<true, false>>(file, header);
        case Kind::kArrayTrie:
            return open_search<TrieSearch<false, true>>(file, header);
        case Kind::kQuantArrayTrie:
            return open_search<TrieSearch<true, true>>(file, header);
        default:
            return open_search<ProbingSearch>(file, header);
    }
}

// `map` says which ids KenLM would give the words.
inline std::shared_ptr<const Model> open_table(std::shared_ptr<const Bucketed> table,
                                               std::shared_ptr<const Vocabulary> vocabulary,
                                               IdMap map) {
    const auto shared = std::make_shared<const IdMap>(std::move(map));
    return std::make_shared<SearchedModel<TableSearch>>(TableWords(std::move(vocabulary), shared),
                                                        TableSearch(std::move(table), shared),
                                                        Bucketed::name(), true, Span<const char>());
}

}  // namespace kenlm
}  // namespace ngram
