"""Texts: what a caller passes as texts, as views of UTF-8 read where it lies.

Input: a list of str or bytes (or another iterable), a NumPy array of strings, a column in
the Arrow PyCapsule interface, or a bytes-like object of lines. Output: one view per text,
valid as long as the object. Read next: `scoring.pyx`.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.operator cimport dereference
from libc.string cimport memchr

from ngram._core.vocabulary cimport view_text

import numpy as np

from ngram.errors import InputError

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object text)
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    str PyUnicode_DecodeUTF8(const char* text, Py_ssize_t size, const char* errors)
    PyObject* PyTuple_GET_ITEM(object texts, Py_ssize_t index)


cdef extern from "base/bits.hpp" namespace "ngram" nogil:
    void prefetch(const void* address) noexcept


# Strings lie anywhere in memory: so many are fetched before they are read.
cdef size_t AHEAD = 16


cdef str decode(string_view text):
    return PyUnicode_DecodeUTF8(text.data(), <Py_ssize_t>text.size(), "surrogateescape")


cdef bint is_arrow(object texts):
    return hasattr(texts, "__arrow_c_array__") or hasattr(texts, "__arrow_c_stream__")


cdef object items_of(object texts):
    if isinstance(texts, (list, tuple)):
        return texts
    if isinstance(texts, (str, bytes)):
        raise InputError("texts is one string: pass a list of strings")
    try:
        return iter(texts)
    except TypeError:
        raise InputError(
            f"texts is {texts!r}: pass a list of strings, or another iterable of them"
        ) from None


def as_texts(texts):
    """Return texts as a list of str or bytes, for tokenizers that are not native.

    Raises
    ------
    InputError
        If texts is one string or no iterable, if one is neither str nor bytes, or has a lone
        surrogate.
    """
    cdef list checked
    cdef list kept = []
    cdef Texts views
    cdef size_t i
    if isinstance(texts, np.ndarray) or is_arrow(texts):
        views = view_texts(texts)
        return [decode(views.views[i]) for i in range(views.views.size())]
    checked = list(items_of(texts))
    for text in checked:
        view_text(text, kept)
        kept.clear()
    return checked


cdef class _Held:
    """The memory of a bytes-like object, kept."""

    cdef Py_buffer view

    def __cinit__(self, data):
        PyObject_GetBuffer(data, &self.view, PyBUF_SIMPLE)

    def __dealloc__(self):
        PyBuffer_Release(&self.view)


cdef class Texts:
    def __cinit__(self):
        self.kept = []
        self.bytes = 0

    cdef void add_strings(self, tuple texts) except *:
        cdef size_t size = len(texts)
        cdef string_view view
        cdef size_t i
        cdef object text
        self.kept.append(texts)
        self.views.reserve(size)
        for i in range(size):
            if i + AHEAD < size:
                prefetch(<const void*>PyTuple_GET_ITEM(texts, i + AHEAD))
            text = texts[i]
            if PyUnicode_CheckExact(text) and PyUnicode_IS_COMPACT_ASCII(text):
                view = string_view(
                    <const char*>PyUnicode_DATA(text), <size_t>PyUnicode_GET_LENGTH(text)
                )
            else:
                view = view_text(text, self.kept)
            self.views.push_back(view)

    # Bytes of one width, padded with NUL.
    cdef void add_fixed(self, object array) except *:
        cdef size_t width = array.dtype.itemsize
        cdef size_t size = len(array)
        cdef _Held held
        cdef const char* text
        cdef size_t length
        cdef size_t i
        if width == 0:
            self.views.resize(size)
            return
        held = _Held(np.ascontiguousarray(array).view(np.uint8))
        self.kept.append(held)
        self.views.reserve(size)
        for i in range(size):
            text = <const char*>held.view.buf + i * width
            length = width
            while length > 0 and text[length - 1] == 0:
                length -= 1
            self.views.push_back(string_view(text, length))

    cdef Span[const_string_view] span(self) noexcept nogil:
        return Span[const_string_view](self.views.data(), self.views.size())


cdef void add_arrow_array(Texts out, object texts) except *:
    schema, array = texts.__arrow_c_array__()
    out.kept.append((schema, array))
    append_texts(
        dereference(<ArrowSchema*>PyCapsule_GetPointer(schema, b"arrow_schema")),
        dereference(<ArrowArray*>PyCapsule_GetPointer(array, b"arrow_array")),
        out.views,
    )


cdef void add_arrow_stream(Texts out, object texts) except *:
    stream = texts.__arrow_c_stream__()
    out.kept.append(stream)
    out.stream.reset(new ArrowTexts(
        dereference(<ArrowArrayStream*>PyCapsule_GetPointer(stream, b"arrow_array_stream"))
    ))
    dereference(out.stream).append_to(out.views)


cdef Texts view_texts(object texts):
    cdef Texts out = Texts.__new__(Texts)
    cdef size_t i
    if isinstance(texts, (list, tuple)):
        out.add_strings(tuple(texts))
    elif isinstance(texts, np.ndarray):
        if texts.ndim != 1:
            raise InputError(
                f"texts is an array of shape {texts.shape}: pass one dimension of strings"
            )
        if texts.dtype.kind == "S":
            out.add_fixed(texts)
        else:
            out.add_strings(tuple(texts.tolist()))
    elif hasattr(texts, "__arrow_c_array__"):
        add_arrow_array(out, texts)
    elif is_arrow(texts):
        add_arrow_stream(out, texts)
    else:
        out.add_strings(tuple(items_of(texts)))
    for i in range(out.views.size()):
        out.bytes += out.views[i].size()
    return out


cdef Texts view_lines(object data):
    cdef Texts out = Texts.__new__(Texts)
    cdef _Held held
    cdef const char* begin
    cdef const char* end
    cdef const char* line_end
    try:
        held = _Held(data)
    except TypeError:
        raise InputError(
            f"data is a {type(data).__name__}: pass bytes, or another bytes-like object"
        ) from None
    out.kept.append(held)
    out.bytes = <size_t>held.view.len
    begin = <const char*>held.view.buf
    end = begin + held.view.len
    while begin < end:
        line_end = <const char*>memchr(begin, 10, <size_t>(end - begin))
        if line_end == NULL:
            line_end = end
        out.views.push_back(string_view(begin, <size_t>(line_end - begin)))
        begin = line_end + 1
    return out
