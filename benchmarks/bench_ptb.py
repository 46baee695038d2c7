"""Penn Treebank by counts alone: what each kind of model adds to a 5-gram.

    python benchmarks/bench_ptb.py ../shared/data/lm

FOLDER holds `ptb.train.txt` and `ptb.valid.txt`, also with `.xz`: Mikolov's split,
10,000 types, one sentence a line, `<unk>` an ordinary word, `</s>` predicted.
Perplexities are of the validation text. Nothing is fitted to it for "perplexity":
mixture weights and cache settings are chosen on the last tenth of the training text,
with models of the other nine, and then used with models of all of it. For
"perplexity_folds" the mixture weights alone are fitted on one half of the validation
text, measured on the other, and the other way round. Caches begin empty with the
validation text and see only what stands before.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import record
from numpy.typing import NDArray

import ngram
from ngram.files import open_input
from ngram.mixture.weights import Evidence, fit_linear, mixed, perplexity

Scores = dict[str, NDArray[np.float64]]
Settings = dict[str, tuple[ngram.Recent, ...]]

# What the text so far counts: without context, with one position, with more.
CANDIDATES = (
    ngram.Recent((100, 1.5, 0.5), 500),
    ngram.Recent((300, 1.5, 0.5), 200),
    ngram.Recent((100, 3, 1), 1000),
    ngram.Recent((300, 9, 3), 1000),
    ngram.Recent((300, 9, 3), 4000),
)
CLASSES = (60, 100, 200, 500, 1000)


@dataclass(frozen=True)
class Plan:
    """A skip model: its kind, positions and classes by (number, seed)."""

    kind: str
    context: Sequence[int | tuple[int, int]]  # with the number of classes
    through: int | None = None


def chain(classes: Sequence[int], words: int) -> list[int | tuple[int, int]]:
    """Return positions in which classes stand before each word, coarse ones first."""
    return [
        position
        for back in range(1, words + 1)
        for position in (*((back, number) for number in classes), back)
    ]


PLANS = {
    "5-gram, across sentences": Plan("word", [1, 2, 3, 4]),
    "skip 2 3 4": Plan("skip", [2, 3, 4]),
    "skip 1 3 4": Plan("skip", [1, 3, 4]),
    "after classes (200)": Plan("class", [(back, 200) for back in range(1, 5)]),
    "after classes and words (200)": Plan("class", chain([200], 3)),
    "class (100), then word": Plan("class", [1, 2, 3, 4], 100),
    "class (200), then word, after classes and words": Plan(
        "class", chain([200], 3), 200
    ),
    "class (500), then word, after classes": Plan(
        "class", [(back, 500) for back in range(1, 5)], 500
    ),
    "class (60), then word, after classes (60, 500) and words": Plan(
        "class", chain([60, 500], 3), 60
    ),
}


def read(folder: Path, name: str) -> list[str]:
    path = folder / f"ptb.{name}.txt"
    with open_input(path if path.exists() else path.with_suffix(".txt.xz")) as stream:
        text = stream.read().decode()
    # <unk> is a word of the text; here the name is reserved.
    return text.replace("<unk>", "UNK").splitlines()


class Models:
    """Everything that is trained on one text, and scores another."""

    def __init__(self, train: list[str], text: list[str]) -> None:
        self.orders = {order: ngram.train(train, order) for order in (3, 4, 5)}
        self.classes = {
            number: ngram.cluster_words(train, number) for number in CLASSES
        }
        self.class_models = {
            f"class 4-gram ({number})": ngram.ClassModel.train(train, classes, 4)
            for number, classes in self.classes.items()
        }
        self.skips = {name: self.skip(train, plan) for name, plan in PLANS.items()}
        self.ids, self.offsets = self.orders[5].encode(text)

    def skip(self, train: list[str], plan: Plan) -> ngram.SkipModel:
        context = [
            place if isinstance(place, int) else (place[0], self.classes[place[1]])
            for place in plan.context
        ]
        through = None if plan.through is None else self.classes[plan.through]
        return ngram.SkipModel.train(train, context, through=through, across=True)

    def scores(self) -> Scores:
        """Return the log10 probability of every token by models without a cache."""
        models = {
            **{f"{order}-gram": model for order, model in self.orders.items()},
            **self.class_models,
            **self.skips,
        }
        return {
            name: model.score_ids(self.ids, self.offsets)[0].astype(np.float64)
            for name, model in models.items()
        }

    def adapting(self, name: str, *recent: ngram.Recent) -> NDArray[np.float64]:
        scores = self.skips[name].score_adapting(self.ids, self.offsets, *recent)
        return scores.astype(np.float64)

    def settings(self) -> Settings:
        """Return for every skip model what the text so far should count."""
        return {
            name: self.best(name, model.steps) for name, model in self.skips.items()
        }

    def best(self, name: str, steps: int) -> tuple[ngram.Recent, ...]:
        found = [CANDIDATES[0]] * steps
        for step in range(steps):
            found[step] = min(
                CANDIDATES,
                key=lambda recent, step=step: perplexity(
                    self.adapting(name, *[*found[:step], recent, *found[step + 1 :]])
                ),
            )
        return tuple(found)

    def all_scores(self, settings: Settings) -> Scores:
        cached = {
            f"{name}, cache": self.adapting(name, *recent)
            for name, recent in settings.items()
        }
        return {**self.scores(), **cached}


def fitted(log10_prob: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights that make a text most probable; columns are models."""
    tokens, models = log10_prob.shape
    evidence = Evidence(log10_prob, np.zeros(tokens, np.int64))
    return fit_linear(evidence, np.full(models, 1 / models))[0]


