// Builds KenLM's binary files. Input: n-grams in suffix order (with all prefixes), their words, and
// the ids that KenLM gives these. Output: the bytes of a file, or how many there would be. What the
// parts mean is told where they are read: file.hpp, words.hpp, probing.hpp, trie.hpp.
//
// Files are those of `build_binary` but for what reading does not see: the places in hash tables
// depend on the order of insertion, and bits that are not used are 0. Quantisation is that of
// Federico and Bertoldi (2006), How many bits are needed to store probabilities for phrase-based
// translation?, section 3: bins of equally many values, each standing for their mean.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bits.hpp"
#include "base/buffer.hpp"
#include "base/errors.hpp"
#include "base/progress.hpp"
#include "kenlm/file.hpp"
#include "kenlm/probing.hpp"
#include "kenlm/search.hpp"
#include "kenlm/trie.hpp"
#include "kenlm/words.hpp"
#include "ngrams/prefixes.hpp"
#include "ngrams/sorted_ngrams.hpp"
#include "text/vocabulary.hpp"

namespace ngram {
namespace kenlm {

struct BuildOptions {
    Kind kind = Kind::kProbing;
    float multiplier = 1.5F;  // places of a hash table per entry
    unsigned prob_bits = 8;   // of quantised values
    unsigned backoff_bits = 8;
    unsigned pointer_limit = 22;  // most bits of a pointer that go to an array
    bool has_words = true;
    bool unk_added = false;  // <unk> was missing: KenLM then gives it a back-off of +0.0

    bool is_probing() const { return kind < Kind::kTrie; }
    bool quantised() const { return kind == Kind::kQuantTrie || kind == Kind::kQuantArrayTrie; }
    bool array() const { return kind >= Kind::kArrayTrie; }
    unsigned middle_value_bits() const { return quantised() ? prob_bits + backoff_bits : 63; }
    unsigned longest_value_bits() const { return quantised() ? prob_bits : 31; }
};

constexpr std::size_t kUnigramPointer = 16;  // bytes of a unigram of a trie

// Bytes of the words and n-grams, without the header and the spelled words.
inline std::uint64_t build_bytes(const std::vector<std::uint64_t>& counts,
                                 const BuildOptions& options) {
    const std::size_t order = counts.size();
    if (options.is_probing()) {
        const std::uint64_t weights = options.kind == Kind::kRestProbing ? 12 : 8;
        std::uint64_t bytes = 8 + 12 * KeyTable::places(counts[0], options.multiplier);
        bytes += (counts[0] + 1) * weights;
        for (std::size_t k = 2; k < order; ++k) {
            bytes += KeyTable::places(counts[k - 1], options.multiplier) * (8 + weights);
        }
        return bytes + KeyTable::places(counts.back(), options.multiplier) * 12;
    }
    std::uint64_t bytes = 8 + 8 * counts[0] + (counts[0] + 2) * kUnigramPointer;
    if (options.quantised()) {
        const std::uint64_t probs = std::uint64_t{1} << options.prob_bits;
        const std::uint64_t backoffs = std::uint64_t{1} << options.backoff_bits;
        bytes += 8 + 4 * ((order - 2) * (probs + backoffs) + probs);
    }
    const unsigned word_bits = bit_width(counts[0]);
    for (std::size_t k = 2; k < order; ++k) {
        unsigned pointer_bits = bit_width(counts[k]);
        if (options.array()) {
            const PointerArray::Layout layout(counts[k - 1] + 1, counts[k], options.pointer_limit);
            pointer_bits = layout.low_bits;
            bytes += layout.bytes();
        }
        bytes += PackedLevel::bytes(counts[k - 1],
                                    word_bits + options.middle_value_bits() + pointer_bits);
    }
    return bytes + PackedLevel::bytes(counts.back(), word_bits + options.longest_value_bits());
}

// Writes the parts of a file, which is all zeros at first, from the front to the back.
class Image {
  public:
    explicit Image(std::uint64_t bytes) : bytes_(bytes, 0) {}

    std::uint64_t offset() const { return offset_; }
    // The next `bytes` bytes.
    char* take(std::uint64_t bytes) {
        char* const begin = bytes_.data() + offset_;
        offset_ += bytes;
        return begin;
    }
    Buffer<char> finish() { return std::move(bytes_); }

