"""What pruning costs: perplexity after every method, at the same numbers of n-grams.

    python benchmarks/bench_pruning.py MODEL TEXT --ngrams 10000000 3000000 1000000

MODEL is a model file or ARPA, TEXT held-out text, a sentence a line. Unknown words are
left out: what pruning does to them says nothing. That a pruned model still sums to
one is proved in `tests/test_pruning.py`.
"""

import argparse
import time
from itertools import islice
from pathlib import Path

import record

import ngram
from ngram.pruning import METHODS

HISTORIES = ("stationary", "chain")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--ngrams", type=int, nargs="+", required=True)
    parser.add_argument("--sentences", type=int, default=20_000)
    options = parser.parse_args()
    opened = options.model.suffix == ".arpa"
    model = (ngram.read_arpa if opened else ngram.load)(options.model)
    with options.text.open(encoding="utf-8") as file:
        lines = list(islice(file, options.sentences))
    common = {
        "model": options.model.name,
        "text": options.text.name,
        "sentences": len(lines),
        "order": model.order,
    }
    row(common, model, lines, method=None, history=None, seconds=0.0)
    for size in options.ngrams:
        for method in METHODS:
            for history in HISTORIES:
                began = time.perf_counter()
                pruned = ngram.prune(
                    model, method=method, history=history, max_ngrams=size
                )
                seconds = time.perf_counter() - began
                row(common, pruned, lines, method, history, seconds)


def row(
    common: dict[str, object],
    model: ngram.Model,
    lines: list[str],
    method: str | None,
    history: str | None,
    seconds: float,
) -> None:
    found = model.perplexity(lines)
    record.write(
        "pruning",
        **common,
        method=method,
        history=history,
        ngrams=sum(model.info()["ngrams"]),
        perplexity_excluding_oov=found.perplexity_excluding_oov,
        seconds=seconds,
    )


if __name__ == "__main__":
    main()
