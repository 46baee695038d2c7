// A table of any structure: the one place that knows them all. Whoever works with n-grams one by
// one is a template over the structure, and visit() calls it with the one that is here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/buffer.hpp"
#include "base/progress.hpp"
#include "model/bucketed.hpp"
#include "model/bucketed_build.hpp"
#include "model/bucketed_enumerate.hpp"
#include "model/fast.hpp"
#include "model/fast_build.hpp"
#include "model/fast_enumerate.hpp"
#include "ngrams/counted_ngrams.hpp"
#include "ngrams/sorted_ngrams.hpp"

namespace ngram {

class ModelTable {
  public:
    // Views of arrays for a file: of order 1, 2, .., so many 32-bit words in a row.
    struct Block {
        Span<const std::uint32_t> words;
        std::uint64_t width;
    };

    explicit ModelTable(std::shared_ptr<Bucketed> table) : table_(std::move(table)) {}
    explicit ModelTable(std::shared_ptr<Fast> table) : table_(std::move(table)) {}

    // See LineTableBuilder: with `consume` the n-grams are freed on the way.
    static std::shared_ptr<ModelTable> build(SortedNgrams& ngrams, bool consume, unsigned threads,
                                             Progress& progress) {
        return wrap(BucketedBuilder::build(ngrams, consume, threads, progress));
    }
    static std::shared_ptr<ModelTable> build(CountedNgrams& ngrams, bool consume, unsigned threads,
                                             Progress& progress) {
        return wrap(FastBuilder::build(ngrams, consume, threads, progress));
    }
    // The table that is returned has no lines: they are in the file.
    static std::shared_ptr<ModelTable> write(SortedNgrams& ngrams, bool consume, int descriptor,
                                             std::uint64_t offset, const TablePlan& plan,
                                             unsigned threads, Progress& progress,
                                             WrittenTable& written) {
        return wrap(BucketedBuilder::write(ngrams, consume, descriptor, offset, plan, threads,
                                           progress, written));
    }
    static std::shared_ptr<ModelTable> write(CountedNgrams& ngrams, bool consume, int descriptor,
                                             std::uint64_t offset, const TablePlan& plan,
                                             unsigned threads, Progress& progress,
                                             WrittenTable& written) {
        return wrap(FastBuilder::write(ngrams, consume, descriptor, offset, plan, threads, progress,
                                       written));
    }
    static std::shared_ptr<ModelTable> attach(const bucketed::Arrays& arrays) {
        return wrap(Bucketed::attach(arrays));
    }
    static std::shared_ptr<ModelTable> attach(const fast::Arrays& arrays) {
        return wrap(Fast::attach(arrays));
    }

    // Calls visitor(structure).
    template <class Visitor>
    decltype(auto) visit(Visitor&& visitor) const {
        return std::visit([&](const auto& table) -> decltype(auto) { return visitor(*table); },
                          table_);
    }
    // Calls visitor(std::shared_ptr to the structure).
    template <class Visitor>
    decltype(auto) visit_shared(Visitor&& visitor) const {
        return std::visit(std::forward<Visitor>(visitor), table_);
    }

    // The table if it is `bucketed`, else null.
    std::shared_ptr<Bucketed> bucketed() const {
        const auto* const table = std::get_if<std::shared_ptr<Bucketed>>(&table_);
        return table == nullptr ? nullptr : *table;
    }

    const char* name() const {
        return visit([](const auto& table) { return table.name(); });
    }
    const char* format_tag() const {
        return visit([](const auto& table) { return table.format_tag(); });
    }
    std::size_t order() const {
        return visit([](const auto& table) { return table.order(); });
    }
    std::size_t vocabulary_size() const {
        return visit([](const auto& table) { return table.vocabulary_size(); });
    }
    std::uint64_t bytes() const {
        return visit([](const auto& table) { return table.bytes(); });
    }
    std::vector<bucketed::OrderStatistics> memory_statistics() const {
        return visit([](const auto& table) { return table.memory_statistics(); });
    }
    std::vector<std::uint64_t> header() const {
        return visit([](const auto& table) { return table.header(); });
    }
    // Order 1, then the lines of the other orders.
    std::vector<Block> blocks() const {
        return visit([](const auto& table) { return blocks_of(table); });
    }
    // The values of orders 2, 3, .. where lines have codes.
    std::vector<Block> value_blocks() const {
        return visit([](const auto& table) { return value_blocks_of(table); });
    }

    std::shared_ptr<SortedNgrams> to_sorted(unsigned threads, Progress& progress) const {
        return visit([&](const auto& table) { return sorted(table, threads, progress); });
    }

  private:
    template <class Structure>
    static std::shared_ptr<ModelTable> wrap(std::shared_ptr<Structure> table) {
        return std::make_shared<ModelTable>(std::move(table));
    }

    template <class Structure>
    static std::vector<Block> blocks_of(const Structure& table) {
        std::vector<Block> blocks;
        for (const Span<const std::uint32_t>& words : table.blocks()) {
            blocks.push_back({words, blocks.empty() ? Structure::kUnigramWords : 16});
        }
        return blocks;
    }
    static std::vector<Block> value_blocks_of(const Bucketed&) { return {}; }
    static std::vector<Block> value_blocks_of(const Fast& table) {
        std::vector<Block> blocks;
        for (const Span<const std::uint32_t>& words : table.value_blocks()) {
            const bool highest = blocks.size() + 2 == table.order();
            blocks.push_back({words, highest ? 1 : Fast::kValueWords});
        }
        return blocks;
    }

    static std::shared_ptr<SortedNgrams> sorted(const Bucketed& table, unsigned threads,
                                                Progress& progress) {
        return BucketedEnumerator::enumerate(table, threads, progress);
    }
    static std::shared_ptr<SortedNgrams> sorted(const Fast& table, unsigned threads,
                                                Progress& progress) {
        return interpolate(*FastEnumerator::enumerate(table, threads, progress), threads, progress);
    }

    std::variant<std::shared_ptr<Bucketed>, std::shared_ptr<Fast>> table_;
};

}  // namespace ngram
