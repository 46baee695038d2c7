"""Pruning: criteria against their definition, selection, sums to one, and errors."""

import json
import math
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_ngrams import assert_sums_are_one, normal_model

import ngram
from ngram._core.pruning import Pruner
from ngram.cli.group import run
from ngram.errors import InputError
from ngram.memory import parse_bytes
from ngram.pruning import METHODS, OWN_HISTORIES

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


def removal_costs(tables, order, words, method, history=chain):
    """What the removal of each n-gram costs, summed over every word it changes."""
    costs = {}
    predicted = [word for word in range(words) if word != 1]
    for key in tables[order - 1]:
        context, word = key[:-1], key[-1]
        if word == 1:  # never predicted
            costs[key] = 0.0
            continue
        left = followers(tables, context) - {word}
        backoff = new_backoff(tables, context, left)
        losses = {}
        for v in predicted:
            if v not in left:
                before = probability(tables, context, v)
                after = backoff * probability(tables, context[1:], v)
                losses[v] = before * math.log(before / after)
        if method == "entropy":  # Stolcke (1998): exp(D(p||p')) - 1
            costs[key] = math.expm1(history(tables, context) * sum(losses.values()))
        else:  # Seymore and Rosenfeld (1996), with an expected count: of hw alone
            costs[key] = history(tables, context) * losses[word]
    return costs


def followers(tables, context):
    """Words that are predicted and stored after a context."""
    longer = tables[len(context)] if len(context) < len(tables) else {}
    return {key[-1] for key in longer if key[:-1] == context} - {1}


def new_backoff(tables, context, left):
    """What makes a context sum to one if only `left` is stored after it."""
    before = sum(probability(tables, context, v) for v in left)
    return (1 - before) / (1 - sum(probability(tables, context[1:], v) for v in left))


def closed_costs(tables, words, method):
    """Costs of all n-grams; what begins or ends an n-gram costs as much at least."""
    costs = {}
    for order in range(len(tables), 1, -1):
        costs |= {
            key: max(cost, costs.get(key, 0))
            for key, cost in removal_costs(tables, order, words, method).items()
        }
        if order > 2:
            for key in tables[order - 1]:
                for part in (key[1:], key[:-1]):
                    costs[part] = max(costs.get(part, 0), costs[key])
    return costs


def pruned_tables(tables, kept):
    """The n-grams that are kept, with new back-offs where followers are gone."""
    small = [
        {key: value for key, value in table.items() if len(key) == 1 or key in kept}
        for table in tables
    ]
    for table in small[:-1]:
        for key, (log10_prob, _) in table.items():
            left = followers(small, key)
            if left != followers(tables, key):
                table[key] = (log10_prob, math.log10(new_backoff(small, key, left)))
    return small


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


@pytest.fixture(scope="module", params=range(3))
def random_ngrams(request):
    return normal_model(request.param, words=60, order=4).sorted_ngrams().renormalized()


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_those_of_the_definition(random_ngrams, method):
    costs = closed_costs(dictionaries(random_ngrams), 60, method)
    pruner = Pruner(random_ngrams, "chain")
    pruner.score(method)
    for order in (2, 3, 4):
        expected = [costs[key] for key in keys(random_ngrams, order)]
        # Float32 probabilities: a cost is a difference of sums that agree to 1e-7.
        np.testing.assert_allclose(
            pruner.scores_of(order), expected, rtol=1e-3, atol=1e-9
        )


