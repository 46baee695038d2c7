"""Stupid backoff: relative frequencies, and a constant for every order less."""

import numpy as np
from numpy.typing import NDArray

from ngram.smoothing.contract import ContextSums, LearnsNothing, number


class StupidBackoff(LearnsNothing):
    """Stupid backoff: scores, no probabilities.

        S(w | h) = c(hw) / c(h) if w was seen after h, else backoff * S(w | h')

    and a token never seen scores backoff / |V|. The scores of a context do not sum to
    one, so no perplexity of this model compares with that of another.

    Parameters
    ----------
    backoff : float, default=0.4
        Above 0, at most 1.

    Notes
    -----
    The authors multiply by `backoff` after a context that was not seen too. Models in
    ARPA form cannot: there such a context costs nothing. It is the same factor for all
    tokens after that context, so no ranking changes.

    References
    ----------
    Brants, T., Popat, A. C., Xu, P., Och, F. J. and Dean, J. (2007), Large language
    models in machine translation, EMNLP-CoNLL, 858-867, section 4.

    Examples
    --------
    >>> method = StupidBackoff().fit([(2, 0, 0, 0)])
    >>> float(method.alpha(1, 1, ContextSums(total=4, kept=(1, 0, 1, 0, 0, 0))))
    0.25
    """

    name = "stupid-backoff"
    kernel = "stupid-backoff"
    options = ("backoff",)
    interpolated = False
    normalised = False

    def __init__(self, *, backoff: float = 0.4) -> None:
        self.backoff = number(type(self), "backoff", backoff, 0, 1)

    def alpha(self, order: int, count: int, context: ContextSums) -> np.float32:
        """Return the relative frequency."""
        return np.float32(count / context.total)

    def gamma(self, order: int, context: ContextSums) -> np.float32:
        """Return the constant."""
        return np.float32(self.backoff)

    def numbers(self) -> NDArray[np.float64]:
        """Return the constant of every order."""
        return np.full((self._orders, 1), self.backoff)
