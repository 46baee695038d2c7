"""What pruning costs: perplexity by method at equal numbers of n-grams, and a peer.

    python benchmarks/bench_pruning.py methods TRAIN DEV --cutoffs 1 3 7
    python benchmarks/bench_pruning.py kaldingram TRAIN DEV --program PROGRAM

`methods` trains TRAIN with every count cut-off (n-grams above order 1 that occur no
more often go) and prunes the whole model to exactly as many n-grams in every other way.
`kaldingram` prunes ARPA files of the first lines of TRAIN by the same threshold with
this package and PROGRAM, which is kaldingram: first it checks that both keep the same
n-grams, then it measures.

Perplexities leave unknown words out: what pruning does to them says nothing. That a
pruned model still sums to one is proved in `tests/test_pruning.py`.
"""

import argparse
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import record

import ngram
from ngram._core.pruning import Pruner
from ngram.pruning import METHODS, OWN_HISTORIES

NEAR = 1e-3  # of a threshold: rounding of what an ARPA file holds decides


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    kinds = parser.add_subparsers(required=True)
    methods = kinds.add_parser("methods")
    methods.add_argument("--order", type=int, default=5)
    methods.add_argument("--cutoffs", type=int, nargs="+", default=[1, 3, 7])
    methods.set_defaults(measure=measure_methods)
    peer = kinds.add_parser("kaldingram")
    peer.add_argument("--program", type=Path, required=True)
    peer.add_argument("--order", type=int, default=4)
    peer.add_argument("--lines", type=int, default=20_000)
    peer.add_argument("--thresholds", type=float, nargs="+", default=[1e-7, 1e-6, 1e-5])
    peer.set_defaults(measure=measure_peer)
    for kind in (methods, peer):
        kind.add_argument("train", type=Path)
        kind.add_argument("dev", type=Path)
        kind.add_argument("--sentences", type=int, default=20_000)
    options = parser.parse_args()
    options.measure(options)


def first_lines(path: Path, number: int) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return list(islice(file, number))


# --- Methods at equal numbers of n-grams ---


def measure_methods(options: argparse.Namespace) -> None:
    dev = first_lines(options.dev, options.sentences)
    model = ngram.train(options.train, options.order)
    whole = sum(model.table.counts)

    def write(pruned: ngram.Model, **how: Any) -> None:
        kept, unigrams = sum(pruned.table.counts), model.table.counts[0]
        record.write(
            "pruning",
            kind="methods",
            corpus=options.train.name,
            text=options.dev.name,
            sentences=len(dev),
            order=options.order,
            **how,
            ngrams=kept,
            ngrams_by_order=list(pruned.table.counts),
            share_above_order_1=(kept - unigrams) / (whole - unigrams),
            file_bytes=pruned.saved_size,
            perplexity_excluding_oov=pruned.perplexity(dev).perplexity_excluding_oov,
        )

    write(model, method="all", history=None)
    for cutoff in options.cutoffs:
        thresholds = [0, *[cutoff] * (options.order - 1)]
        counted = ngram.train(options.train, options.order, prune=thresholds)
        write(counted, method="counts", history=None, cutoff=cutoff)
        size = sum(counted.table.counts)
        del counted
        for method in METHODS:
            for history in OWN_HISTORIES:
                pruned = ngram.prune(
                    model, method=method, history=history, max_ngrams=size
                )
                assert sum(pruned.table.counts) == size
                write(pruned, method=method, history=history)


# --- kaldingram ---

SMOOTHINGS = ("modified-kneser-ney", "katz")


def measure_peer(options: argparse.Namespace) -> None:
    dev = first_lines(options.dev, options.sentences)
    train = first_lines(options.train, options.lines)
    with tempfile.TemporaryDirectory() as folder:
        for smoothing in SMOOTHINGS:
            arpa = Path(folder) / f"{smoothing}.arpa"
            ngram.train(train, options.order, smoothing=smoothing).write_arpa(arpa)
            for threshold in options.thresholds:
                row = {
                    "corpus": options.train.name,
                    "lines": len(train),
                    "text": options.dev.name,
                    "sentences": len(dev),
                    "order": options.order,
                    "smoothing": smoothing,
                    "threshold": threshold,
                }
                compare(arpa, threshold, options.program, dev, row)


def compare(
    arpa: Path, threshold: float, peer: Path, dev: list[str], row: dict[str, Any]
) -> None:
    ours, theirs = arpa.with_suffix(".ours.arpa"), arpa.with_suffix(".theirs.arpa")
    same = f"--threshold={threshold}"
    commands: dict[str, list[str | Path]] = {
        "ngram": [sys.executable, "-P", "-m", "ngram.cli", "prune", arpa, "-o", ours],
        "kaldingram": [peer, "prune", same, "--lm", arpa, "--write-lm", theirs],
    }
    commands["ngram"] += [same, "--history=chain", "--threads=1"]
    runs = {name: record.run(command) for name, command in commands.items()}
    different = check(arpa, ours, theirs, threshold)
    for name, path in {"ngram": ours, "kaldingram": theirs}.items():
        with ngram.read_arpa(path) as model:  # completes what is not closed
            found = model.perplexity(dev).perplexity_excluding_oov
        record.write(
            "pruning",
            kind="kaldingram",
            program=name,
            **row,
            ngrams=len(keys_of(path)),
            different=different,
            arpa_bytes=path.stat().st_size,
            cpu_seconds=runs[name].cpu_seconds,
            seconds=runs[name].seconds,
            peak_bytes=runs[name].peak_bytes,
            perplexity_excluding_oov=found,
        )


def keys_of(arpa: Path) -> set[tuple[str, ...]]:
    """Return the n-grams that stand in an ARPA file."""
    with arpa.open(encoding="utf-8") as file:
        lines = (line.rstrip("\n").split("\t") for line in file)
        return {tuple(line[1].split(" ")) for line in lines if len(line) > 1}


def closed(keys: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Return n-grams with what begins and ends them."""
    found, new = set(keys), keys
    while new:
        new = {part for key in new for part in (key[1:], key[:-1]) if part} - found
        found |= new
    return found


def check(arpa: Path, ours: Path, theirs: Path, threshold: float) -> dict[str, int]:
    """Check that both keep the same n-grams, and return how many differ, by reason.

    kaldingram keeps beginnings of n-grams and not their ends, so its n-grams are closed
    first. Then two reasons are left: a score that is the threshold but for rounding,
    and bigrams after <s>, which kaldingram weighs by the probability that the file has
    for <s> (1, or next to nothing), not by that of </s>.
    """
    reasons = {"near_threshold": 0, "after_bos": 0}
    different = keys_of(ours) ^ closed(keys_of(theirs))
    reasons["after_bos"] = sum(len(key) == 2 and key[0] == "<s>" for key in different)
    different = {key for key in different if len(key) != 2 or key[0] != "<s>"}
    if not different:
        return reasons
    with ngram.read_arpa(arpa) as model:
        words = list(model.vocabulary)
        ngrams = model.table.to_sorted()
        pruner = Pruner(ngrams, "chain")
    pruner.score("entropy")
    for order in range(2, ngrams.order + 1):
        ids = ngrams.ngram_ids(order).tolist()
        for key, score in zip(ids, pruner.scores_of(order), strict=True):
            name = tuple(words[i] for i in key)
            if name in different and abs(score / threshold - 1) > NEAR:
                raise SystemExit(
                    f"{' '.join(name)}: kept by one program, and its score {score} is"
                    f" not near {threshold}."
                )
    reasons["near_threshold"] = len(different)
    return reasons


if __name__ == "__main__":
    main()
