"""`ngram lmplz`: the command line of KenLM's lmplz.

Options, their grammar, messages and exit statuses follow lmplz, not the other commands:
underscores, `--prune 0 0 1`, help on stderr with status 1. `docs/kenlm.md` lists what
differs.
"""

import math
import re
import shlex
import stat
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ngram.cli.advice import Spelling, in_options
from ngram.errors import MemoryBudgetError, NgramError

ABORTED = 134  # what a shell sees of lmplz when the work fails: it calls abort()
UNUSED = "Accepted and not used: nothing is sorted in blocks."
UNITS = "bKMGTPEZY"  # powers of 1024


class UsageError(Exception):
    """A command line that lmplz would refuse."""


@dataclass(frozen=True)
class Option:
    """One option: how many values it takes, how to read them, and its help."""

    name: str
    help: str
    metavar: str = ""
    short: str = ""
    least: int = 1
    most: int = 1
    read: Callable[["Option", str], Any] = lambda _, value: value

    def values(self, given: list[str]) -> list[Any]:
        """Return what was given, read, or say what is wrong with it."""
        return [self.read(self, value) for value in given]

    def refuse(self, value: str, advice: str) -> UsageError:
        return UsageError(
            f"the argument '{value}' of --{self.name} is wrong: {advice}."
        )


def whole(option: Option, value: str) -> int:
    if not re.fullmatch(r"\+?[0-9]+", value):
        raise option.refuse(value, "pass a whole number")
    return int(value)


def decimal(option: Option, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise option.refuse(value, "pass numbers, as in --discount_fallback 0.5 1 1.5")
    return number


def truth(option: Option, value: str) -> bool:
    for answer, spellings in (
        (True, ("1", "true", "yes", "on")),
        (False, ("0", "false", "no", "off")),
    ):
        if value.lower() in spellings:
            return answer
    raise option.refuse(value, "pass 1 or 0 (also true, yes, on; false, no, off)")


def size(option: Option, value: str) -> int | str:
    """Return bytes, or a share; a number without unit is of KiB."""
    match = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)\s*([bkKMGTPEZY%]?)", value)
    if match is None:
        raise option.refuse(value, "pass a size such as 64M, 4G or 80%")
    if match[2] == "%":
        return f"{float(match[1])}%"
    return int(float(match[1]) * 1024 ** UNITS.index(match[2].replace("k", "K") or "K"))


OPTIONS = (
    Option("help", "Show this help; the status is 1.", short="h", least=0, most=0),
    Option("order", "Length of the longest n-grams. Required.", "N", "o", read=whole),
    Option(
        "interpolate_unigrams",
        "Share unigram probability with unknown words (1, the default), or leave all "
        "that discounting took to <unk> (0).",
        "[0|1]",
        least=0,
        read=truth,
    ),
    Option(
        "skip_symbols",
        "Read <s>, </s> and <unk> in the text as blanks instead of failing.",
        least=0,
        most=0,
    ),
    Option(
        "temp_prefix",
        "Where temporary files are; only its directory matters.  [default: that of the "
        "system]",
        "PREFIX",
        "T",
    ),
    Option(
        "memory",
        "Memory to use: a number and one of b, K (the default), M, G, T, P, E, Z, Y "
        "or %; at least 256M are used.  [default: 80%]",
        "SIZE",
        "S",
        read=size,
    ),
    Option("minimum_block", UNUSED, "SIZE", read=size),
    Option("sort_block", UNUSED, "SIZE", read=size),
    Option("block_count", UNUSED, "N", read=whole),
    Option("vocab_estimate", UNUSED, "N", read=whole),
    Option(
        "vocab_pad",
        "Share unigram probability as if the vocabulary had at least N types; 0 is the "
        "default.",
        "N",
        read=whole,
    ),
    Option(
        "verbose_header",
        "Begin the ARPA file with comments: input file, token count, smoothing.",
        least=0,
        most=0,
    ),
    Option("text", "Text to read.  [default: stdin]", "FILE"),
    Option("arpa", "ARPA file to write.  [default: stdout]", "FILE"),
    Option(
        "intermediate",
        "Not possible: an error. Write ARPA with --arpa instead.",
        "PREFIX",
    ),
    Option(
        "renumber",
        "Order words by their hash, as KenLM's trie does, which reorders the ARPA "
        "file.",
        least=0,
        most=0,
    ),
    Option(
        "collapse_values",
        "Write one value per n-gram that stands for probability and back-off; whole "
        "sentences keep their probability.",
        least=0,
        most=0,
    ),
    Option(
        "prune",
        "Drop n-grams that occur at most T times: one T per order, none below the one "
        "before; the last also holds for all higher orders. The default is 0: none.",
        "T ...",
        most=sys.maxsize,
        read=whole,
    ),
    Option(
        "limit_vocab_file",
        "Drop n-grams with a word that is not in this list, separated by blanks.",
        "FILE",
    ),
    Option(
        "discount_fallback",
        "Discounts for the orders where none can be computed: of the counts 1, 2, and "
        "3 or more; 0.5 1 1.5 if the numbers are left out. Without this option such "
        "counts are an error.",
        "[D ...]",
        least=0,
        most=sys.maxsize,
        read=decimal,
    ),
    Option(
        "install-script",
        "Not of lmplz: write DIR/lmplz, a script that runs this command, and exit.",
        "DIR",
    ),
)