  private:
    Buffer<char> bytes_;
    std::uint64_t offset_ = 0;
};

template <class T>
void store(char* at, const T& value) {
    std::memcpy(at, &value, sizeof value);
}

// Adds at most 57 bits to zeros.
inline void store_bits(char* base, std::uint64_t at, std::uint64_t value) {
    store(base + at / 8, load<std::uint64_t>(base + at / 8) | value << at % 8);
}

// What scoring has to know of n-grams besides their numbers: which ones longer n-grams begin or end
// with. Indices as in the levels.
class Extensions {
  public:
    Extensions(const SortedNgrams& ngrams, unsigned threads, Progress& progress) {
        const auto prefixes = all_prefixes(ngrams.levels, threads, progress);
        for (std::size_t k = 1; k < ngrams.order(); ++k) {
            const NgramLevel& longer = ngrams.levels[k];
            left_.emplace_back(ngrams.levels[k - 1].size(), false);
            right_.emplace_back(ngrams.levels[k - 1].size(), false);
            for (std::size_t i = 0; i < longer.size(); ++i) {
                left_.back()[longer.suffix[i]] = true;
                right_.back()[prefixes[k][i]] = true;
            }
        }
    }

    bool left(std::size_t k, std::size_t i) const { return left_[k - 1][i]; }
    // The back-off of an n-gram below the highest order: -0.0 if no longer one begins with it.
    float backoff(const NgramLevel& level, std::size_t k, std::size_t i) const {
        const float backoff = level.log10_backoff[i];
        return backoff != 0 ? backoff : right_[k - 1][i] ? 0.0F : -0.0F;
    }
    void set_right(std::size_t k, std::size_t i) { right_[k - 1][i] = true; }

  private:
    std::vector<std::vector<bool>> left_;  // of order 1, 2, ..
    std::vector<std::vector<bool>> right_;
};

class Builder {
  public:
    // `ids` are those that the file gives to our words, with <unk> 0.
    Builder(const SortedNgrams& ngrams, const Vocabulary& vocabulary, const BuildOptions& options,
            const IdMap& map, unsigned threads, Progress& progress)
        : ngrams_(ngrams), vocabulary_(vocabulary), options_(options), progress_(progress) {
        if (ngrams.order() < 2) {
            throw InputError(
                "KenLM's files hold models of order 2 and more, this one has order 1.");
        }
        if (ngrams.order() > 255) throw InputError("KenLM's files hold orders up to 255.");
        for (const NgramLevel& level : ngrams.levels) counts_.push_back(level.size());
        number_words(map);
        progress.begin("mark", 0);
        extensions_ = std::make_unique<Extensions>(ngrams, threads, progress);
        if (options.unk_added) extensions_->set_right(1, kUnk);
    }

    Buffer<char> build() {
        const std::uint64_t header =
            (kParameters + kParameterBytes + 8 * counts_.size() + 7) / 8 * 8;
        std::uint64_t strings = 0;
        if (options_.has_words) {
            for (const std::uint32_t word : words_) strings += vocabulary_.word(word).size() + 1;
        }
        Image image(header + build_bytes(counts_, options_) + strings);
        write_header(image.take(header));
        if (options_.is_probing()) {
            write_probing(image);
        } else {
            write_trie(image);
        }
        if (options_.has_words) {
            for (const std::uint32_t word : words_) {
                const std::string_view text = vocabulary_.word(word);
                std::memcpy(image.take(text.size() + 1), text.data(), text.size());
            }
        }
        return image.finish();
    }

  private:
    // Probing files keep the ids of the ARPA file, tries number words by their hash.
    void number_words(const IdMap& map) {
        const auto size = static_cast<std::uint32_t>(vocabulary_.size());
        for (std::uint32_t word = 0; word < size; ++word) {
            hashes_.push_back(murmur_hash(vocabulary_.word(word)));
        }
        for (std::uint32_t id = 0; id < size; ++id) words_.push_back(map.to_ours(id));
        if (!options_.is_probing()) {
            std::sort(words_.begin() + 1, words_.end(),
                      [&](std::uint32_t a, std::uint32_t b) { return hashes_[a] < hashes_[b]; });
        }
        ids_.resize(size);
        for (std::uint32_t id = 0; id < size; ++id) ids_[words_[id]] = id;
    }

