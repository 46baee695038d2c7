"""KenLM's Python interface over KenLM's binary files and our tables.

Input: the bytes of a KenLM binary file, or a Table and a Vocabulary; words, contexts and
sentences. Output: log10 probabilities, to the bit those of the package kenlm, whose names
these are. The kernel is `kenlm/model.hpp`; paths and other formats are the work of
`ngram/kenlm.py`.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport (
    PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
)
from cpython.unicode cimport PyUnicode_DecodeUTF8
from cython.operator cimport dereference
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy
from libcpp cimport bool as cbool
from libcpp.memory cimport shared_ptr, unique_ptr
from libcpp.string cimport string
from libcpp.string_view cimport string_view
from libcpp.utility cimport move
from libcpp.vector cimport vector

from ngram._core.buffer cimport Buffer, Span, const_char
from ngram._core.model cimport Bucketed, Table
from ngram._core.ngrams cimport CSortedNgrams, SortedNgrams
from ngram._core.progress cimport Progress, raise_ngram_error, watch
from ngram._core.vocabulary cimport CVocabulary, Vocabulary

from ngram.errors import InputError


ctypedef const Bucketed const_Bucketed
ctypedef const CVocabulary const_Vocabulary


cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL


cdef extern from "kenlm/file.hpp" namespace "ngram::kenlm" nogil:
    cbool is_kenlm_file "ngram::kenlm::is_kenlm"(Span[const_char] file) noexcept


cdef extern from "kenlm/context.hpp" namespace "ngram::kenlm" nogil:
    cdef cppclass Context:
        Context() noexcept
        size_t length() noexcept
        uint32_t* words() noexcept
        uint32_t* backoffs() noexcept
        void reserve(size_t length) except +raise_ngram_error
        void set_length(size_t length) noexcept
        int compare(const Context& other) noexcept
        uint64_t hash() noexcept


cdef extern from "kenlm/search.hpp" namespace "ngram::kenlm" nogil:
    cdef cppclass WordScore:
        float log10_prob
        uint32_t ngram_length

    cdef cppclass IdMap:
        IdMap() noexcept
        IdMap(
            uint32_t bos_row, uint32_t eos_row, uint32_t size
        ) except +raise_ngram_error


cdef extern from "kenlm/model.hpp" namespace "ngram::kenlm" nogil:
    cdef cppclass CModel "const ngram::kenlm::Model":
        size_t order() noexcept
        const char* kind() noexcept
        uint32_t size() noexcept
        uint32_t find(string_view word) noexcept
        vector[string_view] spellings() except +raise_ngram_error
        WordScore advance(
            const Context& before, uint32_t word, Context& after
        ) except +raise_ngram_error
        float score(
            string_view sentence, cbool bos, cbool eos
        ) except +raise_ngram_error
        uint32_t eos() noexcept
        const Context& begin_context() noexcept

    string_view next_word(string_view& text) noexcept
    string_view until_nul(string_view word) noexcept
    shared_ptr[CModel] open_file(Span[const_char] file) except +raise_ngram_error
    shared_ptr[CModel] open_table(
        shared_ptr[const_Bucketed] table, shared_ptr[const_Vocabulary] vocabulary, IdMap map
    ) except +raise_ngram_error


cdef extern from "kenlm/file.hpp" namespace "ngram::kenlm" nogil:
    cdef enum class Kind "ngram::kenlm::Kind"(uint32_t):
        kProbing
        kRestProbing
        kTrie
        kQuantTrie
        kArrayTrie
        kQuantArrayTrie


cdef extern from "kenlm/build.hpp" namespace "ngram::kenlm" nogil:
    cdef cppclass BuildOptions:
        BuildOptions() noexcept
        Kind kind
        float multiplier
        unsigned int prob_bits
        unsigned int backoff_bits
        unsigned int pointer_limit
        cbool has_words
        cbool unk_added

    uint64_t build_bytes(
        const vector[uint64_t]& counts, const BuildOptions& options
    ) except +raise_ngram_error
    Buffer[char] build_file(
        const CSortedNgrams& ngrams, const CVocabulary& vocabulary, const BuildOptions& options,
        const IdMap& map, unsigned int threads, Progress& progress,
    ) except +raise_ngram_error


cdef extern from "kenlm/query.hpp" namespace "ngram::kenlm" nogil:
    cdef cppclass QueryOptions:
        QueryOptions() noexcept
        cbool context
        cbool words
        cbool lines

    cdef cppclass QueryTotals:
        double log10_prob
        double oov_log10_prob
        uint64_t oov
        uint64_t tokens

    cdef cppclass CQuery "ngram::kenlm::Query":
        CQuery(const CModel& model, const QueryOptions& options) except +raise_ngram_error
        const QueryTotals& totals() noexcept
        void print_lines "print"(
            string_view text, string& out
        ) except +raise_ngram_error


# Of a context; models have smaller orders.
cdef size_t MOST_WORDS = 1000

# Shorter sentences are scored before another thread could take over.
cdef size_t RELEASE_FROM = 512


# The UTF-8 of a str, in place, or the bytes of a bytes object.
cdef inline string_view view(object text) except *:
    cdef const char* data
    cdef Py_ssize_t size = 0
    if isinstance(text, str):
        data = PyUnicode_AsUTF8AndSize(text, &size)
        return string_view(data, <size_t>size)
    if isinstance(text, bytes):
        return string_view(PyBytes_AS_STRING(text), <size_t>PyBytes_GET_SIZE(text))
    raise TypeError(f"Cannot convert {type(text)} to string")


def is_kenlm(bytes head not None):
    """Return whether a file that begins with `head` is a KenLM binary file."""
    return is_kenlm_file(
        Span[const_char](PyBytes_AS_STRING(head), <size_t>PyBytes_GET_SIZE(head))
    )


cdef class State:
    """A context: the words before the next one that can still change its score.

    `State()` is the empty context. States compare by length, then by the bytes of their
    word ids, the last word first; equal states of one model score every continuation
    equally. They can be hashed, copied and pickled, and are changed in place by the
    methods of a model that take one to write to.
    """

    cdef Context context

    def __eq__(self, other):
        if not isinstance(other, State):
            return NotImplemented
        return self.context.compare((<State>other).context) == 0

    def __lt__(self, other):
        if not isinstance(other, State):
            return NotImplemented
        return self.context.compare((<State>other).context) < 0

    def __le__(self, other):
        if not isinstance(other, State):
            return NotImplemented
        return self.context.compare((<State>other).context) <= 0

    def __gt__(self, other):
        if not isinstance(other, State):
            return NotImplemented
        return self.context.compare((<State>other).context) > 0

    def __ge__(self, other):
        if not isinstance(other, State):
            return NotImplemented
        return self.context.compare((<State>other).context) >= 0

    def __hash__(self):
        return <Py_hash_t>self.context.hash()

    def __copy__(self):
        cdef State copy = State.__new__(State)
        copy.context = self.context
        return copy

    def __deepcopy__(self, memo):
        return self.__copy__()

    def __reduce__(self):
        cdef size_t bytes_ = self.context.length() * sizeof(uint32_t)
        return (
            restore_state,
            (
                PyBytes_FromStringAndSize(<const char*>self.context.words(), bytes_),
                PyBytes_FromStringAndSize(<const char*>self.context.backoffs(), bytes_),
            ),
        )

    @property
    def words(self):
        """The word ids kept, in the order of the text: a tuple of int."""
        cdef size_t length = self.context.length()
        cdef size_t i
        return tuple([self.context.words()[length - 1 - i] for i in range(length)])

    def __repr__(self):
        return f"State(words={self.words})"


def restore_state(bytes words not None, bytes backoffs not None):
    """Return the State that was pickled: uint32 ids and float32 back-offs, as bytes."""
    cdef State state = State.__new__(State)
    cdef size_t length = <size_t>len(words) // sizeof(uint32_t)
    if len(words) != len(backoffs) or len(words) % sizeof(uint32_t) or length > MOST_WORDS:
        raise ValueError("not a pickled State")
    state.context.reserve(length)
    memcpy(state.context.words(), PyBytes_AS_STRING(words), length * sizeof(uint32_t))
    memcpy(state.context.backoffs(), PyBytes_AS_STRING(backoffs), length * sizeof(uint32_t))
    state.context.set_length(length)
    return state


cdef class FullScoreReturn:
    """The score of a word: `log_prob` (float, log10), `ngram_length` and `oov`."""

    cdef readonly float log_prob
    cdef readonly int ngram_length
    cdef readonly bint oov

    def __cinit__(self, log_prob, ngram_length, oov):
        self.log_prob = log_prob
        self.ngram_length = ngram_length
        self.oov = oov

    def __reduce__(self):
        return type(self), (self.log_prob, self.ngram_length, self.oov)

    def __repr__(self):
        return (
            f"{type(self).__name__}({self.log_prob!r}, {self.ngram_length!r}, {self.oov!r})"
        )


cdef class KenlmModel:
    """The scoring of `ngram.kenlm.Model`, which opens files."""

    cdef shared_ptr[CModel] pointer
    cdef const uint8_t[::1] file  # keeps the bytes of a KenLM file alive
    cdef object owner  # and what keeps those of ours

    def _use_file(self, const uint8_t[::1] file not None):
        """Score with a KenLM binary file: a buffer of its bytes."""
        cdef Span[const_char] bytes_ = Span[const_char](
            <const char*>&file[0] if file.shape[0] else NULL, <size_t>file.shape[0]
        )
        self.pointer = open_file(bytes_)
        self.file = file

    def _use_table(self, Table table not None, Vocabulary vocabulary not None, rows=None):
        """Score with a table of the structure bucketed.

        `rows` says where <unk>, <s> and </s> stand among the 1-grams of the ARPA file that
        the table was read from, None for missing ones.
        """
        cdef uint32_t size = <uint32_t>len(vocabulary)
        if table.vocabulary_size != size or size < 3:
            raise InputError(
                f"the table has {table.vocabulary_size} words and the vocabulary {size}: "
                "they belong to different models"
            )
        cdef shared_ptr[Bucketed] lines = table.pointer.get().bucketed()
        if lines.get() == NULL:
            raise InputError(
                f"the table has the structure {table.name}: pass one that is bucketed"
            )
        cdef IdMap map_ = id_map(rows, size)
        self.pointer = open_table(
            <shared_ptr[const_Bucketed]>lines,
            <shared_ptr[const_Vocabulary]>vocabulary.pointer,
            move(map_),
        )
        self.owner = (table, vocabulary)

    cdef inline CModel* model(self) except NULL:
        if self.pointer.get() == NULL:
            raise InputError("the model was not opened: call Model.__init__(path) first")
        return self.pointer.get()

    @property
    def order(self):
        """Length of the longest n-grams."""
        return <Py_ssize_t>self.model().order()

    @property
    def kind(self):
        """What is asked: a structure of KenLM ("trie", ..) or ours ("bucketed")."""
        return self.model().kind().decode("ascii")

    def words(self):
        """Return all words in the order of their ids, `<unk>` first: a list of str.

        Bytes that are no UTF-8 are escaped as surrogates.

        Raises
        ------
        InputError
            If the file was built without the spelling of its words.
        """
        cdef vector[string_view] spellings = self.model().spellings()
        cdef list words = []
        cdef string_view word
        for word in spellings:
            words.append(
                PyUnicode_DecodeUTF8(word.data(), <Py_ssize_t>word.size(), "surrogateescape")
            )
        return words

    def word_id(self, word):
        """Return the id of a word (str or bytes); 0 if it is unknown."""
        return self.model().find(until_nul(view(word)))

    def score(self, sentence, bos=True, eos=True):
        """Return the log10 probability of a sentence.

        Words are what stands between TAB, LF, VT, FF, CR and SPACE. With `bos` and `eos`
        the sentence ends at the first NUL; without, each word does.

        Parameters
        ----------
        sentence : str or bytes
        bos : bool, default=True
            Whether `<s>` precedes it.
        eos : bool, default=True
            Whether `</s>` follows it and is scored.

        Returns
        -------
        float
            The sum of the float32 scores of the words, added in float32.
        """
        cdef CModel* model = self.model()
        cdef string_view text = view(sentence)
        cdef cbool begin = bos
        cdef cbool end = eos
        cdef float total
        if begin and end:
            text = until_nul(text)
        if text.size() < RELEASE_FROM:
            return model.score(text, begin, end)
        with nogil:
            total = model.score(text, begin, end)
        return total

    def perplexity(self, sentence):
        """Return the perplexity of a sentence, whose `</s>` counts as a word.

        Parameters
        ----------
        sentence : str or bytes

        Returns
        -------
        float
            10 ** (-score / number of words).
        """
        cdef string_view text = view(sentence)
        cdef Py_ssize_t words = 1
        while not next_word(text).empty():
            words += 1
        return 10.0 ** (-self.score(sentence) / words)

    def full_scores(self, sentence, bos=True, eos=True):
        """Yield (log10 probability, n-gram length, out of vocabulary) of every word.

        A generator of (float, int, bool): the words, then `</s>` if `eos`.

        Parameters
        ----------
        sentence, bos, eos
            As in `score`.
        """
        cdef CModel* model = self.model()
        cdef string_view text = view(sentence)
        cdef string_view word
        cdef State before = State.__new__(State)
        cdef State after = State.__new__(State)
        cdef WordScore score
        cdef uint32_t word_id
        if bos:
            before.context = model.begin_context()
        while True:
            word = next_word(text)
            if word.empty():
                break
            word_id = model.find(until_nul(word))
            score = model.advance(before.context, word_id, after.context)
            before, after = after, before
            yield score.log10_prob, score.ngram_length, word_id == 0
        if eos:
            score = model.advance(before.context, model.eos(), after.context)
            yield score.log10_prob, score.ngram_length, False

    def BeginSentenceWrite(self, State state not None):
        """Make a state that of the beginning of a sentence: `<s>`."""
        state.context = self.model().begin_context()

    def NullContextWrite(self, State state not None):
        """Make a state the empty context."""
        state.context.set_length(0)

    def BaseScore(self, State in_state not None, str word not None, State out_state not None):
        """Return the log10 probability of a word, and write the next state.

        Parameters
        ----------
        in_state : State
            The context.
        word : str
            One word; blanks in it are part of it.
        out_state : State
            Becomes the context after the word. It may be `in_state`.

        Returns
        -------
        float
        """
        cdef CModel* model = self.model()
        return self.advance(
            model, in_state, model.find(until_nul(view(word))), out_state
        ).log10_prob

    def BaseFullScore(
        self, State in_state not None, str word not None, State out_state not None
    ):
        """Return what `BaseScore` returns as a FullScoreReturn.

        Parameters
        ----------
        in_state, word, out_state
            As in `BaseScore`.
        """
        cdef CModel* model = self.model()
        cdef uint32_t word_id = model.find(until_nul(view(word)))
        cdef WordScore score = self.advance(model, in_state, word_id, out_state)
        return FullScoreReturn(score.log10_prob, score.ngram_length, word_id == 0)

    cdef inline WordScore advance(
        self, CModel* model, State in_state, uint32_t word, State out_state
    ) except *:
        cdef Context before
        if in_state is not out_state:
            return model.advance(in_state.context, word, out_state.context)
        before = in_state.context
        return model.advance(before, word, out_state.context)

    def __contains__(self, word):
        return self.model().find(until_nul(view(word))) != 0


cdef class Query:
    """What KenLM's `query` prints of a text.

    Parameters
    ----------
    model : KenlmModel
    context : bool, default=True
        Whether `<s>` precedes every line and `</s>` follows it.
    words, lines : bool, default=True
        Whether words and sums of lines are printed.
    """

    cdef unique_ptr[CQuery] pointer
    cdef KenlmModel model

    def __init__(self, KenlmModel model not None, *, context=True, words=True, lines=True):
        cdef QueryOptions options
        options.context = context
        options.words = words
        options.lines = lines
        self.pointer.reset(new CQuery(model.model()[0], options))
        self.model = model

    def print(self, bytes text not None):
        """Return what is printed for whole lines of text, as bytes."""
        cdef string out
        cdef string_view lines = view(text)
        with nogil:
            self.pointer.get().print_lines(lines, out)
        return PyBytes_FromStringAndSize(out.data(), <Py_ssize_t>out.size())

    def totals(self):
        """Return the sum of all scores, that of OOV words, the number of these, and of all.

        A tuple of (float, float, int, int); `</s>` counts as a word.
        """
        cdef const QueryTotals* totals = &self.pointer.get().totals()
        return totals.log10_prob, totals.oov_log10_prob, totals.oov, totals.tokens


cdef BuildOptions build_options(dict options) except *:
    cdef BuildOptions checked
    kinds = {
        "probing": Kind.kProbing,
        "rest": Kind.kRestProbing,
        "trie": Kind.kTrie,
        "quant": Kind.kQuantTrie,
        "array": Kind.kArrayTrie,
        "quant-array": Kind.kQuantArrayTrie,
    }
    checked.kind = kinds[options["kind"]]
    checked.multiplier = options["multiplier"]
    checked.prob_bits = options["prob_bits"]
    checked.backoff_bits = options["backoff_bits"]
    checked.pointer_limit = options["pointer_limit"]
    checked.has_words = options["has_words"]
    return checked


def file_bytes(counts, **options):
    """Return the bytes of the words and n-grams of a KenLM binary file.

    `counts` are the n-grams of each order; `options` as those of `build`.
    """
    cdef vector[uint64_t] numbers = counts
    return build_bytes(numbers, build_options(options))


def build(
    SortedNgrams ngrams not None,
    Vocabulary vocabulary not None,
    tuple rows not None,
    unsigned int threads,
    progress,
    **options,
):
    """Return a KenLM binary file of n-grams: a read-only memoryview.

    `rows` as in `KenlmModel`; `options`: kind ("probing", "trie", "quant", "array" or
    "quant-array"), multiplier, prob_bits, backoff_bits, pointer_limit and has_words.
    """
    cdef BuildOptions checked = build_options(options)
    checked.unk_added = rows[0] is None
    cdef IdMap map_ = id_map(rows, <uint32_t>len(vocabulary))
    cdef unique_ptr[Progress] watched = watch(progress)
    cdef _File file = _File.__new__(_File)
    with nogil:
        file.content = move(build_file(
            ngrams.pointer.get()[0], vocabulary.pointer.get()[0], checked, map_, threads,
            dereference(watched),
        ))
    return memoryview(file)


cdef class _File:
    """The bytes of a file that was built."""

    cdef Buffer[char] content

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        PyBuffer_FillInfo(
            buffer, self, self.content.data(), <Py_ssize_t>self.content.size(), 1, flags
        )


cdef IdMap id_map(object rows, Py_ssize_t size) except *:
    if rows is None:
        return IdMap()
    bos, eos = rows_without_unk(rows, size)
    return IdMap(bos, eos, <uint32_t>size)


# The rows of <s> and </s> among the 1-grams without <unk>; missing words come last.
cdef tuple rows_without_unk(tuple rows, Py_ssize_t size):
    unk, bos, eos = rows
    before = [unk is not None and row is not None and unk < row for row in (bos, eos)]
    places = [
        None if row is None else row - shift
        for row, shift in zip((bos, eos), before, strict=True)
    ]
    last = size - 2
    if places[1] is None:
        places[1] = last
        last -= 1
    if places[0] is None:
        places[0] = last
    return tuple(places)
