"""Counts: to a file, from shards, and to a model, against training on the text.

    python benchmarks/bench_counts.py CORPUS --order 5

First the results must be equal: the merged file of the shards and that of the whole,
and the models from counts and from text, byte for byte. Then each variant is timed, in
turns: whole processes, from start to a closed file on disk.
"""

import argparse
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import record


def ngram_command(name: str, *arguments: object) -> list[str]:
    """Return the command line of one subcommand in this environment."""
    return [sys.executable, "-P", "-m", "ngram.cli", name, *map(str, arguments)]


def cut(corpus: Path, folder: Path, parts: int) -> list[Path]:
    """Write a text as several files of about as many lines."""
    lines = corpus.read_bytes().splitlines(keepends=True)
    paths = []
    for part in range(parts):
        paths.append(folder / f"part{part}.txt")
        begin, end = (len(lines) * i // parts for i in (part, part + 1))
        paths[-1].write_bytes(b"".join(lines[begin:end]))
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", type=Path, help="where to write (needs much room)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        bench(options, Path(folder))


def bench(options: argparse.Namespace, folder: Path) -> None:
    corpus, order, threads = options.corpus, options.order, options.threads
    texts = cut(corpus, folder, options.shards)
    shards = [text.with_suffix(".counts") for text in texts]
    whole, merged, rest = (folder / f"{n}.counts" for n in ("whole", "merged", "rest"))
    from_text, from_counts = folder / "text.ngram", folder / "counts.ngram"
    common = ["--threads", threads]
    count = [*texts, "-o", whole, "--order", order, *common]
    subtract = [merged, "--subtract", shards[-1], "-o", rest, *common]
    train = [*texts, "-o", from_text, "--order", order, *common]
    train_counts = ["--from-counts", whole, "-o", from_counts, *common]
    commands = {
        "count": ngram_command("count", *count),
        "merge": ngram_command("merge", *shards, "-o", merged, *common),
        "subtract": ngram_command("merge", *subtract),
        "train from counts": ngram_command("train", *train_counts),
        "train from text": ngram_command("train", *train),
    }
    for text, shard in zip(texts, shards, strict=True):
        record.run(ngram_command("count", text, "-o", shard, "--order", order, *common))
    measured = {
        name: [record.run(command)]  # once to warm up, and to compare the results
        for name, command in commands.items()
    }
    if merged.read_bytes() != whole.read_bytes():
        raise AssertionError("merged shards differ from the counts of the whole")
    if from_text.read_bytes() != from_counts.read_bytes():
        raise AssertionError("the model from counts differs from that from text")
    measured = {name: [] for name in commands}
    for _ in range(options.runs):
        for name, run in {
            n: partial(record.run, c) for n, c in commands.items()
        }.items():
            measured[name].append(run())
            print(name, measured[name][-1], file=sys.stderr, flush=True)
    write(options, whole, measured)


def write(
    options: argparse.Namespace, whole: Path, measured: dict[str, list[record.Run]]
) -> None:
    from ngram import Counts

    ngrams = sum(Counts.load(whole).sizes)
    size = record.corpus_size(options.corpus)
    for name, runs in measured.items():
        record.write(
            "counts",
            variant=name,
            threads=options.threads,
            corpus={"name": options.corpus.name, **size},
            order=options.order,
            shards=options.shards,
            runs=len(runs),
            seconds=record.spread([run.seconds for run in runs]),
            cpu_seconds=record.spread([run.cpu_seconds for run in runs]),
            peak_bytes=max(run.peak_bytes for run in runs),
            ngrams=ngrams,
            file_bytes_per_ngram=whole.stat().st_size / ngrams,
            equal=True,
        )


if __name__ == "__main__":
    main()
