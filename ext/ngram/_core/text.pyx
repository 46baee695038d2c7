"""Texts to ids: corpora for training, batches of texts for scoring.

Input: file paths, blocks of bytes, sentences or arrays. Output: `TokenIds` with the
`Vocabulary` for training; ids and offsets under a given vocabulary for scoring. The
kernels are `text/corpus.hpp` and `text/encode.hpp`. Read next: `estimate.pyx`.
"""

from cpython.unicode cimport PyUnicode_DecodeUTF8
from cython.operator cimport dereference
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libcpp.memory cimport make_shared, shared_ptr
from libcpp.string cimport string
from libcpp.string_view cimport string_view
from libcpp.vector cimport vector

import os

import numpy as np

from ngram._core.buffer cimport Buffer, Span, const_string_view
from ngram._core.progress cimport watch
from ngram._core.vocabulary cimport Vocabulary, view_array, view_text, wrap_vocabulary

from ngram.errors import InputError

TOKENIZERS = ("whitespace", "characters", "bytes")

cdef uint32_t END = 2  # </s>
cdef uint32_t FIRST_WORD = 3


cdef TokenizerKind tokenizer_kind(object name) except *:
    if name == "whitespace":
        return TokenizerKind.kWhitespace
    if name == "characters":
        return TokenizerKind.kCharacters
    if name == "bytes":
        return TokenizerKind.kBytes
    raise InputError(
        f"there is no native tokenizer {name!r}; the native ones are "
        f"{', '.join(map(repr, TOKENIZERS))}."
    )


cdef int view_texts(tuple texts, vector[string_view]& views, list keep) except -1:
    cdef Py_ssize_t index, size = len(texts)
    views.resize(size)
    for index in range(size):
        views[index] = view_text(texts[index], keep)
    return 0


cdef class TokenIds:
    """A corpus as ids: the words of each sentence, then id 2 (`</s>`). Immutable.

    Attributes
    ----------
    sentences : int
        Number of sentences.
    """

    def __cinit__(self):
        self.pointer = make_shared[Buffer[uint32_t]]()

    def __init__(self):
        raise TypeError(
            "use TokenIds.from_arrays(ids, offsets, vocabulary) or CorpusReader.finish()"
        )

    @staticmethod
    def from_arrays(ids, offsets, Vocabulary vocabulary not None):
        """Return a corpus from ids; sentence i is `ids[offsets[i]:offsets[i + 1]]`.

        Parameters
        ----------
        ids : array of int, shape (n_tokens,)
            Each is the id of a word of the vocabulary other than `<unk>`, `<s>` and
            `</s>`: at least 3, below `len(vocabulary)`.
        offsets : array of int, shape (n_sentences + 1,)
            From 0 to n_tokens, not decreasing.
        vocabulary : Vocabulary

        Returns
        -------
        TokenIds

        Raises
        ------
        InputError
            If an id or offset is out of bounds; the message names its position.
        """
        cdef const int64_t[::1] id_values = as_int64(ids, "ids")
        cdef const int64_t[::1] offset_values = as_int64(offsets, "offsets")
        cdef int64_t words = <int64_t>len(vocabulary)
        cdef Py_ssize_t tokens = id_values.shape[0]
        cdef Py_ssize_t sentences = offset_values.shape[0] - 1
        cdef Py_ssize_t sentence, token, wrong = -1
        cdef shared_ptr[Buffer[uint32_t]] pointer = make_shared[Buffer[uint32_t]]()
        cdef uint32_t* out
        if sentences < 0 or offset_values[0] != 0 or offset_values[sentences] != tokens:
            raise InputError(
                f"offsets go from 0 to the number of ids ({tokens}), one more than there "
                "are sentences."
            )
        for sentence in range(sentences):
            if offset_values[sentence] > offset_values[sentence + 1]:
                raise InputError(
                    f"offsets do not decrease, but offsets[{sentence + 1}] = "
                    f"{offset_values[sentence + 1]} is below offsets[{sentence}] = "
                    f"{offset_values[sentence]}."
                )
        dereference(pointer).resize(tokens + sentences)
        out = dereference(pointer).data()
        with nogil:
            for sentence in range(sentences):
                for token in range(
                    offset_values[sentence], offset_values[sentence + 1]
                ):
                    if not FIRST_WORD <= id_values[token] < words:
                        wrong = token
                        break
                    out[0] = <uint32_t>id_values[token]
                    out += 1
                if wrong >= 0:
                    break
                out[0] = END
                out += 1
        if wrong >= 0:
            raise InputError(
                f"ids[{wrong}] = {id_values[wrong]} is not the id of a word: ids are at "
                f"least 3 (0, 1, 2 are <unk>, <s>, </s>) and below {words}, the size of "
                "the vocabulary."
            )
        return wrap_ids(pointer, sentences)

    @property
    def ids(self):
        """All ids with the sentence ends, ndarray of uint32, read-only, not copied."""
        return view_array(
            self,
            dereference(self.pointer).data(),
            <Py_ssize_t>dereference(self.pointer).bytes(),
            np.uint32,
        )

    @property
    def tokens(self):
        """Number of tokens, without sentence ends."""
        return <Py_ssize_t>dereference(self.pointer).size() - self.sentences

    def to_arrays(self):
        """Return (ids, offsets) without sentence ends, as `from_arrays` takes them."""
        ids = self.ids
        ends = np.flatnonzero(ids == END)
        offsets = np.zeros(self.sentences + 1, np.int64)
        offsets[1:] = ends - np.arange(self.sentences)
        return ids[ids != END], offsets

    def __len__(self):
        return <Py_ssize_t>dereference(self.pointer).size()

    def __repr__(self):
        return f"TokenIds({self.sentences} sentences, {self.tokens} tokens)"


