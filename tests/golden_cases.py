"""Outputs of KenLM's lmplz and query, read for tests.

Input: the folder `tests/golden` and, where it exists, the larger one that the
environment variable NGRAM_GOLDEN names (default: `../shared/golden` beside the
repository). Output: a `GoldenCase` for every run of lmplz, with its options as the
keyword arguments of `ngram.smoothing.reference_estimate`. `tests/golden/README.md` says
what made the files.
"""

import gzip
import json
import os
import re
import shlex
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from ngram.errors import DiscountWarning
from ngram.smoothing import ReferenceModel, reference_estimate

REPOSITORY = Path(__file__).resolve().parents[1]
OWN = Path(__file__).resolve().parent / "golden"
SHARED = Path(os.environ.get("NGRAM_GOLDEN", REPOSITORY.parent / "shared" / "golden"))

SEPARATORS = re.compile(rb"[\0\t\r ]+")


def sentences(path: Path) -> list[list[bytes]]:
    """Return the lines of a text as lists of words, as lmplz separates them.

    Separators are NUL, TAB, LF, CR and SPACE. An empty line is a sentence; what
    follows the last LF is one only if it has a word.
    """
    *lines, rest = path.read_bytes().split(b"\n")
    split = [[word for word in SEPARATORS.split(line) if word] for line in lines]
    last = [word for word in SEPARATORS.split(rest) if word]
    return [*split, last] if last else split


class ArpaSection(NamedTuple):
    """The n-grams of one order, in the order of the file."""

    ngrams: list[tuple[bytes, ...]]
    log10_prob: np.ndarray  # shape (n,), float32
    log10_backoff: np.ndarray  # shape (n,), float32; 0 at the highest order


class Arpa(NamedTuple):
    """A parsed ARPA file."""

    comments: list[bytes]  # the lines before the header
    header: dict[int, int]  # the lines "ngram k=n"
    sections: list[ArpaSection]


class QueryWord(NamedTuple):
    """One word of the output of `query`."""

    word: bytes
    id: int
    ngram_length: int
    log10_prob: float


class QuerySentence(NamedTuple):
    """One line of the output of `query`."""

    words: list[QueryWord]
    log10_prob: float
    oov: int


class Query(NamedTuple):
    """The output of `query`: a line for each sentence, then a summary."""

    sentences: list[QuerySentence]
    summary: dict[str, float]


class OrderStatistics(NamedTuple):
    """What lmplz reports for one order; discounts as printed, six digits."""

    order: int
    after_pruning: int
    before_pruning: int
    discounts: tuple[str, str, str]


@dataclass(frozen=True)
class GoldenCase:
    """One run of lmplz and, if it succeeded, of query on its model."""

    root: Path
    record: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.record["case"])

    @property
    def exit_code(self) -> int:
        """Exit code of lmplz; negative for a signal."""
        return int(self.record["exit_code"])

    @property
    def train(self) -> Path:
        return self.root / "text" / str(self.record["train"])

    @property
    def test(self) -> Path:
        return self.root / "text" / str(self.record["test"])

    @cached_property
    def flags(self) -> dict[str, list[str]]:
        """The options of lmplz as written, without `--`, each with its values."""
        flags: dict[str, list[str]] = {}
        for word in shlex.split(self.record["command"])[1:]:
            if word.startswith("-"):
                values = flags.setdefault(word.lstrip("-"), [])
            else:
                values.append(word)
        return flags

    @cached_property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of `reference_estimate`; those left out are defaults."""
        flags = self.flags
        options: dict[str, Any] = {"order": int(flags["o"][0])}
        if "prune" in flags:
            options["prune"] = tuple(int(count) for count in flags["prune"])
        if "limit_vocab_file" in flags:
            listed = self.root / flags["limit_vocab_file"][0]
            options["limit_vocab"] = [w for line in sentences(listed) for w in line]
        if "interpolate_unigrams" in flags:
            options["interpolate_unigrams"] = flags["interpolate_unigrams"] != ["0"]
        if "discount_fallback" in flags:
            given = tuple(float(d) for d in flags["discount_fallback"])
            options["discount_fallback"] = given or (0.5, 1.0, 1.5)
        if "vocab_pad" in flags:
            options["vocab_pad"] = int(flags["vocab_pad"][0])
        if "skip_symbols" in flags:
            options["skip_symbols"] = True
        return options

    @cached_property
    def reference(self) -> ReferenceModel:
        """The model of the pure-Python definition."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiscountWarning)
            return reference_estimate(sentences(self.train), **self.options)

    @property
    def statistics(self) -> list[OrderStatistics]:
        """What lmplz printed: the case file rounds as it does, to six digits."""
        return [
            OrderStatistics(
                row["order"],
                row["count"],
                row["total"],
                (f"{row['D1']:.6g}", f"{row['D2']:.6g}", f"{row['D3']:.6g}"),
            )
            for row in self.record["statistics"]
        ]

    @property
    def error(self) -> str:
        """What lmplz wrote to stderr."""
        return (self.root / "cases" / self.name / "stderr.txt").read_text("utf-8")

    @property
    def arpa(self) -> Arpa:
        """The model lmplz wrote."""
        return parse_arpa(self._read("model.arpa.gz"))

    def query(self, *, context: bool = True) -> Query | None:
        """Return what `query` printed, or None where it refused the model.

        With `context`, sentences start after `<s>` and end in `</s>`; without, neither.
        """
        text = self._read("query.txt.gz" if context else "query.nocontext.txt.gz")
        return parse_query(text) if text else None

    def _read(self, name: str) -> bytes:
        return gzip.decompress((self.root / "cases" / self.name / name).read_bytes())


