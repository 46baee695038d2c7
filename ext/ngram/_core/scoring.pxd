"""Declarations of the scoring kernels, and of the types built on them."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.string_view cimport string_view

from ngram._core.buffer cimport (
    Buffer, Span, const_int64, const_string_view, const_uint32
)
from ngram._core.model cimport ModelTable, Table
from ngram._core.progress cimport Progress, raise_ngram_error
from ngram._core.text cimport TokenizerKind
from ngram._core.texts cimport Texts
from ngram._core.vocabulary cimport CVocabulary, Vocabulary


cdef extern from "scoring/sentences.hpp" namespace "ngram" nogil:
    cdef cppclass ScoringOptions:
        ScoringOptions() noexcept
        cbool bos
        cbool eos
        unsigned int threads

    cdef cppclass IdSentences:
        IdSentences() noexcept
        Span[const_uint32] ids
        Span[const_int64] offsets
        size_t size() noexcept

    cdef cppclass EncodedTexts:
        EncodedTexts() except +raise_ngram_error
        Buffer[uint32_t] ids
        Buffer[int64_t] offsets
        IdSentences sentences() noexcept

    cdef cppclass TextTotals:
        TextTotals(double* log10_prob, uint32_t* tokens, uint32_t* oov) noexcept

    void check(
        const IdSentences& sentences, size_t vocabulary_size
    ) except +raise_ngram_error
    EncodedTexts encode_texts(
        const CVocabulary& vocabulary, TokenizerKind kind, Span[const_string_view] texts,
        unsigned int threads, Progress& progress,
    ) except +raise_ngram_error


cdef extern from "scoring/state.hpp" namespace "ngram" nogil:
    cdef cppclass ContextValues "ngram::fast::Context":
        float total
        float gamma

    cdef cppclass ContextCell:
        uint32_t word
        uint32_t backoff_bits
        ContextValues context

    cdef cppclass ContextState:
        ContextState() noexcept
        size_t length() noexcept
        uint32_t word(size_t i) noexcept
        const ContextCell& cell(size_t i) noexcept
        void push(const ContextCell& cell) except +raise_ngram_error
        cbool same_words(const ContextState& other) noexcept
        uint64_t hash() noexcept

    cdef cppclass WordScore:
        float log10_prob
        uint32_t ngram_length


cdef extern from "scoring/table_scores.hpp" namespace "ngram" nogil:
    void score_id_tokens(
        const ModelTable& table, const IdSentences& sentences, const ScoringOptions& options,
        Progress& progress, float* log10_prob, uint8_t* length,
    ) except +raise_ngram_error
    void score_id_sums(
        const ModelTable& table, const IdSentences& sentences, const ScoringOptions& options,
        Progress& progress, double* sums,
    ) except +raise_ngram_error
    void score_texts(
        const ModelTable& table, const CVocabulary& vocabulary, TokenizerKind kind,
        Span[const_string_view] texts, const ScoringOptions& options, Progress& progress,
        TextTotals totals,
    ) except +raise_ngram_error
    cdef WordScore advance_state "ngram::advance"(
        const ModelTable& table, const ContextState& before, uint32_t word,
        ContextState& after,
    ) except +raise_ngram_error


cdef class State:
    cdef ContextState context


cdef class ScoringModel:
    cdef readonly Table table
    cdef readonly Vocabulary vocabulary
    cdef TokenizerKind kind
    cdef object encoder  # None, or encoder(texts) -> (ids, offsets) of a foreign tokenizer

    cdef tuple score_views(self, Texts texts, ScoringOptions options)
    cdef tuple score_encoded(self, list texts, object bos, object eos, object threads)
