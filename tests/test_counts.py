"""Counts: what is counted, that shards add up, files, weights, and models from them."""

import collections
import contextlib
import io
import itertools
import json
import math
import os
import resource
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from golden_cases import GoldenCase
from hypothesis import given, settings
from hypothesis import strategies as st

import ngram
from ngram import Counts, count_ngrams, merge_counts
from ngram._core.estimate import Estimator, smooth_counts
from ngram.cli.group import run
from ngram.container import open_container, write_container
from ngram.errors import DiscountWarning, InputError, ModelFileError
from ngram.estimate import train_arpa
from ngram.smoothing import ModifiedKneserNey
from ngram.text import read_corpus

# Random texts and thresholds may leave nothing.
pytestmark = [pytest.mark.filterwarnings("ignore:no word is left")]

WORDS = ["a", "b", "c", "rose", "장미", "é", "\U0001f339"]
sentence = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
sentences = st.lists(sentence, min_size=1, max_size=25)
orders = st.integers(1, 5)
FEWER = settings(max_examples=30)
weight = st.sampled_from([0, 0.1, 0.5, 1, 1.5, 2, 3, 7.25])


def table(counts: Counts, order: int) -> dict[tuple[str, ...], float]:
    """Return the n-grams of one order with their counts, words as text."""
    words = counts.vocabulary.words()
    rows = counts.ngrams.ngram_ids(order)
    values = counts.ngrams.level(order)[2]
    return {
        tuple(words[i] for i in row): float(value)
        for row, value in zip(rows, values, strict=True)
        if value
    }


def expected(
    texts: Iterable[str], order: int, weights: Iterable[float] | None = None
) -> dict[tuple[str, ...], float]:
    """Count n-grams of one order with a dict: sentences padded with <s> and </s>."""
    found: dict[tuple[str, ...], float] = collections.defaultdict(float)
    for text, factor in zip(texts, weights or itertools.repeat(1), strict=False):
        words = ["<s>", *text.split(), "</s>"]
        for begin in range(len(words) - order + 1):
            if words[begin : begin + order] != ["<s>"] and factor:
                found[tuple(words[begin : begin + order])] += factor
    return dict(found)


def cut(texts: Sequence[str], points: Iterable[int]) -> list[Sequence[str]]:
    places = [0, *sorted(point % (len(texts) + 1) for point in points), len(texts)]
    return [texts[a:b] for a, b in itertools.pairwise(places)]


def saved(counts: Counts, folder: Path, name: str = "x.counts") -> bytes:
    counts.save(folder / name)
    return (folder / name).read_bytes()


def rewritten(path: Path, target: Path, **changes: object) -> Path:
    """Write a file with right checksums and other contents."""
    container = open_container(path, content="counts")
    arrays = dict(container.arrays)
    metadata = dict(container.metadata)
    for name, value in changes.items():
        key = name.replace("__", ".")
        if isinstance(value, str):
            metadata[key] = value
        elif value is None:
            del arrays[key]
        else:
            arrays[key] = np.asarray(value)
    write_container(target, arrays, metadata)
    return target


