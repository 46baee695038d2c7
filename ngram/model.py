"""The model: score text, predict what comes next, save and load.

Input: n-grams from the estimator or an ARPA file, or a model file. Output: `Model`,
which inherits its per-token work from the compiled `PredictingModel`. What a model file
holds is described in `docs/format.md`. Read `ngram/estimate.py` next, which trains
models.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ngram import prediction, scoring
from ngram._core.model import Table
from ngram._core.ngrams import CountedNgrams, SortedNgrams
from ngram._core.prediction import PredictingModel, SuccessorLists
from ngram._core.texts import as_texts
from ngram.arpa import format_arpa, parse_arpa
from ngram.container import (
    Container,
    ContainerWriter,
    Written,
    container_size,
    create_container,
    open_container,
    write_container,
)
from ngram.errors import InputError, ModelFileError
from ngram.memory import MemoryPlan
from ngram.text import NATIVE, Tokenizer
from ngram.threads import thread_count
from ngram.version import __version__
from ngram.vocabulary import Vocabulary

__all__ = ["Model", "load", "read_arpa"]

Progress = Callable[[str, int, int], object]

VOCABULARY = "vocabulary."
SUCCESSORS = "successors."
TOKENIZER = "tokenizer"
# The query structures, and their tags in files. What each is: `Model.from_ngrams`.
STRUCTURES = {"fast": "fast.1", "bucketed": "bucketed.1"}


@dataclass(frozen=True)
class Origin:
    """How a model was made, as far as it is known.

    Attributes
    ----------
    discounts : tuple of (float, float, float), or None
        D1, D2, D3+ of each order.
    counts_of_counts : tuple of (int, int, int, int), or None
        n1 to n4 of each order.
    training : dict, or None
        The texts (names and sizes), options and totals; what JSON can say.
    """

    discounts: tuple[tuple[float, ...], ...] | None = None
    counts_of_counts: tuple[tuple[int, ...], ...] | None = None
    training: Mapping[str, Any] | None = None


class Model(PredictingModel):
    """An n-gram language model with back-off.

    Made by `ngram.train`, `ngram.load` and `ngram.read_arpa`. It may be used by several
    threads at once, can be pickled, and is a context manager that closes its file.

    Attributes
    ----------
    order : int
        Length of the longest n-grams.
    vocabulary : Vocabulary
    tokenizer : Tokenizer
        Cuts text into tokens, here as in training.
    path : Path or None
        The file the model was loaded from.

    Examples
    --------
    >>> import ngram
    >>> sentences = ["a rose is a rose", "a rose is red"]
    >>> model = ngram.train(sentences, order=3, discount_fallback=(0.5, 1, 1.5))
    >>> model.next_tokens("a rose", k=1)[0][0]
    'is'
    """

    def __new__(
        cls, table: Table, vocabulary: Vocabulary, tokenizer: Tokenizer, **_: Any
    ) -> Self:
        if tokenizer.native:
            return super().__new__(cls, table, vocabulary, tokenizer.name)
        encoder = partial(tokenizer.encode_batch, vocabulary=vocabulary)
        return super().__new__(cls, table, vocabulary, encoder=encoder)

    def __init__(
        self,
        table: Table,
        vocabulary: Vocabulary,
        tokenizer: Tokenizer,
        *,
        origin: Origin | None = None,
        container: Container | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self._origin = origin or Origin()
        self._container = container

    @classmethod
    def from_ngrams(
        cls,
        ngrams: SortedNgrams | CountedNgrams,
        vocabulary: Vocabulary,
        *,
        tokenizer: str | Tokenizer = "whitespace",
        discounts: Sequence[Sequence[float]] | None = None,
        counts_of_counts: Sequence[Sequence[int]] | None = None,
        training: Mapping[str, Any] | None = None,
        threads: int | None = None,
        progress: Progress | None = None,
        consume: bool = False,
        output: str | os.PathLike[str] | None = None,
        plan: MemoryPlan | None = None,
    ) -> Self:
        """Make a model of n-grams in suffix order.

        Parameters
        ----------
        ngrams : SortedNgrams or CountedNgrams
            Counts give the structure `fast`, probabilities the structure `bucketed`:
            the same scores, the first in a third of the memory.
        vocabulary : Vocabulary
            As many words as there are unigrams.
        tokenizer : str or Tokenizer, default="whitespace"
        discounts, counts_of_counts, training
            What is known of the estimation, kept for `info`.
        threads : int, default=None
            By default, all processors. The model does not depend on it.
        progress : callable(stage, done, total), default=None
        consume : bool, default=False
            Free the n-grams while the model is built.
        output : path-like, optional
            Build the model in this file, which appears when it is complete, and load
            it: memory never holds more than a part of its table. The bytes are those
            of `save`.
        plan : MemoryPlan, optional
            What to hold in memory at once while the file is made; by default, every
            order while it is built.
        """
        if ngrams.counts[0] != len(vocabulary):
            raise InputError(
                f"there are {ngrams.counts[0]} unigrams and {len(vocabulary)} words in "
                "the vocabulary: they must be the same words."
            )
        tokenizer = Tokenizer.of(tokenizer)
        origin = Origin(_rows(discounts), _rows(counts_of_counts), training)
        number = thread_count(threads)
        if output is None:
            table = Table.build(ngrams, number, progress, consume=consume)
            return cls(table, vocabulary, tokenizer, origin=origin)
        with create_container(
            _checked(output),
            _array_names(ngrams, vocabulary, tokenizer),
            _metadata(_tag(ngrams), ngrams.counts, tokenizer, origin),
        ) as writer:
            for name, array in _prefixed(VOCABULARY, vocabulary.arrays()).items():
                writer.add(name, array)
            _write_table(writer, ngrams, number, progress, consume, plan)
            for name, array in _tokenizer_arrays(tokenizer).items():
                writer.add(name, array)
        return cls.load(output, verify=False)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        verify: bool | None = None,
        in_memory: bool = False,
    ) -> Self:
        """Open a model file; see `ngram.load`."""
        container = open_container(_checked(path), verify=verify, in_memory=in_memory)
        return cls._from_file(container)

    @classmethod
    def _from_file(cls, container: Container) -> Self:
        try:
            return cls._from_arrays(container.arrays, container.metadata, container)
        except ModelFileError as error:
            raise ModelFileError(f"{container.path}: {error}") from error

    @classmethod
    def _from_arrays(
        cls,
        arrays: Mapping[str, NDArray[Any]],
        metadata: Mapping[str, str],
        container: Container | None = None,
    ) -> Self:
        structure = metadata.get("structure", "")
        if structure not in STRUCTURES.values():
            known = ", ".join(map(repr, STRUCTURES.values()))
            raise ModelFileError(
                f"the model has the structure {structure!r}, this release of ngram "
                f"reads {known}. Install the release it was saved with (ngram "
                f"{metadata.get('version')}), or train the model again."
            )
        table = Table.attach(_part(arrays, structure + "."), structure)
        try:
            vocabulary = Vocabulary.attach(_part(arrays, VOCABULARY))
        except KeyError as error:
            raise ModelFileError(
                f"the vocabulary of the model is damaged: the array {error} is missing."
            ) from error
        if len(vocabulary) != table.vocabulary_size:
            raise ModelFileError(
                f"the vocabulary has {len(vocabulary)} words, the table of n-grams has "
                f"{table.vocabulary_size}. The model is damaged."
            )
        origin, tokenizer = _details(arrays, metadata)
        model = cls(table, vocabulary, tokenizer, origin=origin, container=container)
        lists = _part(arrays, SUCCESSORS)
        if lists:
            model.use_successors(SuccessorLists.attach(table, lists))
        return model

    def _contents(self) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        """Return the arrays and the metadata of the model's file."""
        lists = self.successors.arrays() if self.successors else {}
        arrays = {
            **_prefixed(VOCABULARY, self.vocabulary.arrays()),
            **_prefixed(self.table.format_tag + ".", self.table.arrays()),
            **_prefixed(SUCCESSORS, lists),
            **_tokenizer_arrays(self.tokenizer),
        }
        metadata = _metadata(
            self.table.format_tag, self.table.counts, self.tokenizer, self._origin
        )
        return arrays, metadata

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, which appears when it is complete.

        The same model gives the same bytes. Successor lists are stored if the model has
        them (`index_successors`).

        Parameters
        ----------
        path : path-like
        """
        write_container(_checked(path), *self._contents())

    def in_structure(
        self,
        structure: str,
        *,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> "Model":
        """Return the same model in a query structure, this one if it is in that.

        Parameters
        ----------
        structure : {"auto", "fast", "bucketed"}
            "auto" is the one the model has.
        threads, progress
            As `write_arpa`.

        Raises
        ------
        InputError
            If the model is to be `fast` and is not: the counts that it is made of are
            not in the model.
        """
        checked_structure(structure)
        if structure in ("auto", self.table.name):
            return self
        if structure == "fast":
            raise InputError(no_counts("this model", f"is {self.table.name}"))
        model = type(self).from_ngrams(
            self.table.to_sorted(thread_count(threads), progress),
            self.vocabulary,
            tokenizer=self.tokenizer,
            discounts=self._origin.discounts,
            counts_of_counts=self._origin.counts_of_counts,
            training=self._origin.training,
            threads=threads,
            progress=progress,
            consume=True,
        )
        if self.successors is not None:
            model.index_successors(threads, progress=progress)
        return model

    def write_arpa(
        self,
        path: str | os.PathLike[str],
        *,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Write the model as an ARPA file, which nearly every other toolkit reads.

        Parameters
        ----------
        path : path-like
            Names ending in `.gz`, `.bz2`, `.xz` or `.zst` are compressed; "-" is
            stdout.
        threads : int, default=None
            By default, all processors. The bytes do not depend on it.
        progress : callable(stage, done, total), default=None
        """
        ngrams = self.table.to_sorted(thread_count(threads), progress)
        format_arpa(ngrams, self.vocabulary, path, threads=threads, progress=progress)

    def index_successors(
        self, threads: int | None = None, *, progress: Progress | None = None
    ) -> None:
        """Make predictions fast: list the successors of every context.

        Takes about 3 bytes per n-gram, and 40 per n-gram of the largest order while it
        runs. Without lists `next_tokens`, `distribution`, `sample` and `generate` give
        the same results, but ask the table for every word of the vocabulary. `save`
        stores the lists.

        Parameters
        ----------
        threads : int, default=None
            By default, all processors. The lists do not depend on it.
        progress : callable(stage, done, total), default=None
        """
        if self.successors is None:
            self.use_successors(
                SuccessorLists.build(self.table, thread_count(threads), progress)
            )

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of a text, without `<s>` and `</s>`."""
        as_texts([text])  # the library tokenizers checks less
        return self.tokenizer.tokenize(text)

    # Measures and predictions: functions of a model, written where their topic is.

    perplexity = scoring.perplexity
    distribution = prediction.distribution
    next_tokens = prediction.next_tokens
    sample = prediction.sample
    generate = prediction.generate
    complete = prediction.complete
    rank_candidates = prediction.rank_candidates

    # The model as an object.

    @property
    def normalised(self) -> bool:
        """Whether the model gives probabilities; stupid backoff gives only scores."""
        smoothing = (self._origin.training or {}).get("smoothing", {})
        return bool(smoothing.get("normalised", True))

    @property
    def path(self) -> Path | None:
        """The file the model was loaded from."""
        return self._container.path if self._container else None

    @property
    def saved_size(self) -> int:
        """How many bytes `save` writes."""
        return container_size(*self._contents())

    def info(self) -> dict[str, Any]:
        """Return what the model is and how it was made, as JSON can say it.

        Returns
        -------
        dict
            `order`, `ngrams` (number per order), `vocabulary_size`, `tokenizer`,
            `structure`, `path`, `memory` (bytes of each part), `table` (per order the
            bytes of its n-grams, `lines`, and of the dictionary of their `values`, and
            of both `per_ngram`), `discounts` and `counts_of_counts` (per order, None
            if unknown), and `training`.
        """
        successors = self.successors
        memory = {
            "vocabulary": self.vocabulary.nbytes,
            "ngrams": self.table.bytes,
            "successors": successors.bytes if successors else 0,
        }
        return {
            "order": self.order,
            "ngrams": list(self.table.counts),
            "vocabulary_size": len(self.vocabulary),
            "tokenizer": self.tokenizer.name,
            "structure": self.table.name,
            "path": str(self.path) if self.path else None,
            "memory": {**memory, "total": sum(memory.values())},
            "table": _table_sizes(self.table),
            "discounts": self._origin.discounts,
            "counts_of_counts": self._origin.counts_of_counts,
            "training": self._origin.training,
        }

    def verify(self) -> None:
        """Compare the model's file with its checksums, byte by byte.

        Raises
        ------
        ModelFileError
            If the file is damaged, or the model was not loaded from a file.
        """
        if self._container is None:
            raise ModelFileError(
                "the model was not loaded from a file: nothing to verify."
            )
        self._container.verify()

    def close(self) -> None:
        """End the use of the model: whatever is asked of it now is an `InputError`.

        Memory and file are let go of when nothing refers to the model any more. Closing
        twice is fine.
        """
        # Another class costs nothing per call, and calls under way in other threads
        # keep their memory.
        self.__class__ = _ClosedModel

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        if self._container is not None:
            return _load_unchanged, (
                type(self),
                self._container.path,
                self._container.checksum,
            )
        arrays, metadata = self._contents()
        copies = {name: np.array(array) for name, array in arrays.items()}
        return type(self)._from_arrays, (copies, metadata)

    def __repr__(self) -> str:
        source = f", path={str(self.path)!r}" if self.path else ""
        return (
            f"{type(self).__name__}(order={self.order}, "
            f"ngrams={sum(self.table.counts)}, vocabulary_size={len(self.vocabulary)}, "
            f"tokenizer={self.tokenizer.name!r}"
            f"{source})"
        )


class _ClosedModel(Model):
    def __getattribute__(self, name: str) -> Any:
        if name in ("__class__", "close"):
            return super().__getattribute__(name)
        raise InputError(
            "the model is closed: load it again, or use it before it is closed."
        )

    def __repr__(self) -> str:
        return "Model(closed)"


def load(
    path: str | os.PathLike[str],
    *,
    verify: bool | None = None,
    in_memory: bool = False,
) -> Model:
    """Open a model file.

    The file is mapped, not read: opening takes milliseconds, and processes that open
    the same file share its memory. It must not be changed in place while it is open.

    Parameters
    ----------
    path : path-like
        A file that `Model.save` wrote.
    verify : bool, default=None
        Whether to compare the file with its checksums. By default, if it has at most
        64 MiB; that takes less than 20 ms.
    in_memory : bool, default=False
        Read the file into memory at once. Scoring with a large model is then faster,
        and the file may be changed or removed.

    Returns
    -------
    Model

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, cut off, something else, or written by a later
        release in a format this one does not know.
    """
    return Model.load(path, verify=verify, in_memory=in_memory)


def read_arpa(
    path: str | os.PathLike[str],
    tokenizer: str | Tokenizer = "whitespace",
    *,
    strict: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Model:
    """Read a model from an ARPA file.

    Parameters
    ----------
    path : path-like
        Plain, or compressed with gzip, bzip2, xz or zstandard.
    tokenizer : str or Tokenizer, default="whitespace"
        How text is cut into tokens. ARPA files do not say.
    strict : bool, default=False
        Whether a file that lacks something, as other toolkits' may, is an error instead
        of a warning; see `ngram.arpa.parse_arpa`.
    threads : int, default=None
        By default, all processors.
    progress : callable(stage, done, total), default=None

    Returns
    -------
    Model
    """
    ngrams, vocabulary = parse_arpa(
        path, strict=strict, threads=threads, progress=progress
    )
    return Model.from_ngrams(
        ngrams,
        vocabulary,
        tokenizer=tokenizer,
        threads=threads,
        progress=progress,
        consume=True,
    )


def _load_unchanged(cls: type[Model], path: Path, checksum: str) -> Model:
    """Load a pickled model, which is its path and the checksum of what it was."""
    model = cls.load(path)
    if model._container is None or model._container.checksum != checksum:
        raise ModelFileError(
            f"{path}: the file has changed since the model was pickled. Pickle the "
            "model again, or put the old file back."
        )
    return model


def _checked(path: object) -> str | os.PathLike[str]:
    if isinstance(path, str | os.PathLike):
        return path
    raise InputError(
        f"path is {path!r}: pass the name of a model file as a str or pathlib.Path."
    )


def _json(value: object) -> str:
    return json.dumps(value, default=_plain)


def _plain(value: object) -> object:
    """Return the Python number that a NumPy scalar is, for JSON."""
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.floating):
        return float(value)
    raise TypeError(f"JSON has no {type(value).__name__}")


def _metadata(
    structure: str, counts: tuple[int, ...], tokenizer: Tokenizer, origin: Origin
) -> dict[str, str]:
    return {
        "structure": structure,
        "tokenizer": tokenizer.name,
        "order": str(len(counts)),
        "counts": json.dumps(counts),
        "discounts": _json(origin.discounts),
        "counts_of_counts": _json(origin.counts_of_counts),
        "training": _json(origin.training),
        "version": __version__,
    }


def checked_structure(structure: str) -> str:
    """Return the name of a query structure, or "auto"."""
    if structure == "auto" or structure in STRUCTURES:
        return structure
    names = ", ".join(map(repr, ("auto", *STRUCTURES)))
    raise InputError(f"structure is {structure!r}: pass one of {names}.")


def no_counts(what: str, why: str) -> str:
    """Say that something cannot be `fast`."""
    return (
        f"{what} cannot have the structure 'fast', which computes probabilities from"
        f" counts: it {why}. Train on text, with interpolated Kneser-Ney smoothing, or"
        " pass structure='bucketed'."
    )


def _tag(ngrams: SortedNgrams | CountedNgrams) -> str:
    return STRUCTURES["fast" if isinstance(ngrams, CountedNgrams) else "bucketed"]


def _table_sizes(table: Table) -> list[dict[str, Any]]:
    arrays = table.arrays()
    rows = []
    for order, ngrams in enumerate(table.counts, 1):
        lines = arrays[f"order_{order}"].nbytes
        values = arrays[f"values_{order}"].nbytes if f"values_{order}" in arrays else 0
        per_ngram = (lines + values) / ngrams if ngrams else None
        rows.append(
            {"order": order, "lines": lines, "values": values, "per_ngram": per_ngram}
        )
    return rows


def _array_names(
    ngrams: SortedNgrams | CountedNgrams, vocabulary: Vocabulary, tokenizer: Tokenizer
) -> list[str]:
    """Return the arrays of a model without successor lists, as the file has them."""
    names = [f"order_{order}" for order in range(1, ngrams.order + 1)]
    if isinstance(ngrams, CountedNgrams):
        names += [f"values_{order}" for order in range(2, ngrams.order + 1)]
    return [
        *_prefixed(VOCABULARY, vocabulary.arrays()),
        *(f"{_tag(ngrams)}.{name}" for name in (*names, "header")),
        *_tokenizer_arrays(tokenizer),
    ]


def _tokenizer_arrays(tokenizer: Tokenizer) -> dict[str, NDArray[Any]]:
    data = tokenizer.to_json()
    return {TOKENIZER: np.frombuffer(data.encode(), np.uint8)} if data else {}


def _write_table(
    writer: ContainerWriter,
    ngrams: SortedNgrams | CountedNgrams,
    threads: int,
    progress: Progress | None,
    consume: bool,
    plan: MemoryPlan | None,
) -> None:
    """Build the table of n-grams in a model file."""
    tag = _tag(ngrams)
    others: dict[str, NDArray[Any]] = {}

    def make(descriptor: int, offset: int) -> dict[str, Written]:
        sections, small = Table.write(
            ngrams, descriptor, offset, threads, progress, consume=consume, plan=plan
        )
        others.update(small)
        return {
            f"{tag}.{name}": Written("U32", shape, crc32)
            for name, (shape, crc32) in sections.items()
        }

    writer.stream(make)
    for name, array in others.items():
        writer.add(f"{tag}.{name}", array)


def _prefixed(
    prefix: str, arrays: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    return {prefix + name: array for name, array in arrays.items()}


def _part(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """Return the arrays whose names begin with a prefix, by the rest of their names."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _details(
    arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]
) -> tuple[Origin, Tokenizer]:
    try:
        origin = Origin(
            _rows(json.loads(metadata["discounts"])),
            _rows(json.loads(metadata["counts_of_counts"])),
            json.loads(metadata["training"]),
        )
        name = metadata["tokenizer"]
        if TOKENIZER in arrays:
            return origin, Tokenizer.from_json(arrays[TOKENIZER].tobytes().decode())
        return origin, NATIVE[name]()
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ModelFileError(
            f"the description of the model is damaged: {error!r}."
        ) from error


def _rows(rows: Iterable[Iterable[Any]] | None) -> tuple[tuple[Any, ...], ...] | None:
    return None if rows is None else tuple(tuple(row) for row in rows)
