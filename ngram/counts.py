"""Counts: how often every n-gram occurs in a text, to keep, to add and to take away.

Input: a corpus. Output: `Counts`, which `ngram.train` takes in place of a text and
which a file holds (`docs/format.md`). Counts of parts of a text add up to the counts of
the whole, so a model can be trained in shards, grow with its text, or forget a part of
it. Read `ext/engine/counts/ngram_counts.hpp` for what is counted, then
`ngram/smoothing.py`.
"""

import io
import itertools
import json
import math
import operator
import os
from array import array
from collections.abc import (
    Callable,
    Iterable,
    Iterator,
    Mapping,
    MutableSequence,
    Sequence,
)
from dataclasses import dataclass
from typing import Any, Self, SupportsIndex, cast

import numpy as np
from numpy.typing import NDArray

from ngram._core.counts import (
    MAX_COUNT,
    NgramCounts,
    encode_vocabulary,
    read_vocabulary,
)
from ngram.container import Container, open_container, write_container
from ngram.errors import InputError, ModelFileError
from ngram.text import NATIVE, Tokenizer, is_paths, open_text, read_corpus
from ngram.threads import thread_count
from ngram.version import __version__
from ngram.vocabulary import Vocabulary

__all__ = ["Counts", "count_ngrams", "merge_counts"]

Progress = Callable[[str, int, int], object]
Path = str | os.PathLike[str]

# Weights in these bounds keep counts well inside float32, in which smoothing works.
LEAST_WEIGHT, GREATEST_WEIGHT = 1e-9, 1e9

