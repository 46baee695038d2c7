"""Memory: how much an estimate may take, and what goes to temporary files.

Input: a budget as people write it ("4G", "80%") and the size of a corpus. Output: a
`MemoryPlan` for the compiled estimator: in memory if it fits, else in rounds, with
finished parts in unnamed files of a folder. The plan never changes the result.
Read next: `ngram/estimate.py`, `ext/engine/base/spill.hpp`.
"""

import math
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ngram.errors import InputError, MemoryBudgetError

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
DEFAULT = "80%"
PROCESS = 96 << 20  # bytes: the interpreter, NumPy, and what threads read
WORD = 128  # bytes: its spelling, hash slot, code, counts and offsets
KEPT = 30  # bytes of a position in a chunk that is being built
CHUNK = 64  # bytes of a position in a chunk whose n-grams are collected
CHUNKS = 32 << 20  # bytes: the least a thread needs for chunks and what it sorts
COUNTED_PART = 12  # bytes of an n-gram with its count in a finished chunk
PART = 20  # bytes of a position in the part of a task
COUNTED = 32  # bytes of an n-gram with its count, and of its probability and back-off
STORED = 16  # bytes of an n-gram with its count
MERGED = 64  # bytes of an n-gram of a shard while it is merged
SMOOTHED = 40  # bytes of an n-gram while its order is smoothed
TABLE = 64 << 20  # bytes: what a table in a file takes beside its n-grams on their way
WINDOW_WORDS = (2, 3, 4, 6, 8, 16, 32, 64, 144)  # 64-bit words a window may have


@dataclass(frozen=True)
class MemoryPlan:
    """What the estimator holds in memory at once; 0 and "" mean no limit.

    Attributes
    ----------
    threads : int
        As many of those asked for as fit.
    round_windows : int
        Windows collected and sorted at once.
    bucket_windows : int
        Windows sorted at once by one thread; a token with more of them is cut.
    chunk_events : int
        Positions whose n-grams are built by one thread at once.
    tasks : int
        Parts into which the contexts are cut.
    dealt_bytes : int
        Bytes of n-grams on their way into the table of a model file.
    sorted_bytes : int
        Bytes of n-grams of counts that are sorted to be merged.
    temp_dir : str
        Folder of the temporary files.
    """

    threads: int = 1
    round_windows: int = 0
    bucket_windows: int = 0
    chunk_events: int = 0
    tasks: int = 0
    dealt_bytes: int = 0
    sorted_bytes: int = 0
    temp_dir: str = ""