def parse_arpa(text: bytes) -> Arpa:
    """Return the sections of an ARPA file; words are bytes and may hold any but LF."""
    comments: list[bytes] = []
    header: dict[int, int] = {}
    sections: list[ArpaSection] = []
    rows: list[list[bytes]] = []
    order = 0
    for line in text.split(b"\n"):
        if order == 0 and line.startswith(b"ngram "):
            k, count = line.removeprefix(b"ngram ").split(b"=")
            header[int(k)] = int(count)
        elif order == 0 and line.startswith(b"# "):
            comments.append(line)
        elif b"\t" in line:
            rows.append(line.split(b"\t"))
        elif line in (b"\\%d-grams:" % (order + 1), b"\\end\\"):
            if order:
                sections.append(_section(rows))
                rows = []
            order += 1
    return Arpa(comments, header, sections)


def _section(rows: list[list[bytes]]) -> ArpaSection:
    return ArpaSection(
        [tuple(row[1].split(b" ")) for row in rows],
        np.array([float(row[0]) for row in rows], dtype=np.float32),
        np.array([float(row[2]) if row[2:] else 0 for row in rows], dtype=np.float32),
    )


def parse_query(text: bytes) -> Query:
    """Return the sentences and the summary that `query` printed."""
    parsed: list[QuerySentence] = []
    summary: dict[str, float] = {}
    for line in text.split(b"\n"):
        *words, last = line.split(b"\t")
        total = re.fullmatch(rb"Total: (\S+) OOV: (\d+)", last)
        if total:
            scored = [_query_word(word) for word in words]
            parsed.append(QuerySentence(scored, float(total[1]), int(total[2])))
        elif words:
            summary[words[0].decode().rstrip(":")] = float(last)
    return Query(parsed, summary)


def _query_word(text: bytes) -> QueryWord:
    word, numbers = text.rsplit(b"=", 1)
    word_id, ngram_length, log10_prob = numbers.split(b" ")
    return QueryWord(word, int(word_id), int(ngram_length), float(log10_prob))


def _cases() -> Iterator[GoldenCase]:
    seen: set[str] = set()
    for root in (OWN, SHARED):
        if (root / "cases.json").exists():
            for record in json.loads((root / "cases.json").read_text("utf-8")):
                if record["case"] not in seen:
                    seen.add(record["case"])
                    yield GoldenCase(root, record)


CASES = {case.name: case for case in _cases()}


def succeeded(case: GoldenCase) -> bool:
    """Return whether lmplz wrote a model of at least one sentence."""
    return case.exit_code == 0 and bool(sentences(case.train))


def parameters(where: Callable[[GoldenCase], bool] = succeeded) -> list[Any]:
    """Return the cases for which `where` holds, as pytest parameters.

    Where the larger folder is absent, one skipped parameter stands for each text that
    is only there.
    """
    present = [pytest.param(c, id=c.name) for c in CASES.values() if where(c)]
    absent = [] if (SHARED / "cases.json").exists() else ["kjv", "nsmc"]
    skip = pytest.mark.skip(
        reason="its text is not here; NGRAM_GOLDEN can name a folder"
    )
    return present + [pytest.param(None, id=name, marks=skip) for name in absent]