cdef TokenIds wrap_ids(shared_ptr[Buffer[uint32_t]] pointer, Py_ssize_t sentences):
    cdef TokenIds ids = TokenIds.__new__(TokenIds)
    ids.pointer = pointer
    ids.sentences = sentences
    return ids


cdef object as_int64(object values, str name):
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(
            f"{name} are a one-dimensional array of integers, not {array.ndim}-dimensional "
            f"of {array.dtype}."
        )
    if array.dtype == np.uint64 and array.size and int(array.max()) >= 2**63:
        raise InputError(f"{name} hold {int(array.max())}, which is out of bounds.")
    return np.ascontiguousarray(array, np.int64)


cdef class CorpusReader:
    """Reads text into ids and a vocabulary; then `finish` gives both.

    Files, streams and sentences may follow each other in any mixture. Ids do not depend
    on the number of threads.

    Parameters
    ----------
    tokenizer : {"whitespace", "characters", "bytes"}
    skip_symbols : bool
        Read the words `<s>`, `</s>` and `<unk>` as white space; else they are errors.
    threads : int
    progress : callable(stage, done, total) or None
        Bytes read so far and in all; a total of 0 is unknown.
    piece_bytes : int
        How much text a thread takes at a time.
    temp_dir : str
        Folder of a temporary file for the ids beyond `id_bytes`; "" keeps all in memory.
    id_bytes : int
    """

    def __cinit__(
        self,
        tokenizer="whitespace",
        *,
        cbool skip_symbols=False,
        unsigned int threads=1,
        progress=None,
        size_t piece_bytes=512 << 10,
        temp_dir="",
        size_t id_bytes=0,
    ):
        self.callback = progress
        self.progress = watch(progress)
        self.pointer.reset(
            new CCorpusReader(
                tokenizer_kind(tokenizer), skip_symbols, threads, piece_bytes,
                Spill(os.fsencode(temp_dir)), id_bytes,
            )
        )

    cdef int open(self) except -1:
        if self.pointer.get() == NULL:
            raise InputError("the reader is finished: make a new one.")
        return 0

    def read_file(self, path):
        """Read a regular file of plain text.

        Parameters
        ----------
        path : str, bytes or PathLike
        """
        self.open()
        cdef string name = os.fsencode(path)
        with nogil:
            dereference(self.pointer).read_file(name, dereference(self.progress))

    def begin_stream(self, name, uint64_t total=0):
        """Begin a text that arrives in blocks; `name` stands in error messages."""
        self.open()
        cdef string bytes_name = os.fsencode(name)
        dereference(self.pointer).begin_stream(
            bytes_name, total, dereference(self.progress)
        )

    def read_block(self, const unsigned char[::1] block not None):
        """Read the next block of the stream. It may end anywhere, within a word too."""
        self.open()
        cdef string_view view
        if block.shape[0] == 0:
            return
        view = string_view(<const char*>&block[0], <size_t>block.shape[0])
        with nogil:
            dereference(self.pointer).read_block(view, dereference(self.progress))

    def end_stream(self):
        """End the stream: a last line without line end is a sentence."""
        self.open()
        with nogil:
            dereference(self.pointer).end_stream(dereference(self.progress))

    def read_sentences(self, sentences):
        """Read sentences, each a str or bytes; a line end within one is white space."""
        self.open()
        cdef tuple texts = tuple(sentences)
        cdef vector[string_view] views
        cdef list keep = []
        view_texts(texts, views, keep)
        with nogil:
            dereference(self.pointer).read_sentences(
                Span[const_string_view](views.data(), views.size()), dereference(self.progress)
            )

    @property
    def sentences(self):
        """Sentences read so far."""
        self.open()
        return dereference(self.pointer).sentences()

    @property
    def tokens(self):
        """Tokens read so far, without sentence ends."""
        self.open()
        return dereference(self.pointer).tokens()

    @property
    def bytes(self):
        """Bytes of text read so far."""
        self.open()
        return dereference(self.pointer).bytes()

    def finish(self):
        """Return (TokenIds, Vocabulary); the reader cannot be used again."""
        self.open()
        cdef Py_ssize_t sentences = dereference(self.pointer).sentences()
        cdef shared_ptr[Buffer[uint32_t]] ids
        cdef shared_ptr[CVocabulary] words
        with nogil:
            ids = dereference(self.pointer).take_ids()
            words = dereference(self.pointer).take_vocabulary()
        self.pointer.reset()
        return wrap_ids(ids, sentences), wrap_vocabulary(words)


