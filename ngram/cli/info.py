"""`ngram info`: what a model is and how it was made."""

from typing import Any

import click

from ngram.cli.files import open_model
from ngram.cli.options import json_option, model_argument
from ngram.cli.output import print_json


@click.command("info")
@model_argument
@json_option
def command(model: str, as_json: bool) -> None:
    """Print order, sizes, tokenizer, discounts and training data of MODEL."""
    with open_model(model) as opened:
        info = opened.info()
    if as_json:
        print_json(info)
    else:
        print_tree(info)


def print_tree(values: dict[str, Any], indent: str = "") -> None:
    """Print nested values as indented lines `name: value`."""
    for name, value in values.items():
        label = f"{indent}{name.replace('_', ' ')}:"
        if isinstance(value, dict):
            click.echo(label)
            print_tree(value, indent + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            click.echo(label)
            for item in value:
                click.echo(
                    f"{indent}  " + ", ".join(f"{k}: {v}" for k, v in item.items())
                )
        elif isinstance(value, list | tuple):
            click.echo(f"{label} {', '.join(map(text, value))}")
        else:
            click.echo(f"{label} {text(value)}")


def text(value: Any) -> str:
    return f"{value:,}" if type(value) is int else str(value)
