"""Table: the n-grams of a model as a structure that answers lookups.

Input: SortedNgrams, or the arrays of a saved model (possibly mapped from a file).
Output: what the scoring kernels read. Read next: `ext/engine/model/bucketed.hpp`.
"""

from cython.operator cimport dereference
from libc.stdint cimport uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport make_shared, shared_ptr, unique_ptr
from libcpp.vector cimport vector

from ngram._core.ngrams cimport CSortedNgrams, SortedNgrams, wrap_ngrams
from ngram._core.progress cimport Progress, watch
from ngram._core.text cimport Spill
from ngram._core.vocabulary cimport view_array

import os

import numpy as np

from ngram.errors import ModelFileError
from ngram.threads import thread_count


cdef object aligned(array, dtype):
    """Return the array itself if the engine can read it in place, or a copy it can."""
    array = np.asarray(array)
    if array.dtype != dtype:
        raise ModelFileError(
            f"the model's n-gram table is damaged: an array has type {array.dtype}, not "
            f"{np.dtype(dtype)}. Save or download the model again"
        )
    if array.flags.c_contiguous and array.flags.aligned:
        return array
    return np.array(array, dtype=dtype, order="C")


# Order 1, the three words that every vocabulary has: what a Table is before it is given others.
cdef shared_ptr[Bucketed] smallest_table() except *:
    cdef SortedNgrams ngrams = SortedNgrams.from_levels([((), (), (0, 0, 0), ())])
    cdef Progress silent
    return BucketedBuilder.build(ngrams.pointer.get()[0], False, 1, silent)


cdef shared_ptr[Bucketed] SMALLEST = smallest_table()


