from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ngram._core.text import TokenIds

_Progress: TypeAlias = Callable[[str, int, int], object] | None

ONE_BIT: int

def block_size(place: int) -> int: ...
def exchange(
    tokens: TokenIds,
    classes: NDArray[np.uint32],
    n_classes: int,
    *,
    iterations: int,
    threads: int = 1,
    progress: _Progress = None,
) -> tuple[list[int], NDArray[np.uint32]]: ...
def merge_classes(
    counts: NDArray[np.uint32], *, threads: int = 1, progress: _Progress = None
) -> NDArray[np.uint32]: ...
