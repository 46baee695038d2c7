"""Additive smoothing: pretend that everything was seen a little more often."""

import math
from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from ngram.smoothing.contract import (
    ZERO,
    ContextSums,
    LearnsNothing,
    number,
)


class _Additive(LearnsNothing):
    """Counts with something added: to every token seen, and in all.

    `_added` (to each token seen) and `_mass` (to the sum over the vocabulary) are the
    two numbers all forms come down to.
    """

    kernel = "additive"

    @property
    def _added(self) -> float:
        return 0.0

    @property
    @abstractmethod
    def _mass(self) -> float: ...

    def alpha(self, order: int, count: int, context: ContextSums) -> np.float32:
        """Return the share of a count and what is added to it; 0 if it is 0."""
        if count == 0:
            return ZERO
        return np.float32((count + self._added) / (context.total + self._mass))

    def gamma(self, order: int, context: ContextSums) -> np.float32:
        """Return what is added for the tokens not seen, and what is pruned."""
        unseen = self._mass - self._added * sum(context.kept)
        return np.float32((unseen + context.pruned) / (context.total + self._mass))

    def numbers(self) -> NDArray[np.float64]:
        """Return what is added to each token seen, and in all."""
        return np.array([[self._added, self._mass]] * self._orders)


class Additive(_Additive):
    """Additive smoothing: every token was seen delta times more after every context.

        p(w | h) = (c(hw) + delta) / (c(h) + delta |V|)

    delta 1 is Laplace's rule ("laplace"), 1/2 Jeffreys' ("jeffreys"), any other
    Lidstone's. |V| counts `<unk>` and `</s>`, not `<s>`. Shorter contexts count for
    nothing: after a context that was not seen all tokens are equally likely. Contexts
    that begin with `<s>` are as long as they can be, and have their own counts.

    Parameters
    ----------
    delta : float, default=1.0
        Above 0.

    References
    ----------
    Lidstone, G. J. (1920), Note on the general case of the Bayes-Laplace formula for
    inductive or a posteriori probabilities, Transactions of the Faculty of Actuaries 8,
    182-192. Chen and Goodman (1999), section 2.1.

    Examples
    --------
    >>> method = Additive().fit([(3, 0, 0, 0)], words=4)
    >>> context = ContextSums(total=4, kept=(1, 0, 1, 0, 0, 0))
    >>> float(method.alpha(1, 1, context) + method.gamma(1, context) / 4)
    0.25
    """

    name = "additive"
    options = ("delta",)
    uses_lower_orders = False

    def __init__(self, *, delta: float = 1.0) -> None:
        self.delta = number(type(self), "delta", delta, 0, math.inf)

    @property
    def _mass(self) -> float:
        return self.delta * self._words


class AdditiveBackoff(Additive):
    """Additive smoothing in back-off form: shorter contexts divide what is added.

    A token seen after h has (c(hw) + delta) / (c(h) + delta |V|), as in `Additive`; the
    tokens not seen share what is left in proportion to p(w | h').

    Parameters
    ----------
    delta : float, default=1.0
        Above 0.

    References
    ----------
    Chen and Goodman (1999), section 2.1, for the counts; section 2.8 for the form.
    """

    name = "additive-backoff"
    interpolated = False
    uses_lower_orders = True

    @property
    def _added(self) -> float:
        return self.delta


class Dirichlet(_Additive):
    """Additive smoothing, interpolated: a Dirichlet prior with the lower order as mean.

        p(w | h) = (c(hw) + mass p(w | h')) / (c(h) + mass)

    as if `mass` tokens drawn from the lower order had been seen after every context.
    With a uniform lower order and mass = delta |V| it is `Additive`.

    Parameters
    ----------
    mass : float, default=100.0
        Above 0.

    References
    ----------
    MacKay, D. J. C. and Peto, L. C. B. (1995), A hierarchical Dirichlet language model,
    Natural Language Engineering 1(3), 289-308.

    Examples
    --------
    >>> method = Dirichlet(mass=4).fit([(3, 0, 0, 0)])
    >>> float(method.gamma(1, ContextSums(total=4, kept=(1, 0, 1, 0, 0, 0))))
    0.5
    """

    name = "dirichlet"
    options = ("mass",)

    def __init__(self, *, mass: float = 100.0) -> None:
        self.mass = number(type(self), "mass", mass, 0, math.inf)

    @property
    def _mass(self) -> float:
        return self.mass
