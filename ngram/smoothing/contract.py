"""The contract of a smoothing method: two numbers for every context.

With alpha(hw) and gamma(h), and h' for h without its first token, an n-gram hw that was
seen after h has

    p(w | h) = alpha(hw) + gamma(h) p(w | h')      if the method interpolates,
    p(w | h) = alpha(hw)                           if it backs off,

and a token that was not seen after h has p(w | h) = bow(h) p(w | h'). In the
interpolated form the back-off weight bow(h) is gamma(h) itself; in the back-off form

    bow(h) = gamma(h) / (1 - sum of p(w | h') over the tokens seen after h),

so that every context sums to one (Katz 1987; Chen and Goodman 1999, section 2.8).
Below the 1-grams stands the uniform distribution over the vocabulary, `<unk>` included
and `<s>` not, into which both forms interpolate: no token has probability 0 unless the
method says so. Read the methods next, one file each; then `reference.py`.

References
----------
.. [1] Chen, S. F. and Goodman, J. (1999), An empirical study of smoothing techniques
   for language modeling, Computer Speech & Language 13(4), 359-394.
.. [2] Katz, S. M. (1987), Estimation of probabilities from sparse data for the language
   model component of a speech recognizer, IEEE Transactions on Acoustics, Speech, and
   Signal Processing 35(3), 400-401.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ngram.errors import InputError

Counts = Sequence[int] | NDArray[np.integer[Any]]
CountsOfCounts = Sequence[Counts] | NDArray[np.integer[Any]]

ZERO, ONE = np.float32(0), np.float32(1)
COUNTED = 6  # counts are told apart up to this one, which stands for more as well


@dataclass(frozen=True)
class ContextSums:
    """What a smoothing method must know about the n-grams hw of one context h.

    Attributes
    ----------
    total : int
        The sum of their counts.
    kept : tuple of 6 int
        How many have the count 1, 2, 3, 4, 5, and 6 or more and are not pruned.
    pruned : int, default=0
        The sum of the counts of those that are pruned.
    types : int, default=0
        How many there are, pruned ones too.
    """

    total: int
    kept: tuple[int, ...]
    pruned: int = 0
    types: int = 0


@dataclass(frozen=True)
class HeldoutCounts:
    """What the counts say about every prediction of a held-out text.

    Row k - 1 holds what order k has: the n-gram that ends in the predicted token, and
    the context before it. Where a context was not seen `total` is 0.

    Attributes
    ----------
    count : ndarray of shape (order, n), dtype=float64
        Of the n-gram; 0 if it was not seen, or is pruned.
    total, pruned : ndarray of shape (order, n), dtype=float64
        As in `ContextSums`.
    kept : ndarray of shape (order, 3, n), dtype=float64
        As in `ContextSums`, for the counts 1, 2, and 3 or more.
    """

    count: NDArray[np.float64]
    total: NDArray[np.float64]
    pruned: NDArray[np.float64]
    kept: NDArray[np.float64]


class SmoothingMethod(ABC):
    """What every smoothing method is: a name, some flags, `fit`, `alpha` and `gamma`.

    Attributes
    ----------
    name : str
        What a user writes to choose the method.
    kernel : str
        The policy of the engine that computes alpha and gamma from `numbers`.
    options : tuple of str
        Names of the arguments that change the result; attributes of the same names.
    uses_adjusted_counts : bool
        Counts are adjusted counts (Kneser-Ney); otherwise raw counts.
    interpolated : bool
        Seen n-grams receive gamma(h) p(w | h') as well; otherwise only unseen ones.
    normalised : bool
        The probabilities of every context sum to one. Otherwise gamma(h) is the
        back-off weight as it is.
    uses_lower_orders : bool
        Otherwise h' counts for nothing: below the highest order stands the uniform
        distribution, except after `<s>`, before which there is no longer context.
    needs_heldout : bool
        `fit` needs held-out text.
    """

    name: ClassVar[str]
    kernel: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()
    uses_adjusted_counts: ClassVar[bool] = False
    interpolated: ClassVar[bool] = True
    normalised: ClassVar[bool] = True
    uses_lower_orders: ClassVar[bool] = True
    needs_heldout: ClassVar[bool] = False

    @abstractmethod
    def fit(
        self,
        counts_of_counts: CountsOfCounts,
        *,
        words: int = 1,
        heldout: HeldoutCounts | None = None,
    ) -> Self:
        """Learn what the method takes from a corpus; return the method.

        Parameters
        ----------
        counts_of_counts : array-like of shape (order, 6), int
            Row k holds n_1 to n_6 of the n-grams of length k + 1: how many have the
            count 1 to 6, adjusted or raw as the method wants it.
        words : int, default=1
            Size of the vocabulary, without `<s>`.
        heldout : HeldoutCounts, optional
        """

    @abstractmethod
    def alpha(self, order: int, count: int, context: ContextSums) -> np.float32:
        """Return the discounted probability of an n-gram with this count."""

    @abstractmethod
    def gamma(self, order: int, context: ContextSums) -> np.float32:
        """Return the mass that the n-grams of a context leave for the lower order."""

    @abstractmethod
    def numbers(self) -> NDArray[np.float64]:
        """Return what the engine needs: one row for each order."""

    @property
    def spec(self) -> str:
        """The name with the options: what makes the same method again."""
        options = {name: getattr(self, name) for name in self.options}
        given = [
            f"{name}={_written(value)}"
            for name, value in options.items()
            if value is not None
        ]
        return ":".join([self.name, ",".join(given)] if given else [self.name])

    def __repr__(self) -> str:
        options = (f"{name}={getattr(self, name)!r}" for name in self.options)
        return f"{type(self).__name__}({', '.join(options)})"


class LearnsNothing(SmoothingMethod):
    """A method that takes from a corpus just its order and its number of words."""

    _orders = 0
    _words = 1

    def fit(
        self,
        counts_of_counts: CountsOfCounts,
        *,
        words: int = 1,
        heldout: HeldoutCounts | None = None,
    ) -> Self:
        """Learn the order and the size of the vocabulary, and nothing else."""
        self._orders, self._words = len(counts_of_counts), words
        return self

    def numbers(self) -> NDArray[np.float64]:
        """Return no numbers for any order."""
        return np.zeros((self._orders, 0))


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        separator = ";" if value and isinstance(value[0], tuple) else "/"
        return separator.join(map(_written, value))
    return repr(value).removesuffix(".0")


def first_orders(said: Sequence[str]) -> str:
    """Return what is said of each order, as far as anybody reads on."""
    shown = (
        said
        if len(said) <= 4
        else [*said[:3], f"{len(said) - 3} higher orders likewise"]
    )
    return "; ".join(shown)


def number(
    method: type[SmoothingMethod], option: str, value: object, least: float, most: float
) -> float:
    """Return an option that lies above `least` and not above `most`."""
    if (
        isinstance(value, bool)
        or not isinstance(value, Real)
        or not least < float(value) <= most
        or not math.isfinite(float(value))
    ):
        upper = "" if math.isinf(most) else f" and at most {most:g}"
        raise InputError(
            f"{option} of {method.name} is {value!r}: it must be a number above"
            f" {least:g}{upper}."
        )
    return float(value)
