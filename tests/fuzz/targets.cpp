// The readers of files from strangers, each as a function of bytes. Whatever the bytes are, it
// returns, or the file is refused with InputError or ModelFileError; anything else ends the
// process.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "arpa/reader.hpp"
#include "fuzz.hpp"
#include "kenlm/model.hpp"
#include "kenlm/query.hpp"
#include "model/bucketed.hpp"
#include "model/bucketed_build.hpp"
#include "model/bucketed_enumerate.hpp"
#include "scoring/sentences.hpp"
#include "text/vocabulary.hpp"

namespace {

using namespace ngram;

constexpr std::string_view kText =
    "the cat sat on the mat\na b c <s> </s> <unk> new a b\n\xEC\x98\x81\xED\x99\x94 the the\n";

// Asks a model everything that can be asked.
void use(const kenlm::Model& model) {
    kenlm::Query query(model, kenlm::QueryOptions{});
    std::string out;
    query.print(kText, out);
    model.score(kText, false, true);
    kenlm::Context before = model.begin_context();
    kenlm::Context after;
    for (std::uint32_t word = 0; word < std::min<std::uint32_t>(model.size(), 40); ++word) {
        model.advance(before, word, after);
        std::swap(before, after);
    }
    model.spellings();
}

// A copy that ends where the heap ends for the address sanitizer, and begins as malloc's do.
template <class T>
Span<const T> exactly(const std::uint8_t* bytes, std::size_t size,
                      std::vector<std::unique_ptr<std::uint8_t[]>>& kept) {
    kept.push_back(std::make_unique<std::uint8_t[]>(size));
    if (size != 0) std::memcpy(kept.back().get(), bytes, size);
    return {reinterpret_cast<const T*>(kept.back().get()), size / sizeof(T)};
}

// A number of arrays, their sizes in bytes (u32), and the arrays: strings, offsets and table of a
// vocabulary, the header of a table, and its orders.
void table(const std::uint8_t* bytes, std::size_t size) {
    std::vector<std::unique_ptr<std::uint8_t[]>> kept;
    std::uint32_t count;
    if (size < 4) return;
    std::memcpy(&count, bytes, 4);
    if (count < 5 || count > 16 || size < 4 + 4 * std::size_t{count}) return;
    std::vector<std::pair<const std::uint8_t*, std::size_t>> parts;
    std::size_t at = 4 + 4 * std::size_t{count};
    for (std::uint32_t i = 0; i < count; ++i) {
        std::uint32_t length;
        std::memcpy(&length, bytes + 4 + 4 * i, 4);
        const std::size_t fits = std::min<std::size_t>(length, size - at);
        parts.emplace_back(bytes + at, fits);
        at += fits;
    }
    const auto part = [&](std::size_t i) { return parts[i]; };
    bucketed::Arrays arrays;
    arrays.header = exactly<std::uint64_t>(part(3).first, part(3).second, kept);
    arrays.unigrams = exactly<std::uint32_t>(part(4).first, part(4).second, kept);
    for (std::size_t i = 5; i < parts.size(); ++i) {
        arrays.lines.push_back(exactly<std::uint32_t>(part(i).first, part(i).second, kept));
    }
    const auto attached = Bucketed::attach(arrays);
    const auto vocabulary =
        Vocabulary::attach(exactly<char>(part(0).first, part(0).second, kept),
                           exactly<std::uint64_t>(part(1).first, part(1).second, kept),
                           exactly<char>(part(2).first, part(2).second, kept));
    if (vocabulary->size() != attached->vocabulary_size()) return;
    use(*kenlm::open_table(attached, vocabulary, kenlm::IdMap()));
    Progress progress;
    double sum = 0;
    const std::string_view text = kText;
    score_texts(*attached, *vocabulary, TokenizerKind::kWhitespace, {&text, 1}, ScoringOptions{},
                progress, {&sum, nullptr, nullptr});
    BucketedEnumerator::enumerate(*attached, 1, progress);
}

struct Source {
    const std::uint8_t* bytes;
    std::size_t left;

    static std::size_t read(void* context, char* buffer, std::size_t size) {
        auto& source = *static_cast<Source*>(context);
        const std::size_t count = std::min({size, source.left, std::size_t{4099}});
        std::memcpy(buffer, source.bytes, count);
        source.bytes += count;
        source.left -= count;
        return count;
    }
};

void arpa_text(const std::uint8_t* bytes, std::size_t size) {
    Progress progress;
    Source source{bytes, size};
    ArpaSource arpa;
    arpa.name = "fuzz";
    arpa.read = &Source::read;
    arpa.context = &source;
    const ArpaModel model = read_arpa(arpa, false, 1, progress);
    const auto built = BucketedBuilder::build(*model.ngrams, false, 1, progress);
    use(*kenlm::open_table(built, model.vocabulary, kenlm::IdMap()));
}

void kenlm_file(const std::uint8_t* bytes, std::size_t size) {
    use(*kenlm::open_file({reinterpret_cast<const char*>(bytes), size}));
}

}  // namespace

const Target kTargets[] = {{"kenlm", &kenlm_file, 88},
                           {"arpa", &arpa_text, 0},
                           {"table", &table, 4},
                           {nullptr, nullptr, 0}};

bool try_input(const Target& target, const std::uint8_t* bytes, std::size_t size) {
    try {
        target.read(bytes, size);
        return true;
    } catch (const InputError&) {
    } catch (const ModelFileError&) {
    }
    return false;
}
