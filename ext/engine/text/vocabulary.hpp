// The vocabulary: words (any bytes) <-> ids 0, 1, 2, ... <unk>, <s> and </s> are ids 0, 1 and 2;
// other words follow in the order in which they were added. Input: words; output: ids. Three
// flat arrays hold everything, so a vocabulary is saved as it is and attached to a mapped file.
//
// Lookup is exact. A slot of the hash table carries the first 12 bytes of its word, so words up
// to that length (99 % of English tokens, 79 % of Korean ones) are compared within the slot,
// without touching another cache line. A longer word carries a 64-bit hash and its length
// instead, and its string is compared on a hit.
// Read next: text/tokenizer.hpp, which turns text into the words looked up here.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/bits.hpp"
#include "base/buffer.hpp"
#include "base/errors.hpp"

#if defined(_MSC_VER)
#include <intrin.h>
#elif __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The vocabulary is a file format: little-endian processors only."
#endif

namespace ngram {

constexpr std::uint32_t kUnk = 0;
constexpr std::uint32_t kBos = 1;
constexpr std::uint32_t kEos = 2;
constexpr std::uint32_t kSpecialWords = 3;
constexpr std::uint32_t kAbsent = 0xFFFFFFFFU;    // not a word of this vocabulary
constexpr std::uint32_t kMaxWords = 0x7FFFFFFFU;  // the top bit marks provisional ids (corpus.hpp)

inline std::uint64_t load64(const char* bytes) {
    std::uint64_t value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

struct Product {
    std::uint64_t low;
    std::uint64_t high;
};

inline Product multiply(std::uint64_t a, std::uint64_t b) {
#if defined(_MSC_VER)
    Product product;
    product.low = _umul128(a, b, &product.high);
    return product;
#else
    const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
    return {static_cast<std::uint64_t>(product), static_cast<std::uint64_t>(product >> 64)};
#endif
}

inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    const Product product = multiply(a, b);
    return product.low ^ product.high;
}

// What a slot is compared with. A word of at most 12 bytes without NUL is its own key (its bytes,
// padded with zeros). Any other word has the key {hash, length << 8}: no short word looks like
// that, because byte 8 of a key is zero only if the bytes after it are.
struct WordKey {
    static constexpr std::size_t kShort = 12;
    static constexpr std::uint64_t kMix0 = 0x9E3779B97F4A7C15ULL;
    static constexpr std::uint64_t kMix1 = 0xD6E8FEB86659FD93ULL;
    static constexpr std::uint64_t kMix2 = 0xA0761D6478BD642FULL;

    std::uint64_t low = 0;
    std::uint32_t high = 0;

    bool is_long() const { return (high & 0xFF) == 0 && high != 0; }
    std::uint64_t hash() const { return mix(low ^ kMix0, high ^ kMix1); }

    static WordKey of(std::string_view word) {
        if (word.size() > kShort || std::memchr(word.data(), 0, word.size()) != nullptr) {
            return of_long(word);
        }
        char padded[16] = {};
        std::memcpy(padded, word.data(), word.size());
        return {load64(padded), static_cast<std::uint32_t>(load64(padded + 8))};
    }

    // The first 16 bytes at `word` as two numbers, of a word of at most 12 bytes without NUL.
    static WordKey of_short(std::uint64_t first, std::uint64_t second, std::size_t size) {
        const bool one = size <= 8;
        const unsigned spare = static_cast<unsigned>(8 * ((one ? 8 : 16) - size)) & 63;
        const std::uint64_t mask = size == 0 ? 0 : ~std::uint64_t{0} >> spare;
        return {one ? first & mask : first, static_cast<std::uint32_t>(one ? 0 : second & mask)};
    }

    static WordKey of_long(std::string_view word) {
        const std::uint64_t size = word.size();
        const std::uint64_t length = std::min<std::uint64_t>(size, 0xFFFFFF);
        return {hash_long(word), static_cast<std::uint32_t>(length << 8)};
    }

  private:
    static std::uint64_t hash_long(std::string_view word) {
        const char* bytes = word.data();
        std::size_t size = word.size();
        std::uint64_t hash = kMix2 ^ size;
        while (size > 16) {
            hash = mix(load64(bytes) ^ kMix1, load64(bytes + 8) ^ hash);
            bytes += 16;
            size -= 16;
        }
        if (size >= 8) return mix(load64(bytes) ^ kMix1, load64(bytes + size - 8) ^ hash);
        char padded[8] = {};
        if (size != 0) std::memcpy(padded, bytes, size);
        return mix(load64(padded) ^ kMix1, hash ^ kMix0);
    }
};

// Slots of one hash table with linear probing, and the strings they stand for. It owns nothing:
// Vocabulary and VocabularyBuilder share the lookup. At least one slot is empty.
class WordTable {
  public:
    // An all-zero key marks an empty slot: the empty word is not a word.
    struct Slot {
        std::uint64_t low;
        std::uint32_t high;
        std::uint32_t id;

