"""Texts of a caller as views of UTF-8."""

from libc.stddef cimport size_t
from libcpp.memory cimport unique_ptr
from libcpp.string_view cimport string_view
from libcpp.vector cimport vector

from ngram._core.buffer cimport Span, const_string_view
from ngram._core.progress cimport raise_ngram_error


cdef extern from "text/arrow.hpp" namespace "ngram" nogil:
    cdef cppclass ArrowSchema "::ArrowSchema":
        pass
    cdef cppclass ArrowArray "::ArrowArray":
        pass
    cdef cppclass ArrowArrayStream "::ArrowArrayStream":
        pass
    cdef cppclass ArrowTexts:
        ArrowTexts(ArrowArrayStream& stream) except +raise_ngram_error
        void append_to(vector[string_view]& views) except +raise_ngram_error

    void append_texts "ngram::arrow::append_texts"(
        const ArrowSchema& schema, const ArrowArray& array, vector[string_view]& views
    ) except +raise_ngram_error


# Texts as views, and what keeps those alive.
cdef class Texts:
    cdef list kept
    cdef unique_ptr[ArrowTexts] stream
    cdef vector[string_view] views
    cdef size_t bytes

    cdef void add_strings(self, tuple texts) except *
    cdef void add_fixed(self, object array) except *
    cdef Span[const_string_view] span(self) noexcept nogil

# Any texts a caller may pass.
cdef Texts view_texts(object texts)

# The lines of a bytes-like object. What follows the last line end is a line if not empty.
cdef Texts view_lines(object data)

# An iterable of texts; refuses one string.
cdef object items_of(object texts)

# A text as str; bytes that are no UTF-8 as surrogates.
cdef str decode(string_view text)
