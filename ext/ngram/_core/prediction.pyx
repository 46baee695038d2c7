"""Next words: the whole distribution, its best words, draws, and successor lists.

Input: a context as word ids, the last word last. Output: arrays of ids and float64
probabilities. Read next: `ext/engine/prediction/predictor.hpp` (what is computed) and
`successors.hpp` (the lists that make it fast).
"""

from cpython.unicode cimport PyUnicode_DecodeUTF8
from cython.operator cimport dereference
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy
from libcpp.memory cimport make_shared, shared_ptr, unique_ptr
from libcpp.string_view cimport string_view
from libcpp.utility cimport move
from libcpp.vector cimport vector

from ngram._core.buffer cimport const_uint32
from ngram._core.model cimport Table, WordSpan
from ngram._core.progress cimport Progress, watch
from ngram._core.scoring cimport (
    EncodedTexts,
    ScoringModel,
    Span,
    const_string_view,
    encode_texts,
)
from ngram._core.vocabulary cimport view_array, view_text

import numpy as np

from ngram._core.texts import as_texts
from ngram.errors import ModelFileError


cdef class _Storage:
    """Memory of the lists as they were built."""

    cdef vector[SuccessorStorage] orders


cdef object view_words(object owner, PackedSpan span):
    return view_array(
        owner, span.data(), <Py_ssize_t>(span.size() * sizeof(uint64_t)), np.uint64
    )


cdef PackedSpan span_of(dict named, str name, list kept) except *:
    """Return the view of one array and put what keeps it alive into `kept`."""
    array = named.get(name)
    if array is None or array.dtype != np.uint64:
        raise ModelFileError(
            f"the successor lists of the model are damaged: the array {name!r} is missing or "
            "not uint64. Save or download the model again"
        )
    array = np.ascontiguousarray(array).reshape(-1)
    if not array.flags.aligned:
        array = array.copy()
    kept.append(array)
    cdef const uint64_t[::1] words = array
    return PackedSpan(&words[0] if words.shape[0] else NULL, <size_t>words.shape[0])


cdef class SuccessorLists:
    """The words that follow each context of a table, most probable first.

    Made by `build` or `attach`; immutable.
    """

    def __cinit__(self):
        self.table = Table.__new__(Table)
        self.named = {}
        self.kept = []

    def __init__(self):
        raise TypeError("SuccessorLists are made by SuccessorLists.build or .attach")

    @staticmethod
    def build(Table table not None, Py_ssize_t threads=1, object progress=None):
        """Return the lists of a table. The bytes do not depend on `threads`."""
        cdef unsigned int count = <unsigned int>min(max(threads, 1), 1024)
        cdef unique_ptr[Progress] watched = watch(progress)
        cdef _Storage storage = _Storage.__new__(_Storage)
        with nogil:
            storage.orders = TablePredictor.build_lists(
                table.pointer.get()[0], count, dereference(watched)
            )
        cdef SuccessorArrays arrays
        cdef size_t i
        named = {}
        for i in range(storage.orders.size()):
            arrays = storage.orders[i].arrays()
            named[f"{i + 1}.words"] = view_words(storage, arrays.words)
            named[f"{i + 1}.starts_low"] = view_words(storage, arrays.starts_low)
            named[f"{i + 1}.starts_high"] = view_words(storage, arrays.starts_high)
            named[f"{i + 1}.starts_samples"] = view_words(storage, arrays.starts_samples)
        return SuccessorLists.attach(table, named)

    @staticmethod
    def attach(Table table not None, dict named not None):
        """Return the lists over the arrays that `arrays()` gave, read in place.

        Sizes are checked now and every value when it is used, so damaged arrays give
        ModelFileError or wrong words, never a crash.
        """
        cdef SuccessorLists lists = SuccessorLists.__new__(SuccessorLists)
        cdef vector[SuccessorArrays] orders
        cdef SuccessorArrays arrays
        cdef list kept = []
        for order in range(1, table.order + 1):
            arrays.words = span_of(named, f"{order}.words", kept)
            arrays.starts_low = span_of(named, f"{order}.starts_low", kept)
            arrays.starts_high = span_of(named, f"{order}.starts_high", kept)
            arrays.starts_samples = span_of(named, f"{order}.starts_samples", kept)
            orders.push_back(arrays)
        lists.pointer = TablePredictor.attach_lists(table.pointer.get()[0], orders)
        lists.table = table
        lists.named = dict(named)
        lists.kept = kept
        return lists

    def arrays(self):
        """Return the arrays to save, uint64, by name: `ORDER.PART`."""
        return dict(self.named)

    @property
    def bytes(self):
        """Memory of the lists in bytes."""
        return sum(array.nbytes for array in self.named.values())

    def __reduce__(self):
        raise TypeError("SuccessorLists cannot be pickled: pickle the model")

    def __repr__(self):
        return f"SuccessorLists(order={self.table.order}, bytes={self.bytes})"


