"""Memory of the engine: arrays that it owns (Buffer), and views of arrays (Span)."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libcpp.string_view cimport string_view

from ngram._core.progress cimport raise_ngram_error

# Cython takes no `const` inside template arguments of an expression.
ctypedef const char const_char
ctypedef const uint8_t const_uint8
ctypedef const uint32_t const_uint32
ctypedef const uint64_t const_uint64
ctypedef const int64_t const_int64
ctypedef const float const_float
ctypedef const double const_double
ctypedef const string_view const_string_view


cdef extern from "base/buffer.hpp" namespace "ngram" nogil:
    cdef cppclass Span[T]:
        Span() noexcept
        Span(T* data, size_t size) noexcept
        T* data() noexcept
        size_t size() noexcept

    cdef cppclass Buffer[T]:
        Buffer() noexcept
        T* data() noexcept
        size_t size() noexcept
        size_t bytes() noexcept
        void resize(size_t size) except +raise_ngram_error
        void reserve(size_t capacity) except +raise_ngram_error
        void push_back(const T& value) except +raise_ngram_error
        void append(const T* values, size_t count) except +raise_ngram_error
        void clear() noexcept
