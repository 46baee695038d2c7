"""Declarations of the query structures, for the bindings that score with a Table."""

from libc.stdint cimport uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport shared_ptr
from libcpp.vector cimport vector

from ngram._core.buffer cimport Span, const_uint32, const_uint64
from ngram._core.ngrams cimport CCountedNgrams, CSortedNgrams
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


cdef extern from "model/bucketed.hpp" namespace "ngram::bucketed" nogil:
    cdef cppclass OrderStatistics:
        uint64_t ngrams
        uint64_t bytes
        double load
        uint32_t max_displacement
        unsigned int key_bits


cdef extern from "model/fast.hpp" namespace "ngram::fast" nogil:
    cdef cppclass FastArrays "ngram::fast::Arrays":
        FastArrays() noexcept
        NumberSpan header
        WordSpan unigrams
        vector[WordSpan] lines
        vector[WordSpan] values


cdef extern from "model/bucketed_sinks.hpp" namespace "ngram::bucketed" nogil:
    cdef cppclass Section:
        uint64_t bytes
        uint32_t crc32


cdef extern from "model/bucketed_build.hpp" namespace "ngram" nogil:
    cdef cppclass TablePlan:
        uint64_t dealt_bytes
        Spill spill

    cdef cppclass WrittenTable:
        WrittenTable() noexcept
        vector[uint64_t] header
        vector[Section] sections


cdef extern from "model/bucketed.hpp" namespace "ngram" nogil:
    cdef cppclass Bucketed:
        pass


cdef extern from "model/table.hpp" namespace "ngram" nogil:
    cdef cppclass Block "ngram::ModelTable::Block":
        WordSpan words
        uint64_t width

    cdef cppclass ModelTable:
        shared_ptr[Bucketed] bucketed() noexcept
        size_t order() noexcept
        size_t vocabulary_size() noexcept
        uint64_t bytes() except +raise_ngram_error
        const char* name() noexcept
        const char* format_tag() noexcept
        vector[OrderStatistics] memory_statistics() except +raise_ngram_error
        vector[uint64_t] header() except +raise_ngram_error
        vector[Block] blocks() except +raise_ngram_error
        vector[Block] value_blocks() except +raise_ngram_error
        shared_ptr[CSortedNgrams] to_sorted(
            unsigned int threads, Progress& progress
        ) except +raise_ngram_error
        @staticmethod
        shared_ptr[ModelTable] attach(const Arrays& arrays) except +raise_ngram_error
        @staticmethod
        shared_ptr[ModelTable] attach_fast "attach"(
            const FastArrays& arrays
        ) except +raise_ngram_error
        @staticmethod
        shared_ptr[ModelTable] build(
            CSortedNgrams& ngrams, cbool consume, unsigned int threads, Progress& progress
        ) except +raise_ngram_error
        @staticmethod
        shared_ptr[ModelTable] build_fast "build"(
            CCountedNgrams& ngrams, cbool consume, unsigned int threads, Progress& progress
        ) except +raise_ngram_error
        @staticmethod
        shared_ptr[ModelTable] write(
            CSortedNgrams& ngrams, cbool consume, int descriptor, uint64_t offset,
            const TablePlan& plan, unsigned int threads, Progress& progress,
            WrittenTable& written,
        ) except +raise_ngram_error
        @staticmethod
        shared_ptr[ModelTable] write_fast "write"(
            CCountedNgrams& ngrams, cbool consume, int descriptor, uint64_t offset,
            const TablePlan& plan, unsigned int threads, Progress& progress,
            WrittenTable& written,
        ) except +raise_ngram_error


cdef class Table:
    cdef shared_ptr[ModelTable] pointer
    cdef object owner  # keeps attached arrays alive; None if the engine owns the memory