cdef class Table:
    """N-grams in the structure `bucketed`: one exact hash table per order.

    Made by `build` or `attach`; immutable. Probabilities and back-offs are float32,
    exactly those of the n-grams it was built from (a zero is stored as +0).
    """

    def __cinit__(self):
        self.pointer = SMALLEST

    def __init__(self):
        raise TypeError("a Table is made by Table.build or Table.attach")

    @staticmethod
    def build(
        SortedNgrams ngrams not None,
        object threads=1,
        object progress=None,
        *,
        cbool consume=False,
    ):
        """Return the table of n-grams. The bytes do not depend on `threads`.

        With `consume` each order is freed as soon as it is placed, and `ngrams` is empty
        afterwards (unless arrays of it are in use: then it stays as it is).
        """
        cdef Table table = Table.__new__(Table)
        cdef unsigned int count = <unsigned int>min(thread_count(threads), 1024)
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef shared_ptr[CSortedNgrams] source = ngrams.pointer
        if consume and source.use_count() == 2:
            ngrams.pointer = make_shared[CSortedNgrams]()
        else:
            consume = False
        with nogil:
            table.pointer = BucketedBuilder.build(
                source.get()[0], consume, count, dereference(watched)
            )
        return table

    @staticmethod
    def write(
        SortedNgrams ngrams not None,
        int descriptor,
        uint64_t offset,
        object threads=1,
        object progress=None,
        *,
        cbool consume=False,
        plan=None,
    ):
        """Build the table of n-grams in an open file, without holding it in memory.

        The arrays of `order_1`, `order_2`, .. begin at `offset`, one after the other,
        each filled up to a multiple of 64 bytes with zeros. Return them by name, as
        shape and CRC-32 (of the filling too), and the array `header`, which is not
        written. They are the arrays that `build` makes. A file that cannot be written
        gives OSError. `plan`, a ngram.memory.MemoryPlan, says what to hold in memory
        at once; by default, every order while it is built.
        """
        cdef unsigned int count = <unsigned int>min(thread_count(threads), 1024)
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef shared_ptr[CSortedNgrams] source = ngrams.pointer
        cdef WrittenTable written
        cdef TablePlan limits
        if plan is not None:
            limits.dealt_bytes = plan.dealt_bytes
            limits.spill = Spill(os.fsencode(plan.temp_dir))
        if consume and source.use_count() == 2:
            ngrams.pointer = make_shared[CSortedNgrams]()
        else:
            consume = False
        with nogil:
            written = BucketedBuilder.write(
                source.get()[0], consume, descriptor, offset, limits, count,
                dereference(watched),
            )
        sections = {}
        cdef size_t i
        for i in range(written.sections.size()):
            width = 2 if i == 0 else 16
            rows = written.sections[i].bytes // (4 * width)
            sections[f"order_{i + 1}"] = ((rows, width), written.sections[i].crc32)
        return sections, np.array(written.header, dtype=np.uint64)

    @staticmethod
    def attach(arrays):
        """Return the table over the arrays that `arrays()` of a table gave.

        They are read in place and kept alive; every bound is checked, so damaged arrays
        give ModelFileError or wrong numbers, never a crash.
        """
        cdef Table table = Table.__new__(Table)
        cdef Arrays views
        cdef const uint64_t[::1] header
        cdef const uint32_t[::1] words
        try:
            header_array = aligned(arrays["header"], np.uint64)
            line_arrays = [aligned(arrays["order_1"], np.uint32).reshape(-1)]
            while f"order_{len(line_arrays) + 1}" in arrays:
                name = f"order_{len(line_arrays) + 1}"
                line_arrays.append(aligned(arrays[name], np.uint32).reshape(-1))
        except KeyError as error:
            raise ModelFileError(
                f"the model's n-gram table is damaged: the array {error} is missing. "
                "Save or download the model again"
            ) from None
        header = header_array.reshape(-1)
        views.header = NumberSpan(
            &header[0] if header.shape[0] else NULL, <size_t>header.shape[0]
        )
        for index, array in enumerate(line_arrays):
            words = array
            span = WordSpan(
                &words[0] if words.shape[0] else NULL, <size_t>words.shape[0]
            )
            if index == 0:
                views.unigrams = span
            else:
                views.lines.push_back(span)
        with nogil:
            table.pointer = Bucketed.attach(views)
        table.owner = line_arrays
        return table

    def arrays(self):
        """Return the arrays to save: `order_1` .. as uint32 rows, and `header` uint64.

        `order_1` has shape (words, 2), every other order (lines, 16), one cache line a
        row. They are read-only views of the table.
        """
        cdef vector[uint64_t] header = self.pointer.get().header()
        cdef vector[WordSpan] blocks = self.pointer.get().blocks()
        named = {}
        cdef size_t i
        for i in range(blocks.size()):
            shape = (-1, 2 if i == 0 else 16)
            named[f"order_{i + 1}"] = view_array(
                self,
                blocks[i].data(),
                <Py_ssize_t>(blocks[i].size() * sizeof(uint32_t)),
                np.uint32,
            ).reshape(shape)
        named["header"] = np.array(header, dtype=np.uint64)
        return named

    def to_sorted(self, object threads=1, object progress=None):
        """Return the n-grams the table was built from, in suffix order."""
        cdef unsigned int count = <unsigned int>min(thread_count(threads), 1024)
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef shared_ptr[CSortedNgrams] ngrams
        with nogil:
            ngrams = BucketedEnumerator.enumerate(
                self.pointer.get()[0], count, dereference(watched)
            )
        return wrap_ngrams(ngrams)

    @property
    def order(self):
        """Length of the longest n-grams."""
        return <Py_ssize_t>self.pointer.get().order()

    @property
    def vocabulary_size(self):
        """Number of words."""
        return <Py_ssize_t>self.pointer.get().vocabulary_size()

    @property
    def counts(self):
        """Number of n-grams of each order, a tuple of int."""
        return tuple([row["ngrams"] for row in self.memory_statistics()])

    @property
    def bytes(self):
        """Memory of the table in bytes."""
        return self.pointer.get().bytes()

    @property
    def name(self):
        """Name of the structure."""
        return Bucketed.name().decode("ascii")

    @property
    def format_tag(self):
        """Tag of the structure in model files."""
        return Bucketed.format_tag().decode("ascii")

    def memory_statistics(self):
        """Return one dict per order: order, ngrams, bytes, load, max_displacement, key_bits."""
        cdef vector[OrderStatistics] rows = self.pointer.get().memory_statistics()
        cdef size_t i
        return [
            {
                "order": i + 1,
                "ngrams": rows[i].ngrams,
                "bytes": rows[i].bytes,
                "load": rows[i].load,
                "max_displacement": rows[i].max_displacement,
                "key_bits": rows[i].key_bits,
            }
            for i in range(rows.size())
        ]

    def __reduce__(self):
        raise TypeError("a Table cannot be pickled: pickle the model")

    def __repr__(self):
        return f"Table(name={self.name!r}, order={self.order}, counts={self.counts})"