# Texts that have no name of their own: parts of one read as one.
UNNAMED = ("sentences", "arrays")


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
        order = _order(order, most=self.order)
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
            "tokens": _whole(float(words.sum()) - sentences),
            "sentences": _whole(sentences),
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
        arrays |= self.ngrams.encode(threads=thread_count(threads), progress=progress)
        tokenizer = self.tokenizer.to_json()
        if tokenizer:
            arrays["tokenizer"] = np.frombuffer(tokenizer.encode(), np.uint8)
        metadata = {
            "content": "counts",
            "tokenizer": self.tokenizer.name,
            "order": str(self.order),
            "counts": json.dumps(self.sizes),
            "sources": json.dumps(self.sources),
            "skip_symbols": json.dumps(self.skip_symbols),
            "version": __version__,
        }
        write_container(_checked_path(path), arrays, metadata)

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Read counts from a file that `save` wrote.

        The whole file is read and compared with its checksums.

        Parameters
        ----------
        path : path-like
        threads : int, default=None
            By default, all processors.
        progress : callable(stage, done, total), default=None

        Returns
        -------
        Counts

        Raises
        ------
        ModelFileError
            If the file is missing, damaged, cut off, something else, or written by a
            later release in a format this one does not know.
        """
        container = open_container(_checked_path(path), content="counts", verify=True)
        try:
            return cls._from_container(container, thread_count(threads), progress)
        except ModelFileError as error:
            raise ModelFileError(f"{container.path}: {error}") from error

    @classmethod
    def _from_container(
        cls, container: Container, threads: int, progress: Progress | None
    ) -> Self:
        arrays, metadata = container.arrays, container.metadata
        try:
            sizes = _sizes(metadata)
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
        ngrams = NgramCounts.decode(arrays, sizes, threads=threads, progress=progress)
        return cls(ngrams, vocabulary, tokenizer, sources, skip_symbols)

    def __repr__(self) -> str:
        return (
            f"Counts(order={self.order}, ngrams={sum(self.sizes)}, "
            f"vocabulary_size={len(self.vocabulary)}, "
            f"tokenizer={self.tokenizer.name!r})"
        )


def count_ngrams(
    corpus: object,
    order: int = 5,
    *,
    tokenizer: str | Tokenizer = "whitespace",
    skip_symbols: bool = False,
    weights: float | Iterable[float] | str | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Counts:
    """Count the n-grams of a corpus.

    Parameters
    ----------
    corpus : path, list of path, iterable of str, or (ids, offsets, vocabulary)
        As `ngram.train` takes it.
    order : int, default=5
        Length of the longest n-grams, 1 to 255.
    tokenizer : str or Tokenizer, default="whitespace"
    skip_symbols : bool, default=False
        Treat `<unk>`, `<s>` and `</s>` in the text as white space; otherwise they are
        an error.
    weights : float, iterable of float, or "lines", optional
        What an occurrence counts, by default 1. One number holds for the whole corpus;
        several are those of the files, if the corpus is a list of paths, or of the
        sentences. "lines": every line, or sentence, begins with its weight and a tab.
        0 leaves a text out; other weights lie between 1e-9 and 1e9.
    threads : int, optional
        By default, all processors. The result does not depend on it.
    progress : callable(stage, done, total), optional

    Returns
    -------
    Counts

    Raises
    ------
    InputError
        If an argument or the text cannot be used, or there are more or fewer weights
        than texts.

    Notes
    -----
    With weights that are not whole, modified Kneser-Ney follows this rule: adjusted
    counts of the orders below the highest are numbers of distinct words on the left,
    whatever their weights; those of the highest order, and of n-grams that begin with
    `<s>`, are sums of weights. Counts of counts are those of the rounded counts (0.5
    up), and the discount of a count between two whole numbers lies between their
    discounts, linearly, with none at 0. So probabilities sum to one, and whole counts
    give what they give without weights.
    """
    order = _order(order)
    tokenizer = Tokenizer.of(tokenizer)
    count = _Counter(order, tokenizer, bool(skip_symbols), thread_count(threads))
    if weights is None:
        return count(corpus, progress)
    several = isinstance(corpus, list | tuple) and is_paths(corpus)
    if isinstance(weights, str):
        if weights != "lines":
            raise InputError(
                f"weights is {weights!r}: pass numbers, or 'lines' if every line begins"
                " with its weight and a tab."
            )
        corpora = cast(Sequence[object], corpus) if several else [corpus]
        return count.weighted_lines(corpora, progress)
    if not isinstance(weights, Iterable):
        weight = _weight(weights, "weights")
        return merge_counts([count(corpus, progress)], [weight], threads=threads)
    if several:
        return count.weighted_files(cast(Sequence[Path], corpus), weights, progress)
    return count.weighted_sentences(corpus, weights, progress)


def merge_counts(
    shards: Iterable[Counts],
    weights: Iterable[float] | None = None,
    *,
    subtract: Iterable[Counts] = (),
    threads: int | None = None,
    progress: Progress | None = None,
) -> Counts:
    """Add counts, each times its weight.

    The counts of the parts of a text, in order, add up to exactly what counting the
    whole gives: same numbers, same order of words, same file, same model.

    Parameters
    ----------
    shards : iterable of Counts
        Of the same order and tokenizer.
    weights : iterable of float, optional
        One per shard, by default 1. 0 leaves a shard out, a negative one takes its
        counts away.
    subtract : iterable of Counts, optional
        Counts to take away: shards with the weight -1.
    threads : int, optional
        By default, all processors. The result does not depend on it.
    progress : callable(stage, done, total), optional

    Returns
    -------
    Counts
        Words in order of first occurrence, the shards read one after the other.
        N-grams and words whose counts became 0 are not there any more.

    Raises
    ------
    InputError
        If the shards do not fit together, a weight cannot be used, or a count would
        fall below 0: what was never added cannot be taken away.

    Notes
    -----
    Whole counts and weights up to 2**53 are exact. After a subtraction the remaining
    words keep their order, in which the text without the part might have met them
    otherwise: the model is the same up to the order of its words.
    """
    parts = _shards("shards", shards)
    factors = _factors(parts, weights)
    removed = _shards("subtract", subtract)
    parts, factors = [*parts, *removed], [*factors, *[-1.0] * len(removed)]
    _check_shards(parts)
    used = [(p, factor) for p, factor in zip(parts, factors, strict=True) if factor]
    if not used:
        raise InputError(
            "nothing to merge: pass at least one shard with a weight that is not 0."
        )
    if len(used) == 1 and used[0][1] == 1:
        return used[0][0]
    ngrams, vocabulary = NgramCounts.merge(
        [(part.ngrams, part.vocabulary) for part, _ in used],
        np.array([factor for _, factor in used], np.float64),
        threads=thread_count(threads),
        progress=progress,
    )
    return Counts(
        ngrams,
        vocabulary,
        parts[0].tokenizer,
        _merged_sources([(part.sources, factor) for part, factor in used]),
        any(part.skip_symbols for part, _ in used),
    )


# --- Counting ---


@dataclass(frozen=True)
class _Counter:
    """Counts a corpus with the options that all its parts share."""

    order: int
    tokenizer: Tokenizer
    skip_symbols: bool
    threads: int

    def __call__(
        self,
        corpus: object,
        progress: Progress | None,
        weights: MutableSequence[float] | None = None,
    ) -> Counts:
        """Count a corpus; `weights` are filled while it is read, one per sentence."""
        tokens, vocabulary, sources = read_corpus(
            corpus,
            self.tokenizer,
            skip_symbols=self.skip_symbols,
            threads=self.threads,
            progress=progress,
        )
        ngrams = NgramCounts.count(
            tokens,
            len(vocabulary),
            self.order,
            consume=not (isinstance(corpus, tuple) and corpus[0] is tokens),
            weights=None if weights is None else np.array(weights, np.float64),
            threads=self.threads,
            progress=progress,
        )
        if weights is not None:
            sources = [{**source, "weighted": True} for source in sources]
            largest = float(ngrams.level(1)[2].max())
            if largest > MAX_COUNT:
                raise InputError(
                    f"a word has the count {largest:g}, more than 2**53. Use smaller"
                    " weights."
                )
        return Counts(
            ngrams, vocabulary, self.tokenizer, tuple(sources), self.skip_symbols
        )

    def weighted_files(
        self,
        paths: Sequence[Path],
        weights: Iterable[float],
        progress: Progress | None,
    ) -> Counts:
        factors = [
            _weight(weight, f"weight {i}") for i, weight in enumerate(weights, 1)
        ]
        if len(factors) != len(paths):
            raise InputError(
                f"there are {len(factors)} weights for {len(paths)} files: pass one for"
                " each."
            )
        shards = [
            self([path], progress)
            for path, factor in zip(paths, factors, strict=True)
            if factor
        ]
        return merge_counts(
            shards, filter(None, factors), threads=self.threads, progress=progress
        )

    def weighted_sentences(
        self, corpus: object, weights: Iterable[float], progress: Progress | None
    ) -> Counts:
        if isinstance(corpus, str | os.PathLike | bytes) or not isinstance(
            corpus, Iterable
        ):
            raise InputError(
                "several weights are those of a list of files or of sentences; the"
                f" corpus is {corpus!r:.80}. For weights in a file pass 'lines'."
            )
        if isinstance(corpus, tuple) and isinstance(corpus[-1], Vocabulary):
            return self._weighted_arrays(corpus, weights, progress)
        kept = array("d")
        return self(_weighted(corpus, weights, kept), progress, kept)

    def _weighted_arrays(
        self, corpus: tuple[Any, ...], weights: Iterable[float], progress: Any
    ) -> Counts:
        tokens = read_corpus(corpus, self.tokenizer)[0]
        kept = array("d", (_weight(w, f"weight {i}") for i, w in enumerate(weights, 1)))
        if len(kept) != tokens.sentences:
            raise InputError(
                f"there are {len(kept)} weights for {tokens.sentences} sentences: pass"
                " one for each."
            )
        factors = np.array(kept)
        if not factors.all():
            ids, offsets = tokens.to_arrays()
            lengths = np.diff(offsets)
            ids = ids[np.repeat(factors != 0, lengths)]
            offsets = np.concatenate([[0], np.cumsum(lengths[factors != 0])])
            corpus = (ids, offsets, corpus[-1])
            kept = array("d", factors[factors != 0])
        return self(corpus, progress, kept)

    def weighted_lines(
        self, corpora: Sequence[object], progress: Progress | None
    ) -> Counts:
        shards = []
        for corpus in corpora:
            kept = array("d")
            named = isinstance(corpus, str | os.PathLike)
            lines = (
                _lines(cast(Path, corpus), self.tokenizer)
                if named
                else (
                    (line, f"sentence {i}") for i, line in enumerate(_items(corpus), 1)
                )
            )
            shard = self(_cut_weights(lines, kept), progress, kept)
            if named:
                shard = _renamed(shard, os.fspath(cast(Path, corpus)))
            shards.append(shard)
        return merge_counts(shards, threads=self.threads, progress=progress)


def _weighted(
    corpus: Iterable[Any], weights: Iterable[float], kept: MutableSequence[float]
) -> Iterator[Any]:
    """Yield the sentences whose weight is not 0, and keep their weights."""
    missing = object()
    pairs = itertools.zip_longest(corpus, weights, fillvalue=missing)
    for number, (sentence, weight) in enumerate(pairs, 1):
        if sentence is missing or weight is missing:
            more, fewer = (
                ("weights", "sentences")
                if sentence is missing
                else ("sentences", "weights")
            )
            raise InputError(
                f"there are more {more} than {fewer}: the {fewer} end after"
                f" {number - 1}. Pass one weight for each sentence."
            )
        factor = _weight(weight, f"weight {number}")
        if factor:
            kept.append(factor)
            yield sentence


def _items(corpus: object) -> Iterable[Any]:
    if not isinstance(corpus, Iterable) or isinstance(corpus, tuple | bytes):
        raise InputError(
            "weights='lines' takes paths, or sentences that begin with their weight and"
            f" a tab, not {corpus!r:.80}."
        )
    return corpus


def _lines(path: Path, tokenizer: Tokenizer) -> Iterator[tuple[bytes, str]]:
    """Yield the lines of a file and where they are."""
    name = os.fspath(path)
    with (
        open_text(path, tokenizer) as stream,
        io.BufferedReader(stream) as lines,
    ):
        for number, line in enumerate(lines, 1):
            if line.strip(b"\0\t\r ") or line.endswith(b"\n"):
                yield line.removesuffix(b"\n"), f"{name}:{number}"


def _cut_weights(
    lines: Iterable[tuple[Any, str]], kept: MutableSequence[float]
) -> Iterator[str | bytes]:
    for line, where in lines:
        is_text = isinstance(line, str | bytes)
        tab: Any = b"\t" if isinstance(line, bytes) else "\t"
        weight, found, sentence = line.partition(tab) if is_text else (line, "", "")
        if not found:
            raise InputError(
                f"{where}: the line begins with no weight. With weights in the lines"
                " every line is a number, a tab, and the sentence."
            )
        try:
            factor = _weight(float(weight), where)
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"{where}: {weight!r:.40} is not a number. With weights in the lines"
                " every line is a number, a tab, and the sentence."
            ) from None
        if factor:
            kept.append(factor)
            yield sentence


def _renamed(counts: Counts, name: str) -> Counts:
    """Return counts of sentences as those of the file they were read from."""
    sources = tuple({**source, "name": name} for source in counts.sources)
    return Counts(
        counts.ngrams,
        counts.vocabulary,
        counts.tokenizer,
        sources,
        counts.skip_symbols,
    )


# --- Checks ---


def _order(order: object, *, most: int = 255) -> int:
    try:
        if isinstance(order, bool | np.bool_):
            raise TypeError
        number = operator.index(cast(SupportsIndex, order))
    except TypeError:
        number = 0
    if not 1 <= number <= most:
        raise InputError(f"order is {order!r}: pass an integer from 1 to {most}.")
    return number


def _number(value: object, name: str) -> float:
    try:
        number = float(cast(float, value))
    except (TypeError, ValueError):
        raise InputError(f"{name} is {value!r:.40}: pass a number.") from None
    if number and not LEAST_WEIGHT <= abs(number) <= GREATEST_WEIGHT:
        raise InputError(
            f"{name} is {number}: pass 0, or a number between {LEAST_WEIGHT:g} and"
            f" {GREATEST_WEIGHT:g}."
        )
    return number


def _weight(value: object, name: str) -> float:
    number = _number(value, name)
    if number < 0:
        raise InputError(
            f"{name} is {number}: the weight of a text is not negative. To take counts"
            " away, pass them as subtract to merge_counts."
        )
    return number


def _shards(name: str, shards: object) -> list[Counts]:
    if isinstance(shards, Counts) or not isinstance(shards, Iterable):
        raise InputError(f"{name} is {shards!r:.80}: pass a list of Counts.")
    found = list(shards)
    for number, shard in enumerate(found, 1):
        if not isinstance(shard, Counts):
            raise InputError(
                f"item {number} of {name} is a {type(shard).__name__}, not Counts. Open"
                " files with ngram.Counts.load."
            )
    return found


def _factors(parts: list[Counts], weights: object) -> list[float]:
    if weights is None:
        return [1.0] * len(parts)
    if isinstance(weights, str) or not isinstance(weights, Iterable):
        raise InputError(f"weights is {weights!r:.80}: pass one number for each shard.")
    factors = [_number(weight, f"weight {i}") for i, weight in enumerate(weights, 1)]
    if len(factors) != len(parts):
        raise InputError(
            f"there are {len(factors)} weights for {len(parts)} shards: pass one for"
            " each."
        )
    return factors


def _check_shards(parts: list[Counts]) -> None:
    for number, part in enumerate(parts[1:], 2):
        first = parts[0]
        if part.order != first.order:
            raise InputError(
                f"shard 1 has order {first.order} and shard {number} order"
                f" {part.order}: counts of different orders cannot be merged. Count"
                f" again, or take shard.truncated({min(part.order, first.order)})."
            )
        if part.tokenizer != first.tokenizer:
            raise InputError(
                f"shard 1 has the tokenizer {first.tokenizer!r} and shard {number}"
                f" {part.tokenizer!r}: their tokens are not the same. Count the texts"
                " with one tokenizer."
            )


# --- Where counts come from ---


def _merged_sources(
    parts: Iterable[tuple[Sequence[Mapping[str, Any]], float]],
) -> tuple[dict[str, Any], ...]:
    """Return the sources of all parts, in order, each with its weight.

    What is taken away leaves the list where it was added. Sentences without a name that
    follow each other are one source, as if they had been read at once.
    """
    merged: list[tuple[dict[str, Any], float]] = []
    for sources, factor in parts:
        for source in sources:
            entry = {key: value for key, value in source.items() if key != "weight"}
            _add_source(merged, entry, factor * source.get("weight", 1))
    return tuple(
        entry if weight == 1 else {**entry, "weight": _whole(weight)}
        for entry, weight in merged
    )


def _add_source(
    merged: list[tuple[dict[str, Any], float]], entry: dict[str, Any], weight: float
) -> None:
    if (entry, -weight) in merged:
        merged.remove((entry, -weight))
        return
    if entry.get("name") in UNNAMED:
        for at in reversed(range(len(merged))):
            other, factor = merged[at]
            if other.keys() != entry.keys() or other["name"] != entry["name"]:
                continue
            sign = 1 if factor == weight and at == len(merged) - 1 else -1
            if sign * factor != weight:
                continue
            total = {
                key: value + sign * entry[key] if _is_size(value) else value
                for key, value in other.items()
            }
            if all(not _is_size(value) or value >= 0 for value in total.values()):
                merged[at] = (total, factor)
                return
    merged.append((entry, weight))


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(number: float) -> float:
    """Return an int where a number is whole."""
    return int(number) if math.isfinite(number) and number == int(number) else number


# --- Files ---


def _checked_path(path: object) -> Path:
    if isinstance(path, str | os.PathLike):
        return path
    raise InputError(
        f"path is {path!r}: pass the name of a file of counts as a str or pathlib.Path."
    )


def _sizes(metadata: Mapping[str, str]) -> list[int]:
    sizes = json.loads(metadata["counts"])
    if not isinstance(sizes, list) or not all(map(_is_size, sizes)):
        raise TypeError("counts is no list of integers")
    if not 1 <= len(sizes) <= 255 or metadata["order"] != str(len(sizes)):
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
