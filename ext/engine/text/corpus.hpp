// A corpus -> one array of ids and the vocabulary. Input: files, blocks of a stream, or sentences,
// in any mixture, in order. Output: the words of sentence 1, id 2 (</s>), the words of sentence 2,
// id 2, ... and ids in order of first occurrence.
//
// Every line is a sentence, an empty one too. Blanks after the last line end make no sentence; a
// last line without line end is one.
//
// Threads work on pieces of the text. They look words up in the vocabulary of all earlier rounds,
// which nobody changes meanwhile, and give words they do not find there provisional ids of the
// piece. After the round, new words are added piece by piece: the order in which one thread would
// have met them. So ids do not depend on the number of threads or on the size of a piece.
// Read next: counts/windows.hpp, which consumes the ids.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.hpp"
#include "base/errors.hpp"
#include "base/parallel.hpp"
#include "base/progress.hpp"
#include "base/spill.hpp"
#include "text/input_file.hpp"
#include "text/tokenizer.hpp"
#include "text/vocabulary.hpp"

namespace ngram {

// Whether a text may be cut before byte `at` without cutting a token; `begin` begins the text.
inline bool may_cut(TokenizerKind kind, const char* begin, const char* at, const char* end) {
    if (at == begin || at == end) return true;
    if (kind == TokenizerKind::kBytes) return true;
    if (kind == TokenizerKind::kWhitespace) return is_space(at[-1]) || is_space(*at);
    // No valid UTF-8 sequence goes on in front of a byte that is no continuation, nor in front of
    // a fourth continuation.
    const auto continues = [](char byte) { return (static_cast<unsigned char>(byte) >> 6) == 2; };
    if (!continues(*at)) return true;
    return at - begin >= 3 && continues(at[-1]) && continues(at[-2]) && continues(at[-3]);
}

class CorpusReader {
  public:
    static constexpr std::size_t kPieceBytes = std::size_t{512} << 10;
    static constexpr std::size_t kPiecesPerThread = 16;
    static constexpr std::uint32_t kProvisional = 0x80000000U;
    static constexpr const char* kSentences = "sentence";

    // Ids beyond `id_bytes` go to the folder of `spill`.
    CorpusReader(TokenizerKind kind, bool skip_symbols, unsigned threads,
                 std::size_t piece_bytes = kPieceBytes, const Spill& spill = {},
                 std::size_t id_bytes = 0)
        : kind_(kind),
          skip_symbols_(skip_symbols),
          threads_(std::max(1U, threads)),
          piece_bytes_(std::max<std::size_t>(1, piece_bytes)),
          pieces_(threads_ == 1 ? 1 : threads_ * kPiecesPerThread),
          ids_(spill, id_bytes) {}

    // A regular file, read by the threads themselves.
    void read_file(const std::string& path, Progress& progress) {
        InputFile file(path);
        begin_stream(path, file.size(), progress);
        const std::size_t total =
            static_cast<std::size_t>((file.size() + piece_bytes_ - 1) / piece_bytes_);
        for (std::size_t first = 0; first < total;) {
            const std::size_t count = std::min(total - first, round_size());
            read_round(count, progress, [&](std::size_t index, Piece& piece, auto words) {
                const std::string_view text = load(file, first + index, piece.text);
                read_text(text, piece, words);
                progress.advance(std::min<std::uint64_t>(
                    piece_bytes_, file.size() - (first + index) * piece_bytes_));
            });
            first += count;
        }
        bytes_ += file.size();
        end_stream();
    }

    // Streams arrive in blocks that may be cut anywhere: begin_stream, read_block..., end_stream.
    // `name` stands in error messages; `total` bytes will come, 0 if nobody knows.
    void begin_stream(const std::string& name, std::uint64_t total, Progress& progress) {
        progress.begin("reading", total);
        name_ = name;
        stream_sentences_ = sentences_;
        stream_ids_ = ids_.size();
        rest_.resize(0);
    }
    void read_block(std::string_view block, Progress& progress) {
        if (block.empty()) return;
        bytes_ += block.size();
        const std::size_t old_size = rest_.size();
        rest_.resize(old_size + block.size() + kTextPadding);
        std::memcpy(rest_.data() + old_size, block.data(), block.size());
        const char* const begin = rest_.data();
        const char* const end = begin + old_size + block.size();
        const char* stop = end - 1;
        const char* const searched = begin + old_size;
        while (stop > searched && !may_cut(kind_, begin, stop, end)) --stop;
        if (stop > begin && may_cut(kind_, begin, stop, end)) {
            read_memory(begin, stop, progress);
        } else {
            stop = begin;
        }
        const std::size_t left = static_cast<std::size_t>(end - stop);
        std::memmove(rest_.data(), stop, left);
        rest_.resize(left);
    }
    void end_stream(Progress& progress) {
        if (!rest_.empty()) {
            const std::size_t size = rest_.size();
            rest_.resize(size + kTextPadding);
            read_memory(rest_.data(), rest_.data() + size, progress);
            rest_.resize(0);
        }
        end_stream();
    }