def u8(*values: int) -> np.ndarray:
    return np.array(values, np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("counts")


@pytest.fixture
def counts() -> Counts:
    return count_ngrams(["a rose is a rose", "a rose is red"], 3)


# --- What is counted ---


@given(sentences, orders)
def test_counts_are_those_of_a_dict(texts: list[str], order: int) -> None:
    counts = count_ngrams(texts, order, threads=2)
    for k in range(1, order + 1):
        assert table(counts, k) == expected(texts, k)
        rows = [tuple(row[::-1]) for row in counts.ngrams.ngram_ids(k).tolist()]
        assert rows == sorted(set(rows))


@given(sentences, orders)
def test_derived_counts_are_those_of_the_trie(texts: list[str], order: int) -> None:
    tokens, vocabulary, _ = read_corpus(texts)
    counts = count_ngrams(texts, order)
    trie = Estimator(tokens, len(vocabulary), order)
    assert (counts.ngrams.counts_of_counts == trie.counts_of_counts).all()
    assert counts.sizes == trie.counts_before_pruning


@given(sentences, orders)
def test_adjusted_counts_are_numbers_of_left_neighbours(
    texts: list[str], order: int
) -> None:
    counts = count_ngrams(texts, order)
    words = counts.vocabulary.words()
    for k in range(1, order):
        longer = expected(texts, k + 1)
        left = collections.Counter(words[1:] for words in longer)
        adjusted = counts.ngrams.adjusted(k)
        for row, value in zip(counts.ngrams.ngram_ids(k), adjusted, strict=True):
            key = tuple(words[i] for i in row)
            if key[0] == "<s>":
                assert value == expected(texts, k).get(key, 0)
            else:
                assert value == left[key]
    highest = counts.ngrams.level(order)[2]
    assert (counts.ngrams.adjusted(order) == highest).all()


@given(sentences, st.integers(2, 5))
def test_prefixes_are_the_n_grams_without_the_last_word(
    texts: list[str], order: int
) -> None:
    ngrams = count_ngrams(texts, order).ngrams
    for k, prefix in enumerate(ngrams.prefixes(threads=2), 1):
        if k > 1:
            assert (
                ngrams.ngram_ids(k)[:, :-1] == ngrams.ngram_ids(k - 1)[prefix]
            ).all()


def test_threads_do_not_change_counts() -> None:
    rng = np.random.default_rng(5)
    texts = [" ".join(map(str, rng.zipf(1.2, 9) % 5000)) for _ in range(3000)]
    one, many = (count_ngrams(texts, 4, threads=threads) for threads in (1, 3))
    assert one == many
    halves = [count_ngrams(texts[:1000], 4), count_ngrams(texts[1000:], 4)]
    assert merge_counts(halves, threads=1) == merge_counts(halves, threads=3) == one


def test_one_n_gram_is_looked_up(counts: Counts) -> None:
    assert counts.count("a rose") == 3
    assert counts.count(("<s>", "a", "rose")) == 2
    assert counts.count("red </s>") == 1
    assert counts.count("rose a") == counts.count("a lily") == 0
    with pytest.raises(InputError, match="has 4 tokens"):
        counts.count("a rose is red")


def test_lower_orders_are_the_counts_of_a_lower_order(counts: Counts) -> None:
    assert counts.truncated(2) == count_ngrams(["a rose is a rose", "a rose is red"], 2)
    with pytest.raises(InputError, match="order is 4"):
        counts.truncated(4)


def test_counts_of_ids_keep_their_vocabulary() -> None:
    vocabulary = ngram.Vocabulary.from_words(["x", "unused", "y"])
    counts = count_ngrams(([3, 5, 3], [0, 2, 3], vocabulary), 2)
    assert counts.vocabulary == vocabulary
    assert counts.ngrams.level(1)[2].tolist() == [0, 0, 2, 2, 0, 1]


def test_info_says_what_the_counts_are(counts: Counts) -> None:
    info = counts.info()
    assert json.loads(json.dumps(info)) == info
    assert (info["tokens"], info["sentences"], info["order"]) == (9, 2, 3)
    assert info["sources"] == [
        {"name": "sentences", "bytes": 29, "sentences": 2, "tokens": 9}
    ]


# --- Merging ---


@FEWER
@given(sentences, orders, st.lists(st.integers(0, 100), max_size=4))
def test_shards_add_up_to_the_whole_byte_for_byte(
    folder: Path, texts: list[str], order: int, points: list[int]
) -> None:
    whole = count_ngrams(texts, order)
    shards = [count_ngrams(part, order) for part in cut(texts, points)]
    merged = merge_counts(shards, threads=2)
    assert saved(merged, folder) == saved(whole, folder)
    if any(text.strip() for text in texts):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiscountWarning)
            ngram.train(merged).save(folder / "merged.ngram")
            whole_model = ngram.train(texts, order, structure="bucketed")
            whole_model.save(folder / "whole.ngram")
        whole_bytes = (folder / "whole.ngram").read_bytes()
        assert (folder / "merged.ngram").read_bytes() == whole_bytes


@FEWER
@given(sentences, sentences, orders)
def test_adding_then_subtracting_gives_the_original(
    folder: Path, kept: list[str], removed: list[str], order: int
) -> None:
    original = count_ngrams(kept, order)
    other = count_ngrams(removed, order)
    both = merge_counts([original, other])
    assert saved(merge_counts([both], subtract=[other]), folder) == saved(
        original, folder
    )
    assert merge_counts([both, other], [1, -1]) == original


@FEWER
@given(sentences, sentences, orders)
def test_unlearning_the_beginning_leaves_the_counts_of_the_rest(
    kept: list[str], removed: list[str], order: int
) -> None:
    both = count_ngrams([*removed, *kept], order)
    rest = merge_counts([both], subtract=[count_ngrams(removed, order)])
    for k in range(1, order + 1):
        assert table(rest, k) == expected(kept, k)
    present = {word for text in kept for word in text.split()}
    assert set(rest.vocabulary.words()) == {"<unk>", "<s>", "</s>"} | present


