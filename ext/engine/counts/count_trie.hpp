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

    // To be called when the codes are known, which have so many bits.
    void index(unsigned code_bits) {
        shift_ = code_bits - std::min(code_bits, kIndexBits);
        first_.resize(std::size_t{1} << kIndexBits);
        for (std::size_t slot = 0; slot < first_.size(); ++slot) {
            first_[slot] =
                std::lower_bound(codes.begin(), codes.end(), slot << shift_) - codes.begin();
        }
    }
    std::size_t find(std::uint32_t code) const {  // codes.size() if the word is not frequent
        std::size_t at = first_[code >> shift_];
        while (at < codes.size() && codes[at] < code) ++at;
        return at < codes.size() && codes[at] == code ? at : codes.size();
    }
    const ContextSum<std::uint32_t>& of(std::uint32_t word) const {
        return sums[std::lower_bound(words.begin(), words.end(), word) - words.begin()];
    }

  private:
    // The codes of frequent words are far apart, so few share the highest bits with another.
    static constexpr unsigned kIndexBits = 12;

    std::vector<std::size_t> first_;  // by the highest bits of a code
    unsigned shift_ = 0;
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
    static constexpr unsigned kStride = 4;

    explicit WindowReader(const WindowLayout& layout) {
        key_mask_.part.fill(0);
        for (unsigned bit = 0; bit < layout.key_bits(); ++bit) deposit(key_mask_, bit, 1, 1);
        next_mask_ = (std::uint64_t{1} << layout.next_bits) - 1;
        words_above_.fill(static_cast<std::uint8_t>(layout.order));
        std::copy(layout.words_of_bit.begin(), layout.words_of_bit.end(), words_above_.rbegin());
        for (unsigned back = 1; back < layout.order; ++back) {
            const unsigned begin = layout.relative_bits + (back - 1) * layout.code_bits;
            codes_.push_back(Field<W>(begin, layout.code_bits));
        }
        codes_.resize(codes_.size() + kStride);
    }

    // Words at the end of both windows that are the same; the order if all are. Branch-free, as
    // `length` is: nobody can predict where neighbours differ.
    unsigned shared(const Window<W>& left, const Window<W>& right) const {
        std::uint64_t difference = 1;  // behind the key, where words_above_ is the order
        unsigned begin = 0;
        for (unsigned part = 0; part < W; ++part) {
            const std::uint64_t here = (left.part[part] ^ right.part[part]) & key_mask_.part[part];
            begin = here != 0 ? 64 * part : begin;
            difference = here != 0 ? here : difference;
        }
        return words_above_[begin + (63 ^ window_sort::leading_zeros(difference))];
    }
    // Words of the window, with <s>. The last field that is not zero is the leftmost word.
    unsigned length(const Window<W>& window) const {
        std::uint64_t fields = std::uint64_t{1} << 63;
        unsigned begin = 64 * (W - 1);
        for (unsigned part = W; part-- > 0;) {
            const std::uint64_t here = window.part[part] & key_mask_.part[part];
            begin = here != 0 ? 64 * part : begin;
            fields = here != 0 ? here : fields;
        }
        return words_above_[begin + static_cast<unsigned>(__builtin_ctzll(fields))] + 1U;
    }
    std::uint32_t next(const Window<W>& window) const {
        return static_cast<std::uint32_t>(window.part[0] & next_mask_);
    }
    // The code of the word `back` words before the last; back >= 1.
    std::uint32_t code(const Window<W>& window, unsigned back) const {
        return static_cast<std::uint32_t>(codes_[back - 1].of(window));
    }
    // The codes of kStride words, from `back` words before the last on; zero behind the order.
    std::array<std::uint32_t, kStride> codes(const Window<W>& window, unsigned back) const {
        std::array<std::uint32_t, kStride> codes;
        for (unsigned i = 0; i < kStride; ++i) codes[i] = code(window, back + i);
        return codes;
    }

  private:
    Window<W> key_mask_;
    std::uint64_t next_mask_;
    std::array<std::uint8_t, 64 * W> words_above_;  // by bit from the lowest, words before its own
    std::vector<Field<W>> codes_;
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