    // Each text is one sentence, an empty one too; LF is a blank or a character like others.
    void read_sentences(Span<const std::string_view> texts, Progress& progress) {
        if (name_ != kSentences) begin_stream(kSentences, 0, progress);
        for (std::size_t first = 0; first < texts.size();) {
            // Cut into pieces of about piece_bytes_.
            std::vector<std::size_t> cuts{first};
            const std::size_t pieces = round_size();
            std::size_t filled = 0;
            std::size_t last = first;
            while (last < texts.size() && cuts.size() <= pieces) {
                filled += texts[last].size() + 1;
                bytes_ += texts[last].size();
                ++last;
                if (filled >= piece_bytes_ || last == texts.size()) {
                    cuts.push_back(last);
                    filled = 0;
                }
            }
            read_round(cuts.size() - 1, progress, [&](std::size_t index, Piece& piece, auto words) {
                const Span<const std::string_view> part(texts.data() + cuts[index],
                                                        cuts[index + 1] - cuts[index]);
                read_texts(part, piece, words);
                for (const std::string_view& text : part) progress.advance(text.size());
            });
            first = cuts.back();
        }
    }

    std::uint64_t sentences() const { return sentences_; }
    std::uint64_t tokens() const { return ids_.size() - sentences_; }
    std::uint64_t bytes() const { return bytes_; }

    // The reader is empty afterwards and not used again.
    std::shared_ptr<Vocabulary> take_vocabulary() { return words_.finish(); }
    std::shared_ptr<Buffer<std::uint32_t>> take_ids() {
        return std::make_shared<Buffer<std::uint32_t>>(ids_.take());
    }

  private:
    struct Piece {
        Buffer<char> text;
        Buffer<std::uint32_t> ids;
        VocabularyBuilder fresh = VocabularyBuilder::empty();
        Buffer<std::uint32_t> fresh_ids;  // final ids of the words of `fresh`
        std::uint64_t sentences = 0;
        std::uint32_t forbidden = kAbsent;  // a special word stands after `sentences` line ends
        std::size_t ids_begin = 0;
    };

    // Words of a piece while other threads work: known words have ids, others provisional ones.
    struct SharedWords {
        const VocabularyBuilder& known;
        VocabularyBuilder& fresh;

        const WordTable& table() const { return known; }
        std::uint32_t id(const WordKey& key, std::uint64_t hash, std::string_view word) {
            const std::uint32_t id = known.lookup(key, hash, word);
            return id != kAbsent ? id : fresh.find_or_add(key, hash, word) | kProvisional;
        }
    };
    // Words while nobody else works.
    struct OwnWords {
        VocabularyBuilder& known;

        const WordTable& table() const { return known; }
        std::uint32_t id(const WordKey& key, std::uint64_t hash, std::string_view word) {
            return known.find_or_add(key, hash, word);
        }
    };

    // Early rounds are small, so that most words are known soon.
    std::size_t round_size() {
        const std::size_t pieces = std::min(pieces_.size(), next_round_);
        next_round_ = std::min(pieces_.size(), next_round_ * 2);
        return pieces;
    }

    template <class Read>
    void read_round(std::size_t count, Progress& progress, Read read) {
        if (threads_ == 1 || count == 1) {
            for (std::size_t index = 0; index < count; ++index) {
                Piece& piece = pieces_[0];
                clear(piece);
                read(index, piece, OwnWords{words_});
                check(piece);
                std::copy(piece.ids.begin(), piece.ids.end(), ids_.extend(piece.ids.size()));
                sentences_ += piece.sentences;
                poll(progress);
            }
            return;
        }
        parallel_for(count, threads_, progress, [&](std::size_t index, unsigned) {
            clear(pieces_[index]);
            read(index, pieces_[index], SharedWords{words_, pieces_[index].fresh});
        });
        std::size_t size = 0;
        for (std::size_t index = 0; index < count; ++index) {
            Piece& piece = pieces_[index];
            check(piece);
            words_.find_or_add_all(piece.fresh, piece.fresh_ids);
            sentences_ += piece.sentences;
            piece.ids_begin = size;
            size += piece.ids.size();
        }
        std::uint32_t* const ids = ids_.extend(size);
        parallel_for(count, threads_, progress, [&](std::size_t index, unsigned) {
            const Piece& piece = pieces_[index];
            std::uint32_t* const out = ids + piece.ids_begin;
            for (std::size_t i = 0; i < piece.ids.size(); ++i) {
                const std::uint32_t id = piece.ids[i];
                out[i] = (id & kProvisional) == 0 ? id : piece.fresh_ids[id & ~kProvisional];
            }
        });
    }

