// Adds the counts of several texts, each times its weight; a negative weight takes counts away.
// Input: NgramCounts of one order, and the ids of each one's words in the merged vocabulary.
// Output: NgramCounts of the merged vocabulary. Integer weights of integer counts give exactly the
// counts of the texts read one after the other.
//
// New ids break the suffix order, but n-grams with one suffix stay together: order by order, the
// n-grams of a shard are visited in the merged order of their suffixes, the few of each suffix are
// sorted by their new words, and the shards are merged in parts. Memory is linear in the n-grams
// of all shards; where that is too much, merge_sorted.hpp does the same with files.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/errors.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "counts/merge_sorted.hpp"
#include "counts/ngram_counts.hpp"
#include "ngrams/prefixes.hpp"
#include "text/vocabulary.hpp"

namespace ngram {

struct CountShard {
    const NgramCounts* counts;
    Span<const std::uint32_t> ids;  // in the merged vocabulary, of each word; all different
    double weight;                  // not 0
};

// What to hold in memory at once.
struct MergePlan {
    std::uint64_t sorted_bytes = 0;  // of n-grams that are sorted; 0: all n-grams of all shards
    Spill spill;                     // where n-grams go otherwise
};

struct MergedCounts {
    NgramCounts counts;
    Buffer<std::uint32_t> kept_words;  // merged ids, ascending; words that vanished are left out
};

namespace merge_counts_detail {

using merge_sorted_detail::GrowingLevel;
using merge_sorted_detail::kRounding;

// One n-gram of one shard; `key` is (suffix, word), merged.
struct Record {
    std::uint64_t key;
    double count;
    std::uint32_t shard;
    std::uint32_t index;  // in the shard
};

inline bool by_key(const Record& a, const Record& b) {
    return a.key < b.key;
}

// The n-grams of one order in one shard.
struct ShardLevel {
    Buffer<std::uint32_t> merged;   // index of each in the merged order
    Buffer<std::uint32_t> visited;  // their indices, by merged index
};

// A range of merged suffixes, and what is merged of it.
struct Part {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::vector<std::uint64_t> first;  // per shard, the first of its n-grams in visiting order
    std::vector<std::uint64_t> size;   // per shard, how many there are
    Buffer<std::uint32_t> word;
    Buffer<std::uint32_t> suffix;
    Buffer<double> count;
    std::uint64_t offset = 0;                  // of its first n-gram in the merged order
    std::uint64_t failed = ~std::uint64_t{0};  // the first n-gram with a count below 0
};

inline ShardLevel words_of(const CountShard& shard, std::size_t vocabulary_size) {
    ShardLevel level;
    level.merged.append(shard.ids.data(), shard.ids.size());
    Buffer<std::uint32_t> word(vocabulary_size, kAbsent);
    for (std::uint32_t i = 0; i < shard.ids.size(); ++i) {
        if (shard.ids[i] >= vocabulary_size || word[shard.ids[i]] != kAbsent) {
            throw InputError("counts cannot be merged: a word occurs twice in a vocabulary");
        }
        word[shard.ids[i]] = i;
    }
    for (const std::uint32_t i : word) {
        if (i != kAbsent) level.visited.push_back(i);
    }
    return level;
}

// Ranges of merged suffixes with about equal numbers of n-grams; the same for any number of
// threads. children[s][i] to children[s][i + 1] are the n-grams of suffix i in shard s.
inline std::vector<Part> cut_parts(const std::vector<ShardLevel>& lower,
                                   const std::vector<Buffer<std::uint32_t>>& children,
                                   std::size_t suffixes) {
    constexpr std::uint64_t kPart = 1 << 16;
    Buffer<std::uint32_t> size(suffixes, 0);
    for (std::size_t s = 0; s < lower.size(); ++s) {
        for (std::size_t i = 0; i < lower[s].merged.size(); ++i) {
            size[lower[s].merged[i]] += children[s][i + 1] - children[s][i];
        }
    }
    std::vector<Part> parts(1);
    std::uint64_t in_part = 0;
    for (std::uint32_t i = 0; i < suffixes; ++i) {
        if (in_part >= kPart) {
            parts.back().end = i;
            parts.emplace_back();
            parts.back().begin = i;
            in_part = 0;
        }
        in_part += size[i];
    }
    parts.back().end = static_cast<std::uint32_t>(suffixes);
    return parts;
}

// Merges the n-grams of one order.
class LevelMerge {
  public:
    LevelMerge(const std::vector<CountShard>& shards, std::size_t order,
               const std::vector<ShardLevel>& lower, unsigned threads, Progress& progress)
        : shards_(shards), order_(order), lower_(lower), threads_(threads), progress_(progress) {}

