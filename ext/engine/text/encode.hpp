// Texts -> ids under a fixed vocabulary, for scoring. Input: texts in any order; output: `ids` in
// the same order and `offsets`: text i is ids[offsets[i], offsets[i + 1]), without <s> and </s>.
// Words outside the vocabulary are kUnk. The words <s>, </s> and <unk> have the ids 1, 2 and 0.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/buffer.hpp"
#include "text/tokenizer.hpp"
#include "text/vocabulary.hpp"

namespace ngram {

// Scratch memory of one thread, kept from call to call.
struct EncodeScratch {
    Buffer<char> text;
};

// Texts are joined in small groups, which stay in the nearest cache.
constexpr std::size_t kJoinedBytes = std::size_t{16} << 10;

// Appends the ids of words, and writes where each text ends; returns the next place for that.
inline std::int64_t* encode_words(Span<const std::string_view> texts, const Vocabulary& vocabulary,
                                  Buffer<std::uint32_t>& ids, std::int64_t* offset,
                                  EncodeScratch& scratch) {
    join_lines(texts, scratch.text);
    WordScanner scanner(scratch.text.data(),
                        scratch.text.data() + scratch.text.size() - kTextPadding);
    std::array<WordToken, WordScanner::kCapacity> batch;
    for (;;) {
        const std::size_t size = scanner.next(batch);
        if (size == 0) return offset;
        WordScanner::prepare(batch, size, vocabulary);
        const std::size_t before = ids.size();
        if (before + size > ids.capacity()) ids.reserve((before + size) * 3 / 2);
        ids.resize(before + size);
        std::uint32_t* out = ids.data() + before;
        for (std::size_t i = 0; i < size; ++i) {
            const WordToken& token = batch[i];
            if (token.is_line_end()) {
                *offset++ = out - ids.data();
            } else {
                *out++ = vocabulary.find(token.key, token.hash, token.word());
            }
        }
        ids.resize(static_cast<std::size_t>(out - ids.data()));
    }
}

inline void encode(Span<const std::string_view> texts, const Vocabulary& vocabulary,
                   TokenizerKind kind, Buffer<std::uint32_t>& ids, Buffer<std::int64_t>& offsets,
                   EncodeScratch& scratch) {
    ids.resize(0);
    offsets.resize(texts.size() + 1);
    offsets[0] = 0;
    if (kind != TokenizerKind::kWhitespace) {
        for (std::size_t i = 0; i < texts.size(); ++i) {
            if (ids.size() + texts[i].size() > ids.capacity()) {
                ids.reserve((ids.size() + texts[i].size()) * 3 / 2);
            }
            for_each_token(kind, texts[i], [&](std::string_view token, std::size_t) {
                ids.push_back(vocabulary.find(token));
            });
            offsets[i + 1] = static_cast<std::int64_t>(ids.size());
        }
        return;
    }
    std::int64_t* offset = offsets.data() + 1;
    for (std::size_t first = 0; first < texts.size();) {
        std::size_t last = first;
        for (std::size_t bytes = 0; last < texts.size() && bytes < kJoinedBytes; ++last) {
            bytes += texts[last].size() + 1;
        }
        offset =
            encode_words({texts.data() + first, last - first}, vocabulary, ids, offset, scratch);
        first = last;
    }
}

}  // namespace ngram
