"""What users of `lmplz` bring along: one run of it, as its command line describes it.

Input: the options of KenLM's lmplz, by their names. Output: the ARPA that lmplz writes,
and the lines it says on the way. Estimation is `ngram.estimate`; here is what only
lmplz has: its statistics, its header, word ids in the order of their hash, and
probabilities with the back-offs multiplied in. Read `docs/kenlm.md` for what differs.
"""

import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ngram._core.arpa import format_number
from ngram._core.estimate import Estimator
from ngram._core.ngrams import SortedNgrams
from ngram._core.text import TokenIds
from ngram.arpa import comment_lines, format_arpa
from ngram.errors import InputError
from ngram.estimate import Estimate, Options, Steps, estimate
from ngram.files import STDIN, STDOUT, atomic_output, check_output, open_input
from ngram.smoothing import Discounting, Discounts, SmoothingMethod
from ngram.vocabulary import Vocabulary

__all__ = ["Run", "hash_ids", "murmur_hash"]

Say = Callable[[str], object]
Levels = list[tuple[NDArray[np.float32], NDArray[np.float32] | None]]
BLOCK = 1 << 16  # n-grams spelled at once
# What lmplz is told is memory for sorting alone; here Python and the threads are in it.
LEAST_MEMORY = 256 << 20

TITLES = (
    "Counting and sorting n-grams",
    "Calculating and sorting adjusted counts",
    "Calculating and sorting initial probabilities",
    "Calculating and writing order-interpolated probabilities",
    "Writing ARPA model",
)


@dataclass(frozen=True)
class Run:
    """One run of lmplz: its options, checked where it is made.

    Parameters
    ----------
    order : int
    text, arpa : str, default="-"
        Paths; "-" is stdin, or stdout.
    prune : sequence of int, default=()
    limit_vocab_file : str, optional
    discount_fallback : sequence of float, optional
        Without it, counts that give no discounts are an error.
    interpolate_unigrams : bool, default=True
    vocab_pad : int, default=0
    skip_symbols, verbose_header, renumber, collapse_values : bool, default=False
    memory : int or str, default="80%"
        Bytes, or a share of the machine's memory; at least 256 MB are used.
    temp_prefix : str, optional
        What the names of temporary files begin with; its directory is used. By default
        that of the system.
    """

    order: int
    text: str = STDIN
    arpa: str = STDOUT
    prune: Sequence[int] = ()
    limit_vocab_file: str | None = None
    discount_fallback: Sequence[float] | None = None
    interpolate_unigrams: bool = True
    vocab_pad: int = 0
    skip_symbols: bool = False
    verbose_header: bool = False
    renumber: bool = False
    collapse_values: bool = False
    memory: int | str = "80%"
    temp_prefix: str | None = None

    def options(self) -> Options:
        """Return the options of the estimate, checked; open the text, which may fail.

        Raises
        ------
        InputError
            If an option cannot be used, or the text not be read.
        ModelFileError
            If the ARPA file cannot be written.
        """
        if self.text != STDIN:
            open_input(self.text).close()
        inputs = [self.text, *filter(None, [self.limit_vocab_file])]
        check_output(self.arpa, inputs=inputs)
        options = Options.of(
            self.order,
            prune=self.prune,
            interpolate_unigrams=self.interpolate_unigrams,
            discount_fallback=self.discount_fallback,
            vocab_pad=self.vocab_pad,
            skip_symbols=self.skip_symbols,
            strict=True,
            limit_vocab=self.limit_vocab_file,
            memory=self.memory,
            temp_dir=directory(self.temp_prefix),
        )
        budget = options.budget
        budget = replace(budget, bytes=max(budget.bytes, LEAST_MEMORY))
        return replace(options, budget=budget)

    def estimate(self, options: Options, say: Say) -> None:
        """Read the text and write the ARPA file, with a line to `say` at each step.

        Raises
        ------
        InputError, DiscountError, ModelFileError
        """
        steps = _Statistics(self, say)
        say(title(1))
        say(f"Reading {input_name(self.text)}")
        made = estimate(
            self.text if self.text == STDIN else Path(self.text),
            options,
            steps.progress,
            steps,
        )
        steps.counts(made.ngrams.counts)
        say(title(5))
        self._write(made, self._header(steps.tokens) if self.verbose_header else ())

    def _header(self, tokens: int) -> Sequence[str]:
        return (
            f"Input file: {input_name(self.text)}",
            f"Token count: {tokens}",
            "Smoothing: Modified Kneser-Ney",
        )

    def _write(self, made: Estimate[SortedNgrams], header: Sequence[str]) -> None:
        ngrams, vocabulary = made.ngrams, made.vocabulary
        if not (self.renumber or self.collapse_values):
            format_arpa(ngrams, vocabulary, self.arpa, comments=header)
            return
        values = collapsed(ngrams) if self.collapse_values else plain(ngrams)
        ids = hash_ids(vocabulary) if self.renumber else None
        with atomic_output(self.arpa) as sink:
            sink.write(comment_lines(header))
            sink.writelines(spell(ngrams, vocabulary, values, ids))


