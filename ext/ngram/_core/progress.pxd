# Long work reports to Python and lets Ctrl-C through: one bridge for every binding. A binding
# writes
#
#     cdef unique_ptr[Progress] watched = watch(progress)    # progress: callable or None
#     with nogil:
#         work(..., dereference(watched))
#
# and declares `work` with `except +raise_ngram_error`. The callable gets (stage, done, total).
# If it raises, or Ctrl-C arrives, the engine stops and that same error leaves the binding.

from cpython.exc cimport PyErr_CheckSignals, PyErr_SetObject
from libc.stdint cimport uint64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport unique_ptr


cdef extern from "base/python_errors.hpp" namespace "ngram" nogil:
    void raise_ngram_error() noexcept


cdef extern from "base/progress.hpp" namespace "ngram" nogil:
    cdef cppclass Progress:
        Progress() except +
        Progress(
            cbool (*callback)(
                void* context, const char* stage, uint64_t done, uint64_t total
            ) noexcept,
            void* context,
        ) except +
        cbool watched() noexcept
        void begin(const char* stage, uint64_t total) except +raise_ngram_error
        void advance(uint64_t amount) noexcept
        void poll() except +raise_ngram_error


cdef inline cbool report_progress(
    void* context, const char* stage, uint64_t done, uint64_t total
) noexcept with gil:
    try:
        PyErr_CheckSignals()
        if context != NULL:
            (<object>context)(stage.decode("ascii"), done, total)
    except BaseException as error:
        PyErr_SetObject(type(error), error)  # stays pending while Interrupted unwinds
        return False
    return True


# The caller keeps `progress` alive while the engine works.
cdef inline unique_ptr[Progress] watch(object progress) except *:
    if progress is not None and not callable(progress):
        raise TypeError(
            "progress is called as progress(stage, done, total): pass a callable or None, "
            f"not {type(progress).__name__}"
        )
    return unique_ptr[Progress](
        new Progress(&report_progress, NULL if progress is None else <void*>progress)
    )
