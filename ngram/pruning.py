"""Pruning: from a model to a smaller one that predicts nearly as well.

Input: a `Model`, trained here or read from ARPA, and a threshold or a size. Output: a
`Model` without the n-grams that would be missed least. Every n-gram gets a score, once
and from the original model; then the n-grams above a cut stay, their parts too, and
contexts that lost something get new back-offs, so that they sum to one again. The
scores are compiled, see `ext/engine/pruning/scores.hpp`. Dropping n-grams by their
counts is part of training: `ngram.train(prune=...)`.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Real
from typing import (
    Any,
    Literal,
    NamedTuple,
    Self,
    TypeAlias,
    cast,
    get_args,
)

import numpy as np
from numpy.typing import NDArray

from ngram._core.ngrams import SortedNgrams
from ngram._core.pruning import BINS, Pruner
from ngram.arguments import checked_integer
from ngram.errors import InputError
from ngram.memory import parse_bytes
from ngram.model import Model, Progress
from ngram.threads import thread_count
from ngram.vocabulary import Vocabulary

__all__ = ["prune"]

Method = Literal["entropy", "weighted-difference"]
OwnHistory = Literal["stationary", "chain"]
History: TypeAlias = OwnHistory | Model
Counts: TypeAlias = NDArray[np.int64]  # n-grams of each order

METHODS: tuple[Method, ...] = get_args(Method)
OWN_HISTORIES: tuple[OwnHistory, ...] = get_args(OwnHistory)

BOS, EOS, SPECIALS = 1, 2, 3
ROWS = 1 << 20  # contexts scored at once
REFINEMENTS = 8  # models built at most for a size in bytes
CLOSE = 0.98  # of the size in bytes: near enough


def prune(
    model: Model,
    *,
    method: Method = "entropy",
    threshold: float | None = None,
    max_ngrams: int | None = None,
    max_bytes: int | str | None = None,
    vocabulary_size: int | None = None,
    history: History = "stationary",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Model:
    """Return a smaller model.

    Give `threshold`, `max_ngrams` or `max_bytes`, or `vocabulary_size`, or that and one
    of the others. Unigrams always stay, except those that `vocabulary_size` takes away.

    Parameters
    ----------
    model : Model
        It stays as it is.
    method : {"entropy", "weighted-difference"}, default="entropy"
        What an n-gram is worth. "entropy": by how much the perplexity of text like the
        model's would grow without it, as a fraction. "weighted-difference": its
        expected number per token, times how much less probable it would be, in nats;
        what becomes of the other words is not looked at.
    threshold : float, optional
        Drop what is worth less: 1e-9 to 1e-6 are usual. 0 drops nothing.
    max_ngrams : int, optional
        Keep the n-grams that are worth most, so many of all orders together.
    max_bytes : int or str, optional
        Keep as many as fit into a model file (`Model.save`) of that size: a number, or
        like "50M". The file is at most that large, and rarely 2 % smaller.
    vocabulary_size : int, optional
        First keep only the most frequent words: so many, `<unk>`, `<s>` and `</s>`
        among them. The others become `<unk>`: after words that stay, it gets all their
        probability and every other word keeps its own. An n-gram that goes on after a
        dropped word is gone.
    history : {"stationary", "chain"} or Model, default="stationary"
        How often a context occurs, which weighs its n-grams, and a word.
        "stationary": as in text that the model generates; right for every smoothing.
        "chain": p(h1) p(h2|h1) .. as the lower orders have it; for a Kneser-Ney model
        that is wrong, for those count contexts, not occurrences. Another model of the
        same words: the same, as that model has it.
    threads : int, default=None
        By default, all processors. The model does not depend on it.
    progress : callable(stage, done, total), default=None

    Returns
    -------
    Model
        With successor lists if `model` has them, and of a lower order if no n-gram of
        the highest is left.

    Raises
    ------
    InputError
        If the arguments do not fit together, the target is smaller than the unigrams
        alone, there is nothing but unigrams to prune, or `history` has other words.

    Notes
    -----
    Scores come from the original model, so what is dropped does not depend on an order
    of dropping. An n-gram that a kept one begins or ends with is kept; SRILM keeps
    beginnings only, which leaves models that other programs have to complete.
    Back-offs of contexts that lost no n-gram are unchanged, bit by bit.

    With "chain" or a model as history, the value of an n-gram is that of SRILM's
    `-prune` and `-prune-history-lm`.

    References
    ----------
    Stolcke (1998), Entropy-based pruning of backoff language models. Seymore and
    Rosenfeld (1996), Scalable backoff language models, as Stolcke describes it. Chelba,
    Brants, Neveitt and Xu (2010), Study on interaction between entropy pruning and
    Kneser-Ney smoothing.

    Examples
    --------
    >>> import ngram
    >>> sentences = ["a rose is a rose", "a rose is red"]
    >>> model = ngram.train(sentences, order=3, discount_fallback=(0.5, 1, 1.5))
    >>> small = ngram.prune(model, max_ngrams=12)
    >>> sum(small.info()["ngrams"])
    12
    """
    target = _Target.of(threshold, max_ngrams, max_bytes)
    _check(model, method, target, vocabulary_size, history)
    job = _Job(model, method, history, thread_count(threads), progress)
    ngrams = model.table.to_sorted(job.threads, progress)
    vocabulary = model.vocabulary
    if vocabulary_size is not None and vocabulary_size < len(vocabulary):
        ngrams, vocabulary = job.fold(ngrams, vocabulary, vocabulary_size)
    record = {
        "method": None if target.is_absent() else method,
        "history": history if isinstance(history, str) else "model",
        **target.record(),
        "vocabulary_size": vocabulary_size,
        "ngrams_before": list(model.table.counts),
    }

    def build(kept: SortedNgrams) -> Model:
        return job.model(kept, vocabulary, record)

    if target.is_absent():
        return build(ngrams)
    pruner = job.pruner(ngrams, vocabulary)
    pruner.score(method, threads=job.threads, progress=progress)
    if target.max_bytes is not None:
        return job.fit(pruner, ngrams.counts, target.max_bytes, build)
    return build(job.select(pruner, target.cut(pruner, ngrams.counts)))


# --- What is asked for ---


class _Cut(NamedTuple):
    """N-grams above the score stay, and the first so many of those that have it."""

    score: float
    ties: int


ALL_TIES = 2**64 - 1
EVERYTHING = _Cut(0.0, ALL_TIES)
UNIGRAMS = _Cut(math.inf, 0)


@dataclass(frozen=True)
class _Target:
    """At most one of them is not None."""

    threshold: float | None
    max_ngrams: int | None
    max_bytes: int | None

    @classmethod
    def of(
        cls,
        threshold: float | None,
        max_ngrams: int | None,
        max_bytes: int | str | None,
    ) -> Self:
        given = {
            name: value
            for name, value in (
                ("threshold", threshold),
                ("max_ngrams", max_ngrams),
                ("max_bytes", max_bytes),
            )
            if value is not None
        }
        if len(given) > 1:
            asked = " and ".join(f"{name}={value!r}" for name, value in given.items())
            raise InputError(
                f"{asked} are given: pass one of threshold, max_ngrams and max_bytes."
            )
        return cls(
            None if threshold is None else _threshold(threshold),
            None
            if max_ngrams is None
            else checked_integer("max_ngrams", max_ngrams, least=1),
            None if max_bytes is None else _bytes(max_bytes),
        )

    def is_absent(self) -> bool:
        return self == type(self)(None, None, None)

    def record(self) -> dict[str, float]:
        values = asdict(self)
        return {name: value for name, value in values.items() if value is not None}

    def cut(self, pruner: Pruner, counts: Sequence[int]) -> _Cut:
        """Return where a threshold or a number of n-grams cuts."""
        if self.threshold is not None:
            with np.errstate(over="ignore"):  # to infinity: only that is worth enough
                score = np.float32(self.threshold)
            if float(score) < self.threshold:  # rounded down: it is not worth enough
                score = np.nextafter(score, np.float32(np.inf))
            return _Cut(float(score), ALL_TIES)
        most = self.max_ngrams
        assert most is not None
        if most < counts[0]:
            raise InputError(
                f"max_ngrams is {most}, but there are {counts[0]} unigrams, which"
                " pruning keeps. Pass at least as many, or drop words with"
                " `vocabulary_size`."
            )
        return _largest_cut(pruner, counts, lambda kept: int(kept.sum()) <= most)


def _threshold(value: object) -> float:
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        number = math.nan
    else:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf if cast(float, value) > 0 else -math.inf
    if not number >= 0:
        raise InputError(
            f"threshold is {value!r}: pass a number from 0 up, like 1e-8. The higher"
            " it is, the fewer n-grams stay."
        )
    return number


def _bytes(value: int | str) -> int:
    size = parse_bytes(value)
    if size is None:
        raise InputError(
            f"max_bytes is {value!r}: pass a number of bytes, or a text like '50M'."
        )
    return size


def _check(
    model: object,
    method: str,
    target: _Target,
    vocabulary_size: int | None,
    history: object,
) -> None:
    if not isinstance(model, Model):
        raise InputError(
            f"the model is {model!r}: pass a Model, as ngram.load, ngram.read_arpa and"
            " ngram.train give."
        )
    if method not in METHODS:
        names = " or ".join(map(repr, METHODS))
        raise InputError(f"method is {method!r}: pass {names}.")
    if vocabulary_size is not None:
        checked_integer("vocabulary_size", vocabulary_size, least=SPECIALS)
    if target.is_absent() and vocabulary_size is None:
        raise InputError(
            "nothing says how much to prune: pass `threshold`, `max_ngrams`,"
            " `max_bytes` or `vocabulary_size`."
        )
    if model.order == 1 and not target.is_absent():
        raise InputError(
            "the model has order 1: there are only unigrams, which pruning keeps. Pass"
            " `vocabulary_size` to drop words."
        )
    if isinstance(history, Model):
        _check_words(model.vocabulary, history.vocabulary)
    elif history not in OWN_HISTORIES:
        names = ", ".join(map(repr, OWN_HISTORIES))
        raise InputError(f"history is {history!r}: pass {names} or a Model.")


def _check_words(vocabulary: Vocabulary, other: Vocabulary) -> None:
    for words, where, missing in (
        (vocabulary, "the model", other),
        (other, "the history", vocabulary),
    ):
        absent = next((word for word in words if word not in missing), None)
        if absent is not None:
            raise InputError(
                f"the history has other words than the model: {absent!r} is only in"
                f" {where}. Train both on the same text."
            )


# --- The work ---


@dataclass(frozen=True)
class _Job:
    source: Model
    method: Method
    history: History
    threads: int
    progress: Progress | None

    def pruner(self, ngrams: SortedNgrams, vocabulary: Vocabulary) -> Pruner:
        history = self.history
        return Pruner(
            ngrams,
            history
            if isinstance(history, str)
            else _joint_probabilities(history, ngrams, vocabulary, self.threads),
            threads=self.threads,
            progress=self.progress,
        )

    def fold(
        self, ngrams: SortedNgrams, vocabulary: Vocabulary, size: int
    ) -> tuple[SortedNgrams, Vocabulary]:
        """Return the n-grams of the most frequent words."""
        pruner = self.pruner(ngrams, vocabulary)
        frequency = (
            pruner.history(1) if ngrams.order > 1 else ngrams.level(1)[2]
        )  # log10 is as good
        ranked = SPECIALS + np.argsort(-frequency[SPECIALS:], kind="stable")
        kept = np.sort(np.r_[np.arange(SPECIALS), ranked[: size - SPECIALS]])
        folded = pruner.fold_words(kept.astype(np.uint32), progress=self.progress)
        return folded, vocabulary.subset(kept)

    def select(self, pruner: Pruner, cut: _Cut) -> SortedNgrams:
        return pruner.select(*cut, threads=self.threads, progress=self.progress)

    def model(
        self, ngrams: SortedNgrams, vocabulary: Vocabulary, record: Mapping[str, Any]
    ) -> Model:
        info = self.source.info()
        order = ngrams.order
        training = info["training"] or {}
        model = Model.from_ngrams(
            ngrams,
            vocabulary,
            tokenizer=self.source.tokenizer,
            discounts=info["discounts"] and info["discounts"][:order],
            counts_of_counts=info["counts_of_counts"]
            and info["counts_of_counts"][:order],
            training={**training, "pruning": [*training.get("pruning", ()), record]},
            threads=self.threads,
            progress=self.progress,
            consume=True,
        )
        if self.source.successors is not None:
            model.index_successors(self.threads, progress=self.progress)
        return model

    def fit(
        self,
        pruner: Pruner,
        counts: Sequence[int],
        max_bytes: int,
        build: Callable[[SortedNgrams], Model],
    ) -> Model:
        """Return the largest model whose file has at most so many bytes, or nearly.

        What an n-gram of each order takes is known from the source, not exactly: a
        model is built, its file measured, and the costs corrected.
        """
        best = build(self.select(pruner, UNIGRAMS))
        fixed = best.saved_size
        if fixed > max_bytes:
            raise InputError(
                f"max_bytes is {max_bytes}, but a model file of the {counts[0]}"
                f" unigrams alone has {fixed} bytes. Pass more, or drop words with"
                " `vocabulary_size`."
            )
        costs = _costs(self.source)[: len(counts)]
        for _ in range(REFINEMENTS):
            room = max_bytes - fixed
            cut = _largest_cut(pruner, counts, lambda k: float(costs @ k) <= room)  # noqa: B023
            model = build(self.select(pruner, cut))
            size = model.saved_size
            if best.saved_size < size <= max_bytes:
                best = model
            if size <= max_bytes and (cut == EVERYTHING or size >= CLOSE * max_bytes):
                break
            kept = np.array(model.table.counts, float)
            estimate = float(costs[: len(kept)] @ kept)
            # A little more than was seen, so as not to miss by a hair again.
            costs = costs * (1.002 * max(size - fixed, 1) / max(estimate, 1))
        return best


def _costs(model: Model) -> NDArray[np.float64]:
    """Return about how many bytes an n-gram of each order takes; unigrams stay."""
    rows = model.table.memory_statistics()
    costs = np.array([row["bytes"] / max(row["ngrams"], 1) for row in rows])
    if model.successors is not None:
        costs += model.successors.bytes / sum(model.table.counts)
    costs[0] = 0
    return costs


def _joint_probabilities(
    history: Model, ngrams: SortedNgrams, vocabulary: Vocabulary, threads: int
) -> list[NDArray[np.float32]]:
    """Return how probable another model finds each n-gram below the highest order."""
    ids = np.array([history.vocabulary[word] for word in vocabulary], np.uint32)
    log10_eos = history.table.to_sorted(threads).level(1)[2][EOS]
    tables = []
    for order in range(1, ngrams.order):
        rows = ids[ngrams.ngram_ids(order)]
        values = np.empty(len(rows), np.float32)
        for begin in range(0, len(rows), ROWS):
            part = rows[begin : begin + ROWS]
            offsets = np.arange(len(part) + 1, dtype=np.int64) * order
            log10_prob, _ = history.score_ids(
                part.reshape(-1), offsets, bos=False, eos=False, threads=threads
            )
            factors = log10_prob.reshape(part.shape).astype(np.float64)
            # <s> is never predicted; it is as frequent as </s>.
            factors[part[:, 0] == BOS, 0] = log10_eos
            values[begin : begin + ROWS] = 10.0 ** factors.sum(axis=1)
        tables.append(values)
    return tables


# --- Selection among scores ---


def _largest_cut(
    pruner: Pruner, counts: Sequence[int], fits: Callable[[Counts], bool]
) -> _Cut:
    """Return the cut that keeps most n-grams, if `fits` is true of their counts.

    Two histograms find the score: one of the upper halves of all, one of the lower
    halves of those in the bin where the first one passes the limit.
    """
    kept = np.zeros(len(counts), np.int64)
    kept[0] = counts[0]
    upper, kept = _lowest_bin(pruner.upper_histogram(), kept, fits)
    if upper == 0:
        return EVERYTHING
    histogram = pruner.lower_histogram(upper - 1)
    lower, kept = _lowest_bin(histogram, kept, fits)
    ties = histogram[:, lower - 1].astype(np.int64)

    def passes(number: int) -> bool:
        before = np.cumsum(ties) - ties  # taken from the lowest order up
        return not fits(kept + np.clip(number - before, 0, ties))

    number = bisect_left(range(int(ties.sum()) + 1), True, key=passes) - 1
    bits = np.uint32((upper - 1) * BINS + lower - 1)
    return _Cut(float(bits.view(np.float32)), number)


def _lowest_bin(
    histogram: NDArray[np.uint64], kept: Counts, fits: Callable[[Counts], bool]
) -> tuple[int, Counts]:
    """Return the lowest bin from which on all fits, and the counts with it."""
    downwards = np.cumsum(histogram[:, ::-1], axis=1, dtype=np.int64)
    numbers = np.zeros((len(histogram), BINS + 1), np.int64)
    numbers[:, :BINS] = downwards[:, ::-1]
    numbers += kept[:, None]
    lowest = bisect_left(range(BINS), True, key=lambda b: fits(numbers[:, b]))
    return lowest, numbers[:, lowest]
