"""Absolute discounting: every raw count loses the same amount."""

from ngram.smoothing.discounting import OneDiscount


class AbsoluteDiscounting(OneDiscount):
    """Absolute discounting: one discount for each order, raw counts everywhere.

        p(w | h) = max(c(hw) - D, 0) / c(h) + D N1+(h.) / c(h) p(w | h')

    with N1+(h.) for the number of tokens seen after h, and D = n_1 / (n_1 + 2 n_2).

    Parameters
    ----------
    discount_fallback : sequence of 1 to 3 float, optional
        Discounts for the orders where n_1 or n_2 is 0. By default 0.5.
    strict : bool, default=False
        Raise there instead.

    Attributes
    ----------
    discounts_ : tuple of Discounts

    References
    ----------
    Ney, H., Essen, U. and Kneser, R. (1994), On structuring probabilistic dependences
    in stochastic language modelling, Computer Speech & Language 8, 1-38. Chen and
    Goodman (1999), section 2.6.

    Examples
    --------
    >>> method = AbsoluteDiscounting().fit([(6, 3, 2, 1)])
    >>> print(f"{method.discounts_[0].d1:.2f}")
    0.50
    """

    name = "absolute-discounting"


class AbsoluteDiscountingBackoff(AbsoluteDiscounting):
    """Absolute discounting in back-off form: only unseen tokens ask the lower order."""

    name = "absolute-discounting-backoff"
    interpolated = False
