"""`ngram query`: the command line of KenLM's query.

Options, output and exit statuses follow query, not the other commands: help on stderr
with status 1. `docs/kenlm.md` lists what differs.
"""

import getopt
import io
import math
import sys
import time
from collections.abc import Iterator
from decimal import Decimal

import click

from ngram.cli.lmplz import Arguments, say, usage_line
from ngram.errors import NgramError

HELP = """\
Usage: ngram query [-b] [-n] [-v LEVEL] [-l METHOD] MODEL < TEXT

  Score text as KenLM's query does. MODEL is an ARPA file (also compressed), a binary
  file of KenLM, or a model file of this package. What differs is listed in
  docs/kenlm.md.

  -b  Print each line at once, instead of a block.
  -n  Score lines without <s> before them and </s> behind them.
  -v word|sentence|summary
      What to print; may be given more than once. Also 0 (summary), 1 (sentence and
      summary) and 2 (all, the default).
  -l lazy|populate|read|parallel
      How a binary file comes into memory: mapped; mapped and read at once (the
      default); copied.

  A word is printed as WORD=ID LENGTH LOG10_PROBABILITY, where LENGTH is that of the
  n-gram that matched and the id 0 is that of unknown words; a line as
  `Total: LOG10_PROBABILITY OOV: NUMBER`."""

LEVELS = {
    "0": {"summary"},
    "1": {"sentence", "summary"},
    "2": {"word", "sentence", "summary"},
}
METHODS = {"lazy": 0, "populate": 2, "read": 3, "parallel": 4}
BLOCK = 1 << 20


@click.command("query", cls=Arguments, short_help="Score as KenLM's query does.")
def command(arguments: list[str]) -> int:
    """Score text as KenLM's query does, with its options."""
    started = time.perf_counter()
    try:
        options, models = getopt.gnu_getopt(arguments, "bnv:l:h")
    except getopt.GetoptError as error:
        say(f"Error: {error}.\n{HELP}")
        return 1
    given = dict(options)
    levels = levels_of([value for name, value in options if name == "-v"])
    method = METHODS.get(given.get("-l", "populate"))
    if len(models) != 1 or "-h" in given or levels is None or method is None:
        say(HELP)
        return 1
    try:
        run(models[0], levels, method, context="-n" not in given, flush="-b" in given)
    except NgramError as error:
        say(f"Error: {error}")
        return 1
    say(usage_line(time.perf_counter() - started))
    return 0


def levels_of(values: list[str]) -> set[str] | None:
    """Return what the values of -v ask for, None if one is wrong."""
    levels: set[str] = set()
    for value in values or ["2"]:
        if value in LEVELS:
            levels = LEVELS[value] | (levels if value == "2" else set())
        elif value in LEVELS["2"]:
            levels.add(value)
        else:
            return None
    return levels


def run(
    path: str, levels: set[str], method: int, *, context: bool, flush: bool
) -> None:
    """Print the scores of stdin."""
    from ngram.kenlm import Config, Model, Query

    config = Config()
    config.load_method = method
    query = Query(
        Model(path, config),
        context=context,
        words="word" in levels,
        lines="sentence" in levels,
    )
    sys.stdout.flush()
    out = sys.stdout.buffer
    for block in lines_at_once() if flush else blocks():
        out.write(query.print(block))
        if flush:
            out.flush()
    if "summary" in levels:
        out.write(summary(*query.totals()).encode())
    out.flush()


def lines_at_once() -> Iterator[bytes]:
    yield from sys.stdin.buffer


def blocks() -> Iterator[bytes]:
    """Yield stdin, which may be compressed, in blocks of whole lines."""
    from ngram.files import STDIN, open_input

    with open_input(STDIN) as stream, io.BufferedReader(stream, BLOCK) as source:
        while block := source.read(BLOCK):
            yield block + source.readline() if block[-1:] != b"\n" else block


def summary(log10_prob: float, oov_log10_prob: float, oov: int, tokens: int) -> str:
    """Return the four lines at the end."""
    including = perplexity(log10_prob, tokens)
    excluding = perplexity(log10_prob - oov_log10_prob, tokens - oov)
    return (
        f"Perplexity including OOVs:\t{including}\n"
        f"Perplexity excluding OOVs:\t{excluding}\n"
        f"OOVs:\t{oov}\nTokens:\t{tokens}\n"
    )


def perplexity(log10_prob: float, tokens: int) -> str:
    if tokens == 0:  # as floating-point numbers are divided by 0
        if log10_prob == 0 or math.isnan(log10_prob):
            return "NaN"
        return "inf" if log10_prob < 0 else "0"
    try:
        return shortest(10.0 ** -(log10_prob / tokens))
    except OverflowError:
        return "inf"


def shortest(value: float) -> str:
    """Return the shortest decimal of a positive number, as KenLM writes it."""
    if 1e-6 <= value < 1e21:
        return f"{Decimal(repr(value)):f}".removesuffix(".0")
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
