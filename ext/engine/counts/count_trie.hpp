// The trie of all n-grams with their adjusted counts. Input: ids in text order. Output: for every
// position in suffix order (last word, the word before, ...) an event, and for every distinct
// n-gram a node, in preorder: an event opens the nodes of the orders it does not share with the
// event before it.
//
//     sorted windows:   a b c     event (shared 0, length 3): opens  c, bc, abc
//     (read right       a b c     event (3, 3): the same n-gram again, opens nothing
//      to left)         d b c     event (2, 3): opens dbc
//
// The adjusted count of a node is the number of its children (distinct words to the left); of a
// node that cannot have children (full order, or begins with <s>) it is the number of its events.
// KEY FACT for what follows (smoothing/context_sums.hpp): the events whose last word is w, in
// suffix order, are exactly the positions before a w, met in suffix order. So one cursor for each
// word joins n-grams with their contexts, without any search.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/errors.hpp"
#include "base/parallel.hpp"
#include "base/spill.hpp"
#include "counts/context_sum.hpp"
#include "counts/ngram_counts.hpp"
#include "counts/window_rounds.hpp"
#include "counts/window_sort.hpp"
#include "counts/windows.hpp"

namespace ngram {

constexpr unsigned kMaxOrder = 255;  // orders are stored in a byte

// How an event stands in a stream: shared, length, then one byte for each node it opens, the
// shortest first: kPrunedByte, and the adjusted count or kLargeCount. The byte of a single word is
// zero: its count is in unigram_count.
constexpr std::uint8_t kPrunedByte = 0x80;
constexpr std::uint8_t kLargeCount = 0x7f;
constexpr std::size_t kEventBytes = 2;

struct LargeCount {
    std::uint32_t offset;  // of its byte in the stream
    std::uint32_t count;
};

// Where the events of a word begin.
struct EventStart {
    std::uint32_t stream;
    std::uint32_t node;
};

// The events of a chunk that lie before one range of words (a task): a task reads the parts that
// are its own, of every chunk, and no others.
struct TriePart {
    Buffer<std::uint8_t> stream;
    Buffer<LargeCount> large;   // by offset
    Buffer<EventStart> starts;  // per word of the chunk
    std::uint64_t nodes = 0;
    Buffer<float> probability;  // of each node, once known; negative if pruned

    // The count of a node, with kPruned, at its byte in the stream.
    std::uint32_t count(const std::uint8_t* byte) const {
        std::uint32_t count = *byte & kLargeCount;
        if (count == kLargeCount) count = large_count(byte);
        return count | ((*byte & kPrunedByte) != 0 ? kPruned : 0);
    }
    // What only the task needs.
    void release_events() {
        stream.clear();
        large.clear();
        starts.clear();
    }

  private:
    std::uint32_t large_count(const std::uint8_t* byte) const {
        const auto offset = static_cast<std::uint32_t>(byte - stream.data());
        const auto before = [](const LargeCount& entry, std::uint32_t at) {
            return entry.offset < at;
        };
        return std::lower_bound(large.begin(), large.end(), offset, before)->count;
    }
};

// From this event of a chunk on, events are in this part.
struct PartSwitch {
    std::uint32_t event;
    std::uint32_t part;
};

// The events and nodes of a range of last words.
struct TrieChunk {
    std::uint32_t first_word = 0;
    std::uint32_t end_word = 0;
    Buffer<std::uint8_t> lengths;  // shared and length of each event
    std::vector<TriePart> parts;   // per task
    Buffer<PartSwitch> switches;
    Buffer<std::uint32_t> words;        // code of the leftmost word of each node
    Buffer<std::uint32_t> next;         // the word after each event; kNoWord after </s>
    Buffer<float> gamma;                // of each node below the highest order, as a context
    Buffer<float> total;                // the same; 0 if nothing kept follows; only where asked for
    std::vector<std::uint64_t> opened;  // nodes by order
    std::vector<std::uint64_t> kept;    // of these, not pruned

