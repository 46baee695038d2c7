"""Modes: a base model and 10,000 tokens of a domain, mixed, against each of them alone.

    python benchmarks/bench_domains.py ../shared/data

For each domain the base model is trained on the text of all other domains of its
language and one general text (English: WikiText-2; Korean: film reviews); never on the
domain. The mixture is `ngram.adapt(base, text)`, weights by cross-validation on the
10,000 tokens; the development text is only measured. All perplexities are over one
closed vocabulary, the words of the base and of the 10,000 tokens: a model gives its
p(<unk> | context) in equal shares to the words of it that it does not know. Tokens
outside it are left out, of every model alike. "known" rows hold only tokens that occur
among the 10,000: there no model gains by knowing more words.
"""

import argparse
import lzma
import re
import time
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import record

import ngram

# Some texts are tokenized, others are not, and WikiText-2 has marks of its own: now all
# are words and punctuation.
MARK = re.compile(r"<unk>|@(?=[-,.]@)|(?<=@[-,.])@")
WORD = re.compile(r"\w+|[^\w\s]")
GENERAL = {"en": "lm/wikitext2.train.txt.xz", "ko": "nsmc/unlabelled.txt.xz"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--tokens", type=int, default=10_000, help="of the domain")
    parser.add_argument("--base-order", type=int, default=5)
    parser.add_argument("--order", type=int, default=3, help="of the domain's model")
    parser.add_argument("--domains", nargs="*", help="names; by default all")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ngram.DiscountWarning)
    for language, general in GENERAL.items():
        folder = options.data / "domains" / language
        names = sorted(
            path.name.removesuffix(".train.txt.xz")
            for path in folder.glob("*.train.txt.xz")
        )
        texts = {name: read(folder / f"{name}.train.txt.xz") for name in names}
        common = read(options.data / general)
        for name in names:
            if not options.domains or name in options.domains:
                others = [
                    line for other in names if other != name for line in texts[other]
                ]
                base = ngram.train(common + others, options.base_order)
                domain = first(texts[name], options.tokens)
                dev = read(folder / f"{name}.dev.txt.xz")
                bench(f"{language}/{name}", base, domain, dev, options)


def read(path: Path) -> list[str]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        lines = (" ".join(WORD.findall(MARK.sub("", line))) for line in file)
        return [line for line in lines if line]


def first(sentences: list[str], tokens: int) -> list[str]:
    """Return as many sentences from the beginning as hold so many tokens."""
    ends = np.cumsum([len(sentence.split()) for sentence in sentences])
    return sentences[: int(np.searchsorted(ends, tokens)) + 1]


def bench(
    name: str,
    base: "ngram.Model",
    domain: list[str],
    dev: list[str],
    options: argparse.Namespace,
) -> None:
    started = time.perf_counter()
    mixture = ngram.adapt(base, domain, options.order)
    seconds = time.perf_counter() - started
    alone = mixture.components[1]
    words = list(mixture.vocabulary)
    known_words = set(alone.vocabulary)
    models = {
        "domain": ngram.Mixture([alone], vocabulary=words),
        "base": ngram.Mixture([base], vocabulary=words),
        "linear": mixture,
        "context": ngram.adapt(base, domain, options.order, kind="context"),
        "flattened": mixture.flatten(),
    }
    tokens = [token for line in dev for token in (*line.split(), "</s>")]
    known = np.array([token in known_words for token in tokens])
    perplexities, known_perplexities = {}, {}
    for kind, model in models.items():
        log10_prob, _, is_oov = model.score_tokens(dev)
        perplexities[kind] = perplexity(log10_prob[~is_oov])
        known_perplexities[kind] = perplexity(log10_prob[known])
    record.write(
        "domains",
        domain=name,
        order={"base": base.order, "domain": options.order},
        base={"ngrams": sum(base.table.counts), "vocabulary": len(base.vocabulary)},
        vocabulary=len(words),
        corpus={
            "domain_tokens": sum(len(line.split()) for line in domain),
            "dev_tokens": len(tokens),
            "oov": float(np.mean(is_oov)),
            "known": float(np.mean(known)),
        },
        weights=mixture.weights.tolist(),
        perplexity=perplexities,
        perplexity_of_known=known_perplexities,
        adapt_seconds=seconds,
    )


def perplexity(log10_prob: Iterable[float]) -> float:
    return float(10 ** -np.mean(np.asarray(log10_prob, np.float64)))


if __name__ == "__main__":
    main()
