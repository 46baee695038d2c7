"""`ngram classes`: words of a text in classes."""

import time
from pathlib import Path
from typing import Any

import click

from ngram.cli.files import check_text_target
from ngram.cli.options import (
    COUNTS,
    POSITIVE,
    json_option,
    output_option,
    skip_symbols_option,
    some_texts_argument,
    threads_option,
    tokenizer_option,
)
from ngram.cli.output import print_written, progress


@click.command("classes", short_help="Put the words of a text into classes.")
@some_texts_argument
@output_option(
    "Text to write, a line `word TAB class` for each word; compressed if it ends "
    "in .gz, .xz, .zst or .bz2; `-` is stdout."
)
@click.option(
    "--classes",
    "n_classes",
    type=POSITIVE,
    default=500,
    show_default=True,
    metavar="N",
    help="Number of classes.",
)
@click.option(
    "--hierarchy",
    is_flag=True,
    help="Add a third column: the path to the class in a tree, as 0 and 1; classes "
    "whose paths begin alike are alike. At most 4096 classes.",
)
@click.option(
    "--iterations",
    type=click.IntRange(0, COUNTS),
    default=10,
    show_default=True,
    metavar="N",
    help="How often every word is visited, at most.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    metavar="N",
    help="Begin with drawn words: other classes, about as good.  [default: begin with "
    "the most frequent words]",
)
@tokenizer_option
@skip_symbols_option
@threads_option
@json_option
def command(
    texts: tuple[str, ...],
    output: str,
    n_classes: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Put the words of TEXTS into classes by the words beside them.

    The classes make the bigrams of classes in the text most probable (exchange
    algorithm). The same text and options give the same classes, for any number of
    threads.
    """
    from ngram.classes import cluster_words

    started = time.perf_counter()
    check_text_target(output, "classes", as_json=as_json, inputs=texts)
    corpus = [Path(text) for text in texts]
    with progress() as report:
        classes = cluster_words(corpus, n_classes, progress=report, **options)
    classes.save(output)
    print_written(
        output,
        f"{len(classes)} words in {classes.n_classes} classes",
        started,
        {
            "words": len(classes),
            "classes": classes.n_classes,
            "log10_probs": classes.log10_probs,
        },
        as_json=as_json,
    )