// Builds one chunk, word by word. The loop over events has no branch on how many nodes an event
// opens: it writes four at any rate, and the next event writes over those that were too many. A
// node begins with a count of 1, to which later events add. With `in_pieces`, what is complete is
// spilled when a piece ends: the chunk may be larger than memory.
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
          words_(trie.spill, kWordBytes),
          grown_(options.order + 1),
          open_nodes_(options.order + 1) {
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
        chunk_.parts.resize(trie.tasks.size() - 1);
        for (TriePart& part : chunk_.parts) part.starts.resize(chunk.end_word - chunk.first_word);
    }

    void begin_word(std::uint32_t word) {
        if (word == kBeginSentence) add_begin_sentence();
        word_ = word;
        bigrams_of_word_ = 0;
        for (TriePart& part : chunk_.parts) {
            part.starts[word - chunk_.first_word] = {static_cast<std::uint32_t>(part.stream.size()),
                                                     static_cast<std::uint32_t>(part.nodes)};
        }
    }

    // Sorted windows of the word, of which there were `event` before; the last of these precedes
    // them in memory.
    void add_windows(const Window<W>* windows, std::uint64_t size, std::uint64_t event) {
        for (std::uint64_t begin = 0; begin < size;) {
            const std::size_t part = part_of(windows[begin]);
            if (event + begin == 0) {
                begin_run(part);
            } else if (part != part_) {
                end_run();
                begin_run(part);
            }
            const std::uint64_t end = part_end(windows, begin, size);
            for (; begin < end; begin += kBlock) {
                add_block(windows + begin, std::min(end - begin, kBlock), event + begin);
            }
            begin = end;
        }
    }

    // The word had so many events. lmplz counts the last n-gram of an order below the highest with
    // its raw count if it ends the last window; the discounts depend on it, so the statistics here
    // do too.
    void end_word(std::uint64_t events) {
        if (events == 0) return;
        end_run();
        const std::uint64_t count = bigrams_of_word_;
        const bool pruned = kPrunes && word_ != kEndSentence &&
                            (!options_.is_listed(word_) || events <= options_.threshold(1));
        trie_.unigram_count[word_] = static_cast<std::uint32_t>(count) | (pruned ? kPruned : 0);
        ++chunk_.opened[1];
        if (!pruned) ++chunk_.kept[1];
        if (count <= 4) ++statistics_.counts_of_counts[0][count];
        if (word_ == edges_.last_word) recount_last(events);
    }

    // The only bucket of the chunk goes on, or ends.
    void end_piece() {
        std::memcpy(words_.extend(chunk_.words.size()), chunk_.words.data(), chunk_.words.bytes());
        chunk_.words.resize(0);
        chunk_.next.rest();
        chunk_.lengths.rest();
        std::uint64_t complete = 0;  // bytes of parts that are, if the bucket is one word
        for (std::size_t part = 0; part < part_; ++part) {
            const TriePart& ended = chunk_.parts[part];
            if (!ended.stream.in_file()) complete += ended.stream.bytes();
        }
        if (complete < kCompleteBytes) return;
        SpillBatch batch(trie_.spill);
        for (std::size_t part = 0; part < part_; ++part) {
            batch.add(chunk_.parts[part].stream);
            batch.add(chunk_.parts[part].large);
        }
        batch.finish();
    }

    // Returns what the chunk adds to the statistics of the corpus.
    const ChunkStatistics& finish() {
        for (TriePart& part : chunk_.parts) {
            if (!part.stream.in_file()) part.stream.shrink_to_fit();
        }
        if (in_pieces_) {
            chunk_.words = words_.take();
        } else {
            chunk_.words.shrink_to_fit();
        }
        std::uint64_t open = 0;
        for (unsigned k = options_.order; k >= 2; --k) {
            // An event opens a node unless it shares so many words, or is shorter.
            for (std::uint32_t shared : grown_[k]) open -= shared;
            open += of_length_[k];
            chunk_.opened[k] = open;
            if (!kPrunes) chunk_.kept[k] = open;
            // Nodes that reach count r and do not grow from there have it.
            std::uint64_t reach = open;
            for (unsigned r = 1; r <= 4; ++r) {
                statistics_.counts_of_counts[k - 1][r] += reach - grown_[k][r];
                reach = grown_[k][r];
            }
        }
        return statistics_;
    }

  private:
    static constexpr std::size_t kWordBytes = 1 << 20;        // of the words of a piece in memory
    static constexpr std::uint64_t kCompleteBytes = 4 << 20;  // of complete parts in memory

    // The context <s> has an event for each sentence, but is no n-gram.
    void add_begin_sentence() {
        const Buffer<std::uint32_t>& first_words = edges_.first_words;
        begin_run(0);
        TriePart& part = chunk_.parts[0];
        std::memcpy(chunk_.next.data() + events_, first_words.data(), first_words.bytes());
        for (std::uint64_t i = 0; i < first_words.size(); ++i) {
            const std::uint8_t event[] = {i == 0 ? std::uint8_t{0} : std::uint8_t{1}, 1, 0};
            std::memcpy(chunk_.lengths.data() + kEventBytes * events_++, event, kEventBytes);
            part.stream.append(event, kEventBytes + (i == 0 ? 1 : 0));
        }
        ++part.nodes;
        chunk_.words.push_back(codes_.code(kBeginSentence));
        ++chunk_.opened[1];
    }

    static constexpr unsigned kStride = WindowReader<W>::kStride;  // nodes written at once
    static constexpr std::uint64_t kBlock = 1 << 10;  // events that room is made for at once

    // How often the nodes of one length grew, by the count that they had.
    using Grown = std::array<std::uint32_t, kLargeCount + 1>;

    struct Bigram {
        std::uint32_t offset;  // of its byte in the stream
        std::uint32_t code;    // of its context
    };

    struct OpenNode {
        std::size_t offset;  // of its byte in the stream
        std::uint64_t first_event;
        bool excluded;
    };

    std::size_t part_of(const Window<W>& window) const {
        const auto after =
            std::upper_bound(task_code_.begin() + 1, task_code_.end(), reader_.code(window, 1));
        return after - task_code_.begin() - 1;
    }

    // Where the windows from `begin` on leave the part.
    std::uint64_t part_end(const Window<W>* windows, std::uint64_t begin,
                           std::uint64_t size) const {
        if (part_ + 1 == task_code_.size()) return size;
        const auto before = [&](const Window<W>& window, std::uint32_t code) {
            return reader_.code(window, 1) < code;
        };
        return std::lower_bound(windows + begin, windows + size, task_code_[part_ + 1], before) -
               windows;
    }

    // A run is the events of one word in one part.
    void begin_run(std::size_t part) {
        part_ = part;
        first_large_ = chunk_.parts[part].large.size();
        bigrams_.resize(0);
        open_[1] = static_cast<std::uint32_t>(chunk_.parts[part].stream.size());
        longest_ = 1;
        open_nodes_[1].excluded = !options_.is_listed(word_);
        if (!chunk_.switches.empty() && chunk_.switches.back().part == part) return;
        chunk_.switches.push_back(
            {static_cast<std::uint32_t>(events_), static_cast<std::uint32_t>(part)});
    }

    void end_run() {
        TriePart& part = chunk_.parts[part_];
        std::sort(part.large.begin() + first_large_, part.large.end(),
                  [](const LargeCount& a, const LargeCount& b) { return a.offset < b.offset; });
        if constexpr (kPrunes) prune(1, events_);
        for (const Bigram& bigram : bigrams_) {
            const std::size_t context = trie_.frequent.find(bigram.code);
            if (context == statistics_.frequent.size()) continue;
            statistics_.frequent[context].add(part.count(part.stream.data() + bigram.offset));
        }
        bigrams_of_word_ += bigrams_.size();
    }

    void add_block(const Window<W>* windows, std::uint64_t size, std::uint64_t first_event) {
        TriePart& part = chunk_.parts[part_];
        const std::size_t bigrams = bigrams_.size();
        const std::size_t nodes = chunk_.words.size();
        const std::size_t bytes = part.stream.size();
        const std::uint64_t most = size * options_.order + kStride;
        bigrams_.extend(size);
        chunk_.words.extend(most);
        part.stream.extend(size * kEventBytes + most);
        Bigram* bigram = bigrams_.data() + bigrams;
        std::uint32_t* word = chunk_.words.data() + nodes;
        std::uint8_t* const stream = part.stream.data();
        auto offset = static_cast<std::uint32_t>(bytes);
        std::uint8_t* lengths = chunk_.lengths.data() + kEventBytes * events_;
        std::uint32_t* next = chunk_.next.data() + events_;
        for (std::uint64_t i = 0; i < size; ++i) {
            const Window<W>& window = windows[i];
            const unsigned length = reader_.length(window);
            unsigned shared = 0;
            if (first_event + i != 0) {
                shared = std::min(reader_.shared(*(&window - 1), window), length);
            }
            next[i] = reader_.next(window);
            lengths[kEventBytes * i] = stream[offset] = static_cast<std::uint8_t>(shared);
            lengths[kEventBytes * i + 1] = stream[offset + 1] = static_cast<std::uint8_t>(length);
            offset += kEventBytes;
            ++of_length_[length];
            if (shared == 0) {
                stream[offset++] = 0;
                *word++ = codes_.code(word_);
                shared = 1;
            } else {
                grow(shared, part, stream);
            }
            open(window, shared, offset, stream, word);
            const unsigned opened = length - shared;
            for (unsigned done = kStride; done < opened; done += kStride) {
                open(window, shared + done, offset + done, stream, word + done);
            }
            *bigram = {offset, *word};
            bigram += shared == 1 ? 1 : 0;
            offset += opened;
            word += opened;
        }
        events_ += size;
        bigrams_.resize(bigram - bigrams_.data());
        chunk_.words.resize(word - chunk_.words.data());
        part.stream.resize(offset);
        part.nodes += chunk_.words.size() - nodes;
        if constexpr (kPrunes) mark_pruned(events_ - size, bytes, nodes);
    }

    // Opens the nodes of the window that are longer than `shared` words; `offset` and `word` are
    // those of the first.
    void open(const Window<W>& window, unsigned shared, std::uint32_t offset, std::uint8_t* stream,
              std::uint32_t* word) {
        const std::array<std::uint8_t, kStride> once{1, 1, 1, 1};
        const std::array<std::uint32_t, kStride> codes = reader_.codes(window, shared);
        const std::array<std::uint32_t, kStride> offsets{offset, offset + 1, offset + 2,
                                                         offset + 3};
        std::memcpy(stream + offset, once.data(), sizeof(once));
        std::memcpy(word, codes.data(), sizeof(codes));
        std::memcpy(open_.data() + shared + 1, offsets.data(), sizeof(offsets));
    }

    // The open node of this length has one more child, or event. That of length 1 is a byte that
    // stays: the count of a word is not in the stream.
    void grow(unsigned length, TriePart& part, std::uint8_t* stream) {
        const std::uint32_t offset = open_[length];
        const unsigned count = stream[offset];
        ++grown_[length][count];
        if (count + 1 < kLargeCount) {
            stream[offset] = static_cast<std::uint8_t>(count + (length > 1 ? 1 : 0));
        } else if (count < kLargeCount) {
            stream[offset] = kLargeCount;
            large_[length] = part.large.size();
            part.large.push_back({offset, kLargeCount});
        } else {
            ++part.large[large_[length]].count;
        }
    }

    // Goes through the events from `event` on, whose bytes and nodes begin as given.
    void mark_pruned(std::uint64_t event, std::size_t byte, std::size_t node) {
        for (; event < events_; ++event) {
            const std::uint8_t* lengths = chunk_.lengths.data() + kEventBytes * event;
            prune(std::max<unsigned>(1, lengths[0]), event);
            byte += kEventBytes;
            if (lengths[0] == 0) ++byte, ++node;
            for (; longest_ < lengths[1]; ++node) {
                const bool excluded = open_nodes_[longest_].excluded ||
                                      !options_.is_listed(codes_.word(chunk_.words[node]));
                open_nodes_[++longest_] = {byte++, event, excluded};
            }
        }
    }

    // Marks the open nodes of more than `shared` words that are pruned; `event` is past them.
    void prune(unsigned shared, std::uint64_t event) {
        for (; longest_ > shared; --longest_) {
            const OpenNode& node = open_nodes_[longest_];
            if (node.excluded || event - node.first_event <= options_.threshold(longest_)) {
                chunk_.parts[part_].stream[node.offset] |= kPrunedByte;
            } else {
                ++chunk_.kept[longest_];
            }
        }
    }

    // Gives the n-grams that the last word leaves open their raw counts in the statistics.
    void recount_last(std::uint64_t events) {
        std::vector<std::uint64_t> count(options_.order + 1, 1);
        const std::uint8_t* lengths = chunk_.lengths.data() + kEventBytes * (events_ - events);
        unsigned open = lengths[kEventBytes * (events - 1) + 1];
        for (std::uint64_t event = events; event-- > 0;) {
            const unsigned shared = lengths[kEventBytes * event];
            for (; open > shared; --open) {
                if (open == options_.order) continue;
                auto& counts = statistics_.counts_of_counts[open - 1];
                if (count[open] <= 4) --counts[count[open]];
                if (events - event <= 4) ++counts[events - event];
            }
            ++count[shared];
        }
    }

    const CountOptions& options_;
    const WindowReader<W> reader_;
    const TextEdges& edges_;
    const WordCodes& codes_;
    CountTrie& trie_;
    TrieChunk& chunk_;
    bool in_pieces_;
    SpilledArray<std::uint32_t> words_;  // of the pieces that have ended
    ChunkStatistics statistics_;
    std::vector<std::uint32_t> task_code_;  // of the first context word of each task
    std::uint64_t events_ = 0;              // so far
    std::uint32_t word_ = 0;
    std::uint64_t bigrams_of_word_ = 0;                        // in the runs that have ended
    std::size_t part_ = 0;                                     // of the run
    std::size_t first_large_ = 0;                              // of the run
    Buffer<Bigram> bigrams_;                                   // of the run
    std::array<std::uint32_t, kMaxOrder + 1 + kStride> open_;  // by length, offset of the byte
    std::array<std::size_t, kMaxOrder + 1> large_;          // by length, the entry of a large count
    std::array<std::uint32_t, kMaxOrder + 1> of_length_{};  // number of events
    std::vector<Grown> grown_;                              // by length
    std::vector<OpenNode> open_nodes_;                      // by length, if anything is pruned
    unsigned longest_ = 1;                                  // of them
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
    trie.frequent.index(trie.codes.bits());

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
