"""Words out of a distribution: the best ones, and draws.

Input: the probability of every word. Output: word ids. Read `ngram/mixture/reading.py`
next.
"""

import numpy as np
from numpy.typing import NDArray

from ngram.mixture.components import BOS, EOS, UNK, Floats


def ranked(distribution: Floats) -> NDArray[np.int64]:
    """Return words that can come next, the most probable first, then by id."""
    order = np.argsort(-distribution, kind="stable")
    kept = (distribution[order] > 0) & (order != UNK) & (order != BOS)
    words: NDArray[np.int64] = order[kept]
    return words


def drawn(
    distribution: Floats,
    temperature: float,
    top_k: int,
    top_p: float,
    random: np.random.Generator,
) -> int:
    """Return a word drawn from a distribution; `</s>` if there is none to draw."""
    words = ranked(distribution)
    if not len(words):
        return EOS
    if temperature == 0:
        return int(words[0])
    if top_k:
        words = words[:top_k]
    worth = (distribution[words] / distribution[words[0]]) ** (1 / temperature)
    held = np.cumsum(worth)
    kept = int(np.searchsorted(held, top_p * held[-1])) + 1
    at = random.random() * held[min(kept, len(held)) - 1]
    return int(words[np.searchsorted(held, at, side="right")])
