"""NgramCounts: the n-grams of every order of a text with their raw counts.

Input: the ids of a corpus, or arrays. Output: arrays in suffix order, read-only views
without copies, and what smoothing derives from them: adjusted counts, counts of counts,
prefixes. The kernels are `counts/ngram_counts.hpp` (what the arrays mean) and
`counts/count_ngrams.hpp`.
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy
from libcpp.memory cimport make_shared, shared_ptr, unique_ptr
from libcpp.utility cimport move
from libcpp.vector cimport vector

from ngram._core.progress cimport Progress, raise_ngram_error, watch
from ngram._core.text cimport TokenIds
from ngram._core.vocabulary cimport Buffer, view_array

import numpy as np

from ngram.errors import InputError


cdef extern from "counts/count_ngrams.hpp" namespace "ngram" nogil:
    CNgramCounts count_ngrams(
        Buffer[uint32_t]& ids, uint64_t vocabulary_size, unsigned order,
        unsigned threads, Progress& progress,
    ) except +raise_ngram_error


cdef extern from "ngrams/prefixes.hpp" namespace "ngram" nogil:
    vector[Buffer[uint32_t]] all_prefixes(
        const vector[CountLevel]& levels, unsigned threads, Progress& progress
    ) except +raise_ngram_error


cdef class _Owner:
    """Keeps the counts alive as long as an array of them lives."""

    cdef shared_ptr[CNgramCounts] pointer


cdef object array_view(const shared_ptr[CNgramCounts]& pointer, const void* data,
                       size_t bytes, dtype):
    cdef _Owner owner = _Owner.__new__(_Owner)
    owner.pointer = pointer
    return view_array(owner, data, <Py_ssize_t>bytes, dtype)


cdef CountLevel* level_of(const shared_ptr[CNgramCounts]& pointer,
                          Py_ssize_t order) except NULL:
    cdef Py_ssize_t highest = <Py_ssize_t>pointer.get().order()
    if order < 1 or order > highest:
        raise InputError(f"order is {order}: these counts have orders 1 to {highest}")
    return &pointer.get().levels[order - 1]


cdef NgramCounts wrap_counts(shared_ptr[CNgramCounts] pointer):
    cdef NgramCounts counts = NgramCounts.__new__(NgramCounts)
    counts.pointer = pointer
    return counts


cdef object copy_ids(Buffer[uint32_t]& source):
    array = np.empty(source.size(), dtype=np.uint32)
    cdef uint32_t[::1] target = array
    if source.size() != 0:
        memcpy(&target[0], source.data(), source.bytes())
    return array


cdef class NgramCounts:
    """N-grams of every order in suffix order, with raw counts. Immutable.

    Made by `count`, `from_levels` and `merge`.
    """

    def __cinit__(self):
        self.pointer = make_shared[CNgramCounts]()

    def __init__(self):
        raise TypeError("NgramCounts are made by ngram.count_ngrams")

    @staticmethod
    def count(TokenIds tokens not None, vocabulary_size, order, *, consume=False,
              threads=1, progress=None):
        """Count the n-grams of a text.

        Parameters
        ----------
        tokens : TokenIds
        vocabulary_size : int
        order : int
            Length of the longest n-grams, 1 to 255.
        consume : bool, default=False
            Empty `tokens` as soon as possible; nobody may use them afterwards.
        threads : int
        progress : callable, optional
            Called as progress(stage, done, total).

        Returns
        -------
        NgramCounts
        """
        cdef uint64_t words = vocabulary_size
        cdef unsigned highest = order
        cdef unsigned workers = threads
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef shared_ptr[Buffer[uint32_t]] ids = tokens.pointer
        if not consume:
            ids = make_shared[Buffer[uint32_t]]()
            ids.get().append(tokens.pointer.get().data(), tokens.pointer.get().size())
        cdef shared_ptr[CNgramCounts] counts = make_shared[CNgramCounts]()
        with nogil:
            counts.get()[0] = move(
                count_ngrams(ids.get()[0], words, highest, workers, watched.get()[0])
            )
        return wrap_counts(counts)

    @property
    def order(self):
        """Length of the longest n-grams."""
        return <Py_ssize_t>self.pointer.get().order()

    @property
    def sizes(self):
        """Number of n-grams of each order, a tuple of int; order 1 has all words."""
        cdef size_t i
        return tuple([
            <Py_ssize_t>self.pointer.get().levels[i].size()
            for i in range(self.pointer.get().order())
        ])

    @property
    def nbytes(self):
        """Bytes of all arrays."""
        cdef size_t i, total = 0
        for i in range(self.pointer.get().order()):
            total += self.pointer.get().levels[i].word.bytes()
            total += self.pointer.get().levels[i].suffix.bytes()
            total += self.pointer.get().levels[i].count.bytes()
        return <Py_ssize_t>total

    def level(self, Py_ssize_t order):
        """Return the arrays (word, suffix, count) of one order.

        Returns
        -------
        word : ndarray of uint32 of shape (n,)
            Leftmost word of each n-gram; empty at order 1, where the index is the word.
        suffix : ndarray of uint32 of shape (n,)
            Index of the n-gram without it, one order below; empty at order 1.
        count : ndarray of float64 of shape (n,)
            Raw counts.
        """
        cdef CountLevel* level = level_of(self.pointer, order)
        return (
            array_view(self.pointer, level.word.data(), level.word.bytes(), np.uint32),
            array_view(
                self.pointer, level.suffix.data(), level.suffix.bytes(), np.uint32
            ),
            array_view(self.pointer, level.count.data(), level.count.bytes(), np.float64),
        )

    def ngram_ids(self, Py_ssize_t order):
        """Return the word ids of one order, uint32 of shape (n, order), first word first."""
        cdef size_t size = level_of(self.pointer, order).size()
        cdef size_t i
        ids = np.empty((size, order), dtype=np.uint32)
        cdef uint32_t[:, ::1] rows = ids
        with nogil:
            for i in range(size):
                ngram_words(self.pointer.get()[0], <size_t>order, i, &rows[i, 0])
        return ids

    def adjusted(self, Py_ssize_t order):
        """Return the adjusted counts of one order, float64 of shape (n,).

        The raw count at the highest order and of n-grams that begin with `<s>`,
        elsewhere the number of distinct words on the left.
        """
        level_of(self.pointer, order)
        cdef Buffer[double] adjusted
        with nogil:
            adjusted = move(adjusted_counts(self.pointer.get()[0], <size_t>order))
        array = np.empty(adjusted.size(), dtype=np.float64)
        cdef double[::1] target = array
        if adjusted.size() != 0:
            memcpy(&target[0], adjusted.data(), adjusted.bytes())
        return array

    @property
    def counts_of_counts(self):
        """n_1 to n_4 of the adjusted counts, uint64 of shape (order, 4).

        Fractional counts are rounded. As in lmplz, the last n-gram of an order below
        the highest may enter with its raw count.
        """
        cdef CountsOfCounts found
        cdef size_t k, r
        with nogil:
            found = counts_of_counts(self.pointer.get()[0])
        rows = np.zeros((self.order, 4), dtype=np.uint64)
        cdef uint64_t[:, ::1] target = rows
        for k in range(self.pointer.get().order()):
            for r in range(4):
                target[k, r] = found[k][r + 1]
        return rows

    def prefixes(self, *, threads=1, progress=None):
        """Return for every n-gram the index of its prefix, one order below.

        The prefix (all words but the last) is the context in which an n-gram predicts.

        Returns
        -------
        list of ndarray of uint32
            One per order; that of order 1 is empty, of order 2 it holds word ids.
        """
        cdef unsigned workers = threads
        cdef vector[Buffer[uint32_t]] found
        cdef unique_ptr[Progress] watched = watch(progress)
        with nogil:
            found = all_prefixes(self.pointer.get().levels, workers, watched.get()[0])
        cdef list arrays = []
        cdef size_t order
        for order in range(found.size()):
            arrays.append(copy_ids(found[order]))
        return arrays

    def __eq__(self, other):
        if not isinstance(other, NgramCounts):
            return NotImplemented
        if self.sizes != other.sizes:
            return False
        return all(
            np.array_equal(mine, theirs)
            for order in range(1, self.order + 1)
            for mine, theirs in zip(self.level(order), other.level(order), strict=True)
        )

    __hash__ = None

    def __reduce__(self):
        raise TypeError("NgramCounts cannot be pickled: save the counts to a file")

    def __repr__(self):
        return f"NgramCounts(order={self.order}, sizes={self.sizes})"
