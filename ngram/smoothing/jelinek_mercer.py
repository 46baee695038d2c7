"""Jelinek-Mercer smoothing: linear interpolation, with weights from held-out text."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from ngram.errors import InputError
from ngram.smoothing.contract import (
    ContextSums,
    CountsOfCounts,
    HeldoutCounts,
    SmoothingMethod,
)

BUCKETS = 64
LEAST_IN_BUCKET = 100
LEAST_WEIGHT = 0.001
ROUNDS = 200
GAIN = 1e-7  # bits per prediction at which the rounds end


class JelinekMercer(SmoothingMethod):
    """Jelinek-Mercer smoothing: what was seen, and the lower order, by weights.

        p(w | h) = weight(c(h)) c(hw) / c(h) + (1 - weight(c(h))) p(w | h')

    Contexts of one order whose c(h) have the same number of binary digits share a
    weight; such buckets are joined until each has 100 held-out predictions. The weights
    of all orders are found together by the EM algorithm.

    Attributes
    ----------
    weights_ : ndarray of shape (order, 64), dtype=float64
        By order, and by the number of binary digits of c(h), less one. In [0.001,
        0.999], rounded to six decimals, which hides how machines round sums.

    References
    ----------
    Jelinek, F. and Mercer, R. L. (1980), Interpolated estimation of Markov source
    parameters from sparse data, Pattern Recognition in Practice, 381-397. Chen and
    Goodman (1999), section 2.3.
    """

    name = "jelinek-mercer"
    kernel = "jelinek-mercer"
    needs_heldout = True

    weights_: NDArray[np.float64]

    def fit(
        self,
        counts_of_counts: CountsOfCounts,
        *,
        words: int = 1,
        heldout: HeldoutCounts | None = None,
    ) -> Self:
        """Find the weights on held-out text.

        Raises
        ------
        InputError
            If there is no held-out text.
        """
        if heldout is None:
            raise InputError(f"{self.name} needs held-out text: pass `heldout`.")
        self.weights_ = expectation_maximisation(heldout, 1 / words)
        return self

    def alpha(self, order: int, count: int, context: ContextSums) -> np.float32:
        """Return the weighted relative frequency."""
        return np.float32(self._weight(order, context) * count / context.total)

    def gamma(self, order: int, context: ContextSums) -> np.float32:
        """Return the weight of the lower order, and of what is pruned."""
        weight = self._weight(order, context)
        return np.float32(1 - weight + weight * context.pruned / context.total)

    def _weight(self, order: int, context: ContextSums) -> float:
        return float(self.weights_[order - 1, bucket(context.total)])

    def numbers(self) -> NDArray[np.float64]:
        """Return the weights."""
        return self.weights_


def bucket(total: float) -> int:
    """Return the bucket of a context: binary digits of its total count, less one."""
    return min(max(int(np.frexp(total)[1]) - 1, 0), BUCKETS - 1)


def expectation_maximisation(
    heldout: HeldoutCounts, share: float
) -> NDArray[np.float64]:
    """Return the weights that predict held-out text best.

    A prediction goes down the orders from the highest: at each it stops, with the
    weight of the context, or goes on; at the end stands the uniform distribution.
    """
    orders = len(heldout.total)
    known = heldout.total > 0
    relative = heldout.count / np.where(known, heldout.total, 1)
    places = np.clip(np.frexp(heldout.total)[1] - 1, 0, BUCKETS - 1)
    groups = [_groups(places[k][known[k]]) for k in range(orders)]
    joined = [groups[k][places[k]] for k in range(orders)]
    weights = [np.full(BUCKETS, 0.5) for _ in range(orders)]
    best = np.inf
    for _ in range(ROUNDS):
        mixed = [np.where(known[k], weights[k][joined[k]], 0) for k in range(orders)]
        p = [np.full(known.shape[1], share)]
        for k in range(orders):
            p.append(mixed[k] * relative[k] + (1 - mixed[k]) * p[-1])
        bits = -np.mean(np.log2(p[-1]))
        if best - bits < GAIN:
            break
        best = bits
        arrived = np.ones(known.shape[1])
        for k in reversed(range(orders)):
            stopped = arrived * mixed[k] * relative[k] / p[k + 1]
            came = np.bincount(
                joined[k][known[k]], arrived[known[k]], minlength=BUCKETS
            )
            ended = np.bincount(
                joined[k][known[k]], stopped[known[k]], minlength=BUCKETS
            )
            has = came > 0
            weights[k][has] = np.clip(
                ended[has] / came[has], LEAST_WEIGHT, 1 - LEAST_WEIGHT
            )
            arrived = arrived * (1 - mixed[k]) * p[k] / p[k + 1]
    return np.array([w[g].round(6) for w, g in zip(weights, groups, strict=True)])


def _groups(places: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return the group of each bucket: neighbours joined until each has enough."""
    sizes = np.bincount(places, minlength=BUCKETS)
    groups, group, size = np.zeros(BUCKETS, np.intp), 0, 0
    for place in range(BUCKETS):
        groups[place] = group
        size += sizes[place]
        if size >= LEAST_IN_BUCKET:
            group, size = group + 1, 0
    # What is left over at the end joins the last group that has enough.
    groups[groups == group] = max(group - 1, 0)
    return groups
