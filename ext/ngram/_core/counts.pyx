"""NgramCounts: the n-grams of every order of a text with their raw counts.

Input: the ids of a corpus, other counts, or the bytes of a file. Output: arrays in suffix
order, read-only views without copies, and what smoothing derives from them: adjusted
counts, counts of counts, prefixes. The kernels are `counts/ngram_counts.hpp` (what the
arrays mean), `count_ngrams.hpp`, `weigh_counts.hpp`, `merge_counts.hpp` and
`count_file.hpp` beside it.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport make_shared, shared_ptr, static_pointer_cast, unique_ptr
from libcpp.utility cimport move
from libcpp.vector cimport vector

from ngram._core.buffer cimport (
    Buffer,
    Span,
    const_char,
    const_double,
    const_int64,
    const_uint8,
    const_uint32,
)
from ngram._core.progress cimport Progress, raise_ngram_error, watch
from ngram._core.text cimport Spill, TokenIds
from ngram._core.vocabulary cimport (
    CVocabulary,
    CVocabularyBuilder,
    Vocabulary,
    copy_array,
    share_array,
    view_array,
    wrap_vocabulary,
)

import os

import numpy as np

from ngram.errors import InputError, ModelFileError


cdef extern from "base/output_file.hpp" namespace "ngram" nogil:
    cdef cppclass OutputFile:
        OutputFile(int descriptor) noexcept


cdef extern from "counts/count_ngrams.hpp" namespace "ngram" nogil:
    const unsigned kMaxOrder

    cdef cppclass MemoryPlan:
        MemoryPlan() noexcept
        uint64_t round_windows
        uint64_t bucket_windows
        uint64_t chunk_events
        Spill spill

    CNgramCounts count_ngrams(
        Buffer[uint32_t]& ids, uint64_t vocabulary_size, unsigned order,
        const MemoryPlan& plan, unsigned threads, Progress& progress,
    ) except +raise_ngram_error


cdef extern from "counts/weigh_counts.hpp" namespace "ngram" nogil:
    void weigh_counts(
        CNgramCounts& counts, Span[const_uint32] ids, Span[const_double] weights,
        unsigned threads, Progress& progress,
    ) except +raise_ngram_error


cdef extern from "counts/merge_counts.hpp" namespace "ngram" nogil:
    cdef cppclass CountShard:
        const CNgramCounts* counts
        Span[const_uint32] ids
        double weight

    cdef cppclass MergePlan:
        MergePlan() noexcept
        uint64_t sorted_bytes
        Spill spill

    cdef cppclass MergedCounts:
        CNgramCounts counts
        Buffer[uint32_t] kept_words

    MergedCounts merge_counts(
        const vector[CountShard]& shards, const CVocabulary& vocabulary,
        const MergePlan& plan, unsigned threads, Progress& progress,
    ) except +raise_ngram_error


cdef extern from "counts/count_file.hpp" namespace "ngram" nogil:
    cdef cppclass EncodedLevel:
        EncodedLevel() noexcept
        Buffer[uint8_t] children
        Buffer[uint8_t] words
        Buffer[uint8_t] counts

    cdef cppclass WrittenArray:
        uint64_t bytes
        uint32_t crc32

    WrittenArray write_array[T](
        OutputFile& file, uint64_t& offset, const Buffer[T]& array
    ) except +raise_ngram_error

    cdef cppclass LevelBytes:
        LevelBytes() noexcept
        size_t size
        Span[const_uint8] children
        Span[const_uint8] words
        Span[const_uint8] counts
        Span[const_double] fractions

    vector[EncodedLevel] encode_counts(
        const CNgramCounts& counts, unsigned threads, Progress& progress
    ) except +raise_ngram_error
    CNgramCounts decode_counts(
        const vector[LevelBytes]& levels, const Spill& spill, unsigned threads,
        Progress& progress,
    ) except +raise_ngram_error
    Buffer[uint8_t] encode_lengths(
        const CVocabulary& vocabulary
    ) except +raise_ngram_error
    shared_ptr[CVocabulary] decode_vocabulary(
        Span[const_char] strings, Span[const_uint8] lengths, size_t size
    ) except +raise_ngram_error


cdef extern from "counts/find_ngrams.hpp" namespace "ngram" nogil:
    void find_ngrams(
        const CNgramCounts& counts, Span[const_uint32] ids, Span[const_int64] offsets,
        uint32_t* out, unsigned threads, Progress& progress,
    ) except +raise_ngram_error


cdef extern from "ngrams/prefixes.hpp" namespace "ngram" nogil:
    vector[Buffer[uint32_t]] all_prefixes(
        const vector[CountLevel]& levels, unsigned threads, Progress& progress
    ) except +raise_ngram_error


MAX_COUNT = kMaxCount
MAX_ORDER = kMaxOrder


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


cdef object copy_bytes(Buffer[uint8_t]& source):
    return copy_array(source.data(), source.bytes(), np.uint8)


cdef class _EncodedCounts:
    """The orders of counts as the bytes of a file."""

    cdef vector[EncodedLevel] levels

    cdef object view(self, Buffer[uint8_t]& array):
        return view_array(self, array.data(), <Py_ssize_t>array.bytes(), np.uint8)


cdef _EncodedCounts encoded_counts(const shared_ptr[CNgramCounts]& pointer,
                                   unsigned threads, progress):
    cdef unique_ptr[Progress] watched = watch(progress)
    cdef _EncodedCounts encoded = _EncodedCounts.__new__(_EncodedCounts)
    with nogil:
        encoded.levels = move(encode_counts(pointer.get()[0], threads, watched.get()[0]))
    return encoded


# Whether all counts of an order are whole, and stand in its bytes.
cdef cbool is_whole(const shared_ptr[CNgramCounts]& pointer, EncodedLevel& level,
                    size_t index) noexcept:
    return level.counts.size() != 0 or pointer.get().levels[index].size() == 0


# Type, number of items and CRC-32 of an array that is written at an offset, which moves on.
cdef tuple write_bytes(OutputFile* file, uint64_t& offset, Buffer[uint8_t]& array):
    cdef WrittenArray written
    with nogil:
        written = write_array[uint8_t](file[0], offset, array)
    return "U8", written.bytes, written.crc32


cdef tuple write_doubles(OutputFile* file, uint64_t& offset, Buffer[double]& array):
    cdef WrittenArray written
    with nogil:
        written = write_array[double](file[0], offset, array)
    return "F64", written.bytes // sizeof(double), written.crc32


cdef Span[const_uint8] byte_span(const uint8_t[::1] array) noexcept:
    if array.shape[0] == 0:
        return Span[const_uint8]()
    return Span[const_uint8](&array[0], array.shape[0])


cdef object array_of(arrays, order, part, list keep):
    name = f"counts.{order}.{part}"
    array = arrays.get(name)
    kinds = (np.uint8, np.float64) if part == "counts" else (np.uint8,)
    if array is None or array.dtype not in kinds or array.ndim != 1:
        raise ModelFileError(f"the array {name!r} is missing or of another type")
    array = np.require(array, requirements=["C", "A"])
    keep.append(array)
    return array


def encode_vocabulary(Vocabulary vocabulary not None):
    """Return the arrays `strings` and `lengths` of a count file."""
    arrays = vocabulary.arrays()
    cdef Buffer[uint8_t] lengths = encode_lengths(vocabulary.pointer.get()[0])
    return {
        "strings": arrays["strings"][arrays["offsets"][3]:],
        "lengths": copy_bytes(lengths),
    }


def read_vocabulary(const uint8_t[::1] strings, const uint8_t[::1] lengths, size):
    """Return the vocabulary of `size` words in these arrays, which are not trusted."""
    cdef Span[const_char] characters
    if strings.shape[0]:
        characters = Span[const_char](<const char*>&strings[0], strings.shape[0])
    cdef Span[const_uint8] numbers = byte_span(lengths)
    cdef size_t words = size
    cdef shared_ptr[CVocabulary] pointer
    with nogil:
        pointer = decode_vocabulary(characters, numbers, words)
    return wrap_vocabulary(pointer)


cdef class NgramCounts:
    """N-grams of every order in suffix order, with raw counts. Immutable.

    Made by `count`, `merge` and `decode`.
    """

    def __cinit__(self):
        self.pointer = make_shared[CNgramCounts]()

    def __init__(self):
        raise TypeError("NgramCounts are made by ngram.count_ngrams")

    @staticmethod
    def count(TokenIds tokens not None, vocabulary_size, order, *, consume=False,
              const double[::1] weights=None, plan=None, threads=1, progress=None):
        """Count the n-grams of a text.

        Parameters
        ----------
        tokens : TokenIds
        vocabulary_size : int
        order : int
            Length of the longest n-grams, 1 to 255.
        consume : bool, default=False
            Empty `tokens` as soon as possible; nobody may use them afterwards.
        weights : ndarray of float64 of shape (n_sentences,), optional
            Above 0. An n-gram of a sentence counts so much, not 1.
        plan : ngram.memory.MemoryPlan, optional
            What to hold in memory at once; by default, everything. With a folder, the
            counts are in temporary files.
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
        cdef MemoryPlan limits
        if plan is not None:
            limits.round_windows = plan.round_windows
            limits.bucket_windows = plan.bucket_windows
            limits.chunk_events = plan.chunk_events
            limits.spill = Spill(os.fsencode(plan.temp_dir))
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef shared_ptr[Buffer[uint32_t]] ids = tokens.pointer
        cdef Span[const_double] per_sentence
        if weights is not None:
            if weights.shape[0] != tokens.sentences:
                raise InputError(
                    f"there are {weights.shape[0]} weights for {tokens.sentences} sentences"
                )
            if tokens.sentences:
                per_sentence = Span[const_double](&weights[0], weights.shape[0])
        if not consume or weights is not None:
            ids = make_shared[Buffer[uint32_t]]()
            ids.get().append(tokens.pointer.get().data(), tokens.pointer.get().size())
        cdef shared_ptr[CNgramCounts] counts = make_shared[CNgramCounts]()
        cdef Span[const_uint32] text
        with nogil:
            counts.get()[0] = move(
                count_ngrams(
                    ids.get()[0], words, highest, limits, workers, watched.get()[0]
                )
            )
            if per_sentence.size() != 0:
                text = Span[const_uint32](
                    tokens.pointer.get().data(), tokens.pointer.get().size()
                )
                weigh_counts(counts.get()[0], text, per_sentence, workers, watched.get()[0])
        return wrap_counts(counts)

    @staticmethod
    def merge(shards, const double[::1] weights, *, plan=None, threads=1,
              progress=None):
        """Add counts, each times its weight.

        Parameters
        ----------
        shards : sequence of (NgramCounts, Vocabulary)
            Of one order.
        weights : ndarray of float64 of shape (n_shards,)
            Not 0; a negative one subtracts.
        plan : ngram.memory.MemoryPlan, optional
            What to hold in memory at once; by default, all n-grams of all shards.

        Returns
        -------
        counts : NgramCounts
        vocabulary : Vocabulary
            The words in order of first occurrence, the shards read one after the other;
            words whose count became 0 are left out.

        Raises
        ------
        InputError
            If an n-gram would be subtracted more often than it is there.
        """
        cdef CVocabularyBuilder builder
        cdef vector[Buffer[uint32_t]] ids
        cdef vector[CountShard] inputs
        cdef CountShard shard
        cdef NgramCounts counts
        cdef Vocabulary vocabulary
        cdef unsigned workers = threads
        cdef MergePlan limits
        cdef size_t i
        if plan is not None:
            limits.sorted_bytes = plan.sorted_bytes
            limits.spill = Spill(os.fsencode(plan.temp_dir))
        shards = list(shards)
        ids.resize(len(shards))
        for i, (counts, vocabulary) in enumerate(shards):
            if counts.pointer.get().vocabulary_size() != vocabulary.pointer.get().size():
                raise InputError(
                    f"shard {i + 1} has counts of {counts.sizes[0]} words and a vocabulary"
                    f" of {len(vocabulary)}"
                )
            builder.find_or_add_all(vocabulary.pointer.get()[0], ids[i])
            shard.counts = counts.pointer.get()
            shard.ids = Span[const_uint32](ids[i].data(), ids[i].size())
            shard.weight = weights[i]
            inputs.push_back(shard)
        cdef shared_ptr[CVocabulary] words = builder.finish()
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef MergedCounts merged
        cdef shared_ptr[CNgramCounts] pointer = make_shared[CNgramCounts]()
        with nogil:
            merged = move(
                merge_counts(
                    inputs, words.get()[0], limits, workers, watched.get()[0]
                )
            )
            pointer.get()[0] = move(merged.counts)
        union = wrap_vocabulary(words)
        if merged.kept_words.size() != words.get().size():
            union = union.subset(copy_array(
                merged.kept_words.data(), merged.kept_words.bytes(), np.uint32
            ))
        return wrap_counts(pointer), union

    def truncated(self, Py_ssize_t order):
        """Return the counts of the orders up to `order`: what counting to it gives."""
        level_of(self.pointer, order)
        cdef shared_ptr[CNgramCounts] counts = make_shared[CNgramCounts]()
        cdef size_t k
        cdef CountLevel* level
        counts.get().levels.resize(order)
        for k in range(<size_t>order):
            level = &self.pointer.get().levels[k]
            counts.get().levels[k].word.append(level.word.data(), level.word.size())
            counts.get().levels[k].suffix.append(level.suffix.data(), level.suffix.size())
            counts.get().levels[k].count.append(level.count.data(), level.count.size())
        return wrap_counts(counts)

    def encode(self, *, threads=1, progress=None):
        """Return the arrays of a count file, by name (docs/format.md)."""
        cdef dict arrays = {}
        cdef _EncodedCounts encoded = encoded_counts(self.pointer, threads, progress)
        cdef size_t i
        for i in range(encoded.levels.size()):
            name = f"counts.{i + 1}."
            if i > 0:
                arrays[name + "children"] = encoded.view(encoded.levels[i].children)
                arrays[name + "words"] = encoded.view(encoded.levels[i].words)
            if is_whole(self.pointer, encoded.levels[i], i):
                arrays[name + "counts"] = encoded.view(encoded.levels[i].counts)
            else:
                arrays[name + "counts"] = self.level(i + 1)[2]
        return arrays

    def write(self, int descriptor, uint64_t offset, *, threads=1, progress=None):
        """Write the arrays of `encode` into an open file, in blocks.

        They go to `offset`, each filled up to a multiple of 64 bytes with zeros. Return
        by name what is written: the type as in a container, the number of items, and
        the CRC-32 with the zeros.
        """
        cdef dict written = {}
        cdef _EncodedCounts encoded = encoded_counts(self.pointer, threads, progress)
        cdef OutputFile* file = new OutputFile(descriptor)
        cdef size_t i
        try:
            for i in range(encoded.levels.size()):
                name = f"counts.{i + 1}."
                if i > 0:
                    written[name + "children"] = write_bytes(
                        file, offset, encoded.levels[i].children
                    )
                    written[name + "words"] = write_bytes(
                        file, offset, encoded.levels[i].words
                    )
                if is_whole(self.pointer, encoded.levels[i], i):
                    written[name + "counts"] = write_bytes(
                        file, offset, encoded.levels[i].counts
                    )
                else:
                    written[name + "counts"] = write_doubles(
                        file, offset, self.pointer.get().levels[i].count
                    )
                encoded.levels[i] = move(EncodedLevel())
        finally:
            del file
        return written

    @staticmethod
    def decode(arrays, sizes, *, temp_dir="", threads=1, progress=None):
        """Return the counts in the arrays of a file, which are not trusted.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            As `encode` returns them.
        sizes : sequence of int
            Number of n-grams of each order.
        temp_dir : str, default=""
            Folder of temporary files that hold the counts; "" holds them in memory.

        Raises
        ------
        ModelFileError
            If an array is missing, of another type, or not what `encode` makes.
        """
        cdef vector[LevelBytes] levels
        cdef LevelBytes level
        cdef const double[::1] fractions
        cdef unsigned workers = threads
        cdef list keep = []
        cdef Spill spill = Spill(os.fsencode(temp_dir))
        for i, size in enumerate(sizes):
            level = LevelBytes()
            level.size = size
            if i > 0:
                level.children = byte_span(array_of(arrays, i + 1, "children", keep))
                level.words = byte_span(array_of(arrays, i + 1, "words", keep))
            counts = array_of(arrays, i + 1, "counts", keep)
            if counts.dtype == np.float64:
                if counts.shape[0] != size:
                    raise ModelFileError(
                        f"the array 'counts.{i + 1}.counts' has {counts.shape[0]} items, not"
                        f" {size}. The file is damaged."
                    )
                fractions = counts
                if size:
                    level.fractions = Span[const_double](&fractions[0], size)
            else:
                level.counts = byte_span(counts)
            levels.push_back(level)
        cdef shared_ptr[CNgramCounts] pointer = make_shared[CNgramCounts]()
        cdef unique_ptr[Progress] watched = watch(progress)
        with nogil:
            pointer.get()[0] = move(
                decode_counts(levels, spill, workers, watched.get()[0])
            )
        return wrap_counts(pointer)

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
        cdef shared_ptr[void] owner = static_pointer_cast[void, CNgramCounts](self.pointer)
        return (
            share_array(owner, level.word.data(), level.word.bytes(), np.uint32),
            share_array(owner, level.suffix.data(), level.suffix.bytes(), np.uint32),
            share_array(owner, level.count.data(), level.count.bytes(), np.float64),
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
        return copy_array(adjusted.data(), adjusted.bytes(), np.float64)

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
            arrays.append(copy_array(found[order].data(), found[order].bytes(), np.uint32))
        return arrays

    def find(self, const uint32_t[::1] ids, const int64_t[::1] offsets, *, threads=1,
             progress=None):
        """Return the n-grams that end at every position of a text.

        Parameters
        ----------
        ids : ndarray of uint32 of shape (n,)
        offsets : ndarray of int64 of shape (m + 1,)
            Sentence i is `ids[offsets[i]:offsets[i + 1]]`; its positions are `<s>`, its
            words and `</s>`.

        Returns
        -------
        ndarray of uint32 of shape (order, n + 2 * m)
            Indices within the orders; 2**32 - 1 where there is no such n-gram.
        """
        cdef Py_ssize_t sentences = offsets.shape[0] - 1
        if sentences < 0 or offsets[0] != 0 or offsets[sentences] != ids.shape[0]:
            raise InputError("offsets must begin with 0 and end with the number of ids")
        cdef Py_ssize_t i
        for i in range(sentences):
            if offsets[i] > offsets[i + 1]:
                raise InputError("offsets must not decrease")
        found = np.empty((self.order, ids.shape[0] + 2 * sentences), dtype=np.uint32)
        if found.size == 0:
            return found
        cdef uint32_t[:, ::1] out = found
        cdef Span[const_uint32] words
        if ids.shape[0] != 0:
            words = Span[const_uint32](&ids[0], ids.shape[0])
        cdef Span[const_int64] bounds = Span[const_int64](&offsets[0], offsets.shape[0])
        cdef unsigned workers = threads
        cdef unique_ptr[Progress] watched = watch(progress)
        with nogil:
            find_ngrams(
                self.pointer.get()[0], words, bounds, &out[0, 0], workers,
                watched.get()[0],
            )
        return found

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