@FEWER
@given(sentences, sentences, orders, weight, weight)
def test_shards_are_weighted(
    left: list[str], right: list[str], order: int, first: float, second: float
) -> None:
    shards = [count_ngrams(left, order), count_ngrams(right, order)]
    if not first and not second:
        with pytest.raises(InputError, match="nothing to merge"):
            merge_counts(shards, [first, second])
        return
    merged = merge_counts(shards, [first, second])
    for k in range(1, order + 1):
        weights = [first] * len(left) + [second] * len(right)
        assert table(merged, k) == pytest.approx(expected(left + right, k, weights))


def test_files_carry_their_names_and_weights(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"{name} rose\n")
    paths = [tmp_path / "a", tmp_path / "b"]
    shards = [count_ngrams(path, 2) for path in paths]
    assert merge_counts(shards) == count_ngrams(paths, 2)
    weighted = merge_counts(shards, [1, 0.5])
    assert weighted == count_ngrams(paths, 2, weights=[1, 0.5])
    assert [source.get("weight") for source in weighted.sources] == [None, 0.5]
    again = merge_counts([weighted, shards[1]], [1, -0.5])
    assert again == shards[0]


def test_what_was_never_added_cannot_be_subtracted(counts: Counts) -> None:
    other = count_ngrams(["a rose is a lily"], 3)
    with pytest.raises(InputError, match="the 1-gram 'lily' would have the count -1"):
        merge_counts([counts], subtract=[other])
    turned = count_ngrams(["rose a"], 3)
    with pytest.raises(InputError, match="the 2-gram 'a </s>' would have the count -1"):
        merge_counts([counts], subtract=[turned])


@pytest.mark.parametrize(
    ("order", "which", "message"),
    [
        (1, ("b",), "the 2-gram 'b </s>' would remain without"),
        (2, ("a", "b"), "the 3-gram '<s> a b' would remain without its parts"),
        (2, ("<s>", "a"), "'<s> a b' would remain without its first 2 words"),
    ],
)
def test_what_remains_must_have_its_parts(
    tmp_path: Path, order: int, which: tuple[str, ...], message: str
) -> None:
    once, twice = count_ngrams(["a b"], 3), count_ngrams(["a b", "a b"], 3)
    twice.save(tmp_path / "x.counts")
    at = list(table(twice, order)).index(which) + 2 * (order == 1)
    lowered = twice.ngrams.level(order)[2].astype(np.uint8)
    lowered[at] = 1  # as no text counts it
    crafted = rewritten(
        tmp_path / "x.counts",
        tmp_path / "y.counts",
        **{f"counts__{order}__counts": lowered},
    )
    with pytest.raises(InputError, match=message):
        merge_counts([Counts.load(crafted)], subtract=[once])


@pytest.mark.parametrize(
    ("shards", "options", "message"),
    [
        ([(2, "whitespace"), (3, "whitespace")], {}, "shard 1 has order 2 and shard 2"),
        ([(2, "whitespace"), (2, "characters")], {}, "shard 1 has the tokenizer"),
        ([(2, "whitespace")], {"weights": [1, 2]}, "2 weights for 1 shards"),
        ([(2, "whitespace")], {"weights": [math.nan]}, "weight 1 is nan"),
        ([(2, "whitespace")], {"weights": [math.inf]}, "weight 1 is inf"),
        ([(2, "whitespace")], {"weights": [1e-30]}, "weight 1 is 1e-30"),
        ([(2, "whitespace")], {"weights": ["much"]}, "weight 1 is 'much'"),
        ([(2, "whitespace")], {"weights": 2}, "pass one number for each shard"),
        ([(2, "whitespace")], {"weights": [-1]}, "would have the count -"),
        ([], {}, "nothing to merge"),
    ],
)
def test_shards_that_cannot_be_merged(
    shards: list[tuple[int, str]], options: dict, message: str
) -> None:
    parts = [count_ngrams(["a b"], order, tokenizer=name) for order, name in shards]
    with pytest.raises(InputError, match=message):
        merge_counts(parts, **options)


def test_shards_are_counts(counts: Counts) -> None:
    with pytest.raises(InputError, match="pass a list of Counts"):
        merge_counts(counts)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="item 2 of shards is a str"):
        merge_counts([counts, "b.counts"])  # type: ignore[list-item]


