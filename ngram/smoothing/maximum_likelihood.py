"""Maximum likelihood: no smoothing."""

import numpy as np

from ngram.smoothing.contract import ContextSums, LearnsNothing


class MaximumLikelihood(LearnsNothing):
    """Relative frequencies: p(w | h) = c(hw) / c(h).

    A token that did not follow h has probability 0, and so has `<unk>`; log10 is minus
    infinity, here and in ARPA files, and a text with such a token has perplexity
    infinity. Nothing is known of a context that was not seen: there the shorter context
    answers. What pruned n-grams had goes to the shorter context too.

    References
    ----------
    Chen and Goodman (1999), section 1.1.

    Examples
    --------
    >>> method = MaximumLikelihood().fit([(1, 0, 0, 0)])
    >>> float(method.alpha(1, 1, ContextSums(total=4, kept=(1, 0, 1, 0, 0, 0))))
    0.25
    """

    name = "maximum-likelihood"
    kernel = "maximum-likelihood"

    def alpha(self, order: int, count: int, context: ContextSums) -> np.float32:
        """Return the relative frequency."""
        return np.float32(count / context.total)

    def gamma(self, order: int, context: ContextSums) -> np.float32:
        """Return nothing, but for what is pruned."""
        return np.float32(context.pruned / context.total)