    // Writes the merged level and the place of each shard's n-grams in it. Counts may be 0, or
    // below: the index of the first of those is returned, or none.
    std::uint64_t run(std::size_t suffixes, CountLevel& merged, std::vector<ShardLevel>& upper) {
        for (std::size_t s = 0; s < shards_.size(); ++s) {
            const CountLevel& level = shards_[s].counts->levels[order_ - 1];
            children_.push_back(prefixes::first_children(level, lower_[s].merged.size()));
            upper[s].merged.resize(level.size());
            upper[s].visited.resize(level.size());
        }
        std::vector<Part> parts = cut_parts(lower_, children_, suffixes);
        parallel_for(parts.size(), threads_, progress_,
                     [&](std::size_t part, unsigned) { measure(parts[part]); });
        for (std::size_t s = 0; s < shards_.size(); ++s) {
            std::uint64_t first = 0;
            for (Part& part : parts) {
                part.first[s] = first;
                first += part.size[s];
            }
        }
        std::vector<Scratch> scratch(std::max(1U, threads_));
        parallel_for(parts.size(), threads_, progress_, [&](std::size_t part, unsigned worker) {
            gather(parts[part], scratch[worker], upper);
            combine(parts[part], scratch[worker].records, upper);
        });
        return collect(parts, merged, upper);
    }

  private:
    struct Scratch {
        std::vector<Record> records;
        std::vector<Record> merged;
        std::vector<std::size_t> runs;
    };

    const std::uint32_t* first_visited(std::size_t s, std::uint32_t suffix) const {
        const ShardLevel& level = lower_[s];
        return std::partition_point(level.visited.begin(), level.visited.end(),
                                    [&](std::uint32_t i) { return level.merged[i] < suffix; });
    }

    void measure(Part& part) const {
        part.first.resize(shards_.size());
        part.size.assign(shards_.size(), 0);
        for (std::size_t s = 0; s < shards_.size(); ++s) {
            const std::uint32_t* const end = first_visited(s, part.end);
            for (const std::uint32_t* i = first_visited(s, part.begin); i != end; ++i) {
                part.size[s] += children_[s][*i + 1] - children_[s][*i];
            }
        }
    }

    // The n-grams of a part, of all shards, by key and then by shard.
    void gather(const Part& part, Scratch& scratch, std::vector<ShardLevel>& upper) const {
        scratch.records.clear();
        scratch.runs.assign(1, 0);
        for (std::size_t s = 0; s < shards_.size(); ++s) {
            const CountLevel& level = shards_[s].counts->levels[order_ - 1];
            const std::size_t run = scratch.records.size();
            const std::uint32_t* const end = first_visited(s, part.end);
            for (const std::uint32_t* i = first_visited(s, part.begin); i != end; ++i) {
                const std::uint64_t suffix = std::uint64_t{lower_[s].merged[*i]} << 32;
                const std::size_t group = scratch.records.size();
                bool ascends = true;
                for (std::uint32_t child = children_[s][*i]; child < children_[s][*i + 1];
                     ++child) {
                    const std::uint64_t key = suffix | shards_[s].ids[level.word[child]];
                    ascends &= scratch.records.size() == group || scratch.records.back().key < key;
                    scratch.records.push_back({key, shards_[s].weight * level.count[child],
                                               static_cast<std::uint32_t>(s), child});
                }
                if (!ascends) {
                    std::sort(scratch.records.begin() + group, scratch.records.end(), by_key);
                }
            }
            std::uint32_t* visited = upper[s].visited.data() + part.first[s];
            for (std::size_t i = run; i < scratch.records.size(); ++i) {
                *visited++ = scratch.records[i].index;
            }
            if (scratch.records.size() != run) scratch.runs.push_back(scratch.records.size());
        }
        merge_runs(scratch);
    }

