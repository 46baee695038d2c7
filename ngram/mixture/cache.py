"""A cache: the words of the text so far as a component of a mixture.

Input: sentences of word ids, in the order of the text. Output: for every token its
share among the last words, all tokens at once with sorted arrays.
`CachePart.distribution` is the same for one place, as the definition says it. Read
`ngram/mixture/union.py` next.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ngram.arguments import MOST, checked_integer
from ngram.decay import sums_before
from ngram.errors import InputError
from ngram.mixture.components import BOS, EOS, Batch, Floats, Ids, Scores

BORDERS = ("none", "blank", "sentence")

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Cache:
    """The last words of the text as a component of a `Mixture`.

    What has been said is said again. With order 1 a word is as probable as its share
    among the last words; with order n its share after the last n - 1 words, if they
    occur among them, else what order n - 1 says. Contexts do not reach back beyond
    their sentence, and `</s>` is a word. An empty cache finds all words equally
    probable.

    The text is what one call scores (`score_batch`, `score_tokens`, `perplexity`,
    `fit`), in order; of `score` and `full_scores` it is one sentence.

    Parameters
    ----------
    order : int, default=1
        1, 2 or 3.
    size : int, default=2000
        How many of the last words count, `</s>` among them.
    decay : float, default=1.0
        The word before the token counts 1, the one before that `decay`, then
        `decay ** 2`; above 0, at most 1.
    border : {"none", "blank", "sentence"}, default="none"
        Where a document begins, and the cache is empty: only where the text does, after
        every sentence without words too, or with every sentence.

    References
    ----------
    Kuhn and De Mori (1990), A cache-based natural language model for speech
    recognition. Clarkson and Robinson (1997), Language model adaptation using mixtures
    and an exponentially decaying cache.

    Examples
    --------
    >>> import ngram
    >>> text = ["a rose is a rose"] * 2 + ["a rose is red"]
    >>> model = ngram.train(text, order=2, discount_fallback=(0.5, 1, 1.5))
    >>> cached = ngram.Mixture([model, ngram.Cache()], weights=[0.9, 0.1])
    >>> news = ["red red red"] * 5
    >>> cached.perplexity(news).perplexity < model.perplexity(news).perplexity
    True
    """

    order: int = 1
    size: int = 2000
    decay: float = 1.0
    border: str = "none"

    def __post_init__(self) -> None:
        checked_integer("order of the cache", self.order, least=1, most=3)
        checked_integer("size of the cache", self.size, least=1, most=MOST)
        if not isinstance(self.decay, int | float) or not 0 < self.decay <= 1:
            raise InputError(
                f"decay of the cache is {self.decay!r}: it is a number above 0 and at "
                "most 1 (all words count the same)."
            )
        if self.border not in BORDERS:
            raise InputError(
                f"border of the cache is {self.border!r}: it is one of "
                f"{', '.join(map(repr, BORDERS))}."
            )


@dataclass(frozen=True)
class History:
    """The last words of a text.

    Attributes
    ----------
    words : ndarray of uint32
        With `<s>` before every sentence, if it was scored so.
    predicted : ndarray of bool
        Whether a word is a token, which the cache holds; `<s>` is none.
    sentence, document : ndarray of int64
        Ascending numbers that tell sentences and documents apart.
    ended : bool
        Whether the next sentence begins a document.
    """

    words: Ids
    predicted: NDArray[np.bool_]
    sentence: Numbers
    document: Numbers
    ended: bool

    @classmethod
    def empty(cls) -> Self:
        """Return the history of a text that has not begun."""
        numbers = np.empty(0, np.int64)
        return cls(
            np.empty(0, np.uint32), np.empty(0, np.bool_), numbers, numbers, False
        )

    def followed_by(self, batch: Batch, border: str) -> "History":
        """Return the words so far and those of a batch."""
        lengths = batch.lengths + batch.bos
        words = np.empty(int(lengths.sum()), np.uint32)
        predicted = np.ones(len(words), np.bool_)
        if batch.bos:
            begins = np.cumsum(lengths) - lengths
            words[begins] = BOS
            predicted[begins] = False
        words[predicted] = batch.tokens
        blank = np.diff(batch.offsets) == 0
        starts = np.zeros(len(lengths), np.int64)
        if border == "sentence":
            starts[:] = 1
        elif border == "blank" and len(blank):
            starts[1:] = blank[:-1]
            starts[0] = self.ended
        sentence = np.repeat(np.arange(1, len(lengths) + 1), lengths)
        document = np.repeat(np.cumsum(starts), lengths)
        if len(self.words):
            sentence += self.sentence[-1]
            document += self.document[-1]
        return History(
            np.concatenate([self.words, words]),
            np.concatenate([self.predicted, predicted]),
            np.concatenate([self.sentence, sentence]),
            np.concatenate([self.document, document]),
            bool(blank[-1]) if len(blank) else self.ended,
        )

    def last(self, size: int, order: int) -> "History":
        """Return the last `size` tokens and the contexts of the first of them."""
        tokens = np.flatnonzero(self.predicted)
        begin = 0 if len(tokens) <= size else max(0, int(tokens[-size]) - order)
        return History(
            self.words[begin:].copy(),
            self.predicted[begin:].copy(),
            self.sentence[begin:].copy(),
            self.document[begin:].copy(),
            self.ended,
        )


class CachePart:
    """A cache over the common vocabulary."""

    log10_shares = 0.0

    def __init__(self, cache: Cache, vocabulary_size: int) -> None:
        self.cache = cache
        self.context_lengths = cache.order
        self._words = vocabulary_size

    def begin(self) -> History:
        """Return the history of a text that has not begun."""
        return History.empty()

    def scores(self, batch: Batch, history: History) -> tuple[Scores, History]:
        """Return what the cache says about a batch that continues a text."""
        cache = self.cache
        text = history.followed_by(batch, cache.border)
        at = np.flatnonzero(text.predicted)
        words = text.words[at].astype(np.int64)
        document = text.document[at]
        first = np.maximum(
            np.searchsorted(document, document), np.arange(len(at)) - cache.size
        )
        prob = np.full(len(at), 1 / (self._words - 1))
        length = np.zeros(len(at), np.uint8)
        for order, contexts in enumerate(
            context_numbers(text, cache.order, self._words), 1
        ):
            context = contexts[at]
            all_words = recent_sums(context, first, cache.decay)
            this_word = recent_sums(context * self._words + words, first, cache.decay)
            seen = (all_words > 0) & (context >= 0)
            prob[seen] = this_word[seen] / all_words[seen]
            length[seen] = order - 1
        new = slice(len(at) - len(batch.tokens), None)
        with np.errstate(divide="ignore"):
            log10_prob = np.log10(prob[new])
        one = np.ones(len(log10_prob), np.uint8)
        rest = text.last(cache.size, cache.order)
        return Scores(log10_prob, length[new], one), rest

    def distribution(self, context: Ids) -> Floats:
        """Return the probability of every word after a context (`<s>` before it).

        The definition of what `scores` computes for all tokens at once.
        """
        counts = self._counts_after(context)
        if counts:
            shares: Floats = counts[-1] / counts[-1].sum()
            return shares
        distribution = np.full(self._words, 1 / (self._words - 1))
        distribution[BOS] = 0
        return distribution

    def context_length(self, context: Ids) -> int:
        """Return what `Scores.context_length` is after a context."""
        return max(0, len(self._counts_after(context)) - 1)

    def _counts_after(self, context: Ids) -> list[Floats]:
        """Return decayed counts of all words for order 1, 2, .. while there are any."""
        cache = self.cache
        at = np.flatnonzero(context != BOS)[-cache.size :]
        weights = float(cache.decay) ** np.arange(len(at))[::-1]
        current = at >= self._document_begin(context)
        counts = []
        for before in range(cache.order):
            recent = context[max(0, len(context) - before) :]
            follows = current & (at >= before)
            if len(recent) < before or BOS in recent[1:]:
                break
            for distance, word in enumerate(recent[::-1], 1):
                follows &= context[at - distance] == word
            words = context[at[follows]]
            sums: Floats = np.zeros(self._words)
            np.add.at(sums, words, weights[follows])
            if not sums.any():
                break
            counts.append(sums)
        return counts

    def _document_begin(self, context: Ids) -> int:
        begins = np.zeros(len(context), np.bool_)
        if self.cache.border == "sentence":
            begins = context == BOS
        elif self.cache.border == "blank":
            begins[2:] = (context[:-2] == BOS) & (context[1:-1] == EOS)
        return max(np.flatnonzero(begins).tolist(), default=0)


def context_numbers(
    text: History, order: int, vocabulary_size: int
) -> Iterator[Numbers]:
    """Give for order 1, 2, .. a number for the context of every word.

    Equal contexts of one order have equal numbers; a context that would reach back
    beyond its sentence has -1.
    """
    words = text.words.astype(np.int64)
    contexts = np.zeros(len(words), np.int64)
    yield contexts
    grams = words
    for _ in range(order - 1):
        contexts = np.full(len(words), -1, np.int64)
        contexts[1:] = np.where(text.sentence[1:] == text.sentence[:-1], grams[:-1], -1)
        yield contexts
        pairs = contexts * vocabulary_size + words
        numbers = np.unique(pairs, return_inverse=True)[1]
        grams = np.where(contexts >= 0, numbers, -1)


def recent_sums(keys: Numbers, first: Numbers, decay: float) -> Floats:
    """Return for every place t the sum of decay ** (t - 1 - s) over equal keys before.

    The places s are those from `first[t]` to t - 1 with `keys[s] == keys[t]`; `first`
    ascends.
    """
    size = len(keys)
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    group = np.zeros(size, np.int64)
    group[1:] = np.cumsum(ordered[1:] != ordered[:-1])
    # Places of one key stand together in `order`, ascending: so do these numbers.
    places = group * size + order
    outside = np.searchsorted(places, group * size + first[order])
    sums = (np.arange(size) - outside).astype(np.float64)
    if decay != 1:
        inside = np.flatnonzero(sums > 0)
        totals = 1 + sums_before(order, group, decay)
        now = order[inside] - 1
        sums[inside] = totals[inside - 1] * decay ** (now - order[inside - 1])
        cut = outside[inside] > np.searchsorted(group, group[inside])
        before = outside[inside[cut]] - 1
        gone = totals[before] * decay ** (now[cut] - order[before])
        sums[inside[cut]] -= gone
    result = np.empty(size)
    result[order] = sums
    return result
