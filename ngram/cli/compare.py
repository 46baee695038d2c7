"""`ngram compare`: which of these sentences is more natural."""

import click

from ngram.cli.files import check_stdin, open_model, read_sentences
from ngram.cli.options import json_option, model_argument
from ngram.cli.output import print_json, print_table


@click.command("compare", short_help="Rank sentences, the most natural first.")
@model_argument
@click.argument("sentences", nargs=-1, required=True)
@click.option(
    "--by",
    type=click.Choice(["perplexity", "log10"]),
    default="perplexity",
    show_default=True,
    help="Rank by perplexity per token, or by the probability of the whole sentence "
    "(which favours short ones).",
)
@json_option
def command(model: str, sentences: tuple[str, ...], by: str, as_json: bool) -> None:
    """Rank SENTENCES, the most natural first.

    Quote each sentence; `-` reads one sentence per line from stdin.
    """
    from ngram.errors import InputError

    piped = sentences == ("-",)
    if piped:
        check_stdin(model, sentences)
    with open_model(model) as opened:
        texts = list(sentences)
        if piped:
            texts = list(read_sentences(["-"], opened.tokenizer))
        if not texts:
            raise InputError(
                "stdin: there are no sentences to compare. Pass one a line."
            )
        results = [opened.perplexity([text]) for text in texts]
    ranking = sorted(
        zip(texts, results, strict=True),
        key=lambda pair: (
            pair[1].perplexity if by == "perplexity" else -pair[1].log10_prob
        ),
    )
    if as_json:
        print_json(
            [
                {
                    "rank": rank,
                    "text": text,
                    "log10_prob": result.log10_prob,
                    "perplexity": result.perplexity,
                    "tokens": result.tokens,
                    "oov": result.oov,
                }
                for rank, (text, result) in enumerate(ranking, 1)
            ]
        )
        return
    rows = [("rank", "log10", "perplexity", "oov", "sentence")]
    for rank, (text, result) in enumerate(ranking, 1):
        rows.append(
            (
                str(rank),
                f"{result.log10_prob:.4f}",
                f"{result.perplexity:.2f}",
                str(result.oov),
                text,
            )
        )
    print_table(rows, ">>>><")
