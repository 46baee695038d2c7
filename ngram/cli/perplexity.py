"""`ngram perplexity`: how well a model predicts a text."""

from dataclasses import asdict

import click

from ngram.cli.files import check_stdin, open_model, read_sentences
from ngram.cli.options import json_option, model_argument, texts_argument
from ngram.cli.output import print_json, print_table


@click.command("perplexity", short_help="Print how well a model predicts a text.")
@model_argument
@texts_argument
@json_option
def command(model: str, texts: tuple[str, ...], as_json: bool) -> None:
    """Print the perplexity of MODEL on TEXTS.  [default: stdin]

    Lower is better. </s> is predicted and counted, <s> is not. Perplexities compare
    only between models with the same tokens and vocabulary; bits per character compare
    between all models that know the text's characters.
    """
    texts = texts or ("-",)
    check_stdin(model, texts)
    with open_model(model) as opened:
        result = opened.perplexity(read_sentences(texts, opened.tokenizer))
    if as_json:
        print_json(asdict(result))
        return
    lengths = ", ".join(
        f"{length}: {count:,}" for length, count in enumerate(result.ngram_lengths, 1)
    )
    print_table(
        [
            ("perplexity", f"{result.perplexity:.4f}"),
            ("perplexity excluding oov", f"{result.perplexity_excluding_oov:.4f}"),
            ("bits per character", f"{result.bits_per_character:.4f}"),
            ("bits per byte", f"{result.bits_per_byte:.4f}"),
            ("log10 probability", f"{result.log10_prob:.4f}"),
            ("sentences", f"{result.sentences:,}"),
            ("tokens", f"{result.tokens:,}"),
            ("oov", f"{result.oov:,}"),
            ("n-gram length used", lengths),
        ],
        "<<",
    )
