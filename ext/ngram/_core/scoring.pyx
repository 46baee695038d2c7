"""ScoringModel: texts or ids in, log10 probabilities out.

Input: a Table, a Vocabulary and a tokenizer. Output: float32 scores of tokens and their
float64 sums. Batches release the GIL. Read next: `ext/engine/scoring/batch.hpp` (many
tokens at once) and `state.hpp` (one after the other).
"""

from cython.operator cimport dereference
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy
from libcpp cimport bool as cbool
from libcpp.memory cimport unique_ptr
from libcpp.string_view cimport string_view
from libcpp.utility cimport move

from ngram._core.progress cimport Progress, watch
from ngram._core.text cimport tokenizer_kind
from ngram._core.texts cimport Texts, decode, view_lines, view_texts
from ngram._core.vocabulary cimport view_text

import numpy as np

from ngram._core.texts import as_texts
from ngram.errors import InputError
from ngram.threads import thread_count

# From this many bytes or tokens on Ctrl-C is let through; watching costs some microseconds.
cdef size_t WATCHED_FROM = 1 << 22


cdef ScoringOptions options_of(cbool bos, cbool eos, object threads) except *:
    cdef ScoringOptions options
    options.bos = bos
    options.eos = eos
    options.threads = <unsigned int>min(thread_count(threads), 1024)
    return options


# The caller owns what comes back.
cdef Progress* new_progress(size_t units) except NULL:
    cdef unique_ptr[Progress] watched
    if units < WATCHED_FROM:
        return new Progress()
    watched = watch(None)
    return watched.release()


# A one-dimensional array of this type, copied only if it is of another one.
cdef object integers(object values, str name, object dtype):
    try:
        array = np.asarray(values)
    except ValueError:  # lists of different lengths
        array = np.empty((), dtype=np.object_)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(
            f"{name} is a {type(values).__name__} ({array.ndim}-dimensional, of "
            f"{array.dtype}): pass a one-dimensional array of integers, {np.dtype(dtype)}"
        )
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array
    if array.size:
        bounds = np.iinfo(dtype)
        least, most = int(array.min()), int(array.max())
        if least < bounds.min or most > bounds.max:
            raise InputError(
                f"{name} has {least if least < bounds.min else most}: pass integers from "
                f"{bounds.min} to {bounds.max}"
            )
    return np.require(array, dtype, ["C", "A"])


cdef IdSentences sentences_of(
    Table table,
    const uint32_t[::1] ids,  # IN
    const int64_t[::1] offsets,  # IN
) except *:
    cdef IdSentences sentences
    sentences.ids = Span[const_uint32](
        &ids[0] if ids.shape[0] else NULL, <size_t>ids.shape[0]
    )
    sentences.offsets = Span[const_int64](
        &offsets[0] if offsets.shape[0] else NULL, <size_t>offsets.shape[0]
    )
    check(sentences, table.pointer.get().vocabulary_size())
    return sentences


cdef class State:
    """The words before the next one, as far as they can still change its score.

    Made by `ScoringModel.state`, `null_state` and `advance`; immutable. Equal states
    score every continuation equally: states work as keys, so a decoder can merge
    hypotheses. `len(state)` is the number of words kept, fewer than the order.
    """

    def __init__(self):
        raise TypeError("a State is made by model.state(), null_state() or advance()")

    @property
    def words(self):
        """The word ids kept, in the order of the text: a tuple of int."""
        cdef size_t length = self.context.length()
        cdef size_t i
        return tuple([self.context.word(length - 1 - i) for i in range(length)])

    def __len__(self):
        return <Py_ssize_t>self.context.length()

    def __hash__(self):
        return <Py_hash_t>self.context.hash()

    def __eq__(self, other):
        if not isinstance(other, State):
            return NotImplemented
        return self.context.same_words((<State>other).context)

    def __lt__(self, other):
        if not isinstance(other, State):
            return NotImplemented
        return self.words < other.words

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        cdef size_t length = self.context.length()
        cells = np.empty(length * sizeof(ContextCell), dtype=np.uint8)
        cdef uint8_t[::1] bytes_out = cells
        cdef ContextCell cell
        cdef size_t i
        for i in range(length):
            cell = self.context.cell(i)
            memcpy(&bytes_out[i * sizeof(ContextCell)], &cell, sizeof(ContextCell))
        return restore_state, (cells.tobytes(),)

    def __repr__(self):
        return f"State(words={self.words})"


