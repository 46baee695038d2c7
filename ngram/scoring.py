"""How well a model predicts text: perplexity and its relatives.

Input: a model and sentences. Output: `PerplexityResult`. Sentences are scored in
batches, so a text of any length takes constant memory. The log10 probabilities
themselves come from the model (`Model.score` and its relatives, compiled; `IdScorer`
for models that are written in Python). Read `ngram/prediction.py` next.
"""

import io
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ngram._core.scoring import State
from ngram._core.texts import as_texts
from ngram.errors import InputError, warn
from ngram.files import check_text, open_input

if TYPE_CHECKING:
    from ngram.text import Tokenizer
    from ngram.vocabulary import Vocabulary

__all__ = [
    "IdScorer",
    "PerplexityResult",
    "State",
    "checked_sentences",
    "perplexity",
]

BATCH = 8192  # sentences scored at once

Text = TypeVar("Text", bound=str | bytes)


@dataclass(frozen=True)
class PerplexityResult:
    """How well a model predicts a text.

    Attributes
    ----------
    sentences : int
    tokens : int
        Tokens of the text, without `</s>`.
    predictions : int
        What is predicted: all tokens, and one `</s>` per sentence.
    oov : int
        Tokens outside the vocabulary, predicted as `<unk>`.
    log10_prob : float
        Sum over all predictions.
    perplexity : float
        10 ** (-log10_prob / predictions): the number of equally likely choices per
        prediction. At least 1; `inf` if something has probability 0.
    perplexity_excluding_oov : float
        The same over the predictions that are no OOV; `nan` if there is none.
    bits_per_character : float
        -log2 of the text's probability over its Unicode code points. A line end at the
        end of a sentence (LF, CR LF, or the CR left of it) is no character; any other
        white space is. `</s>` costs bits. `nan` if the text has no character.
    bits_per_byte : float
        The same over the bytes of the text in UTF-8.
    characters, bytes : int
        What those two are divided by.
    ngram_lengths : tuple of int
        How many predictions had a longest matching n-gram of length 1, 2, .. order.
        OOV has length 1.

    Notes
    -----
    Only perplexities over the same tokens and vocabulary compare. Bits per character
    compare any two models of a text if `oov` is 0: the bits of an OOV say only that
    some unknown token came, not which.
    """

    sentences: int
    tokens: int
    predictions: int
    oov: int
    log10_prob: float
    perplexity: float
    perplexity_excluding_oov: float
    bits_per_character: float
    bits_per_byte: float
    characters: int
    bytes: int
    ngram_lengths: tuple[int, ...]


class TokenScorer(Protocol):
    """What perplexity asks a model for; batches of a text come in order."""

    @property
    def order(self) -> int: ...
    @property
    def normalised(self) -> bool: ...
    @property
    def tokenizer(self) -> "Tokenizer": ...
    def score_tokens(
        self, texts: list[str | bytes], /
    ) -> tuple[NDArray[Any], NDArray[np.uint8], NDArray[np.bool_]]: ...


def perplexity(
    model: TokenScorer, texts: Iterable[str | bytes] | os.PathLike[str]
) -> PerplexityResult:
    """Return how well a model predicts sentences.

    Parameters
    ----------
    model : Model
    texts : iterable of str or bytes, or path-like
        Sentences without `<s>` and `</s>`, or the path of a text with one sentence on
        each line, plain or compressed. Any amount of text takes constant memory. A line
        end at the end of a sentence ("\\n" or "\\r\\n") is neither characters nor
        bytes.

    Returns
    -------
    PerplexityResult

    Raises
    ------
    InputError
        If there is no sentence, if `texts` is one string or no iterable, or if the file
        is missing, damaged or not a text.

    Warns
    -----
    UserWarning
        If the model gives scores that are no probabilities (stupid backoff).
    """
    if not model.normalised:
        warn(
            "the model gives scores that do not sum to one (stupid backoff): its"
            " perplexity compares with that of no other model."
        )
    count = predictions = oov = characters = bytes_ = 0
    log10_prob = log10_prob_known = 0.0
    lengths = np.zeros(model.order + 1, np.int64)
    for batch in batches(sentences(model.tokenizer, texts)):
        batch_log10_prob, batch_length, batch_oov = model.score_tokens(batch)
        count += len(batch)
        predictions += len(batch_log10_prob)
        oov += int(np.count_nonzero(batch_oov))
        log10_prob += float(np.sum(batch_log10_prob, dtype=np.float64))
        log10_prob_known += float(
            np.sum(batch_log10_prob[~batch_oov], dtype=np.float64)
        )
        lengths += np.bincount(batch_length, minlength=model.order + 1)
        for text in batch:
            text_characters, text_bytes = _size(text)
            characters += text_characters
            bytes_ += text_bytes
    if count == 0:
        raise InputError("perplexity needs at least one sentence, and there is none.")
    bits = -log10_prob * math.log2(10)
    known = predictions - oov
    return PerplexityResult(
        sentences=count,
        tokens=predictions - count,
        predictions=predictions,
        oov=oov,
        log10_prob=log10_prob,
        perplexity=_perplexity(log10_prob, predictions),
        perplexity_excluding_oov=_perplexity(log10_prob_known, known),
        bits_per_character=bits / characters if characters else math.nan,
        bits_per_byte=bits / bytes_ if bytes_ else math.nan,
        characters=characters,
        bytes=bytes_,
        ngram_lengths=tuple(lengths[1:].tolist()),
    )