cdef WordSpan span_of_ids(const uint32_t[::1] context) noexcept:
    return WordSpan(&context[0] if context.shape[0] else NULL, <size_t>context.shape[0])


cdef class PredictingModel(ScoringModel):
    """A scoring model that also predicts the next word.

    Contexts are word ids, uint32, the last word last; `<s>` (1) stands before the first
    word of a sentence. Any thread may read while another one calls `use_successors`.
    """

    cdef shared_ptr[TablePredictor] ready(self) except *:
        if self.predictor.get() == NULL:
            self.use_successors(None)
        return self.predictor

    def use_successors(self, SuccessorLists lists):
        """Predict with these lists from now on, or without lists."""
        cdef shared_ptr[Successors] successors
        if lists is not None:
            if lists.table is not self.table:
                raise ValueError("the successor lists are those of another table")
            successors = lists.pointer
        self.predictor = make_shared[TablePredictor](self.table.pointer, successors)
        self.lists = lists

    @property
    def successors(self):
        """The successor lists in use, or None."""
        return self.lists

    cdef vector[uint32_t] context_of(self, object text, bint bos) except *:
        """Return the ids of the last tokens of a text, as many as can matter."""
        cdef size_t longest = self.table.pointer.get().order() - 1
        cdef list kept = []
        cdef string_view view
        cdef EncodedTexts encoded
        cdef Progress silent
        cdef const uint32_t[::1] foreign
        cdef const uint32_t* ids
        cdef size_t size
        if self.encoder is not None:
            foreign = np.ascontiguousarray(self.encoder(as_texts([text]))[0], np.uint32)
            ids = &foreign[0] if foreign.shape[0] else NULL
            size = <size_t>foreign.shape[0]
        else:
            view = view_text(text, kept)
            encoded = move(encode_texts(
                self.vocabulary.pointer.get()[0], self.kind,
                Span[const_string_view](&view, 1), 1, silent,
            ))
            ids = encoded.ids.data()
            size = encoded.ids.size()
        cdef vector[uint32_t] context
        if bos and size < longest:
            context.push_back(1)
        cdef size_t i
        for i in range(size - min(size, longest), size):
            context.push_back(ids[i])
        return context

    def context_ids(self, text, bint bos=True):
        """Return the ids of the last tokens of a text, as many as can matter."""
        return np.array(self.context_of(text, bos), dtype=np.uint32)

    def next_words(self, text, size_t k, bint bos=True):
        """Return the k most probable words after a text, (str, float), best first."""
        cdef SuccessorLists _alive = self.lists
        cdef shared_ptr[TablePredictor] predictor = self.ready()
        cdef vector[uint32_t] context = self.context_of(text, bos)
        cdef WordSpan words = WordSpan(context.data(), context.size())
        cdef vector[Prediction] best
        with nogil:
            best = predictor.get().next_words(words, k)
        cdef string_view word
        cdef size_t i
        tokens = []
        for i in range(best.size()):
            word = self.vocabulary.pointer.get().word(best[i].word)
            token = PyUnicode_DecodeUTF8(
                word.data(), <Py_ssize_t>word.size(), "surrogateescape"
            )
            tokens.append((token, best[i].probability))
        return tokens

    def distribution_of_ids(self, const uint32_t[::1] context):  # IN
        """Return p(word | context), float64 of shape (V,); `<s>` has 0."""
        cdef SuccessorLists _alive = self.lists  # while the kernel reads
        cdef shared_ptr[TablePredictor] predictor = self.ready()
        cdef WordSpan words = span_of_ids(context)
        cdef double[::1] out = np.empty(predictor.get().vocabulary_size(), np.float64)
        with nogil:
            predictor.get().distribution(words, &out[0])
        return out.base

    def probabilities_of_ids(self, const uint32_t[::1] context, const uint32_t[::1] words):
        """Return p(word | context) of some words, float64; the ids are in the vocabulary."""
        cdef SuccessorLists _alive = self.lists
        cdef shared_ptr[TablePredictor] predictor = self.ready()
        cdef WordSpan before = span_of_ids(context)
        cdef WordSpan wanted = span_of_ids(words)
        cdef double[::1] out = np.empty(words.shape[0], np.float64)
        if words.shape[0]:
            with nogil:
                predictor.get().probabilities(before, wanted, &out[0])
        return out.base

    def ids_with_prefix(self, prefix):
        """Return the ids of the words that begin with a str or bytes, uint32, unsorted."""
        cdef list kept = []
        cdef string_view view = view_text(prefix, kept)
        if self.prefixes.get() == NULL:
            self.prefixes.reset(new PrefixIndex(self.vocabulary.pointer.get()[0]))
        cdef Span[const_uint32] found = self.prefixes.get().find(view)
        cdef uint32_t[::1] out = np.empty(found.size(), np.uint32)
        if found.size():
            memcpy(&out[0], found.data(), found.size() * sizeof(uint32_t))
        return out.base

    def continuations_of_ids(self, const uint32_t[::1] context, size_t width, size_t longest):
        """Return the most probable continuations, (ids, log10 probability), best first."""
        cdef SuccessorLists _alive = self.lists
        cdef shared_ptr[TablePredictor] predictor = self.ready()
        cdef WordSpan words = span_of_ids(context)
        cdef vector[Continuation] found
        with nogil:
            found = predictor.get().continuations(words, width, longest)
        cdef size_t i
        return [(list(found[i].words), found[i].log10_prob) for i in range(found.size())]

    def next_ids(self, const uint32_t[::1] context, size_t k):  # IN
        """Return the k most probable words as a list of (id, probability), best first."""
        cdef SuccessorLists _alive = self.lists
        cdef shared_ptr[TablePredictor] predictor = self.ready()
        cdef WordSpan words = span_of_ids(context)
        cdef vector[Prediction] best
        with nogil:
            best = predictor.get().next_words(words, k)
        cdef size_t i
        return [(best[i].word, best[i].probability) for i in range(best.size())]

    def sample_ids(
        self,
        const uint32_t[::1] context,  # IN
        size_t count,
        double temperature,
        size_t top_k,
        double top_p,
        uint64_t seed,
    ):
        """Return words drawn after the context, uint32: up to `count`, or until `</s>`."""
        cdef SuccessorLists _alive = self.lists
        cdef shared_ptr[TablePredictor] predictor = self.ready()
        cdef WordSpan words = span_of_ids(context)
        cdef SamplingOptions options
        options.temperature = temperature
        options.top_k = top_k
        options.top_p = top_p
        cdef vector[uint32_t] drawn
        with nogil:
            drawn = predictor.get().sample(words, count, options, seed)
        return np.array(drawn, dtype=np.uint32)
