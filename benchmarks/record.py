"""Time a process, repeat a measurement, and keep results as JSON lines.

Input: what a benchmark measured. Output: one line per result in `benchmarks/results/`,
with everything needed to repeat it. Read next: `peers.py`.
"""

import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import ngram

RESULTS = Path(__file__).parent / "results"
BUILD_FLAGS = "g++ -std=c++17 -O3 -ffp-contract=off"


@dataclass(frozen=True)
class Run:
    """One finished process: its wall clock, processor time and peak memory."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def run(command: Sequence[str | os.PathLike[str]], stdin: Path | None = None) -> Run:
    """Return what a command cost; raise with its stderr if it failed."""
    source = open(stdin, "rb") if stdin else None  # noqa: SIM115
    with tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=source, stdout=subprocess.DEVNULL, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if source:
            source.close()
        if status != 0:
            errors.seek(0)
            raise RuntimeError(
                f"{command[0]} failed: {errors.read().decode(errors='replace')[-2000:]}"
            )
    scale = 1 if platform.system() == "Darwin" else 1024
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale)


def interleaved(
    variants: dict[str, Callable[[], float]], runs: int
) -> dict[str, list[float]]:
    """Return the times of every variant, measured in turns so that noise is shared."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(runs):
        for name, measure in variants.items():
            times[name].append(measure())
    return times


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, minimum and maximum."""
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
    }


def write(benchmark: str, **fields: object) -> None:
    """Append one result line to `results/<benchmark>.jsonl` and print it."""
    line = json.dumps(
        {
            "benchmark": benchmark,
            **fields,
            "flags": BUILD_FLAGS,
            "versions": versions(),
            "processor": processor(),
            "processors": os.cpu_count(),
            "commit": commit(),
        },
        ensure_ascii=False,
    )
    RESULTS.mkdir(exist_ok=True)
    with open(RESULTS / f"{benchmark}.jsonl", "a", encoding="utf-8") as file:
        file.write(line + "\n")
    print(line, flush=True)


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "ngram-engine": ngram.__version__}
    for package in ("numpy", "kenlm"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [
        line.split(":", 1)[1] for line in text.splitlines() if "model name" in line
    ]
    return names[0].strip() if names else platform.machine()


def commit() -> str:
    """Return the commit of this tree, with `-dirty` where the code was edited."""
    answer = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=RESULTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip() or "unknown"


def corpus_size(path: Path) -> dict[str, int]:
    """Return sentences, tokens without `</s>`, and bytes of a text."""
    sentences = tokens = 0
    with open(path, "rb") as file:
        for line in file:
            sentences += 1
            tokens += len(line.replace(b"\0", b" ").split())
    return {"sentences": sentences, "tokens": tokens, "bytes": path.stat().st_size}