def sentences(
    tokenizer: "Tokenizer", texts: Iterable[str | bytes] | os.PathLike[str]
) -> Iterable[str | bytes]:
    """Return the sentences that `texts` of `perplexity` means."""
    if isinstance(texts, str | bytes):
        raise InputError(
            "texts is one string: pass a list of sentences, or the path of a text as a "
            "pathlib.Path."
        )
    if not isinstance(texts, Iterable | os.PathLike):
        raise InputError(
            f"texts is {texts!r}: pass a list of sentences, or the path of a text as a "
            "pathlib.Path."
        )
    return _lines(tokenizer, texts) if isinstance(texts, os.PathLike) else texts


def batches(texts: Iterable[Text]) -> Iterator[list[Text]]:
    """Cut an iterable into lists of at most `BATCH`."""
    iterator = iter(texts)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _lines(tokenizer: "Tokenizer", path: os.PathLike[str]) -> Iterator[str]:
    """Give the lines of a text; after the last line end there is one if not empty."""
    with open_input(path) as stream, io.BufferedReader(stream) as lines:
        check_text(stream.head, stream.name, binary=tokenizer.name == "bytes")
        for line in lines:
            yield line.removesuffix(b"\n").decode("utf-8", "surrogateescape")


def _size(text: str | bytes) -> tuple[int, int]:
    """Return the characters and bytes of a sentence without its line end."""
    if isinstance(text, bytes):
        data = text.removesuffix(b"\n").removesuffix(b"\r")
        return len(data.decode("utf-8", "surrogateescape")), len(data)
    line = text.removesuffix("\n").removesuffix("\r")
    if line.isascii():
        return len(line), len(line)
    return len(line), len(line.encode("utf-8", "surrogateescape"))


def _perplexity(log10_prob: float, predictions: int) -> float:
    if predictions == 0:
        return math.nan
    exponent = -log10_prob / predictions
    return 10.0**exponent if exponent < 308 else math.inf


# ---- models written in Python -------------------------------------------------------


class IdScorer(ABC):
    """What scores sentences of ids, and so text: as `Model`, whose scoring is compiled.

    A model defines `score_ids`, and has `vocabulary`, `tokenizer` and `order`.
    """

    vocabulary: "Vocabulary"
    tokenizer: "Tokenizer"

    @abstractmethod
    def score_ids(
        self,
        ids: ArrayLike,
        offsets: ArrayLike,
        bos: bool = True,
        eos: bool = True,
        threads: int | None = None,
    ) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Return log10 probability and n-gram length of every token of sentences."""

    @property
    def normalised(self) -> bool:
        """Whether the scores are probabilities, which sum to one."""
        return True

    def encode(
        self, texts: Iterable[str | bytes]
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Return texts as ids and offsets, as `Model.encode`."""
        return self.tokenizer.encode_batch(as_texts(texts), self.vocabulary)  # type: ignore[arg-type]  # bytes will do

    def score_tokens(
        self,
        texts: Iterable[str | bytes],
        bos: bool = True,
        eos: bool = True,
        threads: int | None = None,
    ) -> tuple[NDArray[Any], NDArray[np.uint8], NDArray[np.bool_]]:
        """Return scores of every token of all sentences, as `Model.score_tokens`.

        Returns
        -------
        log10_prob : ndarray of shape (n_tokens,)
        ngram_length : ndarray of shape (n_tokens,), dtype=uint8
        is_oov : ndarray of shape (n_tokens,), dtype=bool
            Whether the token is outside the vocabulary.
        """
        ids, offsets = self.encode(texts)
        log10_prob, length = self.score_ids(ids, offsets, bos, eos, threads)
        is_oov = ids == 0
        if eos:
            is_oov = np.insert(is_oov, offsets[1:], False)
        return log10_prob, length, is_oov

    def full_scores(
        self, text: str | bytes, bos: bool = True, eos: bool = True
    ) -> list[tuple[float, int, bool]]:
        """Return (log10_prob, ngram_length, is_oov) of every token of one sentence."""
        arrays = self.score_tokens([text], bos, eos, 1)
        return list(zip(*(array.tolist() for array in arrays), strict=True))

    def score_batch(
        self,
        texts: Iterable[str | bytes],
        bos: bool = True,
        eos: bool = True,
        threads: int | None = None,
    ) -> NDArray[np.float64]:
        """Return the log10 probability of every sentence, as `Model.score_batch`.

        Summed from the left, in float64.
        """
        ids, offsets = self.encode(texts)
        log10_prob, _ = self.score_ids(ids, offsets, bos, eos, threads)
        lengths = np.diff(offsets) + bool(eos)
        sentence = np.repeat(np.arange(len(lengths)), lengths)
        return np.bincount(sentence, log10_prob, len(lengths)).astype(np.float64)

    def score(self, text: str | bytes, bos: bool = True, eos: bool = True) -> float:
        """Return the log10 probability of one sentence, as `Model.score`."""
        return float(self.score_batch([text], bos, eos, 1)[0])

    perplexity = perplexity


def checked_sentences(
    ids: ArrayLike, offsets: ArrayLike, vocabulary_size: int
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return sentences of ids as the two arrays they are.

    Raises
    ------
    InputError
        If they are no integers, an id is outside the vocabulary or the offsets do not
        fit.
    """
    words, ends = np.asarray(ids), np.asarray(offsets)
    for name, array in (("ids", words), ("offsets", ends)):
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            raise InputError(f"{name} must be a one-dimensional array of integers.")
    if len(words) and not 0 <= words.min() <= words.max() < vocabulary_size:
        raise InputError(
            f"ids lie between {words.min()} and {words.max()}: the vocabulary has the"
            f" ids 0 to {vocabulary_size - 1}. Take ids from this model."
        )
    if not len(ends) or ends[0] or ends[-1] != len(words) or (np.diff(ends) < 0).any():
        raise InputError(
            f"offsets must ascend from 0 to {len(words)}, the number of ids."
        )
    return words.astype(np.uint32, copy=False), ends.astype(np.int64, copy=False)