def in_folds(log10_prob: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log10 probability of both halves, each by weights of the other."""
    halves = np.array_split(log10_prob, 2)
    return np.concatenate(
        [mixed(halves[half], fitted(halves[1 - half])) for half in (0, 1)]
    )


def groups(names: Sequence[str]) -> dict[str, list[str]]:
    """Return the mixtures of the table: each adds a kind of model."""
    kinds = {name: plan.kind for name, plan in PLANS.items()}
    words = ["5-gram"]
    classes = [name for name in names if name.startswith("class 4-gram")]
    skip = [name for name, kind in kinds.items() if kind in ("word", "skip")]
    contexts = [name for name, kind in kinds.items() if kind == "class"]
    cached = [name for name in names if name.endswith(", cache")]
    return {
        "5-gram and its cache": [*words, f"{next(iter(PLANS))}, cache"],
        "5-gram + class 4-grams": [*words, *classes],
        "+ skip models": [*words, *classes, *skip],
        "+ classes in the context": [*words, *classes, *skip, *contexts],
        "+ caches of all orders": [*words, *classes, *skip, *contexts, *cached],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    started = time.perf_counter()
    train, valid = read(options.folder, "train"), read(options.folder, "valid")
    cut = len(train) * 9 // 10

    held_out = Models(train[:cut], train[cut:])
    settings = held_out.settings()
    tuning = held_out.all_scores(settings)
    scores = Models(train, valid).all_scores(settings)

    corpus = {"name": "ptb", "tokens": len(next(iter(scores.values())))}
    for name, log10_prob in scores.items():
        recent = settings.get(name.removesuffix(", cache"), ())
        record.write(
            "ptb",
            model=name,
            corpus=corpus,
            components=1,
            perplexity=perplexity(log10_prob),
            recent=[vars(one) for one in recent] if name.endswith("cache") else None,
        )
    for name, members in groups(list(scores)).items():
        log10_prob, tuned = (
            np.stack([found[member] for member in members], axis=1)
            for found in (scores, tuning)
        )
        weights = fitted(tuned)
        record.write(
            "ptb",
            model=name,
            corpus=corpus,
            components=len(members),
            perplexity=perplexity(mixed(log10_prob, weights)),
            perplexity_folds=perplexity(in_folds(log10_prob)),
            weights=dict(zip(members, weights.round(4).tolist(), strict=True)),
        )
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
