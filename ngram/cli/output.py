"""What all commands print: JSON, aligned tables, and progress on a terminal."""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

Report = Callable[[str, int, int], None]


def print_json(value: Any) -> None:
    """Print one JSON document on one line, valid whatever the text holds."""
    value = _finite(value)
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value)  # invalid UTF-8 leaves as \udcXX, as Python reads it
    click.echo(text)


def _finite(value: Any) -> Any:
    """Replace what JSON cannot say, infinities and NaN, by null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    return value


def print_written(
    output: str, summary: str, started: float, record: dict[str, Any], *, as_json: bool
) -> None:
    """Say what was written since `started`: JSON on stdout, a line on stderr."""
    seconds = time.perf_counter() - started
    if as_json:
        print_json({"output": output, "seconds": seconds, **record})
    click.echo(f"{output}: {summary}, {seconds:.1f} s", err=True)


def ngrams_of(info: dict[str, Any]) -> str:
    """Return the size of a model or of counts in words."""
    return f"order {info['order']}, {quantity(sum(info['ngrams']))} n-grams"


def print_table(
    rows: Sequence[Sequence[str]], align: str, *, to_stderr: bool = False
) -> None:
    """Print rows as aligned columns; `align` has one of `<>` per column."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = []
        for text, width, side in zip(row, widths, align, strict=True):
            blanks = " " * (width - cell_len(text))
            cells.append(text + blanks if side == "<" else blanks + text)
        click.echo("  ".join(cells).rstrip(), err=to_stderr)


@contextmanager
def progress() -> Iterator[Report | None]:
    """Give a progress callback that draws on stderr, or None if nobody watches."""
    if sys.stderr is None or not sys.stderr.isatty():  # None: `2>&-`
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskID,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=False),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: dict[str, TaskID] = {}

    shown = ""

    def report(stage: str, done: int, total: int) -> None:
        nonlocal shown
        if stage != shown:  # stages may come back, as in rounds
            for task in tasks.values():
                bar.update(task, visible=False)
            if stage in tasks:
                bar.reset(tasks[stage], total=total or None, visible=True)
            else:
                tasks[stage] = bar.add_task(stage, total=total or None, rate="")
            shown = stage
        speed = bar.tasks[tasks[stage]].speed
        rate = f"{quantity(speed)}/s" if speed else ""
        bar.update(tasks[stage], completed=done, total=total or None, rate=rate)

    with bar:
        yield report


def size(number: int) -> str:
    """Return a number of bytes as `--memory` reads it: 950, 12.3K, 4.56M, 1.2G."""
    value = float(number)
    for unit in ("", "K", "M", "G"):
        if value < 1000 or unit == "G":
            break
        value /= 1024
    return f"{value:.3g}{unit}" if unit else str(number)


def quantity(number: float) -> str:
    """Return a number as people say it: 950, 12.3k, 4.56M, 1.2G."""
    for unit in ("", "k", "M", "G"):
        if abs(number) < 1000 or unit == "G":
            break
        number /= 1000
    return f"{number:.3g}{unit}" if unit or number != int(number) else f"{number:.0f}"
