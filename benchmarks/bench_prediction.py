"""Next tokens, full distributions and generation, per call.

    python benchmarks/bench_prediction.py MODEL TEXT

Equal results first: the top k must be the k largest of the full distribution, and the
distribution must agree with `kenlm` scoring every word (a few contexts, ARPA only).
Contexts are the beginnings of held-out sentences. The lists of successors are built
first (`index_successors`, timed apart) unless the file has them.
"""

import argparse
import random
import time
from pathlib import Path

import numpy as np
import record
from bench_scoring import read

import ngram

# float32 numbers, combined in another order than kenlm's
TOLERANCE_LOG10 = 1e-5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--kenlm", type=Path, help="the same model for kenlm")
    parser.add_argument("--contexts", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    with ngram.load(options.model) as model:
        bench(options, model)


def beginnings(path: Path, count: int) -> list[str]:
    """Return the beginnings of sentences, cut at a random token, always the same."""
    chance = random.Random(1)
    sentences = [line.split() for line in read(path, 20 * count) if line.split()]
    chosen = chance.sample(sentences, min(count, len(sentences)))
    return [" ".join(words[: chance.randrange(len(words))]) for words in chosen]


def bench(options: argparse.Namespace, model: "ngram.Model") -> None:
    contexts = beginnings(options.text, options.contexts)
    started = time.perf_counter()
    model.index_successors()
    indexing = time.perf_counter() - started
    for context in contexts[:200]:
        check_top(model, context)
    if options.kenlm is not None:
        check_kenlm(model, options.kenlm, contexts[:3])

    def per_call(work, calls: int):
        def measure() -> float:
            started = time.perf_counter()
            work()
            return (time.perf_counter() - started) / calls

        return measure

    variants = {
        f"next_tokens(k={k})": per_call(
            lambda k=k: [model.next_tokens(context, k=k) for context in contexts],
            len(contexts),
        )
        for k in (1, 10, 100)
    }
    variants["distribution"] = per_call(
        lambda: [model.distribution(context) for context in contexts[:50]], 50
    )
    variants["generate, per sentence"] = per_call(
        lambda: [model.generate(seed=seed, max_tokens=30) for seed in range(200)], 200
    )
    for name, seconds in record.interleaved(variants, options.runs).items():
        record.write(
            "prediction",
            variant=name,
            model={"name": options.model.name, "vocabulary": len(model.vocabulary)},
            order=model.order,
            corpus={"name": options.text.name, "contexts": len(contexts)},
            threads=1,
            runs=len(seconds),
            microseconds=record.spread([1e6 * value for value in seconds]),
            index_seconds=indexing,
            index_bytes=model.successors.bytes,
        )


def check_top(model: "ngram.Model", context: str) -> None:
    """Stop if the top 10 are not the 10 largest of the distribution."""
    probabilities = np.sort(model.distribution(context))[::-1][:10]
    top = [probability for _, probability in model.next_tokens(context, k=10)]
    if not np.allclose(top, probabilities[: len(top)], rtol=1e-6, atol=0):
        raise SystemExit(f"next_tokens differs from distribution after {context!r}")


def check_kenlm(model: "ngram.Model", path: Path, contexts: list[str]) -> None:
    """Stop if the distribution differs from kenlm's scores of every word."""
    import kenlm

    peer = kenlm.Model(str(path))
    words = list(model.vocabulary)
    for context in contexts:
        state = kenlm.State()
        peer.BeginSentenceWrite(state)
        for word in context.split():
            after = kenlm.State()
            peer.BaseScore(state, word, after)
            state = after
        after = kenlm.State()
        expected = np.array([peer.BaseScore(state, word, after) for word in words])
        predicted = np.array([word != "<s>" for word in words])
        ours = np.log10(model.distribution(context)[predicted])
        worst = float(np.max(np.abs(ours - expected[predicted])))
        if worst > TOLERANCE_LOG10:
            raise SystemExit(f"distribution differs from kenlm by {worst} log10")
        print(f"distribution equals kenlm's: largest difference {worst:.2e} log10")


if __name__ == "__main__":
    main()
