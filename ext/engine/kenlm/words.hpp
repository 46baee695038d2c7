// The words of a KenLM binary file: word -> id. The file keeps a 64-bit hash of each word
// (MurmurHash64A, seed 0), so two words with one hash cannot be told apart. <unk> is id 0 and has
// no entry. Input: a part of the file; every entry is checked once, when the file is opened.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.hpp"
#include "kenlm/file.hpp"

namespace ngram {
namespace kenlm {

// MurmurHash64A of Austin Appleby, who placed it in the public domain.
inline std::uint64_t murmur_hash(const char* bytes, std::size_t size, std::uint64_t seed = 0) {
    constexpr std::uint64_t kFactor = 0xc6a4a7935bd1e995U;
    constexpr unsigned kShift = 47;
    std::uint64_t hash = seed ^ (size * kFactor);
    for (; size >= 8; size -= 8, bytes += 8) {
        std::uint64_t block = load<std::uint64_t>(bytes) * kFactor;
        block ^= block >> kShift;
        hash = (hash ^ block * kFactor) * kFactor;
    }
    if (size != 0) {
        hash = (hash ^ load_few(bytes, size)) * kFactor;
    }
    hash = (hash ^ hash >> kShift) * kFactor;
    return hash ^ hash >> kShift;
}

inline std::uint64_t murmur_hash(std::string_view word) {
    return murmur_hash(word.data(), word.size());
}

// A table with linear probing whose entries begin with a 64-bit key; 0 marks an empty place.
class KeyTable {
  public:
    KeyTable() = default;

    // As many places as KenLM gives `entries` entries, in float32 as there.
    static std::uint64_t places(std::uint64_t entries, float multiplier) {
        const float wanted = multiplier * static_cast<float>(entries);
        // Beyond any file that check_counts lets pass; the conversion must not overflow.
        if (!(wanted < 1e17F)) fail_damaged("its probing multiplier is too large");
        return std::max(entries + 1, static_cast<std::uint64_t>(wanted));
    }

    KeyTable(Cursor& cursor, std::uint64_t entries, float multiplier, std::size_t entry_bytes,
             const char* what)
        : places_(places(entries, multiplier)),
          entry_bytes_(entry_bytes),
          begin_(cursor.take(places_ * entry_bytes, what)) {}

    std::uint64_t places() const { return places_; }
    const char* entry(std::uint64_t place) const { return begin_ + place * entry_bytes_; }
    std::uint64_t key(std::uint64_t place) const { return load<std::uint64_t>(entry(place)); }

    // What follows the key of an entry; nullptr if there is none. Ends in a damaged table without
    // an empty place too.
    const char* find(std::uint64_t key) const {
        std::uint64_t place = key % places_;
        for (std::uint64_t left = places_; left != 0; --left) {
            const std::uint64_t here = this->key(place);
            if (here == key) return entry(place) + 8;
            if (here == 0) return nullptr;
            if (++place == places_) place = 0;
        }
        return nullptr;
    }

  private:
    std::uint64_t places_ = 1;
    std::size_t entry_bytes_ = 8;
    const char* begin_ = nullptr;
};

// The words of probing files: their hashes in a hash table.
class ProbingWords {
  public:
    ProbingWords(Cursor& cursor, const Header& header) {
        const char* const at = cursor.take(8, "the words");
        const auto version = load<std::uint32_t>(at);
        bound_ = load<std::uint32_t>(at + 4);
        if (version != 0) {
            throw ModelFileError("the words of the KenLM binary file have version " +
                                 std::to_string(version) +
                                 "; only 0 is read. Build it again from the ARPA file.");
        }
        if (bound_ == 0 || bound_ > header.counts[0] + 1) {
            fail_damaged("it has " + std::to_string(bound_) + " words, and " +
                         std::to_string(header.counts[0]) + " unigrams");
        }
        table_ = KeyTable(cursor, header.counts[0], header.multiplier, 12, "the words");
        for (std::uint64_t place = 0; place < table_.places(); ++place) {
            if (table_.key(place) == 0) continue;
            const auto id = load<std::uint32_t>(table_.entry(place) + 8);
            if (id == 0 || id >= bound_) {
                fail_damaged("a word has the id " + std::to_string(id) + " of " +
                             std::to_string(bound_));
            }
        }
    }

    // How many ids there are.
    std::uint32_t size() const { return bound_; }
    // 0 if the word is unknown.
    std::uint32_t find(std::string_view word) const {
        const char* const value = table_.find(murmur_hash(word));
        return value == nullptr ? 0 : load<std::uint32_t>(value);
    }

  private:
    KeyTable table_;
    std::uint32_t bound_ = 1;
};

// The words of tries: their hashes in ascending order; the id is the place, counted from 1.
class SortedWords {
  public:
    SortedWords(Cursor& cursor, const Header& header) {
        entries_ = load<std::uint64_t>(cursor.take(8, "the words"));
        begin_ = cursor.take(8 * header.counts[0], "the words");
        if (entries_ > header.counts[0]) {
            fail_damaged("it has " + std::to_string(entries_) + " words, and " +
                         std::to_string(header.counts[0]) + " unigrams");
        }
        for (std::uint64_t i = 1; i < entries_; ++i) {
            if (key(i) < key(i - 1)) {
                fail_damaged("word " + std::to_string(i + 1) + " is out of order");
            }
        }
    }

    std::uint32_t size() const { return static_cast<std::uint32_t>(entries_ + 1); }

    // Hashes are spread evenly, so the place is guessed between the two bounds known so far.
    std::uint32_t find(std::string_view word) const {
        const std::uint64_t wanted = murmur_hash(word);
        std::uint64_t begin = 0;
        std::uint64_t end = entries_;
        std::uint64_t low = 0;
        std::uint64_t high = ~std::uint64_t{0};
        while (begin < end) {
            const std::uint64_t width = end - begin;
            const double share =
                static_cast<double>(wanted - low) / static_cast<double>(high - low + (high == low));
            const auto guess = static_cast<std::uint64_t>(share * static_cast<double>(width));
            const std::uint64_t place = begin + std::min(guess, width - 1);
            const std::uint64_t here = key(place);
            if (here == wanted) return static_cast<std::uint32_t>(place + 1);
            if (here < wanted) {
                begin = place + 1;
                low = here;
            } else {
                end = place;
                high = here;
            }
        }
        return 0;
    }

  private:
    std::uint64_t key(std::uint64_t i) const { return load<std::uint64_t>(begin_ + 8 * i); }

    std::uint64_t entries_ = 0;
    const char* begin_ = nullptr;
};

// The spelled words at the end of a file, in the order of ids: `size` of them.
inline std::vector<std::string_view> read_spellings(Span<const char> strings, std::uint32_t size) {
    std::vector<std::string_view> words;
    const char* at = strings.begin();
    while (at != strings.end()) {
        const auto left = static_cast<std::size_t>(strings.end() - at);
        const auto* const end = static_cast<const char*>(std::memchr(at, 0, left));
        if (end == nullptr) fail_damaged("its last word has no end: it was cut off");
        words.emplace_back(at, static_cast<std::size_t>(end - at));
        at = end + 1;
    }
    if (words.size() != size) {
        fail_damaged("it has " + std::to_string(words.size()) + " spelled words of " +
                     std::to_string(size));
    }
    return words;
}

}  // namespace kenlm
}  // namespace ngram
