"""`ngram train`: from text, or counts, to a model file, or to ARPA."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ngram.cli.files import check_target, is_arpa
from ngram.cli.options import (
    COUNTS,
    MODEL_FILE,
    PATH,
    decimal_numbers,
    json_option,
    output_option,
    skip_symbols_option,
    smoothing_option,
    structure_option,
    texts_argument,
    threads_option,
    tokenizer_option,
    whole_numbers,
)
from ngram.cli.output import (
    Report,
    ngrams_of,
    print_json,
    print_table,
    print_written,
    progress,
    quantity,
    size,
)


@click.command("train", short_help="Train a model on text.")
@texts_argument
@output_option(MODEL_FILE)
@click.option(
    "--from-counts",
    "counts",
    type=PATH,
    metavar="FILE",
    help="Train on a file of `ngram count` instead of text; the model is the same.",
)
@click.option(
    "--order",
    type=int,
    metavar="N",
    help="Length of the longest n-grams, in tokens.  [default: 5, or that of the "
    "counts]",
)
@tokenizer_option
@click.option(
    "--prune",
    type=whole_numbers,
    default="",
    metavar="T1,T2,...",
    help="Drop n-grams that occur at most T times, per order; the last T also holds "
    "for all higher orders.  [default: 0]",
)
@click.option(
    "--limit-vocab",
    type=PATH,
    metavar="FILE",
    help="Keep only n-grams whose tokens are all in this list, separated by blanks.",
)
@click.option(
    "--interpolate-unigrams/--no-interpolate-unigrams",
    default=True,
    help="Share unigram probability with unknown tokens.  [default: interpolate]",
)
@click.option(
    "--discount-fallback",
    type=decimal_numbers,
    is_flag=False,
    flag_value="0.5,1,1.5",
    metavar="[D1,D2,D3]",
    help="Discounts for orders where none can be computed; 0.5,1,1.5 if the numbers "
    "are left out.  [default: the best method the counts allow]",
)
@click.option(
    "--vocab-pad",
    type=click.IntRange(0, COUNTS),
    default=0,
    show_default=True,
    metavar="N",
    help="Share unigram probability as if the vocabulary had at least N types.",
)
@skip_symbols_option
@click.option(
    "--strict",
    is_flag=True,
    help="Fail where discounts cannot be computed, instead of falling back.",
)
@smoothing_option
@click.option(
    "--heldout",
    multiple=True,
    type=PATH,
    metavar="FILE",
    help="Text that TEXTS do not contain, for methods that learn from it; may be "
    "repeated.",
)
@structure_option
@click.option(
    "--successors",
    is_flag=True,
    help="Store the successors of every context, which makes prediction fast; about 3 "
    "bytes per n-gram.",
)
@threads_option
@click.option(
    "-S",
    "--memory",
    metavar="SIZE",
    default="80%",
    show_default=True,
    help="Memory to use, as in 4G or 80%; a number alone is bytes. A text that needs "
    "more is counted in rounds, with temporary files; the model is the same.",
)
@click.option(
    "-T",
    "--temp",
    "temp_dir",
    type=click.Path(exists=True, file_okay=False, writable=True),
    metavar="DIR",
    help="Directory for temporary files.  [default: that of the system]",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Only say what training would take, from a sample of the text: n-grams before "
    "pruning, memory, disk, time. Nothing is written.",
)
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    texts: tuple[str, ...],
    counts: str | None,
    output: str,
    heldout: tuple[str, ...],
    structure: str,
    successors: bool,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a model on TEXTS, one sentence per line.

    The same text and options give the same bytes, for any number of threads.
    """
    if (counts is None) == (not texts):
        raise click.UsageError("name texts, or a file of counts with --from-counts.")
    inputs = filter(None, [*texts, counts, *heldout, options["limit_vocab"]])
    check_target(output, as_json=as_json and not dry_run, inputs=inputs)
    options["heldout"] = [Path(text) for text in heldout] or None
    if dry_run:
        if counts is not None:
            raise click.UsageError("--dry-run samples texts, not --from-counts.")
        print_forecast(texts, options, as_json=as_json)
        return
    if successors and is_arpa(output):
        raise click.UsageError("--successors is for model files, and ARPA has none.")
    if structure != "auto" and is_arpa(output):
        raise click.UsageError("--structure is for model files, and ARPA has none.")
    started = time.perf_counter()
    if counts is not None and not given(context, "tokenizer"):
        options["tokenizer"] = None
    from ngram.estimate import train, train_arpa

    with progress() as report:
        options["progress"] = report
        corpus = open_corpus(texts, counts, options["threads"], report)
        if is_arpa(output):
            info = train_arpa(corpus, output, **options)
        else:
            options.update(structure=structure, successors=successors)
            info = train(corpus, output=output, **options).info()
    print_written(output, ngrams_of(info), started, info, as_json=as_json)


def print_forecast(
    texts: tuple[str, ...], options: dict[str, Any], *, as_json: bool
) -> None:
    from ngram.forecast import forecast

    found = forecast([Path(text) for text in texts], **options)
    if as_json:
        print_json(asdict(found))
        return
    rows = [
        ("sentences", quantity(found.sentences)),
        ("tokens", quantity(found.tokens)),
        ("vocabulary", quantity(found.vocabulary)),
        *((f"{k}-grams", quantity(n)) for k, n in enumerate(found.ngrams, 1)),
        ("memory", size(found.memory)),
        ("temporary files", size(found.temporary)),
        ("model file", size(found.model)),
        ("ARPA file", size(found.arpa)),
        ("time", f"{found.seconds:.1f} s"),
    ]
    print_table(rows, "<>")


def given(context: click.Context, name: str) -> bool:
    """Return whether an option stands on the command line."""
    source = context.get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def open_corpus(
    texts: tuple[str, ...],
    counts: str | None,
    threads: int | None,
    report: Report | None,
) -> object:
    """Return what is trained on: paths, or the counts in a file."""
    if counts is None:
        return [Path(text) for text in texts]
    from ngram.counts import Counts

    return Counts.load(counts, threads=threads, progress=report)
