"""Declarations of the n-gram hub, for the bindings that make or take SortedNgrams."""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t
from libcpp.memory cimport shared_ptr
from libcpp.vector cimport vector

from ngram._core.buffer cimport Buffer
from ngram._core.progress cimport Progress, raise_ngram_error


cdef extern from "ngrams/sorted_ngrams.hpp" namespace "ngram" nogil:
    cdef cppclass NgramLevel:
        Buffer[uint32_t] word
        Buffer[uint32_t] suffix
        Buffer[float] log10_prob
        Buffer[float] log10_backoff
        size_t size() noexcept

    cdef cppclass CSortedNgrams "ngram::SortedNgrams":
        CSortedNgrams() noexcept
        vector[NgramLevel] levels
        size_t order() noexcept

    void expand_words(const CSortedNgrams& ngrams, size_t order, size_t begin,
                      size_t end, uint32_t* words) noexcept


cdef extern from "ngrams/counted_ngrams.hpp" namespace "ngram" nogil:
    cdef cppclass CountedLevel:
        size_t size() noexcept

    cdef cppclass CCountedNgrams "ngram::CountedNgrams":
        CCountedNgrams() noexcept
        vector[CountedLevel] levels
        size_t order() noexcept

    shared_ptr[CSortedNgrams] interpolate(
        const CCountedNgrams& ngrams, unsigned threads, Progress& progress
    ) except +raise_ngram_error


cdef class SortedNgrams:
    cdef shared_ptr[CSortedNgrams] pointer


cdef class CountedNgrams:
    cdef shared_ptr[CCountedNgrams] pointer


# The way to make one: SortedNgrams() itself refuses.
cdef SortedNgrams wrap_ngrams(shared_ptr[CSortedNgrams] pointer)
cdef CountedNgrams wrap_counted(shared_ptr[CCountedNgrams] pointer)
