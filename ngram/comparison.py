"""Smoothing methods side by side: which predicts best, by training size and order.

Input: a training text and a development text. Output: `SmoothingComparison`, the
cross-entropy of the development text under every method. The experiment of Chen and
Goodman: counts are taken once for each size and order, and every method smooths the
same counts. The vocabulary is that of the whole training text at every size, so the
numbers of one table compare. Read `ngram/demo.py` next.

References
----------
Chen, S. F. and Goodman, J. (1999), An empirical study of smoothing techniques for
language modeling, Computer Speech & Language 13(4), 359-394, section 5.
"""

import math
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ngram._core.counts import MAX_ORDER, NgramCounts
from ngram._core.ngrams import SortedNgrams
from ngram._core.text import TokenIds
from ngram.arguments import checked_integers
from ngram.errors import DiscountWarning, InputError, MissingDependencyError
from ngram.files import check_output
from ngram.fitting import ABSENT, Progress, Text, encode_heldout, fit_and_smooth
from ngram.smoothing import METHODS, SmoothingMethod, smoothing_method
from ngram.text import Tokenizer, read_corpus
from ngram.threads import thread_count
from ngram.vocabulary import Vocabulary

__all__ = ["SmoothingComparison", "SmoothingScore", "compare_smoothings"]

PLOTS = (".svg", ".png", ".pdf")


@dataclass(frozen=True)
class SmoothingScore:
    """What one method reached.

    Attributes
    ----------
    method : str
        Name and options, as `ngram.train` takes them.
    order : int
    sentences, tokens : int
        Size of the training text, tokens without `</s>`.
    bits_per_token : float
        Cross-entropy: -log2 of the probability of the development text, over its
        tokens and one `</s>` per sentence. `inf` if a token has probability 0.
    bits_per_known_token : float
        The same over the predictions that are no OOV.
    normalised : bool
        Whether the method gives probabilities; else its bits compare with nothing.
    """

    method: str
    order: int
    sentences: int
    tokens: int
    bits_per_token: float
    bits_per_known_token: float
    normalised: bool

    @property
    def perplexity(self) -> float:
        """The number of equally likely choices per prediction."""
        return 2.0**self.bits_per_token if self.bits_per_token < 1024 else math.inf


