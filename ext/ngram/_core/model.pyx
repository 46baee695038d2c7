"""Table: the n-grams of a model as a structure that answers lookups.

Input: SortedNgrams, or the arrays of a saved model (possibly mapped from a file).
Output: what the scoring kernels read. Read next:
`ext/engine/model/bucketed.hpp`, then `fast.hpp`.
"""

from cython.operator cimport dereference
from libc.stdint cimport uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport make_shared, shared_ptr, unique_ptr
from libcpp.vector cimport vector

from ngram._core.ngrams cimport (
    CCountedNgrams, CountedNgrams, CSortedNgrams, SortedNgrams, wrap_ngrams
)
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


cdef WordSpan words_of(array) except *:
    cdef const uint32_t[::1] words = array
    return WordSpan(&words[0] if words.shape[0] else NULL, <size_t>words.shape[0])


# Order 1, the three words that every vocabulary has: what a Table is before it is given others.
cdef shared_ptr[ModelTable] smallest_table() except *:
    cdef SortedNgrams ngrams = SortedNgrams.from_levels([((), (), (0, 0, 0), ())])
    cdef Progress silent
    return ModelTable.build(ngrams.pointer.get()[0], False, 1, silent)


cdef shared_ptr[ModelTable] SMALLEST = smallest_table()


# The n-grams to build of: emptied if they are to be consumed and nobody else uses them.
cdef shared_ptr[CSortedNgrams] take_sorted(SortedNgrams ngrams, cbool* consume) except *:
    cdef shared_ptr[CSortedNgrams] source = ngrams.pointer
    consume[0] = consume[0] and source.use_count() == 2
    if consume[0]:
        ngrams.pointer = make_shared[CSortedNgrams]()
    return source


cdef shared_ptr[CCountedNgrams] take_counted(CountedNgrams ngrams, cbool* consume) except *:
    cdef shared_ptr[CCountedNgrams] source = ngrams.pointer
    consume[0] = consume[0] and source.use_count() == 2
    if consume[0]:
        ngrams.pointer = make_shared[CCountedNgrams]()
    return source


cdef object block_view(Table table, const Block& block):
    return view_array(
        table, block.words.data(),
        <Py_ssize_t>(block.words.size() * sizeof(uint32_t)), np.uint32,
    ).reshape(-1, block.width)


# The arrays of a table that are small: without those of the n-grams.
cdef dict other_arrays(Table table):
    cdef vector[Block] values = table.pointer.get().value_blocks()
    named = {}
    cdef size_t i
    for i in range(values.size()):
        named[f"values_{i + 2}"] = block_view(table, values[i])
    named["header"] = np.array(table.pointer.get().header(), dtype=np.uint64)
    return named


