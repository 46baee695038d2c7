from libc.stdint cimport uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport shared_ptr
from libcpp.string_view cimport string_view

from ngram._core.buffer cimport Buffer, Span, const_char, const_uint32, const_uint64
from ngram._core.progress cimport raise_ngram_error


cdef extern from "text/vocabulary.hpp" namespace "ngram" nogil:
    cdef cppclass CVocabulary "ngram::Vocabulary":
        size_t size() noexcept
        string_view word(uint32_t id) noexcept
        uint32_t find(string_view word) noexcept
        cbool contains(string_view word) noexcept
        Span[const_char] strings() noexcept
        Span[const_uint64] offsets() noexcept
        Span[const_char] table() noexcept
        size_t bytes() noexcept
        shared_ptr[CVocabulary] subset(
            Span[const_uint32] ids
        ) except +raise_ngram_error

    cdef shared_ptr[CVocabulary] attach_vocabulary "ngram::Vocabulary::attach"(
        Span[const_char] strings, Span[const_uint64] offsets, Span[const_char] table
    ) except +raise_ngram_error

    cdef cppclass CVocabularyBuilder "ngram::VocabularyBuilder":
        CVocabularyBuilder() except +raise_ngram_error
        size_t size() noexcept
        uint32_t find_or_add(string_view word) except +raise_ngram_error
        void find_or_add_all(
            const CVocabulary& words, Buffer[uint32_t]& ids
        ) except +raise_ngram_error
        shared_ptr[CVocabulary] finish() except +raise_ngram_error


# Memory of the engine as a Python buffer. `owner` keeps it alive; nobody can write to it.
cdef class ArrayView:
    cdef object owner
    cdef const void* data
    cdef Py_ssize_t bytes


# A read-only ndarray over `bytes` bytes at `data`, without a copy.
cdef object view_array(object owner, const void* data, Py_ssize_t bytes, object dtype)

# The same, kept alive by what owns the memory in the engine.
cdef class SharedOwner:
    cdef shared_ptr[void] pointer


cdef object share_array(const shared_ptr[void]& pointer, const void* data,
                        Py_ssize_t bytes, object dtype)

# An ndarray of its own, with the same `bytes` bytes.
cdef object copy_array(const void* data, Py_ssize_t bytes, object dtype)

# The UTF-8 bytes of a str (in place) or the bytes of a bytes object. A str with bytes that were
# escaped (surrogateescape) is encoded; then `keep` holds the result. The view lives as long as
# `text` and `keep`.
cdef string_view view_text(object text, list keep) except *


cdef class Vocabulary:
    cdef shared_ptr[CVocabulary] pointer
    cdef object owner  # of attached memory, else None


# Wraps what the engine made.
cdef Vocabulary wrap_vocabulary(shared_ptr[CVocabulary] pointer)