        bool empty() const { return low == 0 && high == 0; }
    };
    static_assert(sizeof(Slot) == 16);

    std::size_t size() const { return size_; }
    std::string_view word(std::uint32_t id) const {
        return {strings_ + offsets_[id], static_cast<std::size_t>(offsets_[id + 1] - offsets_[id])};
    }

    // What a lookup will read, in the order in which it depends on each other: the slot; the
    // place of the string in it, which only long words need; that string.
    void prefetch(std::uint64_t hash) const { ngram::prefetch(slots_ + home(hash)); }
    void prefetch_offset(std::uint64_t hash) const {
        ngram::prefetch(offsets_ + slots_[home(hash)].id);
    }
    void prefetch_string(std::uint64_t hash) const {
        ngram::prefetch(strings_ + offsets_[slots_[home(hash)].id]);
    }

    // kAbsent if the word is not there. `hash` is key.hash(), `key` that of `word`.
    std::uint32_t lookup(const WordKey& key, std::uint64_t hash, std::string_view word) const {
        for (std::size_t index = home(hash);;) {
            const Slot& slot = slots_[index];
            if (((slot.low ^ key.low) | (slot.high ^ key.high)) == 0) {
                if (!key.is_long()) return slot.empty() ? kAbsent : slot.id;
                if (this->word(slot.id) == word) return slot.id;
            }
            if (slot.empty()) return kAbsent;
            if (++index == capacity_) index = 0;
        }
    }

  protected:
    static constexpr std::size_t kAhead = 64;  // slots fetched before they are needed

    std::size_t home(std::uint64_t hash) const {
        return static_cast<std::size_t>(multiply(hash, capacity_).high);
    }
    static void insert(Slot* slots, std::size_t capacity, const WordKey& key, std::uint32_t id) {
        std::size_t index = static_cast<std::size_t>(multiply(key.hash(), capacity).high);
        while (!slots[index].empty()) {
            if (++index == capacity) index = 0;
        }
        slots[index] = {key.low, key.high, id};
    }

    const char* strings_ = nullptr;
    const std::uint64_t* offsets_ = nullptr;  // word i is strings_[offsets_[i], offsets_[i + 1])
    const Slot* slots_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;  // slots
};

// An immutable vocabulary: any thread may read. Its arrays are its own, or stay where `attach`
// found them; then the caller keeps that memory alive.
class Vocabulary : public WordTable {
  public:
    Vocabulary() = default;
    Vocabulary(const Vocabulary&) = delete;
    Vocabulary& operator=(const Vocabulary&) = delete;

    // Takes the words in id order. The table depends on the words and their order alone.
    Vocabulary(Buffer<char> strings, Buffer<std::uint64_t> offsets)
        : owned_strings_(std::move(strings)), owned_offsets_(std::move(offsets)) {
        size_ = owned_offsets_.size() - 1;
        strings_ = owned_strings_.data();
        offsets_ = owned_offsets_.data();
        capacity_ = (size_ * 8 / 5 + 8) / 4 * 4;  // five eighths full
        owned_slots_ = Buffer<Slot>(capacity_, Slot{0, 0, 0});
        slots_ = owned_slots_.data();
        std::array<WordKey, kAhead> keys;
        for (std::size_t begin = 0; begin < size_; begin += kAhead) {
            const std::size_t count = std::min(kAhead, size_ - begin);
            for (std::size_t i = 0; i < count; ++i) {
                keys[i] = WordKey::of(word(static_cast<std::uint32_t>(begin + i)));
                prefetch(keys[i].hash());
            }
            for (std::size_t i = 0; i < count; ++i) {
                const std::uint32_t id = static_cast<std::uint32_t>(begin + i);
                insert(owned_slots_.data(), capacity_, keys[i], id);
            }
        }
    }