@dataclass(frozen=True)
class SmoothingComparison:
    """Smoothing methods side by side.

    Attributes
    ----------
    scores : tuple of SmoothingScore
        By size, order, and method as asked for.
    predictions, oov : int
        Of the development text: what is predicted, and what is not in the vocabulary.
    heldout_sentences, dev_sentences : int
        What the methods learned from, and what they were compared on.
    vocabulary_size : int
        Of the whole training text.
    """

    scores: tuple[SmoothingScore, ...]
    predictions: int
    oov: int
    heldout_sentences: int
    dev_sentences: int
    vocabulary_size: int

    @property
    def orders(self) -> tuple[int, ...]:
        """The orders, as asked for."""
        return tuple(dict.fromkeys(score.order for score in self.scores))

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes in sentences, ascending."""
        return tuple(dict.fromkeys(score.sentences for score in self.scores))

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods, as asked for."""
        return tuple(dict.fromkeys(score.method for score in self.scores))

    def ranking(self, sentences: int, order: int) -> tuple[SmoothingScore, ...]:
        """Return the scores of one size and order, the best first.

        Methods that give no probabilities are left out.
        """
        scores = [
            score
            for score in self.scores
            if (score.sentences, score.order) == (sentences, order) and score.normalised
        ]
        return tuple(sorted(scores, key=lambda score: score.bits_per_token))

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw bits per token over the training size, one panel for each order.

        Parameters
        ----------
        path : path-like
            Ends in .svg, .png or .pdf.

        Raises
        ------
        InputError
            If the name ends otherwise.
        ModelFileError
            If no file can be written there.
        MissingDependencyError
            If matplotlib is not installed.
        """
        check_plot(path)
        from matplotlib.figure import Figure

        orders = self.orders
        figure = Figure(figsize=(1.5 + 3.5 * len(orders), 5), layout="constrained")
        panels = figure.subplots(1, len(orders), sharey=True, squeeze=False)[0]
        styles = ("-", "--", ":")
        for panel, order in zip(panels, orders, strict=True):
            for number, method in enumerate(self.methods):
                line = [
                    s
                    for s in self.scores
                    if (s.method, s.order) == (method, order)
                    and s.normalised
                    and math.isfinite(s.bits_per_token)
                ]
                if not line:
                    continue
                panel.plot(
                    [score.sentences for score in line],
                    [score.bits_per_token for score in line],
                    color=f"C{number % 10}",
                    linestyle=styles[number // 10 % len(styles)],
                    marker=".",
                    label=method,
                )
            panel.set_xscale("log")
            panel.set_title(f"order {order}")
            panel.set_xlabel("training sentences")
        panels[0].set_ylabel("bits per token")
        handles, labels = panels[0].get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside right upper", fontsize="small")
        # No date, so that the same numbers give the same bytes.
        kind = Path(path).suffix.lower()
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
        figure.savefig(os.fspath(path), metadata=metadata.get(kind))


def check_plot(path: str | os.PathLike[str]) -> None:
    """Fail before long work if a plot cannot be drawn."""
    if Path(path).suffix.lower() not in PLOTS:
        raise InputError(
            f"{os.fspath(path)!r} is no name of a plot: let it end in"
            f" {', '.join(PLOTS[:-1])} or {PLOTS[-1]}."
        )
    check_output(path)
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingDependencyError(
            "plots need the library matplotlib, which is not installed: "
            "pip install 'ngram-engine[plot]'"
        ) from None


def compare_smoothings(
    train: object,
    dev: object,
    *,
    heldout: object = None,
    orders: Iterable[int] = (2, 3, 5),
    sizes: Iterable[int] | None = None,
    methods: Iterable[str | SmoothingMethod] | None = None,
    tokenizer: str | Tokenizer = "whitespace",
    skip_symbols: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> SmoothingComparison:
    """Compare smoothing methods on a text.

    Parameters
    ----------
    train, dev : as the corpus of `ngram.train`
        The training text, and the text that is predicted.
    heldout : as the corpus of `ngram.train`, optional
        What methods with weights learn from. By default, if a method needs it, every
        second sentence of `dev`, and the others are predicted, by all methods.
    orders : iterable of int, default=(2, 3, 5)
    sizes : iterable of int, optional
        The first so many sentences of `train`. By default 100, 1,000, 10,000 and so on,
        and all.
    methods : iterable of str or SmoothingMethod, optional
        As `ngram.train` takes them. By default, all of `ngram.smoothing.METHODS`.
    tokenizer : str or Tokenizer, default="whitespace"
    skip_symbols : bool, default=False
        Treat `<unk>`, `<s>` and `</s>` in the texts as white space.
    threads : int, optional
        By default, all processors. The result does not depend on it.
    progress : callable(stage, done, total), optional

    Returns
    -------
    SmoothingComparison

    Raises
    ------
    InputError
        If an argument or a text cannot be used.

    Notes
    -----
    Small sizes often leave discounts undefined; what replaces them goes unsaid here.

    Examples
    --------
    >>> text = ["a rose is a rose", "a rose is red", "a rose is a flower"]
    >>> result = compare_smoothings(
    ...     text, text, orders=[2], methods=["witten-bell", "laplace"]
    ... )
    >>> [score.method for score in result.ranking(3, 2)]
    ['witten-bell', 'additive:delta=1']
    """
    if isinstance(methods, str):
        raise InputError(f"methods is {methods!r}: pass a list of methods.")
    chosen = [smoothing_method(method) for method in (methods or METHODS)]
    order_list = _distinct("orders", orders, MAX_ORDER)
    workers, cutter = thread_count(threads), Tokenizer.of(tokenizer)
    tokens, vocabulary, _ = read_corpus(
        train, cutter, skip_symbols=skip_symbols, threads=workers, progress=progress
    )
    ids, offsets = tokens.to_arrays()
    if len(ids) == 0:
        raise InputError("the training text has no words.")
    size_list = _sizes(sizes, len(offsets) - 1)

    def encoded(text: object, name: str) -> Text:
        return encode_heldout(
            text,
            vocabulary,
            cutter,
            skip_symbols=skip_symbols,
            threads=workers,
            name=name,
        )

    predicted = encoded(dev, "development text")
    learned = None if heldout is None else encoded(heldout, "held-out text")
    if learned is None and any(method.needs_heldout for method in chosen):
        predicted, learned = _halves(predicted)
    scores = []
    for size in size_list:
        part = ids[: offsets[size]], offsets[: size + 1]
        for order in order_list:
            scores += [
                SmoothingScore(method.spec, order, size, len(part[0]), *found)
                for method, found in zip(
                    chosen,
                    _bits(part, vocabulary, order, chosen, learned, predicted, workers),
                    strict=True,
                )
            ]
            if progress is not None:
                done = len(scores) // len(chosen)
                progress("compare", done, len(size_list) * len(order_list))
    sentences = len(predicted[1]) - 1
    return SmoothingComparison(
        scores=tuple(scores),
        predictions=len(predicted[0]) + sentences,
        oov=int(np.count_nonzero(predicted[0] == 0)),
        heldout_sentences=0 if learned is None else len(learned[1]) - 1,
        dev_sentences=sentences,
        vocabulary_size=len(vocabulary),
    )


def _distinct(name: str, values: object, most: int) -> list[int]:
    numbers = checked_integers(name, values, least=1, most=most)
    if not numbers:
        raise InputError(f"{name} is empty: pass at least one number.")
    return list(dict.fromkeys(numbers))


def _sizes(sizes: Iterable[int] | None, sentences: int) -> list[int]:
    """Return the training sizes, ascending."""
    if sizes is not None:
        return sorted(_distinct("sizes", sizes, sentences))
    powers = (10**n for n in range(2, 20))
    return [*[size for size in powers if size < sentences], sentences]


def _halves(text: Text) -> tuple[Text, Text]:
    """Return the sentences with even and with odd number, from 0."""
    ids, offsets = text
    lengths = np.diff(offsets)
    parts = []
    for first in (0, 1):
        chosen = np.arange(len(lengths)) % 2 == first
        kept = np.repeat(chosen, lengths)
        bounds = np.concatenate([[0], np.cumsum(lengths[chosen])]).astype(np.int64)
        parts.append((np.ascontiguousarray(ids[kept]), bounds))
    if min(len(part) for part, _ in parts) == 0:
        raise InputError(
            "the development text is too short to be halved into held-out text and text"
            " to predict. Pass `heldout`, too."
        )
    return parts[0], parts[1]


def _bits(
    part: Text,
    vocabulary: Vocabulary,
    order: int,
    methods: Sequence[SmoothingMethod],
    heldout: Text | None,
    predicted: Text,
    threads: int,
) -> Iterator[tuple[float, float, bool]]:
    """Give bits per token, bits per known token and `normalised` of every method."""
    tokens = TokenIds.from_arrays(*part, vocabulary)
    counts = NgramCounts.count(
        tokens, len(vocabulary), order, consume=True, threads=threads
    )
    found = counts.find(*predicted, threads=threads)
    ids, offsets = predicted
    begins = offsets[:-1] + 2 * np.arange(len(offsets) - 1)
    oov = found[0] == 0
    for method in methods:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiscountWarning)
            ngrams = fit_and_smooth(
                counts,
                method,
                heldout=heldout if method.needs_heldout else None,
                threads=threads,
            ).ngrams
        bits = -_log10_probs(ngrams, found) * math.log2(10)
        bits[begins] = 0
        known = np.where(oov, 0, bits)
        predictions = len(ids) + len(begins)
        missing = int(np.count_nonzero(oov))
        yield (
            float(bits.sum() / predictions),
            float(known.sum() / max(predictions - missing, 1)),
            method.normalised,
        )


def _log10_probs(
    ngrams: SortedNgrams, found: NDArray[np.uint32]
) -> NDArray[np.float64]:
    """Return log10 p of every position of a text from the n-grams found there.

    From the shortest n-gram up: a longer one that was found replaces the probability,
    otherwise the back-off of its context is added. Values at `<s>` mean nothing.
    """
    log10_prob = np.asarray(ngrams.level(1)[2][found[0]], np.float64)
    for k in range(1, ngrams.order):
        values, backoffs = ngrams.level(k + 1)[2], ngrams.level(k)[3]
        hit = found[k] != ABSENT
        context = np.concatenate([[ABSENT], found[k - 1, :-1]])
        backs_off = ~hit & (context != ABSENT)
        log10_prob[backs_off] += backoffs[context[backs_off]]
        log10_prob[hit] = values[found[k, hit]]
    return log10_prob


def as_records(comparison: SmoothingComparison) -> list[dict[str, Any]]:
    """Return the scores as dictionaries, as JSON has them."""
    return [
        {
            "method": score.method,
            "order": score.order,
            "sentences": score.sentences,
            "tokens": score.tokens,
            "bits_per_token": score.bits_per_token,
            "bits_per_known_token": score.bits_per_known_token,
            "perplexity": score.perplexity,
            "normalised": score.normalised,
        }
        for score in comparison.scores
    ]
