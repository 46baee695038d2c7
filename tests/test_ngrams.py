"""SortedNgrams: what it hands out, and what it refuses."""

import gc

import numpy as np
import pytest
from reference_model import ReferenceModel, random_model

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


# --- Back-off weights ---


def normal_model(seed, *, words=60, order=4):
    """Random n-grams whose unigrams sum to one; after no context all words are seen."""
    model = random_model(seed, words=words, order=order, density=0.4, sentences=20)
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.ones(words - 1))
    for word, probability in zip([0, *range(2, words)], share, strict=True):
        model.ngrams[0][word,] = (np.float32(np.log10(probability)), np.float32(0))
    for table in model.ngrams[1:]:
        totals = {}
        for key in table:
            totals.setdefault(key[:-1], rng.dirichlet(np.ones(words)))
        for key in table:
            probability = 0.99 * totals[key[:-1]][key[-1]] + 1e-9
            table[key] = (np.float32(np.log10(probability)), np.float32(0))
    return model


def assert_sums_are_one(ngrams, tolerance=1e-6):
    """Check p(.|h) of every context h that an n-gram begins with, by backing off."""
    tables = []
    for order in range(1, ngrams.order + 1):
        values = ngrams.level(order)[2:]
        keys = map(tuple, ngrams.ngram_ids(order).tolist())
        backoffs = values[1] if values[1].size else np.zeros(len(values[0]))
        tables.append(dict(zip(keys, zip(values[0], backoffs, strict=True))))
    model = ReferenceModel([str(i) for i in range(ngrams.counts[0])], tables)
    predicted = [i for i in range(ngrams.counts[0]) if i != 1]
    contexts = {key[:-1] for table in tables for key in table}
    for context in contexts:
        scores = [float(model.score_token(context, word)[0]) for word in predicted]
        assert abs(sum(10.0**score for score in scores) - 1) < tolerance, context


@pytest.mark.parametrize("seed", range(5))
def test_renormalized_contexts_sum_to_one(seed):
    assert_sums_are_one(normal_model(seed).sorted_ngrams().renormalized())


def test_renormalizing_does_not_depend_on_threads():
    ngrams = random_model(3, words=300, order=5, density=0.5, sentences=400)
    ngrams = ngrams.sorted_ngrams()
    once = ngrams.renormalized(threads=1)
    assert all(ngrams.renormalized(threads=t) == once for t in (2, 3, 7))


def test_backoffs_by_hand():
    # After b only a is seen: (1 - 10^-1.5) / (1 - 10^-0.5). After <s> a only </s>, with
    # probability 10^-0.125; after a it has 10^-0.5.
    backoffs = [
        SortedNgrams.from_levels(LEVELS).renormalized().level(k)[3] for k in (1, 2)
    ]
    expected = np.log10((1 - 10**-1.5) / (1 - 10**-0.5))
    assert backoffs[0][4] == np.float32(expected)
    expected = np.log10((1 - 10**-0.125) / (1 - 10**-0.5))
    assert backoffs[1].tolist() == [0, np.float32(expected), 0]
    assert backoffs[0][[0, 2]].tolist() == [0, 0]  # nothing is seen after them


def test_full_contexts_have_definite_backoffs():
    # After a: all words that have a probability, so the back-off is of no use.
    unigrams = ([], [], np.log10([1e-30, 1, 0.5, 0.5]), [0, 0, 0, 0])
    bigrams = ([3, 3], [2, 3], np.log10([0.25, 0.5]), [])
    full = SortedNgrams.from_levels([unigrams, bigrams]).renormalized()
    assert full.level(1)[3].tolist() == [0, 0, 0, 0]
    # After a: b has everything.
    bigrams = ([3], [3], [0], [])
    full = SortedNgrams.from_levels([unigrams, bigrams]).renormalized()
    assert full.level(1)[3].tolist() == [0, 0, 0, -np.inf]


def test_sentence_starts_are_never_predicted():
    unigrams = ([], [], np.log10([0.1, 1, 0.4, 0.5]), [0, 0, 0, 0])
    bigrams = ([3, 3], [1, 3], np.log10([0.9, 0.2]), [])
    ngrams = SortedNgrams.from_levels([unigrams, bigrams]).renormalized()
    expected = np.log10((1 - 10 ** np.float64(np.float32(np.log10(0.2)))) / 0.5)
    assert ngrams.level(1)[3][3] == pytest.approx(expected, abs=1e-7)
