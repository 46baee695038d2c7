from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from numpy.typing import NDArray

from ngram._core.ngrams import CountedNgrams, SortedNgrams
from ngram.memory import MemoryPlan

_Progress: TypeAlias = Callable[[str, int, int], object] | None

class Table:
    @staticmethod
    def build(
        ngrams: SortedNgrams | CountedNgrams,
        threads: int | None = 1,
        progress: _Progress = None,
        *,
        consume: bool = False,
    ) -> Table: ...
    @staticmethod
    def write(
        ngrams: SortedNgrams | CountedNgrams,
        descriptor: int,
        offset: int,
        threads: int | None = 1,
        progress: _Progress = None,
        *,
        consume: bool = False,
        plan: MemoryPlan | None = None,
    ) -> tuple[dict[str, tuple[tuple[int, int], int]], dict[str, NDArray[Any]]]: ...
    @staticmethod
    def attach(
        arrays: Mapping[str, NDArray[Any]], structure: str = "bucketed.1"
    ) -> Table: ...
    def arrays(self) -> dict[str, NDArray[Any]]: ...
    def to_sorted(
        self, threads: int | None = 1, progress: _Progress = None
    ) -> SortedNgrams: ...
    @property
    def order(self) -> int: ...
    @property
    def vocabulary_size(self) -> int: ...
    @property
    def counts(self) -> tuple[int, ...]: ...
    @property
    def bytes(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def format_tag(self) -> str: ...
    def memory_statistics(self) -> list[dict[str, Any]]: ...
