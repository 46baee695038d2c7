"""Errors and warnings of the package.

One class per kind of failure, so a caller can catch what it can repair. Every error
is an `NgramError` and also the built-in class a Python reader expects. The compiled
engine raises the classes of the same names.

A message carries the names of arguments so that another surface can say them its way
(`ngram/cli/advice.py`): it begins with the name of the argument that is wrong, as in
"order is 0: pass ..."; elsewhere a name stands in backticks, or with a value as in
`order=3`. What a file is for, it says for both: "`ngram train`, or ngram.train(path)".
"""

import sys
import warnings

__all__ = [
    "DiscountError",
    "DiscountWarning",
    "InputError",
    "MemoryBudgetError",
    "MissingDependencyError",
    "ModelFileError",
    "NgramError",
    "warn",
]


class NgramError(Exception):
    """Base class of every error this package raises on purpose."""


class InputError(NgramError, ValueError):
    """An argument or a text that cannot be used as given."""


class DiscountError(NgramError, ValueError):
    """Counts from which no modified Kneser-Ney discounts can be computed."""


class MemoryBudgetError(NgramError, ValueError):
    """A memory budget that is too small for the work asked for."""


class ModelFileError(NgramError, OSError):
    """A model file that is missing, damaged or of another format."""


class MissingDependencyError(NgramError, ImportError):
    """An optional dependency that is needed but not installed."""


class DiscountWarning(UserWarning):
    """Discounts that were replaced, because the closed form is undefined."""


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn, and point at the line that called this package."""
    level, frame = 1, sys._getframe()
    while frame is not None and _is_inside(frame.f_globals.get("__name__")):
        level, frame = level + 1, frame.f_back  # type: ignore[assignment]
    warnings.warn(message, category, stacklevel=level)


def _is_inside(module: object) -> bool:
    return isinstance(module, str) and module.partition(".")[0] == "ngram"
