"""Witten-Bell smoothing: a context that was followed by many tokens expects more."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from ngram.smoothing.contract import (
    ContextSums,
    CountsOfCounts,
    HeldoutCounts,
    SmoothingMethod,
)


class WittenBell(SmoothingMethod):
    """Witten-Bell smoothing, interpolated.

        p(w | h) = (c(hw) + N1+(h.) p(w | h')) / (c(h) + N1+(h.))

    with N1+(h.) for the number of tokens seen after h: every one of them was new once,
    so a new token is as likely as that.

    References
    ----------
    Witten, I. H. and Bell, T. C. (1991), The zero-frequency problem: Estimating the
    probabilities of novel events in adaptive text compression, IEEE Transactions on
    Information Theory 37(4), 1085-1094, method C. Chen and Goodman (1999), section 2.5.

    Examples
    --------
    >>> method = WittenBell().fit([(2, 0, 0, 0)])
    >>> context = ContextSums(total=6, kept=(2, 0, 0, 0, 0, 0), types=2)
    >>> float(method.alpha(1, 1, context)), float(method.gamma(1, context))
    (0.125, 0.25)
    """

    name = "witten-bell"
    kernel = "witten-bell"

    def fit(
        self,
        counts_of_counts: CountsOfCounts,
        *,
        words: int = 1,
        heldout: HeldoutCounts | None = None,
    ) -> Self:
        """Learn nothing but the order: the method has no parameters."""
        self._orders = len(counts_of_counts)
        return self

    def alpha(self, order: int, count: int, context: ContextSums) -> np.float32:
        """Return the share of a count among counts and new tokens."""
        return np.float32(count / (context.total + context.types))

    def gamma(self, order: int, context: ContextSums) -> np.float32:
        """Return the share of new tokens, and of what is pruned."""
        return np.float32(
            (context.types + context.pruned) / (context.total + context.types)
        )

    def numbers(self) -> NDArray[np.float64]:
        """Return no numbers for any order."""
        return np.zeros((self._orders, 0))


class WittenBellBackoff(WittenBell):
    """Witten-Bell in back-off form: only unseen tokens ask the lower order."""

    name = "witten-bell-backoff"
    interpolated = False