    // In the order in which it is released.
    void spill(const Spill& spill) {
        SpillBatch batch(spill);
        for (TriePart& part : parts) {
            batch.add(part.stream);
            batch.add(part.large);
            batch.add(part.starts);
        }
        batch.add(next);
        batch.add(lengths);
        batch.add(switches);
        batch.add(words);
        batch.finish();
    }
};

struct CountOptions {
    unsigned order = 0;
    unsigned threads = 1;
    MemoryPlan plan;
    std::vector<std::uint64_t> thresholds;  // per order; empty: keep all
    Span<const std::uint8_t> listed;        // per word: 1 if in the limited vocabulary; or empty

    bool prunes() const { return !thresholds.empty() || !listed.empty(); }
    std::uint64_t threshold(unsigned k) const { return thresholds.empty() ? 0 : thresholds[k - 1]; }
    bool is_listed(std::uint32_t word) const { return listed.empty() || listed[word] != 0; }
};

// The sums of frequent words as contexts, counted as their bigrams close: the sums of other
// contexts are counted where they are used, in blocks, and these words exceed a block.
struct FrequentContexts {
    static constexpr std::uint64_t kMinEvents = 1 << 13;

    std::vector<std::uint32_t> words;  // ascending
    std::vector<std::uint32_t> codes;
    std::vector<ContextSum<std::uint32_t>> sums;

    std::size_t find(std::uint32_t code) const {  // size() if the word is not frequent
        const auto at = std::lower_bound(codes.begin(), codes.end(), code);
        return at != codes.end() && *at == code ? at - codes.begin() : codes.size();
    }
    const ContextSum<std::uint32_t>& of(std::uint32_t word) const {
        return sums[std::lower_bound(words.begin(), words.end(), word) - words.begin()];
    }
};

struct CountTrie {
    unsigned order = 0;
    WordCodes codes;
    Buffer<std::uint64_t> first_event;  // per word, and the total; <s> has one for each sentence
    std::vector<TrieChunk> chunks;
    Buffer<std::uint32_t> chunk_of;       // per word
    std::vector<std::size_t> tasks;       // chunk ranges that sum contexts in parallel
    Buffer<std::uint32_t> unigram_count;  // adjusted, with kPruned
    CountsOfCounts counts_of_counts;
    FrequentContexts frequent;
    Spill spill;
    // What the windows leave holds the n-grams at the end; touched once, not twice.
    std::unique_ptr<Recycling> recycling = std::make_unique<Recycling>();

    std::size_t vocabulary_size() const { return unigram_count.size(); }
    std::uint64_t events(const TrieChunk& chunk) const {
        return first_event[chunk.end_word] - first_event[chunk.first_word];
    }
};

namespace count_trie {

// The words of windows, in the terms of a trie.
template <unsigned W>
class WindowReader {
  public:
    explicit WindowReader(const WindowLayout& layout) : layout_(layout) {
        key_mask_.part.fill(0);
        for (unsigned bit = 0; bit < layout.key_bits(); ++bit) deposit(key_mask_, bit, 1, 1);
        next_mask_ = (std::uint64_t{1} << layout.next_bits) - 1;
    }

    // Words at the end of both windows that are the same; `order` if all are.
    unsigned shared(const Window<W>& left, const Window<W>& right) const {
        for (unsigned part = 0; part < W; ++part) {
            const std::uint64_t difference =
                (left.part[part] ^ right.part[part]) & key_mask_.part[part];
            if (difference != 0) {
                return layout_.words_of_bit[part * 64 + window_sort::leading_zeros(difference)];
            }
        }
        return layout_.order;
    }
    // Words of the window, with <s>. The last field that is not zero is the leftmost word.
    unsigned length(const Window<W>& window) const {
        for (unsigned part = W; part-- > 0;) {
            const std::uint64_t fields = window.part[part] & key_mask_.part[part];
            if (fields == 0) continue;
            const unsigned bit = part * 64 + 63 - static_cast<unsigned>(__builtin_ctzll(fields));
            return layout_.words_of_bit[bit] + 1U;
        }
        return 1;
    }
    std::uint32_t next(const Window<W>& window) const {
        return static_cast<std::uint32_t>(window.part[W - 1] & next_mask_);
    }
    // The code of the word `back` words before the last; back >= 1.
    std::uint32_t code(const Window<W>& window, unsigned back) const {
        const unsigned begin = layout_.relative_bits + (back - 1) * layout_.code_bits;
        return static_cast<std::uint32_t>(extract(window, begin, layout_.code_bits));
    }

