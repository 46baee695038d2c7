from collections.abc import Callable
from typing import Protocol, TypedDict

from ngram._core.ngrams import SortedNgrams
from ngram._core.vocabulary import Vocabulary

class _Reader(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...

class _Writer(Protocol):
    def write(self, data: bytes, /) -> int | None: ...

class Lacked(TypedDict):
    unk: bool
    unk_upper_case: bool
    bos: bool
    eos: bool
    suffixes: int
    prefixes: int
    rows: tuple[int | None, int | None, int | None]

def read_arpa(
    source: int | _Reader,
    name: str,
    *,
    size: int = 0,
    strict: bool = False,
    unk_log10_prob: float = -100,
    threads: int = 1,
    progress: Callable[[str, int, int], object] | None = None,
) -> tuple[SortedNgrams, Vocabulary, Lacked]: ...
def write_arpa(
    ngrams: SortedNgrams,
    vocabulary: Vocabulary,
    sink: int | _Writer,
    name: str,
    *,
    threads: int = 1,
    progress: Callable[[str, int, int], object] | None = None,
) -> None: ...
def format_number(value: float) -> str: ...
def parse_number(text: bytes) -> float: ...
