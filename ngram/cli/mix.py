"""`ngram mix`: several models as one, with weights that fit a text."""

import click

from ngram.cli.files import check_target, open_model, read_sentences, write_model
from ngram.cli.options import (
    MODEL_FILE,
    PATH,
    decimal_numbers,
    json_option,
    output_option,
    threads_option,
    tokenizer_option,
)
from ngram.cli.output import print_json, print_table, progress

KINDS = ("linear", "context", "log-linear")


@click.command("mix", short_help="Mix models into one, with weights that fit a text.")
@click.argument("models", nargs=-1, required=True, type=PATH)
@click.option(
    "--dev",
    type=PATH,
    metavar="TEXT",
    help="Text to fit the weights to and to measure perplexity on, one sentence per "
    "line; not one that a model was trained on. `-` is stdin.",
)
@click.option(
    "--weights",
    type=decimal_numbers,
    default="",
    metavar="W1,W2,...",
    help="Weights of the models instead of fitted ones; they sum to 1, except of "
    "log-linear mixtures.  [default: fitted to --dev, else equal]",
)
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default="linear",
    show_default=True,
    help="How to mix: weighted sums; the same with weights that depend on how much of "
    "the context each model knows; or weighted products, normalised.",
)
@output_option(f"{MODEL_FILE}  [default: none]", required=False)
@tokenizer_option
@threads_option
@json_option
def command(
    models: tuple[str, ...],
    dev: str | None,
    weights: tuple[float, ...],
    kind: str,
    output: str | None,
    tokenizer: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Mix MODELS into one back-off model, and say how well each predicts a text.

    Every n-gram of any model gets the probability of the mixture; others are backed off
    to. All perplexities are over the words of all models, so they compare. The fitted
    mixture is never worse on the text than the best of its models.
    """
    if dev is None and output is None:
        raise click.UsageError("nothing to do: pass --dev, --output or both.")
    if models.count("-") + (dev == "-") > 1:
        raise click.UsageError("stdin can be one model or the text: name the others.")
    if output is not None:
        check_target(output, as_json=as_json, inputs=filter(None, [dev]))
    from ngram.mixture import Mixture

    mixture = Mixture(
        [open_model(model, tokenizer) for model in models], weights or None, kind=kind
    )
    perplexities: dict[str, float] = {}
    sentences = list(read_sentences([dev], mixture.tokenizer)) if dev else []
    if dev:
        evidence = mixture.evidence(sentences)
        alone = evidence.perplexities()
        if weights:
            evidence.check()
        else:
            mixture = mixture.fit_evidence(evidence)
        perplexities["mixture"] = mixture.perplexity(sentences).perplexity
    if output is not None:
        with progress() as report:
            model = mixture.flatten(threads=threads, progress=report)
            write_model(model, output, threads, report)
        if dev:
            perplexities["output"] = model.perplexity(sentences).perplexity
    if as_json:
        print_json(
            {
                "kind": kind,
                "models": models,
                "weights": mixture.weights,
                "perplexities": alone if dev else None,
                "perplexity": perplexities.get("mixture"),
                "output": output,
                "output_perplexity": perplexities.get("output"),
            }
        )
        return
    rows = [("model", "weight", "perplexity")]
    for i, name in enumerate(models):
        weight = "by context" if kind == "context" else f"{mixture.weights[i]:.4f}"
        rows.append((name, weight, f"{alone[i]:.2f}" if dev else ""))
    rows += [(name, "", f"{value:.2f}") for name, value in perplexities.items()]
    print_table(rows, "<>>", to_stderr=output == "-")