SPELLINGS = {
    option.name: Spelling(f"--{option.name}", off=f"--{option.name} 0", separator=" ")
    for option in OPTIONS
}


class Arguments(click.Command):
    """A command that reads its arguments itself."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.params = {"arguments": args}
        return []


@click.command(
    "lmplz", cls=Arguments, short_help="Train as KenLM's lmplz, with its options."
)
def command(arguments: list[str]) -> int:
    """Train a model with the options of KenLM's lmplz, and write it as ARPA."""
    try:
        given, stray = parse(arguments)
        if not arguments or "help" in given:
            say(help_text())
            return 1
        for word in stray:
            say(f"Warning: '{word}' belongs to no option and is ignored.")
        if "install-script" in given:
            install(given["install-script"][0])
            return 0
        return run(given)
    except UsageError as error:
        say(f"Error: {error}")
        return 1


def say(line: str) -> None:
    click.echo(line, err=True)


def parse(arguments: Iterable[str]) -> tuple[dict[str, list[Any]], list[str]]:
    """Return the values of the options by name, and the words that are none.

    Names may be shortened while they stay unambiguous. `--name=value`, `-nvalue` and
    `-n value` are the same; an option that may take more values takes the words behind
    it up to the next option.
    """
    words = list(reversed(list(arguments)))
    given: dict[str, list[str]] = {}
    stray: list[str] = []
    last: Option | None = None
    while words:
        word = words.pop()
        if word == "--":
            stray += reversed(words)
            break
        if word == "-" or not word.startswith("-"):
            room = last is not None and len(given[last.name]) < last.most
            (given[last.name] if last and room else stray).append(word)
            continue
        last, value = split(word)
        if last.name in given and last.most <= 1:
            raise UsageError(f"--{last.name} stands there more than once.")
        values = given.setdefault(last.name, [])
        if value is not None and last.most == 0:
            if word.startswith("--"):
                raise UsageError(f"--{last.name} takes no argument, but has '{value}'.")
            words.append(f"-{value}")
        elif value is not None:
            values.append(value)
        elif last.least:
            if not words:
                raise UsageError(f"--{last.name} needs an argument.")
            values.append(words.pop())
    named = {option.name: option for option in OPTIONS}
    return {name: named[name].values(values) for name, values in given.items()}, stray