  private:
    const WindowLayout& layout_;
    Window<W> key_mask_;
    std::uint64_t next_mask_;
};

// What a chunk adds to the statistics of the corpus.
struct ChunkStatistics {
    CountsOfCounts counts_of_counts;
    std::vector<ContextSum<std::uint32_t>> frequent;
};

// What all chunks share: the words of the text before any other, and the last one that occurs.
struct TextEdges {
    Buffer<std::uint32_t> first_words;  // of each sentence, in text order
    std::uint32_t last_word = 0;
};

// Builds one chunk, word by word. A node stays open while its events last. With `in_pieces`, what
// is complete is spilled when a piece ends: the chunk may be larger than memory.
template <unsigned W, bool kPrunes>
class ChunkBuilder {
  public:
    ChunkBuilder(const CountOptions& options, const WindowLayout& layout, const TextEdges& edges,
                 CountTrie& trie, TrieChunk& chunk, bool in_pieces)
        : options_(options),
          reader_(layout),
          edges_(edges),
          codes_(trie.codes),
          trie_(trie),
          chunk_(chunk),
          in_pieces_(in_pieces),
          words_(trie.spill, kWordBytes) {
        statistics_.counts_of_counts.assign(options.order, {});
        statistics_.frequent.assign(trie.frequent.words.size(), {});
        for (std::size_t task = 0; task + 1 < trie.tasks.size(); ++task) {
            task_code_.push_back(codes_.code(trie.chunks[trie.tasks[task]].first_word));
        }
        chunk_.opened.assign(options.order + 1, 0);
        chunk_.kept.assign(options.order + 1, 0);
        const std::uint64_t events = trie.events(chunk);
        if (in_pieces) {
            chunk_.next = trie.spill.allocate<std::uint32_t>(events);
            chunk_.lengths = trie.spill.allocate<std::uint8_t>(kEventBytes * events);
        } else {
            chunk_.next.resize(events);
            chunk_.lengths.resize(kEventBytes * events);
            chunk_.words.reserve(3 * events);
        }
        lengths_ = chunk_.lengths.data();
        chunk_.parts.resize(trie.tasks.size() - 1);
        for (TriePart& part : chunk_.parts) part.starts.resize(chunk.end_word - chunk.first_word);
        part_ = chunk_.parts.data();
    }

    void begin_word(std::uint32_t word) {
        if (word == kBeginSentence) add_begin_sentence();
        word_ = word;
        next_ = next_of(word);
        begun_ = 0;
        length_ = 0;
    }

    // Sorted windows of the word, of which there were `event` before; the last of these precedes
    // them in memory.
    void add_windows(const Window<W>* windows, std::uint64_t size, std::uint64_t event) {
        std::uint32_t* next = next_ + event;
        for (std::uint64_t i = 0; i < size; ++i, ++event) {
            const Window<W>& window = windows[i];
            const unsigned length = reader_.length(window);
            const unsigned shared =
                event == 0 ? 0 : std::min(reader_.shared(*(&window - 1), window), length);
            next[i] = reader_.next(window);
            if (shared == length) {
                ++open_[length].count;
                append(shared, length);
                continue;
            }
            close(shared, event);
            ++open_[shared].count;
            if (shared < 2) begin_parts(reader_.code(window, 1));
            const std::uint8_t* byte = append(shared, length) + kEventBytes;
            std::uint32_t* left = chunk_.words.end() - (length - shared);
            for (unsigned k = shared + 1; k <= length; ++k, ++byte, ++left) {
                *left = k == 1 ? codes_.code(word_) : reader_.code(window, k - 1);
                open_[k].count = 1;
                open_[k].left = *left;
                open_[k].offset = static_cast<std::uint32_t>(byte - part_->stream.data());
                open_[k].first_event = event;
                if constexpr (kPrunes) {
                    open_[k].excluded =
                        (k > 1 && open_[k - 1].excluded) ||
                        (!options_.listed.empty() && options_.listed[codes_.word(*left)] == 0);
                }
            }
            length_ = length;
        }
    }

