"""Text to ids: reading a file for training, and encoding texts for scoring.

    python benchmarks/bench_text.py TEXT

Equal results first: the ids of the first lines must be those of the definition in plain
Python, and every number of threads must give the ids of one thread. Then nanoseconds of
processor time per token (sentence ends count as tokens), for each tokenizer.
"""

import argparse
import itertools
import os
import re
import time
from pathlib import Path

import numpy as np
import record

from ngram._core.text import encode_batch
from ngram.text import NATIVE, TokenIds, read_corpus
from ngram.vocabulary import Vocabulary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--checked", type=int, default=100_000, help="lines")
    parser.add_argument(
        "--threads", type=int, nargs="*", default=[1, os.cpu_count() or 1]
    )
    options = parser.parse_args()
    lines = first_lines(options.text, options.checked)
    check(lines)
    for tokenizer in NATIVE:
        reading(options, tokenizer)
    scoring(options, lines)


def first_lines(path: Path, count: int) -> list[str]:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        return [line.rstrip("\n") for line in itertools.islice(file, count)]


def check(lines: list[str]) -> None:
    """Stop unless the engine gives the ids of the definition."""
    words = {"<unk>": 0, "<s>": 1, "</s>": 2}
    expected: list[int] = []
    for line in lines:
        for word in re.split(r"[\0\t\n\r ]+", line):
            if word:
                expected.append(words.setdefault(word, len(words)))
        expected.append(2)
    ids, vocabulary, _ = read_corpus(lines)
    if ids.ids.tolist() != expected or vocabulary.words() != list(words):
        raise SystemExit("the ids are not those of the definition: stop")


def reading(options: argparse.Namespace, tokenizer: str) -> None:
    times: dict[str, list[float]] = {}
    walls: dict[str, list[float]] = {}
    first: tuple[TokenIds, Vocabulary] | None = None
    for _, threads in itertools.product(range(options.runs), options.threads):
        wall, processors = time.perf_counter(), time.process_time()
        ids, vocabulary, _ = read_corpus(options.text, tokenizer, threads=threads)
        name = str(threads)
        times.setdefault(name, []).append(time.process_time() - processors)
        walls.setdefault(name, []).append(time.perf_counter() - wall)
        first = first or (ids, vocabulary)
        if not np.array_equal(ids.ids, first[0].ids) or vocabulary != first[1]:
            raise SystemExit(f"{threads} threads give other ids: stop")
    assert first is not None
    for name, seconds in times.items():
        report(options, f"read, {tokenizer}", int(name), first[0], seconds, walls[name])


def scoring(options: argparse.Namespace, lines: list[str]) -> None:
    ids, vocabulary, _ = read_corpus(options.text)
    seconds, walls = [], []
    for _ in range(options.runs):
        wall, processors = time.perf_counter(), time.process_time()
        encode_batch(lines, vocabulary)
        seconds.append(time.process_time() - processors)
        walls.append(time.perf_counter() - wall)
    ids, _, _ = read_corpus(lines)
    report(options, "encode_batch, whitespace", 1, ids, seconds, walls)


def report(
    options: argparse.Namespace,
    variant: str,
    threads: int,
    ids: TokenIds,
    seconds: list[float],
    walls: list[float],
) -> None:
    record.write(
        "text",
        variant=variant,
        corpus=options.text.name,
        threads=threads,
        tokens=len(ids),
        runs=options.runs,
        processor_ns_per_token=record.spread([s / len(ids) * 1e9 for s in seconds]),
        wall_ns_per_token=record.spread([s / len(ids) * 1e9 for s in walls]),
    )


if __name__ == "__main__":
    main()
