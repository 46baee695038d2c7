from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import Buffer

from ngram._core.model import Table
from ngram._core.vocabulary import Vocabulary

class State:
    @property
    def words(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __lt__(self, other: State, /) -> bool: ...
    def __copy__(self) -> State: ...
    def __deepcopy__(self, memo: Any) -> State: ...

def restore_state(words: bytes, backoffs: bytes) -> State: ...

class ScoringModel:
    table: Table
    vocabulary: Vocabulary
    def __init__(
        self,
        table: Table,
        vocabulary: Vocabulary,
        tokenizer: str = "whitespace",
        encoder: Callable[[list[str]], tuple[NDArray[np.uint32], NDArray[np.int64]]]
        | None = None,
    ) -> None: ...
    @property
    def order(self) -> int: ...
    def score(self, text: str | bytes, bos: bool = True, eos: bool = True) -> float: ...
    def score_batch(
        self,
        texts: Iterable[str | bytes],
        bos: bool = True,
        eos: bool = True,
        threads: int | None = None,
    ) -> NDArray[np.float64]: ...
    def score_sentences(
        self,
        texts: Iterable[str | bytes],
        bos: bool = True,
        eos: bool = True,
        threads: int | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.uint32], NDArray[np.uint32]]: ...
    def score_lines(
        self,
        data: Buffer,
        bos: bool = True,
        eos: bool = True,
        threads: int | None = None,
    ) -> tuple[
        NDArray[np.int64],
        NDArray[np.float64],
        NDArray[np.uint32],
        NDArray[np.uint32],
    ]: ...
    def score_tokens(
        self,
        texts: Iterable[str | bytes],
        bos: bool = True,
        eos: bool = True,
        threads: int | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.bool_]]: ...
    def full_scores(
        self, text: str | bytes, bos: bool = True, eos: bool = True
    ) -> list[tuple[float, int, bool]]: ...
    def encode(
        self, texts: Iterable[str | bytes], threads: int | None = None
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]: ...
    def score_ids(
        self,
        ids: ArrayLike,
        offsets: ArrayLike,
        bos: bool = True,
        eos: bool = True,
        threads: int | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]: ...
    def score_id_sums(
        self,
        ids: ArrayLike,
        offsets: ArrayLike,
        bos: bool = True,
        eos: bool = True,
        threads: int | None = None,
    ) -> NDArray[np.float64]: ...
    def null_state(self) -> State: ...
    def state(self, bos: bool = True) -> State: ...
    def advance(self, state: State, token: str | bytes) -> tuple[float, State]: ...
    def advance_ids(self, state: State, word: int) -> tuple[float, int, State]: ...
