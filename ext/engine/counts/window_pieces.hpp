// Pieces of frequent buckets: ranges of windows that are sorted one after the other, because the
// whole bucket does not fit in memory. Input: the text and a limit. Output: for every bucket with
// more windows its pieces in ascending order, none with more than the limit, unless all windows of
// a piece are the same, and then they need no sorting.
//
// A piece too large is cut by the next digit of its windows, counted in a pass over the text, until
// none is; the digits of words are well spread (WordCodes), so that one or two passes do.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/progress.hpp"
#include "counts/windows.hpp"

namespace ngram {

template <unsigned W>
struct Piece {
    Window<W> first;     // none of its windows is less; those of the next piece are greater
    std::uint64_t size;  // windows
    unsigned bits;       // leading ones in which its windows agree with `first`, if it is too large

    bool repeats() const { return bits == 64 * W; }  // the window `first`, again and again
};

template <unsigned W>
using Pieces = std::vector<Piece<W>>;

// The piece that holds a window of the bucket.
template <unsigned W>
std::size_t piece_of(const Pieces<W>& pieces, const Window<W>& window) {
    const auto after = std::upper_bound(
        pieces.begin(), pieces.end(), window,
        [](const Window<W>& value, const Piece<W>& piece) { return value < piece.first; });
    return static_cast<std::size_t>(after - pieces.begin()) - 1;
}

namespace window_pieces {

constexpr unsigned kDigitBits = 11;
constexpr std::size_t kMaxTables = 256;  // of digits, in one pass

// Small neighbours become one.
template <unsigned W>
void append(Pieces<W>& pieces, const Piece<W>& piece, std::uint64_t limit) {
    if (!pieces.empty() && pieces.back().size + piece.size <= limit) {
        pieces.back().size += piece.size;
        pieces.back().bits = 0;
    } else {
        pieces.push_back(piece);
    }
}

template <unsigned W>
Window<W> with_digit(Window<W> window, unsigned begin, unsigned bits, std::uint64_t digit) {
    deposit(window, begin, bits, digit);
    return window;
}

// Counts the next digit of pieces that are too large, and cuts them by it.
template <unsigned W>
class Cutter {
  public:
    Cutter(const WindowCollector<W>& collector, std::vector<Pieces<W>>& pieces, std::uint64_t limit)
        : collector_(collector), pieces_(pieces), limit_(limit) {}

    // False if no piece is too large.
    bool cut() {
        number_tables();
        if (tables_ == 0) return false;
        counts_ = Buffer<std::uint32_t>((collector_.parts() * tables_) << kDigitBits, 0);
        const std::size_t size = end_ - begin_;
        Buffer<Window<W>*> none(collector_.parts() * size, nullptr);
        collector_.collect(begin_, size, none.data(),
                           [this](std::size_t part, std::size_t bucket, const Window<W>& window) {
                               count(part, bucket, window);
                           });
        for (std::size_t bucket = begin_; bucket < end_; ++bucket) refine(bucket);
        return true;
    }

  private:
    static constexpr std::uint32_t kNoTable = 0xffffffffU;

    static unsigned digit_bits(const Piece<W>& piece) {
        return std::min(kDigitBits, 64 * W - piece.bits);
    }

    void number_tables() {
        tables_ = 0;
        table_.assign(pieces_.size(), {});
        begin_ = pieces_.size();
        for (std::size_t bucket = 0; bucket < pieces_.size(); ++bucket) {
            for (const Piece<W>& piece : pieces_[bucket]) {
                const bool large = piece.size > limit_ && !piece.repeats() && tables_ < kMaxTables;
                table_[bucket].push_back(large ? tables_++ : kNoTable);
                if (!large) continue;
                begin_ = std::min(begin_, bucket);
                end_ = bucket + 1;
            }
        }
    }

    void count(std::size_t part, std::size_t bucket, const Window<W>& window) {
        if (table_[bucket].empty()) return;
        const std::size_t i = piece_of(pieces_[bucket], window);
        if (table_[bucket][i] == kNoTable) return;
        const Piece<W>& piece = pieces_[bucket][i];
        const Field<W> digit(piece.bits, digit_bits(piece));
        ++table(part, table_[bucket][i])[digit.of(window)];
    }

    void refine(std::size_t bucket) {
        Pieces<W> refined;
        for (std::size_t i = 0; i < pieces_[bucket].size(); ++i) {
            const Piece<W>& piece = pieces_[bucket][i];
            if (table_[bucket][i] == kNoTable) {
                append(refined, piece, limit_);
                continue;
            }
            const unsigned bits = digit_bits(piece);
            for (std::uint64_t digit = 0; digit < std::uint64_t{1} << bits; ++digit) {
                Piece<W> child{piece.first, 0, piece.bits + bits};
                for (std::size_t part = 0; part < collector_.parts(); ++part) {
                    child.size += table(part, table_[bucket][i])[digit];
                }
                if (child.size == 0) continue;
                child.first = with_digit(piece.first, piece.bits, bits, digit);
                append(refined, child, limit_);
            }
        }
        pieces_[bucket] = std::move(refined);
    }

    std::uint32_t* table(std::size_t part, std::uint32_t index) {
        return counts_.data() + ((part * tables_ + index) << kDigitBits);
    }

    const WindowCollector<W>& collector_;
    std::vector<Pieces<W>>& pieces_;
    std::uint64_t limit_;
    std::uint32_t tables_ = 0;
    std::vector<std::vector<std::uint32_t>> table_;  // of each piece, by bucket
    std::size_t begin_ = 0;                          // buckets with pieces that are too large
    std::size_t end_ = 0;
    Buffer<std::uint32_t> counts_;  // per part of the text and table, of each digit
};

}  // namespace window_pieces

// The pieces of every bucket with more than `limit` windows (0: any number fits); of others none.
template <unsigned W>
std::vector<Pieces<W>> cut_pieces(const WindowCollector<W>& collector, const Buckets& buckets,
                                  Span<const std::uint32_t> counts, const WindowLayout& layout,
                                  std::uint64_t limit) {
    std::vector<Pieces<W>> pieces(buckets.size());
    if (limit == 0) return pieces;
    for (std::size_t bucket = 0; bucket < buckets.size(); ++bucket) {
        if (buckets.begin[bucket + 1] - buckets.begin[bucket] <= limit) continue;
        for (std::uint32_t word = buckets.first_word[bucket]; word < buckets.first_word[bucket + 1];
             ++word) {
            if (counts[word] == 0) continue;
            const Window<W> first = window_pieces::with_digit(Window<W>{}, 0, layout.relative_bits,
                                                              word - buckets.first_word[bucket]);
            window_pieces::append(pieces[bucket], {first, counts[word], layout.relative_bits},
                                  limit);
        }
    }
    window_pieces::Cutter<W> cutter(collector, pieces, limit);
    while (cutter.cut()) {
    }
    return pieces;
}

}  // namespace ngram
