from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport shared_ptr, unique_ptr
from libcpp.string cimport string
from libcpp.string_view cimport string_view
from libcpp.vector cimport vector

from ngram._core.buffer cimport Buffer, Span, const_string_view
from ngram._core.progress cimport Progress, raise_ngram_error
from ngram._core.vocabulary cimport CVocabulary


cdef extern from "base/spill.hpp" namespace "ngram" nogil:
    cdef cppclass Spill:
        Spill() noexcept
        Spill(string folder) except +raise_ngram_error


cdef extern from "text/tokenizer.hpp" namespace "ngram" nogil:
    cdef enum class TokenizerKind "ngram::TokenizerKind"(uint8_t):
        kWhitespace
        kCharacters
        kBytes

    cdef void split_text(
        TokenizerKind kind, string_view text, vector[string_view]& tokens
    ) except +raise_ngram_error


cdef extern from "text/corpus.hpp" namespace "ngram" nogil:
    cdef cppclass CCorpusReader "ngram::CorpusReader":
        CCorpusReader(
            TokenizerKind kind, cbool skip_symbols, unsigned threads, size_t piece_bytes,
            const Spill& spill, size_t id_bytes
        ) except +raise_ngram_error
        void read_file(
            const string& path, Progress& progress
        ) except +raise_ngram_error
        void begin_stream(
            const string& name, uint64_t total, Progress& progress
        ) except +raise_ngram_error
        void read_block(
            string_view block, Progress& progress
        ) except +raise_ngram_error
        void end_stream(Progress& progress) except +raise_ngram_error
        void read_sentences(
            Span[const_string_view] texts, Progress& progress
        ) except +raise_ngram_error
        uint64_t sentences() noexcept
        uint64_t tokens() noexcept
        uint64_t bytes() noexcept
        shared_ptr[CVocabulary] take_vocabulary() except +raise_ngram_error
        shared_ptr[Buffer[uint32_t]] take_ids() except +raise_ngram_error


cdef extern from "text/encode.hpp" namespace "ngram" nogil:
    cdef cppclass EncodeScratch:
        EncodeScratch() noexcept

    cdef void encode(
        Span[const_string_view] texts,
        const CVocabulary& vocabulary,
        TokenizerKind kind,
        Buffer[uint32_t]& ids,  # OUT
        Buffer[int64_t]& offsets,  # OUT
        EncodeScratch& scratch,
    ) except +raise_ngram_error


# The kernel's name of a native tokenizer.
cdef TokenizerKind tokenizer_kind(object name) except *

# Views of texts (str or bytes); `texts` and `keep` keep the memory alive. A tuple, because
# another thread may change a list while the engine reads the strings.
cdef int view_texts(tuple texts, vector[string_view]& views, list keep) except -1


cdef class TokenIds:
    cdef shared_ptr[Buffer[uint32_t]] pointer
    cdef readonly Py_ssize_t sentences


cdef class CorpusReader:
    cdef unique_ptr[CCorpusReader] pointer
    cdef unique_ptr[Progress] progress
    cdef object callback  # kept alive for `progress`
    cdef int open(self) except -1