def title(step: int) -> str:
    """Return the line that lmplz says when a step begins."""
    return f"=== {step}/{len(TITLES)} {TITLES[step - 1]} ==="


def input_name(text: str) -> str:
    """Return what lmplz calls its input: the whole path if it is one, else stdin."""
    if text != STDIN:
        return os.path.realpath(text)
    try:
        name = os.readlink("/proc/self/fd/0")
    except OSError:
        return "stdin"
    return name if name.startswith("/") else "stdin"


def directory(prefix: str | None) -> str | None:
    """Return the directory of files whose names begin so."""
    if prefix is None or os.path.isdir(prefix):
        return prefix
    return os.path.dirname(prefix) or "."


class _Statistics(Steps):
    """Says what lmplz says between its steps."""

    def __init__(self, run: Run, say: Say) -> None:
        self._prunes = any(run.prune) or run.limit_vocab_file is not None
        self._text = input_name(run.text)
        self._say = say
        self._discounts: tuple[Discounts, ...] = ()
        self._before: tuple[int, ...] = ()
        self.tokens = 0

    def corpus(
        self,
        tokens: TokenIds,
        vocabulary: Vocabulary,
        sources: Sequence[dict[str, Any]],
    ) -> None:
        # A text of empty lines is a text to lmplz; without any line it has no </s>.
        if tokens.sentences == 0:
            raise InputError(
                f"the text is empty: {self._text}. Pass text with one sentence"
                " on each line."
            )
        self.tokens = sum(source["tokens"] for source in sources)
        self._say(f"Unigram tokens {self.tokens} types {len(vocabulary)}")
        self._say(title(2))

    def discounts(self, estimator: Estimator, method: SmoothingMethod) -> None:
        assert isinstance(method, Discounting)  # the default: modified Kneser-Ney
        self._discounts = tuple(method.discounts_)
        self._before = estimator.counts_before_pruning
        for order, d in enumerate(self._discounts):  # lmplz counts from 0 here
            if d.source == "given":
                numbers = f"D1={d.d1:.6g} D2={d.d2:.6g} D3+={d.d3:.6g}"
                self._say(
                    f"Substituting fallback discounts for order {order}: {numbers}"
                )
        if not self._prunes:
            self.counts(self._before)
        self._say(title(3))

    def counts(self, kept: Sequence[int]) -> None:
        """Say the statistics once: when it is known how many n-grams are kept."""
        if not self._discounts:
            return
        self._say("Statistics:")
        rows = zip(kept, self._before, self._discounts, strict=True)
        for order, (count, before, d) in enumerate(rows, start=1):
            of = "" if count == before else f"/{before}"
            numbers = f"D1={d.d1:.6g} D2={d.d2:.6g} D3+={d.d3:.6g}"
            self._say(f"{order} {count}{of} {numbers}")
        self._discounts = ()

    def progress(self, stage: str, done: int, total: int) -> None:
        if stage == "collect n-grams" and done == 0:
            self._say(title(4))


# --- Collapsed values ---


def plain(ngrams: SortedNgrams) -> Levels:
    """Return probabilities and back-offs of every order, as they are."""
    levels: Levels = []
    for order in range(1, ngrams.order + 1):
        _, _, log10_prob, log10_backoff = ngrams.level(order)
        levels.append((log10_prob, log10_backoff if order < ngrams.order else None))
    return levels


