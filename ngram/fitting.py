"""Fitting: counts and a smoothing method in, smoothed n-grams out.

Input: counts of a corpus, a method of `ngram.smoothing`, and for some methods held-out
text. The method learns from counts of counts, and from what the counts say about the
held-out text; then the engine smooths level by level. Output: `Smoothed`. Any method
goes this way, from any counts. Read `ngram/estimate.py` next.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ngram._core.counts import NgramCounts
from ngram._core.estimate import smooth_counts
from ngram._core.ngrams import CountedNgrams, SortedNgrams
from ngram.errors import InputError
from ngram.smoothing import COUNTED, HeldoutCounts, SmoothingMethod
from ngram.text import Tokenizer, read_corpus
from ngram.vocabulary import Vocabulary

__all__ = ["Smoothed", "count_heldout", "encode_heldout", "fit_and_smooth"]

Progress = Callable[[str, int, int], object]
Text = tuple[NDArray[np.uint32], NDArray[np.int64]]

ABSENT = 2**32 - 1


Ngrams = TypeVar("Ngrams", bound=SortedNgrams | CountedNgrams, covariant=True)


@dataclass(frozen=True)
class Smoothed(Generic[Ngrams]):
    """N-grams with probabilities or counts, and what is known of their counts.

    Attributes
    ----------
    ngrams : SortedNgrams or CountedNgrams
    kept : ndarray of uint32
        Old ids of the words that are not pruned; the new id of a word is its index.
    counts_of_counts : list of list of int
        n_1 to n_4 of every order, of the counts the method uses.
    counts_before_pruning : tuple of int
        N-grams of every order.
    """

    ngrams: Ngrams
    kept: NDArray[np.uint32]
    counts_of_counts: list[list[int]]
    counts_before_pruning: tuple[int, ...]


def fit_and_smooth(
    counts: NgramCounts,
    method: SmoothingMethod,
    *,
    heldout: Text | None = None,
    prune: Sequence[int] = (),
    listed: NDArray[np.uint8] | None = None,
    interpolate_unigrams: bool = True,
    vocab_pad: int = 0,
    threads: int = 1,
    progress: Progress | None = None,
) -> Smoothed[SortedNgrams]:
    """Fit a method to counts, and smooth them with it.

    Parameters
    ----------
    counts : NgramCounts
    method : SmoothingMethod
    heldout : (ids, offsets), optional
        As `encode_heldout` returns it.
    prune : sequence of int, default=()
        One threshold for each order, or none.
    listed : ndarray of uint8 of shape (vocabulary size,), optional
        1 for the words of the limited vocabulary.
    interpolate_unigrams, vocab_pad, threads, progress
        As `ngram.train`.

    Returns
    -------
    Smoothed
    """
    thresholds = list(prune) or [0] * counts.order
    kept_words = _kept_words(counts, thresholds[0], listed)
    rows = counts_of_counts(counts, adjusted=method.uses_adjusted_counts)
    seen = None
    if heldout is not None:
        seen = count_heldout(
            counts,
            heldout,
            uses_adjusted_counts=method.uses_adjusted_counts,
            kept_words=kept_words,
            thresholds=thresholds,
            threads=threads,
            progress=progress,
        )
    words = max(vocab_pad, int(kept_words.sum()) - 1)
    method.fit(rows, words=words, heldout=seen)
    ngrams, kept = smooth_counts(
        counts,
        method,
        prune=thresholds if any(thresholds) else (),
        listed=listed,
        interpolate_unigrams=interpolate_unigrams,
        vocabulary_pad=vocab_pad,
        threads=threads,
        progress=progress,
    )
    return Smoothed(ngrams, kept, rows[:, :4].tolist(), counts.sizes)


def counts_of_counts(counts: NgramCounts, *, adjusted: bool) -> NDArray[np.uint64]:
    """Return n_1 to n_6 of every order; of adjusted counts n_1 to n_4, and zeros.

    Fractional counts are rounded.
    """
    rows = np.zeros((counts.order, COUNTED), np.uint64)
    if adjusted:
        rows[:, :4] = counts.counts_of_counts
        return rows
    for k in range(counts.order):
        raw = np.minimum(np.floor(counts.level(k + 1)[2] + 0.5), COUNTED + 1)
        rows[k] = np.bincount(raw.astype(np.intp), minlength=COUNTED + 2)[1:-1]
    return rows


def _kept_words(
    counts: NgramCounts, threshold: int, listed: NDArray[np.uint8] | None
) -> NDArray[np.bool_]:
    """Return which words the model will have: those that do not occur stay."""
    raw = counts.level(1)[2]
    kept = np.asarray((raw > threshold) | (raw == 0), np.bool_)
    if listed is not None:
        kept &= (listed != 0) | (raw == 0)
    kept[:3] = True
    return kept


# --- Held-out text ---


def encode_heldout(
    heldout: object,
    vocabulary: Vocabulary,
    tokenizer: Tokenizer,
    *,
    skip_symbols: bool = False,
    threads: int = 1,
    name: str = "held-out text",
) -> Text:
    """Return a held-out text as ids of a vocabulary, and offsets.

    Parameters
    ----------
    heldout : path, list of path, iterable of str, or (ids, offsets, vocabulary)
        As the corpus of `ngram.train`.
    vocabulary : Vocabulary
        Words outside it have the id 0.
    tokenizer : Tokenizer
    skip_symbols : bool, default=False
    threads : int, default=1
    name : str
        What errors call the text.

    Returns
    -------
    ids : ndarray of shape (n,), dtype=uint32
    offsets : ndarray of shape (sentences + 1,), dtype=int64

    Raises
    ------
    InputError
        If the text cannot be read, or has no words.

    Warns
    -----
    UserWarning
        If no word of the text is in the vocabulary.
    """
    tokens, words, sources = read_corpus(
        heldout, tokenizer, skip_symbols=skip_symbols, threads=threads
    )
    if tokens.tokens == 0:
        names = ", ".join(source["name"] for source in sources)
        raise InputError(
            f"the {name} has no words: {tokens.sentences} sentences in {names},"
            " all empty. Pass text that the corpus does not contain, with one sentence"
            " on each line."
        )
    ids, offsets = tokens.to_arrays()
    translated = np.fromiter(
        (vocabulary.id(words.word(i)) for i in range(len(words))), np.uint32, len(words)
    )
    translated[:3] = range(3)
    encoded = translated[ids]
    if not encoded.any():
        warnings.warn(
            f"none of the {len(encoded)} words of the {name} is in the corpus, so it"
            " says little. Pass text like the corpus, cut into the same tokens.",
            stacklevel=2,
        )
    return encoded, offsets


def count_heldout(
    counts: NgramCounts,
    text: Text,
    *,
    uses_adjusted_counts: bool,
    kept_words: NDArray[np.bool_],
    thresholds: list[int],
    threads: int = 1,
    progress: Progress | None = None,
) -> HeldoutCounts:
    """Return what counts say about every prediction of a held-out text.

    Parameters
    ----------
    counts : NgramCounts
    text : (ids, offsets)
        As `encode_heldout` returns it.
    uses_adjusted_counts : bool
        Adjusted counts, otherwise raw ones.
    kept_words : ndarray of shape (vocabulary size,), dtype=bool
        The words that are not pruned.
    thresholds : list of int
        Pruning threshold of each order.
    threads : int, default=1
    progress : callable(stage, done, total), optional

    Returns
    -------
    HeldoutCounts
    """
    ids, offsets = text
    known = np.where(kept_words[ids], ids, 0).astype(np.uint32)
    found = counts.find(known, offsets, threads=threads, progress=progress)
    # Positions are <s>, the words and </s> of each sentence; <s> is not predicted.
    predicted = np.ones(found.shape[1], bool)
    predicted[offsets[:-1] + 2 * np.arange(len(offsets) - 1)] = False
    at = np.flatnonzero(predicted)
    result = HeldoutCounts(
        count=np.zeros((counts.order, len(at))),
        total=np.zeros((counts.order, len(at))),
        pruned=np.zeros((counts.order, len(at))),
        kept=np.zeros((counts.order, 3, len(at))),
    )
    prefixes = counts.prefixes(threads=threads)
    kept = kept_words
    for k in range(counts.order):
        _, suffix, raw = counts.level(k + 1)
        contexts, context = 1, np.zeros(len(at), np.uint32)
        prefix = np.zeros(len(raw), np.uint32)
        if k > 0:
            prefix = prefixes[k]
            contexts, context = len(kept), found[k - 1, at - 1]
            kept = (raw > thresholds[k]) & kept[suffix] & kept[prefix]
        count = counts.adjusted(k + 1) if uses_adjusted_counts else raw
        sums = partial(_sums, prefix, contexts)
        seen = context != ABSENT
        place = context[seen]
        result.total[k, seen] = sums(count)[place]
        result.pruned[k, seen] = sums(np.where(kept, 0, count))[place]
        classes = np.where(kept, np.minimum(np.floor(count + 0.5), 3), 0)
        for j in range(3):
            result.kept[k, j, seen] = sums(np.where(classes == j + 1, 1.0, 0))[place]
        ngram = found[k, at]
        hit = np.flatnonzero(ngram != ABSENT)
        result.count[k, hit] = np.where(kept, count, 0)[ngram[hit]]
    return result


def _sums(
    prefix: NDArray[np.uint32], contexts: int, values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the sum of a value over the n-grams of every context."""
    sums = np.bincount(prefix, values, minlength=contexts)
    return np.asarray(sums, np.float64)
