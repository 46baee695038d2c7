"""Declarations of n-gram counts, for the bindings that make or take NgramCounts."""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t
from libcpp.memory cimport shared_ptr
from libcpp.vector cimport vector

from ngram._core.buffer cimport Buffer
from ngram._core.progress cimport raise_ngram_error


cdef extern from "counts/ngram_counts.hpp" namespace "ngram" nogil:
    const double kMaxCount

    cdef cppclass CountLevel:
        Buffer[uint32_t] word
        Buffer[uint32_t] suffix
        Buffer[double] count
        size_t size() noexcept

    cdef cppclass CNgramCounts "ngram::NgramCounts":
        CNgramCounts() noexcept
        vector[CountLevel] levels
        size_t order() noexcept
        size_t vocabulary_size() noexcept

    cdef cppclass CountsOfCounts:
        uint64_t* operator[](size_t order) noexcept

    Buffer[double] adjusted_counts(
        const CNgramCounts& counts, size_t order
    ) except +raise_ngram_error
    CountsOfCounts counts_of_counts(
        const CNgramCounts& counts
    ) except +raise_ngram_error
    void ngram_words(
        const CNgramCounts& counts, size_t order, size_t index, uint32_t* words
    ) noexcept


cdef class NgramCounts:
    cdef shared_ptr[CNgramCounts] pointer


# The way to make one: NgramCounts() itself refuses.
cdef NgramCounts wrap_counts(shared_ptr[CNgramCounts] pointer)
