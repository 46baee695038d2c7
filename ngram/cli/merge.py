"""`ngram merge`: add files of counts, or take them away."""

import time

import click

from ngram.cli.files import check_counts_target
from ngram.cli.options import PATH, json_option, output_option, threads_option
from ngram.cli.output import ngrams_of, print_written, progress


@click.command("merge", short_help="Add, weigh and subtract files of counts.")
@click.argument("shards", nargs=-1, required=True, type=PATH)
@output_option("File of counts to write; may be one of those that are read.")
@click.option(
    "--weight",
    "weights",
    type=float,
    multiple=True,
    metavar="W",
    help="What the counts of a shard are multiplied by: one --weight for each shard, "
    "in their order; a negative one subtracts.  [default: 1]",
)
@click.option(
    "--subtract",
    type=PATH,
    multiple=True,
    metavar="FILE",
    help="File of counts to take away, which must have been added; may be repeated.",
)
@threads_option
@click.option(
    "-S",
    "--memory",
    metavar="SIZE",
    default="80%",
    show_default=True,
    help="Memory to use, as in 4G or 80%. Shards that need more are merged in "
    "temporary files; the counts are the same.",
)
@click.option(
    "-T",
    "--temp",
    "temp_dir",
    type=click.Path(exists=True, file_okay=False, writable=True),
    metavar="DIR",
    help="Directory for temporary files.  [default: that of the system]",
)
@json_option
def command(
    shards: tuple[str, ...],
    output: str,
    weights: tuple[float, ...],
    subtract: tuple[str, ...],
    threads: int | None,
    memory: str,
    temp_dir: str | None,
    as_json: bool,
) -> None:
    """Add the counts in SHARDS, files that `ngram count` or `ngram merge` wrote.

    The parts of a text, counted one by one and merged in their order, give exactly the
    counts of the whole.
    """
    started = time.perf_counter()
    check_counts_target(output)
    from ngram.counts import Counts, merge_counts

    with progress() as report:

        def load(path: str) -> Counts:
            return Counts.load(
                path,
                threads=threads,
                memory=memory,
                temp_dir=temp_dir,
                progress=report,
            )

        merged = merge_counts(
            [load(path) for path in shards],
            weights or None,
            subtract=[load(path) for path in subtract],
            threads=threads,
            memory=memory,
            temp_dir=temp_dir,
            progress=report,
        )
        merged.save(output, threads=threads, progress=report)
    info = merged.info()
    print_written(output, ngrams_of(info), started, info, as_json=as_json)