    // The word had so many events. lmplz counts the last n-gram of an order below the highest with
    // its raw count if it ends the last window; the discounts depend on it, so the statistics here
    // do too.
    void end_word(std::uint64_t events) {
        close(0, events, word_ == edges_.last_word);
        begin_parts(kNoCode);
    }

    // The only bucket of the chunk goes on, or ends.
    void end_piece() {
        std::memcpy(words_.extend(chunk_.words.size()), chunk_.words.data(), chunk_.words.bytes());
        chunk_.words.resize(0);
        chunk_.next.rest();
        chunk_.lengths.rest();
        std::uint64_t complete = 0;  // bytes of parts that are, if the bucket is one word
        for (const TriePart* part = chunk_.parts.data(); part != part_; ++part) {
            if (!part->stream.in_file()) complete += part->stream.bytes();
        }
        if (complete < kCompleteBytes) return;
        SpillBatch batch(trie_.spill);
        for (TriePart* part = chunk_.parts.data(); part != part_; ++part) {
            sort_large(*part);
            batch.add(part->stream);
            batch.add(part->large);
        }
        batch.finish();
    }

    // Returns what the chunk adds to the statistics of the corpus.
    const ChunkStatistics& finish() {
        for (TriePart& part : chunk_.parts) {
            sort_large(part);
            if (!part.stream.in_file()) part.stream.shrink_to_fit();
        }
        if (in_pieces_) {
            chunk_.words = words_.take();
        } else {
            chunk_.words.shrink_to_fit();
        }
        return statistics_;
    }

  private:
    static constexpr std::size_t kWordBytes = 1 << 20;        // of the words of a piece in memory
    static constexpr std::uint64_t kCompleteBytes = 4 << 20;  // of complete parts in memory

    // The context <s> has an event for each sentence, but is no n-gram.
    void add_begin_sentence() {
        const Buffer<std::uint32_t>& first_words = edges_.first_words;
        std::memcpy(next_of(kBeginSentence), first_words.data(), first_words.bytes());
        part_ = chunk_.parts.data();
        for (std::uint64_t i = 0; i < first_words.size(); ++i) append(i == 0 ? 0 : 1, 1);
        chunk_.words.back() = codes_.code(kBeginSentence);
        ++chunk_.opened[1];
    }

    static void sort_large(TriePart& part) {
        std::sort(part.large.begin(), part.large.end(),
                  [](const LargeCount& a, const LargeCount& b) { return a.offset < b.offset; });
    }

    // Children and events are counted here and written when the node closes.
    struct OpenNode {
        std::uint32_t count;
        std::uint32_t offset;
        std::uint32_t left;  // code of the leftmost word
        std::uint64_t first_event;
        bool excluded;
    };

    std::uint32_t* next_of(std::uint32_t word) {
        return chunk_.next.data() +
               (trie_.first_event[word] - trie_.first_event[chunk_.first_word]);
    }

    static constexpr std::uint32_t kNoCode = 0xffffffffU;

    // The next event of the word follows the word with this code, or there is none (kNoCode).
    // Notes where the word begins in the parts up to that event's one.
    void begin_parts(std::uint32_t code) {
        for (; begun_ < task_code_.size() && code >= task_code_[begun_]; ++begun_) {
            TriePart& part = chunk_.parts[begun_];
            part.starts[word_ - chunk_.first_word] = {
                static_cast<std::uint32_t>(part.stream.size()),
                static_cast<std::uint32_t>(part.nodes)};
        }
        if (code != kNoCode) part_ = &chunk_.parts[begun_ - 1];
    }

