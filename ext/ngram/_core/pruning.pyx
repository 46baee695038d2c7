"""Pruner: the n-grams of a model with what the removal of each would cost.

Input: SortedNgrams. Output: histograms of the scores, from which a cut is chosen, and
the SortedNgrams above a cut. Read next: `ext/engine/pruning/scores.hpp`.
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy
from libcpp.memory cimport shared_ptr, unique_ptr
from libcpp.utility cimport move
from libcpp.vector cimport vector

from ngram._core.buffer cimport Buffer, Span, const_float, const_uint32
from ngram._core.ngrams cimport CSortedNgrams, NgramLevel, SortedNgrams, wrap_ngrams
from ngram._core.progress cimport Progress, raise_ngram_error, watch
from ngram._core.vocabulary cimport copy_array

import numpy as np

from ngram.errors import InputError


cdef extern from "base/memory.hpp" namespace "ngram" nogil:
    cdef cppclass Recycling:
        pass


cdef extern from "ngrams/prefixes.hpp" namespace "ngram" nogil:
    vector[Buffer[uint32_t]] all_prefixes(
        const vector[NgramLevel]& levels, unsigned threads, Progress& progress
    ) except +raise_ngram_error


cdef extern from "pruning/histories.hpp" namespace "ngram" nogil:
    vector[Buffer[float]] chain_histories(
        const vector[NgramLevel]& levels, const vector[Buffer[uint32_t]]& prefixes,
        unsigned threads, Progress& progress
    ) except +raise_ngram_error
    vector[Buffer[float]] stationary_histories(
        const vector[NgramLevel]& levels, const vector[Buffer[uint32_t]]& prefixes,
        unsigned threads, Progress& progress
    ) except +raise_ngram_error


cdef extern from "pruning/fold_words.hpp" namespace "ngram" nogil:
    shared_ptr[CSortedNgrams] fold_words_into_unk(
        const vector[NgramLevel]& levels, const vector[Buffer[uint32_t]]& prefixes,
        Span[const_uint32] kept_words, Progress& progress
    ) except +raise_ngram_error


cdef extern from "pruning/scores.hpp" namespace "ngram" nogil:
    vector[Buffer[float]] entropy_scores "ngram::removal_scores<ngram::pruning::Entropy>" (
        const vector[NgramLevel]& levels, const vector[Buffer[uint32_t]]& prefixes,
        const vector[Buffer[float]]& histories, unsigned threads, Progress& progress
    ) except +raise_ngram_error
    vector[Buffer[float]] difference_scores \
        "ngram::removal_scores<ngram::pruning::WeightedDifference>" (
            const vector[NgramLevel]& levels, const vector[Buffer[uint32_t]]& prefixes,
            const vector[Buffer[float]]& histories, unsigned threads, Progress& progress
        ) except +raise_ngram_error


cdef extern from "pruning/selection.hpp" namespace "ngram" nogil:
    cdef struct Cut:
        float score
        uint64_t ties

    void upper_histogram(Span[const_float] scores, uint64_t* bins) noexcept
    void lower_histogram(Span[const_float] scores, uint32_t upper, uint64_t* bins) noexcept
    shared_ptr[CSortedNgrams] select(
        const vector[NgramLevel]& levels, const vector[Buffer[uint32_t]]& prefixes,
        const vector[Buffer[float]]& scores, Cut cut, unsigned threads, Progress& progress
    ) except +raise_ngram_error


BINS = 1 << 16


cdef class Pruner:
    """N-grams, and how often their contexts occur; scored by `score`.

    Parameters
    ----------
    ngrams : SortedNgrams
    histories : {"chain", "stationary"} or list of ndarray of float32
        How often every n-gram below the highest order occurs per token of text: from
        the model (`ext/engine/pruning/histories.hpp`), or one array per order.
    threads : int
    progress : callable(stage, done, total) or None
    """

    cdef Recycling recycling  # what the histories leave, the scores use
    cdef shared_ptr[CSortedNgrams] ngrams
    cdef vector[Buffer[uint32_t]] prefixes
    cdef vector[Buffer[float]] histories
    cdef vector[Buffer[float]] scores

    def __cinit__(self, SortedNgrams ngrams not None, histories, *, unsigned threads=1,
                  progress=None):
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef bint stationary = isinstance(histories, str) and histories == "stationary"
        self.ngrams = ngrams.pointer
        with nogil:
            self.prefixes = all_prefixes(
                self.ngrams.get().levels, threads, watched.get()[0]
            )
        if not isinstance(histories, str):
            self.take_histories(histories)
            return
        with nogil:
            if stationary:
                self.histories = stationary_histories(
                    self.ngrams.get().levels, self.prefixes, threads, watched.get()[0]
                )
            else:
                self.histories = chain_histories(
                    self.ngrams.get().levels, self.prefixes, threads, watched.get()[0]
                )

    cdef void take_histories(self, arrays) except *:
        cdef const float[::1] source
        cdef Buffer[float] target
        cdef size_t order
        for order in range(1, self.ngrams.get().order()):
            source = np.ascontiguousarray(arrays[order - 1], dtype=np.float32)
            target.resize(self.ngrams.get().levels[order - 1].size())
            if <size_t>source.shape[0] != target.size():
                raise InputError(
                    f"there are {source.shape[0]} histories of order {order} and "
                    f"{target.size()} n-grams."
                )
            if target.size() != 0:
                memcpy(target.data(), &source[0], target.size() * sizeof(float))
            self.histories.push_back(move(target))

    def score(self, method, *, unsigned threads=1, progress=None):
        """Score every n-gram above order 1 by "entropy" or "weighted-difference".

        Afterwards no n-gram has a lower score than one that begins or ends with it.
        """
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef bint entropy = method == "entropy"
        with nogil:
            if entropy:
                self.scores = entropy_scores(
                    self.ngrams.get().levels, self.prefixes, self.histories, threads,
                    watched.get()[0],
                )
            else:
                self.scores = difference_scores(
                    self.ngrams.get().levels, self.prefixes, self.histories, threads,
                    watched.get()[0],
                )

    def history(self, size_t order):
        """Return how often the n-grams of an order occur per token, float32."""
        cdef Buffer[float]* found = &self.histories[order - 1]
        return copy_array(found.data(), found.bytes(), np.float32)

    def scores_of(self, size_t order):
        """Return the scores of an order above 1, float32."""
        cdef Buffer[float]* found = &self.scores[order - 1]
        return copy_array(found.data(), found.bytes(), np.float32)

    def upper_histogram(self):
        """Return how many scores have each value of their upper 16 bits.

        Scores are float32 from 0 up, so these bits stand in the order of the values.

        Returns
        -------
        ndarray of shape (order, 65536), dtype=uint64
        """
        bins = np.zeros((self.ngrams.get().order(), BINS), dtype=np.uint64)
        cdef uint64_t[:, ::1] rows = bins
        cdef size_t order
        with nogil:
            for order in range(1, self.ngrams.get().order()):
                upper_histogram(
                    Span[const_float](self.scores[order].data(), self.scores[order].size()),
                    &rows[order, 0],
                )
        return bins

    def lower_histogram(self, uint32_t upper):
        """Return the same of the lower 16 bits, of scores that have these upper bits."""
        bins = np.zeros((self.ngrams.get().order(), BINS), dtype=np.uint64)
        cdef uint64_t[:, ::1] rows = bins
        cdef size_t order
        with nogil:
            for order in range(1, self.ngrams.get().order()):
                lower_histogram(
                    Span[const_float](self.scores[order].data(), self.scores[order].size()),
                    upper,
                    &rows[order, 0],
                )
        return bins

    def select(self, float score, uint64_t ties, *, unsigned threads=1, progress=None):
        """Return the n-grams above a score, and the first `ties` of those that have it.

        Ties are taken from order 2 up. Contexts that lost a follower get the back-off
        that makes them sum to one; orders that have nothing left are dropped.

        Returns
        -------
        SortedNgrams
        """
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef shared_ptr[CSortedNgrams] kept
        cdef Cut cut = Cut(score, ties)
        with nogil:
            kept = select(
                self.ngrams.get().levels, self.prefixes, self.scores, cut, threads,
                watched.get()[0],
            )
        return wrap_ngrams(kept)

    def fold_words(self, const uint32_t[::1] kept_words, *, progress=None):  # IN
        """Return the n-grams of some words; the others become `<unk>`.

        Parameters
        ----------
        kept_words : ndarray of uint32
            Ascending, with 0, 1 and 2. Word `kept_words[i]` gets the id i.

        Returns
        -------
        SortedNgrams
        """
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef shared_ptr[CSortedNgrams] kept
        with nogil:
            kept = fold_words_into_unk(
                self.ngrams.get().levels, self.prefixes,
                Span[const_uint32](&kept_words[0], <size_t>kept_words.shape[0]), watched.get()[0],
            )
        return wrap_ngrams(kept)
