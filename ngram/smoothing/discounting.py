"""Subtracting discounts from counts: what absolute discounting and both forms of
Kneser-Ney have in common.

They differ in the counts they discount (raw or adjusted) and in the discounts (one or
three for each order). Read `absolute_discounting.py`, `kneser_ney.py` and
`modified_kneser_ney.py` next.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ngram.errors import DiscountWarning, warn
from ngram.smoothing.contract import (
    ZERO,
    ContextSums,
    Counts,
    CountsOfCounts,
    HeldoutCounts,
    SmoothingMethod,
    first_orders,
)
from ngram.smoothing.discounts import (
    FIXED_DISCOUNTS,
    Discounts,
    one_discount_from_counts,
)


class Discounting(SmoothingMethod):
    """A method that subtracts a discount from every count.

    Parameters
    ----------
    discount_fallback : sequence of 1 to 3 float, optional
        Discounts for the orders whose closed form is undefined.
    strict : bool, default=False
        Raise where the closed form is undefined and there is no fallback.

    Attributes
    ----------
    discounts_ : tuple of Discounts
        One for each order, starting at 1.
    """

    kernel = "discounting"
    closed_form: ClassVar[str]
    closed_form_of: ClassVar[Callable[..., Discounts]]
    replacements: ClassVar[tuple[str, ...]]

    discounts_: tuple[Discounts, ...]

    def __init__(
        self, *, discount_fallback: Sequence[float] | None = None, strict: bool = False
    ) -> None:
        self.discount_fallback = discount_fallback
        self.strict = strict

    def fit(
        self,
        counts_of_counts: CountsOfCounts,
        *,
        words: int = 1,
        heldout: HeldoutCounts | None = None,
    ) -> Self:
        """Compute the discounts of every order.

        Parameters
        ----------
        counts_of_counts : array-like of shape (order, 4 or more), int
            Row k holds n_1 to n_4 of the n-grams of length k + 1.
        words, heldout
            Not used.

        Returns
        -------
        Discounting
            The method itself.

        Raises
        ------
        DiscountError
            If `strict`, there is no fallback, and a closed form is undefined.

        Warns
        -----
        DiscountWarning
            Once, naming all orders that take discounts the caller did not choose.
        """
        discounts, replaced = [], []
        for order, row in enumerate(counts_of_counts, start=1):
            d = type(self).closed_form_of(
                row, order=order, fallback=self.discount_fallback, strict=self.strict
            )
            discounts.append(d)
            if d.source in self.replacements:
                replaced.append(_replacement(order, row, d))
        self.discounts_ = tuple(discounts)
        if replaced:
            warn(
                f"the closed form of {self.closed_form} is undefined:"
                f" {first_orders(replaced)}. Small or repeated corpora cause this."
                " Remove duplicate lines, or pass"
                f" discount_fallback={FIXED_DISCOUNTS}.",
                DiscountWarning,
            )
        return self

    def alpha(self, order: int, count: int, context: ContextSums) -> np.float32:
        """Return the discounted probability of an n-gram with this count."""
        # Heafield et al. (2013), section 3.3: u(w | h) = (a(hw) - D(a)) / sum a(h.)
        discounted = np.float32(count) - self.discounts_[order - 1].of(count)
        return discounted / np.float32(context.total)

    def gamma(self, order: int, context: ContextSums) -> np.float32:
        """Return what discounts and pruning took from the n-grams of a context."""
        # Chen & Goodman (1999), section 3: (D1 N1 + D2 N2 + D3+ N3+) / sum a(h.)
        discounts, mass = self.discounts_[order - 1], ZERO
        ones, twos, *more = context.kept
        for count, types in enumerate((ones, twos, sum(more)), start=1):
            mass += discounts.of(count) * np.float32(types)
        # Pruned n-grams leave their whole counts to the lower order.
        return (mass + np.float32(context.pruned)) / np.float32(context.total)

    def numbers(self) -> NDArray[np.float64]:
        """Return D1, D2, D3+ of every order."""
        return np.array([[d.d1, d.d2, d.d3] for d in self.discounts_], np.float64)


def _replacement(order: int, row: Counts, d: Discounts) -> str:
    n = ", ".join(str(int(count)) for count in row[:4])
    return (
        f"{order}-grams (n_1 to n_4 are {n}) now use {d.d1:.4g}, {d.d2:.4g}, {d.d3:.4g}"
    )


class OneDiscount(Discounting):
    """A method with one discount for all counts of an order."""

    closed_form = "one discount for all counts"
    closed_form_of = staticmethod(one_discount_from_counts)
    replacements = ("fixed",)
