"""Discounts: what is taken from each count, computed from counts of counts.

Input: n_1 to n_4 of one order. Output: `Discounts`, float32 in the order of operations
written here: another order gives other last bits. Read `modified_kneser_ney.py` next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ngram.errors import DiscountError, InputError
from ngram.smoothing.contract import ZERO, Counts

FIXED_DISCOUNTS = (0.5, 1.0, 1.5)
FIXED_DISCOUNT = (0.5,)


@dataclass(frozen=True)
class Discounts:
    """The discounts of one order: what a count of 1, 2, or 3 and more loses.

    `source` says where they come from: "modified" is the closed form of modified
    Kneser-Ney, "one" that of one discount for all counts, "fixed" constants, "given"
    the caller's discounts, "tuned" held-out text.
    """

    d1: np.float32
    d2: np.float32
    d3: np.float32
    source: Literal["modified", "one", "fixed", "given", "tuned"]

    def of(self, count: int) -> np.float32:
        """Return the discount of a count; a count of 0 loses nothing."""
        return (ZERO, self.d1, self.d2, self.d3)[min(count, 3)]


def discounts_from_counts(
    counts_of_counts: Counts,
    *,
    order: int,
    fallback: Sequence[float] | None = None,
    strict: bool = False,
    below_count: bool = False,
) -> Discounts:
    """Return the discounts of one order.

    Where the closed form is undefined, the whole order takes `fallback` if there is
    one; else, if not `strict`, n_1 / (n_1 + 2 n_2) for all counts if n_1 and n_2 are
    positive; else 0.5, 1 and 1.5. Warning about that, once for all orders, is the
    caller's part; `ModifiedKneserNey.fit` does it.

    Parameters
    ----------
    counts_of_counts : sequence of 4 int
        n_1 to n_4: how many n-grams of this order have the adjusted count 1 to 4.
    order : int
        Length of the n-grams, for messages.
    fallback : sequence of 1 to 3 float, optional
        Discounts of the counts 1, 2, and 3 or more. A missing one repeats the last.
    strict : bool, default=False
        Raise instead of taking discounts the caller did not choose.
    below_count : bool, default=False
        Count the closed form as undefined, too, if a discount is all of a count.

    Returns
    -------
    Discounts
        With 0 <= d1 <= 1, 0 <= d2 <= 2 and 0 <= d3 <= 3.

    Raises
    ------
    DiscountError
        If `strict`, there is no `fallback`, and the closed form is undefined.
    InputError
        If `fallback` cannot be used.

    References
    ----------
    Chen and Goodman (1999), section 3. Heafield et al. (2013), section 3.2.
    """
    given = None if fallback is None else complete_discounts(fallback)
    n1, n2, n3, n4 = (int(n) for n in counts_of_counts[:4])
    reason = _why_undefined((n1, n2, n3, n4), order, below_count)
    if reason is None:
        return Discounts(*_closed_form(n1, n2, n3, n4), source="modified")
    if given is not None:
        return Discounts(*given, source="given")
    if strict:
        raise DiscountError(
            f"cannot compute modified Kneser-Ney discounts for {order}-grams: {reason}."
            " Small or repeated corpora cause this. Remove duplicate lines, or pass"
            f" discount_fallback={FIXED_DISCOUNTS}."
        )
    if n1 > 0 and n2 > 0:
        one = _one_discount(n1, n2)
        return Discounts(one, one, one, source="one")
    return Discounts(*complete_discounts(FIXED_DISCOUNTS), source="fixed")


def one_discount_from_counts(
    counts_of_counts: Counts,
    *,
    order: int,
    fallback: Sequence[float] | None = None,
    strict: bool = False,
) -> Discounts:
    """Return one discount for all counts of one order: n_1 / (n_1 + 2 n_2).

    Parameters, errors and sources as for `discounts_from_counts`. Where n_1 or n_2 is 0
    the order takes `fallback`, or else 0.5.

    References
    ----------
    Chen and Goodman (1999), section 2.6. Ney, H., Essen, U. and Kneser, R. (1994), On
    structuring probabilistic dependences in stochastic language modelling, Computer
    Speech & Language 8, 1-38.
    """
    given = None if fallback is None else complete_discounts(fallback)
    n1, n2 = (int(n) for n in counts_of_counts[:2])
    if n1 > 0 and n2 > 0:
        one = _one_discount(n1, n2)
        return Discounts(one, one, one, source="one")
    if given is not None:
        return Discounts(*given, source="given")
    if strict:
        raise DiscountError(
            f"cannot compute the discount of {order}-grams: no {order}-gram has the"
            f" count {1 if n1 == 0 else 2}. Small or repeated corpora cause this."
            f" Remove duplicate lines, or pass discount_fallback={FIXED_DISCOUNT}."
        )
    return Discounts(*complete_discounts(FIXED_DISCOUNT), source="fixed")


def _one_discount(n1: int, n2: int) -> np.float32:
    # Chen & Goodman (1999), section 2.6: D = n_1 / (n_1 + 2 n_2)
    return np.float32(n1) / np.float32(n1 + 2.0 * n2)


def _closed_form(*n: int) -> tuple[np.float32, np.float32, np.float32]:
    """Return D1, D2, D3+ of modified Kneser-Ney from n_1 to n_4."""
    y = _one_discount(n[0], n[1])

    def discount(j: int) -> np.float32:
        # Chen & Goodman (1999), section 3: D_j = j - (j + 1) Y n_(j+1) / n_j
        taken = np.float32(j + 1) * y * np.float32(n[j]) / np.float32(n[j - 1])
        return np.float32(j) - taken

    return discount(1), discount(2), discount(3)


def _why_undefined(
    n: tuple[int, int, int, int], order: int, below_count: bool
) -> str | None:
    """Return why the closed form is undefined, or None if it is defined."""
    for j in (1, 2, 3):
        if n[j - 1] == 0:
            return f"no {order}-gram has adjusted count {j}"
    for j, discount in enumerate(_closed_form(*n), start=1):
        if not 0 <= discount <= j:
            return f"D{j} = {discount:.6g} lies outside [0, {j}]"
        if below_count and discount == j:
            return f"D{j} = {j} leaves nothing of the count {j}"
    return None


def complete_discounts(
    given: Sequence[float], option: str = "discount_fallback"
) -> tuple[np.float32, np.float32, np.float32]:
    """Return three discounts: checked, and the last one repeated for those missing."""
    three = (*given, *[*given[-1:]] * 3)[:3]
    valid = len(three) == 3 and all(0 <= d <= j for j, d in enumerate(three, start=1))
    if not valid or len(given) > 3:
        raise InputError(
            f"{option}={tuple(given)} is no list of discounts. Pass one to"
            " three numbers: in [0, 1] for the adjusted count 1, in [0, 2] for 2, in"
            " [0, 3] for 3 or more. A missing one repeats the last."
        )
    return np.float32(three[0]), np.float32(three[1]), np.float32(three[2])
