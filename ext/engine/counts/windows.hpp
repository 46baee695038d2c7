// Windows: for every position of the corpus the n words that end there, packed so that comparing
// two windows as big-endian numbers compares their words from the last one backwards. Input: word
// ids in text order, every sentence closed by </s>. Output: windows grouped by ranges of the last
// word (buckets), unsorted inside a bucket. Next: window_sort.hpp.
//
// A window of order n holds, from the most significant bit: the last word relative to its bucket,
// the n - 1 words before it (nearest first, cut after <s>, then zeros), and in the lowest bits the
// word that follows, which is payload. Words before the last are stored as codes that keep the
// order of the ids but give frequent words wide ranges, so that radix digits are well spread.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/bits.hpp"
#include "base/buffer.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"

namespace ngram {

constexpr std::uint32_t kNoWord = 0;  // <unk> never occurs in training text
constexpr std::uint32_t kBeginSentence = 1;
constexpr std::uint32_t kEndSentence = 2;

// The least significant part comes first, so that in memory bits follow one another and any field
// is read at once.
template <unsigned W>
struct Window {
    std::array<std::uint64_t, W> part;

    bool operator<(const Window& other) const {
#if defined(__SIZEOF_INT128__)
        if constexpr (W == 2) {  // a subtraction, without a branch
            using Number = unsigned __int128;
            return (Number{part[1]} << 64 | part[0]) <
                   (Number{other.part[1]} << 64 | other.part[0]);
        }
#endif
        for (unsigned i = W; --i > 0;) {
            if (part[i] != other.part[i]) return part[i] < other.part[i];
        }
        return part[0] < other.part[0];
    }
};

// Codes of words, ascending like the ids: code(w) = w + the share of the corpus before w.
class WordCodes {
  public:
    WordCodes() = default;
    explicit WordCodes(Span<const std::uint32_t> counts) : code_(counts.size()) {
        std::uint64_t total = 0;
        for (std::uint32_t count : counts) total += count;
        const std::uint64_t size = counts.size();
        bits_ = bit_width(size + size / 2);
        const std::uint64_t spread = (std::uint64_t{1} << bits_) - size;
        word_.resize(std::size_t{1} << bits_);
        std::uint64_t before = 0;
        for (std::uint64_t word = 0; word < size; ++word) {
            const double share = total == 0 ? 0.0 : static_cast<double>(before) / total;
            std::uint64_t code = word + static_cast<std::uint64_t>(share * spread);
            code = std::min(code, (std::uint64_t{1} << bits_) - size + word);
            code_[word] = static_cast<std::uint32_t>(code);
            word_[code] = static_cast<std::uint32_t>(word);
            before += counts[word];
        }
    }

    // The code of a word stands for another number from now on.
    void rename(std::uint32_t word, std::uint32_t name) { word_[code_[word]] = name; }

    unsigned bits() const { return bits_; }
    std::uint32_t code(std::uint32_t word) const { return code_[word]; }
    std::uint32_t word(std::uint32_t code) const { return word_[code]; }

  private:
    unsigned bits_ = 0;
    Buffer<std::uint32_t> code_;
    Buffer<std::uint32_t> word_;  // only the entries of codes in use are defined
};

// Ranges of last words with about `kBucketWindows` windows each; a frequent word is one alone.
struct Buckets {
    static constexpr std::uint64_t kBucketWindows = 1 << 14;  // a bucket and its copy fit in L2

    std::vector<std::uint32_t> first_word;  // per bucket, and the vocabulary size at the end
    std::vector<std::uint64_t> begin;       // per bucket, first window; and the total at the end
    Buffer<std::uint32_t> bucket_of;        // per word
    unsigned relative_bits = 0;             // enough for (word - first_word) of any bucket

    std::size_t size() const { return first_word.size() - 1; }
};

// `counts[w]` windows end in w.
inline Buckets cut_buckets(Span<const std::uint32_t> counts) {
    Buckets buckets;
    buckets.bucket_of.resize(counts.size());
    std::uint64_t windows = 0;
    std::uint64_t in_bucket = 0;
    for (std::uint32_t word = 0; word < counts.size(); ++word) {
        const bool fits = in_bucket + counts[word] <= Buckets::kBucketWindows;
        if (buckets.first_word.empty() || (!fits && in_bucket != 0)) {
            buckets.first_word.push_back(word);
            buckets.begin.push_back(windows);
            in_bucket = 0;
        }
        in_bucket += counts[word];
        windows += counts[word];
        buckets.bucket_of[word] = static_cast<std::uint32_t>(buckets.first_word.size() - 1);
        const std::uint32_t relative = word - buckets.first_word.back();
        buckets.relative_bits = std::max(buckets.relative_bits, bit_width(relative));
    }
    buckets.first_word.push_back(static_cast<std::uint32_t>(counts.size()));
    buckets.begin.push_back(windows);
    return buckets;
}

// Where each field of a window lies. Bit 0 is the most significant one.
struct WindowLayout {
    unsigned order;
    unsigned relative_bits;
    unsigned code_bits;
    unsigned next_bits;
    std::vector<std::uint8_t> words_of_bit;  // words before the one that holds this bit

