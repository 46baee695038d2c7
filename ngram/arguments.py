"""Arguments of callers: checked where they enter the public API.

Input: a value of any type, and the name of its argument. Output: the number it is, or
an `InputError` that begins with the name. Read next: `ngram/threads.py`, a caller.
"""

import math
import operator
from collections.abc import Iterable
from typing import Any, SupportsIndex, cast

import numpy as np

from ngram.errors import InputError

__all__ = ["MOST", "checked_integer", "checked_integers", "checked_numbers"]

MOST = 2**31 - 1  # of anything counted in 32 bits


def checked_integer(
    name: str, value: object, *, least: int, most: float = math.inf, advice: str = ""
) -> int:
    """Return an integer of whatever type as an int; no float and no bool.

    Parameters
    ----------
    name : str
        Of the argument.
    value : object
    least, most : int
        The bounds, both possible values.
    advice : str, default=""
        A sentence at the end of the message.

    Raises
    ------
    InputError
        If the value is no integer, or out of bounds.
    """
    number = _integer(value)
    if number is None or not least <= number <= most:
        raise InputError(
            f"{name} is {value!r:.80}: pass an integer {_bounds(least, most)}."
            f"{advice and ' '}{advice}"
        )
    return number


def checked_integers(
    name: str, values: object, *, least: int, most: float = math.inf
) -> tuple[int, ...]:
    """Return the integers of a sequence, as `checked_integer` does one."""
    found = []
    for value in checked_numbers(name, values):
        number = _integer(value)
        if number is None or not least <= number <= most:
            raise InputError(
                f"{name} holds {value!r:.80}: pass integers {_bounds(least, most)}."
            )
        found.append(number)
    return tuple(found)


def checked_numbers(name: str, values: object) -> tuple[Any, ...]:
    """Return the numbers of a sequence."""
    try:
        numbers = tuple(cast(Iterable[Any], values))
        for number in numbers:
            float(number)
    except OverflowError:  # an integer that no float can hold is a number
        pass
    except (TypeError, ValueError):
        raise InputError(
            f"{name} is {values!r:.80}: pass a sequence of numbers."
        ) from None
    return numbers


def _integer(value: object) -> int | None:
    if isinstance(value, bool | np.bool_):
        return None
    try:
        return operator.index(cast(SupportsIndex, value))
    except TypeError:
        return None


def _bounds(least: int, most: float) -> str:
    return f"from {least} up" if most == math.inf else f"from {least} to {most}"
