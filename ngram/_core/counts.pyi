from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ngram._core.text import TokenIds

_Progress: TypeAlias = Callable[[str, int, int], object] | None

class NgramCounts:
    @staticmethod
    def count(
        tokens: TokenIds,
        vocabulary_size: int,
        order: int,
        *,
        consume: bool = ...,
        threads: int = ...,
        progress: _Progress = ...,
    ) -> NgramCounts: ...
    @property
    def order(self) -> int: ...
    @property
    def sizes(self) -> tuple[int, ...]: ...
    @property
    def nbytes(self) -> int: ...
    def level(
        self, order: int
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float64]]: ...
    def ngram_ids(self, order: int) -> NDArray[np.uint32]: ...
    def adjusted(self, order: int) -> NDArray[np.float64]: ...
    @property
    def counts_of_counts(self) -> NDArray[np.uint64]: ...
    def prefixes(
        self, *, threads: int = ..., progress: _Progress = ...
    ) -> list[NDArray[np.uint32]]: ...
    def __eq__(self, other: Any, /) -> bool: ...
