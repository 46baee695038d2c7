// Rows of word ids -> sorted, closed n-grams. Most ARPA files come sorted and closed and need none
// of this but the search for suffixes; files of other tools come in other orders, and pruning
// may have left n-grams without their suffix or their prefix.
//
// Completing: a missing n-gram gets the probability that backing off gives it and back-off 0, so
// every score stays what it was. This is what KenLM does with missing suffixes (SRILM leaves
// them out); missing prefixes, which KenLM refuses, are completed in the same way.
// Input order: any. Output order: suffix order (ngrams/sorted_ngrams.hpp).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "ngrams/prefixes.hpp"
#include "ngrams/sorted_ngrams.hpp"
#include "text/vocabulary.hpp"

namespace ngram::arpa {

// The n-grams of one order as rows of `order` words, first word first.
struct Rows {
    std::size_t order = 0;
    Buffer<std::uint32_t> words;
    Buffer<float> log10_prob;
    Buffer<float> log10_backoff;

    std::size_t size() const { return log10_prob.size(); }
    const std::uint32_t* row(std::size_t index) const { return words.data() + index * order; }
};

// < 0, 0, > 0 as `a` stands before, with, behind `b` in suffix order.
inline int compare_rows(const std::uint32_t* a, const std::uint32_t* b, std::size_t order) {
    for (std::size_t i = order; i-- > 0;) {
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    }
    return 0;
}

// Finds n-grams by (suffix, word). Each order remembers where it was last, and a search starts
// there with growing steps: a search in suffix order reads memory forward and costs a few
// comparisons, any other is a binary search.
class SuffixFinder {
  public:
    explicit SuffixFinder(const std::vector<NgramLevel>& levels)
        : levels_(levels), last_(levels.size() + 1, 0) {}