def collapsed(ngrams: SortedNgrams) -> Levels:
    """Return one value per n-gram that stands for probability and back-off; the rest 0.

    log10 q(hw) = log10 p(hw) + d(hw), where d sums, over hw and all its suffixes, the
    back-off of the n-gram minus that of its prefix, which the word before it paid. The
    values of a sentence multiply to its probability; one alone may be above 1.

    References
    ----------
    Heafield, Koehn and Lavie (2012), Language model rest costs and space-efficient
    storage, EMNLP-CoNLL, section 3.3.
    """
    prefixes = ngrams.prefixes()
    levels: Levels = []
    shift = lower = np.zeros(1)
    for order, (log10_prob, log10_backoff) in enumerate(plain(ngrams), start=1):
        backoff = np.zeros(len(log10_prob)) + (
            0 if log10_backoff is None else log10_backoff.astype(np.float64)
        )
        if order == 1:
            shift = backoff
        else:
            suffix = ngrams.level(order)[1]
            shift = shift[suffix] + backoff - lower[prefixes[order - 1]]
        lower = backoff
        nothing = None if log10_backoff is None else np.zeros_like(log10_backoff)
        levels.append(((log10_prob + shift).astype(np.float32), nothing))
    return levels


# --- Words in the order of their hash ---


def murmur_hash(word: bytes) -> int:
    """Return the 64-bit hash by which KenLM numbers words.

    References
    ----------
    Appleby (2008), MurmurHash2, 64-bit version for 64-bit machines (public domain),
    with the seed 0.
    """
    mask, multiplier = (1 << 64) - 1, 0xC6A4A7935BD1E995
    hash_ = len(word) * multiplier & mask
    whole = len(word) // 8 * 8
    for start in range(0, whole, 8):
        part = int.from_bytes(word[start : start + 8], "little") * multiplier & mask
        part = (part ^ part >> 47) * multiplier & mask
        hash_ = (hash_ ^ part) * multiplier & mask
    if whole < len(word):
        hash_ ^= int.from_bytes(word[whole:], "little")
        hash_ = hash_ * multiplier & mask
    hash_ = (hash_ ^ hash_ >> 47) * multiplier & mask
    return hash_ ^ hash_ >> 47


def hash_ids(vocabulary: Vocabulary) -> NDArray[np.uint32]:
    """Return the new id of every word: `<unk>` first, the others by their hash.

    Returns
    -------
    ndarray of shape (n_words,), dtype=uint32
    """
    hashes = [murmur_hash(_encoded(word)) for word in vocabulary]
    order = np.argsort(np.array(hashes[1:], np.uint64), kind="stable") + 1
    ids = np.zeros(len(hashes), np.uint32)
    ids[order] = np.arange(1, len(hashes), dtype=np.uint32)
    return ids


def _encoded(word: str) -> bytes:
    return word.encode("utf-8", "surrogateescape")


# --- Text ---


def spell(
    ngrams: SortedNgrams,
    vocabulary: Vocabulary,
    values: Levels,
    ids: NDArray[np.uint32] | None = None,
) -> Iterator[bytes]:
    """Give ARPA text, of values that a model need not have, and in an order of `ids`.

    `ngram.arpa.format_arpa` writes models, and much faster.
    """
    words = [_encoded(word) for word in vocabulary]
    counts = "".join(f"ngram {k}={n}\n" for k, n in enumerate(ngrams.counts, start=1))
    yield f"\\data\\\n{counts}\n".encode()
    for order, (first, second) in enumerate(values, start=1):
        yield f"\\{order}-grams:\n".encode()
        rows = ngrams.ngram_ids(order)
        places = np.arange(len(rows)) if ids is None else np.lexsort(ids[rows].T)
        for start in range(0, len(rows), BLOCK):
            block = io.BytesIO()
            for place in places[start : start + BLOCK].tolist():
                row = b" ".join([words[i] for i in rows[place].tolist()])
                block.write(b"%s\t%s" % (_number(first[place]), row))
                if second is not None:
                    block.write(b"\t" + _number(second[place]))
                block.write(b"\n")
            yield block.getvalue()
        yield b"\n"
    yield b"\\end\\\n"


def _number(value: np.float32) -> bytes:
    return format_number(float(value)).encode()