@pytest.mark.parametrize("method", METHODS)
def test_pruned_ngrams_are_those_of_the_definition(random_ngrams, method):
    tables = dictionaries(random_ngrams)
    costs = closed_costs(tables, 60, method)
    pruner = Pruner(random_ngrams, "chain")
    pruner.score(method)
    ranked = sorted(set(costs.values()))
    cuts = [
        (low + high) / 2  # where rounding cannot decide
        for low, high in pairwise(ranked)
        if low > 1e-7 and high > 1.01 * low
    ]
    assert len(cuts) > 20
    for cut in cuts[::7]:
        small = dictionaries(pruner.select(cut, 0))
        kept = {key for key, cost in costs.items() if cost > cut}
        expected = [table for table in pruned_tables(tables, kept) if table]
        assert [set(table) for table in small] == [set(table) for table in expected]
        for found, table in zip(small, expected, strict=True):
            for key, (log10_prob, backoff) in table.items():
                assert found[key][0] == log10_prob
                if len(key) < len(small):
                    # Float32 sums to one within 1e-6, of which 1e-2 may be left.
                    assert found[key][1] == pytest.approx(backoff, abs=1e-4)


def test_perplexity_after_pruning_is_that_of_the_definition(model):
    tables = dictionaries(model.table.to_sorted())
    pruned = ngram.prune(model, max_ngrams=45, history="chain")
    kept = {
        key
        for order in range(2, pruned.order + 1)
        for key in keys(pruned.table.to_sorted(), order)
    }
    small = pruned_tables(tables, kept)
    text = ["the dog saw the cat", "a mat sat", "on the log"]
    log10_prob, tokens = 0.0, 0
    for sentence in text:
        ids = [1, *(model.vocabulary[word] for word in sentence.split()), 2]
        for i in range(1, len(ids)):
            context = tuple(ids[max(0, i + 1 - model.order) : i])
            log10_prob += math.log10(probability(small, context, ids[i]))
            tokens += 1
    expected = 10 ** (-log10_prob / tokens)
    assert pruned.perplexity(text).perplexity == pytest.approx(expected, rel=1e-5)
    assert expected > model.perplexity(text).perplexity


# --- properties --------------------------------------------------------------------

FEWER = settings(max_examples=25)
SMOOTHINGS = ["modified-kneser-ney", "witten-bell", "witten-bell-backoff", "additive"]


@st.composite
def models(draw):
    sentence = st.lists(st.sampled_from("abcdefg"), max_size=8).map(" ".join)
    sentences = draw(st.lists(sentence, min_size=2, max_size=12).filter(any))
    smoothing = draw(st.sampled_from(SMOOTHINGS))
    fallback = {"discount_fallback": (0.5, 1, 1.5)} if "kneser" in smoothing else {}
    order = draw(st.integers(2, 4))
    model = ngram.train(sentences, order=order, smoothing=smoothing, **fallback)
    assume(model.table.counts[-1] > 0)  # an empty order goes, whatever the threshold
    return model


pruned_how = st.fixed_dictionaries(
    {
        "method": st.sampled_from(METHODS),
        "history": st.sampled_from(OWN_HISTORIES),
    }
)


def sets(model):
    """The n-grams of a model as words, all orders together."""
    ngrams = model.table.to_sorted()
    return {key for order in range(1, ngrams.order + 1) for key in keys(ngrams, order)}


def worst_sum(model):
    """How far from one the probabilities after any stored context are."""
    contexts = [key for key in sets(model) if len(key) < model.order and 2 not in key]
    contexts.append(())
    return max(
        abs(model.distribution_of_ids(np.array(key, np.uint32)).sum() - 1)
        for key in contexts
    )


@FEWER
@given(models(), pruned_how, st.floats(1e-6, 1e-1))
def test_any_pruned_model_is_closed_and_sums_to_one(model, how, threshold):
    pruned = ngram.prune(model, threshold=threshold, **how)
    kept = sets(pruned)
    assert kept <= sets(model)
    for key in kept:
        assert len(key) == 1 or {key[1:], key[:-1]} <= kept
    # What the source has already, and the rounding of float32 back-offs.
    assert worst_sum(pruned) < worst_sum(model) + 1e-5


@FEWER
@given(models(), pruned_how, st.lists(st.floats(0, 0.5), min_size=2, max_size=4))
def test_a_larger_threshold_keeps_a_subset(model, how, thresholds):
    kept = [
        sets(ngram.prune(model, threshold=threshold, **how))
        for threshold in sorted(thresholds)
    ]
    for larger, smaller in pairwise(kept):
        assert smaller <= larger


