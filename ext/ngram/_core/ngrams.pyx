"""SortedNgrams: the n-grams of every order with log10 probabilities and back-offs.

What the estimator and the ARPA reader produce and the ARPA writer and the query
structures consume. Arrays are handed out as read-only views, without copies.
Read next: `ext/engine/ngrams/sorted_ngrams.hpp` (what the order of the n-grams means).
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t
from libc.string cimport memcpy
from libcpp.memory cimport make_shared, shared_ptr, static_pointer_cast, unique_ptr
from libcpp.utility cimport move
from libcpp.vector cimport vector

from ngram._core.buffer cimport Buffer
from ngram._core.progress cimport Progress, raise_ngram_error, watch
from ngram._core.vocabulary cimport copy_array, share_array

import numpy as np

from ngram.errors import InputError


cdef extern from "ngrams/prefixes.hpp" namespace "ngram" nogil:
    vector[Buffer[uint32_t]] all_prefixes(
        const vector[NgramLevel]& levels, unsigned threads, Progress& progress
    ) except +raise_ngram_error


cdef extern from "ngrams/backoff_weights.hpp" namespace "ngram" nogil:
    shared_ptr[CSortedNgrams] renormalized(
        const CSortedNgrams& ngrams, unsigned threads, Progress& progress
    ) except +raise_ngram_error


cdef extern from "ngrams/check.hpp" namespace "ngram" nogil:
    void check(
        const CSortedNgrams& ngrams, unsigned threads, Progress& progress
    ) except +raise_ngram_error


cdef NgramLevel* level_of(const shared_ptr[CSortedNgrams]& pointer,
                          Py_ssize_t order) except NULL:
    cdef Py_ssize_t highest = <Py_ssize_t>pointer.get().order()
    if order < 1 or order > highest:
        raise InputError(f"order is {order}: these n-grams have orders 1 to {highest}")
    return &pointer.get().levels[order - 1]


cdef SortedNgrams wrap_ngrams(shared_ptr[CSortedNgrams] pointer):
    cdef SortedNgrams ngrams = SortedNgrams.__new__(SortedNgrams)
    ngrams.pointer = pointer
    return ngrams


cdef void copy_ids(Buffer[uint32_t]* target, const uint32_t[::1] source) except *:
    cdef size_t size = source.shape[0]
    target.resize(size)
    if size != 0:
        memcpy(target.data(), &source[0], size * sizeof(uint32_t))


cdef void copy_values(Buffer[float]* target, const float[::1] source) except *:
    cdef size_t size = source.shape[0]
    target.resize(size)
    if size != 0:
        memcpy(target.data(), &source[0], size * sizeof(float))


cdef class SortedNgrams:
    """N-grams of every order in suffix order. Made by the engine, or by `from_levels`."""

    def __cinit__(self):
        self.pointer = make_shared[CSortedNgrams]()

    def __init__(self):
        raise TypeError("SortedNgrams are made by the estimator, read_arpa or from_levels")

    @property
    def order(self):
        """Length of the longest n-grams."""
        return <Py_ssize_t>self.pointer.get().order()

    @property
    def counts(self):
        """Number of n-grams of each order, a tuple of int."""
        cdef size_t i
        return tuple([
            <Py_ssize_t>self.pointer.get().levels[i].size()
            for i in range(self.pointer.get().order())
        ])

    def level(self, Py_ssize_t order):
        """Return the arrays (word, suffix, log10_prob, log10_backoff) of one order."""
        cdef NgramLevel* level = level_of(self.pointer, order)
        cdef shared_ptr[void] owner = static_pointer_cast[void, CSortedNgrams](self.pointer)
        return (
            share_array(owner, level.word.data(), level.word.bytes(), np.uint32),
            share_array(owner, level.suffix.data(), level.suffix.bytes(), np.uint32),
            share_array(
                owner, level.log10_prob.data(), level.log10_prob.bytes(), np.float32
            ),
            share_array(
                owner, level.log10_backoff.data(), level.log10_backoff.bytes(), np.float32
            ),
        )

    def ngram_ids(self, Py_ssize_t order, Py_ssize_t begin=0, end=None):
        """Return the word ids of one order, uint32 of shape (n, order), first word first.

        Of all n-grams, or of those from index `begin` to before `end`.
        """
        cdef NgramLevel* level = level_of(self.pointer, order)
        cdef Py_ssize_t size = <Py_ssize_t>level.size()
        cdef Py_ssize_t last = size if end is None else end
        if not 0 <= begin <= last <= size:
            raise InputError(
                f"n-grams {begin} to {last} of order {order} are asked for: there are {size}"
            )
        ids = np.empty((last - begin, order), dtype=np.uint32)
        cdef uint32_t[:, ::1] rows = ids
        if last != begin:
            with nogil:
                expand_words(
                    self.pointer.get()[0], <size_t>order, <size_t>begin, <size_t>last,
                    &rows[0, 0],
                )
        return ids

    def prefixes(self, *, threads=1, progress=None):
        """Return for every n-gram the index of its prefix, one order below.

        The prefix (all words but the last) is the context in which an n-gram predicts.

        Returns
        -------
        list of ndarray of uint32
            One per order; that of order 1 is empty, of order 2 it holds word ids.

        Raises
        ------
        InputError
            If a prefix is not there; `SortedNgrams` of the engine have all of them.
        """
        cdef unsigned workers = threads
        cdef vector[Buffer[uint32_t]] found
        cdef unique_ptr[Progress] watched = watch(progress)
        with nogil:
            found = all_prefixes(self.pointer.get().levels, workers, watched.get()[0])
        cdef list arrays = []
        cdef size_t order
        for order in range(found.size()):
            arrays.append(copy_array(found[order].data(), found[order].bytes(), np.uint32))
        return arrays

    def renormalized(self, *, threads=1, progress=None):
        """Return the n-grams with every back-off computed anew from the probabilities.

        Then the probabilities after every context sum to one, as far as those of the
        unigrams do and float32 can say it. Where the words seen after a context have
        all the mass of the lower order the back-off is 1 (log10 0); where they have
        all of their own it is 0 (log10 minus infinity).

        Raises
        ------
        InputError
            If a prefix is not there; `SortedNgrams` of the engine have all of them.
        """
        cdef unsigned workers = threads
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef shared_ptr[CSortedNgrams] pointer
        with nogil:
            pointer = renormalized(self.pointer.get()[0], workers, watched.get()[0])
        return wrap_ngrams(pointer)

    @staticmethod
    def from_levels(levels):
        """Copy and check arrays: one (word, suffix, log10_prob, log10_backoff) per order.

        Of order 1 `word` and `suffix` are empty, of the highest order `log10_backoff` is.

        Raises
        ------
        InputError
            If the n-grams are not sorted and closed (every suffix and prefix present).
        """
        cdef shared_ptr[CSortedNgrams] pointer = make_shared[CSortedNgrams]()
        cdef NgramLevel level
        for word, suffix, log10_prob, log10_backoff in levels:
            copy_ids(&level.word, np.ascontiguousarray(word, dtype=np.uint32))
            copy_ids(&level.suffix, np.ascontiguousarray(suffix, dtype=np.uint32))
            copy_values(&level.log10_prob, np.ascontiguousarray(log10_prob, np.float32))
            copy_values(
                &level.log10_backoff, np.ascontiguousarray(log10_backoff, np.float32)
            )
            pointer.get().levels.push_back(move(level))
        cdef unique_ptr[Progress] watched = watch(None)
        with nogil:
            check(pointer.get()[0], 1, watched.get()[0])
        return wrap_ngrams(pointer)

    def __eq__(self, other):
        if not isinstance(other, SortedNgrams):
            return NotImplemented
        if self.counts != other.counts:
            return False
        return all(
            mine.tobytes() == theirs.tobytes()
            for order in range(1, self.order + 1)
            for mine, theirs in zip(self.level(order), other.level(order), strict=True)
        )

    __hash__ = None

    def __reduce__(self):
        raise TypeError("SortedNgrams cannot be pickled: pickle the model")

    def __repr__(self):
        return f"SortedNgrams(order={self.order}, counts={self.counts})"


cdef CountedNgrams wrap_counted(shared_ptr[CCountedNgrams] pointer):
    cdef CountedNgrams ngrams = CountedNgrams.__new__(CountedNgrams)
    ngrams.pointer = pointer
    return ngrams


cdef class CountedNgrams:
    """N-grams of every order in suffix order with counts instead of probabilities.

    Made by the estimator. They give the probabilities of interpolated Kneser-Ney.
    """

    def __cinit__(self):
        self.pointer = make_shared[CCountedNgrams]()

    def __init__(self):
        raise TypeError("CountedNgrams are made by the estimator")

    @property
    def order(self):
        """Length of the longest n-grams."""
        return <Py_ssize_t>self.pointer.get().order()

    @property
    def counts(self):
        """Number of n-grams of each order, a tuple of int."""
        cdef size_t i
        return tuple([
            <Py_ssize_t>self.pointer.get().levels[i].size()
            for i in range(self.pointer.get().order())
        ])

    def interpolate(self, *, threads=1, progress=None):
        """Return the same n-grams with log10 probabilities and back-offs.

        Bit for bit those that the estimator computes itself.
        """
        cdef unsigned workers = threads
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef shared_ptr[CSortedNgrams] pointer
        with nogil:
            pointer = interpolate(self.pointer.get()[0], workers, watched.get()[0])
        return wrap_ngrams(pointer)

    def __reduce__(self):
        raise TypeError("CountedNgrams cannot be pickled: pickle the model")

    def __repr__(self):
        return f"CountedNgrams(order={self.order}, counts={self.counts})"
