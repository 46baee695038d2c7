"""Forecast: what training on a text would take, from a sample of it.

Input: text files and training options. Output: a `Forecast` of n-grams, memory, disk
and time. Lines are taken from the whole text (of a compressed file, from its
beginning); n-grams are counted in a quarter, a half and all of them, and each order's
growth goes on as it ends there.
Read next: `ngram/memory.py`, whose plan is what the forecast says will happen.
"""

import math
import os
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Unpack

from ngram._core.estimate import Estimator
from ngram.errors import DiscountWarning, InputError
from ngram.estimate import Arguments, Options, estimate, streams
from ngram.files import InputStream, open_input
from ngram.memory import counts_bytes, estimate_bytes, temporary_bytes
from ngram.text import Tokenizer, open_text, read_corpus

SAMPLE = 16 << 20  # bytes of text
BLOCK = 1 << 18  # bytes read at one place
# Bytes of an n-gram in a model file (of structure fast): of order 1, of the others.
ENTRY, LONGER_ENTRY = 16, 5.34
HEADER = 8 << 10  # bytes before the arrays
VALUE = 16  # bytes of a value in the dictionary of an order
WORD = 34  # bytes of a word in a model file beside its spelling
ARPA_NUMBERS = 20  # bytes of an ARPA line beside its words


@dataclass(frozen=True)
class Forecast:
    """What training on a text takes, about.

    Attributes
    ----------
    sentences, tokens, vocabulary : int
    ngrams : tuple of int
        N-grams of each order, before pruning.
    memory, temporary, model, arpa : int
        Bytes: at the peak, in temporary files, of the model file, of an ARPA file.
    seconds : float
        To the model file, on this machine as it is now.
    """

    sentences: int
    tokens: int
    vocabulary: int
    ngrams: tuple[int, ...]
    memory: int
    temporary: int
    model: int
    arpa: int
    seconds: float


def forecast(
    paths: Sequence[str | os.PathLike[str]],
    order: int | None = None,
    **arguments: Unpack[Arguments],
) -> Forecast:
    """Return what training on text files would take, without training.

    Parameters
    ----------
    paths : sequence of path
        Text files, plain or compressed; not standard input.
    order, arguments
        As in `train`, and checked as there.

    Returns
    -------
    Forecast

    Raises
    ------
    InputError
        If a file cannot be sampled, or has no text, or an argument cannot be used.
    MemoryBudgetError
        If `memory`, or the room in `temp_dir`, is too small.

    Notes
    -----
    The number of distinct n-grams grows as a power of the number of tokens whose
    exponent falls slowly; the forecast lets it fall as it does within the sample.
    """
    options = Options.for_corpus(paths, order, **arguments)
    threads = options.threads
    lines, share = _sample(paths, options.tokenizer)
    counts = []
    began = time.perf_counter()
    for part in (4, 2, 1):
        began = time.perf_counter()
        tokens, vocabulary, _ = read_corpus(
            lines[::part],
            options.tokenizer,
            skip_symbols=options.skip_symbols,
            threads=threads,
        )
        estimator = Estimator(
            tokens, len(vocabulary), options.order, consume=True, threads=threads
        )
        counts.append(estimator.counts_before_pruning)
    seconds = 2 * (time.perf_counter() - began)
    positions = sum(len(line.split()) + 1 for line in lines) / share
    ngrams = tuple(_extrapolate(row, 1 / share) for row in zip(*counts, strict=True))
    memory, temporary = _needs(options, int(positions), ngrams)
    if not streams(options.smoothing):
        seconds = _seconds(lines, options)
    text = sum(len(line) + 1 for line in lines) / share
    word = text / positions
    return Forecast(
        sentences=int(len(lines) / share),
        tokens=int(positions - len(lines) / share),
        vocabulary=ngrams[0],
        ngrams=ngrams,
        memory=memory,
        temporary=temporary,
        model=int(
            HEADER
            + ngrams[0] * (ENTRY + WORD + word)
            + sum(ngrams[1:]) * LONGER_ENTRY
            + sum(_values(n, k) * VALUE for k, n in enumerate(ngrams[1:-1], 2))
        ),
        arpa=int(sum(n * (ARPA_NUMBERS + k * word) for k, n in enumerate(ngrams, 1))),
        seconds=seconds / share,
    )


