"""Models that predict the class of a word first, and then the word.

Input: a corpus and `WordClasses`. Output: `ClassModel`; it estimates the n-grams of
classes as `ngram.train` does those of words. Read `ngram/skip.py` next, whose contexts
may hold classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ngram import scoring
from ngram.classes.clustering import EDGE, FIRST_WORD, NO_CLASS, WordClasses
from ngram.errors import InputError
from ngram.estimate import train
from ngram.model import Model
from ngram.smoothing import FIXED_DISCOUNTS
from ngram.text import Tokenizer, read_corpus
from ngram.vocabulary import Vocabulary

__all__ = ["ClassModel", "class_ids_of"]

Progress = Callable[[str, int, int], object]


@dataclass(frozen=True, eq=False)
class ClassModel(scoring.IdScorer):
    """A class-based n-gram model: p(w | h) = p(w | c(w)) p(c(w) | c(h)).

    Made by `ClassModel.train`. It scores like `Model`, over the same kinds of text.

    Attributes
    ----------
    vocabulary : Vocabulary
        The words of the corpus, then those that only the classes know.
    class_ids : ndarray of shape (len(vocabulary),), dtype=uint32
        The id of every word's class in `model`; `<unk>`, `<s>` and `</s>` keep theirs.
    log10_emission : ndarray of shape (len(vocabulary),), dtype=float32
        Log10 of p(w | c(w)); 0 for the reserved words.
    model : Model
        The n-grams of classes, whose words are the numbers of the classes.
    tokenizer : Tokenizer

    References
    ----------
    Brown et al. (1992), Class-based n-gram models of natural language, equation 2.

    Examples
    --------
    >>> import ngram
    >>> sentences = ["a cat sat", "the cat ran", "a dog ran", "the dog sat"]
    >>> classes = ngram.cluster_words(sentences, 3)
    >>> model = ngram.ClassModel.train(sentences, classes, order=2)
    >>> model.score("a dog sat") == model.score("the cat ran")
    True
    """

    vocabulary: Vocabulary
    class_ids: NDArray[np.uint32]
    log10_emission: NDArray[np.float32]
    model: Model
    tokenizer: Tokenizer

    @classmethod
    def train(
        cls,
        corpus: object,
        classes: WordClasses,
        order: int = 3,
        *,
        tokenizer: str | Tokenizer = "whitespace",
        skip_symbols: bool = False,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Estimate the n-grams of classes, and the words in them.

        Parameters
        ----------
        corpus : path, list of path, iterable of str, or (ids, offsets, vocabulary)
            As in `ngram.train`; not always the one that the classes come from.
        classes : WordClasses
        order : int, default=3
            Length of the longest n-grams of classes.
        tokenizer : str or Tokenizer, default="whitespace"
        skip_symbols : bool, default=False
        threads : int, default=None
            By default, all processors. The model does not depend on it.
        progress : callable(stage, done, total), default=None

        Returns
        -------
        ClassModel

        Notes
        -----
        The n-grams of classes are smoothed as `ngram.train` does. Words are emitted by
        relative frequency. Words of the corpus that have no class form one more class.
        Words of a class that the corpus lacks share T / (N + T) of it, with N tokens
        and T types of the class seen (Witten and Bell 1991, method C). All other words
        are `<unk>`, which has the probability that the model of classes gives it.

        Raises
        ------
        InputError
            If an argument or the corpus cannot be used.
        """
        tokenizer = Tokenizer.of(tokenizer)
        tokens, words, _ = read_corpus(
            corpus,
            tokenizer,
            skip_symbols=skip_symbols,
            threads=threads,
            progress=progress,
        )
        if tokens.tokens == 0:
            raise InputError(
                "the corpus has no words: a class model cannot be trained."
            )
        vocabulary = _joined(words, classes.vocabulary)
        class_ids = class_ids_of(classes, vocabulary)
        counts = np.bincount(tokens.ids, minlength=len(vocabulary))
        emission = _emission(counts, class_ids)
        names = Vocabulary.from_words(map(str, range(class_ids.max() - EDGE)))
        ids, offsets = tokens.to_arrays()
        model = train(
            (class_ids[ids], offsets, names),
            order,
            discount_fallback=FIXED_DISCOUNTS,  # classes have few types of n-grams
            threads=threads,
            progress=progress,
        )
        return cls(vocabulary, class_ids, emission, model, tokenizer)

    @property
    def order(self) -> int:
        """Length of the longest n-grams of classes."""
        return self.model.order

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
            Of the longest n-gram of classes that matched.
        """
        words, ends = scoring.checked_sentences(ids, offsets, len(self.vocabulary))
        log10_prob, length = self.model.score_ids(
            self.class_ids[words], ends, bos, eos, threads
        )
        emission = self.log10_emission[words]
        if eos:  # </s> follows each sentence, and has nothing to emit
            emission = np.insert(emission, ends[1:], 0)
        return log10_prob + emission, length

    def distribution_of_ids(self, context: NDArray[np.uint32]) -> NDArray[np.float64]:
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
        before = self.class_ids[np.asarray(context)]
        of_class = self.model.distribution_of_ids(before)
        emission: NDArray[np.float64] = 10.0 ** self.log10_emission.astype(np.float64)
        return of_class[self.class_ids] * emission

    def __repr__(self) -> str:
        return (
            f"ClassModel(order={self.order}, "
            f"n_classes={len(self.model.vocabulary) - FIRST_WORD}, "
            f"vocabulary_size={len(self.vocabulary)})"
        )


def class_ids_of(classes: WordClasses, vocabulary: Vocabulary) -> NDArray[np.uint32]:
    """Return the class of every word of a vocabulary as an id.

    Reserved words keep their ids, classes follow them; words that have no class form
    one class more.
    """
    class_of = classes.class_of
    if classes.vocabulary is not vocabulary:
        known = np.fromiter(map(classes.vocabulary.id, vocabulary.words()), np.int64)
        class_of = class_of[known]
    ids = np.where(class_of == NO_CLASS, classes.n_classes, class_of) + FIRST_WORD
    ids[:FIRST_WORD] = range(FIRST_WORD)
    return ids.astype(np.uint32)


def _joined(words: Vocabulary, more: Vocabulary) -> Vocabulary:
    """Return the words of two vocabularies, those of the first with their ids."""
    if more is words or more.words() == words.words():
        return words
    return Vocabulary.from_words(
        [*words.words()[FIRST_WORD:], *more.words()[FIRST_WORD:]]
    )


def _emission(
    counts: NDArray[np.int64], class_ids: NDArray[np.uint32]
) -> NDArray[np.float32]:
    """Return log10 p(w | c(w)) of every word."""
    counts, class_ids = counts[FIRST_WORD:], class_ids[FIRST_WORD:]
    tokens = np.bincount(class_ids, counts)
    seen = np.bincount(class_ids, counts > 0)
    unseen = np.bincount(class_ids, counts == 0)
    # Without unseen words the seen have all the mass, without seen ones none.
    total = tokens + np.where(unseen > 0, seen, 0)
    share = np.where(tokens > 0, seen, 1) / np.maximum(unseen, 1)
    total = np.maximum(total, 1)
    mass = np.where(counts > 0, counts, share[class_ids])
    emission = np.zeros(len(counts) + FIRST_WORD, np.float32)
    emission[FIRST_WORD:] = np.log10(mass / total[class_ids])
    return emission
