"""Which smoothing method predicts best, by training size and order.

    python benchmarks/bench_smoothings.py TRAIN DEV --name NAME

Equal results first: the cross-entropy of `compare_smoothings` must be that of the
perplexity of models trained with the same methods. Not a measure of time: one line for
each size and order, with the bits per token of every method. DEV is halved: even
sentences tune weights and discounts, odd ones are predicted. `<unk>` in a text
is an ordinary word here, `<UNK>`, as in the published setups of PTB and WikiText-2.
"""

import argparse
import math
import warnings
from pathlib import Path

import record

import ngram
from ngram.comparison import SmoothingComparison, compare_smoothings
from ngram.smoothing import METHODS

TOLERANCE_BITS = 1e-5  # float32 sums in another order
CHECKED = 1000  # sentences of the models that are trained to compare with


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("dev", type=Path)
    parser.add_argument("--name", required=True, help="of the corpus")
    parser.add_argument("--tokenizer", default="whitespace")
    parser.add_argument("--orders", type=int, nargs="+", default=[2, 3, 5])
    parser.add_argument("--sizes", type=int, nargs="+")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    train, dev = sentences(options.train), sentences(options.dev)
    check(train[:CHECKED], dev[:CHECKED], options.tokenizer)
    result = compare_smoothings(
        train,
        dev,
        orders=options.orders,
        sizes=options.sizes,
        tokenizer=options.tokenizer,
    )
    for size in result.sizes:
        for order in result.orders:
            write(result, size, order, options)
    if options.plot is not None:
        result.plot(options.plot)


def sentences(path: Path) -> list[str]:
    """Return the lines of a text, in which `<unk>` is a word like others."""
    text = path.read_text(encoding="utf-8")
    return text.replace("<unk>", "<UNK>").split("\n")[:-1]


def check(train: list[str], dev: list[str], tokenizer: str) -> None:
    """Stop unless models have the cross-entropies of the comparison."""
    compared = compare_smoothings(train, dev, orders=[3], tokenizer=tokenizer)
    for method in METHODS.values():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # discounts, stupid backoff
            model = ngram.train(
                train,
                3,
                smoothing=method.name,
                heldout=dev[1::2] if method.needs_heldout else None,
                tokenizer=tokenizer,
            )
            perplexity = model.perplexity(dev[::2]).perplexity
        (found,) = (
            score.bits_per_token
            for score in compared.scores
            if score.method.partition(":")[0] == method.name
            and score.sentences == len(train)
        )
        expected = math.log2(perplexity)
        same = math.isclose(found, expected, abs_tol=TOLERANCE_BITS)
        if not (same or found == expected == math.inf):
            raise SystemExit(f"{method.name}: {found} bits, the model has {expected}")


def write(
    result: SmoothingComparison, size: int, order: int, options: argparse.Namespace
) -> None:
    scores = [s for s in result.scores if (s.sentences, s.order) == (size, order)]
    record.write(
        "smoothings",
        corpus=options.name,
        tokenizer=options.tokenizer,
        order=order,
        sentences=size,
        tokens=scores[0].tokens,
        vocabulary_size=result.vocabulary_size,
        predictions=result.predictions,
        oov=result.oov,
        dev_sentences=result.dev_sentences,
        heldout_sentences=result.heldout_sentences,
        bits_per_token={
            s.method: round(s.bits_per_token, 4)
            if math.isfinite(s.bits_per_token)
            else None
            for s in scores
        },
        not_normalised=[s.method for s in scores if not s.normalised],
    )


if __name__ == "__main__":
    main()
