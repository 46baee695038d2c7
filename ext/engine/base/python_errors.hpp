// Turns a C++ exception into the Python exception of the same name. This is the only header that
// includes Python.h. Cython calls raise_ngram_error with the GIL held, inside a catch block.
#pragma once

#include <Python.h>

#include <exception>
#include <new>
#include <system_error>

#include "base/errors.hpp"

namespace ngram {

inline void set_python_error(const char* name, const char* message) {
    PyObject* module = PyImport_ImportModule("ngram.errors");
    if (module == nullptr) return;
    PyObject* type = PyObject_GetAttrString(module, name);
    Py_DECREF(module);
    if (type == nullptr) return;
    PyObject* text =
        PyUnicode_DecodeUTF8(message, static_cast<Py_ssize_t>(strlen(message)), "backslashreplace");
    if (text != nullptr) {
        PyErr_SetObject(type, text);
        Py_DECREF(text);
    }
    Py_DECREF(type);
}

inline void raise_ngram_error() {
    if (PyErr_Occurred() != nullptr) return;
    try {
        throw;
    } catch (const Interrupted&) {
        PyErr_SetNone(PyExc_KeyboardInterrupt);
    } catch (const InputError& error) {
        set_python_error("InputError", error.what());
    } catch (const MemoryBudgetError& error) {
        set_python_error("MemoryBudgetError", error.what());
    } catch (const ModelFileError& error) {
        set_python_error("ModelFileError", error.what());
    } catch (const std::system_error& error) {
        PyObject* arguments = Py_BuildValue("(is)", error.code().value(), error.what());
        if (arguments == nullptr) return;
        PyErr_SetObject(PyExc_OSError, arguments);
        Py_DECREF(arguments);
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    } catch (...) {
        PyErr_SetString(PyExc_RuntimeError, "unknown error in the engine");
    }
}

}  // namespace ngram
