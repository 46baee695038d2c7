"""Word classes: the exchange algorithm over the bigrams of a corpus, and a hierarchy.

Input: the ids of a corpus and a first class of every word. Output: arrays. The kernels
are `classes/exchange.hpp` and `classes/agglomerate.hpp`. Read next: `ngram/classes/clustering.py`.
"""

from cython.operator cimport dereference
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libcpp.memory cimport unique_ptr
from libcpp.vector cimport vector

import numpy as np

from ngram._core.buffer cimport Span, const_uint32
from ngram._core.progress cimport Progress, raise_ngram_error, watch
from ngram._core.text cimport TokenIds

from ngram.errors import InputError


cdef extern from "classes/bigrams.hpp" namespace "ngram::classes" nogil:
    cdef cppclass Bigrams:
        Bigrams() noexcept

    Bigrams count_bigrams(
        Span[const_uint32] ids, size_t words, unsigned threads, Progress& progress
    ) except +raise_ngram_error


cdef extern from "classes/information.hpp" namespace "ngram::classes" nogil:
    const double kOneBit


cdef extern from "classes/exchange.hpp" namespace "ngram::classes" nogil:
    cdef cppclass ClassBigrams:
        uint32_t count(uint32_t g, uint32_t h) noexcept

    cdef cppclass CExchange "ngram::classes::Exchange":
        CExchange(
            const Bigrams& bigrams, Span[uint32_t] class_of, uint32_t classes,
            unsigned threads,
        ) except +raise_ngram_error
        const ClassBigrams& counts() noexcept
        int64_t likelihood() noexcept
        uint64_t run_pass "pass"(Progress& progress) except +raise_ngram_error
        size_t words() noexcept
        @staticmethod
        size_t block(size_t place) noexcept


cdef extern from "classes/agglomerate.hpp" namespace "ngram::classes" nogil:
    cdef cppclass Merge:
        uint32_t into
        uint32_t merged "from"

    cdef cppclass Agglomeration:
        Agglomeration(
            Span[const_uint32] counts, uint32_t classes, unsigned threads
        ) except +raise_ngram_error
        vector[Merge] run(Progress& progress) except +raise_ngram_error


ONE_BIT = int(kOneBit)


def block_size(size_t place):
    """Return how many words the block holds that begins at a place in the order."""
    return CExchange.block(place)


def exchange(
    TokenIds tokens not None,
    uint32_t[::1] classes not None,  # IN and OUT
    uint32_t n_classes,
    *,
    unsigned iterations,
    unsigned threads=1,
    progress=None,
):
    """Improve the classes of words until no word moves.

    Parameters
    ----------
    tokens : TokenIds
    classes : ndarray of uint32 of shape (vocabulary_size,)
        Below `n_classes`, for id 2 `n_classes`; improved in place.
    n_classes : int
    iterations : int
        Visits of every word, at most.
    threads : int
    progress : callable, optional

    Returns
    -------
    likelihoods : list of int
        Before the first pass and after each, up to a constant of the text: in bits,
        times ONE_BIT.
    counts : ndarray of uint32 of shape (n_classes + 1, n_classes + 1)
        How often each class follows each; the last one is the sentence edge.
    """
    cdef Py_ssize_t word
    for word in range(classes.shape[0]):
        if classes[word] != n_classes if word == 2 else classes[word] >= n_classes:
            raise InputError(
                f"classes[{word}] = {classes[word]}: the class of a word is below "
                f"{n_classes}, that of id 2 is {n_classes}."
            )
    cdef unique_ptr[Progress] watched = watch(progress)
    cdef Span[const_uint32] ids = Span[const_uint32](
        dereference(tokens.pointer).data(), dereference(tokens.pointer).size()
    )
    cdef Span[uint32_t] class_of = Span[uint32_t](&classes[0], classes.shape[0])
    cdef size_t words = classes.shape[0]
    cdef Bigrams bigrams
    cdef unique_ptr[CExchange] work
    cdef vector[int64_t] likelihoods
    cdef unsigned _visit
    with nogil:
        bigrams = count_bigrams(ids, words, threads, dereference(watched))
        work.reset(new CExchange(bigrams, class_of, n_classes, threads))
        likelihoods.push_back(dereference(work).likelihood())
        for _visit in range(iterations):
            dereference(watched).begin("exchange words", dereference(work).words())
            if dereference(work).run_pass(dereference(watched)) == 0:
                break
            likelihoods.push_back(dereference(work).likelihood())
    counts = np.empty((n_classes + 1, n_classes + 1), np.uint32)
    cdef uint32_t[:, ::1] cells = counts
    cdef uint32_t g, h
    for g in range(n_classes + 1):
        for h in range(n_classes + 1):
            cells[g, h] = dereference(work).counts().count(g, h)
    return list(likelihoods), counts


def merge_classes(
    const uint32_t[:, ::1] counts not None, *, unsigned threads=1, progress=None
):
    """Return the merges of a hierarchy over classes, those that lose least first.

    Parameters
    ----------
    counts : ndarray of uint32 of shape (n_classes + 1, n_classes + 1)
        As `exchange` returns them.
    threads : int
    progress : callable, optional

    Returns
    -------
    ndarray of uint32 of shape (n_classes - 1, 2)
        The second class becomes part of the first.
    """
    if counts.shape[0] != counts.shape[1] or counts.shape[0] < 2:
        raise InputError(
            f"counts have the shape ({counts.shape[0]}, {counts.shape[1]}): pass a square "
            "of at least one class and the sentence edge."
        )
    cdef unique_ptr[Progress] watched = watch(progress)
    cdef Span[const_uint32] cells = Span[const_uint32](
        &counts[0, 0], <size_t>(counts.shape[0] * counts.shape[1])
    )
    cdef unique_ptr[Agglomeration] work
    cdef uint32_t classes = <uint32_t>(counts.shape[0] - 1)
    cdef vector[Merge] merges
    with nogil:
        work.reset(new Agglomeration(cells, classes, threads))
        merges = dereference(work).run(dereference(watched))
    pairs = np.empty((merges.size(), 2), np.uint32)
    cdef uint32_t[:, ::1] rows = pairs
    cdef size_t i
    for i in range(merges.size()):
        rows[i, 0] = merges[i].into
        rows[i, 1] = merges[i].merged
    return pairs
