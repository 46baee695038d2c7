"""Kneser-Ney smoothing: absolute discounting of adjusted counts."""

from ngram.smoothing.discounting import OneDiscount


class KneserNey(OneDiscount):
    """Kneser-Ney smoothing: one discount for each order, adjusted counts.

    As absolute discounting, but a lower order counts in how many contexts a token
    occurs, not how often: it is asked just where the longer context does not know.

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
    Kneser, R. and Ney, H. (1995), Improved backing-off for m-gram language modeling,
    ICASSP, 181-184. Chen and Goodman (1999), section 2.7.

    Examples
    --------
    >>> method = KneserNey().fit([(6, 3, 2, 1)])
    >>> print(f"{method.discounts_[0].d1:.2f}")
    0.50
    """

    name = "kneser-ney"
    uses_adjusted_counts = True


class KneserNeyBackoff(KneserNey):
    """Kneser-Ney in its original form: only unseen tokens ask the lower order."""

    name = "kneser-ney-backoff"
    interpolated = False
