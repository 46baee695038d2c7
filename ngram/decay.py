"""Decay: how much of what stands before a place still counts there.

Input: places of a text with a key each. Output: for every place a sum over the places
before it with the same key, which count less the farther back they are. What learns
from the text so far counts so: `ngram/skip.py`, `ngram/mixture/cache.py`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["sums_before"]


def sums_before(
    times: NDArray[np.int64], group: NDArray[Any], decay: float
) -> NDArray[np.float64]:
    """Return for every place the sum of decay ** (its time - time) over those before.

    A linear recurrence along each group, by doubling: after step k every sum holds the
    last 2 ** k places.

    Parameters
    ----------
    times : ndarray of shape (n,)
        Ascending within a group.
    group : ndarray of shape (n,)
        Places of one group stand together.
    decay : float
        Above 0, at most 1.

    Returns
    -------
    ndarray of shape (n,), dtype=float64
        0 for the first place of a group.
    """
    factor = np.zeros(len(times))
    same = group[1:] == group[:-1]
    factor[1:][same] = decay ** np.diff(times)[same].astype(np.float64)
    sums = factor.copy()  # sums[i] = factor[i] * (1 + sums[i - 1])
    step = 1
    while factor.any():
        sums[step:] += factor[step:] * sums[:-step]
        factor[step:] *= factor[:-step].copy()
        factor[:step] = 0
        step *= 2
    return sums