    // Index of the n-gram of order `k` with that suffix and leftmost word, kAbsent if none.
    std::uint32_t find(std::size_t k, std::uint32_t suffix, std::uint32_t word) {
        if (k == 1) return word;
        const NgramLevel& level = levels_[k - 1];
        const std::size_t size = level.word.size();
        const std::uint64_t key = static_cast<std::uint64_t>(suffix) << 32 | word;
        const auto key_at = [&](std::size_t index) {
            return static_cast<std::uint64_t>(level.suffix[index]) << 32 | level.word[index];
        };
        // Invariant: keys before `low` are smaller, keys from `high` on are not.
        std::size_t low = last_[k];
        std::size_t high = size;
        if (low < size && key_at(low) < key) {
            ++low;
            for (std::size_t step = 1; low + step < size; step *= 2) {
                if (key_at(low + step) >= key) {
                    high = low + step;
                    break;
                }
                low += step + 1;
            }
        } else {
            high = low;
            low = 0;
            for (std::size_t step = 1; step < high; step *= 2) {
                if (key_at(high - step) < key) {
                    low = high - step + 1;
                    break;
                }
                high -= step;
            }
        }
        while (low < high) {
            const std::size_t middle = low + (high - low) / 2;
            if (key_at(middle) < key) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        last_[k] = low;
        return low < size && key_at(low) == key ? static_cast<std::uint32_t>(low) : kAbsent;
    }

    // Index of a row of `order` words, kAbsent if it or one of its suffixes is not there.
    std::uint32_t find_row(const std::uint32_t* row, std::size_t order) {
        std::uint32_t index = row[order - 1];
        for (std::size_t k = 2; k <= order && index != kAbsent; ++k) {
            index = find(k, index, row[order - k]);
        }
        return index;
    }

  private:
    const std::vector<NgramLevel>& levels_;
    std::vector<std::size_t> last_;
};

// Sorted n-grams of one order -> rows, in the same order. The values move.
inline Rows take_rows(SortedNgrams& ngrams, std::size_t order) {
    NgramLevel& level = ngrams.levels[order - 1];
    Rows rows;
    rows.order = order;
    rows.words.resize(level.size() * order);
    expand_words(ngrams, order, 0, level.size(), rows.words.data());
    rows.log10_prob = std::move(level.log10_prob);
    rows.log10_backoff = std::move(level.log10_backoff);
    return rows;
}

template <class T>
void gather(Buffer<T>& values, const Buffer<std::uint32_t>& from, std::size_t width,
            unsigned threads, Progress& progress) {
    Buffer<T> gathered(values.size());
    constexpr std::size_t kPart = 1 << 16;
    parallel_for(
        (from.size() + kPart - 1) / kPart, threads, progress, [&](std::size_t task, unsigned) {
            const std::size_t end = std::min(from.size(), (task + 1) * kPart);
            for (std::size_t i = task * kPart; i < end; ++i) {
                std::copy_n(values.data() + from[i] * width, width, gathered.data() + i * width);
            }
        });
    values = std::move(gathered);
}

constexpr std::size_t kNoRow = static_cast<std::size_t>(-1);

// Sorts rows by suffix order: one counting pass by last word, then comparisons within each last
// word. Returns the row (of the input order) that repeats an earlier one, or kNoRow. The first
// such row of the input is returned.
inline std::size_t sort_rows(Rows& rows, std::size_t vocabulary_size, unsigned threads,
                             Progress& progress) {
    const std::size_t order = rows.order;
    const std::size_t size = rows.size();
    Buffer<std::uint32_t> begin(vocabulary_size + 1, 0);
    for (std::size_t i = 0; i < size; ++i) ++begin[rows.row(i)[order - 1] + 1];
    for (std::size_t w = 0; w < vocabulary_size; ++w) begin[w + 1] += begin[w];
    Buffer<std::uint32_t> sorted(size);
    {
        Buffer<std::uint32_t> next(vocabulary_size);
        std::copy_n(begin.data(), vocabulary_size, next.data());
        for (std::size_t i = 0; i < size; ++i) {
            sorted[next[rows.row(i)[order - 1]]++] = static_cast<std::uint32_t>(i);
        }
    }
    // Runs of whole last words, about equally long.
    std::vector<std::size_t> cuts{0};
    const std::size_t share = size / (16 * std::size_t{std::max(1U, threads)}) + 1;
    for (std::size_t w = 0; w < vocabulary_size; ++w) {
        if (begin[w + 1] - begin[cuts.back()] >= share) cuts.push_back(w + 1);
    }
    if (cuts.back() != vocabulary_size) cuts.push_back(vocabulary_size);

    std::vector<std::size_t> repeated(cuts.size(), kNoRow);
    parallel_for(cuts.size() - 1, threads, progress, [&](std::size_t task, unsigned) {
        struct Item {
            std::uint64_t key;  // the two words before the last
            std::uint32_t row;
        };
        std::vector<Item> items;
        const auto before = [&](const Item& a, const Item& b) {
            if (a.key != b.key) return a.key < b.key;
            if (order > 3) {
                const int compared = compare_rows(rows.row(a.row), rows.row(b.row), order - 3);
                if (compared != 0) return compared < 0;
            }
            return a.row < b.row;
        };
        for (std::size_t w = cuts[task]; w < cuts[task + 1]; ++w) {
            items.clear();
            for (std::size_t i = begin[w]; i < begin[w + 1]; ++i) {
                const std::uint32_t* const row = rows.row(sorted[i]);
                const std::uint64_t second = row[order - 2];
                items.push_back({second << 32 | (order > 2 ? row[order - 3] : 0), sorted[i]});
            }
            std::sort(items.begin(), items.end(), before);
            for (std::size_t i = 0; i < items.size(); ++i) {
                sorted[begin[w] + i] = items[i].row;
                if (i != 0 &&
                    compare_rows(rows.row(items[i - 1].row), rows.row(items[i].row), order) == 0) {
                    repeated[task] = std::min<std::size_t>(repeated[task], items[i].row);
                }
            }
        }
    });
    const std::size_t first = *std::min_element(repeated.begin(), repeated.end());
    if (first != kNoRow) return first;
    gather(rows.words, sorted, order, threads, progress);
    gather(rows.log10_prob, sorted, 1, threads, progress);
    if (!rows.log10_backoff.empty()) gather(rows.log10_backoff, sorted, 1, threads, progress);
    return kNoRow;
}

// Sorted rows -> the next level on top of `levels`; the values move. Returns the first row whose
// suffix is missing below (then nothing is added or moved), or kNoRow.
inline std::size_t add_level(std::vector<NgramLevel>& levels, Rows& rows, unsigned threads,
                             Progress& progress) {
    const std::size_t order = rows.order;
    NgramLevel level;
    level.word.resize(order == 1 ? 0 : rows.size());
    level.suffix.resize(level.word.size());
    constexpr std::size_t kPart = 1 << 16;
    const std::size_t tasks = (level.word.size() + kPart - 1) / kPart;
    std::vector<std::size_t> missing(tasks + 1, kNoRow);
    parallel_for(tasks, threads, progress, [&](std::size_t task, unsigned) {
        SuffixFinder finder(levels);
        const std::size_t end = std::min(rows.size(), (task + 1) * kPart);
        for (std::size_t i = task * kPart; i < end; ++i) {
            const std::uint32_t* const row = rows.row(i);
            const std::uint32_t suffix = finder.find_row(row + 1, order - 1);
            if (suffix == kAbsent) {
                missing[task] = i;
                return;
            }
            level.word[i] = row[0];
            level.suffix[i] = suffix;
        }
    });
    const std::size_t first = *std::min_element(missing.begin(), missing.end());
    if (first != kNoRow) return first;
    level.log10_prob = std::move(rows.log10_prob);
    level.log10_backoff = std::move(rows.log10_backoff);
    levels.push_back(std::move(level));
    return kNoRow;
}

// Per order (index k - 1) the n-grams whose prefix is missing; those whose suffix has no prefix
// are not looked at.
inline std::vector<std::vector<std::uint32_t>> missing_prefixes(
    const std::vector<NgramLevel>& levels, unsigned threads, Progress& progress) {
    std::vector<std::vector<std::uint32_t>> missing(levels.size());
    Buffer<std::uint32_t> lower_prefix;  // of the order below
    for (std::size_t k = 3; k <= levels.size(); ++k) {
        const Span<const std::uint32_t> prefix_of =
            k == 3 ? levels[1].word.span() : Span<const std::uint32_t>(lower_prefix.span());
        Buffer<std::uint32_t> prefix = prefix_indices(levels, k, prefix_of, threads, progress);
        const Buffer<std::uint32_t>& suffix = levels[k - 1].suffix;
        for (std::size_t i = 0; i < prefix.size(); ++i) {
            if (prefix[i] == kAbsent && prefix_of[suffix[i]] != kAbsent) {
                missing[k - 1].push_back(static_cast<std::uint32_t>(i));
            }
        }
        lower_prefix = std::move(prefix);
    }
    return missing;
}

// Merges rows (sorted, each once, none of them in `rows`) into `rows`. Their values are set later:
// the probability NaN marks them.
inline void insert_rows(Rows& rows, const Buffer<std::uint32_t>& added, bool highest) {
    const std::size_t order = rows.order;
    const std::size_t count = added.size() / order;
    if (count == 0) return;
    Rows merged;
    merged.order = order;
    merged.words.resize(rows.words.size() + added.size());
    merged.log10_prob.resize(rows.size() + count);
    if (!highest) merged.log10_backoff.resize(rows.size() + count);
    std::size_t old = 0;
    std::size_t fresh = 0;
    for (std::size_t i = 0; i < merged.size(); ++i) {
        const bool take_old =
            old != rows.size() &&
            (fresh == count ||
             compare_rows(rows.row(old), added.data() + fresh * order, order) < 0);
        const std::uint32_t* const from = take_old ? rows.row(old) : added.data() + fresh * order;
        std::copy_n(from, order, merged.words.data() + i * order);
        merged.log10_prob[i] =
            take_old ? rows.log10_prob[old] : std::numeric_limits<float>::quiet_NaN();
        if (!highest) merged.log10_backoff[i] = take_old ? rows.log10_backoff[old] : 0.0F;
        ++(take_old ? old : fresh);
    }
    rows = std::move(merged);
}

// The suffixes of `rows` that are not in `lower`: both sorted, so one merge finds them.
inline Buffer<std::uint32_t> missing_suffixes(const Rows& rows, const Rows& lower) {
    const std::size_t order = lower.order;
    Buffer<std::uint32_t> missing;
    std::size_t at = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::uint32_t* const suffix = rows.row(i) + 1;
        int compared = 1;
        while (at != lower.size() && (compared = compare_rows(lower.row(at), suffix, order)) < 0) {
            ++at;
        }
        if (at != lower.size() && compared == 0) continue;
        const bool known =
            !missing.empty() && compare_rows(missing.end() - order, suffix, order) == 0;
        if (!known) missing.append(suffix, order);
    }
    return missing;
}

struct Completed {
    std::uint64_t suffixes = 0;  // n-grams added because they are the end of a longer one
    std::uint64_t prefixes = 0;  // n-grams added because they are the context of a longer one
};

// Sorted rows of every order (index k - 1; all words are unigrams) -> sorted, closed n-grams.
inline SortedNgrams complete(std::vector<Rows> rows, Completed& completed, unsigned threads,
                             Progress& progress) {
    const std::size_t highest = rows.size();
    SortedNgrams ngrams;
    for (;;) {
        for (std::size_t k = highest; k > 2; --k) {
            const Buffer<std::uint32_t> missing = missing_suffixes(rows[k - 1], rows[k - 2]);
            completed.suffixes += missing.size() / (k - 1);
            insert_rows(rows[k - 2], missing, false);
            progress.poll();
        }
        ngrams.levels.clear();
        for (Rows& level : rows) add_level(ngrams.levels, level, threads, progress);

        // Usually the end. Each round completes one order more at least, so rounds are few.
        const auto missing = missing_prefixes(ngrams.levels, threads, progress);
        bool closed = true;
        std::vector<Buffer<std::uint32_t>> added(highest);
        for (std::size_t k = 3; k <= highest; ++k) {
            closed = closed && missing[k - 1].empty();
            Rows prefixes;
            prefixes.order = k - 1;
            for (const std::uint32_t index : missing[k - 1]) {
                prefixes.words.append(rows[k - 1].row(index), k - 1);
                prefixes.log10_prob.push_back(0);
            }
            std::vector<std::uint32_t> sorted(prefixes.size());
            for (std::size_t i = 0; i < sorted.size(); ++i) {
                sorted[i] = static_cast<std::uint32_t>(i);
            }
            std::sort(sorted.begin(), sorted.end(), [&](std::uint32_t a, std::uint32_t b) {
                return compare_rows(prefixes.row(a), prefixes.row(b), k - 1) < 0;
            });
            Buffer<std::uint32_t>& unique = added[k - 2];
            for (const std::uint32_t index : sorted) {
                const std::uint32_t* const row = prefixes.row(index);
                if (unique.empty() || compare_rows(unique.end() - (k - 1), row, k - 1) != 0) {
                    unique.append(row, k - 1);
                }
            }
            completed.prefixes += unique.size() / (k - 1);
        }
        if (closed) break;
        for (std::size_t k = 1; k <= highest; ++k) {
            NgramLevel& level = ngrams.levels[k - 1];
            rows[k - 1].log10_prob = std::move(level.log10_prob);
            rows[k - 1].log10_backoff = std::move(level.log10_backoff);
            insert_rows(rows[k - 1], added[k - 1], k == highest);
        }
    }

    // From low orders to high ones, because a backed-off value may rest on another one. The sum
    // is the one a query would compute: shorter n-gram plus back-off of the context, in float32.
    for (std::size_t k = 2; k < highest; ++k) {
        NgramLevel& level = ngrams.levels[k - 1];
        SuffixFinder finder(ngrams.levels);
        for (std::size_t i = 0; i < level.size(); ++i) {
            if (!std::isnan(level.log10_prob[i])) continue;
            const std::uint32_t context = finder.find_row(rows[k - 1].row(i), k - 1);
            const float backed_off = ngrams.levels[k - 2].log10_prob[level.suffix[i]] +
                                     ngrams.levels[k - 2].log10_backoff[context];
            level.log10_prob[i] = std::min(0.0F, backed_off);  // improper models can exceed 0
        }
    }
    return ngrams;
}

}  // namespace ngram::arpa