def restore_state(bytes cells):
    """Return the State that was pickled."""
    cdef const uint8_t[::1] bytes_in = np.frombuffer(cells, dtype=np.uint8)
    cdef State state = State.__new__(State)
    cdef ContextCell cell
    cdef size_t length = bytes_in.shape[0] // sizeof(ContextCell)
    cdef size_t i
    if <size_t>bytes_in.shape[0] != length * sizeof(ContextCell) or length > 255:
        raise ValueError("not a pickled State")
    for i in range(length):
        memcpy(&cell, &bytes_in[i * sizeof(ContextCell)], sizeof(ContextCell))
        state.context.push(cell)
    return state


cdef class ScoringModel:
    """A model that scores text. Immutable, so any thread may use it.

    Parameters
    ----------
    table : Table
    vocabulary : Vocabulary
        As many words as the table.
    tokenizer : {"whitespace", "characters", "bytes"}, default="whitespace"
    encoder : callable, default=None
        `encoder(texts)` gives `ids` uint32 and `offsets` int64 for a list of str, in
        place of `tokenizer`: the way in for a foreign tokenizer.
    """

    def __cinit__(
        self,
        Table table not None,
        Vocabulary vocabulary not None,
        str tokenizer not None="whitespace",
        object encoder=None,
        **_subclass_options,
    ):
        cdef size_t words = vocabulary.pointer.get().size()
        if table.pointer.get().vocabulary_size() != words or words <= 2:
            raise InputError(
                f"the table has {table.vocabulary_size} words and the vocabulary {words}: "
                "they belong to different models"
            )
        self.table = table
        self.vocabulary = vocabulary
        self.encoder = encoder
        self.kind = TokenizerKind.kWhitespace
        if encoder is None:
            self.kind = tokenizer_kind(tokenizer)

    @property
    def order(self):
        """Length of the longest n-grams."""
        return <Py_ssize_t>self.table.pointer.get().order()

    def score(self, text, bos=True, eos=True):
        """Return the log10 probability of one sentence.

        Parameters
        ----------
        text : str or bytes
        bos : bool, default=True
            Whether `<s>` precedes it.
        eos : bool, default=True
            Whether `</s>` follows it and is scored.

        Returns
        -------
        float
            log10; the float64 sum of the float32 scores of its tokens.
        """
        cdef list kept
        cdef string_view view
        cdef double total = 0
        cdef ScoringOptions options
        cdef Progress silent
        if self.encoder is not None:
            return float(self.score_batch([text], bos, eos, 1)[0])
        kept = []
        view = view_text(text, kept)
        options.bos = bos
        options.eos = eos
        options.threads = 1
        with nogil:
            score_texts(
                self.table.pointer.get()[0], self.vocabulary.pointer.get()[0], self.kind,
                Span[const_string_view](&view, 1), options, silent, TextTotals(&total, NULL, NULL),
            )
        return total

    def score_batch(self, texts, bos=True, eos=True, threads=None):
        """Return the log10 probability of every sentence.

        Parameters
        ----------
        texts : iterable of str or bytes
            One sentence each: a list, a NumPy array of strings, or a column in the Arrow
            PyCapsule interface (pyarrow, Polars, pandas), which is read where it lies.
        bos, eos : bool, default=True
            As in `score`.
        threads : int, default=None
            None: as many as the process may use.

        Returns
        -------
        ndarray of shape (n_texts,), dtype=float64, log10
        """
        cdef ScoringOptions options = options_of(bos, eos, threads)
        if self.encoder is not None:
            ids, offsets = self.encoder(as_texts(texts))
            return self.score_id_sums(ids, offsets, bos, eos, threads)
        return self.score_views(view_texts(texts), options)[0]

    def score_sentences(self, texts, bos=True, eos=True, threads=None):
        """Return what perplexities are made of, for every sentence.

        Parameters
        ----------
        texts, bos, eos, threads
            As in `score_batch`.

        Returns
        -------
        log10_prob : ndarray of shape (n_texts,), dtype=float64, log10
        tokens : ndarray of shape (n_texts,), dtype=uint32
            Tokens of the text, without `</s>`.
        oov : ndarray of shape (n_texts,), dtype=uint32
            How many of them are outside the vocabulary.
        """
        cdef ScoringOptions options = options_of(bos, eos, threads)
        if self.encoder is not None:
            return self.score_encoded(as_texts(texts), bos, eos, threads)
        return self.score_views(view_texts(texts), options)

    def score_lines(self, data, bos=True, eos=True, threads=None):
        """Return what perplexities are made of, for every line of a block of text.

        The fastest way to score a file: no line becomes a Python object.

        Parameters
        ----------
        data : bytes-like
            Lines that end in LF; what follows the last LF is a line if not empty.
        bos, eos, threads
            As in `score_batch`.

        Returns
        -------
        offsets : ndarray of shape (n_lines + 1,), dtype=int64
            Line i is `data[offsets[i]:offsets[i + 1]]`, with its LF.
        log10_prob, tokens, oov : ndarray of shape (n_lines,)
            As in `score_sentences`.
        """
        cdef ScoringOptions options = options_of(bos, eos, threads)
        cdef Texts lines = view_lines(data)
        cdef size_t size = lines.views.size()
        cdef size_t i
        offsets = np.zeros(size + 1, dtype=np.int64)
        cdef int64_t[::1] out = offsets
        for i in range(size):
            out[i + 1] = out[i] + <int64_t>lines.views[i].size() + 1
        out[size] = min(out[size], <int64_t>lines.bytes)
        if self.encoder is not None:
            texts = [decode(lines.views[i]) for i in range(size)]
            return offsets, *self.score_encoded(texts, bos, eos, threads)
        return offsets, *self.score_views(lines, options)

    cdef tuple score_views(self, Texts texts, ScoringOptions options):
        cdef size_t size = texts.views.size()
        cdef unique_ptr[Progress] watched = unique_ptr[Progress](new_progress(texts.bytes))
        sums = np.zeros(size, dtype=np.float64)
        tokens = np.zeros(size, dtype=np.uint32)
        oov = np.zeros(size, dtype=np.uint32)
        cdef double[::1] sums_out = sums
        cdef uint32_t[::1] tokens_out = tokens
        cdef uint32_t[::1] oov_out = oov
        if size != 0:
            with nogil:
                score_texts(
                    self.table.pointer.get()[0], self.vocabulary.pointer.get()[0],
                    self.kind, texts.span(), options, dereference(watched),
                    TextTotals(&sums_out[0], &tokens_out[0], &oov_out[0]),
                )
        return sums, tokens, oov

    cdef tuple score_encoded(self, list texts, object bos, object eos, object threads):
        ids, offsets = self.encoder(texts)
        tokens = np.diff(offsets).astype(np.uint32)
        unknown = np.concatenate(([0], np.cumsum(np.equal(ids, 0))))
        oov = np.diff(unknown[offsets]).astype(np.uint32)
        return self.score_id_sums(ids, offsets, bos, eos, threads), tokens, oov

    def score_tokens(self, texts, bos=True, eos=True, threads=None):
        """Return scores of every token of all sentences, one after the other.

        Parameters
        ----------
        texts, bos, eos, threads
            As in `score_batch`.

        Returns
        -------
        log10_prob : ndarray of shape (n_tokens,), dtype=float32
        ngram_length : ndarray of shape (n_tokens,), dtype=uint8
            Length of the longest n-gram that matched.
        is_oov : ndarray of shape (n_tokens,), dtype=bool
            The tokens of a sentence, then `</s>` if `eos`.
        """
        cdef ScoringOptions options = options_of(bos, eos, threads)
        ids, offsets = self.encode(texts, threads)
        log10_prob, ngram_length = self.score_ids(ids, offsets, bos, eos, threads)
        is_oov = np.zeros(len(log10_prob), dtype=np.bool_)
        sentences = len(offsets) - 1
        if options.eos:
            places = np.ones(len(log10_prob), dtype=np.bool_)
            places[offsets[1:] + np.arange(sentences)] = False
            is_oov[places] = ids == 0
        else:
            np.equal(ids, 0, out=is_oov)
        return log10_prob, ngram_length, is_oov

    def full_scores(self, text, bos=True, eos=True):
        """Return (log10_prob, ngram_length, is_oov) of every token of one sentence.

        A list of (float, int, bool): the tokens, then `</s>` if `eos`.
        """
        arrays = self.score_tokens([text], bos, eos, 1)
        return list(zip(*[array.tolist() for array in arrays], strict=True))

    def encode(self, texts, threads=None):
        """Return the word ids of texts: `ids` uint32 and `offsets` int64.

        Text i is `ids[offsets[i]:offsets[i + 1]]`, without `<s>` and `</s>`; 0 is a token
        outside the vocabulary.
        """
        if self.encoder is not None:
            return self.encoder(as_texts(texts))
        cdef Texts batch = view_texts(texts)
        cdef unique_ptr[Progress] watched = unique_ptr[Progress](new_progress(batch.bytes))
        cdef unsigned int count = <unsigned int>min(thread_count(threads), 1024)
        cdef EncodedTexts encoded
        with nogil:
            encoded = move(encode_texts(
                self.vocabulary.pointer.get()[0], self.kind, batch.span(), count,
                dereference(watched),
            ))
        cdef uint32_t[::1] ids = np.empty(encoded.ids.size(), dtype=np.uint32)
        cdef int64_t[::1] offsets = np.empty(encoded.offsets.size(), dtype=np.int64)
        if ids.shape[0]:
            memcpy(&ids[0], encoded.ids.data(), encoded.ids.size() * sizeof(uint32_t))
        memcpy(&offsets[0], encoded.offsets.data(), encoded.offsets.size() * sizeof(int64_t))
        return ids.base, offsets.base

    def score_ids(
        self,
        ids,  # IN
        offsets,  # IN
        bos=True,
        eos=True,
        threads=None,
    ):
        """Return scores of every token of sentences of word ids.

        Parameters
        ----------
        ids : array of int, shape (n_ids,)
            uint32 is read in place, other integers are copied.
        offsets : array of int, shape (n_sentences + 1,)
            int64 is read in place. Sentence i is `ids[offsets[i]:offsets[i + 1]]`.
        bos, eos, threads
            As in `score_batch`.

        Returns
        -------
        log10_prob : ndarray of shape (n_tokens,), dtype=float32
        ngram_length : ndarray of shape (n_tokens,), dtype=uint8
            With `eos`, one more per sentence than ids: those of sentence i begin at
            `offsets[i] + i`.

        Raises
        ------
        InputError
            If they are no integers, an id is outside the vocabulary or the offsets do not
            fit.
        """
        cdef ScoringOptions options = options_of(bos, eos, threads)
        cdef const uint32_t[::1] id_values = integers(ids, "ids", np.uint32)
        cdef const int64_t[::1] offset_values = integers(offsets, "offsets", np.int64)
        cdef IdSentences sentences = sentences_of(self.table, id_values, offset_values)
        cdef size_t tokens = id_values.shape[0] + (sentences.size() if options.eos else 0)
        cdef unique_ptr[Progress] watched = unique_ptr[Progress](new_progress(tokens))
        log10_prob = np.empty(tokens, dtype=np.float32)
        ngram_length = np.empty(tokens, dtype=np.uint8)
        cdef float[::1] log10_prob_out = log10_prob
        cdef uint8_t[::1] length_out = ngram_length
        if tokens != 0:
            with nogil:
                score_id_tokens(
                    self.table.pointer.get()[0], sentences, options, dereference(watched),
                    &log10_prob_out[0], &length_out[0],
                )
        return log10_prob, ngram_length

    def score_id_sums(
        self,
        ids,  # IN
        offsets,  # IN
        bos=True,
        eos=True,
        threads=None,
    ):
        """Return the log10 probability of sentences of word ids, float64.

        Parameters and errors as in `score_ids`.
        """
        cdef ScoringOptions options = options_of(bos, eos, threads)
        cdef const uint32_t[::1] id_values = integers(ids, "ids", np.uint32)
        cdef const int64_t[::1] offset_values = integers(offsets, "offsets", np.int64)
        cdef IdSentences sentences = sentences_of(self.table, id_values, offset_values)
        cdef unique_ptr[Progress] watched = unique_ptr[Progress](
            new_progress(id_values.shape[0])
        )
        sums = np.zeros(sentences.size(), dtype=np.float64)
        cdef double[::1] out = sums
        if sentences.size() != 0:
            with nogil:
                score_id_sums(
                    self.table.pointer.get()[0], sentences, options, dereference(watched),
                    &out[0],
                )
        return sums

    def null_state(self):
        """Return the state without context."""
        return State.__new__(State)

    def state(self, bos=True):
        """Return the state at the beginning of a sentence, after `<s>` if `bos`."""
        cdef State null = State.__new__(State)
        cdef State begin
        if not bos:
            return null
        begin = State.__new__(State)
        advance_state(self.table.pointer.get()[0], null.context, 1, begin.context)
        return begin

    def advance(self, State state not None, token):
        """Return (log10_prob, new state) of one token after a state.

        Parameters
        ----------
        state : State
            Of this model.
        token : str or bytes
            One token; `"</s>"` ends a sentence. Outside the vocabulary it is `<unk>`.
        """
        cdef list kept = []
        cdef uint32_t word = self.vocabulary.pointer.get().find(view_text(token, kept))
        cdef State after = State.__new__(State)
        cdef WordScore score = advance_state(
            self.table.pointer.get()[0], state.context, word, after.context
        )
        return score.log10_prob, after

    def advance_ids(self, State state not None, uint32_t word):
        """Return (log10_prob, ngram_length, new state) of one word id after a state."""
        cdef State after
        cdef WordScore score
        if word >= self.table.pointer.get().vocabulary_size():
            raise InputError(
                f"an id is {word}, but the vocabulary has {self.table.vocabulary_size} words"
            )
        after = State.__new__(State)
        score = advance_state(
            self.table.pointer.get()[0], state.context, word, after.context
        )
        return score.log10_prob, score.ngram_length, after
