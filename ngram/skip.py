"""Skip models: n-grams whose context leaves words out, or knows only their classes.

Input: a corpus and a list of positions, the one that counts most first. Output:
`SkipModel`, which scores like `Model` and may be mixed with others; and which, with
`score_adapting`, learns from the text that it scores (an n-gram cache). Sorted arrays
in NumPy: made for corpora of some tens of millions of tokens.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ngram._core.text import TokenIds
from ngram.classes import WordClasses, class_ids_of
from ngram.decay import sums_before
from ngram.errors import InputError
from ngram.scoring import IdScorer, checked_sentences
from ngram.smoothing import FIXED_DISCOUNTS, discounts_from_counts
from ngram.text import Tokenizer, read_corpus
from ngram.vocabulary import Vocabulary

__all__ = ["Recent", "SkipModel"]

BOS, EOS, FIRST_WORD = 1, 2, 3
NOTHING = -1  # before the text begins
FARTHEST = 255

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Recent:
    """How much the text so far counts beside the corpus.

    Parameters
    ----------
    weights : sequence of float
        What an occurrence in the text adds to the counts of the corpus: for the model
        without context, then with one position, and so on. The last one holds for all
        longer contexts.
    half_life : float
        After how many tokens an occurrence counts half.
    """

    weights: Sequence[float]
    half_life: float

    def __post_init__(self) -> None:
        if not len(self.weights) or not all(weight >= 0 for weight in self.weights):
            raise InputError(
                f"weights are {self.weights!r}: pass numbers, 0 or more, at least one."
            )
        if not self.half_life > 0:
            raise InputError(
                f"half_life is {self.half_life!r}: pass a number of tokens above 0."
            )

    def weight(self, positions: int) -> float:
        """Return the weight of contexts of so many positions."""
        return float(self.weights[min(positions, len(self.weights) - 1)])


class SkipModel(IdScorer):
    """Modified Kneser-Ney over chosen positions of the context.

    Made by `SkipModel.train`. p(w | h) is discounted counts of w after all positions,
    and what was taken off is shared by the same model without the last position.

    Attributes
    ----------
    vocabulary : Vocabulary
    tokenizer : Tokenizer
    order : int
        One more than there are positions.
    steps : int
        1, or 2 if the class is predicted before the word.

    References
    ----------
    Goodman (2001), A bit of progress in language modeling, sections 4 (skipping) and 6
    (clustering: the class first, then the word). Chen and Goodman (1999), section 3.

    Examples
    --------
    >>> import ngram
    >>> text = ["show me the way", "show him the door", "show us the way"]
    >>> skip = ngram.SkipModel.train(text, [2])
    >>> gap = skip.score("show nobody the") > skip.score("me nobody the")
    >>> bool(gap)
    True
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        tokenizer: Tokenizer,
        steps: "tuple[_Step, ...]",
        *,
        across: bool,
    ) -> None:
        self.vocabulary = vocabulary
        self.tokenizer = tokenizer
        self._steps = steps
        self._across = across

    @classmethod
    def train(
        cls,
        corpus: object,
        context: Iterable[int | tuple[int, WordClasses]],
        *,
        through: WordClasses | None = None,
        across: bool = False,
        tokenizer: str | Tokenizer = "whitespace",
        skip_symbols: bool = False,
        threads: int | None = None,
    ) -> Self:
        """Estimate a skip model.

        Parameters
        ----------
        corpus : path, list of path, iterable of str, or (ids, offsets, vocabulary)
            As in `ngram.train`.
        context : sequence of int or (int, WordClasses)
            Positions: 1 is the word before the predicted one, 2 the word before that.
            With classes, the class of that word. The most important one comes first,
            the one to be dropped first comes last.
        through : WordClasses, optional
            Predict the class of the word in the context, then the word in the class
            and the context: p(w | h) = p(c(w) | h) p(w | c(w), h).
        across : bool, default=False
            Whether contexts reach into the sentences before, behind `</s>`; otherwise
            they end at `<s>`.
        tokenizer : str or Tokenizer, default="whitespace"
        skip_symbols : bool, default=False
        threads : int, default=None
            To read the corpus with.

        Returns
        -------
        SkipModel

        Raises
        ------
        InputError
            If an argument or the corpus cannot be used.
        """
        positions = tuple(map(_position, context))
        tokenizer = Tokenizer.of(tokenizer)
        tokens, vocabulary, _ = read_corpus(
            corpus, tokenizer, skip_symbols=skip_symbols, threads=threads
        )
        if tokens.tokens == 0:
            raise InputError(
                "the corpus has no words, so there is nothing to train on."
            )
        factors = tuple(
            _Factor(
                back, None if classes is None else class_ids_of(classes, vocabulary)
            )
            for back, classes in positions
        )
        text = _Text.of_corpus(tokens, across=across)
        steps: tuple[_Step, ...]
        if through is None:
            steps = (_Step.fit(text, _Factor(0, None), factors, len(vocabulary)),)
        else:
            own = _Factor(0, class_ids_of(through, vocabulary))
            steps = (
                _Step.fit(text, own, factors, len(vocabulary)),
                _Step.fit(text, _Factor(0, None), (own, *factors), len(vocabulary)),
            )
        return cls(vocabulary, tokenizer, steps, across=across)

    @property
    def order(self) -> int:
        """One more than there are positions."""
        return len(self._steps[0].factors) + 1

    @property
    def steps(self) -> int:
        """1, or 2 if the class is predicted before the word."""
        return len(self._steps)

    def score_ids(
        self,
        ids: ArrayLike,
        offsets: ArrayLike,
        bos: bool = True,
        eos: bool = True,
        threads: int | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Return the log10 probability of every token; as `Model.score_ids`.

        Returns
        -------
        log10_prob : ndarray of shape (n_predictions,), dtype=float32
        ngram_length : ndarray of shape (n_predictions,), dtype=uint8
            One more than the positions of the longest context that the corpus has.
        """
        text = self._text(ids, offsets, bos, eos)
        prob, length = self._steps[0].probabilities(text, None)
        for step in self._steps[1:]:
            prob = prob * step.probabilities(text, None)[0]
        return np.log10(prob).astype(np.float32), length

    def score_adapting(
        self, ids: ArrayLike, offsets: ArrayLike, *recent: Recent
    ) -> NDArray[np.float32]:
        """Return the log10 probability of every token, learning from those before it.

        The text of one call is one text: what stands before a token in it, in its own
        sentence or in those before, is counted with the corpus.

        Parameters
        ----------
        ids, offsets : as in `score_ids`
        *recent : Recent
            One for each of the model's steps.

        Returns
        -------
        ndarray of shape (n_predictions,), dtype=float32
            With `</s>` after every sentence.
        """
        if len(recent) != self.steps:
            raise InputError(
                f"{len(recent)} Recent are passed: this model takes one for each of its"
                f" steps, {self.steps}."
            )
        text = self._text(ids, offsets, True, True)
        prob = np.ones(len(text.tokens))
        for step, one in zip(self._steps, recent, strict=True):
            prob *= step.probabilities(text, one)[0]
        return np.log10(prob).astype(np.float32)

    def distribution_of_ids(self, context: NDArray[np.uint32]) -> Floats:
        """Return the probability of every word after a context, by word id.

        Parameters
        ----------
        context : ndarray of int
            With `<s>` (id 1) first, if a sentence begins.

        Returns
        -------
        ndarray of shape (len(vocabulary),), dtype=float64, linear
            0 for `<s>`.
        """
        words = np.arange(len(self.vocabulary))
        before = np.asarray(context, np.int64)
        begins = np.flatnonzero(before == BOS)
        bos = len(begins) > 0
        before = before[begins[-1] + 1 :] if bos else before
        before = before[max(0, len(before) - FARTHEST) :]
        length = len(before) + 1
        rows = np.empty((len(words), length), np.int64)
        rows[:, :-1] = before
        rows[:, -1] = words
        text = _Text(rows.ravel(), length * np.arange(len(words) + 1), bos, False)
        prob = np.ones(len(words))
        for step in self._steps:
            prob *= step.probabilities(text, None)[0][length - 1 :: length]
        prob[BOS] = 0
        return prob

    def _text(
        self, ids: ArrayLike, offsets: ArrayLike, bos: bool, eos: bool
    ) -> "_Text":
        checked, ends = checked_sentences(ids, offsets, len(self.vocabulary))
        words = checked.astype(np.int64)
        if eos:
            words = np.insert(words, ends[1:], EOS)
            ends = ends + np.arange(len(ends))
        return _Text(words, ends, bos, self._across)

    def __repr__(self) -> str:
        return (
            f"SkipModel(order={self.order}, steps={self.steps}, "
            f"vocabulary_size={len(self.vocabulary)})"
        )


def _position(position: object) -> tuple[int, WordClasses | None]:
    back: object = position
    classes: object = None
    if isinstance(position, tuple) and len(position) == 2:
        back, classes = position
    if (
        isinstance(back, bool)
        or not isinstance(back, int)
        or not 1 <= back <= FARTHEST
        or not (classes is None or isinstance(classes, WordClasses))
    ):
        raise InputError(
            f"{position!r} is no position of a context: pass 1 to {FARTHEST}, or such a"
            " number and WordClasses as a tuple."
        )
    return back, classes


@dataclass(frozen=True)
class _Text:
    """Tokens, `</s>` among them; sentence i is `tokens[offsets[i]:offsets[i + 1]]`."""

    tokens: Numbers
    offsets: Numbers
    bos: bool
    across: bool

    @classmethod
    def of_corpus(cls, tokens: TokenIds, *, across: bool) -> "_Text":
        ids = tokens.ids.astype(np.int64)
        offsets = np.append(0, np.flatnonzero(ids == EOS) + 1)
        return cls(ids, offsets, True, across)

    def before(self, back: int) -> Numbers:
        """Return the token so far before every token."""
        words = np.full(len(self.tokens), NOTHING)
        words[back:] = self.tokens[: max(0, len(self.tokens) - back)]
        if back == 0 or self.across:
            return words
        lengths = np.diff(self.offsets)
        place = np.arange(len(words)) - np.repeat(self.offsets[:-1], lengths)
        words[place < back] = NOTHING
        if self.bos:
            words[place == back - 1] = BOS
        return words


@dataclass(frozen=True)
class _Factor:
    """A word of the window, `back` words before the predicted one, or its class."""

    back: int
    class_ids: NDArray[np.uint32] | None

    def values(self, text: _Text) -> Numbers:
        words = text.before(self.back)
        if self.class_ids is None:
            return words
        return np.where(words < 0, NOTHING, self.class_ids[words])


@dataclass(frozen=True)
class _Level:
    """The counts after contexts of one length.

    A context is a number: its place in `contexts`, where the number of the context
    without its last position and that position are one key.
    """

    contexts: Numbers  # sorted
    grams: Numbers  # sorted keys of context and target
    counts: Numbers  # adjusted, of every gram
    totals: Floats  # of every context
    mass: Floats  # what discounts take from it
    discounts: Floats  # by count

    @classmethod
    def fit(
        cls, contexts: Numbers, keys: Numbers, longer: Numbers | None, width: int
    ) -> "_Level":
        """Count the grams of all places; `longer` is the next context of each."""
        grams, gram = np.unique(keys, return_inverse=True)
        if longer is None:
            counts = np.bincount(gram)
        else:
            # Chen and Goodman (1999), section 3: how many different words stand in the
            # next position; where there is none, how often.
            goes_on = longer >= 0
            span = int(longer.max(initial=0)) + 1
            different = np.unique(gram[goes_on] * span + longer[goes_on]) // span
            counts = np.bincount(different, minlength=len(grams))
            counts += np.bincount(gram[~goes_on], minlength=len(grams))
        row = [int(np.count_nonzero(counts == n)) for n in range(1, 5)]
        found = discounts_from_counts(row, order=1, fallback=FIXED_DISCOUNTS)
        discounts = np.array([0, found.d1, found.d2, found.d3], np.float64)
        context = grams // width
        taken = discounts[np.minimum(counts, 3)]
        totals: Floats = np.bincount(context, counts, len(contexts)).astype(np.float64)
        mass: Floats = np.bincount(context, taken, len(contexts)).astype(np.float64)
        return cls(contexts, grams, counts, totals, mass, discounts)

    def discounted(
        self, context: Numbers, target: Numbers, width: int
    ) -> tuple[Floats, Floats, Floats]:
        """Return the discounted count of every target, the mass and the total."""
        at, known = _find(self.grams, context * width + target)
        count = np.where(known, self.counts[at], 0)
        count[context < 0] = 0
        total = np.where(context < 0, 0, self.totals[context])
        mass = np.where(context < 0, 0, self.mass[context])
        return count - self.discounts[np.minimum(count, 3)], mass, total


def _find(keys: Numbers, wanted: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return places in sorted keys, and whether the wanted key stands there."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return at, keys[at] == wanted


@dataclass(frozen=True)
class _Step:
    """A target and the chain of factors that it is predicted from."""

    target: _Factor
    factors: tuple[_Factor, ...]
    levels: tuple[_Level, ...]
    width: int  # above every id
    share: Floats  # of a target among its equals, by word: where the chain begins

    @classmethod
    def fit(
        cls, text: _Text, target: _Factor, factors: tuple[_Factor, ...], words: int
    ) -> "_Step":
        used = [f.class_ids for f in (target, *factors) if f.class_ids is not None]
        width = max([words, *(int(class_ids.max()) + 1 for class_ids in used)])
        wanted = target.values(text)
        numbers = [np.zeros(len(wanted), np.int64)]
        contexts = [np.zeros(1, np.int64)]
        for factor in factors:
            values = factor.values(text)
            alive = (numbers[-1] >= 0) & (values >= 0)
            keys = numbers[-1][alive] * width + values[alive]
            found, number = np.unique(keys, return_inverse=True)
            contexts.append(found)
            numbers.append(np.full(len(wanted), NOTHING))
            numbers[-1][alive] = number
        levels = []
        for number, known, longer in zip(
            numbers, contexts, [*numbers[1:], None], strict=True
        ):
            alive = number >= 0
            keys = number[alive] * width + wanted[alive]
            levels.append(
                _Level.fit(
                    known, keys, None if longer is None else longer[alive], width
                )
            )
        return cls(
            target, factors, tuple(levels), width, _shares(target, factors, words)
        )

    @property
    def first(self) -> int:
        """The first level: in a class, the model of all words says nothing."""
        return int(bool(self.factors) and self.factors[0].back == 0)

    def probabilities(
        self, text: _Text, recent: Recent | None
    ) -> tuple[Floats, NDArray[np.uint8]]:
        """Return p(target) of every token, and the length of what is known of it."""
        target = self.target.values(text)
        number = np.zeros(len(target), np.int64)
        history = np.zeros(len(target), np.int64)
        prob = self.share[text.tokens]
        length = np.zeros(len(target), np.uint8)
        for positions, level in enumerate(self.levels):
            if positions:
                values = self.factors[positions - 1].values(text)
                here = values >= 0
                at, known = _find(level.contexts, number * self.width + values)
                number = np.where(known & here & (number >= 0), at, NOTHING)
                history = np.where(here & (history >= 0), history, NOTHING)
                if recent is not None:
                    history = _renumbered(history, values, self.width)
            if positions < self.first:
                continue
            count, mass, total = level.discounted(number, target, self.width)
            count += mass * prob
            length[number >= 0] = positions + 1 - self.first
            if recent is not None:
                weight = recent.weight(positions)
                said = weight * _decayed(history, recent.half_life)
                both = _renumbered(history, target, self.width)
                again = weight * _decayed(both, recent.half_life)
                # A context that only the text has takes one occurrence off its counts.
                new = (total == 0) & (said > 0)
                count += again + np.where(new, prob, 0)
                total += said + new
            seen = total > 0
            prob = np.where(seen, count / np.where(seen, total, 1), prob)
        return prob, length


def _shares(target: _Factor, factors: tuple[_Factor, ...], words: int) -> Floats:
    """Return how probable a target is if nothing is known: all are, equally.

    `<s>` is no target. A word in a class has the words of the class beside it, a class
    all classes.
    """
    if factors and factors[0].back == 0 and factors[0].class_ids is not None:
        class_ids = factors[0].class_ids
        share: Floats = 1 / np.bincount(class_ids)[class_ids]
        return share
    targets = words if target.class_ids is None else len(np.unique(target.class_ids))
    return np.full(words, 1 / (targets - 1))


def _renumbered(context: Numbers, values: Numbers, width: int) -> Numbers:
    """Return equal numbers for equal pairs; NOTHING where there is no context."""
    there = context >= 0
    numbers = np.full(len(context), NOTHING)
    keys = context[there] * width + values[there]
    numbers[there] = np.unique(keys, return_inverse=True)[1]
    return numbers


def _decayed(numbers: Numbers, half_life: float) -> Floats:
    """Return for every place the sum of 0.5 ** (distance / half_life) to equals before.

    Places of NOTHING have 0.
    """
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    sums = sums_before(order, ordered, 0.5 ** (1 / half_life))
    result = np.empty(len(order))
    result[order] = np.where(ordered >= 0, sums, 0)
    return result