    static void clear(Piece& piece) {
        piece.ids.resize(0);
        piece.fresh.clear();
        piece.sentences = 0;
        piece.forbidden = kAbsent;
    }

    void poll(Progress& progress) {
        if (!progress.watched()) return;
        const auto now = std::chrono::steady_clock::now();
        if (now - polled_ < std::chrono::milliseconds(50)) return;
        polled_ = now;
        progress.poll();
    }

    // Piece `index` of a file: from its first cut inside the piece to the first cut at or after
    // its end. A piece without a cut is empty: it belongs to a word that began before.
    std::string_view load(InputFile& file, std::size_t index, Buffer<char>& text) const {
        constexpr std::size_t kBefore = 3;  // may_cut looks back so far
        const std::uint64_t begin = static_cast<std::uint64_t>(index) * piece_bytes_;
        const std::uint64_t end = std::min<std::uint64_t>(begin + piece_bytes_, file.size());
        const std::uint64_t first = begin - std::min<std::uint64_t>(begin, kBefore);
        std::uint64_t last = std::min<std::uint64_t>(end + kBlockBytes, file.size());
        const auto fill = [&](std::size_t loaded) {
            const std::size_t size = static_cast<std::size_t>(last - first);
            text.resize(size + kTextPadding);
            file.read(first + loaded, text.data() + loaded, size - loaded);
        };
        fill(0);
        const char* const text_begin = text.data();
        const char* from = text_begin + (begin - first);
        const char* const piece_end = text_begin + (end - first);
        const char* const text_end = text_begin + (last - first);
        // The text's own begin is a cut; a piece's look-behind is not the text's begin.
        if (begin != 0) {
            while (from < piece_end && !may_cut(kind_, text_begin, from, text_end)) ++from;
        }
        if (from == piece_end) return {};
        const std::size_t skipped = static_cast<std::size_t>(from - text_begin);
        std::size_t to = static_cast<std::size_t>(end - first);
        for (;;) {
            const char* const now_begin = text.data();
            const char* const now_end = now_begin + (last - first);
            while (now_begin + to < now_end &&
                   !may_cut(kind_, now_begin, now_begin + to, now_end)) {
                ++to;
            }
            if (first + to < last || last == file.size()) break;
            const std::size_t loaded = static_cast<std::size_t>(last - first);
            last = std::min<std::uint64_t>(last + std::max(loaded, kPieceBytes), file.size());
            fill(loaded);
        }
        return {text.data() + skipped, to - skipped};
    }

    // Text that lies in memory, with kTextPadding readable bytes behind it.
    void read_memory(const char* begin, const char* end, Progress& progress) {
        while (begin < end) {
            std::vector<const char*> cuts{begin};
            const std::size_t pieces = round_size();
            while (cuts.size() <= pieces && cuts.back() < end) {
                const char* cut =
                    cuts.back() + std::min<std::size_t>(
                                      piece_bytes_, static_cast<std::size_t>(end - cuts.back()));
                while (cut < end && !may_cut(kind_, begin, cut, end)) ++cut;
                cuts.push_back(cut);
            }
            read_round(cuts.size() - 1, progress, [&](std::size_t index, Piece& piece, auto words) {
                const char* const from = cuts[index];
                const std::string_view text(from, static_cast<std::size_t>(cuts[index + 1] - from));
                read_text(text, piece, words);
                progress.advance(text.size());
            });
            begin = cuts.back();
        }
    }

    // Sentences of a list. Words are read from a joined copy, where LF ends the sentence.
    template <class Words>
    void read_texts(Span<const std::string_view> texts, Piece& piece, Words words) const {
        if (kind_ != TokenizerKind::kWhitespace) {
            UnitIds<Words> units(words);
            for (const std::string_view& text : texts) {
                units.add(kind_, text, piece.ids);
                piece.ids.push_back(kEos);
            }
            piece.sentences = texts.size();
            return;
        }
        join_lines(texts, piece.text);
        read_words(piece.text.data(), piece.text.data() + piece.text.size() - kTextPadding, piece,
                   words);
    }

