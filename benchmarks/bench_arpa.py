"""ARPA files: reading and writing, per line, and KenLM's reader where it is installed.

    python benchmarks/bench_arpa.py MODEL.arpa

Equal results first: the file that is written must be the file that was read, byte for
byte (an ARPA file of `lmplz` or of this package). Then, in turns, reading and writing
with one thread and with all. KenLM's row reads the same file into its probing
structure, the least its library does with an ARPA file.
"""

import argparse
import filecmp
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import record

from ngram.arpa import format_arpa, parse_arpa

READ = "import sys; from ngram.arpa import parse_arpa; parse_arpa(sys.argv[1])"
COPY = (
    "import sys; from ngram.arpa import format_arpa, parse_arpa; "
    "format_arpa(*parse_arpa(sys.argv[1]), sys.argv[2])"
)
KENLM = "import sys, kenlm; kenlm.Model(sys.argv[1])"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("arpa", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--threads", type=int, nargs="*", default=[1, os.cpu_count() or 1]
    )
    parser.add_argument(
        "--folder", type=Path, help="where to write; default: temporary"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        bench(options, Path(folder, "written.arpa"))


def bench(options: argparse.Namespace, written: Path) -> None:
    # Whole processes first: the peak memory of a child begins with that of its parent.
    record.run([sys.executable, "-P", "-c", COPY, options.arpa, written])
    if not filecmp.cmp(options.arpa, written, shallow=False):
        raise SystemExit(f"{options.arpa} does not come back byte for byte: stop")
    peak = record.run([sys.executable, "-P", "-c", READ, options.arpa]).peak_bytes
    kenlm_runs = []
    if record.versions()["kenlm"] != "not installed":
        command = [sys.executable, "-P", "-c", KENLM, options.arpa]
        kenlm_runs = [record.run(command) for _ in range(options.runs)]

    ngrams, vocabulary = parse_arpa(options.arpa)
    lines = sum(ngrams.counts)
    arrays = sum(
        array.nbytes for k in range(1, ngrams.order + 1) for array in ngrams.level(k)
    )
    variants: dict[tuple[str, int], Callable[[], object]] = {}
    for threads in dict.fromkeys(options.threads):
        variants["read", threads] = partial(parse_arpa, options.arpa, threads=threads)
        variants["write", threads] = partial(
            format_arpa, ngrams, vocabulary, written, threads=threads
        )
    times: dict[tuple[str, int], list[tuple[float, float]]] = {
        key: [] for key in variants
    }
    for _ in range(options.runs):
        for key, work in variants.items():
            times[key].append(clock(work))

    for (variant, threads), pairs in times.items():
        memory = peak if variant == "read" else None
        report(options, variant, threads, lines, pairs, memory, arrays)
    if kenlm_runs:
        pairs = [(run.seconds, run.cpu_seconds) for run in kenlm_runs]
        memory = kenlm_runs[0].peak_bytes
        report(options, "kenlm.Model", 1, lines, pairs, memory, None)


def clock(work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds of the wall clock and of the processors."""
    wall, processors = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processors


def report(
    options: argparse.Namespace,
    variant: str,
    threads: int,
    lines: int,
    pairs: list[tuple[float, float]],
    peak_bytes: int | None,
    array_bytes: int | None,
) -> None:
    seconds = [wall for wall, _ in pairs]
    record.write(
        "arpa",
        variant=f"{variant}, {threads} thread{'s' if threads > 1 else ''}",
        model={"name": options.arpa.name, "ngrams": lines},
        corpus={"bytes": options.arpa.stat().st_size},
        threads=threads,
        runs=len(pairs),
        seconds=record.spread(seconds),
        wall_nanoseconds_per_line=record.spread([1e9 * s / lines for s in seconds]),
        cpu_nanoseconds_per_line=record.spread([1e9 * cpu / lines for _, cpu in pairs]),
        peak_bytes=peak_bytes,
        array_bytes=array_bytes,
    )


if __name__ == "__main__":
    main()
