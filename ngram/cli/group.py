"""The group of all subcommands, and what happens when one of them fails."""

import errno
import io
import os
import sys
import warnings
from functools import partial
from importlib import import_module
from typing import TextIO

import click

from ngram.cli.advice import Spelling, in_options
from ngram.errors import NgramError
from ngram.version import __version__

COMMANDS = (
    "train",
    "count",
    "merge",
    "prune",
    "lmplz",
    "query",
    "build_binary",
    "score",
    "perplexity",
    "filter",
    "next",
    "complete",
    "generate",
    "compare",
    "smoothings",
    "info",
    "convert",
    "classes",
    "mix",
    "demo",
)
# What a shell sees of a program that SIGPIPE ends: nobody reads its output.
BROKEN_PIPE = 128 + 13
# Of writing to stdout; the errors of files name their path.
OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def load_command(name: str) -> click.Command:
    command: click.Command = import_module(f"ngram.cli.{name}").command
    return command


class CommandGroup(click.Group):
    """Subcommands by name; each is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return load_command(cmd_name)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader left: nobody to tell
            silence_stdout()
            raise click.exceptions.Exit(BROKEN_PIPE) from None  # click would say 1


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog='Completion: eval "$(_NGRAM_COMPLETE=bash_source ngram)", also zsh, fish.',
)
@click.version_option(__version__, prog_name="ngram")
def group() -> None:
    """Train, query and explore n-gram language models.

    Text is one sentence per line, also compressed (.gz, .xz, .zst); `-` is stdin or
    stdout. A MODEL is a file that `ngram train` wrote, or an ARPA file of
    any toolkit, also compressed.
    """


def run(arguments: list[str]) -> int:
    """Return the exit status of one command line; a failure prints one sentence."""
    command = arguments[0] if arguments else ""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Text is bytes here: what came in as invalid UTF-8 goes out unchanged.
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = partial(show_warning, command)
            status = group.main(arguments, prog_name="ngram", standalone_mode=False)
        if sys.stdout is not None:  # `>&-`
            sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        silence_stdout()
        return 130
    except (NgramError, OSError, MemoryError) as error:
        silence_stdout()
        if isinstance(error, BrokenPipeError):  # of what was still to be flushed
            return BROKEN_PIPE
        click.echo(f"Error: {sentence(error, command)}", err=True)
        return 1
    return status if isinstance(status, int) else 0


def sentence(error: Exception, command: str) -> str:
    """Return what an error of a command says, on one line."""
    if isinstance(error, NgramError):
        text = in_shell(str(error), command)
    elif isinstance(error, OSError):
        what = error.strerror or str(error)
        text = f"{os.fsdecode(error.filename)}: {what}" if error.filename else what
        plain = error.errno in OUTPUT_ERRORS and what == os.strerror(error.errno)
        if plain and not error.filename:
            text = f"cannot write to standard output: {what[0].lower()}{what[1:]}"
    else:
        text = "not enough memory; use a smaller order, --prune or a smaller text"
    return " ".join(text.split())


def in_shell(text: str, first: str) -> str:
    """Return a message with the options of a command, else of any, for arguments."""

    def spelling(name: str) -> Spelling | None:
        for command in sorted(COMMANDS, key=lambda command: command != first):
            for option in load_command(command).params:
                if isinstance(option, click.Option) and option.name == name:
                    return Spelling.of(option)
        return None

    return in_options(text, spelling)


def show_warning(
    command: str,
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    click.echo(f"Warning: {in_shell(str(message), command)}", err=True)


def silence_stdout() -> None:
    """Drop what stdout still holds, so that closing it cannot fail again."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return  # closed, or an object in memory
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