    WindowLayout(unsigned order_, const Buckets& buckets, const WordCodes& codes,
                 std::uint64_t vocabulary_size)
        : order(order_),
          relative_bits(buckets.relative_bits),
          code_bits(codes.bits()),
          next_bits(bit_width(vocabulary_size - 1)) {
        words_of_bit.assign(relative_bits, 0);
        for (unsigned word = 1; word < order; ++word) {
            words_of_bit.insert(words_of_bit.end(), code_bits, static_cast<std::uint8_t>(word));
        }
    }

    unsigned key_bits() const { return relative_bits + (order - 1) * code_bits; }
    unsigned parts() const { return (key_bits() + next_bits + 63) / 64; }
};

// Reads the same bits of any window: 1 to 57 of them.
template <unsigned W>
class Field {
  public:
    Field() = default;
    Field(unsigned begin, unsigned bits) : mask_((std::uint64_t{1} << bits) - 1) {
        const unsigned low = 64 * W - begin - bits;
        byte_ = std::min(low / 8, 8 * (W - 1));
        shift_ = low - 8 * byte_;
    }

    std::uint64_t of(const Window<W>& window) const {
        std::uint64_t bits;
        std::memcpy(&bits, reinterpret_cast<const char*>(window.part.data()) + byte_, sizeof(bits));
        return (bits >> shift_) & mask_;
    }

  private:
    std::uint64_t mask_ = 0;
    unsigned byte_ = 0;
    unsigned shift_ = 0;
};

template <unsigned W>
inline void deposit(Window<W>& window, unsigned begin, unsigned bits, std::uint64_t value) {
    if (bits == 0) return;
    const unsigned low = 64 * W - begin - bits;
    const unsigned part = low / 64;
    const unsigned offset = low % 64;
    window.part[part] |= value << offset;
    if (offset + bits > 64) window.part[part + 1] |= value >> (64 - offset);
}

// The words before a position, kept packed while the position moves through a sentence.
template <unsigned W>
class History {
  public:
    explicit History(const WindowLayout& layout)
        : bits_(layout.code_bits), last_(64 - layout.relative_bits - layout.code_bits) {
        mask_.part.fill(0);
        for (unsigned bit = layout.relative_bits; bit < layout.key_bits(); ++bit) {
            deposit(mask_, bit, 1, 1);
        }
        reset();
    }

    void reset() { packed_.part.fill(0); }
    void push(std::uint32_t code) {
        for (unsigned i = 0; i + 1 < W; ++i) {
            packed_.part[i] = ((packed_.part[i] >> bits_) | (packed_.part[i + 1] << (64 - bits_))) &
                              mask_.part[i];
        }
        // Texts have less than 2^31 words: the word and the one before are in the highest part.
        packed_.part[W - 1] =
            ((packed_.part[W - 1] >> bits_) & mask_.part[W - 1]) | (std::uint64_t{code} << last_);
    }
    const Window<W>& packed() const { return packed_; }

