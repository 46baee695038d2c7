from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport shared_ptr
from libcpp.string cimport string

from ngram._core.ngrams cimport CSortedNgrams
from ngram._core.progress cimport Progress, raise_ngram_error
from ngram._core.vocabulary cimport CVocabulary


cdef extern from "base/numbers.hpp" namespace "ngram" nogil:
    const size_t kFloatRoom
    char* c_format_float "ngram::format_float"(float value, char* out) noexcept
    const char* c_parse_float "ngram::parse_float"(
        const char* begin, const char* end, float& value
    ) noexcept


cdef extern from "arpa/closure.hpp" namespace "ngram::arpa" nogil:
    cdef cppclass Completed:
        uint64_t suffixes
        uint64_t prefixes


cdef extern from "arpa/reader.hpp" namespace "ngram" nogil:
    cdef cppclass ArpaSource:
        ArpaSource() noexcept
        int descriptor
        size_t (*read)(void* context, char* buffer, size_t size) noexcept
        void* context
        string name
        uint64_t bytes
        float unk_log10_prob

    cdef cppclass ArpaModel:
        ArpaModel() noexcept
        shared_ptr[CSortedNgrams] ngrams
        shared_ptr[CVocabulary] vocabulary
        cbool unk_is_upper_case
        cbool unk_missing
        cbool bos_missing
        cbool eos_missing
        Completed completed
        uint32_t special_rows[3]  # a std::array

    ArpaModel c_read_arpa "ngram::read_arpa"(
        const ArpaSource& source, cbool strict, unsigned int threads, Progress& progress
    ) except +raise_ngram_error


cdef extern from "arpa/writer.hpp" namespace "ngram" nogil:
    cdef cppclass ArpaSink:
        ArpaSink() noexcept
        int descriptor
        cbool (*write)(void* context, const char* text, size_t size) noexcept
        void* context
        string name

    void c_write_arpa "ngram::write_arpa"(
        const CSortedNgrams& ngrams, const CVocabulary& vocabulary, const ArpaSink& sink,
        unsigned int threads, Progress& progress,
    ) except +raise_ngram_error
