"""Modified Kneser-Ney smoothing: three discounts for each order.

The closed form is that of Chen and Goodman; discounts can also be given, or tuned on
held-out text. Read `reference.py` next.
"""

import warnings
from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray

from ngram.errors import DiscountWarning, InputError
from ngram.smoothing.contract import CountsOfCounts, HeldoutCounts
from ngram.smoothing.discounting import Discounting
from ngram.smoothing.discounts import (
    Discounts,
    complete_discounts,
    discounts_from_counts,
)

Discount = Sequence[float]

LEAST = 0.01  # of a tuned discount


class ModifiedKneserNey(Discounting):
    """Modified Kneser-Ney smoothing: interpolated, with three discounts per order.

    Parameters
    ----------
    discounts : sequence of 1 to 3 float, or of such sequences, optional
        Discounts of the adjusted counts 1, 2, and 3 or more: for all orders, or for
        each order from 1 up. By default, the closed form.
    discount_fallback : sequence of 1 to 3 float, optional
        Discounts for the orders whose closed form is undefined.
    strict : bool, default=False
        Raise where the closed form is undefined and there is no fallback.

    Attributes
    ----------
    discounts_ : tuple of Discounts
        One for each order, starting at 1.

    References
    ----------
    Chen and Goodman (1999), section 3. Heafield, K., Pouzyrevsky, I., Clark, J. H. and
    Koehn, P. (2013), Scalable modified Kneser-Ney language model estimation, ACL,
    690-696, sections 3.2 and 3.3.

    Examples
    --------
    >>> method = ModifiedKneserNey().fit([(5, 3, 2, 1)])
    >>> print(f"{method.discounts_[0].d2:.4f}")
    1.0909
    """

    name = "modified-kneser-ney"
    options: ClassVar[tuple[str, ...]] = ("discounts",)
    uses_adjusted_counts = True
    closed_form = "modified Kneser-Ney discounts"
    closed_form_of = staticmethod(discounts_from_counts)
    replacements = ("one", "fixed")

    def __init__(
        self,
        *,
        discounts: Discount | Sequence[Discount] | None = None,
        discount_fallback: Sequence[float] | None = None,
        strict: bool = False,
    ) -> None:
        super().__init__(discount_fallback=discount_fallback, strict=strict)
        self.discounts = None if discounts is None else _given(discounts)

    def fit(
        self,
        counts_of_counts: CountsOfCounts,
        *,
        words: int = 1,
        heldout: HeldoutCounts | None = None,
    ) -> Self:
        """Compute the discounts of every order, or take those that were given.

        Parameters, errors and warnings as for `Discounting.fit`.
        """
        if self.discounts is None:
            return super().fit(counts_of_counts)
        orders = len(counts_of_counts)
        rows = self.discounts * orders if len(self.discounts) == 1 else self.discounts
        if len(rows) != orders:
            raise InputError(
                f"discounts has rows for {len(rows)} orders, and the model has order"
                f" {orders}. Pass one row for each order, or one for all."
            )
        given = (complete_discounts(row, "discounts") for row in rows)
        self.discounts_ = tuple(Discounts(*row, source="given") for row in given)
        return self


def _given(discounts: Discount | Sequence[Discount]) -> tuple[tuple[float, ...], ...]:
    """Return one row of checked discounts, or one for each order."""
    if isinstance(discounts, int | float):
        discounts = (discounts,)
    try:
        if any(isinstance(row, Sequence | np.ndarray) for row in discounts):
            rows = tuple(tuple(map(float, cast(Discount, row))) for row in discounts)
        else:
            rows = (tuple(map(float, cast(Discount, discounts))),)
    except (TypeError, ValueError):
        raise InputError(
            f"discounts is {discounts!r}: pass one to three numbers, or as many for"
            " each order."
        ) from None
    for row in rows or ((),):
        complete_discounts(row, "discounts")
    return rows