    std::uint8_t* append(unsigned shared, unsigned length) {
        const auto part = static_cast<std::uint32_t>(part_ - chunk_.parts.data());
        if (chunk_.switches.empty() || chunk_.switches.back().part != part) {
            const std::ptrdiff_t at = (lengths_ - chunk_.lengths.data()) / kEventBytes;
            chunk_.switches.push_back({static_cast<std::uint32_t>(at), part});
        }
        const std::size_t nodes = length - shared;
        const std::size_t offset = part_->stream.size();
        part_->stream.extend(kEventBytes + nodes);
        part_->nodes += nodes;
        chunk_.words.extend(nodes);
        std::uint8_t* event = part_->stream.data() + offset;
        event[0] = *lengths_++ = static_cast<std::uint8_t>(shared);
        event[1] = *lengths_++ = static_cast<std::uint8_t>(length);
        if (shared == 0) event[kEventBytes] = 0;
        return event;
    }

    // Closes the open nodes of more than `shared` words; `event` is the first one past them.
    void close(unsigned shared, std::uint64_t event, bool last = false) {
        for (unsigned k = length_; k > shared; --k) {
            const OpenNode& node = open_[k];
            const std::uint64_t events = event - node.first_event;
            const std::uint64_t r = last && k < options_.order ? events : node.count;
            if (r <= 4) ++statistics_.counts_of_counts[k - 1][r];
            const bool pruned = kPrunes && is_pruned(k, events);
            if (k <= 2) count_low(k, node.count | (pruned ? kPruned : 0));
            ++chunk_.opened[k];
            if (!pruned) ++chunk_.kept[k];
            if (k == 1) break;
            std::uint8_t byte = kLargeCount;
            if (node.count < kLargeCount) {
                byte = static_cast<std::uint8_t>(node.count);
            } else {
                part_->large.push_back({node.offset, node.count});
            }
            part_->stream[node.offset] =
                static_cast<std::uint8_t>(byte | (pruned ? kPrunedByte : 0));
        }
    }

    // Unigrams, and bigrams of frequent contexts.
    void count_low(unsigned k, std::uint32_t count) {
        if (k == 1) {
            trie_.unigram_count[word_] = count;
            return;
        }
        const std::size_t context = trie_.frequent.find(open_[2].left);
        if (context < statistics_.frequent.size()) statistics_.frequent[context].add(count);
    }

    bool is_pruned(unsigned k, std::uint64_t events) const {
        if (k == 1 && word_ == kEndSentence) return false;
        return open_[k].excluded || events <= options_.threshold(k);
    }

