// Feeds a reader with changed files and keeps those that reach new code. Compiled without coverage;
// targets.cpp calls __sanitizer_cov_trace_pc at every branch.
//
//     fuzz TARGET SECONDS SEED FILE...    begins with the files; prints how many inputs it tried
//     fuzz TARGET 0 0 FILE...             reads each file once
//
// An input that takes 10 seconds, or that a sanitizer complains about, is written to crash-TARGET.
#include <sys/resource.h>
#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "fuzz.hpp"

extern "C" void __asan_set_death_callback(void (*callback)());

namespace {

using Input = std::vector<std::uint8_t>;

constexpr std::size_t kPlaces = 1 << 16;
constexpr std::size_t kLargest = 1 << 17;
std::uint8_t seen[kPlaces];     // places reached by any input
std::uint8_t reached[kPlaces];  // by this one
std::uint32_t touched[kPlaces];
std::size_t touches = 0;

const Target* target = nullptr;
const Input* current = nullptr;

void save() {
    if (current == nullptr) return;
    const std::string name = std::string("crash-") + target->name;
    if (std::FILE* file = std::fopen(name.c_str(), "wb")) {
        std::fwrite(current->data(), 1, current->size(), file);
        std::fclose(file);
        std::fprintf(stderr, "the input is in %s\n", name.c_str());
    }
}

void too_slow(int) {
    std::fprintf(stderr, "an input takes more than 10 seconds\n");
    save();
    std::_Exit(1);
}

struct Random {
    std::uint64_t state;

    std::uint64_t next() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state * 0x2545F4914F6CDD1DU;
    }
    std::size_t below(std::size_t bound) { return bound == 0 ? 0 : (next() >> 11) % bound; }
};

// The input is copied to memory of its size, so that a read behind its end is seen.
bool run(const Input& input) {
    for (std::size_t i = 0; i < touches; ++i) reached[touched[i]] = 0;
    touches = 0;
    current = &input;
    alarm(10);
    const auto copy = std::make_unique<std::uint8_t[]>(input.size());
    std::copy(input.begin(), input.end(), copy.get());
    try_input(*target, copy.get(), input.size());
    alarm(0);
    bool news = false;
    for (std::size_t i = 0; i < touches; ++i) {
        news |= seen[touched[i]] == 0;
        seen[touched[i]] = 1;
    }
    return news;
}

void change(Input& input, const std::vector<Input>& corpus, Random& random) {
    static const char* const kWords[] = {"\\data\\",   "\\1-grams:", "\\2-grams:", "\\end\\",
                                         "ngram 1=",   "ngram 2=",   "<unk>",      "<s>",
                                         "</s>",       "-inf",       "1e39",       "\t",
                                         "4294967295", "-0",         "nan",        "0x1p-1"};
    const std::size_t fixed = random.below(20) == 0 ? 0 : std::min(target->fixed, input.size());
    const auto place = [&] { return fixed + random.below(input.size() - fixed); };
    for (std::size_t times = 1 + random.below(5); times != 0; --times) {
        if (input.size() <= fixed) return;
        switch (random.below(9)) {
            case 0:
                input[place()] ^= static_cast<std::uint8_t>(1U << random.below(8));
                break;
            case 1:
                input[place()] = static_cast<std::uint8_t>(random.next());
                break;
            case 2: {  // a number of 1, 2, 4 or 8 bytes, often a remarkable one
                static const std::uint64_t kNumbers[] = {
                    0,       1,        2,          7,          8,          255,        256,
                    1 << 16, 1U << 31, 0xFFFFFFFF, 1ULL << 32, 1ULL << 47, 1ULL << 63, ~0ULL};
                std::uint64_t number = kNumbers[random.below(std::size(kNumbers))];
                number += random.below(3) - 1;
                const std::size_t at = place();
                const std::size_t bytes = std::size_t{1} << random.below(4);
                std::memcpy(&input[at], &number, std::min(bytes, input.size() - at));
                break;
            }
            case 3: {  // a little more or less
                const std::size_t at = place();
                std::uint32_t number = 0;
                const std::size_t bytes = std::min<std::size_t>(4, input.size() - at);
                std::memcpy(&number, &input[at], bytes);
                number += static_cast<std::uint32_t>(random.below(33)) - 16;
                std::memcpy(&input[at], &number, bytes);
                break;
            }
            case 4:
                if (random.below(4) == 0) input.resize(place());
                break;
            case 5: {  // a part goes
                const std::size_t at = place();
                const std::size_t count =
                    random.below(std::min<std::size_t>(64, input.size() - at));
                input.erase(input.begin() + at, input.begin() + at + count);
                break;
            }
            case 6: {  // a part of another input comes
                const Input& other = corpus[random.below(corpus.size())];
                const std::size_t from = random.below(other.size());
                const std::size_t count =
                    random.below(std::min<std::size_t>(256, other.size() - from));
                if (input.size() + count > kLargest) break;
                input.insert(input.begin() + place(), other.begin() + from,
                             other.begin() + from + count);
                break;
            }
            case 7: {  // or takes the place of what is there
                const Input& other = corpus[random.below(corpus.size())];
                if (other.empty()) break;
                const std::size_t at = std::min(place(), other.size() - 1);
                const std::size_t most = std::min(other.size() - at, input.size() - at);
                std::copy_n(other.begin() + at, random.below(most + 1), input.begin() + at);
                break;
            }
            default: {
                const char* const word = kWords[random.below(std::size(kWords))];
                input.insert(input.begin() + place(), word, word + std::strlen(word));
            }
        }
    }
}

