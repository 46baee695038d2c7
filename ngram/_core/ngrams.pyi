from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Progress: TypeAlias = Callable[[str, int, int], object] | None

class SortedNgrams:
    @property
    def order(self) -> int: ...
    @property
    def counts(self) -> tuple[int, ...]: ...
    def level(
        self, order: int
    ) -> tuple[
        NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float32], NDArray[np.float32]
    ]: ...
    def ngram_ids(self, order: int) -> NDArray[np.uint32]: ...
    def prefixes(
        self, *, threads: int = ..., progress: _Progress = ...
    ) -> list[NDArray[np.uint32]]: ...
    @staticmethod
    def from_levels(
        levels: Iterable[tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]],
    ) -> SortedNgrams: ...
    def __eq__(self, other: Any, /) -> bool: ...
