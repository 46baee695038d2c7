"""What is mixed: models, made to speak of one common vocabulary.

Input: sentences of word ids of the common vocabulary (`Batch`). Output: for every token
the log10 probability that one component gives it, and how much of the context the
component knows (`Scores`). Read `ngram/mixture/cache.py` next, the other kind of
component.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ngram.text import Tokenizer
from ngram.vocabulary import Vocabulary

Ids = NDArray[np.uint32]
Floats = NDArray[np.float64]
Lengths = NDArray[np.uint8]

UNK, BOS, EOS = 0, 1, 2


class Source(Protocol):
    """A model that can be mixed: `Model`, `Mixture`, or whatever has their surface."""

    @property
    def order(self) -> int: ...
    @property
    def normalised(self) -> bool: ...
    @property
    def vocabulary(self) -> Vocabulary: ...
    @property
    def tokenizer(self) -> Tokenizer: ...
    def score_ids(
        self,
        ids: ArrayLike,
        offsets: ArrayLike,
        bos: bool = True,
        eos: bool = True,
        threads: int | None = None,
    ) -> tuple[NDArray[Any], Lengths]: ...
    def distribution_of_ids(self, context: Ids) -> Floats: ...


def common_vocabulary(
    sources: Sequence[Source], words: Iterable[str] | None
) -> Vocabulary:
    """Return the words of all models, in order of first appearance, then more words."""
    first = sources[0].vocabulary
    if words is None and all(source.vocabulary == first for source in sources):
        return first

    def all_words() -> Iterable[str]:
        for source in sources:
            yield from source.vocabulary
        yield from words or ()

    return Vocabulary.from_words(all_words())


@dataclass(frozen=True)
class Batch:
    """Sentences of ids of the common vocabulary, and what is asked about them.

    Sentence i is `ids[offsets[i]:offsets[i + 1]]`. Its tokens are these, then `</s>` if
    `eos`; the tokens of all sentences stand one after the other.
    """

    ids: Ids
    offsets: NDArray[np.int64]
    bos: bool = True
    eos: bool = True
    threads: int | None = None

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """Where the tokens of each sentence begin, and their number at the end."""
        if not self.eos:
            return self.offsets
        return self.offsets + np.arange(len(self.offsets))

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """The number of tokens of each sentence."""
        return np.diff(self.first)

    @cached_property
    def tokens(self) -> Ids:
        """The ids of all tokens, `</s>` among them if `eos`."""
        return self.placed(self.ids, EOS)

    def placed(self, values: NDArray[Any], at_end: int) -> NDArray[Any]:
        """Return the values of ids as values of tokens, with one for `</s>`."""
        if not self.eos:
            return values
        placed = np.full(int(self.first[-1]), at_end, values.dtype)
        words = np.ones(len(placed), np.bool_)
        words[self.first[1:] - 1] = False
        placed[words] = values
        return placed

    def before(self, values: NDArray[Any], at_begin: int) -> NDArray[Any]:
        """Return for every token the value of the one before it in its sentence."""
        moved = np.empty_like(values)
        moved[1:] = values[:-1]
        moved[self.first[:-1][self.lengths > 0]] = at_begin
        return moved


@dataclass(frozen=True)
class Scores:
    """What one component says about the tokens of a batch.

    Attributes
    ----------
    log10_prob : ndarray of shape (n_tokens,), dtype=float64
    context_length : ndarray of shape (n_tokens,), dtype=uint8
        How many of the words before the token the component knows as an n-gram. It
        depends on those words alone, so weights may depend on it.
    ngram_length : ndarray of shape (n_tokens,), dtype=uint8
        Length of the longest n-gram that matched.
    """

    log10_prob: Floats
    context_length: Lengths
    ngram_length: Lengths


class ModelPart:
    """A model that answers in ids of the common vocabulary.

    The words of the common vocabulary that the model does not know, and `<unk>`, have
    equal shares of its p(<unk> | context). So every component is a distribution over
    the same words.

    Attributes
    ----------
    context_lengths : int
        How many values `Scores.context_length` has: 0, 1, .. context_lengths - 1.
    """

    def __init__(self, source: Source, vocabulary: Vocabulary) -> None:
        self.source = source
        self.context_lengths = source.order
        self._ids: Ids | None = None
        shares = 1
        if source.vocabulary != vocabulary:
            known = source.vocabulary
            self._ids = np.fromiter((known.id(word) for word in vocabulary), np.uint32)
            shares = int(np.count_nonzero(self._ids == UNK))
        self.log10_shares = math.log10(shares)

    def own_ids(self, ids: Ids) -> Ids:
        """Return the model's own ids of words."""
        return ids if self._ids is None else self._ids[ids]

    def begin(self) -> None:
        """Return what the component remembers of a text: nothing."""

    def scores(self, batch: Batch, _: object = None) -> tuple[Scores, None]:
        """Return what the model says about a batch."""
        ids = self.own_ids(batch.ids)
        found, length = self.source.score_ids(
            ids, batch.offsets, batch.bos, batch.eos, batch.threads
        )
        known = batch.placed(ids != UNK, True)
        log10_prob = found.astype(np.float64)
        log10_prob[~known] -= self.log10_shares
        context = np.minimum(length, self.context_lengths - 1).astype(np.uint8)
        context[~known] = 0
        context = batch.before(context, min(int(batch.bos), self.context_lengths - 1))
        return Scores(log10_prob, context, length), None

    def distribution(self, context: Ids) -> Floats:
        """Return the probability of every word after a context (`<s>` before it)."""
        own = self.source.distribution_of_ids(self.own_ids(context))
        if self._ids is None:
            return own
        distribution = own[self._ids]
        distribution[self._ids == UNK] /= 10**self.log10_shares
        return distribution

    def context_length(self, context: Ids) -> int:
        """Return what `Scores.context_length` is after a context."""
        begin = max(np.flatnonzero(context == BOS).tolist(), default=0)
        sentence = context[begin:]
        if not len(sentence) or self.context_lengths == 1:
            return 0
        ids = self.own_ids(sentence)
        length = self.source.score_ids(ids, [0, len(ids)], False, False, 1)[1][-1]
        return 0 if ids[-1] == UNK else min(int(length), self.context_lengths - 1)