  private:
    unsigned bits_;
    unsigned last_;  // where the last word begins, from the lowest bit of the highest part
    Window<W> mask_;
    Window<W> packed_;
};

// Text cut into nearly equal parts that begin at the start of a sentence.
inline std::vector<std::uint64_t> cut_at_sentences(Span<const std::uint32_t> ids,
                                                   std::size_t parts) {
    std::vector<std::uint64_t> begin(parts + 1, ids.size());
    begin[0] = 0;
    for (std::size_t part = 1; part < parts; ++part) {
        std::uint64_t position =
            std::max<std::uint64_t>(part_begin(ids.size(), parts, part), begin[part - 1]);
        while (position != 0 && position < ids.size() && ids[position - 1] != kEndSentence) {
            ++position;
        }
        begin[part] = position;
    }
    return begin;
}

// Occurrences of every word.
inline Buffer<std::uint32_t> count_words(Span<const std::uint32_t> ids,
                                         std::uint64_t vocabulary_size, unsigned threads,
                                         Progress& progress) {
    const std::size_t parts = std::min(threads, 8U);  // each part has a table of its own
    std::vector<Buffer<std::uint32_t>> tables(parts);
    parallel_for(parts, threads, progress, [&](std::size_t part, unsigned) {
        tables[part] = Buffer<std::uint32_t>(vocabulary_size, 0);
        const std::size_t end = part_begin(ids.size(), parts, part + 1);
        for (std::size_t i = part_begin(ids.size(), parts, part); i < end; ++i) {
            ++tables[part][ids[i]];
        }
    });
    for (std::size_t part = 1; part < parts; ++part) {
        for (std::size_t word = 0; word < vocabulary_size; ++word) {
            tables[0][word] += tables[part][word];
        }
    }
    return std::move(tables[0]);
}

// Text order -> grouped by bucket of the last word. Buckets are collected in rounds, of which each
// reads the whole text (window_rounds.hpp): fewer rounds are faster, more need less memory.
template <unsigned W>
class WindowCollector {
  public:
    WindowCollector(const Buffer<std::uint32_t>& ids, const WordCodes& codes,
                    const Buckets& buckets, const WindowLayout& layout, unsigned threads,
                    Progress& progress)
        : ids_(ids),
          codes_(codes),
          buckets_(buckets),
          layout_(layout),
          threads_(threads),
          progress_(progress),
          text_(cut_at_sentences(ids.span(), std::clamp(threads, 1U, 64U))),
          counts_(parts() * buckets.size(), 0),
          first_words_(parts()),
          words_(buckets.bucket_of.size()) {
        for (std::size_t bucket = 0; bucket < buckets.size(); ++bucket) {
            const std::uint32_t first = buckets.first_word[bucket];
            for (std::uint32_t word = first; word < buckets.first_word[bucket + 1]; ++word) {
                words_[word] = {static_cast<std::uint32_t>(bucket), word - first, codes.code(word)};
            }
        }
        parallel_for(parts(), threads, progress, [&](std::size_t part, unsigned) {
            std::uint64_t* counts = counts_.data() + part * buckets.size();
            bool begins = true;
            for (std::uint64_t i = text_[part]; i < text_[part + 1]; ++i) {
                if (begins) first_words_[part].push_back(ids[i]);
                begins = ids[i] == kEndSentence;
                ++counts[buckets.bucket_of[ids[i]]];
                if ((i & (kReport - 1)) == 0) ids.rest(text_[part], i);
            }
        });
    }

    // Where the windows of the buckets [first, first + size) go: cursor[part * size + bucket -
    // first], which moves on. Where that is null, place(part, bucket, window) takes them. The
    // windows of <s> are not made: nothing precedes it.
    template <class Place>
    void collect(std::size_t first, std::size_t size, Window<W>** cursor, Place place) const {
        parallel_for(parts(), threads_, progress_, [&](std::size_t part, unsigned) {
            fill(part, first, size, cursor + part * size, place);
        });
    }
    // Windows of a bucket in one part of the text.
    std::uint64_t count(std::size_t part, std::size_t bucket) const {
        return counts_[part * buckets_.size() + bucket];
    }
    std::size_t parts() const { return text_.size() - 1; }

    // The first word of each sentence, in text order.
    Buffer<std::uint32_t> first_words() const {
        Buffer<std::uint32_t> words;
        for (const Buffer<std::uint32_t>& part : first_words_) {
            words.append(part.data(), part.size());
        }
        return words;
    }

  private:
    static constexpr std::uint64_t kReport = 1 << 20;

    // What is asked of a word, in one place in memory.
    struct Word {
        std::uint32_t bucket;
        std::uint32_t relative;  // to the first word of the bucket
        std::uint32_t code;
    };

    // Writes the windows of buckets [first, first + size) in one part of the text; a bucket without
    // cursor is given to place(part, bucket, window).
    template <class Place>
    void fill(std::size_t part, std::size_t first, std::size_t size, Window<W>** cursor,
              Place place) const {
        History<W> history(layout_);
        const unsigned above = 63 - layout_.relative_bits;
        bool begins = true;
        for (std::uint64_t i = text_[part]; i < text_[part + 1]; ++i) {
            if (begins) {
                history.reset();
                history.push(codes_.code(kBeginSentence));
            }
            begins = ids_[i] == kEndSentence;
            const Word& word = words_[ids_[i]];
            if (word.bucket - first < size) {
                Window<W> window = history.packed();
                window.part[W - 1] |= std::uint64_t{word.relative} << 1 << above;
                window.part[0] |= begins ? kNoWord : ids_[i + 1];
                Window<W>*& next = cursor[word.bucket - first];
                if (next != nullptr) {
                    *next++ = window;
                } else {
                    place(part, word.bucket, window);
                }
            }
            history.push(word.code);
            if ((i & (kReport - 1)) == 0) {
                ids_.rest(text_[part], i);
                progress_.advance(kReport);
            }
        }
    }

    const Buffer<std::uint32_t>& ids_;
    const WordCodes& codes_;
    const Buckets& buckets_;
    const WindowLayout& layout_;
    unsigned threads_;
    Progress& progress_;
    std::vector<std::uint64_t> text_;                 // where the parts begin
    Buffer<std::uint64_t> counts_;                    // per part, windows of each bucket
    std::vector<Buffer<std::uint32_t>> first_words_;  // per part
    Buffer<Word> words_;
};

}  // namespace ngram