@FEWER
@given(models(), pruned_how, st.data())
def test_numbers_of_ngrams_are_met_exactly(model, how, data):
    total, unigrams = sum(model.table.counts), model.table.counts[0]
    most = data.draw(st.integers(unigrams, total + 2))
    pruned = ngram.prune(model, max_ngrams=most, **how)
    assert sum(pruned.table.counts) == min(most, total)
    kept = sets(pruned)
    assert all({key[1:], key[:-1]} <= kept for key in kept if len(key) > 1)
    if most >= total:
        assert pruned.table.to_sorted() == model.table.to_sorted()


@FEWER
@given(models(), pruned_how, st.integers(-100, 2000))
def test_sizes_in_bytes_are_never_exceeded(model, how, extra):
    least = ngram.prune(model, threshold=math.inf, **how).saved_size
    most = least + extra
    if extra < 0:
        with pytest.raises(InputError, match="unigrams alone has"):
            ngram.prune(model, max_bytes=most, **how)
        return
    pruned = ngram.prune(model, max_bytes=most, **how)
    assert pruned.saved_size <= most
    if most >= model.saved_size:
        assert pruned.table.to_sorted() == model.table.to_sorted()


@FEWER
@given(models(), pruned_how)
def test_pruning_nothing_changes_nothing(model, how):
    same = ngram.prune(model, threshold=0, **how)
    assert same.table.to_sorted() == model.table.to_sorted()
    assert same.vocabulary == model.vocabulary


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


