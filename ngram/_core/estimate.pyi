from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ngram._core.counts import NgramCounts
from ngram._core.ngrams import CountedNgrams, SortedNgrams
from ngram._core.text import TokenIds
from ngram.memory import MemoryPlan
from ngram.smoothing import SmoothingMethod

class Estimator:
    counts_of_counts: npt.NDArray[np.uint64]
    counts_before_pruning: tuple[int, ...]

    def __init__(
        self,
        tokens: TokenIds,
        vocabulary_size: int,
        order: int,
        *,
        consume: bool = False,
        prune: Sequence[int] = (),
        listed: npt.NDArray[np.uint8] | None = None,
        plan: MemoryPlan | None = None,
        threads: int = 1,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> None: ...
    def smooth(
        self,
        discounts: npt.NDArray[np.float32],
        *,
        interpolate_unigrams: bool = True,
        vocabulary_pad: float = 0.0,
        log10: bool = True,
        threads: int = 1,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> tuple[SortedNgrams, npt.NDArray[np.uint32]]: ...
    def keep_counts(
        self,
        discounts: npt.NDArray[np.float32],
        *,
        interpolate_unigrams: bool = True,
        vocabulary_pad: float = 0.0,
        threads: int = 1,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> tuple[CountedNgrams, npt.NDArray[np.uint32]]: ...

def smooth_counts(
    counts: NgramCounts,
    method: SmoothingMethod,
    *,
    prune: Sequence[int] = (),
    listed: npt.NDArray[np.uint8] | None = None,
    interpolate_unigrams: bool = True,
    vocabulary_pad: float = 0.0,
    log10: bool = True,
    threads: int = 1,
    progress: Callable[[str, int, int], object] | None = None,
) -> tuple[SortedNgrams, npt.NDArray[np.uint32]]: ...
