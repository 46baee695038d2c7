"""Memory: any plan gives the same n-grams, budgets hold, and nothing is left behind."""

import os
import random
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ngram
from ngram._core.counts import NgramCounts
from ngram._core.estimate import Estimator
from ngram._core.ngrams import SortedNgrams
from ngram._core.text import CorpusReader, TokenIds
from ngram.counts import Counts
from ngram.errors import InputError, MemoryBudgetError
from ngram.memory import MemoryBudget, MemoryPlan
from ngram.text import Tokenizer
from ngram.vocabulary import Vocabulary

MEGABYTE = 1 << 20


def lines(count: int) -> list[str]:
    """Return sentences with one word in every fourth place, some of them empty."""
    generator = random.Random(5)
    return [
        " ".join(
            "그"
            if generator.random() < 0.25
            else f"w{int(generator.paretovariate(0.7))}"
            for _ in range(generator.randrange(25))
        )
        for _ in range(count)
    ]


def read(texts: list[str], folder: str = "", id_bytes: int = 0) -> TokenIds:
    reader = CorpusReader(
        "whitespace", threads=2, temp_dir=folder, id_bytes=id_bytes, piece_bytes=512
    )
    reader.read_sentences(texts)
    return reader.finish()


def estimate(
    texts: list[str],
    plan: MemoryPlan | None,
    threads: int,
    *,
    order: int = 4,
    prune: bool = False,
) -> tuple[SortedNgrams, list[list[int]]]:
    tokens, vocabulary = read(texts)
    estimator = Estimator(
        tokens,
        len(vocabulary),
        order,
        prune=(0, 0, 1, 1, 1, 1)[:order] if prune else (),
        plan=plan,
        threads=threads,
    )
    discounts = np.array([[0.5, 1.0, 1.5]] * order, np.float32)
    ngrams, _ = estimator.smooth(discounts, threads=threads)
    return ngrams, estimator.counts_of_counts.tolist()


# --- The plan changes nothing ---