@dataclass(frozen=True)
class MemoryBudget:
    """How many bytes may be used, and where temporary files go.

    Attributes
    ----------
    bytes : int
    temp_dir : str
        An existing folder.
    """

    bytes: int
    temp_dir: str

    @classmethod
    def of(
        cls, memory: int | str | None, temp_dir: str | os.PathLike[str] | None
    ) -> "MemoryBudget":
        """Check what a caller passed: None is 80 % of memory, and the system's folder.

        Raises
        ------
        InputError
            If `memory` is no amount, or `temp_dir` no folder that can be written.
        """
        folder = tempfile.gettempdir() if temp_dir is None else temp_dir
        if not isinstance(folder, str | os.PathLike) or not _is_writable(Path(folder)):
            raise InputError(
                f"temp_dir is {folder!r}: pass a folder that exists and can be written."
            )
        folder = os.fspath(folder)
        return cls(_budget(DEFAULT if memory is None else memory), folder)

    @property
    def id_bytes(self) -> int:
        """Bytes of token ids that may stay in memory."""
        return self.bytes // 8

    def plan(
        self, positions: int, vocabulary_size: int, *, order: int, threads: int
    ) -> MemoryPlan:
        """Return how to estimate a corpus within the budget.

        Parameters
        ----------
        positions : int
            Tokens and sentence ends.
        vocabulary_size, order, threads : int

        Raises
        ------
        MemoryBudgetError
            If the budget, or the room on the disk, is too small.
        """
        ngrams = int(positions * _ngrams(order))
        if order == 1 or self.bytes >= estimate_bytes(
            positions, vocabulary_size, order, ngrams
        ):
            return MemoryPlan(threads=threads)
        words = PROCESS + vocabulary_size * WORD
        # Each thread has cursors for all words, and chunks of its own.
        cursors = vocabulary_size * (8 + 16 * math.ceil((order + 5) / 4))
        if self.bytes < words + cursors + CHUNKS:
            raise MemoryBudgetError(
                f"{vocabulary_size:,} tokens in the vocabulary at order {order} take at"
                f" least {_megabytes(words + cursors + CHUNKS)}, but memory is limited"
                f" to {_megabytes(self.bytes)}. Raise memory, or lower the order."
            )
        self._check_disk(
            f"{positions:,} tokens and sentence ends",
            temporary_bytes(positions, ngrams),
        )
        threads = min(threads, (self.bytes - words) // (cursors + CHUNKS))
        room = self.bytes - words - threads * cursors
        window = 8 * _window_words(vocabulary_size, order)
        return replace(
            self._rounds(positions, room, window, threads),
            tasks=max(2 * threads, math.ceil(threads * positions * PART * 3 / room)),
            dealt_bytes=max(TABLE // 4, self.bytes - words - TABLE),
        )

    def counting_plan(
        self, positions: int, vocabulary_size: int, *, order: int, threads: int
    ) -> MemoryPlan:
        """Return how to count the n-grams of a corpus within the budget.

        Parameters
        ----------
        positions, vocabulary_size, order, threads : int
            As for `plan`.

        Raises
        ------
        MemoryBudgetError
            If the budget, or the room on the disk, is too small.
        """
        ngrams = int(positions * _ngrams(order))
        words = PROCESS + vocabulary_size * WORD
        window = 8 * _window_words(vocabulary_size, order)
        counting = positions * (window + 10) + COUNTED_PART * ngrams
        if order == 1 or self.bytes >= words + max(counting, COUNTED * ngrams):
            return MemoryPlan(threads=threads)
        if self.bytes < words + CHUNKS:
            raise MemoryBudgetError(
                f"{vocabulary_size:,} tokens in the vocabulary take at least"
                f" {_megabytes(words + CHUNKS)}, but memory is limited to"
                f" {_megabytes(self.bytes)}. Raise memory."
            )
        self._check_disk(
            f"{positions:,} tokens and sentence ends", 4 * positions + COUNTED * ngrams
        )
        threads = min(threads, (self.bytes - words) // CHUNKS)
        return self._rounds(positions, self.bytes - words, window, threads)

    def merging_plan(
        self, ngrams: int, vocabulary_size: int, *, order: int
    ) -> MemoryPlan:
        """Return how to merge counts within the budget.

        Parameters
        ----------
        ngrams : int
            Of all shards and orders.
        vocabulary_size : int
            Of all shards.
        order : int

        Raises
        ------
        MemoryBudgetError
            If the budget, or the room on the disk, is too small.
        """
        words = PROCESS + vocabulary_size * WORD
        if order == 1 or self.bytes >= words + MERGED * ngrams:
            return MemoryPlan()
        if self.bytes < words + CHUNKS:
            raise MemoryBudgetError(
                f"shards with {vocabulary_size:,} words take at least"
                f" {_megabytes(words + CHUNKS)}, but memory is limited to"
                f" {_megabytes(self.bytes)}. Raise memory."
            )
        self._check_disk(f"{ngrams:,} n-grams", (4 * order + 8 + STORED) * ngrams)
        return MemoryPlan(
            sorted_bytes=(self.bytes - words) // 2, temp_dir=self.temp_dir
        )

    def counts_folder(self, ngrams: int) -> str:
        """Return where the counts of a file go: a folder, or "" for memory.

        They stay in memory if they take no more than a quarter of the budget, so that
        several can be merged.
        """
        if STORED * ngrams <= self.bytes // 4:
            return ""
        self._check_disk(f"{ngrams:,} n-grams", STORED * ngrams)
        return self.temp_dir

    def _rounds(
        self, positions: int, room: int, window: int, threads: int
    ) -> MemoryPlan:
        """Return how much of a corpus is collected and sorted at once in some room."""
        chunk = max(1 << 14, min(positions // 64, room // (4 * CHUNK * threads)))
        windows = (room - threads * chunk * KEPT) // window
        return MemoryPlan(
            threads=threads,
            round_windows=windows // 2,
            bucket_windows=max(1 << 14, windows // (2 * threads)),
            chunk_events=chunk,
            temp_dir=self.temp_dir,
        )

    def check_counts(self, sizes: Sequence[int]) -> None:
        """Raise MemoryBudgetError if a model of counts takes more than the budget.

        Parameters
        ----------
        sizes : sequence of int
            Number of n-grams of each order.
        """
        needed = counts_bytes(sizes)
        if needed > self.bytes:
            raise MemoryBudgetError(
                f"{sum(sizes):,} n-grams take about {_megabytes(needed)}, but memory is"
                f" limited to {_megabytes(self.bytes)}. Raise memory, or lower the"
                " order."
            )

    def _check_disk(self, what: str, needed: int) -> None:
        free = shutil.disk_usage(self.temp_dir).free
        if needed > free:
            raise MemoryBudgetError(
                f"{what} do not fit in"
                f" {_megabytes(self.bytes)} of memory, and temporary files of up to"
                f" {_megabytes(needed)} do not fit in {self.temp_dir}, which has"
                f" {_megabytes(free)} free. Pass another temp_dir, or raise memory."
            )


def _ngrams(order: int) -> float:
    """Return about how many n-grams a position opens, at most on real text."""
    return min(order - 1, 1) * 0.7 + max(order - 2, 0) * 0.85


def _window_words(vocabulary_size: int, order: int) -> int:
    """Return how many 64-bit words a window has (counts/windows.hpp)."""
    code_bits = int(vocabulary_size * 1.5).bit_length()
    bits = 14 + (order - 1) * code_bits + vocabulary_size.bit_length()
    needed = math.ceil(bits / 64)
    return next((words for words in WINDOW_WORDS if words >= needed), WINDOW_WORDS[-1])


def estimate_bytes(
    positions: int, vocabulary_size: int, order: int, ngrams: int
) -> int:
    """Return about how many bytes an estimate in memory takes at its peak.

    `ngrams` is the number of n-grams of order 2 and more.
    """
    counting = positions * (8 * _window_words(vocabulary_size, order) + 10) + 6 * ngrams
    collecting = positions * 10 + 18 * ngrams
    return PROCESS + max(counting, collecting) + vocabulary_size * WORD


def counts_bytes(sizes: Sequence[int]) -> int:
    """Return about how many bytes a model of counts takes at its peak.

    `sizes` are the numbers of n-grams of each order.
    """
    return PROCESS + COUNTED * sum(sizes) + SMOOTHED * max(sizes)


def temporary_bytes(positions: int, ngrams: int) -> int:
    """Return about how many bytes of temporary files an estimate writes, at most."""
    return positions * 12 + 29 * ngrams


def parse_bytes(value: int | str) -> int | None:
    """Return a number of bytes: of a number, or of text like "4G"; None if of neither.

    K, M, G and T are powers of 1024, also in lower case.
    """
    pattern = r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?"
    match = re.fullmatch(pattern, str(value).strip(), re.ASCII | re.IGNORECASE)
    if match is None:
        return None
    size = float(match[1]) * UNITS[match[2].upper()]
    return int(size) if math.isfinite(size) else None


def _budget(memory: int | str) -> int:
    """Return a budget in bytes: as `parse_bytes`, or of text like "80%"."""
    share = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", str(memory).strip(), re.ASCII)
    if share is None:
        size = parse_bytes(memory)
    else:
        percent = float(share[1])
        size = int(percent / 100 * _physical_memory()) if percent <= 100 else None
    if not size:
        raise InputError(
            f"memory is {memory!r}: pass bytes, or a text like '4G', '512M' or '80%'."
        )
    return size


def _physical_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _is_writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _megabytes(size: int) -> str:
    if size < 1 << 20:
        return f"{size:,} bytes"
    return f"{size / 2**20:,.1f} MB"
