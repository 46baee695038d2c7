"""Adding counts, each times its weight, and taking them away.

Input: `Counts` of one order and tokenizer. Output: `Counts` of all their texts. The
kernel is `ext/engine/counts/merge_counts.hpp`.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from ngram._core.counts import NgramCounts
from ngram.counts.table import Counts, Progress, is_size, whole
from ngram.errors import InputError
from ngram.memory import MemoryBudget
from ngram.threads import thread_count

__all__ = ["checked_weight", "merge_counts"]

# Weights in these bounds keep counts well inside float32, in which smoothing works.
LEAST_WEIGHT, GREATEST_WEIGHT = 1e-9, 1e9

# Texts that have no name of their own: parts of one read as one.
UNNAMED = ("sentences", "arrays")


def merge_counts(
    shards: Iterable[Counts],
    weights: Iterable[float] | None = None,
    *,
    subtract: Iterable[Counts] = (),
    threads: int | None = None,
    memory: int | str | None = None,
    temp_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Counts:
    """Add counts, each times its weight.

    The counts of the parts of a text, in order, add up to exactly what counting the
    whole gives: same numbers, same order of words, same file, same model.

    Parameters
    ----------
    shards : iterable of Counts
        Of the same order and tokenizer.
    weights : iterable of float, optional
        One per shard, by default 1. 0 leaves a shard out, a negative one takes its
        counts away.
    subtract : iterable of Counts, optional
        Counts to take away: shards with the weight -1.
    threads : int, optional
        By default, all processors. The result does not depend on it.
    memory : int or str, default="80%"
        Bytes, or a text like "4G" or "80%". Shards that need more are sorted in parts
        and merged in temporary files; the counts are the same.
    temp_dir : path-like, optional
        Folder of temporary files; by default, that of the system.
    progress : callable(stage, done, total), optional

    Returns
    -------
    Counts
        Words in order of first occurrence, the shards read one after the other.
        N-grams and words whose counts became 0 are not there any more.

    Raises
    ------
    InputError
        If the shards do not fit together, a weight cannot be used, or a count would
        fall below 0: what was never added cannot be taken away.
    MemoryBudgetError
        If `memory`, or the room in `temp_dir`, is too small.

    Notes
    -----
    Whole counts and weights up to 2**53 are exact. After a subtraction the remaining
    words keep their order, in which the text without the part might have met them
    otherwise: the model is the same up to the order of its words.
    """
    budget = MemoryBudget.of(memory, temp_dir)
    parts = _shards("shards", shards)
    factors = _factors(parts, weights)
    removed = _shards("subtract", subtract)
    parts, factors = [*parts, *removed], [*factors, *[-1.0] * len(removed)]
    _check_shards(parts)
    used = [(p, factor) for p, factor in zip(parts, factors, strict=True) if factor]
    if not used:
        raise InputError(
            "nothing to merge: pass at least one shard with a weight that is not 0."
        )
    if len(used) == 1 and used[0][1] == 1:
        return used[0][0]
    ngrams, vocabulary = NgramCounts.merge(
        [(part.ngrams, part.vocabulary) for part, _ in used],
        np.array([factor for _, factor in used], np.float64),
        plan=budget.merging_plan(
            sum(sum(part.sizes) for part, _ in used),
            sum(len(part.vocabulary) for part, _ in used),
            order=parts[0].order,
        ),
        threads=thread_count(threads),
        progress=progress,
    )
    return Counts(
        ngrams,
        vocabulary,
        parts[0].tokenizer,
        _merged_sources([(part.sources, factor) for part, factor in used]),
        any(part.skip_symbols for part, _ in used),
    )


def checked_weight(value: object, name: str) -> float:
    """Return a weight of any sign as a float."""
    try:
        number = float(cast(float, value))
    except (TypeError, ValueError):
        raise InputError(f"{name} is {value!r:.40}: pass a number.") from None
    if number and not LEAST_WEIGHT <= abs(number) <= GREATEST_WEIGHT:
        raise InputError(
            f"{name} is {number}: pass 0, or a number between {LEAST_WEIGHT:g} and"
            f" {GREATEST_WEIGHT:g}."
        )
    return number


def _shards(name: str, shards: object) -> list[Counts]:
    if isinstance(shards, Counts) or not isinstance(shards, Iterable):
        raise InputError(f"{name} is {shards!r:.80}: pass a list of Counts.")
    found = list(shards)
    for number, shard in enumerate(found, 1):
        if not isinstance(shard, Counts):
            raise InputError(
                f"item {number} of {name} is a {type(shard).__name__}, not Counts. Open"
                " files with ngram.Counts.load."
            )
    return found


def _factors(parts: list[Counts], weights: object) -> list[float]:
    if weights is None:
        return [1.0] * len(parts)
    if isinstance(weights, str) or not isinstance(weights, Iterable):
        raise InputError(f"weights is {weights!r:.80}: pass one number for each shard.")
    factors = [
        checked_weight(weight, f"weight {i}") for i, weight in enumerate(weights, 1)
    ]
    if len(factors) != len(parts):
        raise InputError(
            f"there are {len(factors)} weights for {len(parts)} shards: pass one for"
            " each."
        )
    return factors


def _check_shards(parts: list[Counts]) -> None:
    for number, part in enumerate(parts[1:], 2):
        first = parts[0]
        if part.order != first.order:
            raise InputError(
                f"shard 1 has order {first.order} and shard {number} order"
                f" {part.order}: counts of different orders cannot be merged. Count"
                f" again with order={min(part.order, first.order)}, or in"
                " Python use Counts.truncated."
            )
        if part.tokenizer != first.tokenizer:
            raise InputError(
                f"shard 1 has the tokenizer {first.tokenizer!r} and shard {number}"
                f" {part.tokenizer!r}: their tokens are not the same. Count the texts"
                " with one tokenizer."
            )


# --- Where counts come from ---


def _merged_sources(
    parts: Iterable[tuple[Sequence[Mapping[str, Any]], float]],
) -> tuple[dict[str, Any], ...]:
    """Return the sources of all parts, in order, each with its weight.

    What is taken away leaves the list where it was added. Sentences without a name that
    follow each other are one source, as if they had been read at once.
    """
    merged: list[tuple[dict[str, Any], float]] = []
    for sources, factor in parts:
        for source in sources:
            entry = {key: value for key, value in source.items() if key != "weight"}
            _add_source(merged, entry, factor * source.get("weight", 1))
    return tuple(
        entry if weight == 1 else {**entry, "weight": whole(weight)}
        for entry, weight in merged
    )


def _add_source(
    merged: list[tuple[dict[str, Any], float]], entry: dict[str, Any], weight: float
) -> None:
    if (entry, -weight) in merged:
        merged.remove((entry, -weight))
        return
    if entry.get("name") in UNNAMED:
        for at in reversed(range(len(merged))):
            other, factor = merged[at]
            if other.keys() != entry.keys() or other["name"] != entry["name"]:
                continue
            sign = 1 if factor == weight and at == len(merged) - 1 else -1
            if sign * factor != weight:
                continue
            total = {
                key: value + sign * entry[key] if is_size(value) else value
                for key, value in other.items()
            }
            if all(not is_size(value) or value >= 0 for value in total.values()):
                merged[at] = (total, factor)
                return
    merged.append((entry, weight))
