"""Declarations of the prediction kernels, and of the types built on them."""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t
from libcpp.memory cimport shared_ptr, unique_ptr
from libcpp.string_view cimport string_view
from libcpp.vector cimport vector

from ngram._core.buffer cimport Span, const_uint32, const_uint64
from ngram._core.model cimport ModelTable, Table, WordSpan
from ngram._core.progress cimport Progress, raise_ngram_error
from ngram._core.scoring cimport ScoringModel
from ngram._core.vocabulary cimport CVocabulary


ctypedef Span[const_uint64] PackedSpan


cdef extern from "prediction/successors.hpp" namespace "ngram" nogil:
    cdef cppclass SuccessorArrays:
        PackedSpan words
        PackedSpan starts_low
        PackedSpan starts_high
        PackedSpan starts_samples

    cdef cppclass SuccessorStorage:
        SuccessorArrays arrays() noexcept

    cdef cppclass Successors:
        pass


cdef extern from "prediction/predictor.hpp" namespace "ngram" nogil:
    cdef cppclass Prediction:
        uint32_t word
        double probability


cdef extern from "prediction/sampler.hpp" namespace "ngram" nogil:
    cdef cppclass SamplingOptions:
        SamplingOptions() noexcept
        double temperature
        size_t top_k
        double top_p


cdef extern from "prediction/beam_search.hpp" namespace "ngram" nogil:
    cdef cppclass Continuation:
        vector[uint32_t] words
        double log10_prob


cdef extern from "text/prefix_index.hpp" namespace "ngram" nogil:
    cdef cppclass PrefixIndex:
        PrefixIndex(const CVocabulary& vocabulary) except +raise_ngram_error
        Span[const_uint32] find(string_view prefix) noexcept


cdef extern from "prediction/table_predictor.hpp" namespace "ngram" nogil:
    cdef cppclass TablePredictor:
        TablePredictor(
            shared_ptr[ModelTable] table, shared_ptr[Successors] successors
        ) except +raise_ngram_error
        size_t vocabulary_size() noexcept
        void distribution(WordSpan context, double* out) except +raise_ngram_error
        void probabilities(
            WordSpan context, WordSpan words, double* out
        ) except +raise_ngram_error
        vector[Prediction] next_words(
            WordSpan context, size_t count
        ) except +raise_ngram_error
        vector[Continuation] continuations(
            WordSpan context, size_t width, size_t longest
        ) except +raise_ngram_error
        vector[uint32_t] sample(
            WordSpan context, size_t count, const SamplingOptions& options, uint64_t seed
        ) except +raise_ngram_error
        @staticmethod
        vector[SuccessorStorage] build_lists(
            const ModelTable& table, unsigned int threads, Progress& progress
        ) except +raise_ngram_error
        @staticmethod
        shared_ptr[Successors] attach_lists(
            const ModelTable& table, const vector[SuccessorArrays]& orders
        ) except +raise_ngram_error


cdef class SuccessorLists:
    cdef Table table
    cdef dict named  # the arrays as they were given
    cdef list kept  # the arrays whose memory the lists read
    cdef shared_ptr[Successors] pointer


cdef class PredictingModel(ScoringModel):
    cdef SuccessorLists lists
    cdef shared_ptr[TablePredictor] predictor
    cdef unique_ptr[PrefixIndex] prefixes  # made when first asked for
    cdef shared_ptr[TablePredictor] ready(self) except *
    cdef vector[uint32_t] context_of(self, object text, bint bos) except *
