"""`ngram filter`: keep the documents that a model finds likely."""

from pathlib import Path

import click

from ngram.cli.files import check_stdout, open_model
from ngram.cli.options import (
    PATH,
    decimal_numbers,
    json_option,
    model_argument,
    output_option,
    threads_option,
)
from ngram.cli.output import print_json, print_table, progress


@click.command("filter", short_help="Keep documents by their perplexity.")
@model_argument
@click.argument("inputs", nargs=-1, required=True, type=PATH)
@output_option(
    "Where kept documents go; compressed if named .gz, .zst, .xz or .bz2. With "
    "buckets, FILE.txt stands for FILE.head.txt, FILE.middle.txt and FILE.tail.txt."
)
@click.option(
    "--max", "maximum", type=float, metavar="X", help="Keep perplexities up to X."
)
@click.option(
    "--min", "minimum", type=float, metavar="X", help="Keep perplexities from X."
)
@click.option(
    "--percentiles",
    type=decimal_numbers,
    metavar="P[,P]",
    help="Sort into buckets, cut at these percentiles of --reference, as in 30,60.",
)
@click.option(
    "--reference",
    type=PATH,
    metavar="FILE",
    help="Documents whose perplexities say where buckets are cut.",
)
@click.option(
    "--cutoffs",
    type=decimal_numbers,
    metavar="X[,X]",
    help="Sort into buckets, cut at these perplexities.",
)
@click.option(
    "--unit",
    type=click.Choice(["document", "line"]),
    default="document",
    show_default=True,
    help="Judge whole documents, or each of their lines alone.",
)
@click.option(
    "--formula",
    default="perplexity",
    show_default=True,
    metavar="NAME",
    help="perplexity: over the lines with a token. cc_net.1: as CC-Net computes it, "
    "with empty lines, lengths in blanks and one decimal.",
)
@click.option(
    "--field",
    default="text",
    show_default=True,
    metavar="NAME",
    help="The field of JSON objects or column of tables that holds the document.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["text", "jsonl", "parquet"]),
    help="Of inputs and outputs.  [default: what the names say]",
)
@click.option(
    "--annotate",
    is_flag=True,
    help="Add the fields perplexity and bucket to JSON and Parquet.",
)
@click.option(
    "--rejected", type=PATH, metavar="FILE", help="Where the other documents go."
)
@click.option(
    "--restart", is_flag=True, help="Begin anew even if an unfinished job can go on."
)
@threads_option
@json_option
def command(
    model: str,
    inputs: tuple[str, ...],
    output: str,
    maximum: float | None,
    minimum: float | None,
    percentiles: tuple[float, ...] | None,
    reference: str | None,
    cutoffs: tuple[float, ...] | None,
    unit: str,
    formula: str,
    field: str,
    file_format: str | None,
    annotate: bool,
    rejected: str | None,
    restart: bool,
    threads: int | None,
    as_json: bool,
) -> None:
    """Keep the documents of INPUTS whose perplexity is in a range, or sort them.

    INPUTS are text (each line is a document), JSON lines or Parquet, by their names;
    text and JSON lines also compressed. A job that was killed goes on when the same
    command is given again, and ends with the same bytes.
    """
    from ngram.filtering import filter_documents

    if model == "-":
        raise click.UsageError("stdin cannot be the model: name a file.")
    check_stdout(output, "documents", as_json=as_json)
    to_stderr = output == "-"
    with open_model(model) as opened, progress() as report:
        result = filter_documents(
            opened,
            inputs,
            Path(output),
            minimum=minimum,
            maximum=maximum,
            reference=reference,
            percentiles=percentiles,
            cutoffs=cutoffs,
            unit=unit,
            formula=formula,
            field=field,
            file_format=file_format,
            annotate=annotate,
            rejected=rejected,
            restart=restart,
            threads=threads,
            progress=report,
        )
    if as_json:
        print_json(
            {
                "documents": result.documents,
                "kept": result.kept,
                "cutoffs": result.cutoffs,
                "resumed": result.resumed,
            }
        )
        return
    total = max(result.documents, 1)
    rows = [("output", f"{unit}s", "share")]
    for path, count in result.kept.items():
        rows.append((path, f"{count:,}", f"{100 * count / total:.1f}%"))
    rows.append(("read", f"{result.documents:,}", ""))
    print_table(rows, "<>>", to_stderr=to_stderr)
    if result.cutoffs:
        cuts = ", ".join(f"{cut:.1f}" for cut in result.cutoffs)
        click.echo(f"buckets are cut at perplexity {cuts}", err=to_stderr)
