"""`ngram prune`: a smaller model that predicts nearly as well."""

import time
from contextlib import ExitStack
from typing import Any

import click

from ngram.cli.files import check_target, open_model, write_model
from ngram.cli.options import (
    COUNTS,
    MODEL_FILE,
    json_option,
    model_argument,
    output_option,
    threads_option,
)
from ngram.cli.output import print_written, progress


def complete_method(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    from ngram.pruning import METHODS

    return [name for name in METHODS if name.startswith(incomplete)]


@click.command("prune", short_help="Make a model smaller.")
@model_argument
@output_option(MODEL_FILE)
@click.option(
    "--threshold",
    type=click.FloatRange(min=0),
    metavar="X",
    help="Drop n-grams that are worth less: 1e-9 to 1e-6 are usual, 0 drops nothing.",
)
@click.option(
    "--size",
    "max_bytes",
    metavar="SIZE",
    help="Keep as many n-grams as fit into a model file of so many bytes, as in 50M "
    "(K, M, G are powers of 1024).",
)
@click.option(
    "--ngrams",
    "max_ngrams",
    type=click.IntRange(1),
    metavar="N",
    help="Keep the N n-grams that are worth most, of all orders together.",
)
@click.option(
    "--method",
    default="entropy",
    show_default=True,
    metavar="NAME",
    shell_complete=complete_method,
    help="What an n-gram is worth: entropy (growth of perplexity without it, a "
    "fraction) or weighted-difference (nats per token).",
)
@click.option(
    "--vocabulary-size",
    type=click.IntRange(3, COUNTS),
    metavar="N",
    help="First keep only the N most frequent words, <unk>, <s> and </s> among them; "
    "the others become <unk>.  [default: all]",
)
@click.option(
    "--history",
    default="stationary",
    show_default=True,
    metavar="stationary|chain|MODEL",
    help="How often contexts occur: as in text that the model generates, by the chain "
    "rule of its lower orders, or by that of another model of the same words.",
)
@threads_option
@json_option
def command(
    model: str,
    output: str,
    history: str,
    threads: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Drop the n-grams of MODEL that are missed least.

    Say how much with one of --threshold, --size and --ngrams; with --vocabulary-size
    none is needed. Unigrams stay.
    """
    check_amount(**options)
    if model == history == "-":
        raise click.UsageError(
            "stdin cannot be both the model and the history: name a file for one of "
            "them."
        )
    started = time.perf_counter()
    check_target(output, as_json=as_json)
    from ngram.pruning import OWN_HISTORIES, prune

    with ExitStack() as opened:
        source = opened.enter_context(open_model(model))
        weights = (
            history
            if history in OWN_HISTORIES
            else opened.enter_context(open_model(history))
        )
        ngrams_before, bytes_before = sum(source.table.counts), source.saved_size
        with progress() as report:
            pruned = prune(
                source,
                history=weights,
                threads=threads,
                progress=report,
                **options,
            )
            write_model(pruned, output, threads, report)
    print_written(
        output,
        f"{sum(pruned.table.counts):,} of {ngrams_before:,} n-grams,"
        f" {pruned.saved_size:,} of {bytes_before:,} bytes as a model file",
        started,
        {
            "bytes_before": bytes_before,
            "bytes": pruned.saved_size,
            **pruned.info(),
        },
        as_json=as_json,
    )


def check_amount(
    *,
    threshold: float | None,
    max_bytes: str | None,
    max_ngrams: int | None,
    vocabulary_size: int | None,
    **_: object,
) -> None:
    """Fail unless the options say in one way how much to prune."""
    targets = sum(value is not None for value in (threshold, max_bytes, max_ngrams))
    if targets > 1:
        raise click.UsageError("give only one of --threshold, --size and --ngrams.")
    if not targets and vocabulary_size is None:
        raise click.UsageError(
            "say how much to prune: --threshold, --size, --ngrams or --vocabulary-size."
        )
