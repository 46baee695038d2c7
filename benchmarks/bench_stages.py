"""Where training spends its time: every stage beside what the machine allows.

    python benchmarks/bench_stages.py CORPUS --order 5

Each run is a process of its own that trains to a model file and notes wall clock,
processor time and peak memory when a stage ends. Limits are measured in the same
process afterwards: text to ids on one thread (tokenise and hash), and copying 16
bytes a position (what one window takes) within memory that is in use. Every run must
write the same bytes.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import record

import ngram
from ngram.text import read_corpus

WINDOW_BYTES = 16
COPIED = 1 << 28  # bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--memory", help="as ngram train -S; default: its default")
    parser.add_argument("--folder", type=Path, help="where to write (needs much room)")
    parser.add_argument("--once", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        print(json.dumps(measure(options, options.once)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        report(options, [repeat(Path(folder)) for _ in range(options.runs)])


def repeat(folder: Path) -> dict:
    """Return one run in a fresh process, with the digest of what it wrote."""
    model = folder / "stages.ngram"
    command = [sys.executable, *sys.argv, "--once", str(model)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    run = json.loads(answer.stdout)
    with open(model, "rb") as file:
        run["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    model.unlink()
    return run


class Stopwatch:
    """Wall, user and system seconds of each stage, and the peak memory at its end."""

    def __init__(self) -> None:
        self.stages: dict[str, dict[str, float]] = {}
        self._stage = ""
        self._last = self._now()

    @staticmethod
    def _now() -> dict[str, float]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "wall": time.perf_counter(),
            "user": usage.ru_utime,
            "system": usage.ru_stime,
            "peak_bytes": usage.ru_maxrss * 1024,
        }

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage == self._stage:
            return
        now = self._now()
        if self._stage:
            sums = self.stages.setdefault(
                self._stage, {"wall": 0.0, "user": 0.0, "system": 0.0, "peak_bytes": 0}
            )
            for name in ("wall", "user", "system"):
                sums[name] += now[name] - self._last[name]
            sums["peak_bytes"] = now["peak_bytes"]
        self._stage, self._last = stage, now


def measure(options: argparse.Namespace, model: Path) -> dict:
    """Return the limits of this machine and the stages of one training."""
    stopwatch = Stopwatch()
    ngram.train(
        options.corpus,
        options.order,
        threads=options.threads,
        memory=options.memory,
        output=model,
        progress=stopwatch,
    )
    stopwatch("", 0, 0)
    limits, positions = measure_limits(options.corpus)
    return {"positions": positions, "limits": limits, "stages": stopwatch.stages}


def measure_limits(corpus: Path) -> tuple[dict[str, float], int]:
    """Return nanoseconds a position of each limit, and the positions of the corpus."""
    started = time.process_time()
    positions = len(read_corpus(corpus, threads=1)[0])
    tokenise = (time.process_time() - started) / positions
    source = np.ones(COPIED, np.uint8)
    target = source.copy()
    started = time.process_time()
    np.copyto(target, source)
    copy = (time.process_time() - started) / COPIED * WINDOW_BYTES
    return {"tokenise": tokenise * 1e9, "copy": copy * 1e9}, positions


def report(options: argparse.Namespace, runs: list[dict]) -> None:
    """Record the medians of every stage, and print them beside the limits."""
    if len({run["sha256"] for run in runs}) != 1:
        raise SystemExit("two runs wrote different models: stop")
    positions = runs[0]["positions"]
    limits = {
        name: median(run["limits"][name] for run in runs) for name in runs[0]["limits"]
    }
    stages = {
        stage: {
            name: median(run["stages"][stage][name] for run in runs)
            for name in ("wall", "user", "system", "peak_bytes")
        }
        for stage in runs[0]["stages"]
    }
    record.write(
        "stages",
        corpus=options.corpus.name,
        order=options.order,
        threads=options.threads,
        memory=options.memory,
        runs=len(runs),
        positions=positions,
        limits_ns_per_position=limits,
        stages=stages,
    )
    print(f"limits, ns/position: {limits}")
    for stage, spent in stages.items():
        user, system = (spent[name] / positions * 1e9 for name in ("user", "system"))
        print(
            f"{stage:20} {spent['wall']:6.2f} s  user {user:5.1f}, system {system:5.1f}"
            f" ns/position  {user / limits['tokenise']:5.2f}x tokenise"
            f"  {user / limits['copy']:6.1f}x copy"
        )


def median(values: Iterable[float]) -> float:
    return record.spread(list(values))["median"]


if __name__ == "__main__":
    main()
