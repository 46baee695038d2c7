"""The drop-in `ngram.kenlm` against the package kenlm, call by call, on one thread.

    python benchmarks/bench_kenlm.py MODEL... --text TEXT

Each model is an ARPA file or a binary file of KenLM, which both sides open. Equal
results first: every score must be the same float, bit for bit. Then, in turns, CPU
seconds of the same calls: one sentence at a time, all words of a sentence, and one
word after a state. A ratio above 1 says that ngram is faster.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kenlm
import record

from ngram import kenlm as ours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    with open(options.text, encoding="utf-8", errors="replace", newline="\n") as file:
        lines = zip(file, range(options.sentences), strict=False)
        sentences = [line.rstrip("\n") for line, _ in lines]
    for path in options.models:
        bench(path, sentences, options)


def bench(path: Path, sentences: list[str], options: argparse.Namespace) -> None:
    models = {"kenlm": (kenlm, open_theirs(path)), "ngram": (ours, ours.Model(path))}
    check(*(model for _, model in models.values()), sentences)
    calls = {
        "score": score,
        "score, 3 words": score_short,
        "full_scores": full_scores,
        "BaseScore": base_score,
    }
    print(f"{path.name}: {models['ngram'][1].kind}, {len(sentences)} sentences equal")
    for name, call in calls.items():
        variants = {
            side: timed(call, module, model, sentences)
            for side, (module, model) in models.items()
        }
        times = record.interleaved(variants, options.runs)
        per_call = {
            side: [1e9 * value for value in values] for side, values in times.items()
        }
        ratio = min(times["kenlm"]) / min(times["ngram"])
        record.write(
            "kenlm",
            call=name,
            model={"name": path.name, "kind": models["ngram"][1].kind},
            order=models["ngram"][1].order,
            corpus={"name": options.text.name, "sentences": len(sentences)},
            runs=options.runs,
            cpu_nanoseconds_per_call={
                side: record.spread(values) for side, values in per_call.items()
            },
            ratio_of_minima=ratio,
        )
        print(f"  {name}: {ratio:.2f}x kenlm")


def open_theirs(path: Path) -> kenlm.Model:
    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    return kenlm.Model(str(path), config)


def check(theirs: Any, mine: Any, sentences: list[str]) -> None:
    for text in sentences:
        same = repr(theirs.score(text)) == repr(mine.score(text)) and repr(
            list(theirs.full_scores(text))
        ) == repr(list(mine.full_scores(text)))
        if not same:
            raise SystemExit(f"scores differ from kenlm: stop. Sentence: {text!r}")


Call = Callable[[Any, Any, list[str]], int]


def timed(
    call: Call, module: Any, model: Any, sentences: list[str]
) -> Callable[[], float]:
    def measure() -> float:
        started = time.process_time()
        calls = call(module, model, sentences)
        return (time.process_time() - started) / calls

    return measure


def score(_: Any, model: Any, sentences: list[str]) -> int:
    for text in sentences:
        model.score(text)
    return len(sentences)


def score_short(_: Any, model: Any, sentences: list[str]) -> int:
    short = [" ".join(text.split()[:3]) for text in sentences]
    for _ in range(10):
        for text in short:
            model.score(text)
    return 10 * len(short)


def full_scores(_: Any, model: Any, sentences: list[str]) -> int:
    for text in sentences:
        list(model.full_scores(text))
    return len(sentences)


def base_score(module: Any, model: Any, sentences: list[str]) -> int:
    calls = 0
    for text in sentences:
        state = module.State()
        model.BeginSentenceWrite(state)
        for word in text.split():
            after = module.State()
            model.BaseScore(state, word, after)
            state = after
            calls += 1
    return calls


if __name__ == "__main__":
    main()