    void write_header(char* at) const {
        std::memcpy(at, kVersion5, sizeof kVersion5);
        store_test_values(at + kTestValues);
        at += kParameters;
        at[0] = static_cast<char>(counts_.size());
        store(at + 4, options_.multiplier);
        store(at + 8, static_cast<std::uint32_t>(options_.kind));
        at[12] = options_.has_words;
        store(at + 16, std::uint32_t{options_.is_probing() ? 0U : 1U});
        for (std::size_t k = 0; k < counts_.size(); ++k) {
            store(at + kParameterBytes + 8 * k, counts_[k]);
        }
    }

    // ---- probing

    // Puts keys into a hash table and returns where the values stand, behind their keys.
    class TableWriter {
      public:
        TableWriter(Image& image, std::uint64_t entries, float multiplier, std::size_t entry_bytes)
            : places_(KeyTable::places(entries, multiplier)),
              entry_bytes_(entry_bytes),
              begin_(image.take(places_ * entry_bytes)) {}

        char* add(std::uint64_t key) {
            std::uint64_t place = key % places_;
            while (load<std::uint64_t>(begin_ + place * entry_bytes_) != 0) {
                if (++place == places_) place = 0;
            }
            store(begin_ + place * entry_bytes_, key);
            return begin_ + place * entry_bytes_ + 8;
        }

      private:
        std::uint64_t places_;
        std::size_t entry_bytes_;
        char* begin_;
    };

    void store_weights(char* at, std::size_t k, std::size_t i) const {
        const NgramLevel& level = ngrams_.levels[k - 1];
        std::uint32_t prob_bits = bucketed::float_bits(level.log10_prob[i]);
        // KenLM leaves a probability of 1 among the unigrams without a sign.
        if (k > 1) prob_bits |= bucketed::kSign;
        if (extensions_->left(k, i)) prob_bits &= ~bucketed::kSign;
        store(at, prob_bits);
        store(at + 4, extensions_->backoff(level, k, i));
    }

    void write_probing(Image& image) {
        const auto size = static_cast<std::uint32_t>(words_.size());
        char* const words = image.take(8);
        store(words + 4, size);
        TableWriter vocabulary(image, size, options_.multiplier, 12);
        for (std::uint32_t id = 1; id < size; ++id) store(vocabulary.add(hashes_[words_[id]]), id);
        char* const unigrams = image.take((std::uint64_t{size} + 1) * 8);
        for (std::uint32_t id = 0; id < size; ++id) {
            store_weights(unigrams + std::size_t{id} * 8, 1, words_[id]);
        }
        std::vector<std::uint64_t> keys(ids_.begin(), ids_.end());
        for (std::size_t k = 2; k <= counts_.size(); ++k) {
            const NgramLevel& level = ngrams_.levels[k - 1];
            const bool highest = k == counts_.size();
            progress_.begin("write", level.size());
            TableWriter table(image, level.size(), options_.multiplier, highest ? 12 : 16);
            std::vector<std::uint64_t> longer(level.size());
            for (std::size_t i = 0; i < level.size(); ++i) {
                longer[i] = combine(keys[level.suffix[i]], ids_[level.word[i]]);
                char* const value = table.add(longer[i]);
                if (highest) {
                    store(value, bucketed::float_bits(level.log10_prob[i]) | bucketed::kSign);
                } else {
                    store_weights(value, k, i);
                }
                if (i % 65536 == 65535) progress_.poll();
            }
            keys = std::move(longer);
        }
    }

    // ---- trie

    using Bins = std::vector<float>;

    // `bins` means of equally many values, ascending; the first ones if there are too few.
    static void add_means(std::vector<float> values, std::size_t bins, Bins& out) {
        std::sort(values.begin(), values.end());
        std::size_t begin = 0;
        for (std::size_t i = 0; i < bins; ++i) {
            const std::size_t end = values.size() * (i + 1) / bins;
            if (end == begin) {
                out.push_back(i == 0 ? -std::numeric_limits<float>::infinity() : out.back());
                continue;
            }
            const double sum = std::accumulate(values.begin() + begin, values.begin() + end, 0.0);
            out.push_back(static_cast<float>(sum / static_cast<float>(end - begin)));
            begin = end;
        }
    }

    // The bin nearest to a value, from `first` on.
    static std::uint64_t nearest(const Bins& bins, std::size_t first, float value) {
        const auto begin = bins.begin() + static_cast<std::ptrdiff_t>(first);
        const auto above = std::lower_bound(begin, bins.end(), value);
        if (above == begin) return first;
        if (above == bins.end()) return bins.size() - 1;
        const bool lower = value - above[-1] < *above - value;
        return static_cast<std::uint64_t>(above - bins.begin()) - lower;
    }

