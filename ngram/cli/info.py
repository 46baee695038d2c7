"""`ngram info`: what a model or a file of counts is and how it was made."""

from collections.abc import Iterable, Iterator
from typing import Any

import click

from ngram.cli.files import holds_counts, open_model
from ngram.cli.options import json_option, model_argument
from ngram.cli.output import print_json, print_table


@click.command("info", short_help="Say what a model is and how it was made.")
@model_argument
@json_option
def command(model: str, as_json: bool) -> None:
    """Print order, sizes, tokenizer, discounts and training data of MODEL.

    Of a file of counts (`ngram count`), order, sizes, tokenizer and texts.
    """
    if holds_counts(model):
        from ngram.counts import Counts

        counted = Counts.load(model).info()
        if as_json:
            print_json(counted)
        else:
            print_counts(counted)
        return
    with open_model(model) as opened:
        info = opened.info()
    if as_json:
        print_json(info)
    else:
        print_info(info)


def print_info(info: dict[str, Any]) -> None:
    rows = [
        ("order", str(info["order"])),
        ("vocabulary", f"{info['vocabulary_size']:,} types"),
        ("n-grams", f"{sum(info['ngrams']):,}"),
        ("tokenizer", info["tokenizer"]),
        ("structure", info["structure"]),
        *((f"memory, {part}", f"{size:,}") for part, size in info["memory"].items()),
    ]
    training = info["training"] or {}
    rows += [("trained on", text) for text in texts(training.get("sources", ()))]
    for name, value in training.get("options", {}).items():
        rows.append((f"option {name}", str(value)))
    rows += [("pruned by", how) for how in prunings(training.get("pruning", ()))]
    if "version" in training:
        rows.append(("trained with", f"ngram {training['version']}"))
    print_table(rows, "<<")
    click.echo()
    print_table(orders(info), ">" * len(orders(info)[0]))


def print_counts(info: dict[str, Any]) -> None:
    rows = [
        ("order", str(info["order"])),
        ("vocabulary", f"{info['vocabulary_size']:,} types"),
        ("n-grams", f"{sum(info['ngrams']):,}"),
        ("tokenizer", info["tokenizer"]),
        ("tokens", f"{info['tokens']:,}"),
        ("sentences", f"{info['sentences']:,}"),
        *(("counted", text) for text in texts(info["sources"])),
    ]
    print_table(rows, "<<")
    click.echo()
    sizes = [(str(k), f"{size:,}") for k, size in enumerate(info["ngrams"], 1)]
    print_table([("order", "n-grams"), *sizes], ">>")


def texts(sources: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield one line for each text, with its sizes."""
    for source in sources:
        what = ", ".join(f"{k} {v}" for k, v in source.items() if k != "name")
        yield f"{source['name']} ({what})"


def prunings(records: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield one line for each time that a model was pruned."""
    for record in records:
        what = [
            str(value) if name == "method" else f"{name} {value}"
            for name, value in record.items()
            if value is not None and name != "ngrams_before"
        ]
        yield f"{', '.join(what)}; from {sum(record['ngrams_before']):,} n-grams"


def orders(info: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return one row per order, below a header."""
    header = ["order", "n-grams", "bytes", "of values", "per n-gram"]
    rows = [
        [
            str(size["order"]),
            f"{count:,}",
            f"{size['lines'] + size['values']:,}",
            f"{size['values']:,}",
            "" if size["per_ngram"] is None else f"{size['per_ngram']:.2f}",
        ]
        for count, size in zip(info["ngrams"], info["table"], strict=True)
    ]
    if info["discounts"]:
        header += ["D1", "D2", "D3+"]
        for row, discounts in zip(rows, info["discounts"], strict=True):
            row += [f"{discount:.4f}" for discount in discounts]
    if info["counts_of_counts"]:
        header += ["n1", "n2", "n3", "n4"]
        for row, counts in zip(rows, info["counts_of_counts"], strict=True):
            row += [f"{count:,}" for count in counts]
    return [tuple(header), *(tuple(row) for row in rows)]
