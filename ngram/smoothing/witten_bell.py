"""Witten-Bell smoothing: a context that was followed by many tokens expects more."""

import numpy as np

from ngram.smoothing.contract import ContextSums, LearnsNothing


class WittenBell(LearnsNothing):
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

    def alpha(self, order: int, count: int, context: ContextSums) -> np.float32:
        """Return the share of a count among counts and new tokens."""
        return np.float32(count / (context.total + context.types))

    def gamma(self, order: int, context: ContextSums) -> np.float32:
        """Return the share of new tokens, and of what is pruned."""
        return np.float32(
            (context.types + context.pruned) / (context.total + context.types)
        )


class WittenBellBackoff(WittenBell):
    """Witten-Bell in back-off form: only unseen tokens ask the lower order."""

    name = "witten-bell-backoff"
    interpolated = False