    // Uses arrays of a model file where they lie. They are not trusted: every bound that a
    // lookup relies on is checked here (sequentially, some milliseconds per million words).
    static std::shared_ptr<Vocabulary> attach(Span<const char> strings,
                                              Span<const std::uint64_t> offsets,
                                              Span<const char> table) {
        const auto damaged = [](const std::string& what) {
            return ModelFileError("the vocabulary of the model file is damaged: " + what +
                                  ". Copy the file again or train the model again.");
        };
        if (offsets.size() < kSpecialWords + 1 || offsets.size() - 1 > kMaxWords) {
            throw damaged("it has " + std::to_string(offsets.size()) + " word offsets");
        }
        if (offsets[0] != 0 || offsets[offsets.size() - 1] != strings.size()) {
            throw damaged("its word offsets do not cover its strings");
        }
        for (std::size_t i = 1; i < offsets.size(); ++i) {
            if (offsets[i] <= offsets[i - 1]) {
                throw damaged("the offset of word " + std::to_string(i) + " is out of order");
            }
        }
        const std::size_t slots = table.size() / sizeof(Slot);
        if (table.size() % sizeof(Slot) != 0 || slots < offsets.size()) {
            throw damaged("its table has " + std::to_string(table.size()) + " bytes");
        }
        auto vocabulary = std::make_shared<Vocabulary>();
        vocabulary->strings_ = strings.data();
        vocabulary->offsets_ = offsets.data();
        vocabulary->slots_ = reinterpret_cast<const Slot*>(table.data());
        vocabulary->size_ = offsets.size() - 1;
        vocabulary->capacity_ = slots;
        std::size_t empty = 0;
        for (std::size_t i = 0; i < slots; ++i) {
            const Slot& slot = vocabulary->slots_[i];
            empty += slot.empty();
            if (slot.id >= vocabulary->size_)
                throw damaged("a slot names a word that is not there");
        }
        if (empty == 0) throw damaged("its table has no empty slot");
        if (vocabulary->word(kUnk) != "<unk>" || vocabulary->word(kBos) != "<s>" ||
            vocabulary->word(kEos) != "</s>") {
            throw damaged("words 0, 1 and 2 are not <unk>, <s> and </s>");
        }
        return vocabulary;
    }

    static std::uint64_t hash(std::string_view word) { return WordKey::of(word).hash(); }

    // kUnk if the word is not there. The slow form of the lookups in text/encode.hpp.
    std::uint32_t find(std::string_view word) const {
        const WordKey key = WordKey::of(word);
        return find(key, key.hash(), word);
    }
    std::uint32_t find(std::string_view word, std::uint64_t hash) const {
        return find(WordKey::of(word), hash, word);
    }
    std::uint32_t find(const WordKey& key, std::uint64_t hash, std::string_view word) const {
        const std::uint32_t id = lookup(key, hash, word);
        return id == kAbsent ? kUnk : id;
    }
    bool contains(std::string_view word) const {
        const WordKey key = WordKey::of(word);
        return lookup(key, key.hash(), word) != kAbsent;
    }

    Span<const char> strings() const {
        return {strings_, size_ == 0 ? 0 : static_cast<std::size_t>(offsets_[size_])};
    }
    Span<const std::uint64_t> offsets() const { return {offsets_, size_ + 1}; }
    Span<const char> table() const {
        return {reinterpret_cast<const char*>(slots_), capacity_ * sizeof(Slot)};
    }
    std::size_t bytes() const { return strings().size() + (size_ + 1) * 8 + table().size(); }

    // The words `ids` (ascending, beginning with 0, 1, 2) under the ids 0, 1, 2, ...
    std::shared_ptr<Vocabulary> subset(Span<const std::uint32_t> ids) const {
        Buffer<char> strings;
        Buffer<std::uint64_t> offsets;
        offsets.push_back(0);
        for (std::size_t i = 0; i < ids.size(); ++i) {
            if (ids[i] >= size_ || (i < kSpecialWords && ids[i] != i) ||
                (i > 0 && ids[i] <= ids[i - 1])) {
                throw InputError("a subset of a vocabulary takes ascending ids below " +
                                 std::to_string(size_) + " that begin with 0, 1, 2; id " +
                                 std::to_string(ids[i]) + " at position " + std::to_string(i) +
                                 " is not.");
            }
            const std::string_view word = this->word(ids[i]);
            strings.append(word.data(), word.size());
            offsets.push_back(strings.size());
        }
        if (ids.size() < kSpecialWords) {
            throw InputError("a subset of a vocabulary keeps the ids 0, 1, 2.");
        }
        return std::make_shared<Vocabulary>(std::move(strings), std::move(offsets));
    }

