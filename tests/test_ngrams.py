"""SortedNgrams: what it hands out, and what it refuses."""

import gc

import numpy as np
import pytest
from reference_model import random_model

from ngram._core.model import Table
from ngram._core.ngrams import SortedNgrams
from ngram.errors import InputError

# Order 1: <unk> <s> </s> a b; order 2: a </s>, <s> a, b a; order 3: <s> a </s>.
LEVELS = [
    ([], [], [-2, 0, -1, -0.5, -0.75], [0, -0.5, 0, -0.25, -0.125]),
    ([3, 1, 4], [2, 3, 3], [-0.5, -0.25, -1.5], [0, -0.0625, 0]),
    ([1], [0], [-0.125], []),
]


def changed(order, column, values):
    levels = [list(level) for level in LEVELS]
    levels[order - 1][column] = values
    return levels


def test_arrays_come_back_as_they_went_in():
    ngrams = SortedNgrams.from_levels(LEVELS)
    assert (ngrams.order, ngrams.counts) == (3, (5, 3, 1))
    for order, level in enumerate(LEVELS, 1):
        types = (np.uint32, np.uint32, np.float32, np.float32)
        for array, values, dtype in zip(ngrams.level(order), level, types, strict=True):
            assert array.dtype == dtype
            assert array.tolist() == values


def test_ngram_ids_spell_the_ngrams_first_word_first():
    ngrams = SortedNgrams.from_levels(LEVELS)
    assert ngrams.ngram_ids(1).tolist() == [[0], [1], [2], [3], [4]]
    assert ngrams.ngram_ids(2).tolist() == [[3, 2], [1, 3], [4, 3]]
    assert ngrams.ngram_ids(3).tolist() == [[1, 3, 2]]


@pytest.mark.parametrize("threads", [1, 3])
def test_prefixes_are_all_words_but_the_last(threads):
    ngrams = random_model(7, words=40, order=4, density=0.2).sorted_ngrams()
    prefixes = ngrams.prefixes(threads=threads)
    assert prefixes[0].size == 0
    for order in range(2, 5):
        ids, lower = ngrams.ngram_ids(order), ngrams.ngram_ids(order - 1)
        assert (lower[prefixes[order - 1]] == ids[:, :-1]).all()


def test_ngram_ids_of_random_models_are_in_suffix_order():
    model = random_model(5, words=20, order=4, density=0.3)
    for order in range(1, 5):
        rows = [tuple(row) for row in model.sorted_ngrams().ngram_ids(order).tolist()]
        assert rows == sorted(model.ngrams[order - 1], key=lambda key: key[::-1])


def test_views_are_read_only_and_outlive_the_ngrams():
    ngrams = SortedNgrams.from_levels(LEVELS)
    word, _, log10_prob, _ = ngrams.level(2)
    del ngrams
    gc.collect()
    assert word.tolist() == [3, 1, 4]
    assert not log10_prob.flags.writeable


def test_equality_compares_every_value():
    ngrams = SortedNgrams.from_levels(LEVELS)
    assert ngrams == SortedNgrams.from_levels(LEVELS)
    assert ngrams != SortedNgrams.from_levels(changed(2, 2, [-0.5, -0.25, -1.25]))
    assert ngrams != SortedNgrams.from_levels([*LEVELS[:1], (*LEVELS[1][:3], [])])
    assert ngrams != LEVELS


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([], "no orders"),
        (changed(1, 2, [-2, 0, 0.5, -0.5, -0.75]), "it must be at most 0"),
        (changed(1, 2, [-2, 0, np.nan, -0.5, -0.75]), "it must be at most 0"),
        (changed(1, 3, [0, 0, 0, np.nan, 0]), "not a number"),
        (changed(1, 3, [0]), "5 probabilities and 1 back-offs"),
        (changed(3, 3, [0]), "1 probabilities and 1 back-offs"),
        (changed(2, 0, [3, 1]), "3 probabilities, 2 words and 3 suffixes"),
        (changed(2, 0, [3, 1, 5]), "a word outside the vocabulary"),
        (changed(2, 1, [2, 3, 5]), "a suffix that is absent"),
        (changed(2, 1, [3, 2, 3]), "is not in suffix order, or occurs twice"),
        (changed(2, 0, [3, 4, 4]), "is not in suffix order, or occurs twice"),
        (changed(3, 0, [3]), "a prefix that is absent"),  # a a </s>
        (changed(3, 1, [1]), "a prefix that is absent"),
    ],
)
def test_arrays_that_break_a_promise_are_refused(levels, message):
    with pytest.raises(InputError, match=message):
        SortedNgrams.from_levels(levels)


def test_an_order_out_of_range_is_refused():
    ngrams = SortedNgrams.from_levels(LEVELS)
    for order in (-1, 0, 4):
        with pytest.raises(InputError, match="these n-grams have orders 1 to 3"):
            ngrams.level(order)


def test_consumed_ngrams_are_empty_and_views_prevent_it():
    ngrams = SortedNgrams.from_levels(LEVELS)
    view = ngrams.level(2)[0]
    Table.build(ngrams, consume=True)
    assert ngrams.counts == (5, 3, 1)
    del view
    gc.collect()
    Table.build(ngrams, consume=True)
    assert ngrams.counts == ()


def test_only_the_engine_makes_them():
    with pytest.raises(TypeError, match="from_levels"):
        SortedNgrams()
