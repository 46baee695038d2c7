"""`ngram next`: the most probable next tokens."""

import click

from ngram.cli.files import check_stdin, open_model, read_sentences
from ngram.cli.options import POSITIVE, json_option, model_argument
from ngram.cli.output import print_json


@click.command("next", short_help="Print the most probable next tokens.")
@model_argument
@click.argument("context", nargs=-1)
@click.option(
    "-k",
    type=POSITIVE,
    default=10,
    show_default=True,
    metavar="N",
    help="How many tokens.",
)
@click.option(
    "--prefix",
    default="",
    metavar="TEXT",
    help="Only tokens that begin with TEXT.",
)
@click.option(
    "--among",
    multiple=True,
    metavar="TOKEN",
    help="Only this token; may be given several times.  [default: all]",
)
@json_option
def command(
    model: str,
    context: tuple[str, ...],
    k: int,
    prefix: str,
    among: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print the most probable next tokens after CONTEXT.

    Probabilities are exact, from the whole smoothed distribution. Without CONTEXT the
    sentence begins; `-` reads one context per line from stdin. Models that were trained
    with --successors answer much faster.
    """
    piped = context == ("-",)
    if piped:
        check_stdin(model, context)
    with open_model(model) as opened:
        texts = iter([" ".join(context)])
        if piped:
            texts = read_sentences(["-"], opened.tokenizer)
        for text in texts:
            tokens = opened.next_tokens(text, k, prefix=prefix, among=among or None)
            if as_json:
                print_json(
                    {
                        "context": text,
                        "next": [
                            {"token": token, "probability": probability}
                            for token, probability in tokens
                        ],
                    }
                )
                continue
            for token, probability in tokens:
                click.echo(f"{probability:.6f}\t{token}")
