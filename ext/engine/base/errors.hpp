// Errors the engine throws. Each becomes the Python class of the same name in ngram.errors
// (python_errors.hpp maps them at the compiled boundary). A message is a whole sentence: what
// happened, where, with which value, and what to do next.
#pragma once

#include <stdexcept>
#include <string>

namespace ngram {

class InputError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

class MemoryBudgetError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

class ModelFileError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

// A callback into Python failed or Ctrl-C arrived: the Python error is already set.
class Interrupted : public std::runtime_error {
  public:
    Interrupted() : std::runtime_error("interrupted") {}
};

}  // namespace ngram
