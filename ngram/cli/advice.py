"""Advice: what errors say about arguments, in the words of a command line.

Input: a message that names arguments as `ngram.errors` describes, and how the command
line spells them. Output: the message with options instead.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass

import click

VALUE = r"\([^()]*\)|'[^']*'|[-+\w]+(?:\.\w+)*"
ARGUMENT = re.compile(
    r"^(?P<subject>[a-z]\w*)(?= is | holds )"
    r"|`(?P<name>[a-z]\w*)`"
    rf"|\b(?P<given>[a-z]\w*)=(?P<value>{VALUE})"
)


@dataclass(frozen=True)
class Spelling:
    """How a command line writes an argument.

    Attributes
    ----------
    option : str
        With its dashes.
    off : str
        What turns a switch off; empty if leaving it out does.
    separator : str
        What stands between the numbers of a list.
    """

    option: str
    off: str = ""
    separator: str = ","

    @classmethod
    def of(cls, option: click.Option) -> "Spelling":
        """Return how click reads an option."""
        return cls(
            max(option.opts, key=len),
            max(option.secondary_opts, key=len, default=""),
        )

    def with_value(self, value: str) -> str:
        """Return the option with a value as Python writes it."""
        found: object = value
        if value[0] in "('" or value in ("True", "False"):
            found = ast.literal_eval(value)
        if found is True:
            return self.option
        if found is False:
            return self.off or f"no {self.option}"
        if isinstance(found, tuple):
            found = self.separator.join(f"{number:g}" for number in found)
        return f"{self.option} {found}"


def in_options(text: str, spelling: Callable[[str], Spelling | None]) -> str:
    """Return a message with options for the arguments that have one."""

    def option(match: re.Match[str]) -> str:
        name = match["subject"] or match["name"] or match["given"]
        found = spelling(name)
        if found is None:
            return match[0]
        if match["given"]:
            return found.with_value(match["value"])
        return found.option

    return ARGUMENT.sub(option, text)
