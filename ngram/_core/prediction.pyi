from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ngram._core.model import Table
from ngram._core.scoring import ScoringModel

class SuccessorLists:
    @staticmethod
    def build(
        table: Table,
        threads: int = 1,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> SuccessorLists: ...
    @staticmethod
    def attach(table: Table, named: dict[str, NDArray[Any]]) -> SuccessorLists: ...
    def arrays(self) -> dict[str, NDArray[np.uint64]]: ...
    @property
    def bytes(self) -> int: ...

class PredictingModel(ScoringModel):
    def use_successors(self, lists: SuccessorLists | None) -> None: ...
    @property
    def successors(self) -> SuccessorLists | None: ...
    def distribution_of_ids(self, context: NDArray[np.uint32]) -> NDArray[np.float64]: ...
    def next_ids(self, context: NDArray[np.uint32], k: int) -> list[tuple[int, float]]: ...
    def sample_ids(
        self,
        context: NDArray[np.uint32],
        count: int,
        temperature: float,
        top_k: int,
        top_p: float,
        seed: int,
    ) -> NDArray[np.uint32]: ...
