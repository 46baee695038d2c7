from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ngram._core.ngrams import SortedNgrams

_Progress: TypeAlias = Callable[[str, int, int], object] | None

BINS: int

class Pruner:
    def __init__(
        self,
        ngrams: SortedNgrams,
        histories: str | Sequence[NDArray[np.float32]],
        *,
        threads: int = ...,
        progress: _Progress = ...,
    ) -> None: ...
    def score(
        self, method: str, *, threads: int = ..., progress: _Progress = ...
    ) -> None: ...
    def history(self, order: int) -> NDArray[np.float32]: ...
    def scores_of(self, order: int) -> NDArray[np.float32]: ...
    def upper_histogram(self) -> NDArray[np.uint64]: ...
    def lower_histogram(self, upper: int) -> NDArray[np.uint64]: ...
    def select(
        self, score: float, ties: int, *, threads: int = ..., progress: _Progress = ...
    ) -> SortedNgrams: ...
