"""Sentence scores: our query structure against KenLM's probing model, one thread each.

    python benchmarks/bench_scoring.py MODEL.arpa TEXT

Equal results first: every sentence's log10 probability must agree with the Python
package `kenlm` (tolerance below). Then, in turns: engine rows (ids -> scores against
`kenlm_benchmark`) and Python rows (list of str -> scores against `kenlm.Model.score`).
"""

import argparse
import tempfile
import time
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
    parser.add_argument("--model", type=Path, help="our file of the same model")
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
    with (
        open_model(options.arpa, options.model) as model,
        peers.probing_model(options.arpa, options.binary) as binary,
    ):
        bench(options, model, binary, sentences)


def read(path: Path, limit: int) -> list[str]:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        return [line.rstrip("\n") for line, _ in zip(file, range(limit), strict=False)]


def open_model(arpa: Path, path: Path | None) -> "ngram.Model":
    return ngram.read_arpa(arpa) if path is None else ngram.load(path)


def bench(
    options: argparse.Namespace,
    model: "ngram.Model",
    binary: Path | None,
    sentences: list[str],
) -> None:
    theirs = kenlm.Model(str(binary or options.arpa))
    ours = model.score_batch(sentences, threads=1)
    tokens = sum(len(sentence.split()) + 1 for sentence in sentences)
    expected = np.array([theirs.score(sentence) for sentence in sentences])
    lengths = np.array([len(sentence.split()) + 1 for sentence in sentences])
    worst = float(np.max(np.abs(ours - expected) / lengths))
    if worst > TOLERANCE_PER_TOKEN:
        raise SystemExit(f"scores differ from kenlm by {worst} log10 per token: stop")

    # A long run, as kenlm_benchmark starts its clock before its worker has any work.
    repeat = options.repeat
    ids, offsets = repeated(*model.encode(sentences), repeat)
    variants = {
        "ngram ids": lambda: (
            clock(lambda: model.score_id_sums(ids, offsets, threads=1)) / repeat
        ),
        "ngram ids, per token": lambda: (
            clock(lambda: model.score_ids(ids, offsets, threads=1)) / repeat
        ),
        "ngram list[str]": lambda: clock(
            lambda: model.score_batch(sentences, threads=1)
        ),
        "ngram str": lambda: clock(lambda: [model.score(text) for text in sentences]),
        "kenlm str": lambda: clock(lambda: [theirs.score(text) for text in sentences]),
    }
    with tempfile.TemporaryDirectory() as folder:
        if binary is not None and peers.find("kenlm_benchmark"):
            text, kenlm_ids = Path(folder, "text"), Path(folder, "ids")
            lines = "".join(f"{line}\n" for line in sentences) * repeat
            text.write_bytes(lines.encode(errors="surrogateescape"))
            peers.kenlm_ids(binary, text, kenlm_ids)

            def engine() -> float:
                seconds, queries = peers.kenlm_seconds_per_token(binary, kenlm_ids, 1)
                return seconds * queries / repeat

            variants["kenlm_benchmark ids"] = engine
        times = record.interleaved(variants, options.runs)

    medians = {}
    for name, values in times.items():
        nanoseconds = [1e9 * seconds / tokens for seconds in values]
        medians[name] = record.spread(nanoseconds)["median"]
        record.write(
            "scoring",
            variant=name,
            model={"name": options.arpa.name, "ngrams": sum(model.table.counts)},
            order=model.order,
            corpus={
                "name": options.text.name,
                "sentences": len(sentences),
                "tokens": tokens,
            },
            threads=1,
            runs=len(values),
            nanoseconds_per_token=record.spread(nanoseconds),
            largest_difference_log10_per_token=worst,
        )
    print(f"largest difference: {worst:.2e} log10 per token")
    for ours_name, theirs_name in (
        ("ngram ids", "kenlm_benchmark ids"),
        ("ngram list[str]", "kenlm str"),
        ("ngram str", "kenlm str"),
    ):
        if theirs_name in medians:
            ratio = medians[theirs_name] / medians[ours_name]
            print(f"{ours_name}: {ratio:.2f}x {theirs_name}")


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
