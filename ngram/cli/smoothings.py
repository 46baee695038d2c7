"""`ngram smoothings`: which smoothing method predicts a text best."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ngram.cli.options import (
    PATH,
    json_option,
    skip_symbols_option,
    some_texts_argument,
    threads_option,
    tokenizer_option,
    whole_numbers,
)
from ngram.cli.output import print_json, print_table, progress

if TYPE_CHECKING:
    from ngram.comparison import SmoothingComparison


def names(text: str) -> tuple[str, ...]:
    """Read names separated by blanks; commas belong to options."""
    return tuple(text.split())


@click.command("smoothings", short_help="Compare smoothing methods on a text.")
@some_texts_argument
@click.option(
    "--dev",
    required=True,
    multiple=True,
    type=PATH,
    metavar="FILE",
    help="Text to predict, in tokens like TEXTS; may be repeated.",
)
@click.option(
    "--heldout",
    multiple=True,
    type=PATH,
    metavar="FILE",
    help="Text that weights and discounts are tuned on.  [default: every second "
    "sentence of --dev, and the others are predicted]",
)
@click.option(
    "--orders",
    type=whole_numbers,
    default="2,3,5",
    show_default=True,
    metavar="N1,N2,...",
    help="Lengths of the longest n-grams, in tokens.",
)
@click.option(
    "--sizes",
    type=whole_numbers,
    default=None,
    metavar="S1,S2,...",
    help="Train on the first S sentences.  [default: 100,1000,10000,... and all]",
)
@click.option(
    "--methods",
    type=names,
    default=None,
    metavar="'NAME ...'",
    help="Methods as for `ngram train --smoothing`, separated by blanks.  [default: "
    "all]",
)
@tokenizer_option
@skip_symbols_option
@click.option(
    "--plot",
    type=PATH,
    metavar="FILE",
    help="Also draw the table; FILE ends in .svg, .png or .pdf.",
)
@threads_option
@json_option
def command(
    texts: tuple[str, ...],
    dev: tuple[str, ...],
    heldout: tuple[str, ...],
    orders: tuple[int, ...],
    sizes: tuple[int, ...] | None,
    methods: tuple[str, ...] | None,
    tokenizer: str,
    skip_symbols: bool,
    plot: str | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Compare smoothing methods, trained on TEXTS, by training size and order.

    Prints the cross-entropy of the --dev text in bits per token, lower is better; the
    best of each column is marked with *. Methods that give no probabilities are in
    brackets: their numbers compare with nothing.
    """
    from ngram.comparison import as_records, check_plot, compare_smoothings

    if plot is not None:
        check_plot(plot)
    with progress() as report:
        result = compare_smoothings(
            [Path(text) for text in texts],
            [Path(text) for text in dev],
            heldout=[Path(text) for text in heldout] or None,
            orders=orders,
            sizes=sizes,
            methods=methods,
            tokenizer=tokenizer,
            skip_symbols=skip_symbols,
            threads=threads,
            progress=report,
        )
    if plot is not None:
        result.plot(plot)
    if as_json:
        print_json(
            {
                "predictions": result.predictions,
                "oov": result.oov,
                "dev_sentences": result.dev_sentences,
                "heldout_sentences": result.heldout_sentences,
                "vocabulary_size": result.vocabulary_size,
                "scores": as_records(result),
            }
        )
        return
    print_comparison(result)


def print_comparison(result: "SmoothingComparison") -> None:
    """Print one row per method and one column per order and size."""
    columns = [(order, size) for order in result.orders for size in result.sizes]
    best = {
        (order, size): ranking[0].method
        for order, size in columns
        if (ranking := result.ranking(size, order))
    }
    cells = {(s.method, s.order, s.sentences): s for s in result.scores}
    rows = [
        ("order", *(str(order) for order, _ in columns)),
        ("sentences", *(f"{size:,}" for _, size in columns)),
    ]
    for method in result.methods:
        row = [method]
        for order, size in columns:
            score = cells[method, order, size]
            bits = score.bits_per_token
            text = f"{bits:.3f}" if math.isfinite(bits) else "inf"
            if not score.normalised:
                text = f"({text})"
            mark = "*" if best.get((order, size)) == method else " "
            row.append(text + mark)
        rows.append(tuple(row))
    print_table(rows, "<" + ">" * len(columns))
    click.echo()
    click.echo(
        f"bits per token of {result.predictions:,} predictions in"
        f" {result.dev_sentences:,} sentences, {result.oov:,} out of vocabulary among"
        " them (as <unk>)"
    )