class ModifiedKneserNeyBackoff(ModifiedKneserNey):
    """Modified Kneser-Ney in back-off form: only unseen tokens ask the lower order.

    Here a discount as large as the count would leave an n-gram that was seen without
    probability (D3+ is 3 where no n-gram has the adjusted count 4), so the closed form
    counts as undefined there too. Parameters and attributes as `ModifiedKneserNey`.
    """

    name = "modified-kneser-ney-backoff"
    interpolated = False
    closed_form_of = staticmethod(partial(discounts_from_counts, below_count=True))


class TunedModifiedKneserNey(ModifiedKneserNey):
    """Modified Kneser-Ney with the discounts that predict held-out text best.

    The search (L-BFGS with bounds, from the closed form) minimises the cross-entropy of
    the held-out text over D1, D2 and D3+ of all orders together; the gradient is exact.
    The discounts are at least 0.01, so that tokens not seen keep a probability, and
    rounded to four decimals, which hides how machines round sums.

    Parameters
    ----------
    discount_fallback : sequence of 1 to 3 float, optional
        Where the search starts in orders whose closed form is undefined.

    Attributes
    ----------
    discounts_ : tuple of Discounts

    References
    ----------
    Chen and Goodman (1999), section 3, on discounts as free parameters.
    """

    name = "modified-kneser-ney-tuned"
    options = ()
    needs_heldout = True

    def __init__(self, *, discount_fallback: Sequence[float] | None = None) -> None:
        super().__init__(discount_fallback=discount_fallback)

    def fit(
        self,
        counts_of_counts: CountsOfCounts,
        *,
        words: int = 1,
        heldout: HeldoutCounts | None = None,
    ) -> Self:
        """Find the discounts; see the class."""
        from scipy.optimize import minimize

        if heldout is None:
            raise InputError(f"{self.name} needs held-out text: pass `heldout`.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiscountWarning)
            super().fit(counts_of_counts)
        search = _Search(heldout, 1 / words)
        found = minimize(
            search.bits,
            self.numbers().ravel(),
            jac=True,
            method="L-BFGS-B",
            bounds=[(LEAST, j) for j in (1, 2, 3)] * len(counts_of_counts),
            options={"maxiter": 200, "ftol": 1e-10, "gtol": 1e-7},
        ).x.round(4)
        rows = found.astype(np.float32).reshape(-1, 3)
        self.discounts_ = tuple(Discounts(d1, d2, d3, "tuned") for d1, d2, d3 in rows)
        return self


class _Search:
    """The cross-entropy of held-out text as a function of the discounts."""

    def __init__(self, heldout: HeldoutCounts, share: float) -> None:
        self.share = share
        self.known = heldout.total > 0
        total = np.where(self.known, heldout.total, 1)
        self.relative = heldout.count / total
        classes = np.minimum(np.floor(heldout.count + 0.5), 3)
        # What a unit of each discount takes from the n-gram, and gives to the rest.
        self.taken = [
            np.where(heldout.count > 0, classes == j, 0) / total for j in (1, 2, 3)
        ]
        self.given = [heldout.kept[:, j] / total for j in range(3)]
        self.pruned = np.where(self.known, heldout.pruned / total, 1)

    def bits(self, flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return bits per prediction, and their gradient."""
        discounts = flat.reshape(-1, 3)
        lower, weights, slopes = np.full(self.known.shape[1], self.share), [], []
        for k, d in enumerate(discounts):
            alpha = self.relative[k].copy()
            gamma = self.pruned[k].copy()
            for j in range(3):
                alpha -= d[j] * self.taken[j][k]
                gamma += d[j] * self.given[j][k]
            slopes.append(
                [self.given[j][k] * lower - self.taken[j][k] for j in range(3)]
            )
            lower = np.maximum(alpha, 0) + gamma * lower
            weights.append(gamma)
        lower = np.maximum(lower, 1e-30)
        gradient, weight = np.empty_like(discounts), 1 / lower
        for k in reversed(range(len(discounts))):
            gradient[k] = [-np.mean(weight * slope) for slope in slopes[k]]
            weight = weight * weights[k]
        scale = 1 / np.log(2)
        return float(-np.mean(np.log2(lower))), gradient.ravel() * scale