    struct Entry {
        std::uint64_t place;  // that of the parent, and the word
        std::uint32_t index;  // in the level

        bool operator<(const Entry& other) const { return place < other.place; }
    };

    // The values of one order, as they are packed.
    class Values {
      public:
        Values(const Builder& builder, std::size_t k, Image& bins) : builder_(builder), k_(k) {
            const BuildOptions& options = builder.options_;
            if (!options.quantised()) return;
            const NgramLevel& level = builder.ngrams_.levels[k - 1];
            add_means({level.log10_prob.begin(), level.log10_prob.end()},
                      std::size_t{1} << options.prob_bits, probs_);
            store_bins(probs_, bins);
            if (k == builder.counts_.size()) return;
            std::vector<float> backoffs;
            for (const float backoff : level.log10_backoff) {
                if (backoff != 0) backoffs.push_back(backoff);
            }
            backoffs_ = {-0.0F, 0.0F};  // without and with longer n-grams
            const std::size_t all = std::size_t{1} << options.backoff_bits;
            add_means(std::move(backoffs), all - 2, backoffs_);
            store_bins(backoffs_, bins);
        }

        void store_at(char* base, std::uint64_t at, std::size_t i) const {
            const NgramLevel& level = builder_.ngrams_.levels[k_ - 1];
            const bool highest = k_ == builder_.counts_.size();
            const float backoff = highest ? 0 : builder_.extensions_->backoff(level, k_, i);
            const std::uint32_t backoff_bits = bucketed::float_bits(backoff);
            if (probs_.empty()) {
                store_bits(base, at, bucketed::float_bits(level.log10_prob[i]) & ~bucketed::kSign);
                if (!highest) store_bits(base, at + 31, backoff_bits);
                return;
            }
            const std::uint64_t prob = nearest(probs_, 0, level.log10_prob[i]);
            if (highest) {
                store_bits(base, at, prob);
                return;
            }
            const std::uint64_t bin =
                backoff != 0 ? nearest(backoffs_, 2, backoff) : backoff_bits != bucketed::kSign;
            store_bits(base, at, bin);
            store_bits(base, at + builder_.options_.backoff_bits, prob);
        }

      private:
        static void store_bins(const Bins& bins, Image& image) {
            std::memcpy(image.take(4 * bins.size()), bins.data(), 4 * bins.size());
        }

        const Builder& builder_;
        std::size_t k_;
        Bins probs_;
        Bins backoffs_;
    };

    // Pointers to first children, whole or in part in an array.
    class Pointers {
      public:
        Pointers(Image& image, std::uint64_t entries, std::uint64_t most,
                 const BuildOptions& options)
            : low_bits_(bit_width(most)) {
            if (!options.array()) return;
            const PointerArray::Layout layout(entries + 1, most, options.pointer_limit);
            low_bits_ = layout.low_bits;
            const std::uint64_t begin = image.offset();
            char* const part = image.take(layout.bytes());
            part[1] = static_cast<char>(options.pointer_limit);
            places_ = part + (8 - begin % 8) % 8 + 8;
        }

        unsigned low_bits() const { return low_bits_; }

        void store_at(char* base, std::uint64_t at, std::uint64_t entry, std::uint64_t pointer) {
            if (places_ == nullptr) {
                store_bits(base, at, pointer);
                return;
            }
            for (; filled_ <= PointerArray::shifted(pointer, low_bits_); ++filled_) {
                store(places_ + 8 * filled_, entry);
            }
            store_bits(base, at, pointer & ((std::uint64_t{1} << low_bits_) - 1));
        }

      private:
        unsigned low_bits_;
        char* places_ = nullptr;
        std::uint64_t filled_ = 1;  // the first place is 0
    };

