"""ARPA text to n-grams and back.

Input: a file descriptor or an object with `readinto`, or n-grams and their vocabulary.
Output: n-grams and their vocabulary, or text in a file descriptor or an object with
`write`. The kernels are `arpa/reader.hpp` and `arpa/writer.hpp`; paths, compression
and warnings are the work of `ngram/arpa.py`.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_SetObject
from cpython.memoryview cimport PyMemoryView_FromMemory
from cython.operator cimport dereference
from libc.stdint cimport uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport unique_ptr

from ngram._core.ngrams cimport SortedNgrams, wrap_ngrams
from ngram._core.progress cimport Progress, watch
from ngram._core.vocabulary cimport Vocabulary, wrap_vocabulary


cdef extern from "Python.h":
    int PyBUF_WRITE


cdef uint32_t ABSENT = 0xFFFFFFFF


cdef size_t read_object(void* context, char* buffer, size_t size) noexcept with gil:
    # The view is released before it ends: an object that keeps it cannot touch the memory.
    try:
        view = PyMemoryView_FromMemory(buffer, <Py_ssize_t>size, PyBUF_WRITE)
        with view:
            got = (<object>context).readinto(view)
        if got is None or got < 0 or <size_t>got > size:
            raise OSError(f"readinto returned {got!r} for a buffer of {size} bytes")
        return <size_t>got
    except BaseException as error:
        PyErr_SetObject(type(error), error)  # stays pending while Interrupted unwinds
        return <size_t>-1


cdef cbool write_object(void* context, const char* text, size_t size) noexcept with gil:
    try:
        data = PyBytes_FromStringAndSize(text, <Py_ssize_t>size)
        while data:
            written = (<object>context).write(data)
            if written is None or written >= len(data):
                break
            data = data[written:]
        return True
    except BaseException as error:
        PyErr_SetObject(type(error), error)
        return False


def read_arpa(
    source not None,
    str name not None,
    *,
    uint64_t size=0,
    cbool strict=False,
    float unk_log10_prob=-100,
    unsigned int threads=1,
    progress=None,
):
    """Read ARPA text; return (SortedNgrams, Vocabulary, what the text lacked).

    `source` is a file descriptor or has `readinto`; `name` stands in error messages; `size` in
    bytes is for progress, 0 if unknown; `unk_log10_prob` is for a missing <unk>. The last value
    is a dict: "unk", "unk_upper_case", "bos" and "eos" (bool: missing, or <UNK> taken for <unk>),
    "suffixes" and "prefixes" (number of n-grams that were added to close the model), and "rows":
    where <unk>, <s> and </s> stand among the 1-grams, None for missing ones.
    """
    cdef ArpaSource arpa_source
    cdef ArpaModel model
    cdef unique_ptr[Progress] watched = watch(progress)
    arpa_source.name = name.encode("utf-8", "backslashreplace")
    arpa_source.bytes = size
    arpa_source.unk_log10_prob = unk_log10_prob
    if isinstance(source, int):
        arpa_source.descriptor = source
    else:
        arpa_source.read = &read_object
        arpa_source.context = <void*>source
    with nogil:
        model = c_read_arpa(arpa_source, strict, threads, dereference(watched))
    cdef list rows = []
    cdef uint32_t row
    for i in range(3):
        row = model.special_rows[i]
        rows.append(None if row == ABSENT else row)
    lacked = {
        "unk": model.unk_missing,
        "unk_upper_case": model.unk_is_upper_case,
        "bos": model.bos_missing,
        "eos": model.eos_missing,
        "suffixes": model.completed.suffixes,
        "prefixes": model.completed.prefixes,
        "rows": tuple(rows),
    }
    return wrap_ngrams(model.ngrams), wrap_vocabulary(model.vocabulary), lacked


def write_arpa(
    SortedNgrams ngrams not None,
    Vocabulary vocabulary not None,
    sink not None,
    str name not None,
    *,
    unsigned int threads=1,
    progress=None,
):
    """Write n-grams as ARPA text to `sink`, a file descriptor or an object with `write`."""
    cdef ArpaSink arpa_sink
    cdef unique_ptr[Progress] watched = watch(progress)
    arpa_sink.name = name.encode("utf-8", "backslashreplace")
    if isinstance(sink, int):
        arpa_sink.descriptor = sink
    else:
        arpa_sink.write = &write_object
        arpa_sink.context = <void*>sink
    with nogil:
        c_write_arpa(
            ngrams.pointer.get()[0], vocabulary.pointer.get()[0], arpa_sink, threads,
            dereference(watched),
        )


def format_number(float value):
    """Return the shortest decimal that reads back as the same float32."""
    cdef char text[64]
    cdef char* end = c_format_float(value, text)
    return PyBytes_FromStringAndSize(text, end - text).decode("ascii")


def parse_number(bytes text not None):
    """Return the float32 nearest to a decimal; ValueError if `text` is not one number."""
    cdef float value = 0
    cdef const char* begin = text
    cdef const char* end = c_parse_float(begin, begin + len(text), value)
    if end != begin + len(text):
        raise ValueError(f"not a number: {text!r}")
    return value
