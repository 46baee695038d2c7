from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    @staticmethod
    def from_levels(
        levels: Iterable[tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]],
    ) -> SortedNgrams: ...
    def __eq__(self, other: Any, /) -> bool: ...
