"""Models and texts of the command line: what a name stands for, and its opening."""

import io
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ngram.cli.output import Report, progress

if TYPE_CHECKING:
    from ngram.model import Model
    from ngram.text import Tokenizer

ARPA_SUFFIXES = tuple(f".arpa{suffix}" for suffix in ("", ".gz", ".xz", ".zst", ".bz2"))


def is_arpa(path: str) -> bool:
    """Return whether a path means ARPA, by its name; stdin and stdout do."""
    return path == "-" or path.lower().endswith(ARPA_SUFFIXES)


def holds_arpa(path: str) -> bool:
    """Return whether a file is ARPA: by its first bytes, else by its name."""
    from ngram.errors import NgramError
    from ngram.files import is_arpa as begins_as_arpa
    from ngram.files import is_container, open_input

    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            return stat.S_ISFIFO(mode) or is_arpa(path)  # a model cannot be a pipe
        with open_input(path) as stream:
            head = stream.head
        return begins_as_arpa(head) or (is_arpa(path) and not is_container(head))
    except (NgramError, OSError, ValueError):
        return is_arpa(path)


def holds_counts(path: str) -> bool:
    """Return whether a file holds counts, by its first bytes."""
    from ngram.files import is_counts

    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb") as stream:
            return is_counts(stream.read(256))
    except (OSError, ValueError):
        return False


def open_model(path: str, tokenizer: str = "whitespace") -> "Model":
    """Open a model file, or read an ARPA file."""
    from ngram.model import load, read_arpa

    if not holds_arpa(path):
        return load(path)
    with progress() as report:
        return read_arpa(path, tokenizer, progress=report)


def check_stdin(model: str, texts: Iterable[str]) -> None:
    """Fail if stdin is to be both the model and a text."""
    if model == "-" and "-" in texts:
        raise click.UsageError(
            "stdin cannot be both the model and the text: name a file for one of them."
        )


def write_model(
    model: "Model", path: str, threads: int | None, report: Report | None
) -> None:
    """Write a model file, or an ARPA file, as the name says."""
    if is_arpa(path):
        model.write_arpa(path, threads=threads, progress=report)
    else:
        model.save(path)


def check_target(path: str, *, as_json: bool, inputs: Iterable[str] = ()) -> None:
    """Fail before long work if a model or an ARPA file cannot be written to a path.

    `inputs` are files that it must not replace.
    """
    from ngram.files import check_output

    check_stdout(path, "model", as_json=as_json)
    check_output(path, compressible=is_arpa(path), inputs=inputs)


def check_text_target(
    path: str, what: str, *, as_json: bool, inputs: Iterable[str] = ()
) -> None:
    """Fail before long work if a text cannot be written to a path.

    `inputs` are files that it must not replace.
    """
    from ngram.files import check_output

    check_stdout(path, what, as_json=as_json)
    check_output(path, inputs=inputs)


def check_stdout(path: str, what: str, *, as_json: bool) -> None:
    """Fail if stdout is to be both a result and JSON."""
    from ngram.files import STANDARD_OUTPUTS

    if as_json and path in ("-", *STANDARD_OUTPUTS):
        raise click.UsageError(
            f"stdout cannot carry both the {what} and --json: name a file for the"
            f" {what}."
        )


def check_counts_target(path: str, *, inputs: Iterable[str] = ()) -> None:
    """Fail before long work if a file of counts cannot be written to a path.

    `inputs` are files that it must not replace.
    """
    from ngram.files import STANDARD_OUTPUTS, check_output

    if path in ("-", *STANDARD_OUTPUTS):
        raise click.UsageError("counts are not written to stdout: name a file.")
    check_output(path, compressible=False, inputs=inputs)


def read_sentences(paths: Iterable[str], tokenizer: "Tokenizer") -> Iterator[str]:
    """Yield the lines of texts without line ends; invalid UTF-8 as surrogates."""
    from ngram.text import open_text

    for path in paths:
        with (
            open_text(Path(path), tokenizer) as stream,
            io.TextIOWrapper(
                io.BufferedReader(stream),
                encoding="utf-8",
                errors="surrogateescape",
                newline="\n",
            ) as lines,
        ):
            for line in lines:
                yield line.removesuffix("\n")