@pytest.fixture(scope="module")
def larger_model():
    """A model whose orders are larger than the parts that threads work on."""
    rng = np.random.default_rng(0)
    words = np.minimum(rng.zipf(1.3, (12000, 20)), 5000)
    sentences = [" ".join(f"w{word}" for word in row) for row in words]
    return ngram.train(sentences, order=3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("history", OWN_HISTORIES)
def test_threads_do_not_change_a_byte(larger_model, tmp_path, method, history):
    assert larger_model.table.counts[2] > 1 << 16
    files = []
    for threads in (1, 2, 5):
        pruned = ngram.prune(
            larger_model,
            method=method,
            history=history,
            max_ngrams=20_000,
            threads=threads,
        )
        assert sum(pruned.table.counts) == 20_000
        pruned.save(tmp_path / "pruned.ngram")
        files.append((tmp_path / "pruned.ngram").read_bytes())
    assert files[0] == files[1] == files[2]


@pytest.mark.parametrize("threshold", [1e9, 1e39, 10**400, math.inf])
def test_a_huge_threshold_leaves_the_unigrams(model, threshold):
    pruned = ngram.prune(model, threshold=threshold)
    assert pruned.table.counts == model.table.counts[:1]


def test_a_threshold_that_is_no_float32_is_not_rounded_down(model):
    pruner = Pruner(model.table.to_sorted(), "stationary")
    pruner.score("entropy")
    score = np.median(pruner.scores_of(3))
    at, above = float(score), math.nextafter(float(score), 1)
    most = sum(ngram.prune(model, threshold=at).table.counts)
    assert sum(ngram.prune(model, threshold=above).table.counts) < most


@pytest.mark.parametrize(
    "options",
    [{"max_ngrams": 10**20}, {"max_bytes": 10**30}, {"vocabulary_size": 10**30}],
)
def test_a_target_beyond_the_model_keeps_everything(model, options):
    pruned = ngram.prune(model, **options)
    assert pruned.table.to_sorted() == model.table.to_sorted()


def test_all_orders_may_go_with_their_words(model):
    small = ngram.prune(model, vocabulary_size=3, max_bytes="1M")
    assert len(small.vocabulary) == 3
    assert small.order < model.order


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
        ({"threshold": "1e-8"}, "from 0 up"),
        ({"threshold": True}, "from 0 up"),
        ({"threshold": -(10**400)}, "from 0 up"),
        ({"threshold": 1e-8, "max_ngrams": 9}, "pass one of"),
        ({"max_ngrams": 3}, "unigrams, which pruning keeps"),
        ({"max_ngrams": 0}, "from 1 up"),
        ({"max_ngrams": -1}, "from 1 up"),
        ({"max_ngrams": 2.5}, "pass an integer"),
        ({"max_ngrams": math.inf}, "pass an integer"),
        ({"max_bytes": 0}, "unigrams alone"),
        ({"max_bytes": -5}, "a number of bytes"),
        ({"max_bytes": math.inf}, "a number of bytes"),
        ({"max_bytes": "inf"}, "a number of bytes"),
        ({"max_bytes": 10}, "unigrams alone"),
        ({"max_bytes": "many"}, "a number of bytes"),
        ({"vocabulary_size": 2}, "from 3 up"),
        ({"vocabulary_size": math.inf}, "pass an integer"),
        ({"vocabulary_size": 4, "max_ngrams": 3}, "4 unigrams, which pruning"),
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


# --- command -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("pruning") / "model.ngram"
    model.save(path)
    return path


@pytest.fixture
def call(capsys):
    """Return a function that runs `ngram prune`: status, stdout, stderr."""

    def call(*arguments):
        status = run(["prune", *map(str, arguments)])
        return status, *capsys.readouterr()

    return call


def test_the_command_explains_itself(call):
    status, out, _ = call("--help")
    assert status == 0
    assert "--threshold" in out
    assert "--json" in out


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["--threshold", "1e-2"], {"threshold": 1e-2}),
        (["--ngrams", "40"], {"max_ngrams": 40}),
        (["--size", "5.5K"], {"max_bytes": 5632}),
        (["--vocabulary-size", "8"], {"vocabulary_size": 8}),
        (
            ["--ngrams", "40", "--method", "weighted-difference"],
            {"max_ngrams": 40, "method": "weighted-difference"},
        ),
        (
            ["--threshold", "0.01", "--history", "chain", "--threads", "2"],
            {"threshold": 0.01, "history": "chain"},
        ),
    ],
    ids=" ".join,
)
def test_the_command_writes_the_model_of_the_function(
    call, model, path, tmp_path, arguments, options
):
    status, out, err = call(path, "-o", tmp_path / "small.ngram", *arguments)
    assert (status, out) == (0, "")
    small = ngram.prune(model, **options)
    small.save(tmp_path / "expected.ngram")
    written = (tmp_path / "small.ngram").read_bytes()
    assert written == (tmp_path / "expected.ngram").read_bytes()
    (line,) = err.splitlines()
    assert f"{sum(small.table.counts):,} of {sum(model.table.counts):,} n-grams" in line
    assert f"{len(written):,} of {path.stat().st_size:,} bytes" in line


def test_the_command_reads_and_writes_arpa(call, model, path, tmp_path):
    model.write_arpa(tmp_path / "model.arpa")
    small = ngram.prune(model, max_ngrams=40, history=model)
    small.write_arpa(tmp_path / "expected.arpa")
    for name in (path, tmp_path / "model.arpa"):
        target = tmp_path / "small.arpa"
        history = tmp_path / "model.arpa"
        status, *_ = call(name, "-o", target, "--ngrams", 40, "--history", history)
        assert status == 0
        assert (
            ngram.read_arpa(target).table.counts
            == ngram.read_arpa(tmp_path / "expected.arpa").table.counts
        )


def test_the_command_writes_arpa_to_stdout(path, capfdbinary):
    assert run(["prune", str(path), "-o", "-", "--ngrams", "40"]) == 0
    assert capfdbinary.readouterr().out.startswith(b"\\data\\\nngram 1=")


