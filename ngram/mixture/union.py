"""The n-grams of several models together, and what each model says about them.

Input: models and their common vocabulary. Output: `SortedNgrams` of all n-grams that at
least one of the models holds, still without probabilities, and the same n-grams as
texts to score. Read `ngram/mixture/weights.py` next.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ngram._core.ngrams import SortedNgrams
from ngram.mixture.components import Batch, Ids, Scores
from ngram.model import Model
from ngram.vocabulary import Vocabulary

Progress = Callable[[str, int, int], object]
Keys = NDArray[np.uint64]

PART = 1 << 19  # n-grams scored at once


def union_of(
    models: Sequence[Model],
    vocabulary: Vocabulary,
    threads: int,
    progress: Progress | None = None,
) -> SortedNgrams:
    """Return the n-grams of all models, in ids of a vocabulary of all their words.

    The union of closed sets is closed: the prefix and the suffix of an n-gram are in
    the same model. All probabilities and back-offs are 0.
    """
    found = [model.table.to_sorted(threads, progress) for model in models]
    words = [common_ids(model.vocabulary, vocabulary) for model in models]
    below = words  # index in the union of every n-gram of each model, one order below
    size = len(vocabulary)
    no_ids: Ids = np.empty(0, np.uint32)
    levels = [(no_ids, no_ids, size)]
    for order in range(2, max(model.order for model in models) + 1):
        keys = []
        for ngrams, word_ids, suffix_ids in zip(found, words, below, strict=True):
            if ngrams.order < order:
                keys.append(np.empty(0, np.uint64))
                continue
            word, suffix, _, _ = ngrams.level(order)
            keys.append(key_of(suffix_ids[suffix], word_ids[word]))
        union = distinct(np.concatenate(keys))
        below = [np.searchsorted(union, key).astype(np.uint32) for key in keys]
        levels.append((*parts_of(union), len(union)))
    highest = len(levels)
    return SortedNgrams.from_levels(
        (word, suffix, np.zeros(size), np.zeros(0 if order == highest else size))
        for order, (word, suffix, size) in enumerate(levels, 1)
    )


def key_of(suffix: NDArray[np.integer], word: NDArray[np.integer]) -> Keys:
    """Return numbers that ascend in suffix order: suffix, then leftmost word."""
    return suffix.astype(np.uint64) << np.uint64(32) | word.astype(np.uint64)


def distinct(keys: Keys) -> Keys:
    """Return keys once each, ascending; `numpy.unique` takes five times as long."""
    keys.sort()
    first = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    return keys[first]


def parts_of(keys: Keys) -> tuple[Ids, Ids]:
    """Return the leftmost words and the suffixes that keys were made of."""
    return keys.astype(np.uint32), (keys >> np.uint64(32)).astype(np.uint32)


def common_ids(own: Vocabulary, common: Vocabulary) -> Ids:
    """Return the id in a vocabulary of every word of a smaller one."""
    if own == common:
        return np.arange(len(own), dtype=np.uint32)
    return np.fromiter((common.id(word) for word in own), np.uint32, len(own))


def batches_of(ngrams: SortedNgrams, order: int, threads: int) -> Iterator[Batch]:
    """Give the n-grams of an order as texts to score, part by part.

    Every n-gram is a text of its own, without `<s>` and `</s>`. So whatever it is to a
    component (stored or not, with unknown words), its last word gets the score that a
    query would give.
    """
    count = ngrams.counts[order - 1]
    for begin in range(0, count, PART):
        yield rows_batch(
            ngrams.ngram_ids(order, begin, min(begin + PART, count)), threads
        )


def rows_batch(rows: Ids, threads: int) -> Batch:
    """Return sentences of equal lengths, one row each."""
    count, order = rows.shape
    offsets = np.arange(0, count * order + 1, order)
    return Batch(rows.reshape(-1), offsets, bos=False, eos=False, threads=threads)


def last_words(scores: Scores, order: int) -> Scores:
    """Return the scores of the last words of sentences of equal lengths."""
    last = slice(order - 1, None, order)
    return Scores(
        scores.log10_prob[last], scores.context_length[last], scores.ngram_length[last]
    )
