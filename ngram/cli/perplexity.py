"""`ngram perplexity`: how well a model predicts a text."""

from dataclasses import asdict

import click

from ngram.cli.files import open_model, read_sentences
from ngram.cli.options import (
    json_option,
    model_argument,
    texts_argument,
)
from ngram.cli.output import print_json, print_table


@click.command("perplexity")
@model_argument
@texts_argument
@json_option
def command(model: str, texts: tuple[str, ...], as_json: bool) -> None:
    """Print the perplexity of MODEL on TEXTS.  [default: stdin]

    Lower is better. </s> is predicted and counted, <s> is not. Perplexities compare
    only between models with the same tokens and vocabulary; bits per character compare
    between all models that know the text's characters.
    """
    with open_model(model) as opened:
        result = opened.perplexity(read_sentences(texts or ["-"]))
    values = asdict(result)
    if as_json:
        print_json(values)
        return
    print_table(
        [
            (
                name.replace("_", " "),
                f"{value:,}" if isinstance(value, int) else f"{value:.4f}",
            )
            for name, value in values.items()
        ],
        "<>",
    )
