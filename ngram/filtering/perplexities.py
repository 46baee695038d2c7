"""Documents to perplexities: a number for each document, or for each of its lines.

Input: a model and documents whose lines are sentences. Output: float64 arrays. All
lines of all documents are scored as one block of bytes. Read next: `documents.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ngram.errors import InputError

if TYPE_CHECKING:
    from ngram.model import Model

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Block:
    """Documents as one block of lines.

    Attributes
    ----------
    data : bytes
        Every line of every document, each with its LF.
    lines : ndarray of shape (n_documents,), dtype=int64
        Lines of each document, at least one.
    """

    data: bytes
    lines: NDArray[np.int64]


def block_of(texts: Sequence[str]) -> Block:
    """Return documents as a block; LF separates the lines of a document."""
    lines = np.fromiter((text.count("\n") + 1 for text in texts), np.int64, len(texts))
    joined = "\n".join(texts) + "\n" if texts else ""
    return Block(joined.encode("utf-8", "surrogatepass"), lines)


@dataclass(frozen=True)
class LineScores:
    """What the formulas need of every line of a block."""

    offsets: NDArray[np.int64]  # line i is data[offsets[i]:offsets[i + 1]]
    log10_prob: Floats
    tokens: NDArray[np.uint32]


def score_block(model: "Model", block: Block, threads: int | None) -> LineScores:
    offsets, log10_prob, tokens, _ = model.score_lines(block.data, threads=threads)
    return LineScores(offsets, log10_prob, tokens)


def _perplexity(block: Block, scores: LineScores, lines: NDArray[np.int64]) -> Floats:
    """Sentences are the lines with a token; each predicts its tokens and `</s>`."""
    said = scores.tokens > 0
    predictions = np.where(said, scores.tokens.astype(np.float64) + 1, 0.0)
    return _power(
        _sums(np.where(said, scores.log10_prob, 0.0), lines), _sums(predictions, lines)
    )


def _cc_net(block: Block, scores: LineScores, lines: NDArray[np.int64]) -> Floats:
    """Empty lines predict `</s>` too; lengths are `len(line.split())` of Python."""
    words = np.fromiter(
        (
            len(block.data[i:j].decode("utf-8", "surrogateescape").split())
            for i, j in zip(
                scores.offsets[:-1].tolist(), scores.offsets[1:].tolist(), strict=True
            )
        ),
        np.float64,
        len(scores.tokens),
    )
    exact = _power(_sums(scores.log10_prob, lines), _sums(words + 1, lines))
    return np.array([round(value, 1) for value in exact.tolist()], np.float64)


def _sums(values: Floats, lines: NDArray[np.int64]) -> Floats:
    """Add up the lines of each document."""
    if len(lines) == 0 or len(lines) == len(values):
        return values
    return np.add.reduceat(values, np.cumsum(lines) - lines)


def _power(log10_prob: Floats, predictions: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return np.asarray(10.0 ** (-log10_prob / predictions), np.float64)


Formula = Callable[[Block, LineScores, NDArray[np.int64]], Floats]

# What a formula says never changes: another one gets another name.
FORMULAS: dict[str, Formula] = {"perplexity": _perplexity, "cc_net.1": _cc_net}


def formula_of(name: str) -> Formula:
    if name not in FORMULAS:
        raise InputError(f"formula is {name!r}: choose one of {', '.join(FORMULAS)}.")
    return FORMULAS[name]


def document_perplexities(
    model: "Model",
    documents: Sequence[str],
    *,
    formula: str = "perplexity",
    threads: int | None = None,
) -> Floats:
    """Return the perplexity of every document.

    Parameters
    ----------
    model : Model
    documents : sequence of str
        The lines of a document are its sentences.
    formula : {"perplexity", "cc_net.1"}, default="perplexity"
        "perplexity": 10 ** (-log10 p / predictions) over the lines that have a token,
        where a line predicts its tokens and `</s>`; nan if there is none.
        "cc_net.1": as the pipeline of CC-Net (Wenzek et al. 2020) computes it: empty
        lines count, lengths are `len(line.split()) + 1`, the result is rounded to one
        decimal. Its text normalisation and SentencePiece are not part of it.
    threads : int, default=None
        None: all processors.

    Returns
    -------
    ndarray of shape (n_documents,), dtype=float64
    """
    if isinstance(documents, str | bytes):
        raise InputError("documents is one string: pass a list of documents.")
    computed = formula_of(formula)
    block = block_of(list(documents))
    return computed(block, score_block(model, block, threads), block.lines)


def cut_points(perplexities: Floats, percentiles: Sequence[float]) -> list[float]:
    """Return the perplexities below which so many percent of a reference are."""
    known = perplexities[~np.isnan(perplexities)]
    if len(known) == 0:
        raise InputError("the reference has no document with a token.")
    return [float(cut) for cut in np.percentile(known, list(percentiles))]


def as_json_number(value: float) -> Any:
    return value if np.isfinite(value) else None
