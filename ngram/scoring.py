"""How well a model predicts text: perplexity and its relatives.

Input: a model and sentences. Output: `PerplexityResult`. Sentences are scored in
batches, so a text of any length takes constant memory. The log10 probabilities
themselves come from the model (`Model.score` and its relatives, compiled).
Read `ngram/prediction.py` next.
"""

import io
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ngram._core.scoring import State
from ngram.errors import InputError, warn
from ngram.files import check_text, open_input

if TYPE_CHECKING:
    from ngram.text import Tokenizer

__all__ = ["PerplexityResult", "State", "perplexity"]

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