def test_counts_stay_within_what_is_exact(counts: Counts) -> None:
    grown = counts
    for _ in range(1):
        grown = merge_counts([grown], [1e9])
    with pytest.raises(InputError, match=r"above 2\^53"):
        merge_counts([grown], [1e9])
    shrunk = merge_counts([counts], [1e-9])
    with pytest.raises(InputError, match="Use larger weights"):
        merge_counts([merge_counts([shrunk], [1e-9])], [1e-9])


# --- Models ---


def test_models_from_counts_are_those_of_the_golden_texts(
    golden_case: GoldenCase, tmp_path: Path
) -> None:
    if not any(golden_case.train.read_bytes().split()):
        pytest.skip("a text without words makes no model")
    options = dict(golden_case.options)
    options.setdefault("discount_fallback", None)
    counting = {key: options.pop(key, False) for key in ["skip_symbols"]}
    counts = count_ngrams(golden_case.train, options["order"], **counting)
    train_arpa(golden_case.train, tmp_path / "text.arpa", **options, **counting)
    train_arpa(counts, tmp_path / "counts.arpa", **options)
    text = (tmp_path / "text.arpa").read_bytes()
    assert (tmp_path / "counts.arpa").read_bytes() == text


pruning = st.lists(st.integers(0, 3), max_size=3).map(sorted)
listing = st.none() | st.lists(st.sampled_from(WORDS), min_size=1, max_size=4)


@FEWER
@given(sentences, st.integers(3, 5), pruning, listing, st.sampled_from([0, 1, 2]))
def test_options_do_the_same_to_counts_and_to_text(
    folder: Path,
    texts: list[str],
    order: int,
    prune: list[int],
    limit_vocab: list[str] | None,
    unigrams: int,
) -> None:
    texts = [*texts, "a"]
    options: dict = {"prune": prune, "limit_vocab": limit_vocab}
    options |= [{}, {"interpolate_unigrams": False}, {"vocab_pad": 90}][unigrams]
    counts = count_ngrams(texts, order, threads=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiscountWarning)
        of_text = ngram.train(texts, order, structure="bucketed", **options)
        of_text.save(folder / "text.ngram")
        ngram.train(counts, threads=2, **options).save(folder / "counts.ngram")
    text = (folder / "text.ngram").read_bytes()
    assert (folder / "counts.ngram").read_bytes() == text