    template <class Words>
    void read_text(std::string_view text, Piece& piece, Words words) const {
        const char* begin = text.data();
        const char* const end = begin + text.size();
        if (kind_ == TokenizerKind::kWhitespace) {
            read_words(begin, end, piece, words);
            return;
        }
        UnitIds<Words> units(words);
        while (begin < end) {
            const void* found = std::memchr(begin, '\n', static_cast<std::size_t>(end - begin));
            const char* const stop = found == nullptr ? end : static_cast<const char*>(found);
            units.add(kind_, {begin, static_cast<std::size_t>(stop - begin)}, piece.ids);
            if (found == nullptr) break;
            piece.ids.push_back(kEos);
            ++piece.sentences;
            begin = stop + 1;
        }
    }

    template <class Words>
    void read_words(const char* begin, const char* end, Piece& piece, Words words) const {
        WordScanner scanner(begin, end);
        std::array<WordToken, WordScanner::kCapacity> batch;
        for (;;) {
            const std::size_t size = scanner.next(batch);
            if (size == 0) return;
            WordScanner::prepare(batch, size, words.table());
            const std::size_t before = piece.ids.size();
            if (before + size > piece.ids.capacity()) {
                piece.ids.reserve((before + size) * 3 / 2);
            }
            piece.ids.resize(before + size);
            std::uint32_t* out = piece.ids.data() + before;
            for (std::size_t i = 0; i < size; ++i) {
                const WordToken& token = batch[i];
                const std::uint32_t id = words.id(token.key, token.hash, token.word());
                *out++ = id;
                if (id > kEos) continue;
                if (token.is_line_end()) {
                    ++piece.sentences;
                } else {
                    --out;
                    if (skip_symbols_) continue;
                    piece.forbidden = id;
                    piece.ids.resize(static_cast<std::size_t>(out - piece.ids.data()));
                    return;
                }
            }
            piece.ids.resize(static_cast<std::size_t>(out - piece.ids.data()));
        }
    }

    // Ids of characters or bytes. The 256 single bytes are kept in a table.
    template <class Words>
    class UnitIds {
      public:
        explicit UnitIds(Words words) : words_(words) { known_.fill(kAbsent); }

        void add(TokenizerKind kind, std::string_view text, Buffer<std::uint32_t>& ids) {
            const std::size_t before = ids.size();
            if (before + text.size() > ids.capacity()) {
                ids.reserve((before + text.size()) * 3 / 2);
            }
            ids.resize(before + text.size());
            std::uint32_t* out = ids.data() + before;
            const char* position = text.data();
            for_each_token(kind, text, [&](std::string_view token, std::size_t size) {
                if (size == 1) {
                    std::uint32_t& known = known_[static_cast<unsigned char>(*position)];
                    if (known == kAbsent) known = id(token);
                    *out++ = known;
                } else {
                    *out++ = id(token);
                }
                position += size;
            });
            ids.resize(static_cast<std::size_t>(out - ids.data()));
        }

      private:
        std::uint32_t id(std::string_view token) {
            const WordKey key = WordKey::of(token);
            return words_.id(key, key.hash(), token);
        }

        Words words_;
        std::array<std::uint32_t, 256> known_;
    };

    // A last line without line end is a sentence if it has tokens.
    void end_stream() {
        if (ids_.size() > stream_ids_ && ids_.back() != kEos) {
            *ids_.extend(1) = kEos;
            ++sentences_;
        }
        name_.clear();
    }

    // Throws at the first special word of the text, in text order.
    void check(const Piece& piece) const {
        if (piece.forbidden == kAbsent) return;
        const std::string line =
            std::to_string(sentences_ - stream_sentences_ + piece.sentences + 1);
        throw InputError((name_ == kSentences ? kSentences + (" " + line) : name_ + ":" + line) +
                         ": the text contains the word " +
                         std::string(words_.word(piece.forbidden)) +
                         ", which the model uses itself. Remove it, or pass skip_symbols=True to "
                         "read <s>, </s> and <unk> as white space.");
    }

    TokenizerKind kind_;
    bool skip_symbols_;
    unsigned threads_;
    std::size_t piece_bytes_;
    std::vector<Piece> pieces_;
    std::size_t next_round_ = 1;
    std::chrono::steady_clock::time_point polled_{};

    VocabularyBuilder words_;
    SpilledArray<std::uint32_t> ids_;
    std::uint64_t sentences_ = 0;
    std::uint64_t bytes_ = 0;

    std::string name_;  // of the stream that is being read
    std::uint64_t stream_sentences_ = 0;
    std::size_t stream_ids_ = 0;
    Buffer<char> rest_;  // of the last block: a token that may go on
};

}  // namespace ngram
