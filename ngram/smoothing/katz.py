"""Katz smoothing: Good-Turing discounts, and backing off."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ngram.errors import DiscountWarning, InputError, warn
from ngram.smoothing.contract import (
    COUNTED,
    ContextSums,
    CountsOfCounts,
    HeldoutCounts,
    SmoothingMethod,
    first_orders,
)


class Katz(SmoothingMethod):
    """Katz smoothing: counts up to `k` lose what the Good-Turing estimate says.

    A count r keeps the part d_r of itself, with r* = (r + 1) n_(r+1) / n_r,

        d_r = (r* / r - common) / (1 - common),    common = (k + 1) n_(k+1) / n_1,

    and counts above k keep all. Tokens not seen share what is left in proportion to the
    lower order. There is no interpolated form.

    Parameters
    ----------
    k : int, default=5
        1 to 5.

    Attributes
    ----------
    ratios_ : tuple of tuple of 6 float
        d_1 to d_5 of each order, and 1 for all counts above.

    Notes
    -----
    Where the counts of counts give no d_r in (0, 1], as small and odd corpora do, that
    count keeps all, and a DiscountWarning says so. A context whose n-grams all keep
    all would leave nothing to other tokens: its total is raised by one.

    References
    ----------
    Katz, S. M. (1987), Estimation of probabilities from sparse data for the language
    model component of a speech recognizer, IEEE Transactions on Acoustics, Speech, and
    Signal Processing 35(3), 400-401. Chen and Goodman (1999), section 2.4.

    Examples
    --------
    >>> method = Katz().fit([(100, 40, 20, 12, 8, 5)])
    >>> print(f"{method.ratios_[0][0]:.4f}")  # (2 * 40 / 100 - 0.3) / (1 - 0.3)
    0.7143
    """

    name = "katz"
    kernel = "good-turing"
    options = ("k",)
    interpolated = False

    ratios_: tuple[tuple[float, ...], ...]

    def __init__(self, *, k: int = 5) -> None:
        if isinstance(k, bool) or k not in range(1, COUNTED):
            raise InputError(f"k of katz is {k!r}: it must be 1 to {COUNTED - 1}.")
        self.k = int(k)

    def fit(
        self,
        counts_of_counts: CountsOfCounts,
        *,
        words: int = 1,
        heldout: HeldoutCounts | None = None,
    ) -> Self:
        """Compute the Good-Turing ratios of every order.

        Parameters
        ----------
        counts_of_counts : array-like of shape (order, 6), int
            n_1 to n_6 of the raw counts.

        Warns
        -----
        DiscountWarning
            Once, naming all orders with counts that keep all.
        """
        found, spared = [], []
        for order, row in enumerate(counts_of_counts, start=1):
            ratios, bad = good_turing_ratios([int(n) for n in row], self.k)
            found.append(ratios)
            if bad:
                spared.append(f"{order}-grams with the count {_listed(bad)}")
        self.ratios_ = tuple(found)
        if spared:
            warn(
                "the Good-Turing estimate is undefined or no discount for"
                f" {first_orders(spared)}: they keep their counts. Small or repeated"
                " corpora cause this.",
                DiscountWarning,
            )
        return self

    def alpha(self, order: int, count: int, context: ContextSums) -> np.float32:
        """Return the relative frequency of the part that a count keeps."""
        kept = self.ratios_[order - 1][min(count, COUNTED) - 1] if count else 0.0
        return np.float32(kept * count / (context.total + self._spare(order, context)))

    def gamma(self, order: int, context: ContextSums) -> np.float32:
        """Return what Good-Turing and pruning took from the n-grams of a context."""
        spare = self._spare(order, context)
        mass = self._taken(order, context) + context.pruned + spare
        return np.float32(mass / (context.total + spare))

    def _taken(self, order: int, context: ContextSums) -> float:
        taken = 0.0
        for r in range(1, COUNTED):
            taken += context.kept[r - 1] * ((1 - self.ratios_[order - 1][r - 1]) * r)
        return taken

    def _spare(self, order: int, context: ContextSums) -> float:
        """Return 1 where nothing would be left for tokens not seen, else 0."""
        left = self._taken(order, context) + context.pruned
        return 0.0 if left > 0 else 1.0

    def numbers(self) -> NDArray[np.float64]:
        """Return the ratios of every order."""
        return np.array(self.ratios_)


def good_turing_ratios(n: Sequence[int], k: int) -> tuple[tuple[float, ...], list[int]]:
    """Return d_1 to d_5 and 1, and the counts that keep all though they should not."""
    # Katz (1987); Chen & Goodman (1999), section 2.4
    common = (k + 1) * n[k] / n[0] if n[0] > 0 else 1.0
    ratios, bad = [1.0] * COUNTED, []
    for r in range(1, k + 1):
        if n[r - 1] == 0:
            continue
        ratio = 0.0
        if common < 1:
            ratio = ((r + 1) * n[r] / (r * n[r - 1]) - common) / (1 - common)
        if 0 < ratio < 1:
            ratios[r - 1] = ratio
        else:
            bad.append(r)
    return tuple(ratios), bad


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