cdef class IdBuffers:
    """Owns what `encode_batch` returns views of."""

    cdef Buffer[uint32_t] ids
    cdef Buffer[int64_t] offsets


def encode_batch(texts, Vocabulary vocabulary not None, tokenizer="whitespace"):
    """Return ids and offsets of texts: text i is `ids[offsets[i]:offsets[i + 1]]`.

    Parameters
    ----------
    texts : sequence of str or bytes
    vocabulary : Vocabulary
    tokenizer : {"whitespace", "characters", "bytes"}

    Returns
    -------
    ids : ndarray of shape (n_tokens,), dtype=uint32
        0 for words outside the vocabulary. The words `<unk>`, `<s>` and `</s>` have
        their ids 0, 1 and 2.
    offsets : ndarray of shape (n_texts + 1,), dtype=int64
    """
    cdef tuple kept_texts = tuple(texts)
    cdef vector[string_view] views
    cdef list keep = []
    cdef TokenizerKind kind = tokenizer_kind(tokenizer)
    cdef IdBuffers buffers = IdBuffers()
    cdef EncodeScratch scratch
    view_texts(kept_texts, views, keep)
    with nogil:
        encode(
            Span[const_string_view](views.data(), views.size()),
            dereference(vocabulary.pointer),
            kind,
            buffers.ids,
            buffers.offsets,
            scratch,
        )
    return (
        view_array(
            buffers, buffers.ids.data(), <Py_ssize_t>buffers.ids.bytes(), np.uint32
        ),
        view_array(
            buffers,
            buffers.offsets.data(),
            <Py_ssize_t>buffers.offsets.bytes(),
            np.int64,
        ),
    )


def tokenize(text, tokenizer="whitespace"):
    """Return the tokens of a text as a list of str (bytes escaped as surrogates)."""
    cdef list keep = []
    cdef string_view view = view_text(text, keep)
    cdef TokenizerKind kind = tokenizer_kind(tokenizer)
    cdef vector[string_view] tokens
    cdef string_view token
    with nogil:
        split_text(kind, view, tokens)
    return [
        PyUnicode_DecodeUTF8(token.data(), <Py_ssize_t>token.size(), "surrogateescape")
        for token in tokens
    ]
