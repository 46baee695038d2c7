"""Sentence scores: our query structures against KenLM's probing model, one thread each.

    python benchmarks/bench_scoring.py MODEL.arpa TEXT --model FILE --model FILE

Each file is the same model in another structure; without files, the ARPA file is read.
Equal results first: every sentence's log10 probability must agree with the Python
package `kenlm` (tolerance below). Then, in turns: engine rows (ids -> scores against
`kenlm_benchmark`) and Python rows (list of str -> scores against `kenlm.Model.score`).
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import kenlm
import numpy as np
import peers
import record

import ngram

# kenlm adds float32 scores in float32; we add them in float64.
TOLERANCE_PER_TOKEN = 1e-5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("arpa", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument(
        "--model",
        type=Path,
        action="append",
        help="our file of the same model; may be repeated, once for each structure",
    )
    parser.add_argument(
        "--in-memory",
        action="store_true",
        help="read our files instead of mapping them",
    )
    parser.add_argument("--binary", type=Path, help="KenLM's probing file of it")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--sentences", type=int, default=50_000)
    parser.add_argument(
        "--repeat",
        type=int,
        default=10,
        help="engine rows score the text so many times",
    )
    options = parser.parse_args()
    sentences = read(options.text, options.sentences)
    models = open_models(options)
    with peers.probing_model(options.arpa, options.binary) as binary:
        bench(options, models, binary, sentences)


def read(path: Path, limit: int) -> list[str]:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        return [line.rstrip("\n") for line, _ in zip(file, range(limit), strict=False)]


def open_models(options: argparse.Namespace) -> "dict[str, ngram.Model]":
    """Return the models by the names of their structures."""
    if options.model is None:
        models = [ngram.read_arpa(options.arpa)]
    else:
        models = [
            ngram.load(path, in_memory=options.in_memory) for path in options.model
        ]
    return {model.table.name: model for model in models}


def bench(
    options: argparse.Namespace,
    models: "dict[str, ngram.Model]",
    binary: Path | None,
    sentences: list[str],
) -> None:
    theirs = kenlm.Model(str(binary or options.arpa))
    tokens = sum(len(sentence.split()) + 1 for sentence in sentences)
    expected = np.array([theirs.score(sentence) for sentence in sentences])
    lengths = np.array([len(sentence.split()) + 1 for sentence in sentences])
    worst = 0.0
    for model in models.values():
        ours = model.score_batch(sentences, threads=1)
        worst = max(worst, float(np.max(np.abs(ours - expected) / lengths)))
    if worst > TOLERANCE_PER_TOKEN:
        raise SystemExit(f"scores differ from kenlm by {worst} log10 per token: stop")

    variants = {}
    for name, model in models.items():
        variants.update(our_variants(name, model, sentences, options.repeat))
    variants["kenlm str"] = lambda: clock(
        lambda: [theirs.score(text) for text in sentences]
    )
    with tempfile.TemporaryDirectory() as folder:
        if binary is not None and peers.find("kenlm_benchmark"):
            variants["kenlm_benchmark ids"] = engine(
                binary, sentences, options.repeat, Path(folder)
            )
        times = record.interleaved(variants, options.runs)

    ngrams = sum(next(iter(models.values())).table.counts)
    sizes = {name: model.table.bytes / ngrams for name, model in models.items()}
    if binary is not None:
        sizes["kenlm_benchmark"] = sizes["kenlm"] = binary.stat().st_size / ngrams
    medians = {}
    for name, values in times.items():
        nanoseconds = [1e9 * seconds / tokens for seconds in values]
        medians[name] = record.spread(nanoseconds)["median"]
        record.write(
            "scoring",
            variant=name,
            model={"name": options.arpa.name, "ngrams": ngrams},
            order=next(iter(models.values())).order,
            corpus={
                "name": options.text.name,
                "sentences": len(sentences),
                "tokens": tokens,
            },
            threads=1,
            runs=len(values),
            nanoseconds_per_token=record.spread(nanoseconds),
            bytes_per_ngram=sizes.get(name.partition(" ")[0]),
            largest_difference_log10_per_token=worst,
        )
    print(f"largest difference: {worst:.2e} log10 per token")
    for name, size in sizes.items():
        print(f"{name}: {size:.2f} bytes per n-gram")
    for name in models:
        for what, peer in (
            ("ids", "kenlm_benchmark ids"),
            ("list[str]", "kenlm str"),
            ("str", "kenlm str"),
        ):
            if peer in medians:
                ratio = medians[peer] / medians[f"{name} {what}"]
                print(f"{name} {what}: {ratio:.2f}x {peer}")


def our_variants(
    name: str, model: "ngram.Model", sentences: list[str], repeat: int
) -> dict[str, Callable[[], float]]:
    # A long run, as kenlm_benchmark starts its clock before its worker has any work.
    ids, offsets = repeated(*model.encode(sentences), repeat)
    return {
        f"{name} ids": lambda: (
            clock(lambda: model.score_id_sums(ids, offsets, threads=1)) / repeat
        ),
        f"{name} ids, per token": lambda: (
            clock(lambda: model.score_ids(ids, offsets, threads=1)) / repeat
        ),
        f"{name} list[str]": lambda: clock(
            lambda: model.score_batch(sentences, threads=1)
        ),
        f"{name} str": lambda: clock(lambda: [model.score(text) for text in sentences]),
    }


def engine(
    binary: Path, sentences: list[str], repeat: int, folder: Path
) -> Callable[[], float]:
    text, ids = folder / "text", folder / "ids"
    lines = "".join(f"{line}\n" for line in sentences) * repeat
    text.write_bytes(lines.encode(errors="surrogateescape"))
    peers.kenlm_ids(binary, text, ids)

    def seconds() -> float:
        per_token, queries = peers.kenlm_seconds_per_token(binary, ids, 1)
        return per_token * queries / repeat

    return seconds


def repeated(
    ids: np.ndarray, offsets: np.ndarray, times: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same sentences so many times over."""
    starts = np.arange(times)[:, None] * len(ids) + offsets[:-1]
    return np.tile(ids, times), np.append(starts.ravel(), times * len(ids))


def clock(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
