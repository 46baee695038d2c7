"""`ngram demo`: train on text that is already here, and show what a model can do."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ngram.cli.options import json_option, threads_option
from ngram.cli.output import print_json, print_table, quantity

if TYPE_CHECKING:
    from ngram.model import Model

ORDERS = (1, 2, 3, 4, 5)
SEED = 7


@dataclass(frozen=True)
class Language:
    """What is shown in one language."""

    name: str
    corpus: Callable[[], tuple[list[str], list[str]]]
    source: str
    contexts: tuple[str, ...]
    pair: tuple[str, str]
    candidates: tuple[str, ...]  # a context, then the tokens to choose from
    beginning: str  # of the generated line


def languages() -> tuple[Language, Language]:
    from ngram.demo import english_corpus, korean_corpus

    english = Language(
        "English",
        english_corpus,
        "docstrings and documentation of this Python's standard library",
        ("the number of", "returns a", "if the file"),
        ("the name of the file is a string .", "file the of name string a is the ."),
        ("the file is opened for", "reading", "cooking", "the"),
        "this function",
    )
    korean = Language(
        "Korean",
        korean_corpus,
        "sentences about everyday life, part of this package",
        ("길가에 꽃이", "방에 불을", "비가"),
        ("저녁에 방에 불을 켰다", "저녁에 방에 불을 때렸다"),
        ("길가에 꽃이 흐드러지게", "피었다", "때렸다", "껐다"),
        "할머니가",
    )
    return english, korean


@click.command("demo", short_help="Show what a model can do, on text that is here.")
@threads_option
@json_option
def command(threads: int | None, as_json: bool) -> None:
    """Train on text that every Python carries, and show what a model can do.

    English first, then Korean; nothing is downloaded. With --json one JSON object per
    language.
    """
    for language in languages():
        shown = show(language, threads)
        if as_json:
            print_json(shown)
        else:
            print_language(shown)


def show(language: Language, threads: int | None) -> dict[str, Any]:
    """Return everything that is shown in one language."""
    from ngram.errors import DiscountWarning
    from ngram.estimate import train

    sentences, held_out = language.corpus()
    rows = []
    for order in ORDERS:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", DiscountWarning)
            started = time.perf_counter()
            model = train(sentences, order, threads=threads)
            seconds = time.perf_counter() - started
        result = model.perplexity(held_out)
        rows.append(
            {
                "order": order,
                "perplexity": result.perplexity,
                "perplexity_excluding_oov": result.perplexity_excluding_oov,
                "seconds": seconds,
            }
        )
    return {
        "language": language.name,
        "source": language.source,
        "sentences": len(sentences),
        "tokens": sum(len(sentence.split()) for sentence in sentences),
        "held_out": {
            "sentences": len(held_out),
            "tokens": result.tokens,
            "oov": result.oov,
        },
        "perplexity": rows,
        "notes": [str(warning.message) for warning in caught],
        "next": [
            {
                "context": context,
                "tokens": [
                    {"token": token, "probability": probability}
                    for token, probability in model.next_tokens(context, k=5)
                ],
            }
            for context in language.contexts
        ],
        "natural": natural(model, language.pair),
        "candidates": candidates(model, language.candidates, sentences),
        "generated": model.generate(
            language.beginning, seed=SEED, temperature=0.7, max_tokens=40
        ),
        "scored_sentences_per_second": len(held_out) / scoring_seconds(model, held_out),
    }


def natural(model: "Model", pair: tuple[str, str]) -> list[dict[str, Any]]:
    """Return both sentences of a pair, the more natural one first."""
    return [
        {"text": text, "log10_prob": model.score(text)}
        for text in sorted(pair, key=model.score, reverse=True)
    ]


def candidates(
    model: "Model", choice: tuple[str, ...], sentences: list[str]
) -> dict[str, Any]:
    """Return tokens after a context by probability, and whether the best was seen."""
    context, *tokens = choice
    state = model.state()
    for token in context.split():
        _, state = model.advance(state, token)
    probability = {token: 10 ** model.advance(state, token)[0] for token in tokens}
    ranking = [
        {"token": token, "probability": probability[token]}
        for token in sorted(tokens, key=probability.__getitem__, reverse=True)
    ]
    whole = f"{context} {ranking[0]['token']}"
    return {
        "context": context,
        "ranking": ranking,
        "sentence": whole,
        "in_training_text": any(whole in sentence for sentence in sentences),
    }


def scoring_seconds(model: "Model", sentences: list[str]) -> float:
    started = time.perf_counter()
    model.score_batch(sentences)
    return time.perf_counter() - started


def print_language(shown: dict[str, Any]) -> None:
    click.echo(f"{shown['language']}: {shown['source']}")
    held_out = shown["held_out"]
    click.echo(
        f"{shown['sentences']:,} sentences, {shown['tokens']:,} tokens; held out: "
        f"{held_out['sentences']:,} sentences, {held_out['tokens']:,} tokens, "
        f"{held_out['oov']:,} of them unknown"
    )
    click.echo("\nPerplexity of the held-out text, by order (lower is better)")
    rows = [("order", "all tokens", "known tokens", "training, s", "tokens/s")]
    for row in shown["perplexity"]:
        rows.append(
            (
                str(row["order"]),
                f"{row['perplexity']:.1f}",
                f"{row['perplexity_excluding_oov']:.1f}",
                f"{row['seconds']:.3f}",
                quantity(shown["tokens"] / row["seconds"]),
            )
        )
    print_table(rows, ">>>>>")
    for note in shown["notes"]:
        click.echo(f"Note: {note}")

    click.echo(f"\nMost probable next tokens (order {ORDERS[-1]})")
    for entry in shown["next"]:
        tokens = "  ".join(
            f"{token['token']} {token['probability']:.3f}" for token in entry["tokens"]
        )
        click.echo(f"  {entry['context']} ...  {tokens}")

    better, worse = shown["natural"]
    click.echo("\nWhich sentence is more natural? (log10 probability)")
    click.echo(f"  {better['log10_prob']:8.2f}  {better['text']}")
    click.echo(f"  {worse['log10_prob']:8.2f}  {worse['text']}")

    entry = shown["candidates"]
    click.echo(f"\nWhich token comes after '{entry['context']}'?")
    print_table(
        [
            (f"  {token['token']}", f"{token['probability']:.2e}")
            for token in entry["ranking"]
        ],
        "<>",
    )
    seen = "is" if entry["in_training_text"] else "is not"
    click.echo(f"  '{entry['sentence']}' {seen} in the training text.")

    click.echo(f"\nA generated line: {shown['generated']}")
    click.echo(
        f"Scoring: {quantity(shown['scored_sentences_per_second'])} sentences/s\n"
    )
