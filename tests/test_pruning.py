"""Pruning: criteria against their definition, selection, sums to one, and errors."""

import math
from collections import Counter

import numpy as np
import pytest
from test_ngrams import assert_sums_are_one, normal_model

import ngram
from ngram._core.pruning import Pruner
from ngram.errors import InputError

SENTENCES = [
    "the cat sat on the mat",
    "the dog sat on the log",
    "the cat saw the dog",
    "a dog and a cat sat",
    "the mat and the log",
] * 2 + ["a cat sat on a dog", "the log saw a mat", "on the mat sat the cat"]


@pytest.fixture(scope="module")
def model():
    return ngram.train(SENTENCES, order=3, discount_fallback=(0.5, 1, 1.5))


def probability(tables, context, word):
    key = (*context, word)
    if key in tables[len(key) - 1]:
        return 10 ** float(tables[len(key) - 1][key][0])
    entry = tables[len(context) - 1].get(tuple(context), (0, 0))
    return 10 ** float(entry[1]) * probability(tables, context[1:], word)


def chain(tables, context):
    product = probability(tables, (), 2 if context[0] == 1 else context[0])
    for i in range(1, len(context)):
        product *= probability(tables, context[:i], context[i])
    return product


def removal_costs(tables, order, words):
    """Relative entropy of removing each n-gram, summed over every word it changes."""
    costs = {}
    predicted = [word for word in range(words) if word != 1]
    for key in tables[order - 1]:
        context, word = key[:-1], key[-1]
        seen = {k[-1] for k in tables[order - 1] if k[:-1] == context} - {1}
        if word == 1:  # never predicted
            costs[key] = 0.0
            continue
        before = {v: probability(tables, context, v) for v in predicted}
        lower = {v: probability(tables, context[1:], v) for v in predicted}
        left = seen - {word}
        backoff = (1 - sum(before[v] for v in left)) / (1 - sum(lower[v] for v in left))
        nats = sum(
            before[v] * math.log(before[v] / (backoff * lower[v]))
            for v in predicted
            if v not in left
        )
        costs[key] = math.expm1(chain(tables, context) * nats)
    return costs


def keys(ngrams, order):
    return list(map(tuple, ngrams.ngram_ids(order).tolist()))


def dictionaries(ngrams):
    tables = []
    for order in range(1, ngrams.order + 1):
        log10_prob, backoff = ngrams.level(order)[2:]
        backoff = backoff if backoff.size else np.zeros(len(log10_prob))
        values = zip(log10_prob, backoff, strict=True)
        tables.append(dict(zip(keys(ngrams, order), values, strict=True)))
    return tables