  private:
    Buffer<char> owned_strings_;
    Buffer<std::uint64_t> owned_offsets_;
    Buffer<Slot> owned_slots_;
};

// A growing vocabulary: ids in order of first addition. Used by one thread at a time.
class VocabularyBuilder : public WordTable {
  public:
    // Begins with <unk>, <s>, </s>.
    VocabularyBuilder() : VocabularyBuilder(0) {
        for (const char* word : {"<unk>", "<s>", "</s>"}) find_or_add(word);
    }
    VocabularyBuilder(const VocabularyBuilder&) = delete;
    VocabularyBuilder& operator=(const VocabularyBuilder&) = delete;
    VocabularyBuilder(VocabularyBuilder&&) = default;

    // Begins without any word: the words of one piece of a corpus.
    static VocabularyBuilder empty() { return VocabularyBuilder(0); }

    std::uint32_t find_or_add(std::string_view word) {
        const WordKey key = WordKey::of(word);
        return find_or_add(key, key.hash(), word);
    }
    std::uint32_t find_or_add(const WordKey& key, std::uint64_t hash, std::string_view word) {
        const std::uint32_t id = lookup(key, hash, word);
        return id != kAbsent ? id : add(key, word);
    }

    // Adds all words of another table in its order; ids[i] is the id of its word i here.
    void find_or_add_all(const WordTable& words, Buffer<std::uint32_t>& ids) {
        std::array<WordKey, kAhead> keys;
        std::array<std::uint64_t, kAhead> hashes;
        ids.resize(words.size());
        for (std::size_t begin = 0; begin < words.size(); begin += kAhead) {
            const std::size_t count = std::min(kAhead, words.size() - begin);
            for (std::size_t i = 0; i < count; ++i) {
                keys[i] = WordKey::of(words.word(static_cast<std::uint32_t>(begin + i)));
                hashes[i] = keys[i].hash();
                prefetch(hashes[i]);
            }
            for (std::size_t i = 0; i < count; ++i) {
                const std::uint32_t id = static_cast<std::uint32_t>(begin + i);
                ids[id] = find_or_add(keys[i], hashes[i], words.word(id));
            }
        }
    }

    // Adds a word that is not there yet.
    std::uint32_t add(const WordKey& key, std::string_view word) {
        if (word.empty()) throw InputError("the empty string cannot be a word of a vocabulary.");
        if (size_ >= kMaxWords) {
            throw InputError("the corpus has more than " + std::to_string(kMaxWords) +
                             " different words: use a tokenizer with smaller units.");
        }
        const std::uint32_t id = static_cast<std::uint32_t>(size_);
        own_strings_.append(word.data(), word.size());
        own_offsets_.push_back(own_strings_.size());
        strings_ = own_strings_.data();
        offsets_ = own_offsets_.data();
        ++size_;
        if (size_ * 8 > capacity_ * 5) grow();
        insert(own_slots_.data(), capacity_, key, id);
        return id;
    }

    // The builder is empty afterwards and not used again.
    std::shared_ptr<Vocabulary> finish() {
        own_slots_.clear();
        own_strings_.shrink_to_fit();
        own_offsets_.shrink_to_fit();
        return std::make_shared<Vocabulary>(std::move(own_strings_), std::move(own_offsets_));
    }

    // Forgets all words, the special ones too; keeps memory for as many.
    void clear() {
        own_strings_.resize(0);
        own_offsets_.resize(1);
        while (capacity_ > kFirstCapacity && size_ * 8 < capacity_) capacity_ /= 2;
        own_slots_.resize(capacity_);
        std::fill(own_slots_.begin(), own_slots_.end(), Slot{0, 0, 0});
        size_ = 0;
    }

  private:
    explicit VocabularyBuilder(int) {
        own_offsets_.push_back(0);
        offsets_ = own_offsets_.data();
        own_slots_ = Buffer<Slot>(kFirstCapacity, Slot{0, 0, 0});
        slots_ = own_slots_.data();
        capacity_ = kFirstCapacity;
    }

    // Doubles the table. Slots move in table order and keep their content, so no string is read.
    void grow() {
        const std::size_t capacity = capacity_ * 2;
        Buffer<Slot> slots(capacity, Slot{0, 0, 0});
        for (const Slot& slot : own_slots_) {
            if (!slot.empty()) insert(slots.data(), capacity, {slot.low, slot.high}, slot.id);
        }
        own_slots_ = std::move(slots);
        slots_ = own_slots_.data();
        capacity_ = capacity;
    }

    static constexpr std::size_t kFirstCapacity = 1024;

    Buffer<char> own_strings_;
    Buffer<std::uint64_t> own_offsets_;
    Buffer<Slot> own_slots_;
};

}  // namespace ngram
