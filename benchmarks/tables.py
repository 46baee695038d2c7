"""Write the tables of README files and documents from `benchmarks/results/*.jsonl`.

    python benchmarks/tables.py

A table stands between two marker lines, so no number is copied by hand. For each
variant the newest line counts. Read next: `record.py`, which writes the lines.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
FILES = [
    FOLDER.parent / "README.md",
    FOLDER / "README.md",
    FOLDER.parent / "docs" / "smoothing.md",
    FOLDER.parent / "docs" / "pruning.md",
]

Row = dict[str, Any]


def newest(benchmark: str, key: tuple[str, ...]) -> list[Row]:
    """Return the newest result of every variant, in order of first appearance."""
    path = RESULTS / f"{benchmark}.jsonl"
    found: dict[str, Row] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            found[json.dumps([row.get(name) for name in key])] = row
    return list(found.values())


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    rows = [list(row) for row in rows]
    if not rows:
        return ""
    header = list(header)
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def estimate_rows() -> list[Row]:
    return newest(
        "estimate", ("program", "output", "threads", "memory", "corpus", "order")
    )


def seconds(row: Row) -> float:
    return float(row["seconds"]["median"])


def peer_of(row: Row, rows: list[Row]) -> Row | None:
    """Return the fastest lmplz run on the same corpus and order."""
    peers = [
        peer
        for peer in rows
        if peer["program"] == "lmplz"
        and (peer["corpus"], peer["order"]) == (row["corpus"], row["order"])
    ]
    return min(peers, key=seconds, default=None)


def estimate() -> str:
    rows = estimate_rows()
    lines = []
    for row in rows:
        peer = peer_of(row, rows)
        ratio = "" if peer is None else f"{seconds(peer) / seconds(row):.1f}x"
        name = f"{row['program']}, {row['output']}, {row['threads']} threads"
        if row["program"] == "lmplz":
            name += f", -S {row['memory'] or '80% (default)'}"
        lines.append(
            [
                f"{row['corpus']['name']}, order {row['order']}: {name}",
                f"{row['corpus']['tokens'] / 1e6:.1f}",
                f"{seconds(row):.2f}",
                f"{row['seconds']['min']:.2f} - {row['seconds']['max']:.2f}",
                ratio,
                f"{row['peak_bytes_per_token']:.1f}",
            ]
        )
    return table(
        ["training", "M tokens", "s", "spread", "lmplz / this", "peak B/token"], lines
    )


def stages() -> str:
    """Return what each stage of training costs, and how far it is from the limits."""
    lines = []
    for row in newest("stages", ("corpus", "order", "threads", "memory")):
        limits = row["limits_ns_per_position"]
        for stage, spent in row["stages"].items():
            user, system = (
                spent[name] / row["positions"] * 1e9 for name in ("user", "system")
            )
            lines.append(
                [
                    f"{row['corpus']}, order {row['order']}: {stage}",
                    f"{spent['wall']:.2f}",
                    f"{user:.0f}",
                    f"{system:.0f}",
                    f"{user / limits['tokenise']:.1f}x",
                    f"{user / limits['copy']:.0f}x",
                ]
            )
    return table(
        [
            "stage",
            "s",
            "user ns/position",
            "system ns/position",
            "reading one-threaded",
            "copying 16 bytes",
        ],
        lines,
    )


def scoring() -> str:
    rows = newest("scoring", ("variant", "model", "corpus"))
    lines = []
    for row in rows:
        time = row["nanoseconds_per_token"]
        lines.append(
            [
                f"{row['model']['name']}: {row['variant']}",
                f"{row['model']['ngrams'] / 1e6:.1f}",
                f"{time['median']:.0f}",
                f"{time['min']:.0f} - {time['max']:.0f}",
                f"{row['bytes_per_ngram']:.2f}",
                f"{row['largest_difference_log10_per_token']:.0e}",
            ]
        )
    return table(
        [
            "scoring",
            "M n-grams",
            "ns/token",
            "spread",
            "bytes/n-gram",
            "largest difference, log10",
        ],
        lines,
    )


def prediction() -> str:
    rows = newest("prediction", ("variant", "model", "corpus"))
    return table(
        ["prediction", "types", "us/call", "spread"],
        [
            [
                f"{row['model']['name']}: {row['variant']}",
                f"{row['model']['vocabulary']:,}",
                f"{row['microseconds']['median']:.1f}",
                f"{row['microseconds']['min']:.1f} - {row['microseconds']['max']:.1f}",
            ]
            for row in rows
        ],
    )


def arpa() -> str:
    rows = newest("arpa", ("variant", "model"))
    return table(
        ["ARPA", "M n-grams", "s", "spread", "processor ns/line"],
        [
            [
                f"{row['model']['name']}: {row['variant']}",
                f"{row['model']['ngrams'] / 1e6:.1f}",
                f"{row['seconds']['median']:.2f}",
                f"{row['seconds']['min']:.2f} - {row['seconds']['max']:.2f}",
                f"{row['cpu_nanoseconds_per_line']['median']:.0f}",
            ]
            for row in rows
        ],
    )


def filtering() -> str:
    rows = newest("filter", ("variant", "documents", "model", "text"))
    return table(
        ["filtering", "M tokens", "s", "spread", "times faster"],
        [
            [
                f"{row['documents']}, {row['model']}: {row['variant']}",
                f"{row['tokens'] / 1e6:.1f}",
                f"{row['seconds']['median']:.2f}",
                f"{row['seconds']['min']:.2f} - {row['seconds']['max']:.2f}",
                f"{row['times_faster']:.1f}x",
            ]
            for row in rows
        ],
    )


def smoothings() -> str:
    """Return the bits per token of every method on the whole of each corpus."""
    rows = newest("smoothings", ("corpus", "order", "sentences"))
    largest = {
        corpus: max(row["sentences"] for row in rows if row["corpus"] == corpus)
        for corpus in dict.fromkeys(row["corpus"] for row in rows)
    }
    rows = [row for row in rows if row["sentences"] == largest[row["corpus"]]]
    if not rows:
        return ""
    last = rows[-1]["bits_per_token"]
    methods = sorted(last, key=lambda method: last[method] or float("inf"))
    lines = []
    for method in methods:
        cells = []
        for row in rows:
            bits = row["bits_per_token"][method]
            text = "inf" if bits is None else f"{bits:.3f}"
            scores = method in row["not_normalised"]
            cells.append(f"({text})" if scores else text)
        lines.append([f"`{method}`", *cells])
    header = [f"{row['corpus']}, order {row['order']}" for row in rows]
    return table(["bits per token", *header], lines)


def ptb() -> str:
    lines = []
    for row in newest("ptb", ("model", "corpus")):
        folds = row.get("perplexity_folds")
        lines.append(
            [
                row["model"],
                str(row["components"]),
                f"{row['perplexity']:.1f}",
                f"{folds:.1f}" if folds else "",
            ]
        )
    return table(
        ["Penn Treebank, validation", "models", "perplexity", "weights by folds"], lines
    )


def summary() -> str:
    """Return the few rows the top README shows: this package against KenLM."""
    rows = estimate_rows()
    lines = []
    for row in rows:
        peer = peer_of(row, rows)
        if peer is not None and row["program"] == "ngram":
            what = {"model": "text to model file", "arpa": "text to ARPA"}[
                row["output"]
            ]
            lines.append(
                [
                    f"{what}, {row['corpus']['tokens'] / 1e6:.1f}M tokens, "
                    f"order {row['order']}, {row['threads']} threads",
                    f"{seconds(row):.1f} s",
                    f"{seconds(peer):.1f} s (lmplz ARPA)",
                    f"{seconds(peer) / seconds(row):.1f}x",
                ]
            )
    rows = newest("scoring", ("variant", "model", "corpus"))
    medians = {
        (row["model"]["name"], row["variant"]): row["nanoseconds_per_token"]["median"]
        for row in rows
    }
    for model in dict.fromkeys(name for name, _ in medians):
        for what, ours, theirs in (
            ("ids to scores", "fast ids", "kenlm_benchmark ids"),
            ("list of str to scores", "fast list[str]", "kenlm str"),
            ("one str to score", "fast str", "kenlm str"),
        ):
            if (model, theirs) in medians and (model, ours) in medians:
                left, right = medians[model, ours], medians[model, theirs]
                lines.append(
                    [
                        f"{what}, {model}, 1 thread",
                        f"{left:.0f} ns/token",
                        f"{right:.0f} ns/token",
                        f"{right / left:.1f}x",
                    ]
                )
    return table(["", "ngram", "KenLM", "times faster"], lines)


def domains() -> str:
    """Return the perplexities of every domain, the greatest gain first."""
    rows = newest("domains", ("domain",))
    rows.sort(key=gain, reverse=True)
    lines = []
    for row in rows:
        perplexity, known = row["perplexity"], row["perplexity_of_known"]
        lines.append(
            [
                row["domain"],
                f"{100 * row['corpus']['known']:.0f}%",
                *(
                    f"{perplexity[kind]:.0f}"
                    for kind in ("domain", "base", "linear", "context", "flattened")
                ),
                f"{gain(row):.1f}x",
                f"{perplexity['base'] / perplexity['context']:.2f}x",
                f"{known['domain'] / known['context']:.2f}x",
            ]
        )
    return table(
        [
            "domain",
            "known tokens",
            "domain alone",
            "base alone",
            "mixed",
            "by context",
            "mixed, flattened",
            "gain over domain",
            "over base",
            "over domain, known tokens",
        ],
        lines,
    )


def gain(row: Row) -> float:
    """Return how many times lower the perplexity is than that of the domain alone."""
    perplexity = row["perplexity"]
    return float(perplexity["domain"] / perplexity["context"])


WAYS = {
    ("counts", None): "counts",
    ("entropy", "stationary"): "entropy",
    ("weighted-difference", "stationary"): "weighted difference",
    ("entropy", "chain"): "entropy, chain",
    ("weighted-difference", "chain"): "weighted difference, chain",
}


def pruning() -> str:
    """Return perplexities of every method, a line per number of n-grams."""
    rows = [
        row
        for row in newest("pruning", ("kind", "corpus", "method", "history", "ngrams"))
        if row["kind"] == "methods"
    ]
    by_size: dict[int, dict[tuple[str, str | None], Row]] = {}
    for row in rows:
        ways = by_size.setdefault(row["ngrams"], {})
        ways[row["method"], row["history"]] = row
    lines = []
    for ngrams, ways in sorted(by_size.items(), reverse=True):
        whole = ways.get(("all", None))
        if whole is not None:
            perplexity = f"{whole['perplexity_excluding_oov']:.1f}"
            lines.append([f"{ngrams:,} (all)", "100%", perplexity, *[""] * 4])
            continue
        any_row = next(iter(ways.values()))
        lines.append(
            [
                f"{ngrams:,}",
                f"{any_row['share_above_order_1']:.1%}",
                *(f"{ways[way]['perplexity_excluding_oov']:.1f}" for way in WAYS),
            ]
        )
    return table(["n-grams", "share above order 1", *WAYS.values()], lines)


def pruning_peer() -> str:
    """Return what this package and kaldingram make of the same files."""
    rows = [
        row
        for row in newest("pruning", ("kind", "program", "smoothing", "threshold"))
        if row["kind"] == "kaldingram"
    ]
    pairs: dict[tuple[str, float], dict[str, Row]] = {}
    for row in rows:
        pair = pairs.setdefault((row["smoothing"], row["threshold"]), {})
        pair[row["program"]] = row
    lines = []
    for (smoothing, threshold), pair in pairs.items():
        own, peer = pair["ngram"], pair["kaldingram"]
        lines.append(
            [
                f"`{smoothing}`, {threshold:g}",
                f"{own['ngrams']:,}",
                f"{peer['ngrams']:,}",
                str(sum(own["different"].values())),
                f"{own['perplexity_excluding_oov']:.2f}",
                f"{peer['perplexity_excluding_oov']:.2f}",
                f"{peer['arpa_bytes'] / own['arpa_bytes']:.2f}",
                f"{peer['cpu_seconds'] / own['cpu_seconds']:.0f}x",
                f"{peer['peak_bytes'] / own['peak_bytes']:.1f}x",
            ]
        )
    return table(
        [
            "model, threshold",
            "n-grams",
            "kaldingram",
            "other decisions",
            "perplexity",
            "kaldingram",
            "ARPA bytes, ratio",
            "processor time, ratio",
            "peak memory, ratio",
        ],
        lines,
    )


TABLES = {
    "summary": summary,
    "estimate": estimate,
    "stages": stages,
    "scoring": scoring,
    "prediction": prediction,
    "arpa": arpa,
    "filter": filtering,
    "smoothings": smoothings,
    "ptb": ptb,
    "domains": domains,
    "pruning": pruning,
    "pruning-peer": pruning_peer,
}


def filled(text: str) -> str:
    """Return a text with every table between its markers renewed."""
    for name, make in TABLES.items():
        pattern = rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)"
        text = re.sub(
            pattern,
            lambda match, make=make: match[1] + make() + match[2],
            text,
            flags=re.S,
        )
    return text


def main() -> None:
    for path in FILES:
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
