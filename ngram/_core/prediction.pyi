from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ngram._core.model import Table
from ngram._core.scoring import ScoringModel
from ngram._core.vocabulary import Vocabulary

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
    def __new__(
        cls,
        table: Table,
        vocabulary: Vocabulary,
        tokenizer: str = "whitespace",
        encoder: Callable[[list[str]], tuple[NDArray[np.uint32], NDArray[np.int64]]]
        | None = None,
    ) -> Self: ...
    def use_successors(self, lists: SuccessorLists | None) -> None: ...
    @property
    def successors(self) -> SuccessorLists | None: ...
    def context_ids(
        self, text: str | bytes, bos: bool = True
    ) -> NDArray[np.uint32]: ...
    def next_words(
        self, text: str | bytes, k: int, bos: bool = True
    ) -> list[tuple[str, float]]: ...
    def distribution_of_ids(
        self, context: NDArray[np.uint32]
    ) -> NDArray[np.float64]: ...
    def probabilities_of_ids(
        self, context: NDArray[np.uint32], words: NDArray[np.uint32]
    ) -> NDArray[np.float64]: ...
    def ids_with_prefix(self, prefix: str | bytes) -> NDArray[np.uint32]: ...
    def continuations_of_ids(
        self, context: NDArray[np.uint32], width: int, longest: int
    ) -> list[tuple[list[int], float]]: ...
    def next_ids(
        self, context: NDArray[np.uint32], k: int
    ) -> list[tuple[int, float]]: ...
    def sample_ids(
        self,
        context: NDArray[np.uint32],
        count: int,
        temperature: float,
        top_k: int,
        top_p: float,
        seed: int,
    ) -> NDArray[np.uint32]: ...
