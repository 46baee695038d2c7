"""Find and run the toolkits we compare with, at their best documented settings.

KenLM's programs are looked for in the directory `$KENLM_BIN`, then beside `$LMPLZ`,
then on PATH; its Python module is the package `kenlm`. A peer that is not there is
reported and left out. Read next: `bench_estimate.py`.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import record


def find(tool: str) -> Path | None:
    """Return the path of one of KenLM's programs."""
    if tool == "lmplz" and os.environ.get("LMPLZ"):
        return Path(os.environ["LMPLZ"])
    places = [os.environ.get("KENLM_BIN", "")]
    if os.environ.get("LMPLZ"):
        places.append(str(Path(os.environ["LMPLZ"]).parent))
    found = shutil.which(tool, path=os.pathsep.join(filter(None, places)))
    found = found or shutil.which(tool)
    return Path(found) if found else None


def lmplz(
    corpus: Path, arpa: Path, order: int, memory: str | None, folder: Path
) -> record.Run:
    """Train with `lmplz`; `memory` is its `-S`, None its default."""
    program = find("lmplz")
    if program is None:
        raise FileNotFoundError("lmplz: not on PATH; set LMPLZ to its path")
    command = [program, "-o", str(order), "--arpa", arpa, "-T", f"{folder}/"]
    if memory is not None:
        command += ["-S", memory]
    return record.run([*command, "--text", corpus])


@contextmanager
def probing_model(arpa: Path, binary: Path | None) -> Iterator[Path | None]:
    """Give KenLM's fastest structure for an ARPA file: `binary`, or one built here."""
    if binary is not None:
        yield binary
        return
    program = find("build_binary")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.probing")
        record.run([program, "probing", arpa, path])
        yield path


def kenlm_ids(binary: Path, text: Path, ids: Path) -> None:
    """Write the text as KenLM's vocabulary ids, as `kenlm_benchmark -q` reads them."""
    program = find("kenlm_benchmark")
    assert program is not None
    with open(text, "rb") as source, open(ids, "wb") as sink:
        subprocess.run(
            [program, "-v", "-m", binary], stdin=source, stdout=sink, check=True
        )


def kenlm_seconds_per_token(binary: Path, ids: Path, threads: int) -> tuple[float, int]:
    """Return wall seconds per token of `kenlm_benchmark`, and the number of tokens."""
    program = find("kenlm_benchmark")
    assert program is not None
    with open(ids, "rb") as source:
        answer = subprocess.run(
            [program, "-q", "-m", binary, "-t", str(threads)],
            stdin=source,
            capture_output=True,
            text=True,
            check=True,
        )
    seconds = re.search(
        r"per query excluding load, CPU: \S+ Wall: (\S+)", answer.stdout
    )
    queries = re.search(r"Queries: (\d+)", answer.stdout)
    if seconds is None or queries is None:
        raise RuntimeError(f"kenlm_benchmark printed no times: {answer.stdout}")
    return float(seconds[1]), int(queries[1])


@dataclass(frozen=True)
class Agreement:
    """How far two ARPA files agree: equal n-grams in equal order, and these numbers."""

    lines: int
    lines_with_other_digits: int
    largest_difference_log10: float


# A build of lmplz with fused multiply-add (-march=native) rounds some sums differently.
TOLERANCE_LOG10 = 2e-6


def same_arpa(ours: Path, theirs: Path) -> Agreement:
    """Compare two ARPA files line by line.

    Raises
    ------
    AssertionError
        If an n-gram is missing, extra or out of order, or if a log10 number differs by
        more than the tolerance.
    """
    lines = different = 0
    largest = 0.0
    with open(ours, "rb") as left_file, open(theirs, "rb") as right_file:
        while True:
            left = list(islice(left_file, 100_000))
            right = list(islice(right_file, 100_000))
            if left != right:
                assert len(left) == len(right), "the files have different lengths"
                for a, b in zip(left, right, strict=True):
                    if a != b:
                        different += 1
                        largest = max(largest, _difference(a, b))
            lines += len(left)
            if not left:
                return Agreement(lines, different, largest)


def _difference(left: bytes, right: bytes) -> float:
    ours, theirs = left.rstrip(b"\n").split(b"\t"), right.rstrip(b"\n").split(b"\t")
    assert len(ours) == len(theirs) > 1, f"{left!r} is not {right!r}"
    assert ours[1] == theirs[1], f"{left!r} is not {right!r}"
    pairs = zip(ours[::2], theirs[::2], strict=True)
    difference = max(abs(float(x) - float(y)) for x, y in pairs)
    assert difference <= TOLERANCE_LOG10, f"{left!r} is not {right!r}"
    return difference