@pytest.mark.parametrize("prune", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_rounds_tasks_and_files_change_no_bit(
    tmp_path: Path, threads: int, prune: bool
) -> None:
    texts = lines(3_000)
    expected, counts = estimate(texts, None, 1, prune=prune)
    for windows, events, tasks in ((1, 1, 1), (9_000, 5_000, 7), (20_000, 3_000, 40)):
        plan = MemoryPlan(
            round_windows=windows,
            bucket_windows=windows // 3,
            chunk_events=events,
            tasks=tasks,
            temp_dir=str(tmp_path),
        )
        ngrams, counts_of_counts = estimate(texts, plan, threads, prune=prune)
        assert counts_of_counts == counts
        assert ngrams == expected
        assert not list(tmp_path.iterdir())


SMALL_TEXTS = st.lists(
    st.lists(st.sampled_from("abcde"), max_size=6).map(" ".join),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60)
@given(
    texts=SMALL_TEXTS,
    order=st.integers(2, 6),
    windows=st.integers(0, 9),
    sorted_windows=st.integers(0, 9),
    events=st.integers(0, 5),
    tasks=st.integers(0, 6),
    prune=st.booleans(),
)
def test_any_plan_changes_no_bit_of_small_texts(
    texts: list[str],
    order: int,
    windows: int,
    sorted_windows: int,
    events: int,
    tasks: int,
    prune: bool,
) -> None:
    plan = MemoryPlan(
        round_windows=windows,
        bucket_windows=sorted_windows,
        chunk_events=events,
        tasks=tasks,
        temp_dir=os.curdir,
    )
    found = estimate(texts, plan, 2, order=order, prune=prune)
    assert found == estimate(texts, None, 1, order=order, prune=prune)


def half_of_it(count: int) -> list[str]:
    """Return sentences of which one word is every second token."""
    generator = random.Random(7)
    return [
        " ".join(
            word
            for _ in range(generator.randrange(12))
            for word in ("the", f"w{int(generator.paretovariate(0.8))}")
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("order", [2, 3, 4, 5, 6])
@pytest.mark.parametrize(
    "texts", [half_of_it(2_500), ["a " * 30_000, "a"]], ids=["half", "one word"]
)
@pytest.mark.parametrize("folder", [True, False])
def test_frequent_words_sorted_in_pieces_change_no_bit(
    tmp_path: Path, texts: list[str], order: int, folder: bool
) -> None:
    expected = estimate(texts, None, 1, order=order)
    for limit, windows, tasks in ((400, 1_000, 5), (9_000, 2_000, 40)):
        plan = MemoryPlan(
            round_windows=windows,
            bucket_windows=limit,
            chunk_events=3_000,
            tasks=tasks,
            temp_dir=str(tmp_path) if folder else "",
        )
        assert estimate(texts, plan, 3, order=order) == expected
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dealt_bytes", [1, 400_000, 1_000_000])
@pytest.mark.parametrize("consume", [True, False])
def test_dealing_a_table_in_rounds_changes_no_byte(
    tmp_path: Path, dealt_bytes: int, consume: bool
) -> None:
    generator = np.random.default_rng(11)
    ids = 3 + (400 * generator.random(60_000) ** 2).astype(np.uint32)
    vocabulary = Vocabulary.from_words([f"w{i}" for i in range(400)])
    corpus = (ids, np.arange(0, len(ids) + 1, 20), vocabulary)
    ngrams = ngram.train(corpus, 4, discount_fallback=[0.5]).table.to_sorted()
    ngram.Model.from_ngrams(ngrams, vocabulary).save(tmp_path / "expected")
    plan = MemoryPlan(dealt_bytes=dealt_bytes, temp_dir=str(tmp_path))
    ngram.Model.from_ngrams(
        ngrams,
        vocabulary,
        output=tmp_path / "model",
        plan=plan,
        consume=consume,
        threads=2,
    )
    assert (tmp_path / "model").read_bytes() == (tmp_path / "expected").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["expected", "model"]


def test_ids_in_a_file_are_the_same(tmp_path: Path) -> None:
    texts = [*lines(2_000), "the end"]
    expected, words = read(texts)
    for id_bytes in (1, 4_000, 10**6):
        tokens, vocabulary = read(texts, str(tmp_path), id_bytes)
        assert list(vocabulary) == list(words)
        assert np.array_equal(tokens.ids, expected.ids)


def test_a_small_budget_gives_the_same_model_file(tmp_path: Path) -> None:
    vocabulary = Vocabulary.from_words([f"w{i}" for i in range(2_000)])
    generator = np.random.default_rng(3)
    ids = 3 + (2_000 * generator.random(1_000_000) ** 3).astype(np.uint32)
    offsets = np.arange(0, len(ids) + 1, 20)
    corpus = (ids, offsets, vocabulary)
    files = tmp_path / "files"
    files.mkdir()
    for memory in ("4G", "132M"):
        model = ngram.train(
            corpus,
            3,
            memory=memory,
            temp_dir=files,
            threads=1,
            discount_fallback=[0.5],
        )
        model.save(tmp_path / memory)
        assert not list(files.iterdir())
    budget = MemoryBudget.of("132M", files)
    assert budget.plan(1_050_000, 2_003, order=3, threads=1).temp_dir == str(files)
    assert (tmp_path / "4G").read_bytes() == (tmp_path / "132M").read_bytes()


# --- Counts ---


def count(texts: list[str], plan: MemoryPlan | None, threads: int) -> NgramCounts:
    tokens, vocabulary = read(texts)
    return NgramCounts.count(tokens, len(vocabulary), 4, plan=plan, threads=threads)


@settings(max_examples=50)
@given(
    texts=SMALL_TEXTS,
    windows=st.integers(0, 9),
    sorted_windows=st.integers(0, 9),
    events=st.integers(0, 5),
)
def test_any_plan_changes_no_count_of_small_texts(
    texts: list[str], windows: int, sorted_windows: int, events: int
) -> None:
    plan = MemoryPlan(
        round_windows=windows,
        bucket_windows=sorted_windows,
        chunk_events=events,
        temp_dir=os.curdir,
    )
    assert count(texts, plan, 2) == count(texts, None, 1)


@pytest.mark.parametrize(
    "texts", [half_of_it(2_500), ["a " * 400_000, "a"]], ids=["half", "one word"]
)
def test_counts_in_temporary_files_are_the_same_file(
    tmp_path: Path, texts: list[str]
) -> None:
    _, vocabulary = read(texts)
    plan = MemoryPlan(
        round_windows=3_000,
        bucket_windows=1_000,
        chunk_events=2_000,
        temp_dir=str(tmp_path),
    )
    for name, made in (("memory", None), ("files", plan)):
        counts = Counts(
            count(texts, made, 2), vocabulary, Tokenizer.of("whitespace"), ()
        )
        assert len(list(tmp_path.iterdir())) == (name == "files")
        counts.save(tmp_path / name)
    assert (tmp_path / "files").read_bytes() == (tmp_path / "memory").read_bytes()


def test_a_small_budget_gives_the_same_counts(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    ids = 3 + (2_000 * generator.random(1_000_000) ** 3).astype(np.uint32)
    vocabulary = Vocabulary.from_words([f"w{i}" for i in range(2_000)])
    corpus = (ids, np.arange(0, len(ids) + 1, 20), vocabulary)
    budget = MemoryBudget.of("132M", tmp_path)
    assert budget.counting_plan(1_050_000, 2_003, order=3, threads=1).temp_dir
    small = ngram.count_ngrams(corpus, 3, memory="132M", temp_dir=tmp_path, threads=1)
    assert small == ngram.count_ngrams(corpus, 3, memory="4G")
    assert not list(tmp_path.iterdir())


@settings(max_examples=40)
@given(
    shards=st.lists(SMALL_TEXTS, min_size=2, max_size=4),
    weights=st.lists(st.sampled_from([1.0, 3.0, 0.3]), min_size=4, max_size=4),
    sorted_bytes=st.sampled_from([1, 200, 10**6]),
    subtracts=st.booleans(),
)
def test_merging_in_files_changes_no_bit(
    shards: list[list[str]], weights: list[float], sorted_bytes: int, subtracts: bool
) -> None:
    read_all = [read(texts) for texts in shards]
    parts = [
        (NgramCounts.count(tokens, len(vocabulary), 4), vocabulary)
        for tokens, vocabulary in read_all
    ]
    factors = weights[: len(parts)]
    if subtracts:
        parts, factors = [*parts, parts[0]], [*factors, -factors[0]]
    plan = MemoryPlan(sorted_bytes=sorted_bytes, temp_dir=os.curdir)
    expected, words = NgramCounts.merge(parts, np.array(factors))
    merged, union = NgramCounts.merge(parts, np.array(factors), plan=plan)
    assert merged == expected
    assert list(union) == list(words)


def test_merging_in_files_refuses_the_same_n_gram() -> None:
    parts = []
    for texts in (["a b c", "a c c"], ["a b c", "b c c"]):
        tokens, vocabulary = read(texts)
        parts.append((NgramCounts.count(tokens, len(vocabulary), 3), vocabulary))
    plan = MemoryPlan(sorted_bytes=1, temp_dir=os.curdir)
    errors = []
    for made in (None, plan):
        with pytest.raises(InputError, match="would have the count") as error:
            NgramCounts.merge(parts, np.array([1.0, -1.0]), plan=made)
        errors.append(str(error.value))
    assert errors[0] == errors[1]


def test_a_small_budget_gives_the_same_merged_file(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    generator = np.random.default_rng(3)
    ids = 3 + (2_000 * generator.random(400_000) ** 3).astype(np.uint32)
    offsets = np.arange(0, len(ids) + 1, 20)
    for name in ("first", "second"):
        generator.shuffle(ids)
        names = [f"w{i * 7919 % 2_003}" for i in range(2_000)]
        vocabulary = Vocabulary.from_words(names if name == "first" else names[::-1])
        counts = ngram.count_ngrams((ids, offsets, vocabulary), 4)
        counts.save(tmp_path / f"{name}.counts")
    for memory in ("4G", "130M"):
        shards = [
            Counts.load(tmp_path / f"{name}.counts", memory="4M", temp_dir=files)
            for name in ("first", "second")
        ]
        merged = ngram.merge_counts(shards, memory=memory, temp_dir=files)
        merged.save(tmp_path / memory)
    assert not list(files.iterdir())
    assert (tmp_path / "4G").read_bytes() == (tmp_path / "130M").read_bytes()


def test_counting_within_too_little_memory_is_an_error(tmp_path: Path) -> None:
    budget = MemoryBudget.of("100M", tmp_path)
    with pytest.raises(MemoryBudgetError, match=r"at least 372\.1 MB.*100\.0 MB"):
        budget.counting_plan(10**8, 2 * 10**6, order=5, threads=2)


# --- Budgets ---


def test_what_fits_has_no_plan(tmp_path: Path) -> None:
    budget = MemoryBudget.of("4G", tmp_path)
    assert budget.plan(10**6, 10**4, order=5, threads=2) == MemoryPlan(threads=2)


@pytest.mark.parametrize("positions", [10**7, 10**8, 10**9])
def test_smaller_budgets_make_smaller_rounds_and_parts(
    tmp_path: Path, positions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10**15))
    plans = [
        MemoryBudget.of(size, tmp_path).plan(positions, 10**6, order=5, threads=2)
        for size in ("500M", "700M")
    ]
    assert plans[0].round_windows < plans[1].round_windows
    assert plans[0].tasks > plans[1].tasks
    for plan, size in zip(plans, (500, 700), strict=True):
        windows = 16 * (plan.round_windows + 2 * plan.bucket_windows)
        assert windows < size * MEGABYTE


def test_a_budget_below_the_vocabulary_says_what_is_needed(tmp_path: Path) -> None:
    budget = MemoryBudget.of("100M", tmp_path)
    with pytest.raises(MemoryBudgetError, match=r"at least 479\.0 MB.*100\.0 MB"):
        budget.plan(10**8, 2 * 10**6, order=5, threads=2)
    with pytest.raises(MemoryBudgetError, match="limited to 1,000 bytes"):
        MemoryBudget.of("1000", tmp_path).plan(10**8, 1000, order=5, threads=2)


def test_a_disk_without_room_is_an_error_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10**9))
    budget = MemoryBudget.of("1G", tmp_path)
    with pytest.raises(MemoryBudgetError, match=r"which has 953\.7 MB free. Pass anot"):
        budget.plan(10**8, 10**6, order=5, threads=2)


@pytest.mark.parametrize("folder", ["absent", "file"])
def test_temp_dir_must_be_a_folder(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="temp_dir is 3: pass a folder"):
        MemoryBudget.of(None, 3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="pass a folder that exists"):
        MemoryBudget.of(None, tmp_path / folder)


# --- A disk that is full ---


def limited_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_temporary_file_that_cannot_grow_is_an_error(tmp_path: Path) -> None:
    program = """
import sys, numpy, ngram
from ngram._core.estimate import Estimator
from ngram._core.text import CorpusReader
from ngram.memory import MemoryPlan
reader = CorpusReader("whitespace")
reader.read_sentences([f"w{i} w{i % 97} w{i % 7} w{i}" for i in range(100_000)])
tokens, vocabulary = reader.finish()
plan = MemoryPlan(round_windows=50_000, tasks=4, temp_dir=sys.argv[1])
try:
    Estimator(tokens, len(vocabulary), 3, plan=plan, threads=2)
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path],
        preexec_fn=lambda: limited_files(100_000),
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"a temporary file in {tmp_path} cannot be written: File too" in done.stdout
    assert not list(tmp_path.iterdir())