def test_a_lower_order_of_the_counts_can_be_trained(counts: Counts) -> None:
    fallback = (0.5, 1, 1.5)
    low = ngram.train(counts, 2, discount_fallback=fallback)
    text = ngram.train(
        ["a rose is a rose", "a rose is red"],
        2,
        discount_fallback=fallback,
        structure="bucketed",
    )
    assert low.info() == text.info()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 4}, "order is 4, and the counts have n-grams of 1 to 3"),
        ({"tokenizer": "bytes"}, "Leave `tokenizer` out"),
        ({"skip_symbols": True}, "skip_symbols=True has no effect on counts"),
        ({"memory": "512"}, "limited to 512 bytes"),
    ],
)
def test_options_that_counts_cannot_follow(
    counts: Counts, options: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ngram.train(counts, **options)


def test_counts_without_words_make_no_model() -> None:
    with pytest.raises(InputError, match="the counts have no words"):
        ngram.train(count_ngrams(["", ""], 2))


# --- Weights ---


@given(sentences, orders, st.data())
def test_sentences_have_weights(
    texts: list[str], order: int, data: st.DataObject
) -> None:
    size = {"min_size": len(texts), "max_size": len(texts)}
    weights = data.draw(st.lists(weight, **size))
    counts = count_ngrams(texts, order, weights=weights)
    for k in range(1, order + 1):
        # The same numbers in the same order, so the same sums.
        assert table(counts, k) == expected(texts, k, weights)
    tabbed = [f"{factor}\t{text}" for factor, text in zip(weights, texts, strict=True)]
    assert count_ngrams(tabbed, order, weights="lines") == counts


def test_sentences_of_ids_have_weights() -> None:
    texts, weights = ["a b", "c", "a"], [0.5, 0, 2]
    tokens, vocabulary, _ = read_corpus(texts)
    counts = count_ngrams((tokens, vocabulary), 2, weights=weights)
    assert table(counts, 2) == expected(texts, 2, weights)
    assert counts.vocabulary == vocabulary


def test_one_weight_is_that_of_the_corpus(counts: Counts) -> None:
    texts = ["a rose is a rose", "a rose is red"]
    assert count_ngrams(texts, 3, weights=2.5) == merge_counts([counts], [2.5])
    assert count_ngrams(texts, 3, weights=1) == counts


def test_whole_weights_are_repetitions() -> None:
    texts, weights = ["a rose is a rose", "a rose is red", "a lily"], [2, 3, 1]
    repeated = [
        text for text, factor in zip(texts, weights, strict=True) for _ in range(factor)
    ]
    weighted = count_ngrams(texts, 3, weights=weights)
    assert weighted.ngrams == count_ngrams(repeated, 3).ngrams


def test_weights_in_the_lines_of_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0.5\ta rose\n2\tred \xff\n0\tnothing\n1e1\t\n \t")
    (tmp_path / "b").write_bytes(b"1\ta\tlily")
    counts = count_ngrams([tmp_path / "a", tmp_path / "b"], 2, weights="lines")
    assert table(counts, 1) == {
        ("</s>",): 13.5,
        ("a",): 1.5,
        ("rose",): 0.5,
        ("red",): 2.0,
        ("\udcff",): 2.0,
        ("lily",): 1.0,
    }
    assert [source["name"] for source in counts.sources] == [
        str(tmp_path / "a"),
        str(tmp_path / "b"),
    ]
    assert all(source["weighted"] for source in counts.sources)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1], "there are more sentences than weights: the weights end after 1"),
        ([1, 1, 1], "there are more weights than sentences"),
        ([1, math.nan], "weight 2 is nan"),
        ([1, -1], "not negative"),
        (math.inf, "weights is inf"),
        ("words", "pass numbers, or 'lines'"),
        ("lines", "sentence 1: the line begins with no weight"),
    ],
)
def test_weights_that_cannot_be_used(weights: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        count_ngrams(["a rose", "is red"], weights=weights)  # type: ignore[arg-type]


def test_weights_of_files_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("1\ta\nmuch\tb\n")
    with pytest.raises(InputError, match="3 weights for 1 files"):
        count_ngrams([path], weights=[1, 2, 3])
    with pytest.raises(
        InputError, match="several weights are those of a list of files"
    ):
        count_ngrams(path, weights=[1])
    with pytest.raises(InputError, match=r"a:2: b'much' is not a number"):
        count_ngrams(path, weights="lines")


@FEWER
@given(sentences, st.integers(1, 4), st.data())
def test_probabilities_of_weighted_counts_sum_to_one(
    texts: list[str], order: int, data: st.DataObject
) -> None:
    texts = ["a rose", *texts]
    size = {"min_size": len(texts) - 1, "max_size": len(texts) - 1}
    weights = [1.3, *data.draw(st.lists(weight, **size))]
    counts = count_ngrams(texts, order, weights=weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiscountWarning)
        model = ngram.train(counts)
    for context in ["", "a", "a rose", "b c a"]:
        total = model.distribution(context).sum()
        assert total == pytest.approx(1, abs=2e-6)  # float32 probabilities


def test_discounts_of_fractions_lie_between_those_of_whole_counts() -> None:
    # Bigrams "<s> x" and "x </s>" have the weight of x: D(a) of each, by hand.
    weights = {"a": 0.5, "b": 1, "c": 1.5, "d": 2.25, "e": 3.5}
    counts = count_ngrams(list(weights), 2, weights=weights.values())
    method = ModifiedKneserNey(discounts=(0.5, 1, 1.5)).fit([(0, 0, 0, 0)] * 2)
    ngrams, _ = smooth_counts(counts.ngrams, method, log10=False)
    by_hand = {"a": 0.25, "b": 0.5, "c": 0.75, "d": 1.125, "e": 1.5}
    total = sum(weights.values())
    gamma = sum(by_hand.values()) / total
    lower = dict(zip(counts.vocabulary.words(), ngrams.level(1)[2], strict=True))
    found = dict(
        zip(map(tuple, ngrams.ngram_ids(2).tolist()), ngrams.level(2)[2], strict=True)
    )
    for word, factor in weights.items():
        alpha = (factor - by_hand[word]) / total
        probability = found[1, counts.vocabulary.id(word)]
        assert probability == pytest.approx(alpha + gamma * lower[word], rel=1e-6)


# --- Files ---


@FEWER
@given(sentences, orders, weight.filter(bool))
def test_saving_and_loading_changes_nothing(
    folder: Path, texts: list[str], order: int, factor: float
) -> None:
    counts = merge_counts([count_ngrams(texts, order)], [factor])
    counts.save(folder / "x.counts", threads=2)
    assert Counts.load(folder / "x.counts", threads=2) == counts


def test_a_tokenizer_is_kept(tmp_path: Path) -> None:
    counts = count_ngrams(["a rose"], 2, tokenizer="characters", skip_symbols=True)
    counts.save(tmp_path / "x.counts")
    loaded = Counts.load(tmp_path / "x.counts")
    assert loaded.tokenizer.name == "characters"
    assert loaded.skip_symbols
    with pytest.warns(DiscountWarning):
        assert ngram.train(loaded).tokenizer.name == "characters"


def test_integers_take_a_byte_where_they_are_small(tmp_path: Path) -> None:
    counts = count_ngrams(["a b", "a b", *["a"] * 200], 2)
    counts.save(tmp_path / "x.counts")
    arrays = open_container(tmp_path / "x.counts", content="counts").arrays
    # <unk>, <s>, </s> 202 times (0xca 0x01), a 202 times, b twice.
    assert arrays["counts.1.counts"].tolist() == [0, 0, 0xCA, 1, 0xCA, 1, 2]
    # Of suffix </s>: a, b; of a: <s>; of b: a. Words of one suffix as gaps less one.
    assert arrays["counts.2.children"].tolist() == [0, 0, 2, 1, 1]
    assert arrays["counts.2.words"].tolist() == [3, 0, 1, 3]
    assert arrays["counts.2.counts"].tolist() == [0xC8, 1, 2, 0xCA, 1, 2]
    assert bytes(arrays["vocabulary.strings"]) == b"ab"
    assert arrays["vocabulary.lengths"].tolist() == [1, 1]


def test_every_cut_of_a_file_is_refused(counts: Counts, tmp_path: Path) -> None:
    data = saved(counts, tmp_path)
    path = tmp_path / "cut.counts"
    for size in [0, 1, 7, 8, 100, 4095, 4096, len(data) - 64, len(data) - 1]:
        path.write_bytes(data[:size])
        with pytest.raises(ModelFileError, match=r"cut\.counts"):
            Counts.load(path)


def test_every_flipped_byte_is_refused(counts: Counts, tmp_path: Path) -> None:
    data = saved(counts, tmp_path)
    path = tmp_path / "flipped.counts"
    rng = np.random.default_rng(7)
    used = [i for i in range(len(data)) if data[i : i + 1] not in b"\0 "]
    for position in rng.choice(used, 150, replace=False):
        damaged = bytearray(data)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError):
            Counts.load(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"counts": "[5]"},
        {"counts": "[5, 4, 9, 1]"},
        {"counts": "[2, 9, 9]"},
        {"counts": "[6, 9, 9]"},
        {"counts": "[7, 9, 1e3]"},
        {"counts": "[7, 99999999999, 9]"},
        {"counts": "[7, 4000000000, 9]"},
        {"order": "4"},
        {"tokenizer": "unknown"},
        {"sources": "{}"},
        {"sources": "[1]"},
        {"sources": '[{"name": "x", "weight": "much"}]'},
        {"skip_symbols": "1"},
        {"counts__1__counts": None},
        {"counts__2__words": None},
        {"counts__1__counts": u8(0, 1, 2, 3, 3, 2, 1)},
        {"counts__1__counts": u8(0, 0, 2, 3, 3, 2)},
        {"counts__1__counts": u8(0, 0, 2, 3, 3, 2, 1, 1)},
        {"counts__1__counts": u8(0, 0, 2, 3, 3, 2, 0x80)},
        {"counts__1__counts": u8(0, 0, 2, 3, 3, 2, 0x80, 0)},
        {"counts__1__counts": u8(0, 0, 2, 3, 3, 2, *[0xFF] * 9, 2)},
        {"counts__1__counts": u8(0, 0, 2, 3, 3, 2, *[0xFF] * 9, 1)},
        {"counts__1__counts": np.zeros(7, np.uint16)},
        {"counts__1__counts": np.array([0, 0, 2, 3, 3, 2, np.nan])},
        {"counts__1__counts": np.array([0, 0, 2, 3, 3, 2, -1.0])},
        {"counts__1__counts": np.array([0, 0, 2, 3, 3, 2, 1e-300])},
        {"counts__1__counts": np.array([0, 0, 2, 3, 3, 2, 1e17])},
        {"counts__1__counts": np.array([0, 0, 2, 3, 3, 2.0])},
        {"counts__2__counts": u8(0, 1, 2, 3, 1, 1, 2, 1)},
        {"counts__2__children": u8(1, 0, 2, 2, 1, 1, 1)},
        {"counts__2__children": u8(0, 0, 2, 2, 1, 1, 9)},
        {"counts__2__children": u8(0, 0, 2, 2, 1, 1)},
        {"counts__2__words": u8(9, 0, 1, 1, 3, 1, 1)},
        {"counts__2__words": u8(6, 0, 1, 1, 3, 1, 1)},
        {"vocabulary__lengths": u8(1, 4, 2)},
        {"vocabulary__lengths": u8(1, 4, 2, 4)},
        {"vocabulary__lengths": u8(1, 4, 0, 5)},
        {"vocabulary__strings": u8(*b"aabb"), "vocabulary__lengths": u8(1, 1, 1, 1)},
        {"vocabulary__strings": np.zeros(3, np.uint32)},
    ],
    ids=str,
)
def test_a_file_from_a_stranger_is_checked(
    counts: Counts, tmp_path: Path, changes: dict
) -> None:
    counts.save(tmp_path / "x.counts")
    path = rewritten(tmp_path / "x.counts", tmp_path / "y.counts", **changes)
    with pytest.raises(ModelFileError, match=r"y\.counts"):
        Counts.load(path)