    void write_trie(Image& image) {
        const std::size_t order = counts_.size();
        const std::uint64_t size = words_.size();
        char* const words = image.take(8 + 8 * size);
        store(words, size - 1);
        for (std::uint64_t id = 1; id < size; ++id) store(words + 8 * id, hashes_[words_[id]]);

        // The bins of all orders stand together, before the unigrams.
        std::vector<Values> values;
        if (options_.quantised()) {
            char* const at = image.take(8);
            at[0] = 2;
            at[1] = static_cast<char>(options_.prob_bits);
            at[2] = static_cast<char>(options_.backoff_bits);
        }
        progress_.begin("quantise", 0);
        for (std::size_t k = 2; k <= order; ++k) {
            values.emplace_back(*this, k, image);
            progress_.poll();
        }

        char* const unigrams = image.take((size + 2) * kUnigramPointer);
        std::vector<Entry> entries = sorted_entries(2, ids_);
        std::vector<std::uint64_t> first = first_children(entries, size);
        for (std::uint64_t id = 0; id <= size; ++id) {
            char* const at = unigrams + id * kUnigramPointer;
            store(at + 8, first[id]);
            if (id == size) break;
            store(at, ngrams_.levels[0].log10_prob[words_[id]]);
            store(at + 4, extensions_->backoff(ngrams_.levels[0], 1, words_[id]));
        }
        for (std::size_t k = 2; k <= order; ++k) {
            progress_.begin("write", entries.size());
            std::vector<Entry> longer;
            if (k < order) {
                std::vector<std::uint32_t> places(entries.size());
                for (std::size_t i = 0; i < entries.size(); ++i) {
                    places[entries[i].index] = static_cast<std::uint32_t>(i);
                }
                longer = sorted_entries(k + 1, places);
                first = first_children(longer, entries.size());
            }
            write_level(image, k, values[k - 2], entries, first);
            entries = std::move(longer);
        }
    }

    // The n-grams of order `k` in the order of a trie; `places` are those of the order below.
    std::vector<Entry> sorted_entries(std::size_t k,
                                      const std::vector<std::uint32_t>& places) const {
        const NgramLevel& level = ngrams_.levels[k - 1];
        std::vector<Entry> entries(level.size());
        for (std::size_t i = 0; i < level.size(); ++i) {
            const std::uint64_t parent = places[level.suffix[i]];
            entries[i] = {parent << 32 | ids_[level.word[i]], static_cast<std::uint32_t>(i)};
        }
        std::sort(entries.begin(), entries.end());
        return entries;
    }

    // Where the children of each of so many parents begin, and the last ones end.
    static std::vector<std::uint64_t> first_children(const std::vector<Entry>& entries,
                                                     std::uint64_t parents) {
        std::vector<std::uint64_t> first;
        first.reserve(parents + 1);
        for (std::uint64_t i = 0; i < entries.size(); ++i) {
            while (first.size() <= entries[i].place >> 32) first.push_back(i);
        }
        while (first.size() <= parents) first.push_back(entries.size());
        return first;
    }

    void write_level(Image& image, std::size_t k, const Values& values,
                     const std::vector<Entry>& entries, const std::vector<std::uint64_t>& first) {
        const bool highest = k == counts_.size();
        const unsigned word_bits = bit_width(counts_[0]);
        const unsigned value_bits =
            highest ? options_.longest_value_bits() : options_.middle_value_bits();
        unsigned total_bits = word_bits + value_bits;
        std::unique_ptr<Pointers> pointers;
        if (!highest) {
            pointers = std::make_unique<Pointers>(image, entries.size(), counts_[k], options_);
            total_bits += pointers->low_bits();
        }
        char* const base = image.take(PackedLevel::bytes(entries.size(), total_bits));
        for (std::uint64_t i = 0; i < entries.size(); ++i) {
            const std::uint64_t at = i * total_bits;
            store_bits(base, at, entries[i].place & 0xffffffffU);
            values.store_at(base, at + word_bits, entries[i].index);
            if (!highest) pointers->store_at(base, at + word_bits + value_bits, i, first[i]);
            if (i % 65536 == 65535) progress_.poll();
        }
        if (!highest) {
            const std::uint64_t at = entries.size() * total_bits + word_bits + value_bits;
            pointers->store_at(base, at, entries.size(), first.back());
        }
    }

    const SortedNgrams& ngrams_;
    const Vocabulary& vocabulary_;
    BuildOptions options_;
    Progress& progress_;
    std::vector<std::uint64_t> counts_;
    std::vector<std::uint64_t> hashes_;  // of our words
    std::vector<std::uint32_t> words_;   // by id: our word
    std::vector<std::uint32_t> ids_;     // by our word: its id
    std::unique_ptr<Extensions> extensions_;
};

inline Buffer<char> build_file(const SortedNgrams& ngrams, const Vocabulary& vocabulary,
                               const BuildOptions& options, const IdMap& map, unsigned threads,
                               Progress& progress) {
    return Builder(ngrams, vocabulary, options, map, threads, progress).build();
}

}  // namespace kenlm
}  // namespace ngram
