"""`Counts`: the n-grams of a text with their counts, in memory and in a file.

Input: what `ngram.counts.counting` and `ngram.counts.merging` made, or a file. Output:
lookups, a file, and the arrays that `ngram.estimate` smooths. A file from a stranger is
data: every number in it is checked before use.
"""

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ngram._core.counts import (
    MAX_ORDER,
    NgramCounts,
    encode_vocabulary,
    read_vocabulary,
)
from ngram.arguments import checked_integer
from ngram.container import (
    Container,
    Written,
    create_container,
    open_container,
    write_container,
)
from ngram.errors import InputError, ModelFileError
from ngram.files import is_file_output
from ngram.memory import MemoryBudget
from ngram.text import NATIVE, Tokenizer
from ngram.threads import thread_count
from ngram.version import __version__
from ngram.vocabulary import Vocabulary

__all__ = ["Counts", "Path", "Progress", "is_size", "whole"]

Progress = Callable[[str, int, int], object]
Path = str | os.PathLike[str]


@dataclass(frozen=True)
class Counts:
    """The n-grams of a text with their counts.

    Made by `count_ngrams`, `merge_counts` and `Counts.load`; immutable.

    Attributes
    ----------
    ngrams : NgramCounts
        The n-grams of every order in suffix order: `ngrams.level(k)` gives the arrays
        (word, suffix, count) of order k, `ngrams.ngram_ids(k)` the ids of their words.
        Counts are raw: numbers of occurrences, or sums of weights. Every sentence
        begins with one `<s>`, which is not counted alone, and ends with one `</s>`.
    vocabulary : Vocabulary
        The words in order of first occurrence.
    tokenizer : Tokenizer
        What cut the text into tokens.
    sources : tuple of dict
        `name`, `bytes`, `sentences` and `tokens` of each text in the order in which
        they were added; `weight` if it is not 1.
    skip_symbols : bool
        Whether `<s>`, `</s>` and `<unk>` in the text were read as white space.

    Examples
    --------
    >>> import ngram
    >>> monday = ngram.count_ngrams(["a rose is a rose"], order=2)
    >>> tuesday = ngram.count_ngrams(["a rose is red"], order=2)
    >>> week = ngram.merge_counts([monday, tuesday])
    >>> week.count("a rose")
    3.0
    >>> ngram.merge_counts([week], subtract=[tuesday]) == monday
    True
    """

    ngrams: NgramCounts
    vocabulary: Vocabulary
    tokenizer: Tokenizer
    sources: tuple[dict[str, Any], ...]
    skip_symbols: bool = False

    @property
    def order(self) -> int:
        """Length of the longest n-grams."""
        return self.ngrams.order

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of distinct n-grams of each order; those of order 1 are all words."""
        return self.ngrams.sizes

    def count(self, ngram: str | Iterable[str]) -> float:
        """Return the count of one n-gram, 0 if it does not occur.

        Parameters
        ----------
        ngram : str or iterable of str
            Its tokens; a str is cut at white space. May begin with `<s>` and end with
            `</s>`.
        """
        tokens = ngram.split() if isinstance(ngram, str) else list(ngram)
        if not 1 <= len(tokens) <= self.order:
            raise InputError(
                f"{ngram!r} has {len(tokens)} tokens: these counts have n-grams of 1 to"
                f" {self.order}."
            )
        if not all(token in self.vocabulary for token in tokens):
            return 0.0
        ids = [self.vocabulary.id(token) for token in tokens]
        index = ids[-1]
        for order, word in enumerate(reversed(ids[:-1]), 2):
            words, suffixes, _ = self.ngrams.level(order)
            begin, end = np.searchsorted(suffixes, np.array([index, index + 1]))
            index = int(begin + np.searchsorted(words[begin:end], np.uint32(word)))
            if index == end or words[index] != word:
                return 0.0
        return float(self.ngrams.level(len(ids))[2][index])

    def truncated(self, order: int) -> Self:
        """Return the counts of the orders 1 to `order`: what counting to it gives."""
        order = checked_integer("order", order, least=1, most=self.order)
        ngrams = self.ngrams if order == self.order else self.ngrams.truncated(order)
        return type(self)(
            ngrams, self.vocabulary, self.tokenizer, self.sources, self.skip_symbols
        )

    def info(self) -> dict[str, Any]:
        """Return what the counts are, as JSON can say it.

        Returns
        -------
        dict
            `order`, `ngrams` (number per order), `vocabulary_size`, `tokenizer`,
            `skip_symbols`, `tokens` and `sentences` (sums of counts), `sources`.
        """
        words = self.ngrams.level(1)[2]
        sentences = float(words[2])
        return {
            "order": self.order,
            "ngrams": list(self.sizes),
            "vocabulary_size": len(self.vocabulary),
            "tokenizer": self.tokenizer.name,
            "skip_symbols": self.skip_symbols,
            "tokens": whole(float(words.sum()) - sentences),
            "sentences": whole(sentences),
            "sources": list(self.sources),
        }

    def save(
        self,
        path: Path,
        *,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Write the counts to a file, which appears when it is complete.

        The same counts give the same bytes.

        Parameters
        ----------
        path : path-like
            By custom it ends in `.counts`. It must not end as compressed files do.
        threads : int, default=None
            By default, all processors. The bytes do not depend on it.
        progress : callable(stage, done, total), default=None
        """
        words = encode_vocabulary(self.vocabulary)
        arrays = {f"vocabulary.{name}": values for name, values in words.items()}
        last: dict[str, NDArray[Any]] = {}
        tokenizer = self.tokenizer.to_json()
        if tokenizer:
            last["tokenizer"] = np.frombuffer(tokenizer.encode(), np.uint8)
        metadata = {
            "content": "counts",
            "tokenizer": self.tokenizer.name,
            "order": str(self.order),
            "counts": json.dumps(self.sizes),
            "sources": json.dumps(self.sources),
            "skip_symbols": json.dumps(self.skip_symbols),
            "version": __version__,
        }
        number = thread_count(threads)
        if not is_file_output(_checked_path(path)):
            arrays |= self.ngrams.encode(threads=number, progress=progress)
            write_container(path, arrays | last, metadata)
            return
        names = [*arrays, *_array_names(self.order), *last]
        with create_container(path, names, metadata) as writer:
            for name, array in arrays.items():
                writer.add(name, array)
            writer.stream(
                lambda descriptor, offset: {
                    name: Written(dtype, (size,), crc32)
                    for name, (dtype, size, crc32) in self.ngrams.write(
                        descriptor, offset, threads=number, progress=progress
                    ).items()
                }
            )
            for name, array in last.items():
                writer.add(name, array)

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        threads: int | None = None,
        memory: int | str | None = None,
        temp_dir: Path | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Read counts from a file that `save` wrote.

        The whole file is read and compared with its checksums.

        Parameters
        ----------
        path : path-like
        threads : int, default=None
            By default, all processors.
        memory : int or str, default="80%"
            Bytes, or a text like "4G" or "80%". Counts that take more than a quarter
            of it lie in temporary files.
        temp_dir : path-like, optional
            Folder of temporary files; by default, that of the system.
        progress : callable(stage, done, total), default=None

        Returns
        -------
        Counts

        Raises
        ------
        MemoryBudgetError
            If the room in `temp_dir` is too small.
        ModelFileError
            If the file is missing, damaged, cut off, something else, or written by a
            later release in a format this one does not know.
        """
        budget = MemoryBudget.of(memory, temp_dir)
        container = open_container(_checked_path(path), content="counts", verify=True)
        try:
            return cls._from_container(
                container, budget, thread_count(threads), progress
            )
        except ModelFileError as error:
            raise ModelFileError(f"{container.path}: {error}") from error

    @classmethod
    def _from_container(
        cls,
        container: Container,
        budget: MemoryBudget,
        threads: int,
        progress: Progress | None,
    ) -> Self:
        arrays, metadata = container.arrays, container.metadata
        try:
            sizes = _sizes(metadata)
            for order, size in enumerate(sizes, 1):  # before asking for room
                if size > arrays[f"counts.{order}.counts"].nbytes:
                    raise ValueError(f"the counts of {size} n-grams are cut off")
            tokenizer = _tokenizer(arrays, metadata["tokenizer"])
            sources = _sources(json.loads(metadata["sources"]))
            skip_symbols = json.loads(metadata["skip_symbols"])
            if not isinstance(skip_symbols, bool):
                raise TypeError("skip_symbols is no boolean")
            strings, lengths = (
                _byte_array(arrays, f"vocabulary.{part}")
                for part in ("strings", "lengths")
            )
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ModelFileError(
                f"the description of the counts is damaged: {error!r}."
            ) from error
        vocabulary = read_vocabulary(strings, lengths, sizes[0])
        ngrams = NgramCounts.decode(
            arrays,
            sizes,
            temp_dir=budget.counts_folder(sum(sizes)),
            threads=threads,
            progress=progress,
        )
        return cls(ngrams, vocabulary, tokenizer, sources, skip_symbols)

    def __repr__(self) -> str:
        return (
            f"Counts(order={self.order}, ngrams={sum(self.sizes)}, "
            f"vocabulary_size={len(self.vocabulary)}, "
            f"tokenizer={self.tokenizer.name!r})"
        )


def is_size(value: object) -> bool:
    """Return whether a value is an int, as sizes in a description are."""
    return isinstance(value, int) and not isinstance(value, bool)


def whole(number: float) -> float:
    """Return an int where a number is whole."""
    return int(number) if math.isfinite(number) and number == int(number) else number


def _checked_path(path: object) -> Path:
    if isinstance(path, str | os.PathLike):
        return path
    raise InputError(
        f"path is {path!r}: pass the name of a file of counts as a str or pathlib.Path."
    )


def _array_names(order: int) -> list[str]:
    """Return the names of the arrays that `NgramCounts.encode` makes."""
    parts = ("children", "words", "counts")
    names = [f"counts.{k}.{part}" for k in range(2, order + 1) for part in parts]
    return ["counts.1.counts", *names]


def _sizes(metadata: Mapping[str, str]) -> list[int]:
    sizes = json.loads(metadata["counts"])
    if not isinstance(sizes, list) or not all(map(is_size, sizes)):
        raise TypeError("counts is no list of integers")
    if not 1 <= len(sizes) <= MAX_ORDER or metadata["order"] != str(len(sizes)):
        raise ValueError(f"the order is {metadata['order']}, of {len(sizes)} counts")
    if sizes[0] < 3 or not all(0 <= size < 2**32 - 1 for size in sizes):
        raise ValueError(f"the numbers of n-grams are {sizes}")
    return sizes


def _sources(sources: object) -> tuple[dict[str, Any], ...]:
    if not isinstance(sources, list):
        raise TypeError("sources is no list")
    for source in sources:
        if not isinstance(source, dict) or not isinstance(source.get("name"), str):
            raise TypeError("a source is no object with a name")
        weight = source.get("weight", 1)
        if not isinstance(weight, int | float) or isinstance(weight, bool):
            raise TypeError("the weight of a source is no number")
    return tuple(sources)


def _tokenizer(arrays: Mapping[str, NDArray[Any]], name: str) -> Tokenizer:
    if "tokenizer" in arrays:
        return Tokenizer.from_json(arrays["tokenizer"].tobytes().decode())
    return NATIVE[name]()


def _byte_array(arrays: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.uint8]:
    values = arrays[name]
    if values.dtype != np.uint8 or values.ndim != 1:
        raise TypeError(f"the array {name!r} has another type")
    return values