def test_a_missing_prefix_is_found_when_it_is_needed(
    counts: Counts, tmp_path: Path
) -> None:
    counts.save(tmp_path / "x.counts")
    words = open_container(tmp_path / "x.counts", content="counts").arrays
    changed = np.array(words["counts.3.words"])
    changed[0] = 5  # another word on the left: this trigram has no prefix
    path = rewritten(
        tmp_path / "x.counts", tmp_path / "y.counts", counts__3__words=changed
    )
    crafted = Counts.load(path)
    with pytest.raises(InputError, match="has a prefix that is absent"):
        ngram.train(crafted, discount_fallback=(0.5, 1, 1.5))
    with pytest.raises(InputError, match="has a prefix that is absent"):
        crafted.ngrams.prefixes()


def test_other_files_are_told_apart(counts: Counts, tmp_path: Path) -> None:
    counts.save(tmp_path / "x.counts")
    model = ngram.train(counts, discount_fallback=(0.5, 1, 1.5))
    model.save(tmp_path / "x.ngram")
    with pytest.raises(ModelFileError, match="this is a file of counts, not a model"):
        ngram.load(tmp_path / "x.counts")
    with pytest.raises(ModelFileError, match="this is a model, not a file of counts"):
        Counts.load(tmp_path / "x.ngram")
    with pytest.raises(InputError, match="this is a file of counts, not a text"):
        ngram.train(tmp_path / "x.counts")
    with pytest.raises(ModelFileError, match="cannot open"):
        Counts.load(tmp_path / "absent.counts")
    with pytest.raises(InputError, match="path is 3"):
        Counts.load(3)  # type: ignore[arg-type]


