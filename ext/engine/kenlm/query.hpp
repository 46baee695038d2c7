// What KenLM's program `query` prints. Input: a model and lines of text. Output: for each line its
// words with their ids, lengths of n-grams and log10 probabilities, and its sum, as the shortest
// decimals of float32; and the totals of the text, added in KenLM's order, so to the bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/numbers.hpp"
#include "kenlm/model.hpp"

namespace ngram {
namespace kenlm {

struct QueryOptions {
    bool context = true;  // <s> before each line, </s> behind it
    bool words = true;
    bool lines = true;
};

struct QueryTotals {
    double log10_prob = 0;
    double oov_log10_prob = 0;  // of the words outside the vocabulary
    std::uint64_t oov = 0;
    std::uint64_t tokens = 0;
};

class Query {
  public:
    Query(const Model& model, const QueryOptions& options) : model_(model), options_(options) {}

    const QueryTotals& totals() const { return totals_; }

    // Adds what is printed for the lines of `text`; LF ends a line, and so does the end of `text`.
    void print(std::string_view text, std::string& out) {
        while (!text.empty()) {
            const std::size_t end = std::min(text.find('\n'), text.size());
            print_line(text.substr(0, end), out);
            text.remove_prefix(std::min(end + 1, text.size()));
        }
    }

  private:
    void print_line(std::string_view line, std::string& out) {
        before_ = options_.context ? model_.begin_context() : Context();
        float total = 0;
        std::uint64_t oov = 0;
        for (;;) {
            const std::string_view word = next_word(line);
            if (word.empty()) break;
            const std::uint32_t id = model_.find(word);
            const float log10_prob = print_word(word, id, out);
            if (id == 0) {
                ++oov;
                totals_.oov_log10_prob += log10_prob;
            }
            total += log10_prob;
        }
        if (options_.context) total += print_word("</s>", model_.eos(), out);
        if (options_.lines) {
            out += "Total: ";
            print_number(total, out);
            out += " OOV: " + std::to_string(oov) + '\n';
        }
        totals_.log10_prob += total;
        totals_.oov += oov;
    }

    float print_word(std::string_view word, std::uint32_t id, std::string& out) {
        const WordScore score = model_.advance(before_, id, after_);
        std::swap(before_, after_);
        ++totals_.tokens;
        if (options_.words) {
            out += word;
            out += '=' + std::to_string(id) + ' ' + std::to_string(score.ngram_length) + ' ';
            print_number(score.log10_prob, out);
            out += '\t';
        }
        return score.log10_prob;
    }

    static void print_number(float value, std::string& out) {
        char number[kFloatRoom];
        out.append(number, format_float(value, number));
    }

    const Model& model_;
    QueryOptions options_;
    QueryTotals totals_;
    Context before_;
    Context after_;
};

}  // namespace kenlm
}  // namespace ngram
