"""The vocabulary: words to ids and back.

Input: words (str or bytes) or the arrays of a model file. Output: ids, in which 0, 1 and
2 are <unk>, <s> and </s>. The kernel is `text/vocabulary.hpp`. Read next: `text.pyx`.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from cython.operator cimport dereference
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy
from libcpp.memory cimport shared_ptr, unique_ptr
from libcpp.string_view cimport string_view

import numpy as np

from ngram.errors import InputError


cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL


cdef class ArrayView:
    def __getbuffer__(self, Py_buffer* buffer, int flags):
        PyBuffer_FillInfo(buffer, self, <void*>self.data, self.bytes, 1, flags)


cdef object view_array(object owner, const void* data, Py_ssize_t bytes, object dtype):
    cdef ArrayView view
    if bytes == 0:
        array = np.empty(0, dtype)
        array.flags.writeable = False
        return array
    view = ArrayView()
    view.owner = owner
    view.data = data
    view.bytes = bytes
    return np.frombuffer(view, dtype)


cdef class SharedOwner:
    """Keeps what a shared pointer points to alive as long as an array of it lives."""


cdef object share_array(const shared_ptr[void]& pointer, const void* data,
                        Py_ssize_t bytes, object dtype):
    cdef SharedOwner owner = SharedOwner.__new__(SharedOwner)
    owner.pointer = pointer
    return view_array(owner, data, bytes, dtype)


cdef object copy_array(const void* data, Py_ssize_t bytes, object dtype):
    array = np.empty(bytes // np.dtype(dtype).itemsize, dtype)
    cdef uint8_t[::1] target = array.view(np.uint8)
    if bytes != 0:
        memcpy(&target[0], data, bytes)
    return array


cdef string_view view_text(object text, list keep) except *:
    cdef const char* data
    cdef Py_ssize_t size = 0
    if isinstance(text, str):
        try:
            data = PyUnicode_AsUTF8AndSize(text, &size)
            return string_view(data, <size_t>size)
        except UnicodeEncodeError:
            text = encode_escaped(text)
            keep.append(text)
    elif not isinstance(text, bytes):
        raise InputError(f"a text is a str or bytes, not {type(text).__name__}.")
    return string_view(PyBytes_AS_STRING(text), <size_t>PyBytes_GET_SIZE(text))


cdef bytes encode_escaped(str text):
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise InputError(
            f"the text has a lone surrogate U+{ord(text[error.start]):04X} at character "
            f"{error.start}, which no encoding can hold. Remove it, or repair it with "
            "text.encode('utf-16', 'surrogatepass').decode('utf-16')."
        ) from None


cdef inline str decode(string_view word):
    return PyUnicode_DecodeUTF8(word.data(), <Py_ssize_t>word.size(), "surrogateescape")


cdef Vocabulary wrap_vocabulary(shared_ptr[CVocabulary] pointer):
    cdef Vocabulary vocabulary = Vocabulary.__new__(Vocabulary)
    vocabulary.pointer = pointer
    return vocabulary


# The words <unk>, <s> and </s> alone: what a Vocabulary is before it is given others.
cdef shared_ptr[CVocabulary] special_words() except *:
    cdef unique_ptr[CVocabularyBuilder] builder = unique_ptr[CVocabularyBuilder](
        new CVocabularyBuilder()
    )
    return dereference(builder).finish()


cdef shared_ptr[CVocabulary] SPECIAL = special_words()


cdef class Vocabulary:
    """The words of a model and their ids. Immutable.

    Ids 0, 1 and 2 are `<unk>`, `<s>` and `</s>`. Words are bytes; where Python needs a
    str they are UTF-8, and bytes that are not valid UTF-8 are escaped as surrogates
    (`errors="surrogateescape"`), so every word survives the way there and back.

    Made by `from_words`, `attach`, and by reading a corpus or a model.

    Examples
    --------
    >>> vocabulary = Vocabulary.from_words(["the", "cat"])
    >>> vocabulary["cat"], vocabulary.id("dog"), vocabulary.word(3), len(vocabulary)
    (4, 0, 'the', 5)
    """

    def __cinit__(self):
        self.pointer = SPECIAL

    def __init__(self):
        raise TypeError("use Vocabulary.from_words(words) or Vocabulary.attach(arrays)")

    @staticmethod
    def from_words(words):
        """Return the vocabulary of `<unk>`, `<s>`, `</s>` and the words, in this order.

        A word that is there already keeps its first id.

        Parameters
        ----------
        words : iterable of str or bytes

        Returns
        -------
        Vocabulary

        Raises
        ------
        InputError
            If a word is empty or neither str nor bytes.
        """
        cdef unique_ptr[CVocabularyBuilder] builder = unique_ptr[CVocabularyBuilder](
            new CVocabularyBuilder()
        )
        cdef list keep = []
        for word in words:
            dereference(builder).find_or_add(view_text(word, keep))
            keep.clear()
        return wrap_vocabulary(dereference(builder).finish())

    @staticmethod
    def attach(arrays):
        """Return a vocabulary that uses the given arrays where they lie.

        Every bound is checked, so arrays of a damaged file raise an error.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            As `arrays()` returns them. Arrays that are not aligned are copied.

        Returns
        -------
        Vocabulary

        Raises
        ------
        ModelFileError
            If the arrays cannot be those of a vocabulary.
        """
        strings = np.require(arrays["strings"], np.uint8, ["C"])
        offsets = np.require(arrays["offsets"], np.uint64, ["C", "A"])
        table = np.require(arrays["table"], np.uint8, ["C"])
        if table.ctypes.data % 16:
            table = copy_aligned(table)
        cdef const unsigned char[::1] string_bytes = strings.ravel()
        cdef const uint64_t[::1] offset_values = offsets.ravel()
        cdef const unsigned char[::1] table_bytes = table.ravel()
        cdef Span[const_char] string_span
        cdef Span[const_uint64] offset_span
        cdef Span[const_char] table_span
        if string_bytes.shape[0]:
            string_span = Span[const_char](
                <const char*>&string_bytes[0], string_bytes.shape[0]
            )
        if offset_values.shape[0]:
            offset_span = Span[const_uint64](
                &offset_values[0], offset_values.shape[0]
            )
        if table_bytes.shape[0]:
            table_span = Span[const_char](
                <const char*>&table_bytes[0], table_bytes.shape[0]
            )
        cdef shared_ptr[CVocabulary] pointer
        with nogil:
            pointer = attach_vocabulary(string_span, offset_span, table_span)
        cdef Vocabulary vocabulary = wrap_vocabulary(pointer)
        vocabulary.owner = (strings, offsets, table)
        return vocabulary

    def arrays(self):
        """Return the arrays that hold the vocabulary, read-only and without a copy.

        Returns
        -------
        dict of str to ndarray
            `strings` (uint8, the words without gaps), `offsets` (uint64, word i is
            strings[offsets[i]:offsets[i + 1]]) and `table` (uint8, the hash table).
        """
        cdef CVocabulary* words = self.pointer.get()
        return {
            "strings": view_array(
                self, words.strings().data(), words.strings().size(), np.uint8
            ),
            "offsets": view_array(
                self, words.offsets().data(), words.offsets().size() * 8, np.uint64
            ),
            "table": view_array(
                self, words.table().data(), words.table().size(), np.uint8
            ),
        }

    def subset(self, ids):
        """Return the vocabulary of some of the words, numbered anew without gaps.

        Parameters
        ----------
        ids : array of int, ascending
            Begins with 0, 1, 2. Word `ids[i]` gets the id i.

        Returns
        -------
        Vocabulary

        Raises
        ------
        InputError
            If the ids are not ascending, out of bounds, or lack 0, 1 or 2.
        """
        ids = np.asarray(ids)
        if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
            raise InputError("ids of a subset are a one-dimensional array of integers.")
        if ids.size and not 0 <= ids.min() <= ids.max() < len(self):
            raise InputError(
                f"ids of a subset lie between 0 and {len(self) - 1}; got "
                f"{ids.min()} to {ids.max()}."
            )
        cdef const uint32_t[::1] values = np.ascontiguousarray(ids, np.uint32)
        cdef Span[const_uint32] span
        if values.shape[0]:
            span = Span[const_uint32](&values[0], values.shape[0])
        cdef shared_ptr[CVocabulary] pointer
        with nogil:
            pointer = dereference(self.pointer).subset(span)
        return wrap_vocabulary(pointer)

    def id(self, word):
        """Return the id of a word; 0, that of `<unk>`, if the word is not there."""
        cdef list keep = []
        return dereference(self.pointer).find(view_text(word, keep))

    def word(self, word_id):
        """Return the word of an id as a str."""
        cdef Py_ssize_t index = word_id
        if not 0 <= index < <Py_ssize_t>dereference(self.pointer).size():
            raise IndexError(
                f"ids lie between 0 and {len(self) - 1}; there is no word {word_id}"
            )
        return decode(dereference(self.pointer).word(<uint32_t>index))

    def words(self):
        """Return all words as a list of str, in id order."""
        return list(self)

    def __getitem__(self, word):
        cdef list keep = []
        cdef string_view view = view_text(word, keep)
        if not dereference(self.pointer).contains(view):
            raise KeyError(word)
        return dereference(self.pointer).find(view)

    def __contains__(self, word):
        if not isinstance(word, (str, bytes)):
            return False
        cdef list keep = []
        return dereference(self.pointer).contains(view_text(word, keep))

    def __iter__(self):
        cdef size_t index
        for index in range(dereference(self.pointer).size()):
            yield decode(dereference(self.pointer).word(<uint32_t>index))

    def __len__(self):
        return <Py_ssize_t>dereference(self.pointer).size()

    @property
    def nbytes(self):
        """Memory the vocabulary uses, in bytes."""
        return dereference(self.pointer).bytes()

    def __eq__(self, other):
        cdef Vocabulary that
        if not isinstance(other, Vocabulary):
            return NotImplemented
        that = other
        if that.pointer.get() == self.pointer.get():
            return True
        mine, theirs = self.arrays(), that.arrays()
        return np.array_equal(mine["offsets"], theirs["offsets"]) and np.array_equal(
            mine["strings"], theirs["strings"]
        )

    def __hash__(self):
        arrays = self.arrays()
        return hash((len(self), arrays["strings"][:4096].tobytes()))

    def __reduce__(self):
        arrays = {name: np.array(array) for name, array in self.arrays().items()}
        return Vocabulary.attach, (arrays,)

    def __repr__(self):
        return f"Vocabulary({len(self)} words)"


cdef object copy_aligned(object array):
    spare = np.empty(array.size + 16, np.uint8)
    begin = -spare.ctypes.data % 16
    copy = spare[begin:begin + array.size]
    copy[:] = array.ravel()
    return copy
