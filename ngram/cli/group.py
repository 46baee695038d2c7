"""The group of all subcommands, and what happens when one of them fails."""

import errno
import io
import os
import sys
import warnings
from importlib import import_module
from typing import TextIO

import click

from ngram.errors import NgramError
from ngram.version import __version__

COMMANDS = (
    "train",
    "count",
    "merge",
    "prune",
    "lmplz",
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


# Advice in the words of Python, and of the command line.
ADVICE = {
    "skip_symbols=True to": "--skip-symbols to",
    "discount_fallback=(0.5, 1.0, 1.5)": "--discount-fallback 0.5,1,1.5",
    "with discount_fallback.": "with --discount-fallback.",
    "ngram.train(path)": "`ngram train`",
    "ngram.train(ngram.Counts.load(path))": "`ngram train --from-counts`",
    "ngram.count_ngrams": "`ngram count`",
    "Pass it when you count the text.": "Use it with `ngram count`.",
    " Open files with ngram.Counts.load.": "",
    "weights='lines'": "--weighted-lines",
    "Count again with order=": "Count again with --order ",
    ", or use Counts.truncated.": ".",
    " with ngram.read_arpa(path)": "",
    "pass heldout, text": "pass --heldout FILE, text",
    "Pass heldout.": "Pass --heldout FILE.",
    "heldout has no effect with smoothing=": "--heldout has no effect with smoothing ",
    "max_bytes is": "--size is",
    "max_ngrams is": "--ngrams is",
    "with vocabulary_size.": "with --vocabulary-size.",
    "Pass vocabulary_size to": "Use --vocabulary-size to",
    ": ngram.read_arpa(path)": "",
    " Open it with ngram.load.": " Give it a name that does not end in .arpa.",
}
# What a shell sees of a program that SIGPIPE ends: nobody reads its output.
BROKEN_PIPE = 128 + 13
# Of writing to stdout; the errors of files name their path.
OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class CommandGroup(click.Group):
    """Subcommands by name; each is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"ngram.cli.{cmd_name}").command
        return command

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
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Text is bytes here: what came in as invalid UTF-8 goes out unchanged.
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = show_warning
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
        click.echo(f"Error: {sentence(error)}", err=True)
        return 1
    return status if isinstance(status, int) else 0


def sentence(error: Exception) -> str:
    """Return what an error says, on one line."""
    if isinstance(error, NgramError):
        text = in_shell(str(error))
    elif isinstance(error, OSError):
        what = error.strerror or str(error)
        text = f"{os.fsdecode(error.filename)}: {what}" if error.filename else what
        if not error.filename and error.errno in OUTPUT_ERRORS:
            text = f"cannot write to standard output: {what[0].lower()}{what[1:]}"
    else:
        text = "not enough memory; use a smaller order, --prune or a smaller text"
    return " ".join(text.split())


def in_shell(text: str) -> str:
    """Return a message with its advice in the words of the command line."""
    for python, shell in ADVICE.items():
        text = text.replace(python, shell)
    return text


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    click.echo(f"Warning: {in_shell(str(message))}", err=True)


def silence_stdout() -> None:
    """Drop what stdout still holds, so that closing it cannot fail again."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return  # closed, or an object in memory
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