def test_a_later_version_is_named(counts: Counts, tmp_path: Path) -> None:
    data = saved(counts, tmp_path)
    path = tmp_path / "x.counts"
    path.write_bytes(data.replace(b'"format_version":"1"', b'"format_version":"9"', 1))
    with pytest.raises(ModelFileError, match="format version 9"):
        Counts.load(path)


def test_a_full_disk_leaves_the_old_file(counts: Counts, tmp_path: Path) -> None:
    path = tmp_path / "x.counts"
    counts.save(path)
    before = path.read_bytes()
    program = (
        "import sys, ngram\n"
        "counts = ngram.Counts.load(sys.argv[1])\n"
        "try:\n"
        "    counts.save(sys.argv[1])\n"
        "except ngram.ModelFileError as error:\n"
        "    print(error)\n"
    )

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    answer = subprocess.run(
        [sys.executable, "-P", "-c", program, path],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert "x.counts" in answer.stdout
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


def test_counts_are_immutable(counts: Counts) -> None:
    for array in counts.ngrams.level(2):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(AttributeError):
        counts.sources = ()  # type: ignore[misc]


def test_interruption_leaves_the_counting() -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "sort and count":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        count_ngrams(["a rose"] * 1000, 3, progress=stop)


# --- The command line ---


def command(*arguments: object, status: int = 0) -> str:
    """Run one command line in this process; return what it says on stderr."""
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        assert run([str(argument) for argument in arguments]) == status
    return errors.getvalue()


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("a rose is a rose\na rose is red\n" * 2)
    Path("b.txt").write_text("a lily is white\nthe rose is not\n")
    Path("lines.txt").write_text("2\ta rose is a rose\n0.5\ta rose is red\n")
    return ["a.txt", "b.txt"]


def test_shards_are_counted_merged_and_trained(texts: list[str]) -> None:
    for text in texts:
        said = command("count", text, "-o", f"{text}.counts", "--order", 3)
        assert said.startswith(f"{text}.counts: order 3, ")
    command("merge", "a.txt.counts", "b.txt.counts", "-o", "ab.counts")
    command("count", *texts, "-o", "whole.counts", "--order", 3)
    assert Path("ab.counts").read_bytes() == Path("whole.counts").read_bytes()
    fallback = ["--discount-fallback", "0.5,1,1.5"]
    command("train", "--from-counts", "ab.counts", "-o", "counts.ngram", *fallback)
    bucketed = ["--structure", "bucketed"]  # what counts are trained to
    command("train", *texts, "--order", 3, "-o", "text.ngram", *fallback, *bucketed)
    assert Path("counts.ngram").read_bytes() == Path("text.ngram").read_bytes()
    command("train", "--from-counts", "ab.counts", "-o", "counts.arpa", *fallback)
    command("train", *texts, "--order", 3, "-o", "text.arpa", *fallback)
    assert Path("counts.arpa").read_bytes() == Path("text.arpa").read_bytes()
    command("merge", "ab.counts", "--subtract", "b.txt.counts", "-o", "ab.counts")
    assert Path("ab.counts").read_bytes() == Path("a.txt.counts").read_bytes()


def test_weights_on_the_command_line(texts: list[str]) -> None:
    command("count", *texts, "-o", "w.counts", "--weight", 2, "--weight", 0.5)
    for text in texts:
        command("count", text, "-o", f"{text}.counts")
    weights = ["--weight", 2, "--weight", 0.5]
    command("merge", *[f"{text}.counts" for text in texts], "-o", "m.counts", *weights)
    assert Path("w.counts").read_bytes() == Path("m.counts").read_bytes()
    command("count", "lines.txt", "--weighted-lines", "-o", "l.counts")
    assert Counts.load("l.counts").count("a rose") == 4.5


def test_one_weight_of_zero_is_not_no_weight(
    texts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["count", *texts, "-o", "w.counts", "--weight", "0"]) == 1
    assert "nothing to merge" in capsys.readouterr().err
    assert not Path("w.counts").exists()


def test_info_describes_counts(
    texts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command("count", *texts, "-o", "w.counts", "--weight", 0.5)
    assert run(["info", "w.counts"]) == 0
    assert (
        "b.txt (bytes 32, sentences 2, tokens 8, weight 0.5)" in capsys.readouterr().out
    )
    assert run(["info", "--json", "w.counts"]) == 0
    assert json.loads(capsys.readouterr().out) == Counts.load("w.counts").info()


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        ("train -o m.ngram", 2, "name texts, or a file of counts with --from-counts"),
        ("train a.txt --from-counts c.counts -o m.ngram", 2, "name texts, or a file"),
        ("train --from-counts a.txt -o m.ngram", 1, "this is a text file"),
        ("train --from-counts c.counts -o m.ngram --order 9", 1, "1 to 3"),
        ("train --from-counts c.counts -o m.ngram --skip-symbols", 1, "`ngram count`"),
        ("train --from-counts c.counts -o m.ngram --tokenizer bytes", 1, "tokenizer"),
        ("train c.counts -o m.ngram", 1, "`ngram train --from-counts`"),
        ("score c.counts", 1, "this is a file of counts, not a model"),
        ("count a.txt -o -", 2, "name a file"),
        ("count a.txt -o x.gz", 1, "cannot be compressed"),
        ("count a.txt -o x --weight 1 --weighted-lines", 2, "exclude each other"),
        ("count a.txt -o x --weighted-lines", 1, "a.txt:1: the line begins with no"),
        ("count a.txt -o x --weight 1 --weight 2", 1, "2 weights for 1 files"),
        ("count a.txt -o x --weight nan", 1, "--weight is nan"),
        ("merge c.counts -o x --weight 1 --weight 2", 1, "2 weights for 1 shards"),
        ("merge c.counts a.txt -o x", 1, "this is a text file"),
        ("merge c.counts -o x --subtract c.counts --subtract c.counts", 1, "count -"),
    ],
)
def test_wrong_command_lines(
    texts: list[str], line: str, status: int, message: str
) -> None:
    count_ngrams(Path("a.txt"), 3).save("c.counts")
    assert message in command(*line.split(), status=status)
    assert not Path("m.ngram").exists()
    assert not Path("x").exists()