def test_json_says_what_was_pruned(call, model, path, tmp_path):
    target = tmp_path / "small.ngram"
    status, out, _ = call(path, "-o", target, "--ngrams", 40, "--json")
    answer = json.loads(out)
    assert status == 0
    assert answer["output"] == str(target)
    assert sum(answer["ngrams"]) == 40
    assert answer["bytes"] == target.stat().st_size
    assert answer["bytes_before"] == path.stat().st_size
    (record,) = answer["training"]["pruning"]
    assert record == {
        "method": "entropy",
        "history": "stationary",
        "max_ngrams": 40,
        "vocabulary_size": None,
        "ngrams_before": list(model.table.counts),
    }


def test_info_shows_every_pruning(call, model, path, tmp_path, capsys):
    small, smaller = tmp_path / "small.ngram", tmp_path / "smaller.ngram"
    assert call(path, "-o", small, "--ngrams", 40, "--history", "chain")[0] == 0
    assert call(small, "-o", smaller, "--vocabulary-size", 9)[0] == 0
    assert run(["info", str(smaller)]) == 0
    rows = re.findall("^pruned by +(.*)$", capsys.readouterr().out, re.MULTILINE)
    before = sum(model.table.counts)
    assert rows == [
        f"entropy, history chain, max_ngrams 40; from {before} n-grams",
        "history stationary, vocabulary_size 9; from 40 n-grams",
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "say how much to prune: --threshold"),
        (["--threshold", "1e-8", "--ngrams", "9"], 2, "only one of --threshold"),
        (["--threshold", "-1"], 2, "--threshold"),
        (["--threshold", "nan"], 1, "threshold is nan: pass a number from 0 up"),
        (["--ngrams", "0"], 2, "--ngrams"),
        (["--ngrams", "3"], 1, "--ngrams is 3, but there are"),
        (["--ngrams", "3"], 1, "drop words with --vocabulary-size."),
        (["--size", "1K"], 1, "--size is 1024, but a model file of the"),
        (["--size", "0"], 1, "--size is 0, but a model file of the"),
        (["--size", "inf"], 1, "--size is 'inf': pass a number of bytes"),
        (["--size", "-1"], 1, "--size is '-1': pass a number of bytes"),
        (["--ngrams", "-1"], 2, "--ngrams"),
        (["--ngrams", "inf"], 2, "--ngrams"),
        (["--size", "many"], 1, "--size is 'many': pass a number of bytes"),
        (["--size", "1" + "0" * 400], 1, "pass a number of bytes"),
        (["--vocabulary-size", "2"], 2, "--vocabulary-size"),
        (["--threshold", "0", "--method", "rank"], 1, "method is 'rank'"),
        (["--threshold", "0", "--history", "absent"], 1, "absent: "),
    ],
)
def test_the_command_refuses_in_one_sentence(
    call, path, tmp_path, arguments, status, words
):
    answer, out, err = call(path, "-o", tmp_path / "small.ngram", *arguments)
    assert (answer, out) == (status, "")
    assert words in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("Error: ")
    assert len(err.splitlines()) == 1 or status == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("model_name", "output", "options", "words"),
    [
        ("absent.ngram", "small.ngram", [], "absent.ngram: No such file"),
        # The model does not exist: its error would come first.
        ("absent.ngram", "absent/small.ngram", [], "absent/small.ngram"),
        ("absent.ngram", "small.ngram.gz", [], "small.ngram.gz"),
        ("absent.ngram", "-", ["--json"], "stdout cannot carry both"),
        ("-", "small.ngram", ["--history", "-"], "stdin cannot be both"),
    ],
)
def test_files_that_cannot_be_used_are_named(
    call, tmp_path, monkeypatch, model_name, output, options, words
):
    monkeypatch.chdir(tmp_path)
    status, _, err = call(model_name, "-o", output, "--threshold", "0", *options)
    assert status in (1, 2)
    assert words in err.splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (7, 7),
        ("50M", 50 << 20),
        ("1.5 k", 1536),
        ("2GiB", 2 << 30),
        ("80%", None),
        ("-1", None),
        ("5\u212a", None),  # the sign of Kelvin is a k to regular expressions
        ("9" * 400, None),
    ],
)
def test_sizes_are_read_as_people_write_them(value, size):
    assert parse_bytes(value) == size