def _needs(
    options: Options, positions: int, ngrams: tuple[int, ...]
) -> tuple[int, int]:
    """Return the bytes of memory and of temporary files; fail if they are too many."""
    budget = options.budget
    if not streams(options.smoothing):
        budget.check_counts(ngrams)
        return counts_bytes(ngrams), 0
    plan = budget.plan(
        positions, ngrams[0], order=options.order, threads=options.threads
    )
    more = sum(ngrams[1:])
    if plan.temp_dir:
        return budget.bytes, temporary_bytes(positions, more)
    return estimate_bytes(positions, ngrams[0], options.order, more), 0


def _seconds(lines: list[bytes], options: Options) -> float:
    """Return how long a model of some lines takes that is made of their counts."""
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiscountWarning)
        estimate(lines, options, None)
    return time.perf_counter() - began


def _values(ngrams: int, order: int) -> float:
    """Return about how many values the n-grams of an order below the highest have.

    Measured in English text of 10^5 to 10^7 n-grams an order.
    """
    return 0.5 * math.pow(ngrams, 0.75) / math.pow(3, order - 2)


def _extrapolate(counts: tuple[int, int, int], factor: float) -> int:
    """Return a count for `factor` times the text, from those of 1/4, 1/2 and all."""
    if min(counts) == 0 or factor <= 1:
        return counts[2]
    slopes = [math.log2(counts[i + 1] / counts[i]) for i in (0, 1)]
    ratio = min(1.0, slopes[1] / slopes[0]) if slopes[0] > 0 else 1.0
    doublings, size, slope = math.log2(factor), math.log2(counts[2]), slopes[1]
    while doublings > 0:
        step = min(1.0, doublings)
        slope *= ratio
        size += step * slope
        doublings -= step
    return round(2**size)


# --- The sample ---


def _sample(
    paths: Sequence[str | os.PathLike[str]], tokenizer: Tokenizer
) -> tuple[list[bytes], float]:
    """Return lines of the files, and the share of the text that they are."""
    sizes = []
    for path in paths:
        open_text(path, tokenizer).close()
        if not os.path.isfile(path):
            raise InputError(
                f"{os.fspath(path)}: only files can be sampled for a forecast."
            )
        sizes.append(os.path.getsize(path))
    part = SAMPLE / max(1, sum(sizes))  # of each file
    lines: list[bytes] = []
    total = 0.0
    for path, size in zip(paths, sizes, strict=True):
        with open(path, "rb") as file:
            stream = open_input(file)
            if stream.compression is None:
                some, share = _blocks(file, size, min(1.0, part))
            else:
                some, share = _beginning(file, stream, size, part)
            stream.close()
        lines += some
        total += sum(map(len, some)) / share if some else 0
    if not any(line.split() for line in lines):
        raise InputError("the texts have no words. Pass text with sentences in lines.")
    return lines, sum(map(len, lines)) / total


def _blocks(file: IO[bytes], size: int, share: float) -> tuple[list[bytes], float]:
    """Return whole lines from places that are evenly spaced."""
    if share == 1.0:
        file.seek(0)
        return file.read().removesuffix(b"\n").split(b"\n"), 1.0
    places = max(1, math.ceil(size * share / BLOCK))
    lines: list[bytes] = []
    for place in range(places):
        file.seek(size * place // places)
        block = file.read(BLOCK).split(b"\n")
        lines += block[1 if place else 0 : -1] or block[:1]
    return lines, sum(map(len, lines)) / size


def _beginning(
    file: IO[bytes], stream: InputStream, size: int, part: float
) -> tuple[list[bytes], float]:
    """Return the first lines of a compressed file, as many bytes as a part of it has.

    It is read ahead in large blocks: when the next one is read, the last is used up,
    and what was read before is the share of the text.
    """
    text, read = b"", file.tell()
    while block := stream.read(BLOCK):
        text += block
        used, read = read, file.tell()
        if len(text) >= size * part and used < read:
            return text.split(b"\n")[:-1], used / size
    return text.removesuffix(b"\n").split(b"\n"), 1.0
