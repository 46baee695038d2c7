"""`ngram score`: the probability of every sentence, or of every token."""

import click

from ngram.cli.files import check_stdin, open_model, read_sentences
from ngram.cli.options import (
    bos_option,
    eos_option,
    json_option,
    model_argument,
    texts_argument,
    threads_option,
)
from ngram.cli.output import print_json


@click.command("score", short_help="Print the probability of sentences.")
@model_argument
@texts_argument
@click.option(
    "--tokens",
    "per_token",
    is_flag=True,
    help="Also print each token's log10 probability and the n-gram length used.",
)
@bos_option
@eos_option
@threads_option
@json_option
def command(
    model: str,
    texts: tuple[str, ...],
    per_token: bool,
    bos: bool,
    eos: bool,
    threads: int | None,
    as_json: bool,
) -> None:
    """Print the log10 probability of every sentence in TEXTS.  [default: stdin]

    One line per sentence; with --json one JSON object per sentence.
    """
    from ngram.scoring import batches

    texts = texts or ("-",)
    check_stdin(model, texts)
    with open_model(model) as opened:
        for batch in batches(read_sentences(texts, opened.tokenizer)):
            scores = opened.score_batch(batch, bos=bos, eos=eos, threads=threads)
            for text, score in zip(batch, scores.tolist(), strict=True):
                rows = opened.full_scores(text, bos=bos, eos=eos) if per_token else []
                names = [*opened.tokenize(text), "</s>"] if per_token else []
                if as_json:
                    record = {"text": text, "log10_prob": score}
                    if per_token:
                        record["tokens"] = [
                            {
                                "token": name,
                                "log10_prob": log10_prob,
                                "ngram_length": length,
                                "is_oov": is_oov,
                            }
                            for name, (log10_prob, length, is_oov) in zip(
                                names, rows, strict=False
                            )
                        ]
                    print_json(record)
                    continue
                click.echo(f"{score:.6f}")
                for name, (log10_prob, length, is_oov) in zip(
                    names, rows, strict=False
                ):
                    oov = "\toov" if is_oov else ""
                    click.echo(f"\t{log10_prob:.6f}\t{length}\t{name}{oov}")
