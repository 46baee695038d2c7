"""Estimator: counts a corpus, then smooths the counts by modified Kneser-Ney.

Input: the ids of a corpus. Output: counts of counts, from which the caller computes
the discounts (`ngram.smoothing`, the only place that does), and with these the
sorted n-grams. Two steps, because the discounts stand between them.
Read next: `ext/engine/counts/count_trie.hpp`, `ext/engine/smoothing`.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stddef cimport size_t
from libcpp cimport bool as cbool
from libcpp.memory cimport make_shared, shared_ptr, unique_ptr
from libcpp.string cimport string
from libcpp.utility cimport move
from libcpp.vector cimport vector

import os

import numpy as np

from ngram._core.buffer cimport Buffer, Span, const_double, const_uint8
from ngram._core.counts cimport CNgramCounts, NgramCounts
from ngram._core.ngrams cimport (
    CCountedNgrams, CSortedNgrams, wrap_counted, wrap_ngrams
)
from ngram._core.progress cimport Progress, raise_ngram_error, watch
from ngram._core.text cimport Spill, TokenIds
from ngram._core.vocabulary cimport copy_array

from ngram.errors import InputError


cdef extern from "counts/count_trie.hpp" namespace "ngram" nogil:
    cdef cppclass MemoryPlan:
        uint64_t round_windows
        uint64_t bucket_windows
        uint64_t chunk_events
        size_t tasks
        Spill spill

    cdef cppclass CountOptions:
        unsigned order
        unsigned threads
        MemoryPlan plan
        vector[uint64_t] thresholds
        Span[const_uint8] listed

    cdef cppclass CountTrie:
        pass

    uint64_t count_of_counts(
        const CountTrie& trie, unsigned order, unsigned count
    ) noexcept
    vector[uint64_t] opened_ngrams(const CountTrie& trie) except +raise_ngram_error
    CountTrie build_count_trie(
        Buffer[uint32_t]& ids, uint64_t vocabulary_size, const CountOptions& options,
        Progress& progress,
    ) except +raise_ngram_error


cdef extern from "smoothing/kneser_ney.hpp" namespace "ngram" nogil:
    cdef cppclass Discounts:
        float by_count[4]

    cdef cppclass EstimateOptions:
        unsigned threads
        cbool interpolate_unigrams
        double vocabulary_pad
        cbool log10

    cdef cppclass Estimate:
        CSortedNgrams ngrams
        Buffer[uint32_t] kept_words

    Estimate estimate(
        CountTrie& trie, const vector[Discounts]& discounts,
        const EstimateOptions& options, Progress& progress,
    ) except +raise_ngram_error


cdef extern from "smoothing/kept_counts.hpp" namespace "ngram" nogil:
    cdef cppclass KeptCounts:
        CCountedNgrams ngrams
        Buffer[uint32_t] kept_words

    KeptCounts keep_counts(
        CountTrie& trie, const vector[Discounts]& discounts,
        const EstimateOptions& options, Progress& progress,
    ) except +raise_ngram_error


cdef extern from "smoothing/methods.hpp" namespace "ngram" nogil:
    cdef cppclass MethodForm:
        cbool uses_adjusted_counts
        cbool interpolated
        cbool normalised
        cbool uses_lower_orders

    cdef cppclass MethodNumbers:
        Span[const_double] values
        size_t columns

    Estimate estimate_by(
        const string& kernel, const MethodNumbers& numbers, const MethodForm& form,
        const CNgramCounts& counts, const CountOptions& pruning,
        const EstimateOptions& options, Progress& progress,
    ) except +raise_ngram_error


cdef CountOptions count_options(unsigned order, unsigned threads, prune,
                                const uint8_t[::1] listed,
                                uint64_t vocabulary_size) except *:
    cdef CountOptions options
    options.order = order
    options.threads = threads
    options.thresholds = prune
    if listed is not None:
        if <uint64_t>listed.shape[0] != vocabulary_size:
            raise InputError(
                f"listed has {listed.shape[0]} entries for {vocabulary_size} words"
            )
        options.listed = Span[const_uint8](&listed[0], listed.shape[0])
    return options


cdef vector[Discounts] discount_rows(const float[:, ::1] discounts,
                                     Py_ssize_t order) except *:
    if discounts.shape[0] != order or discounts.shape[1] != 3:
        raise InputError(f"discounts must have the shape ({order}, 3)")
    cdef vector[Discounts] rows
    cdef Discounts row
    cdef Py_ssize_t k, j
    for k in range(order):
        row.by_count[0] = 0
        for j in range(3):
            row.by_count[j + 1] = discounts[k, j]
        rows.push_back(row)
    return rows


# The n-grams and the old ids of the kept words; consumes the estimate.
cdef tuple take_estimate(Estimate& estimate):
    cdef shared_ptr[CSortedNgrams] ngrams = make_shared[CSortedNgrams]()
    ngrams.get()[0] = move(estimate.ngrams)
    return wrap_ngrams(ngrams), copy_array(
        estimate.kept_words.data(), estimate.kept_words.bytes(), np.uint32
    )


cdef class Estimator:
    """Counts of one corpus, ready to be smoothed once.

    Parameters
    ----------
    tokens : TokenIds
    consume : bool, default=False
        Empty `tokens` as soon as possible; nobody may use them afterwards.
    vocabulary_size : int
    order : int
        1 to MAX_ORDER.
    prune : sequence of int
        One threshold per order, or empty: n-grams counted so often or less are
        dropped.
    listed : ndarray of uint8 of shape (vocabulary_size,), optional
        1 for the words of the limited vocabulary; n-grams with others are dropped.
    plan : ngram.memory.MemoryPlan, optional
        What to hold in memory at once; by default, everything.
    threads : int
    progress : callable, optional
        Called as progress(stage, done, total).

    Attributes
    ----------
    counts_of_counts : ndarray of uint64 of shape (order, 4)
        n_1 to n_4 of the adjusted counts of each order, before pruning.
    counts_before_pruning : tuple of int
        N-grams of each order; order 1 with `<unk>`, `<s>` and `</s>`.
    """

    cdef CountTrie trie
    cdef readonly object counts_of_counts
    cdef readonly tuple counts_before_pruning
    cdef uint64_t vocabulary_size
    cdef unsigned order
    cdef cbool smoothed

    def __init__(self, TokenIds tokens not None, vocabulary_size, order, *,
                 consume=False, prune=(), const uint8_t[::1] listed=None, plan=None,
                 threads=1, progress=None):
        cdef CountOptions options = count_options(
            order, threads, prune, listed, vocabulary_size
        )
        if plan is not None:
            options.plan.round_windows = plan.round_windows
            options.plan.bucket_windows = plan.bucket_windows
            options.plan.chunk_events = plan.chunk_events
            options.plan.tasks = plan.tasks
            options.plan.spill = Spill(os.fsencode(plan.temp_dir))
        self.vocabulary_size = vocabulary_size
        self.order = order
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef shared_ptr[Buffer[uint32_t]] ids = tokens.pointer
        if not consume:
            ids = make_shared[Buffer[uint32_t]]()
            ids.get().append(tokens.pointer.get().data(), tokens.pointer.get().size())
        with nogil:
            self.trie = build_count_trie(
                ids.get()[0], self.vocabulary_size, options, watched.get()[0]
            )
        cdef unsigned k, r
        rows = np.zeros((self.order, 4), dtype=np.uint64)
        cdef uint64_t[:, ::1] counts = rows
        for k in range(self.order):
            for r in range(4):
                counts[k, r] = count_of_counts(self.trie, k + 1, r + 1)
        self.counts_of_counts = rows
        cdef list opened = opened_ngrams(self.trie)
        self.counts_before_pruning = (vocabulary_size, *opened)

    def smooth(self, const float[:, ::1] discounts, *, interpolate_unigrams=True,
               vocabulary_pad=0.0, log10=True, threads=1, progress=None):
        """Return the sorted n-grams and the old ids of the words that are kept.

        Parameters
        ----------
        discounts : ndarray of float32 of shape (order, 3)
            D1, D2, D3+ of each order.
        interpolate_unigrams : bool
            Share the mass the discounts took from 1-grams among all words.
        vocabulary_pad : float
            Share it as if there were at least so many words.
        log10 : bool
            False leaves linear probabilities and back-offs in the arrays.

        Returns
        -------
        ngrams : SortedNgrams
        kept_words : ndarray of uint32
            Ids of the corpus, ascending; the new id of a word is its index.
        """
        cdef vector[Discounts] values = self.discounts_of(discounts)
        cdef EstimateOptions options
        options.threads = threads
        options.interpolate_unigrams = interpolate_unigrams
        options.vocabulary_pad = vocabulary_pad
        options.log10 = log10
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef Estimate result
        self.smoothed = True
        with nogil:
            result = move(estimate(self.trie, values, options, watched.get()[0]))
        return take_estimate(result)

    def keep_counts(self, const float[:, ::1] discounts, *, interpolate_unigrams=True,
                    vocabulary_pad=0.0, threads=1, progress=None):
        """Return the n-grams with their counts, and the old ids of the words kept.

        For the structure `fast`. Parameters as in `smooth`, whose result
        `CountedNgrams.interpolate` gives, bit for bit.

        Returns
        -------
        ngrams : CountedNgrams
        kept_words : ndarray of uint32
        """
        cdef vector[Discounts] values = self.discounts_of(discounts)
        cdef EstimateOptions options
        options.threads = threads
        options.interpolate_unigrams = interpolate_unigrams
        options.vocabulary_pad = vocabulary_pad
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef KeptCounts result
        self.smoothed = True
        with nogil:
            result = move(keep_counts(self.trie, values, options, watched.get()[0]))
        cdef shared_ptr[CCountedNgrams] ngrams = make_shared[CCountedNgrams]()
        ngrams.get()[0] = move(result.ngrams)
        return wrap_counted(ngrams), copy_array(
            result.kept_words.data(), result.kept_words.bytes(), np.uint32
        )

    cdef vector[Discounts] discounts_of(self, const float[:, ::1] discounts) except *:
        if self.smoothed:
            raise InputError("these counts are smoothed already; count the corpus again")
        return discount_rows(discounts, self.order)


def smooth_counts(NgramCounts counts not None, method, *, prune=(),
                  const uint8_t[::1] listed=None, interpolate_unigrams=True,
                  vocabulary_pad=0.0, log10=True, threads=1, progress=None):
    """Return the sorted n-grams of counts, and the old ids of the words that are kept.

    With the same discounts, bit for bit what `Estimator` makes of the text.

    Parameters
    ----------
    counts : NgramCounts
    method : SmoothingMethod
        Fitted.
    interpolate_unigrams, vocabulary_pad, log10
        As `Estimator.smooth`.
    prune, listed, threads, progress
        As `Estimator`.

    Returns
    -------
    ngrams : SortedNgrams
    kept_words : ndarray of uint32
    """
    cdef CountOptions pruning = count_options(
        counts.order, threads, prune, listed, counts.pointer.get().vocabulary_size()
    )
    rows = np.ascontiguousarray(method.numbers(), dtype=np.float64)
    if rows.ndim != 2 or rows.shape[0] != counts.order:
        raise InputError(
            f"the smoothing method is fitted to order {len(rows)}, and the counts have"
            f" order {counts.order}"
        )
    cdef const double[::1] values = rows.ravel()
    cdef MethodNumbers numbers
    numbers.columns = rows.shape[1]
    if values.shape[0] != 0:
        numbers.values = Span[const_double](&values[0], values.shape[0])
    cdef MethodForm form
    form.uses_adjusted_counts = method.uses_adjusted_counts
    form.interpolated = method.interpolated
    form.normalised = method.normalised
    form.uses_lower_orders = method.uses_lower_orders
    cdef string kernel = method.kernel.encode()
    cdef EstimateOptions options
    options.threads = threads
    options.interpolate_unigrams = interpolate_unigrams
    options.vocabulary_pad = vocabulary_pad
    options.log10 = log10
    cdef unique_ptr[Progress] watched = watch(progress)
    cdef Estimate result
    with nogil:
        result = move(
            estimate_by(
                kernel, numbers, form, counts.pointer.get()[0], pruning, options,
                watched.get()[0],
            )
        )
    return take_estimate(result)