    // Neighbouring runs in pairs, until one is left.
    static void merge_runs(Scratch& scratch) {
        std::vector<std::size_t>& runs = scratch.runs;
        while (runs.size() > 2) {
            scratch.merged.resize(scratch.records.size());
            const auto from = scratch.records.begin();
            std::size_t kept = 1;
            for (std::size_t run = 0; run + 1 < runs.size(); run += 2) {
                const std::size_t end = runs[std::min(run + 2, runs.size() - 1)];
                std::merge(from + runs[run], from + runs[run + 1], from + runs[run + 1], from + end,
                           scratch.merged.begin() + runs[run], by_key);
                runs[kept++] = end;
            }
            runs.resize(kept);
            scratch.records.swap(scratch.merged);
        }
    }

    void combine(Part& part, const std::vector<Record>& records,
                 std::vector<ShardLevel>& upper) const {
        for (std::size_t i = 0; i < records.size();) {
            const std::uint64_t key = records[i].key;
            double sum = 0;
            double size = 0;
            const auto index = static_cast<std::uint32_t>(part.word.size());
            for (; i < records.size() && records[i].key == key; ++i) {
                sum += records[i].count;
                size += std::fabs(records[i].count);
                upper[records[i].shard].merged[records[i].index] = index;
            }
            if (std::fabs(sum) <= kRounding * size) sum = 0;
            if (!is_count(sum) && part.failed > index) part.failed = index;
            part.word.push_back(static_cast<std::uint32_t>(key));
            part.suffix.push_back(static_cast<std::uint32_t>(key >> 32));
            part.count.push_back(sum);
        }
    }

    std::uint64_t collect(std::vector<Part>& parts, CountLevel& merged,
                          std::vector<ShardLevel>& upper) const {
        std::uint64_t total = 0;
        std::uint64_t failed = ~std::uint64_t{0};
        for (Part& part : parts) {
            part.offset = total;
            total += part.word.size();
            if (failed == ~std::uint64_t{0} && part.failed != failed) {
                failed = part.offset + part.failed;
            }
        }
        if (total >= kAbsent) {
            throw InputError("the merged counts have more than 4294967294 n-grams of order " +
                             std::to_string(order_) + ": merge fewer shards");
        }
        merged.word.resize(total);
        merged.suffix.resize(total);
        merged.count.resize(total);
        parallel_for(parts.size(), threads_, progress_, [&](std::size_t p, unsigned) {
            Part& part = parts[p];
            std::copy(part.word.begin(), part.word.end(), merged.word.begin() + part.offset);
            std::copy(part.suffix.begin(), part.suffix.end(), merged.suffix.begin() + part.offset);
            std::copy(part.count.begin(), part.count.end(), merged.count.begin() + part.offset);
            for (std::size_t s = 0; s < shards_.size(); ++s) {
                const std::uint32_t* visited = upper[s].visited.data() + part.first[s];
                for (std::uint64_t i = 0; i < part.size[s]; ++i) {
                    upper[s].merged[visited[i]] += static_cast<std::uint32_t>(part.offset);
                }
            }
            progress_.advance(part.word.size());
            part = Part();
        });
        return failed;
    }

