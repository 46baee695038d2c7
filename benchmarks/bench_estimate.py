"""From text to model: our trainer against KenLM's `lmplz`.

    python benchmarks/bench_estimate.py CORPUS --order 5

First both write ARPA files that must be equal (the same n-grams in the same order, and
log10 numbers up to float32 rounding), then each variant is timed, in turns: whole
processes, from start to a closed file on disk.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path

import peers
import record


def train_command(corpus: Path, output: Path, order: int, threads: int) -> list[str]:
    """Return the command that trains with `ngram train` in this environment."""
    return [
        *(sys.executable, "-P", "-m", "ngram.cli", "train", str(corpus)),
        *("-o", str(output), "--order", str(order), "--threads", str(threads)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="*", default=[os.cpu_count() or 1])
    parser.add_argument(
        "--memory",
        nargs="*",
        default=["1G", "default"],
        help="lmplz -S, one variant each",
    )
    parser.add_argument(
        "--reference", type=Path, help="ARPA file that lmplz wrote for this corpus"
    )
    parser.add_argument("--folder", type=Path, help="where to write (needs much room)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        bench(options, Path(folder))


def bench(options: argparse.Namespace, folder: Path) -> None:
    corpus, order = options.corpus, options.order
    size = record.corpus_size(corpus)
    ours, theirs = folder / "ours.arpa", folder / "theirs.arpa"
    model = folder / "ours.ngram"
    variants = {}
    for threads in options.threads:
        for output, path in (("model", model), ("arpa", ours)):
            command = train_command(corpus, path, order, threads)
            variants["ngram", output, threads, None] = partial(record.run, command)
    if peers.find("lmplz"):
        for memory in options.memory:
            setting = None if memory == "default" else memory
            variants["lmplz", "arpa", os.cpu_count(), memory] = partial(
                peers.lmplz, corpus, theirs, order, setting, folder
            )
    else:
        print("lmplz not found: set LMPLZ to its path", file=sys.stderr)

    equal = None
    reference = options.reference
    if reference is None and peers.find("lmplz"):
        peers.lmplz(corpus, theirs, order, None, folder)
        reference = theirs
    if reference is not None:
        record.run(train_command(corpus, ours, order, options.threads[0]))
        equal = asdict(peers.same_arpa(ours, reference))
        print(f"same ARPA: {equal}")

    measured = {name: [] for name in variants}
    for _ in range(options.runs):
        for name, measure in variants.items():
            for path in (ours, theirs, model):
                path.unlink(missing_ok=True)
            measured[name].append(measure())
            print(name, measured[name][-1], file=sys.stderr, flush=True)
    for (program, output, threads, memory), runs in measured.items():
        peak = max(run.peak_bytes for run in runs)
        record.write(
            "estimate",
            program=program,
            output=output,
            threads=threads,
            memory=memory,
            corpus={"name": corpus.name, **size},
            order=order,
            runs=len(runs),
            seconds=record.spread([run.seconds for run in runs]),
            cpu_seconds=record.spread([run.cpu_seconds for run in runs]),
            peak_bytes=peak,
            peak_bytes_per_token=peak / size["tokens"],
            equal=equal,
        )
    print_ratios(measured, size["tokens"])


def print_ratios(measured: dict[tuple, list[record.Run]], tokens: int) -> None:
    """Print each of our variants against each of lmplz's."""
    medians = {
        name: record.spread([run.seconds for run in runs])["median"]
        for name, runs in measured.items()
    }
    for name, seconds in medians.items():
        peak = max(run.peak_bytes for run in measured[name]) / tokens
        line = f"{' '.join(map(str, name))}: {seconds:.2f} s, {peak:.1f} bytes/token"
        for peer, peer_seconds in medians.items():
            if name[0] == "ngram" and peer[0] == "lmplz":
                line += f", {peer_seconds / seconds:.2f}x lmplz -S {peer[3]}"
        print(line)


if __name__ == "__main__":
    main()
