"""Counting the n-grams of a corpus, also with weights.

Input: a corpus as `ngram.text.read_corpus` takes it, and weights of its files,
sentences or lines. Output: `Counts`. The kernels are
`ext/engine/counts/count_ngrams.hpp` and `weigh_counts.hpp`.
"""

import io
import itertools
import os
from array import array
from collections.abc import Iterable, Iterator, MutableSequence, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ngram._core.counts import MAX_COUNT, MAX_ORDER, NgramCounts
from ngram.arguments import checked_integer
from ngram.counts.merging import checked_weight, merge_counts
from ngram.counts.table import Counts, Path, Progress
from ngram.errors import InputError
from ngram.memory import MemoryBudget
from ngram.text import Tokenizer, is_paths, open_text, read_corpus
from ngram.threads import thread_count
from ngram.vocabulary import Vocabulary

__all__ = ["count_ngrams"]


def count_ngrams(
    corpus: object,
    order: int = 5,
    *,
    tokenizer: str | Tokenizer = "whitespace",
    skip_symbols: bool = False,
    weights: float | Iterable[float] | str | None = None,
    threads: int | None = None,
    memory: int | str | None = None,
    temp_dir: str | os.PathLike[str] | None = None,
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
    memory : int or str, default="80%"
        Bytes, or a text like "4G" or "80%". Counts that need more are made in rounds
        and lie in temporary files; they are the same. Weights of sentences take 8
        bytes per token beside it.
    temp_dir : path-like, optional
        Folder of temporary files; by default, that of the system.
    progress : callable(stage, done, total), optional

    Returns
    -------
    Counts

    Raises
    ------
    InputError
        If an argument or the text cannot be used, or there are more or fewer weights
        than texts.
    MemoryBudgetError
        If `memory`, or the room in `temp_dir`, is too small.

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
    order = checked_integer("order", order, least=1, most=MAX_ORDER)
    tokenizer = Tokenizer.of(tokenizer)
    budget = MemoryBudget.of(memory, temp_dir)
    count = _Counter(
        order, tokenizer, bool(skip_symbols), thread_count(threads), budget
    )
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
        return count.merged([count(corpus, progress)], [weight], progress)
    if several:
        return count.weighted_files(cast(Sequence[Path], corpus), weights, progress)
    return count.weighted_sentences(corpus, weights, progress)


@dataclass(frozen=True)
class _Counter:
    """Counts a corpus with the options that all its parts share."""

    order: int
    tokenizer: Tokenizer
    skip_symbols: bool
    threads: int
    budget: MemoryBudget

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
            budget=self.budget,
            progress=progress,
        )
        plan = self.budget.counting_plan(
            len(tokens), len(vocabulary), order=self.order, threads=self.threads
        )
        ngrams = NgramCounts.count(
            tokens,
            len(vocabulary),
            self.order,
            consume=not (isinstance(corpus, tuple) and corpus[0] is tokens),
            weights=None if weights is None else np.array(weights, np.float64),
            plan=plan,
            threads=plan.threads,
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
        return self.merged(shards, filter(None, factors), progress)

    def merged(
        self,
        shards: Iterable[Counts],
        weights: Iterable[float] | None,
        progress: Progress | None,
    ) -> Counts:
        """Add counts with the options of counting."""
        return merge_counts(
            shards,
            weights,
            threads=self.threads,
            memory=self.budget.bytes,
            temp_dir=self.budget.temp_dir,
            progress=progress,
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
        return self.merged(shards, None, progress)


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


def _weight(value: object, name: str) -> float:
    number = checked_weight(value, name)
    if number < 0:
        raise InputError(
            f"{name} is {number}: the weight of a text is not negative. To take counts"
            " away, pass them as subtract to merge_counts."
        )
    return number
