"""`ngram convert`: ARPA to model file and back."""

import click

from ngram.cli.files import check_target, is_arpa, open_model, write_model
from ngram.cli.options import (
    PATH,
    json_option,
    structure_option,
    threads_option,
    tokenizer_option,
)
from ngram.cli.output import print_json, progress


@click.command("convert", short_help="Convert ARPA to a model file, or back.")
@click.argument("source", type=PATH)
@click.argument("target", type=PATH)
@tokenizer_option
@structure_option
@threads_option
@json_option
def command(
    source: str,
    target: str,
    tokenizer: str,
    structure: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Convert SOURCE to TARGET: an ARPA file to a model file, or a model file to ARPA.

    What SOURCE is, its content says. TARGET is ARPA if its name ends in .arpa (also
    .arpa.gz, .arpa.xz, .arpa.zst), else a model file; `-` is ARPA on stdin or stdout.
    The tokenizer is stored in the model; it applies when SOURCE is ARPA, which does not
    name one. With --structure, a model file becomes a model file of another structure;
    fast needs counts, which ARPA does not have.
    """
    if is_arpa(target) and structure != "auto":
        raise click.UsageError("--structure is for model files, and ARPA has none.")
    check_target(target, as_json=as_json)
    with open_model(source, tokenizer) as model:
        with progress() as report:
            if not is_arpa(target):
                model = model.in_structure(structure, threads=threads, progress=report)
            write_model(model, target, threads, report)
        if as_json:
            print_json(
                {
                    "source": source,
                    "target": target,
                    "format": "arpa" if is_arpa(target) else "model",
                    "order": model.order,
                    "ngrams": model.info()["ngrams"],
                    "structure": model.table.name,
                }
            )
