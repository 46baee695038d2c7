// Where the lines of the structure `bucketed` go while they are made (bucketed_build.hpp): into
// memory, or straight into a file, of which memory never holds more than a partition for each
// thread.
//
// Input: the partitions of one order after the other, each filled by one thread, in any order.
// What passes the end of a partition goes into the head of the next when all are filled, so that a
// file keeps the heads back: their first bytes are written twice.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/crc32.hpp"
#include "base/output_file.hpp"
#include "model/bucketed.hpp"

namespace ngram {

namespace bucketed {

constexpr std::size_t kMaxPartitions = 2048;  // more would spoil the dealing
constexpr unsigned kMinPartitionShift = 12;   // 4,096 lines: 256 KB
// Lines of the next partition, or behind the last home, that what passes the end may enter.
constexpr std::uint64_t kHead = 64;

// The lines of an order, cut into runs of 2^shift. The last one ends kHead lines behind the last
// home.
class Partitions {
  public:
    Partitions() = default;
    explicit Partitions(std::uint64_t homes) : homes_(homes), shift_(kMinPartitionShift) {
        while ((homes >> shift_) >= kMaxPartitions) ++shift_;
        count_ = static_cast<std::size_t>(homes >> shift_) + 1;
    }

    std::size_t count() const { return count_; }
    std::size_t of(std::uint64_t line) const { return static_cast<std::size_t>(line >> shift_); }
    std::uint64_t begin(std::size_t partition) const { return std::uint64_t{partition} << shift_; }
    std::uint64_t end(std::size_t partition) const {
        return partition + 1 == count_ ? homes_ + kHead : begin(partition + 1);
    }
    std::size_t size(std::size_t partition) const {
        return static_cast<std::size_t>(end(partition) - begin(partition));
    }
    std::size_t max_size() const { return std::max(size(0), size(count_ - 1)); }

  private:
    std::uint64_t homes_ = 0;
    unsigned shift_ = 0;
    std::size_t count_ = 0;
};

class LineSink {
  public:
    virtual ~LineSink() = default;
    virtual void put_unigrams(const void* unigrams, std::size_t bytes) = 0;
    // Begins an order, or the same once more with other partitions.
    virtual void begin(const Partitions& partitions, unsigned workers) = 0;
    // Where `worker` puts the lines of a partition, which it does before it asks for another.
    virtual void* partition(std::size_t index, unsigned worker) = 0;
    virtual void filled(std::size_t index, unsigned worker) = 0;
    // The first kHead lines, of the last partition all, to be changed when all are filled.
    virtual void* head(std::size_t index) = 0;
    // Ends the order, of which this many lines are used. Returns them if they are in memory.
    virtual Lines end(std::uint64_t lines) = 0;
};

class MemorySink : public LineSink {
  public:
    void put_unigrams(const void*, std::size_t) override {}  // the table has them
    void begin(const Partitions& partitions, unsigned) override {
        partitions_ = partitions;
        lines_ = Lines();  // before there are others
        lines_ = Lines(partitions.end(partitions.count() - 1));
    }
    void* partition(std::size_t index, unsigned) override {
        return static_cast<char*>(lines_.data()) + partitions_.begin(index) * sizeof(MiddleLine);
    }
    void filled(std::size_t, unsigned) override {}
    void* head(std::size_t index) override { return partition(index, 0); }
    Lines end(std::uint64_t) override { return std::move(lines_); }

  private:
    Partitions partitions_;
    Lines lines_;
};

// One array in the file: its content begins at a cache line and is filled up to one with zeros.
struct Section {
    std::uint64_t bytes;  // without the filling
    std::uint32_t crc32;  // with it
};

class FileSink : public LineSink {
  public:
    // The arrays go to `offset`, one after the other.
    FileSink(OutputFile& file, std::uint64_t offset) : file_(file), offset_(offset) {}

    const std::vector<Section>& sections() const { return sections_; }

    void put_unigrams(const void* unigrams, std::size_t bytes) override {
        static constexpr char kZeros[kLine] = {};
        const std::size_t filling = (kLine - bytes % kLine) % kLine;
        file_.write(offset_, unigrams, bytes);
        file_.write(offset_ + bytes, kZeros, filling);
        sections_.push_back({bytes, crc32(kZeros, filling, crc32(unigrams, bytes))});
        offset_ += bytes + filling;
    }

    void begin(const Partitions& partitions, unsigned workers) override {
        partitions_ = partitions;
        buffers_.resize(workers);
        for (Lines& lines : buffers_) lines = Lines();
        const std::size_t last = partitions.count() - 1;
        heads_.resize((last * kHead + partitions.size(last)) * kLine);
        changed_.assign(partitions.count(), 0);
        changed_[last] = 1;
        sums_.assign(partitions.count(), 0);
    }

    void* partition(std::size_t, unsigned worker) override {
        Lines& lines = buffers_[worker];
        if (lines.empty()) lines = Lines(partitions_.max_size());
        return lines.data();
    }

    void filled(std::size_t index, unsigned worker) override {
        const char* const bytes = static_cast<const char*>(buffers_[worker].data());
        const std::size_t size = partitions_.size(index) * kLine;
        if (index + 1 == partitions_.count()) {
            std::memcpy(head_of(index), bytes, size);
            return;
        }
        std::memcpy(head_of(index), bytes, kHead * kLine);
        sums_[index] = crc32(bytes + kHead * kLine, size - kHead * kLine);
        file_.write(offset_of(index), bytes, size);
        if ((index + 1) % kWriteback == 0) {
            file_.start_writeback(offset_of(index + 1 - kWriteback), kWriteback * size);
        }
    }

    void* head(std::size_t index) override {
        changed_[index] = 1;
        return head_of(index);
    }

    Lines end(std::uint64_t lines) override {
        const std::size_t last = partitions_.count() - 1;
        const std::size_t rest = static_cast<std::size_t>(lines - partitions_.begin(last)) * kLine;
        std::uint32_t sum = 0;
        for (std::size_t p = 0; p <= last; ++p) {
            const std::size_t size = p == last ? rest : kHead * kLine;
            if (changed_[p] != 0) file_.write(offset_of(p), head_of(p), size);
            sum = crc32(head_of(p), size, sum);
            if (p == last) break;
            sum = append_crc32(sum, sums_[p], (partitions_.size(p) - kHead) * kLine);
        }
        sections_.push_back({lines * kLine, sum});
        offset_ += lines * kLine;
        return Lines();
    }

  private:
    static constexpr std::size_t kLine = sizeof(MiddleLine);
    static constexpr std::size_t kWriteback = 16;  // partitions; single ones cost more time

    std::uint64_t offset_of(std::size_t index) const {
        return offset_ + partitions_.begin(index) * kLine;
    }
    unsigned char* head_of(std::size_t index) { return heads_.data() + index * kHead * kLine; }

    OutputFile& file_;
    std::uint64_t offset_;  // of the order under way
    Partitions partitions_;
    std::vector<Lines> buffers_;  // one of each worker
    Buffer<unsigned char> heads_;
    std::vector<unsigned char> changed_;  // whether a head differs from the file
    std::vector<std::uint32_t> sums_;     // of each partition behind its head
    std::vector<Section> sections_;
};

}  // namespace bucketed

}  // namespace ngram
