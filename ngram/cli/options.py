"""Options and arguments that several commands share, each written once."""

from collections.abc import Callable
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

# Paths stay strings and are opened by the public functions, whose errors say more
# than "does not exist".
PATH = click.Path()

COUNTS = 2**31 - 1  # the most of anything that is counted
POSITIVE = click.IntRange(1, COUNTS)
MODEL_FILE = (
    "Model file to write; ARPA if it ends in .arpa (also .arpa.gz, .arpa.xz, "
    ".arpa.zst), and for `-` (stdout)."
)
SEEDS = 2**63 - 1
THREADS = 1024

model_argument: Decorator = click.argument("model", type=PATH)
texts_argument: Decorator = click.argument("texts", nargs=-1, type=PATH)
some_texts_argument: Decorator = click.argument(
    "texts", nargs=-1, required=True, type=PATH
)


def output_option(what: str, *, required: bool = True) -> Decorator:
    """Return `--output`, with what is written as its help."""
    return click.option(
        "-o", "--output", required=required, type=PATH, metavar="FILE", help=what
    )


json_option: Decorator = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON instead of text."
)
threads_option: Decorator = click.option(
    "--threads",
    type=click.IntRange(1, THREADS),
    metavar="N",
    help="Threads to use.  [default: all processors]",
)
seed_option: Decorator = click.option(
    "--seed",
    type=click.IntRange(0, SEEDS),
    metavar="N",
    help="Seed of the random numbers: the same seed, the same output.  [default: new]",
)
tokenizer_option: Decorator = click.option(
    "--tokenizer",
    default="whitespace",
    show_default=True,
    metavar="NAME|FILE",
    help="whitespace, characters, bytes, or a Hugging Face tokenizers JSON file.",
)
skip_symbols_option: Decorator = click.option(
    "--skip-symbols",
    is_flag=True,
    help="Read <s>, </s> and <unk> in the text as blanks instead of failing.",
)


def _complete_smoothing(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    from ngram.smoothing import ALIASES, METHODS

    return [name for name in (*METHODS, *ALIASES) if name.startswith(incomplete)]


smoothing_option: Decorator = click.option(
    "--smoothing",
    default="modified-kneser-ney",
    show_default=True,
    metavar="NAME[:OPTION=N]",
    shell_complete=_complete_smoothing,
    help="How counts become probabilities, with options as in additive:delta=0.1; an "
    "unknown NAME lists all.",
)
structure_option: Decorator = click.option(
    "--structure",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="How the model holds its n-grams: fast computes probabilities from counts, in "
    "5 to 6 bytes per n-gram; bucketed stores them, in 14; auto is fast where the "
    "counts are known.",
)
bos_option: Decorator = click.option(
    "--bos/--no-bos", default=True, help="Begin with <s>.  [default: bos]"
)
eos_option: Decorator = click.option(
    "--eos/--no-eos", default=True, help="End with </s>.  [default: eos]"
)


def whole_numbers(text: str) -> tuple[int, ...]:
    """Read `0,0,1`; blanks separate too."""
    numbers = tuple(map(int, _numbers(text, int, "whole numbers")))
    if any(abs(number) > COUNTS for number in numbers):
        raise click.BadParameter(f"{text!r} holds a number above {COUNTS}.")
    return numbers


def decimal_numbers(text: str) -> tuple[float, ...]:
    """Read `0.5,1,1.5`; blanks separate too."""
    return _numbers(text, float, "numbers")


def _numbers(text: str, number: Callable[[str], float], what: str) -> tuple[float, ...]:
    try:
        return tuple(number(item) for item in text.replace(",", " ").split())
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a list of {what} separated by commas."
        ) from None