    const CountOptions& options_;
    WindowReader<W> reader_;
    const TextEdges& edges_;
    const WordCodes& codes_;
    CountTrie& trie_;
    TrieChunk& chunk_;
    bool in_pieces_;
    SpilledArray<std::uint32_t> words_;  // of the pieces that have ended
    TriePart* part_ = nullptr;           // of the current event
    std::uint8_t* lengths_ = nullptr;    // of the next one
    std::uint32_t* next_ = nullptr;      // of the first event of the word
    std::size_t begun_ = 0;              // parts in which the word has begun
    ChunkStatistics statistics_;
    std::vector<std::uint32_t> task_code_;  // of the first context word of each task
    std::array<OpenNode, kMaxOrder + 1> open_{};
    unsigned length_ = 0;  // of the event before
    std::uint32_t word_ = 0;
};

// Ranges of chunks of about equal numbers of events, two for each thread, but not more than
// memory is meant for: each has a cursor for every word.
inline std::vector<std::size_t> cut_tasks(const CountTrie& trie, const CountOptions& options) {
    constexpr std::size_t kMaxTasks = 32;
    std::size_t tasks = options.plan.tasks;
    if (tasks == 0) {
        const std::size_t enough = std::min<std::size_t>(2 * options.threads, kMaxTasks);
        tasks = options.threads == 1 ? 1 : enough;
    }
    std::vector<std::size_t> begin{0};
    const std::uint64_t total = trie.first_event.back();
    for (std::size_t chunk = 1; chunk < trie.chunks.size(); ++chunk) {
        const std::uint64_t events = trie.first_event[trie.chunks[chunk].first_word];
        if (events >= total / tasks * begin.size() && begin.size() < tasks) begin.push_back(chunk);
    }
    begin.push_back(trie.chunks.size());
    return begin;
}

inline void add_statistics(const ChunkStatistics& statistics, CountTrie& trie) {
    for (unsigned k = 0; k < trie.order; ++k) {
        for (unsigned r = 1; r <= 4; ++r) {
            trie.counts_of_counts[k][r] += statistics.counts_of_counts[k][r];
        }
    }
    for (std::size_t context = 0; context < trie.frequent.sums.size(); ++context) {
        trie.frequent.sums[context].add(statistics.frequent[context]);
    }
}

template <unsigned W, bool kPrunes>
void build(CountTrie& trie, Buffer<std::uint32_t>& ids, Span<const std::uint32_t> counts,
           const Buckets& buckets, const WindowLayout& layout, const CountOptions& options,
           Progress& progress) {
    const std::size_t vocabulary_size = counts.size();
    trie.first_event.resize(vocabulary_size + 1);
    std::uint64_t event = 0;
    TextEdges edges;
    for (std::uint32_t word = 0; word < vocabulary_size; ++word) {
        trie.first_event[word] = event;
        event += word == kBeginSentence ? counts[kEndSentence] : counts[word];
        if (counts[word] != 0) edges.last_word = word;
        if (event - trie.first_event[word] > FrequentContexts::kMinEvents) {
            trie.frequent.words.push_back(word);
            trie.frequent.codes.push_back(trie.codes.code(word));
            trie.frequent.sums.push_back({0, 0, {0, 0, 0}, 1});
        }
    }
    trie.first_event[vocabulary_size] = event;

    WindowRounds<W> rounds(ids, counts, trie.codes, buckets, layout, options.plan, options.threads,
                           progress);
    trie.chunks.resize(rounds.chunks());
    trie.chunk_of.resize(vocabulary_size);
    for (std::uint32_t i = 0; i < trie.chunks.size(); ++i) {
        TrieChunk& chunk = trie.chunks[i];
        chunk.first_word = rounds.first_word(i);
        chunk.end_word = rounds.first_word(i + 1);
        std::fill(trie.chunk_of.begin() + chunk.first_word, trie.chunk_of.begin() + chunk.end_word,
                  i);
    }
    trie.tasks = cut_tasks(trie, options);
    edges.first_words = rounds.first_words();
    using Builder = ChunkBuilder<W, kPrunes>;
    std::mutex mutex;
    rounds.run(
        [&](std::size_t i) {
            return std::make_unique<Builder>(options, layout, edges, trie, trie.chunks[i],
                                             rounds.in_pieces(i));
        },
        [&](std::size_t i, Builder& builder) {
            const ChunkStatistics& statistics = builder.finish();
            trie.chunks[i].spill(trie.spill);
            const std::lock_guard<std::mutex> lock(mutex);
            add_statistics(statistics, trie);
        });
}

template <unsigned W>
void build_pruned_or_not(CountTrie& trie, Buffer<std::uint32_t>& ids,
                         Span<const std::uint32_t> counts, const Buckets& buckets,
                         const WindowLayout& layout, const CountOptions& options,
                         Progress& progress) {
    if (options.prunes()) {
        build<W, true>(trie, ids, counts, buckets, layout, options, progress);
    } else {
        build<W, false>(trie, ids, counts, buckets, layout, options, progress);
    }
}

// Order 1 needs no windows: adjusted counts are raw counts.
inline void build_unigrams(CountTrie& trie, Span<const std::uint32_t> counts,
                           const CountOptions& options) {
    for (std::uint32_t word = 0; word < counts.size(); ++word) {
        const std::uint32_t count = counts[word];
        if (count == 0) continue;
        if (count <= 4) ++trie.counts_of_counts[0][count];
        const bool pruned =
            word > kEndSentence && (count <= options.threshold(1) || !options.is_listed(word));
        trie.unigram_count[word] = count | (pruned ? kPruned : 0);
    }
}

}  // namespace count_trie

// Calls work(std::integral_constant<unsigned, W>), where a Window<W> has room for so many parts.
template <class Work>
void dispatch_parts(unsigned parts, Work work) {
    if (parts <= 2)
        work(std::integral_constant<unsigned, 2>{});
    else if (parts <= 3)
        work(std::integral_constant<unsigned, 3>{});
    else if (parts <= 4)
        work(std::integral_constant<unsigned, 4>{});
    else if (parts <= 6)
        work(std::integral_constant<unsigned, 6>{});
    else if (parts <= 8)
        work(std::integral_constant<unsigned, 8>{});
    else if (parts <= 16)
        work(std::integral_constant<unsigned, 16>{});
    else if (parts <= 32)
        work(std::integral_constant<unsigned, 32>{});
    else if (parts <= 64)
        work(std::integral_constant<unsigned, 64>{});
    else
        work(std::integral_constant<unsigned, 144>{});
}

// How many n-grams of this order have this adjusted count; count 1 to 4.
inline std::uint64_t count_of_counts(const CountTrie& trie, unsigned order, unsigned count) {
    return trie.counts_of_counts[order - 1][count];
}

// Distinct n-grams of the orders from 2 up, before pruning.
inline std::vector<std::uint64_t> opened_ngrams(const CountTrie& trie) {
    std::vector<std::uint64_t> opened(trie.order - 1, 0);
    for (const TrieChunk& chunk : trie.chunks) {
        for (unsigned k = 2; k <= trie.order; ++k) opened[k - 2] += chunk.opened[k];
    }
    return opened;
}

// Text order -> suffix order. Consumes `ids` (they are released as soon as the windows are made).
inline CountTrie build_count_trie(Buffer<std::uint32_t>& ids, std::uint64_t vocabulary_size,
                                  const CountOptions& options, Progress& progress) {
    if (options.order < 1 || options.order > kMaxOrder) {
        throw InputError("the order is " + std::to_string(options.order) +
                         "; choose an order from 1 to " + std::to_string(kMaxOrder));
    }
    if (ids.empty()) throw InputError("the corpus has no sentences; there is nothing to count");
    if (ids.size() >= kPruned) {
        throw InputError("the corpus has " + std::to_string(ids.size()) +
                         " tokens; estimation in memory takes at most 2147483647. Train on a "
                         "part of the text");
    }
    progress.begin("count words", ids.size());
    Buffer<std::uint32_t> counts =
        count_words(ids.span(), vocabulary_size, options.threads, progress);
    CountTrie trie;
    trie.order = options.order;
    trie.spill = options.plan.spill;
    trie.spill.spill(ids);
    trie.unigram_count = Buffer<std::uint32_t>(vocabulary_size, 0);
    trie.counts_of_counts.assign(options.order, {});
    if (options.order == 1) {
        count_trie::build_unigrams(trie, counts.span(), options);
        ids.clear();
        return trie;
    }
    const Buckets buckets = cut_buckets(counts.span());
    counts[kBeginSentence] = counts[kEndSentence];  // what precedes words: <s>, never </s>
    counts[kEndSentence] = 0;
    trie.codes = WordCodes(counts.span());
    std::swap(counts[kBeginSentence], counts[kEndSentence]);
    const WindowLayout layout(options.order, buckets, trie.codes, vocabulary_size);
    dispatch_parts(layout.parts(), [&](auto parts) {
        count_trie::build_pruned_or_not<decltype(parts)::value>(trie, ids, counts.span(), buckets,
                                                                layout, options, progress);
    });
    return trie;
}

}  // namespace ngram
