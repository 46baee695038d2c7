"""Models and texts of the command line: what a name stands for, and its opening."""

import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ngram.cli.output import progress

if TYPE_CHECKING:
    from ngram.model import Model

ARPA_SUFFIXES = tuple(f".arpa{suffix}" for suffix in ("", ".gz", ".xz", ".zst", ".bz2"))


def is_arpa(path: str) -> bool:
    """Return whether a path means ARPA, by its name; stdin and stdout do."""
    return path == "-" or path.endswith(ARPA_SUFFIXES)


def open_model(path: str, tokenizer: str = "whitespace") -> "Model":
    """Open a model file, or read an ARPA file."""
    from ngram.model import load, read_arpa

    if not is_arpa(path):
        return load(path)
    with progress() as report:
        return read_arpa(path, tokenizer, progress=report)


def read_sentences(paths: Iterable[str]) -> Iterator[str]:
    """Yield the lines of texts without line ends; invalid UTF-8 as surrogates."""
    from ngram.files import open_input

    for path in paths:
        with (
            open_input(path) as stream,
            io.TextIOWrapper(
                io.BufferedReader(stream),
                encoding="utf-8",
                errors="surrogateescape",
                newline="\n",
            ) as lines,
        ):
            for line in lines:
                yield line.removesuffix("\n")
