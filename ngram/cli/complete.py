"""`ngram complete`: the most probable ways to end a sentence."""

import click

from ngram.cli.files import open_model
from ngram.cli.options import POSITIVE, json_option, model_argument
from ngram.cli.output import print_json


@click.command("complete", short_help="Print the most probable ends of a sentence.")
@model_argument
@click.argument("text", nargs=-1)
@click.option(
    "-n",
    "--count",
    type=POSITIVE,
    default=5,
    show_default=True,
    metavar="N",
    help="How many.",
)
@click.option(
    "--max-tokens",
    type=POSITIVE,
    default=20,
    show_default=True,
    metavar="N",
    help="Stop after this many tokens.",
)
@click.option(
    "--width",
    type=POSITIVE,
    default=20,
    show_default=True,
    metavar="N",
    help="How many beginnings the search keeps at each length.",
)
@json_option
def command(
    model: str,
    text: tuple[str, ...],
    count: int,
    max_tokens: int,
    width: int,
    as_json: bool,
) -> None:
    """Print the most probable ways to go on after TEXT, with log10 probabilities.

    Found by beam search. An end that is `</s>` ends the sentence.
    """
    with open_model(model) as opened:
        found = opened.complete(
            " ".join(text), count, max_tokens=max_tokens, width=width
        )
    if as_json:
        print_json(
            {
                "text": " ".join(text),
                "completions": [
                    {"tokens": tokens, "log10_prob": log10_prob}
                    for tokens, log10_prob in found
                ],
            }
        )
        return
    for tokens, log10_prob in found:
        click.echo(f"{log10_prob:.6f}\t{' '.join(tokens)}")
