"""`ngram generate`: sentences drawn from the model."""

import click

from ngram.cli.files import open_model
from ngram.cli.options import POSITIVE, json_option, model_argument, seed_option
from ngram.cli.output import print_json


@click.command("generate", short_help="Print sentences drawn from a model.")
@model_argument
@click.argument("prefix", nargs=-1)
@click.option(
    "-n",
    "--count",
    type=POSITIVE,
    default=1,
    show_default=True,
    metavar="N",
    help="How many sentences.",
)
@click.option(
    "--temperature",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Below 1 prefers probable tokens, 0 takes the most probable always.",
)
@click.option(
    "--top-k",
    type=POSITIVE,
    metavar="K",
    help="Draw from the K most probable tokens only.  [default: all]",
)
@click.option(
    "--top-p",
    type=click.FloatRange(min=0, max=1, min_open=True),
    metavar="P",
    help="Draw from the fewest tokens that hold probability P.  [default: all]",
)
@click.option(
    "--max-tokens",
    type=POSITIVE,
    default=100,
    show_default=True,
    metavar="N",
    help="Stop after this many tokens.",
)
@seed_option
@json_option
def command(
    model: str,
    prefix: tuple[str, ...],
    count: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    max_tokens: int,
    seed: int | None,
    as_json: bool,
) -> None:
    """Print sentences drawn from the model, one per line, after PREFIX if given.

    With --seed every line has a seed of its own, made of the seed and the line number.
    Models that were trained with --successors draw much faster.
    """
    with open_model(model) as opened:
        for number in range(count):
            text = opened.generate(
                " ".join(prefix),
                max_tokens=max_tokens,
                temperature=temperature,
                top_k=top_k,
                top_p=top_p,
                seed=None if seed is None else line_seed(seed, number),
            )
            if as_json:
                print_json({"text": text})
            else:
                click.echo(text)


def line_seed(seed: int, number: int) -> int:
    """Return the seed of one line; different seeds share no lines."""
    from numpy.random import SeedSequence

    state = SeedSequence(seed, spawn_key=(number,)).generate_state(1, "uint64")
    return int(state[0]) >> 1
