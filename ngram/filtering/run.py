"""The job: read, score, keep, write, and remember how far it is.

Input: a model, files of documents and what to keep. Output: the kept documents, in
order, in the format of the inputs. A thread reads and parses the next batch while this
one is scored; memory holds two batches. After every CHECKPOINT batches the journal
notes the place in the input and the length of every output.
"""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ngram.errors import InputError
from ngram.filtering.documents import Annotation, Batch, format_of, read_batches
from ngram.filtering.outputs import (
    Journal,
    Output,
    check_outputs,
    finish_outputs,
    open_output,
)
from ngram.filtering.perplexities import (
    Floats,
    Formula,
    cut_points,
    formula_of,
    score_block,
)

if TYPE_CHECKING:
    from ngram.model import Model

Progress = Callable[[str, int, int], Any]
Path = str | os.PathLike[str]

CHECKPOINT = 16  # batches
UNITS = ("document", "line")
BUCKETS = {1: ("head", "tail"), 2: ("head", "middle", "tail")}


@dataclass(frozen=True)
class FilterResult:
    """What a filter did.

    Attributes
    ----------
    documents : int
        Documents read; with `unit="line"`, lines.
    kept : dict of str to int
        How many went to each output, by its path.
    cutoffs : tuple of float
        The perplexities between the buckets; empty without buckets.
    resumed : bool
        Whether the job went on from where an earlier one was stopped.
    """

    documents: int
    kept: dict[str, int]
    cutoffs: tuple[float, ...]
    resumed: bool


@dataclass
class _Job:
    model: "Model"
    inputs: list[str]
    file_format: str
    field: str
    unit: str
    formula: Formula
    threads: int | None
    annotate: bool
    paths: list[str]  # of the outputs
    names: list[str] | None  # of the buckets
    minimum: float
    maximum: float
    rejected: bool
    cutoffs: tuple[float, ...] = ()
    documents: int = 0
    kept: list[int] = dataclasses.field(default_factory=list)

    def choose(self, perplexities: Floats) -> list[Any]:
        """Return which of them go to each output."""
        if self.names is not None:
            bucket = np.searchsorted(self.cutoffs, perplexities, side="right")
            return [bucket == number for number in range(len(self.paths))]
        chosen = (perplexities >= self.minimum) & (perplexities <= self.maximum)
        return [chosen, ~chosen] if self.rejected else [chosen]

    def perplexities(self, batch: Batch) -> Floats:
        """Return one for each document, or for each line if lines are the unit."""
        scores = score_block(self.model, batch.block, self.threads)
        by_line = self.unit == "line"
        lines = np.ones(len(scores.tokens), np.int64) if by_line else batch.block.lines
        return self.formula(batch.block, scores, lines)

    def handle(self, batch: Batch, outputs: list[Output]) -> None:
        perplexities = self.perplexities(batch)
        masks = self.choose(perplexities)
        notes = self._notes(perplexities, masks) if self.annotate else None
        for number, (mask, output) in enumerate(zip(masks, outputs, strict=True)):
            by_line = self.unit == "line"
            output.write(batch.kept_lines(mask) if by_line else batch.kept(mask, notes))
            self.kept[number] += int(np.count_nonzero(mask))
        self.documents += len(perplexities)

    def _notes(self, perplexities: Floats, masks: list[Any]) -> Annotation:
        if self.names is None:
            return Annotation(perplexities, None)
        names = np.select(masks, self.names, "")
        return Annotation(perplexities, [str(name) for name in names])

    def documents_of(self, path: str, start: int) -> Iterator[Batch]:
        return read_batches(
            path, self.file_format, self.field, self.model.tokenizer, start
        )