    const std::vector<CountShard>& shards_;
    const std::size_t order_;
    const std::vector<ShardLevel>& lower_;
    const unsigned threads_;
    Progress& progress_;
    std::vector<Buffer<std::uint32_t>> children_;  // per shard
};

[[noreturn]] inline void refuse(const NgramCounts& counts, const Vocabulary& vocabulary,
                                std::size_t order, std::size_t index, const std::string& what) {
    std::vector<std::uint32_t> ids(order);
    ngram_words(counts, order, index, ids.data());
    std::string words;
    for (const std::uint32_t id : ids) {
        if (!words.empty()) words += ' ';
        words += vocabulary.word(id);
    }
    throw InputError("counts cannot be merged: the " + std::to_string(order) + "-gram '" + words +
                     "' " + what);
}

[[noreturn]] inline void refuse_count(const NgramCounts& counts, const Vocabulary& vocabulary,
                                      std::size_t order, std::size_t index) {
    const double count = counts.levels[order - 1].count[index];
    char text[32];
    std::snprintf(text, sizeof(text), "%.15g", count);
    const char* advice = ". Subtract only what was added, with the weight it was added with";
    if (count > 0)
        advice = count < 1 ? ". Use larger weights" : ", above 2^53. Use smaller weights";
    refuse(counts, vocabulary, order, index, std::string("would have the count ") + text + advice);
}

inline void merge_words(const std::vector<CountShard>& shards, const Vocabulary& vocabulary,
                        NgramCounts& merged, std::vector<std::uint8_t>& vanished) {
    Buffer<double>& count = merged.levels[0].count;
    count = Buffer<double>(vocabulary.size(), 0.0);
    Buffer<double> size(vocabulary.size(), 0.0);
    for (const CountShard& shard : shards) {
        const Buffer<double>& words = shard.counts->levels[0].count;
        for (std::size_t word = 0; word < words.size(); ++word) {
            count[shard.ids[word]] += shard.weight * words[word];
            size[shard.ids[word]] += std::fabs(shard.weight * words[word]);
        }
    }
    vanished.assign(vocabulary.size(), 0);
    for (std::size_t word = 0; word < count.size(); ++word) {
        if (std::fabs(count[word]) <= kRounding * size[word]) count[word] = 0;
        if (!is_count(count[word])) refuse_count(merged, vocabulary, 1, word);
        vanished[word] = count[word] == 0 && size[word] != 0 && word > kEndSentence;
    }
}

// Leaves out what has the count 0: n-grams, and words that vanished. Consumes `merged`.
inline MergedCounts leave_out_zeros(NgramCounts& merged, const std::vector<std::uint8_t>& vanished,
                                    const Vocabulary& vocabulary) {
    MergedCounts result;
    result.counts.levels.resize(merged.order());
    result.counts.spill = merged.spill;
    Buffer<std::uint32_t> words(vanished.size());
    Buffer<double>& count = result.counts.levels[0].count;
    for (std::uint32_t word = 0; word < vanished.size(); ++word) {
        words[word] =
            vanished[word] != 0 ? kAbsent : static_cast<std::uint32_t>(result.kept_words.size());
        if (vanished[word] != 0) continue;
        result.kept_words.push_back(word);
        count.push_back(merged.levels[0].count[word]);
    }
    Buffer<std::uint32_t> lower;
    lower.append(words.data(), words.size());
    for (std::size_t k = 2; k <= merged.order(); ++k) {
        const CountLevel& level = merged.levels[k - 1];
        GrowingLevel kept(merged.spill);
        SpilledArray<std::uint32_t> index(merged.spill, 1 << 20);
        std::uint32_t size = 0;
        for (std::size_t i = 0; i < level.size(); ++i) {
            if ((i & 0xffff) == 0) level.rest(0, i);
            const bool zero = level.count[i] == 0;
            *index.extend(1) = zero ? kAbsent : size;
            if (zero) continue;
            if (lower[level.suffix[i]] == kAbsent || words[level.word[i]] == kAbsent) {
                refuse(merged, vocabulary, k, i,
                       "would remain without its parts. Subtract only what was added");
            }
            kept.add(words[level.word[i]], lower[level.suffix[i]], level.count[i]);
            ++size;
        }
        result.counts.levels[k - 1] = kept.take();
        lower = index.take();
    }
    merged.levels.clear();
    return result;
}

// Every n-gram's prefix is there, so that smoothing finds its context.
inline void check_prefixes(const NgramCounts& counts, const Vocabulary& vocabulary,
                           Span<const std::uint32_t> words, unsigned threads, Progress& progress) {
    Buffer<std::uint32_t> prefix;
    for (std::size_t k = 2; k <= counts.order(); ++k) {
        if (k == 2) {
            prefix.append(counts.levels[1].word.data(), counts.levels[1].size());
            continue;
        }
        prefix = prefix_indices(counts.levels, k, prefix.span(), threads, progress);
        for (std::size_t i = 0; i < prefix.size(); ++i) {
            if (prefix[i] != kAbsent) continue;
            std::vector<std::uint32_t> ids(k);
            ngram_words(counts, k, i, ids.data());
            std::string text;
            for (const std::uint32_t id : ids) {
                if (!text.empty()) text += ' ';
                text += vocabulary.word(words[id]);
            }
            throw InputError("counts cannot be merged: the " + std::to_string(k) + "-gram '" +
                             text + "' would remain without its first " + std::to_string(k - 1) +
                             " words. Subtract only what was added");
        }
    }
}

inline void merge_in_memory(const std::vector<CountShard>& shards, const Vocabulary& vocabulary,
                            NgramCounts& merged, unsigned threads, Progress& progress) {
    const std::size_t order = merged.order();
    std::vector<ShardLevel> lower;
    for (const CountShard& shard : shards) lower.push_back(words_of(shard, vocabulary.size()));
    for (std::size_t k = 2; k <= order; ++k) {
        std::vector<ShardLevel> upper(shards.size());
        LevelMerge level(shards, k, lower, threads, progress);
        const std::uint64_t failed =
            level.run(merged.levels[k - 2].size(), merged.levels[k - 1], upper);
        if (failed != ~std::uint64_t{0}) refuse_count(merged, vocabulary, k, failed);
        lower = std::move(upper);
    }
}

inline void merge_in_files(const std::vector<CountShard>& shards, const Vocabulary& vocabulary,
                           const MergePlan& plan, NgramCounts& merged, Progress& progress) {
    using namespace merge_sorted_detail;
    std::vector<Records> runs;
    for (const CountShard& shard : shards) {
        words_of(shard, vocabulary.size());  // refuses ids that are not all different
        RunMaker maker(*shard.counts, shard.ids, shard.weight, plan.spill, plan.sorted_bytes,
                       progress);
        for (Records& run : maker.run()) runs.push_back(std::move(run));
    }
    const auto [order, index] =
        RunMerge(runs, merged.order(), plan.spill).run(merged.levels, progress);
    if (order != 0) refuse_count(merged, vocabulary, order, index);
}

}  // namespace merge_counts_detail

// `vocabulary`: the merged one, which names n-grams in errors. `plan`: if it limits anything, the
// merged counts go to files.
inline MergedCounts merge_counts(const std::vector<CountShard>& shards,
                                 const Vocabulary& vocabulary, const MergePlan& plan,
                                 unsigned threads, Progress& progress) {
    using namespace merge_counts_detail;
    const std::size_t order = shards.at(0).counts->order();
    std::uint64_t total = 0;
    bool subtracts = false;
    for (const CountShard& shard : shards) {
        if (shard.counts->order() != order) {
            throw InputError("counts of different orders cannot be merged");
        }
        subtracts |= shard.weight < 0;
        for (const CountLevel& level : shard.counts->levels) total += level.size();
    }
    progress.begin("merge", total);
    NgramCounts merged;
    merged.levels.resize(order);
    merged.spill = plan.spill;
    std::vector<std::uint8_t> vanished;
    merge_words(shards, vocabulary, merged, vanished);
    if (plan.sorted_bytes == 0) {
        merge_in_memory(shards, vocabulary, merged, threads, progress);
    } else {
        merge_in_files(shards, vocabulary, plan, merged, progress);
    }
    if (subtracts) {
        MergedCounts result = leave_out_zeros(merged, vanished, vocabulary);
        check_prefixes(result.counts, vocabulary, result.kept_words.span(), threads, progress);
        return result;
    }
    MergedCounts result;
    result.counts = std::move(merged);
    for (std::uint32_t word = 0; word < vocabulary.size(); ++word) {
        result.kept_words.push_back(word);
    }
    return result;
}

}  // namespace ngram
