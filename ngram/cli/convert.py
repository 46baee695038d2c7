"""`ngram convert`: ARPA to model file and back."""

import click

from ngram.cli.files import is_arpa, open_model
from ngram.cli.options import PATH, json_option, threads_option, tokenizer_option
from ngram.cli.output import print_json, progress


@click.command("convert", short_help="Convert ARPA to a model file, or back.")
@click.argument("source", type=PATH)
@click.argument("target", type=PATH)
@tokenizer_option
@threads_option
@json_option
def command(
    source: str, target: str, tokenizer: str, threads: int | None, as_json: bool
) -> None:
    """Convert SOURCE to TARGET: an ARPA file to a model file, or a model file to ARPA.

    Names ending in .arpa (also .arpa.gz, .arpa.xz, .arpa.zst) are ARPA files, and `-`
    is ARPA on stdin or stdout; any other name is a model file. The tokenizer is stored
    in the model; it applies when SOURCE is ARPA, which does not name one.
    """
    with open_model(source, tokenizer) as model:
        if is_arpa(target):
            with progress() as report:
                model.write_arpa(target, threads=threads, progress=report)
        else:
            model.save(target)
        if as_json and target != "-":
            print_json(
                {
                    "source": source,
                    "target": target,
                    "format": "arpa" if is_arpa(target) else "model",
                    "order": model.order,
                    "ngrams": model.info()["ngrams"],
                }
            )