@pytest.mark.parametrize("seed", range(3))
def test_entropy_scores_are_those_of_the_definition(seed):
    ngrams = normal_model(seed, words=60, order=3).sorted_ngrams().renormalized()
    tables = dictionaries(ngrams)
    pruner = Pruner(ngrams, "chain")
    pruner.score("entropy")
    costs = removal_costs(tables, 3, 60)
    expected = [costs[key] for key in keys(ngrams, 3)]
    # Float32 probabilities: a cost is a difference of sums that agree to 1e-7.
    np.testing.assert_allclose(pruner.scores_of(3), expected, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("histories", ["chain", "stationary"])
@pytest.mark.parametrize("seed", range(3))
def test_pruned_ngrams_are_closed_and_sum_to_one(seed, histories):
    ngrams = normal_model(seed).sorted_ngrams().renormalized()
    pruner = Pruner(ngrams, histories)
    pruner.score("entropy")
    for cut in (1e-5, 1e-3, 1e-2):
        kept = pruner.select(cut, 0)
        kept.prefixes()  # raises if one is absent
        assert_sums_are_one(kept)


def test_stationary_histories_are_those_of_generated_text(model):
    ngrams = model.table.to_sorted()
    tables = dictionaries(ngrams)
    predicted = [word for word in range(ngrams.counts[0]) if word != 1]
    moves = {}  # of the chain of the last two words
    shares = {(1,): 1.0}
    for _ in range(300):
        following, pairs = Counter(), Counter()
        for state, share in shares.items():
            if state not in moves:
                moves[state] = [(w, probability(tables, state, w)) for w in predicted]
            for word, chance in moves[state]:
                pairs[state[-1], word] += share * chance
                following[(1,) if word == 2 else (state[-1], word)] += share * chance
        shares = following
    pruner = Pruner(ngrams, "stationary")
    words = Counter()
    for (_, word), share in pairs.items():
        words[word] += share
    words[1] = words[2]
    # The kernel stops when the words move by 1e-3 in all.
    expected = [words[word] for word in range(ngrams.counts[0])]
    np.testing.assert_allclose(pruner.history(1), expected, atol=2e-3)
    expected = [pairs[key] for key in keys(ngrams, 2)]
    np.testing.assert_allclose(pruner.history(2), expected, atol=2e-3)


@pytest.mark.parametrize("method", ["entropy", "weighted-difference"])
def test_threads_do_not_change_a_bit(method):
    ngrams = normal_model(1, words=300, order=5).sorted_ngrams().renormalized()
    results = []
    for threads in (1, 2, 5):
        pruner = Pruner(ngrams, "stationary", threads=threads)
        pruner.score(method, threads=threads)
        results.append(pruner.select(1e-4, 0, threads=threads))
    assert results[0] == results[1] == results[2]


def test_threshold_zero_changes_nothing(model):
    pruned = ngram.prune(model, threshold=0)
    assert pruned.table.to_sorted() == model.table.to_sorted()


def test_a_huge_threshold_leaves_the_unigrams(model):
    pruned = ngram.prune(model, threshold=1e9)
    assert pruned.table.counts == model.table.counts[:1]


@pytest.mark.parametrize("extra", range(0, 60, 7))
def test_a_number_of_ngrams_is_met(model, extra):
    most = len(model.vocabulary) + extra
    assert sum(ngram.prune(model, max_ngrams=most).table.counts) == most


def test_a_size_in_bytes_is_met(model):
    pruned = ngram.prune(model, max_bytes=model.saved_size - 200)
    assert pruned.saved_size <= model.saved_size - 200


def test_a_pruned_model_saves_and_writes_arpa(model, tmp_path):
    pruned = ngram.prune(model, max_ngrams=40)
    pruned.save(tmp_path / "pruned.ngram")
    pruned.write_arpa(tmp_path / "pruned.arpa")
    assert (tmp_path / "pruned.ngram").stat().st_size == pruned.saved_size
    for other in (
        ngram.load(tmp_path / "pruned.ngram"),
        ngram.read_arpa(tmp_path / "pruned.arpa", strict=True),
    ):
        with other:
            assert other.score("the cat sat") == pytest.approx(
                pruned.score("the cat sat"), abs=1e-5
            )


def test_dropped_words_become_unknown(model):
    small = ngram.prune(model, vocabulary_size=8)
    assert len(small.vocabulary) == 8
    kept = set(small.vocabulary)
    dropped = [word for word in model.vocabulary if word not in kept]
    for context in ("", "the", "sat on"):
        if not set(context.split()) <= kept:
            continue
        before, after = model.distribution(context), small.distribution(context)
        for word in kept - {"<unk>", "<s>"}:
            assert after[small.vocabulary[word]] == pytest.approx(
                before[model.vocabulary[word]], rel=1e-5
            )
        folded = sum(before[model.vocabulary[word]] for word in [*dropped, "<unk>"])
        assert after[0] == pytest.approx(folded, rel=1e-5)


def test_the_model_as_its_own_history_is_the_chain_rule(model):
    ngrams = ngram.prune(model, max_ngrams=40, history=model).table.to_sorted()
    chained = ngram.prune(model, max_ngrams=40, history="chain").table.to_sorted()
    assert ngrams.counts == chained.counts


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "nothing says how much"),
        ({"threshold": -1}, "from 0 up"),
        ({"threshold": math.nan}, "from 0 up"),
        ({"threshold": "x"}, "from 0 up"),
        ({"threshold": 1e-8, "max_ngrams": 9}, "pass one of"),
        ({"max_ngrams": 3}, "unigrams, which pruning keeps"),
        ({"max_ngrams": 2.5}, "pass an integer"),
        ({"max_bytes": 10}, "unigrams alone"),
        ({"max_bytes": "many"}, "a number of bytes"),
        ({"vocabulary_size": 2}, "from 3 up"),
        ({"threshold": 0, "method": "rank"}, "method is 'rank'"),
        ({"threshold": 0, "history": "raw"}, "history is 'raw'"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(model, options, message):
    with pytest.raises(InputError, match=message):
        ngram.prune(model, **options)


def test_a_history_of_other_words_is_refused(model):
    other = ngram.train(["x y z"] * 3, order=2, discount_fallback=(0.5, 1, 1.5))
    with pytest.raises(InputError, match="other words"):
        ngram.prune(model, threshold=0, history=other)


def test_unigram_models_have_nothing_to_prune(model):
    unigrams = ngram.prune(model, threshold=1e9)
    with pytest.raises(InputError, match="order 1"):
        ngram.prune(unigrams, threshold=1e-8)


def test_successor_lists_are_rebuilt():
    model = ngram.train(
        SENTENCES, order=3, discount_fallback=(0.5, 1, 1.5), successors=True
    )
    assert ngram.prune(model, max_ngrams=40).successors is not None
