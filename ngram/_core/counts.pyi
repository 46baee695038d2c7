from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ngram._core.text import TokenIds
from ngram._core.vocabulary import Vocabulary
from ngram.memory import MemoryPlan

_Progress: TypeAlias = Callable[[str, int, int], object] | None

MAX_COUNT: float
MAX_ORDER: int

def encode_vocabulary(vocabulary: Vocabulary) -> dict[str, NDArray[np.uint8]]: ...
def read_vocabulary(
    strings: NDArray[np.uint8], lengths: NDArray[np.uint8], size: int
) -> Vocabulary: ...

class NgramCounts:
    @staticmethod
    def count(
        tokens: TokenIds,
        vocabulary_size: int,
        order: int,
        *,
        consume: bool = ...,
        weights: NDArray[np.float64] | None = ...,
        plan: MemoryPlan | None = ...,
        threads: int = ...,
        progress: _Progress = ...,
    ) -> NgramCounts: ...
    @staticmethod
    def merge(
        shards: Iterable[tuple[NgramCounts, Vocabulary]],
        weights: NDArray[np.float64],
        *,
        plan: MemoryPlan | None = ...,
        threads: int = ...,
        progress: _Progress = ...,
    ) -> tuple[NgramCounts, Vocabulary]: ...
    def truncated(self, order: int) -> NgramCounts: ...
    def encode(
        self, *, threads: int = ..., progress: _Progress = ...
    ) -> dict[str, NDArray[Any]]: ...
    def write(
        self,
        descriptor: int,
        offset: int,
        *,
        threads: int = ...,
        progress: _Progress = ...,
    ) -> dict[str, tuple[str, int, int]]: ...
    @staticmethod
    def decode(
        arrays: Mapping[str, NDArray[Any]],
        sizes: Sequence[int],
        *,
        temp_dir: str = ...,
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
    def find(
        self,
        ids: NDArray[np.uint32],
        offsets: NDArray[np.int64],
        *,
        threads: int = ...,
        progress: _Progress = ...,
    ) -> NDArray[np.uint32]: ...
    def __eq__(self, other: Any, /) -> bool: ...
