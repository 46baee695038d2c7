"""Declarations of the query structures, for the bindings that score with a Table."""

from libc.stdint cimport uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport shared_ptr
from libcpp.vector cimport vector

from ngram._core.buffer cimport Span, const_uint32, const_uint64
from ngram._core.ngrams cimport CSortedNgrams
from ngram._core.progress cimport Progress, raise_ngram_error
from ngram._core.text cimport Spill


ctypedef Span[const_uint32] WordSpan
ctypedef Span[const_uint64] NumberSpan


cdef extern from "model/bucketed.hpp" namespace "ngram::bucketed" nogil:
    cdef cppclass Arrays:
        Arrays() noexcept
        NumberSpan header
        WordSpan unigrams
        vector[WordSpan] lines


cdef extern from "model/bucketed.hpp" namespace "ngram" nogil:
    cdef cppclass OrderStatistics "ngram::Bucketed::OrderStatistics":
        uint64_t ngrams
        uint64_t bytes
        double load
        uint32_t max_displacement
        unsigned int key_bits

    cdef cppclass Bucketed:
        Bucketed() noexcept
        size_t order() noexcept
        size_t vocabulary_size() noexcept
        uint64_t bytes() noexcept
        vector[OrderStatistics] memory_statistics() except +raise_ngram_error
        vector[uint64_t] header() except +raise_ngram_error
        vector[WordSpan] blocks() except +raise_ngram_error
        @staticmethod
        shared_ptr[Bucketed] attach(const Arrays& arrays) except +raise_ngram_error
        @staticmethod
        const char* name() noexcept
        @staticmethod
        const char* format_tag() noexcept


cdef extern from "model/bucketed_sinks.hpp" namespace "ngram::bucketed" nogil:
    cdef cppclass Section:
        uint64_t bytes
        uint32_t crc32


cdef extern from "model/bucketed_build.hpp" namespace "ngram" nogil:
    cdef cppclass TablePlan:
        uint64_t dealt_bytes
        Spill spill

    cdef cppclass WrittenTable "ngram::BucketedBuilder::Written":
        WrittenTable() noexcept
        vector[uint64_t] header
        vector[Section] sections

    cdef cppclass BucketedBuilder:
        @staticmethod
        shared_ptr[Bucketed] build(
            CSortedNgrams& ngrams, cbool consume, unsigned int threads, Progress& progress
        ) except +raise_ngram_error
        @staticmethod
        WrittenTable write(
            CSortedNgrams& ngrams,
            cbool consume,
            int descriptor,
            uint64_t offset,
            const TablePlan& plan,
            unsigned int threads,
            Progress& progress,
        ) except +raise_ngram_error


cdef extern from "model/bucketed_enumerate.hpp" namespace "ngram" nogil:
    cdef cppclass BucketedEnumerator:
        @staticmethod
        shared_ptr[CSortedNgrams] enumerate(
            const Bucketed& table, unsigned int threads, Progress& progress
        ) except +raise_ngram_error


cdef class Table:
    cdef shared_ptr[Bucketed] pointer
    cdef object owner  # keeps attached arrays alive; None if the engine owns the memory