Input read_file(const char* name) {
    std::FILE* const file = std::fopen(name, "rb");
    if (file == nullptr) {
        std::perror(name);
        std::exit(2);
    }
    Input input;
    std::uint8_t block[4096];
    while (const std::size_t count = std::fread(block, 1, sizeof block, file)) {
        input.insert(input.end(), block, block + count);
    }
    std::fclose(file);
    return input;
}

}  // namespace

extern "C" void __sanitizer_cov_trace_pc() {
    static thread_local std::uintptr_t last = 0;
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
    const std::size_t place = (here ^ last >> 1) * 0x9E3779B97F4A7C15U >> 48;  // an edge
    last = here;
    if (reached[place] == 0) {
        reached[place] = 1;
        touched[touches++] = static_cast<std::uint32_t>(place);
    }
}

int main(int count, char** arguments) {
    for (const Target* each = kTargets; count >= 5 && each->name != nullptr; ++each) {
        if (std::strcmp(each->name, arguments[1]) == 0) target = each;
    }
    if (target == nullptr) {
        std::fprintf(stderr, "usage: fuzz TARGET SECONDS SEED FILE...\n");
        return 2;
    }
    __asan_set_death_callback(&save);
    std::signal(SIGALRM, &too_slow);
    const double seconds = std::atof(arguments[2]);
    Random random{static_cast<std::uint64_t>(std::atoll(arguments[3])) * 2 + 1};
    std::vector<Input> corpus;
    for (int i = 4; i < count; ++i) {
        corpus.push_back(read_file(arguments[i]));
        run(corpus.back());
    }
    const std::size_t given = corpus.size();
    std::uint64_t inputs = given;
    const auto started = std::chrono::steady_clock::now();
    const auto elapsed = [&] {
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - started;
        return time.count();
    };
    for (; (inputs & 63) != 0 || elapsed() < seconds; ++inputs) {
        if (seconds == 0) break;
        Input input = corpus[random.below(corpus.size())];
        change(input, corpus, random);
        if (run(input)) corpus.push_back(input);
    }
    current = nullptr;
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    std::printf("%s: %llu inputs in %.0f s, %zu of them kept, %zu edges, %ld MB\n", target->name,
                static_cast<unsigned long long>(inputs), elapsed(), corpus.size() - given,
                static_cast<std::size_t>(std::count(seen, seen + kPlaces, 1)),
                usage.ru_maxrss / 1024);
    return 0;
}