cdef class Table:
    """N-grams in a query structure: one exact hash table per order.

    Made by `build` or `attach`; immutable. `SortedNgrams` become the structure
    `bucketed`, whose probabilities and back-offs are float32, exactly those of the
    n-grams it was built from (a zero is stored as +0). `CountedNgrams` become `fast`,
    which computes the same numbers from counts, in a third of the memory.
    """

    def __cinit__(self):
        self.pointer = SMALLEST

    def __init__(self):
        raise TypeError("a Table is made by Table.build or Table.attach")

    @staticmethod
    def build(
        ngrams,
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
        cdef shared_ptr[CSortedNgrams] plain
        cdef shared_ptr[CCountedNgrams] counted
        if isinstance(ngrams, CountedNgrams):
            counted = take_counted(ngrams, &consume)
            with nogil:
                table.pointer = ModelTable.build_fast(
                    counted.get()[0], consume, count, dereference(watched)
                )
            return table
        plain = take_sorted(<SortedNgrams?>ngrams, &consume)
        with nogil:
            table.pointer = ModelTable.build(
                plain.get()[0], consume, count, dereference(watched)
            )
        return table

    @staticmethod
    def write(
        ngrams,
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
        shape and CRC-32 (of the filling too), and the other arrays of `arrays()`, which
        are not written. They are the arrays that `build` makes. A file that cannot be
        written gives OSError. `plan`, a ngram.memory.MemoryPlan, says what to hold in
        memory at once; by default, every order while it is built.
        """
        cdef Table table = Table.__new__(Table)
        cdef unsigned int count = <unsigned int>min(thread_count(threads), 1024)
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef WrittenTable written
        cdef TablePlan limits
        if plan is not None:
            limits.dealt_bytes = plan.dealt_bytes
            limits.spill = Spill(os.fsencode(plan.temp_dir))
        cdef shared_ptr[CSortedNgrams] plain
        cdef shared_ptr[CCountedNgrams] counted
        if isinstance(ngrams, CountedNgrams):
            counted = take_counted(ngrams, &consume)
            with nogil:
                table.pointer = ModelTable.write_fast(
                    counted.get()[0], consume, descriptor, offset, limits, count,
                    dereference(watched), written,
                )
        else:
            plain = take_sorted(<SortedNgrams?>ngrams, &consume)
            with nogil:
                table.pointer = ModelTable.write(
                    plain.get()[0], consume, descriptor, offset, limits, count,
                    dereference(watched), written,
                )
        cdef vector[Block] blocks = table.pointer.get().blocks()
        sections = {}
        cdef size_t i
        for i in range(written.sections.size()):
            rows = written.sections[i].bytes // (4 * blocks[i].width)
            sections[f"order_{i + 1}"] = (
                (rows, blocks[i].width), written.sections[i].crc32
            )
        return sections, other_arrays(table)

    @staticmethod
    def attach(arrays, str structure="bucketed.1"):
        """Return the table over the arrays that `arrays()` of a table gave.

        `structure` is its format tag. The arrays are read in place and kept alive; every
        bound is checked, so damaged arrays give ModelFileError or wrong numbers, never a
        crash.
        """
        cdef Table table = Table.__new__(Table)
        cdef cbool fast = structure == "fast.1"
        cdef Arrays views
        cdef FastArrays fast_views
        cdef const uint64_t[::1] header
        cdef list kept = []
        try:
            header_array = aligned(arrays["header"], np.uint64)
            kept.append(aligned(arrays["order_1"], np.uint32).reshape(-1))
            while f"order_{len(kept) + 1}" in arrays:
                name = f"order_{len(kept) + 1}"
                kept.append(aligned(arrays[name], np.uint32).reshape(-1))
            orders = len(kept)
            for order in range(2, orders + 1 if fast else 2):
                kept.append(aligned(arrays[f"values_{order}"], np.uint32).reshape(-1))
        except KeyError as error:
            raise ModelFileError(
                f"the model's n-gram table is damaged: the array {error} is missing. "
                "Save or download the model again"
            ) from None
        header = header_array.reshape(-1)
        views.header = NumberSpan(
            &header[0] if header.shape[0] else NULL, <size_t>header.shape[0]
        )
        views.unigrams = words_of(kept[0])
        for array in kept[1:orders]:
            views.lines.push_back(words_of(array))
        fast_views.header = views.header
        fast_views.unigrams = views.unigrams
        fast_views.lines = views.lines
        for array in kept[orders:]:
            fast_views.values.push_back(words_of(array))
        with nogil:
            if fast:
                table.pointer = ModelTable.attach_fast(fast_views)
            else:
                table.pointer = ModelTable.attach(views)
        table.owner = kept
        return table

    def arrays(self):
        """Return the arrays to save: of uint32 `order_1` .., and `header` of uint64.

        Rows of `order_1` are words (2 numbers, of `fast` 4), rows of every other order
        are lines of 16, one cache line each. The structure `fast` has `values_2` .. too,
        4 numbers a row and of the highest order 1. They are read-only views of the
        table.
        """
        cdef vector[Block] blocks = self.pointer.get().blocks()
        named = {}
        cdef size_t i
        for i in range(blocks.size()):
            named[f"order_{i + 1}"] = block_view(self, blocks[i])
        return named | other_arrays(self)

    def to_sorted(self, object threads=1, object progress=None):
        """Return the n-grams the table was built from, in suffix order."""
        cdef unsigned int count = <unsigned int>min(thread_count(threads), 1024)
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef shared_ptr[CSortedNgrams] ngrams
        with nogil:
            ngrams = self.pointer.get().to_sorted(count, dereference(watched))
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
        return self.pointer.get().name().decode("ascii")

    @property
    def format_tag(self):
        """Tag of the structure in model files."""
        return self.pointer.get().format_tag().decode("ascii")

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