def split(word: str) -> tuple[Option, str | None]:
    """Return the option that a word names, and the value in the same word."""
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        found = [option for option in OPTIONS if option.name == name] or [
            option for option in OPTIONS if name and option.name.startswith(name)
        ]
    else:
        name, value = word[1], word[2:]
        equals = value
        found = [option for option in OPTIONS if option.short == name]
    if not found:
        raise UsageError(f"there is no option '{word}'. See --help.")
    if len(found) > 1:
        names = " or ".join(f"--{option.name}" for option in found)
        raise UsageError(f"'{word}' is ambiguous: it may be {names}.")
    return found[0], value if equals else None


def help_text() -> str:
    """Return what --help shows."""
    formatter = click.HelpFormatter(max_width=80)
    formatter.write_usage("ngram lmplz", "-o N [OPTIONS] < TEXT > ARPA")
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text(
            "Train a modified Kneser-Ney model with the options of KenLM's lmplz, and "
            "write it as ARPA. What differs is listed in docs/kenlm.md; `ngram train` "
            "does more."
        )
    with formatter.section("Options"):
        formatter.write_dl([(spelling(option), option.help) for option in OPTIONS])
    return formatter.getvalue().rstrip()


def spelling(option: Option) -> str:
    short = f"-{option.short}, " if option.short else ""
    return f"{short}--{option.name} {option.metavar}".rstrip()


def run(given: dict[str, list[Any]]) -> int:
    """Train, and return the exit status of lmplz."""
    started = time.perf_counter()
    if "order" not in given:
        raise UsageError("--order is missing: pass the length of the longest n-grams.")
    if "intermediate" in given:
        raise UsageError(
            "--intermediate cannot be written. Write the model with --arpa, which "
            "`ngram convert` turns into a model file."
        )
    from ngram.lmplz import Run

    single = (
        *("order", "text", "arpa", "limit_vocab_file", "vocab_pad"),
        *("memory", "temp_prefix"),
    )
    flags = ("skip_symbols", "verbose_header", "renumber", "collapse_values")
    arguments: dict[str, Any] = {
        **{name: given[name][0] for name in single if name in given},
        **dict.fromkeys(set(flags) & given.keys(), True),
        "prune": given.get("prune", ()),
        "interpolate_unigrams": all(given.get("interpolate_unigrams", ())),
    }
    if "discount_fallback" in given:
        arguments["discount_fallback"] = given["discount_fallback"] or (0.5, 1.0, 1.5)
    job = Run(**arguments)
    try:
        options = job.options()
    except NgramError as error:
        say(f"Error: {sentence(error)}")
        return ABORTED if job.order == 0 else 1
    try:
        job.estimate(options, say)
    except NgramError as error:
        say(f"Error: {sentence(error)}")
        return 1 if isinstance(error, MemoryBudgetError) else ABORTED
    say(usage_line(time.perf_counter() - started))
    return 0


def sentence(error: NgramError) -> str:
    """Return what an error says, with its advice in the words of lmplz."""
    return " ".join(in_options(str(error), SPELLINGS.get).split())


def usage_line(seconds: float) -> str:
    """Return the last line: memory and time taken, in the shape of lmplz's."""
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu = usage.ru_utime + usage.ru_stime
    return (
        f"Name:ngram\tRSSMax:{usage.ru_maxrss} kB\tuser:{usage.ru_utime:.6g}\t"
        f"sys:{usage.ru_stime:.6g}\tCPU:{cpu:.6g}\treal:{seconds:.6g}"
    )


MARK = "# Written by `ngram lmplz --install-script`."


def install(folder: str) -> None:
    """Write a script named lmplz that runs this command with this Python."""
    path = Path(folder) / "lmplz"
    if path.exists() and MARK not in path.read_text("utf-8", "replace"):
        raise UsageError(
            f"{path} is there already and is another program. Remove it first."
        )
    from ngram.files import atomic_output

    with atomic_output(path) as script:
        script.write(
            f"#!/bin/sh\n{MARK}\n"
            f'exec {shlex.quote(sys.executable)} -P -m ngram.cli lmplz "$@"\n'.encode()
        )
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    say(f"{path} runs `ngram lmplz`")
