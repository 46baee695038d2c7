"""`ngram count`: from text to a file of counts."""

import time
from pathlib import Path

import click

from ngram.cli.files import check_counts_target
from ngram.cli.options import (
    json_option,
    output_option,
    skip_symbols_option,
    some_texts_argument,
    threads_option,
    tokenizer_option,
)
from ngram.cli.output import ngrams_of, print_written, progress


@click.command("count", short_help="Count the n-grams of a text, to merge or train.")
@some_texts_argument
@output_option("File of counts to write, by custom with the ending .counts.")
@click.option(
    "--order",
    type=int,
    default=5,
    show_default=True,
    metavar="N",
    help="Length of the longest n-grams, in tokens.",
)
@tokenizer_option
@skip_symbols_option
@click.option(
    "--weight",
    "weights",
    type=float,
    multiple=True,
    metavar="W",
    help="What an occurrence counts: one number for all texts, or one --weight for "
    "each text, in their order.  [default: 1]",
)
@click.option(
    "--weighted-lines",
    is_flag=True,
    help="Every line of the texts begins with its weight and a tab.",
)
@threads_option
@click.option(
    "-S",
    "--memory",
    metavar="SIZE",
    default="80%",
    show_default=True,
    help="Memory to use, as in 4G or 80%. A text that needs more is counted in rounds, "
    "with temporary files; the counts are the same.",
)
@click.option(
    "-T",
    "--temp",
    "temp_dir",
    type=click.Path(exists=True, file_okay=False, writable=True),
    metavar="DIR",
    help="Directory for temporary files.  [default: that of the system]",
)
@json_option
def command(
    texts: tuple[str, ...],
    output: str,
    order: int,
    tokenizer: str,
    skip_symbols: bool,
    weights: tuple[float, ...],
    weighted_lines: bool,
    threads: int | None,
    memory: str,
    temp_dir: str | None,
    as_json: bool,
) -> None:
    """Count the n-grams of TEXTS, one sentence per line.

    Files of counts are added by `ngram merge`; `ngram train --from-counts` makes the
    same model as the texts themselves.
    """
    if weights and weighted_lines:
        raise click.UsageError("--weight and --weighted-lines exclude each other.")
    started = time.perf_counter()
    check_counts_target(output, inputs=texts)
    from ngram.counts import count_ngrams

    with progress() as report:
        counts = count_ngrams(
            [Path(text) for text in texts],
            order,
            tokenizer=tokenizer,
            skip_symbols=skip_symbols,
            weights="lines" if weighted_lines else shared(weights),
            threads=threads,
            memory=memory,
            temp_dir=temp_dir,
            progress=report,
        )
        counts.save(output, threads=threads, progress=report)
    info = counts.info()
    print_written(output, ngrams_of(info), started, info, as_json=as_json)


def shared(weights: tuple[float, ...]) -> float | tuple[float, ...] | None:
    """Return one weight as that of all texts."""
    if not weights:
        return None
    return weights[0] if len(weights) == 1 else weights
