// KenLM's binary file (format version 5): the header, and checked views of what follows it. Input:
// the bytes of a file, mapped or in memory. Output: a Header, and Cursor, which hands out one part
// after the other and throws where the file is too short. Nothing is copied and nothing trusted:
// a file may hold anything. The layout, after the magic text and 36 bytes of test values:
//
//   order u8, 3 bytes of padding, probing multiplier f32, kind u32, has_words u8, 3 bytes,
//   version of the search u32, number of n-grams of each order u64[order], padding to 8 bytes,
//   the words (words.hpp), the n-grams (probing.hpp, trie.hpp),
//   if has_words: every word in the order of ids, closed by NUL; <unk> is the first.
//
// Numbers are little-endian, and stand at any address: they are read with memcpy.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.hpp"
#include "base/errors.hpp"

namespace ngram {
namespace kenlm {

enum class Kind : std::uint32_t {
    kProbing = 0,
    kRestProbing = 1,
    kTrie = 2,
    kQuantTrie = 3,
    kArrayTrie = 4,
    kQuantArrayTrie = 5
};
constexpr std::uint32_t kKinds = 6;

inline const char* name_of(Kind kind) {
    constexpr const char* kNames[kKinds] = {"probing hash tables",
                                            "probing hash tables with rest costs",
                                            "trie",
                                            "trie with quantization",
                                            "trie with array-compressed pointers",
                                            "trie with quantization and array-compressed pointers"};
    return kNames[static_cast<std::uint32_t>(kind)];
}

template <class T>
T load(const char* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

// Up to 8 bytes as the low ones of a number. The loads overlap: a copy of unknown length is slower.
inline std::uint64_t load_few(const char* at, std::size_t size) {
    if (size >= 8) return load<std::uint64_t>(at);
    if (size >= 4) {
        const std::uint64_t first = load<std::uint32_t>(at);
        const std::uint64_t last = load<std::uint32_t>(at + size - 4);
        return first | last << 8 * (size - 4);
    }
    if (size == 0) return 0;
    const auto byte = [&](std::size_t i) {
        return std::uint64_t{static_cast<unsigned char>(at[i])} << 8 * i;
    };
    return byte(0) | byte(size / 2) | byte(size - 1);
}

[[noreturn]] inline void fail_damaged(const std::string& what) {
    throw ModelFileError("the KenLM binary file is damaged: " + what +
                         ". Copy it again, or build it again from the ARPA file.");
}

// Hands out the parts of a file from the front to the back.
class Cursor {
  public:
    Cursor(Span<const char> file, std::uint64_t offset) : file_(file), offset_(offset) {}

    std::uint64_t offset() const { return offset_; }
    const char* here() const { return file_.data() + offset_; }

    // The next `bytes` bytes.
    const char* take(std::uint64_t bytes, const char* what) {
        if (offset_ > file_.size() || bytes > file_.size() - offset_) {
            fail_damaged(std::string(what) + " should end at byte " +
                         std::to_string(offset_ + bytes) + ", the file has " +
                         std::to_string(file_.size()) + ": it was cut off");
        }
        const char* const begin = here();
        offset_ += bytes;
        return begin;
    }

  private:
    Span<const char> file_;
    std::uint64_t offset_;
};

struct Header {
    Kind kind;
    std::size_t order;
    float multiplier;  // places of a hash table per entry
    bool has_words;
    std::vector<std::uint64_t> counts;  // n-grams of each order
    std::uint64_t bytes;                // of the header itself
};

constexpr char kMagic[] = "mmap lm http://kheafield.com/code";
constexpr char kIncomplete[] = "mmap lm http://kheafield.com/code incomplete\n";
constexpr char kVersion[] = "mmap lm http://kheafield.com/code format version ";
constexpr char kVersion5[] = "mmap lm http://kheafield.com/code format version 5\n";
constexpr std::size_t kTestValues = 56;  // where the magic text and its padding end
constexpr std::size_t kParameters = kTestValues + 32;
constexpr std::size_t kParameterBytes = 20;

inline bool begins_with(Span<const char> file, std::string_view text) {
    return file.size() >= text.size() && std::memcmp(file.data(), text.data(), text.size()) == 0;
}

// Whether a file says that it is one of KenLM's, whole or not.
inline bool is_kenlm(Span<const char> file) {
    return begins_with(file, kMagic);
}

// What a machine of another byte order, or of 32 bits, would write differently.
inline void store_test_values(char* at) {
    const float numbers[3] = {0.0F, 1.0F, -0.5F};
    const std::uint32_t words[3] = {1, 0xffffffffU, 0};
    const std::uint64_t one = 1;
    std::memcpy(at, numbers, sizeof numbers);
    std::memcpy(at + 12, words, sizeof words);
    std::memcpy(at + 24, &one, sizeof one);
}

inline void check_magic(Span<const char> file) {
    if (begins_with(file, kIncomplete)) {
        throw ModelFileError(
            "the KenLM binary file was never finished: the program that built it stopped. Build "
            "it again from the ARPA file.");
    }
    if (!is_kenlm(file)) throw ModelFileError("this is not a KenLM binary file.");
    if (!begins_with(file, kVersion5)) {
        std::string version;
        for (std::size_t i = sizeof kVersion - 1; i < file.size() && version.size() < 8; ++i) {
            if (file[i] < '0' || file[i] > '9') break;
            version += file[i];
        }
        throw ModelFileError("the KenLM binary file has the format version '" + version +
                             "'; only 5 is read. Build it again from the ARPA file.");
    }
    char expected[kParameters - kTestValues];
    store_test_values(expected);
    if (file.size() < kParameters ||
        std::memcmp(file.data() + kTestValues, expected, sizeof expected) != 0) {
        throw ModelFileError(
            "the test values of the KenLM binary file are not those of a little-endian machine of "
            "64 bits. Build it again from the ARPA file.");
    }
}

// Throws ModelFileError unless the counts can belong to a file of this size; then sums of sizes
// computed from them cannot overflow.
inline void check_counts(const Header& header, std::uint64_t file_size) {
    constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 48;
    if (file_size > kLargestFile)
        fail_damaged("no file has " + std::to_string(file_size) + " bytes");
    for (std::size_t k = 0; k < header.order; ++k) {
        if (header.counts[k] > file_size * 8) {
            fail_damaged("it is said to have " + std::to_string(header.counts[k]) + " " +
                         std::to_string(k + 1) + "-grams in " + std::to_string(file_size) +
                         " bytes");
        }
    }
    if (header.counts[0] == 0 || header.counts[0] >= 0xfffffff0U) {
        fail_damaged("it is said to have " + std::to_string(header.counts[0]) + " words");
    }
}

inline Header read_header(Span<const char> file) {
    check_magic(file);
    Cursor cursor(file, kParameters);
    const char* const at = cursor.take(kParameterBytes, "the header");
    Header header;
    header.order = static_cast<unsigned char>(at[0]);
    header.multiplier = load<float>(at + 4);
    const std::uint32_t kind = load<std::uint32_t>(at + 8);
    header.has_words = at[12] != 0;
    const std::uint32_t version = load<std::uint32_t>(at + 16);
    if (kind >= kKinds) fail_damaged("it is of the unknown kind " + std::to_string(kind));
    header.kind = static_cast<Kind>(kind);
    const std::uint32_t expected = header.kind >= Kind::kTrie ? 1 : 0;
    if (version != expected) {
        throw ModelFileError("the KenLM binary file has version " + std::to_string(version) +
                             " of '" + name_of(header.kind) + "'; only version " +
                             std::to_string(expected) + " is read. Build it again.");
    }
    if (header.order < 2) fail_damaged("its order is " + std::to_string(header.order));
    if (!(header.multiplier >= 1.0F && header.multiplier <= 1e6F)) {
        fail_damaged("its probing multiplier is " + std::to_string(header.multiplier));
    }
    const char* const counts = cursor.take(8 * header.order, "the header");
    for (std::size_t k = 0; k < header.order; ++k) {
        header.counts.push_back(load<std::uint64_t>(counts + 8 * k));
    }
    check_counts(header, file.size());
    header.bytes = (cursor.offset() + 7) / 8 * 8;
    return header;
}

}  // namespace kenlm
}  // namespace ngram