def filter_documents(
    model: "Model",
    inputs: Path | Sequence[Path],
    output: Path,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    reference: Path | None = None,
    percentiles: Sequence[float] | None = None,
    cutoffs: Sequence[float] | None = None,
    unit: str = "document",
    formula: str = "perplexity",
    field: str = "text",
    file_format: str | None = None,
    annotate: bool = False,
    rejected: Path | None = None,
    restart: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> FilterResult:
    """Write the documents whose perplexity is in a range, or sort them into buckets.

    Parameters
    ----------
    model : Model
    inputs : path-like or sequence of path-like
        Text (each line a document), JSON lines or Parquet, all of one format; text and
        JSON lines also compressed. Lines of a document are its sentences.
    output : path-like
        In the format of the inputs, compressed if its name says so. With buckets, the
        name of each goes before the ending: `out.head.jsonl`.
    minimum, maximum : float, default=None
        Documents with a perplexity in [minimum, maximum] are kept. A document without
        a token has no perplexity (nan) and is never kept.
    reference : path-like, default=None
        Documents, in the format of the inputs, whose perplexities at `percentiles` are
        the cuts between buckets.
    percentiles : sequence of float, default=None
        One or two, ascending, as (30, 60): buckets "head", "middle", "tail" (or "head",
        "tail"). A perplexity equal to a cut is above it; nan goes to "tail".
    cutoffs : sequence of float, default=None
        The cuts themselves, in place of `reference` and `percentiles`.
    unit : {"document", "line"}, default="document"
        What is judged. "line": each line of a document alone; documents keep their good
        lines, and those without any are left out.
    formula : {"perplexity", "cc_net.1"}, default="perplexity"
        See `document_perplexities`.
    field : str, default="text"
        Field of JSON objects, or column of tables, that holds the document.
    file_format : {"text", "jsonl", "parquet"}, default=None
        None: what the names of the inputs say.
    annotate : bool, default=False
        Add fields `perplexity` and, with buckets, `bucket` to JSON and Parquet.
    rejected : path-like, default=None
        Where the documents go that are not kept.
    restart : bool, default=False
        Begin anew even if an unfinished job can go on.
    threads : int, default=None
        None: all processors.
    progress : callable(stage, done, total), default=None
        `done` counts documents; `total` is 0, unknown.

    Returns
    -------
    FilterResult

    Raises
    ------
    InputError
        If the arguments contradict each other, a document cannot be read, or an
        unfinished job with other arguments has left its journal.
    ModelFileError
        If an output cannot be written. What was done so far stays in `*.partial`.

    Notes
    -----
    A job that was killed or failed goes on when it is started again with the same
    arguments, and ends with the same bytes. Inputs must not change meanwhile. stdin and
    stdout cannot go on: such a job begins anew.
    """
    names = (
        [os.fspath(inputs)]
        if isinstance(inputs, str | os.PathLike)
        else [os.fspath(path) for path in inputs]
    )
    if not names:
        raise InputError("inputs is empty: name at least one file.")
    cuts = _cuts(reference, percentiles, cutoffs, minimum, maximum, rejected)
    _check_unit(unit, annotate, format_of(names, file_format))
    buckets = list(BUCKETS[cuts]) if cuts else None
    job = _Job(
        model=model,
        inputs=names,
        file_format=format_of(names, file_format),
        field=field,
        unit=unit,
        formula=formula_of(formula),
        threads=threads,
        annotate=annotate,
        paths=_output_paths(os.fspath(output), buckets, rejected),
        names=buckets,
        minimum=-np.inf if minimum is None else float(minimum),
        maximum=np.inf if maximum is None else float(maximum),
        rejected=rejected is not None,
    )
    job.kept = [0] * len(job.paths)
    read = [*names, *([os.fspath(reference)] if reference else [])]
    check_outputs(job.paths, read)
    what = {
        "version": 1,
        "model": _identity(model),
        "inputs": [_file_identity(name) for name in read],
        "outputs": [os.path.realpath(path) for path in job.paths],
        "range": [minimum, maximum],
        "percentiles": list(percentiles or ()),
        "cutoffs": list(cutoffs or ()),
        "unit": unit,
        "formula": formula,
        "field": field,
        "file_format": job.file_format,
        "annotate": annotate,
    }
    resumable = "-" not in [*names, *job.paths]
    journal = (
        Journal(f"{os.fspath(output)}.resume", what, restart=restart)
        if resumable
        else None
    )
    try:
        return _run(job, journal, reference, percentiles, cutoffs, progress)
    except BaseException:
        if journal is not None:
            journal.leave()
        raise


def _run(
    job: _Job,
    journal: Journal | None,
    reference: Path | None,
    percentiles: Sequence[float] | None,
    cutoffs: Sequence[float] | None,
    progress: Progress | None,
) -> FilterResult:
    last = journal.last if journal else None
    if last is not None:
        job.cutoffs = tuple(last["cutoffs"])
        job.documents, job.kept = last["documents"], list(last["kept"])
    elif cutoffs:
        job.cutoffs = tuple(float(cut) for cut in cutoffs)
    elif reference is not None and percentiles:
        found = _reference(job, os.fspath(reference))
        job.cutoffs = tuple(cut_points(found, percentiles))
    lengths = _filter(job, journal, last, progress)
    if journal is not None:
        finish_outputs(job.paths, job.file_format, lengths)
        journal.finish()
    return FilterResult(
        documents=job.documents,
        kept=dict(zip(job.paths, job.kept, strict=True)),
        cutoffs=job.cutoffs,
        resumed=last is not None,
    )


def _filter(
    job: _Job,
    journal: Journal | None,
    last: dict[str, Any] | None,
    progress: Progress | None,
) -> list[int]:
    """Write all outputs, and return how long each is."""
    last = last or {"input": 0, "place": 0, "lengths": [0] * len(job.paths)}
    outputs: list[Output] = []
    try:
        for path, length in zip(job.paths, last["lengths"], strict=True):
            if last["input"] < len(job.inputs):
                outputs.append(open_output(path, job.file_format, length))
        lengths = list(last["lengths"])
        place = last["place"]
        for number in range(last["input"], len(job.inputs)):
            for since, batch in enumerate(
                _ahead(job.documents_of(job.inputs[number], place)), 1
            ):
                job.handle(batch, outputs)
                if since % CHECKPOINT == 0:
                    lengths = _checkpoint(job, journal, outputs, number, batch.end)
                if progress is not None:
                    progress("filtering", job.documents, 0)
            place = 0
            lengths = _checkpoint(job, journal, outputs, number + 1, 0)
        for output in outputs:
            if journal is None:
                output.finish()
            else:
                output.leave(keep=True)
        return lengths
    except BaseException:
        for output in outputs:
            output.leave(keep=journal is not None and journal.is_begun)
        raise


def _checkpoint(
    job: _Job, journal: Journal | None, outputs: list[Output], number: int, place: int
) -> list[int]:
    """Make all outputs permanent, then note that they are."""
    lengths = [output.checkpoint() for output in outputs]
    if journal is not None:
        journal.write(
            {
                "input": number,
                "place": place,
                "lengths": lengths,
                "documents": job.documents,
                "kept": job.kept,
                "cutoffs": list(job.cutoffs),
            }
        )
    return lengths


def _reference(job: _Job, path: str) -> Floats:
    """Return the perplexities of the reference: 8 bytes for each document."""
    found = [np.empty(0)]
    for batch in _ahead(job.documents_of(path, 0)):
        found.append(job.perplexities(batch))
    return np.concatenate(found)


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Give batches, each made by another thread while the one before is used."""
    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(next, batches, None)
        while (batch := following.result()) is not None:
            following = reader.submit(next, batches, None)
            yield batch


def _cuts(
    reference: Path | None,
    percentiles: Sequence[float] | None,
    cutoffs: Sequence[float] | None,
    minimum: float | None,
    maximum: float | None,
    rejected: Path | None,
) -> int:
    """Return how many cuts there are between buckets; check what goes together."""
    for name, bound in (("minimum", minimum), ("maximum", maximum)):
        if bound is not None and not bound >= 0:
            raise InputError(f"{name} is {bound}: a perplexity is not negative.")
    if minimum is not None and maximum is not None and minimum > maximum:
        raise InputError(f"minimum is {minimum}, above maximum, which is {maximum}.")
    by_bucket = percentiles or cutoffs
    ranged = minimum is not None or maximum is not None
    if not by_bucket:
        if reference is not None:
            raise InputError("reference needs percentiles, such as (30, 60).")
        if not ranged:
            raise InputError(
                "nothing says what to keep: pass minimum, maximum, or percentiles with "
                "reference."
            )
        return 0
    if ranged or rejected is not None:
        raise InputError("buckets take all documents: drop minimum, maximum, rejected.")
    if percentiles and cutoffs:
        raise InputError("cutoffs replace percentiles: pass one of them.")
    if percentiles and reference is None:
        raise InputError("percentiles need reference, the file they are taken from.")
    if cutoffs and reference is not None:
        raise InputError("cutoffs replace reference: pass one of them.")
    for name, cuts, most in (
        ("percentiles", percentiles or (), 100.0),
        ("cutoffs", cutoffs or (), np.inf),
    ):
        if len(cuts) > 2 or list(cuts) != sorted(cuts):
            raise InputError(f"{name} is {tuple(cuts)}: pass one or two, ascending.")
        if not all(0 <= cut <= most for cut in cuts):
            raise InputError(
                f"{name} is {tuple(cuts)}: pass numbers from 0 to {most:g}."
            )
    return len(by_bucket)


def _check_unit(unit: str, annotate: bool, file_format: str) -> None:
    if unit not in UNITS:
        raise InputError(f"unit is {unit!r}: choose one of {', '.join(UNITS)}.")
    if annotate and file_format == "text":
        raise InputError("annotate adds fields, and lines of text have none.")
    if annotate and unit == "line":
        raise InputError("annotate tells about documents: choose unit='document'.")


def _output_paths(
    output: str, buckets: list[str] | None, rejected: Path | None
) -> list[str]:
    if buckets is None:
        return [output, *([os.fspath(rejected)] if rejected is not None else [])]
    if output == "-":
        raise InputError("buckets are files: name one for the output.")
    folder, name = os.path.split(output)
    stem, dot, endings = name.partition(".")
    return [
        os.path.join(folder, f"{stem}.{bucket}{dot}{endings}") for bucket in buckets
    ]


def _identity(model: "Model") -> dict[str, Any]:
    info = model.info()
    names = ("order", "ngrams", "vocabulary_size", "tokenizer")
    return {
        **{name: info[name] for name in names},
        "file": _file_identity(info["path"]) if info["path"] else None,
    }


def _file_identity(path: str) -> list[Any]:
    """Return what changes when a file does."""
    try:
        status = os.stat(path)
    except OSError:
        return [path]  # opening it will say why
    return [os.path.realpath(path), status.st_size, status.st_mtime_ns]
