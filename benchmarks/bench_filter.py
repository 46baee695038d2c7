"""Filtering a corpus by perplexity: `ngram filter` against the same job with kenlm.

    python benchmarks/bench_filter.py MODEL KENLM_MODEL TEXT

The peer is the loop people write: read a document, score each line with
kenlm.Model.score, keep it if its perplexity is low enough. Documents are lines of TEXT,
and JSON objects of 20 lines each. Both must keep the same documents (but for
perplexities within a millionth of the bound); then whole processes are timed in turns.
"""

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path

import record

BOUND = 200.0
LINES = 20  # of a JSON document

PEER = """
import json, sys
import kenlm
model, source, target, kind, bound = sys.argv[1:]
bound = float(bound)
model = kenlm.Model(model)
out = open(target, "w", encoding="utf-8")
with open(source, encoding="utf-8") as lines, out:
    for line in lines:
        text = json.loads(line)["text"] if kind == "jsonl" else line
        score = length = 0
        for sentence in text.splitlines():
            words = len(sentence.split())
            if words:
                score += model.score(sentence)
                length += words + 1
        if length and 10.0 ** (-score / length) <= bound:
            out.write(line)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("kenlm_model", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument(
        "--repeat", type=int, default=10, help="the text, so many times"
    )
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("text", "jsonl"):
            bench(options, kind, Path(folder))


def bench(options: argparse.Namespace, kind: str, folder: Path) -> None:
    source = make_source(options, kind, folder)
    ending = source.suffix
    ours, theirs = folder / f"ours{ending}", folder / f"theirs{ending}"
    command = [sys.executable, "-P", "-m", "ngram.cli", "filter", str(options.model)]
    command += [str(source), "-o", str(ours), "--max", str(BOUND)]
    peer = [sys.executable, "-c", PEER, str(options.kenlm_model)]
    peer += [str(source), str(theirs), kind, str(BOUND)]
    variants = {
        "ngram filter": partial(record.run, command),
        "ngram filter, 1 thread": partial(record.run, [*command, "--threads", "1"]),
        "kenlm in Python": partial(record.run, peer),
    }
    measured = {name: [] for name in variants}
    for run in range(options.runs):
        for name, measure in variants.items():
            measured[name].append(measure())
        if run == 0:
            differences = compare(ours, theirs)
    tokens = record.corpus_size(source)["tokens"]
    peer_seconds = record.spread([run.seconds for run in measured["kenlm in Python"]])
    for name, runs in measured.items():
        seconds = record.spread([run.seconds for run in runs])
        record.write(
            "filter",
            variant=name,
            documents=kind,
            model=options.model.name,
            text=options.text.name,
            repeated=options.repeat,
            tokens=tokens,
            runs=len(runs),
            seconds=seconds,
            cpu_seconds=record.spread([run.cpu_seconds for run in runs]),
            peak_bytes=max(run.peak_bytes for run in runs),
            differences=differences,
            times_faster=peer_seconds["median"] / seconds["median"],
        )


def make_source(options: argparse.Namespace, kind: str, folder: Path) -> Path:
    """Write the documents, the text several times over."""
    source = folder / f"source.{'jsonl' if kind == 'jsonl' else 'txt'}"
    lines = options.text.read_text(encoding="utf-8").splitlines()
    if kind == "jsonl":
        texts = ["\n".join(lines[i : i + LINES]) for i in range(0, len(lines), LINES)]
        lines = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
    with open(source, "w", encoding="utf-8") as file:
        for _ in range(options.repeat):
            file.writelines(line + "\n" for line in lines)
    return source


def compare(ours: Path, theirs: Path) -> int:
    """Return how many kept documents differ; stop if more than one in a million do."""
    left = ours.read_bytes().splitlines()
    right = theirs.read_bytes().splitlines()
    different = len(set(left) ^ set(right)) + abs(len(left) - len(right))
    if different * 1e6 > max(len(left), len(right)):
        raise SystemExit(f"{different} documents differ of {len(left)}: stop")
    return different


if __name__ == "__main__":
    main()
