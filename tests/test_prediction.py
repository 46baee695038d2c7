"""The next word: the distribution, its best words, successor lists, and draws."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_model import random_model
from scipy.stats import chisquare

import ngram
from ngram._core.prediction import SuccessorLists
from ngram._core.vocabulary import Vocabulary
from ngram.errors import InputError, ModelFileError
from ngram.model import Model

# Powers are computed in float64 from float32 logarithms, in both places.
CLOSE = 1e-12


def model_of(reference, *, successors):
    model = Model.from_ngrams(
        reference.sorted_ngrams(), Vocabulary.from_words(reference.words[3:])
    )
    if successors:
        model.index_successors(threads=2)
    return model


def naive_distribution(reference, context):
    """Back off from the longest context, in float64, for every word."""
    context = tuple(context)[max(0, len(context) - reference.order + 1) :]
    contexts = []  # the context's suffixes in the model, up to the first absent one
    for length in range(1, len(context) + 1):
        if context[-length:] not in reference.ngrams[length - 1]:
            break
        contexts.append(context[-length:])
    probabilities = []
    for word in range(len(reference.words)):
        weight = 1.0
        for known in reversed([(), *contexts]):
            entry = reference.ngrams[len(known)].get((*known, word))
            if entry is not None:
                break
            weight *= 10.0 ** float(reference.backoff(known))
        probabilities.append(10.0 ** float(entry[0]) * weight)
    probabilities[1] = 0.0
    return np.array(probabilities)


def argsort(distribution, k):
    """The definition of the k best words: a sort of the whole distribution."""
    ids = [
        int(i)
        for i in np.lexsort((np.arange(len(distribution)), -distribution))
        if i >= 2 and distribution[i] > 0
    ]
    return [(i, distribution[i]) for i in ids[:k]]


def contexts_of(reference, seed, count=20):
    """Contexts that the model has, random ones, and the empty one."""
    rng = np.random.default_rng(seed)
    yield []
    for _ in range(count):
        table = reference.ngrams[rng.integers(reference.order)]
        known = list(table)[rng.integers(len(table))] if table else ()
        yield list(known)
        yield rng.integers(0, len(reference.words), rng.integers(0, 6)).tolist()


shapes = st.tuples(
    st.integers(0, 10**6),  # seed
    st.integers(4, 40),  # words
    st.integers(1, 6),  # order
    st.sampled_from([0.2, 0.6, 1.0]),  # density
)


@given(shapes)
def test_the_distribution_is_the_definition(shape):
    seed, words, order, density = shape
    reference = random_model(seed, words=words, order=order, density=density)
    slow, fast = (model_of(reference, successors=s) for s in (False, True))
    for context in contexts_of(reference, seed):
        ids = np.array(context, np.uint32)
        expected = naive_distribution(reference, context)
        np.testing.assert_allclose(slow.distribution_of_ids(ids), expected, rtol=CLOSE)
        np.testing.assert_array_equal(
            slow.distribution_of_ids(ids), fast.distribution_of_ids(ids)
        )


@given(shapes)
def test_next_words_are_the_sorted_distribution(shape):
    seed, words, order, density = shape
    reference = random_model(seed, words=words, order=order, density=density)
    slow, fast = (model_of(reference, successors=s) for s in (False, True))
    for context in contexts_of(reference, seed):
        ids = np.array(context, np.uint32)
        distribution = slow.distribution_of_ids(ids)
        for k in (1, 2, 7, 100):
            assert slow.next_ids(ids, k) == argsort(distribution, k)
            assert fast.next_ids(ids, k) == argsort(distribution, k)


@given(st.integers(0, 10**6))
def test_equally_probable_words_stand_by_id(seed):
    reference = random_model(seed, words=30, order=3, density=0.7)
    rounded = [
        {
            key: (np.float32(round(float(p))), np.float32(min(0, round(float(b)))))
            for key, (p, b) in table.items()
        }
        for table in reference.ngrams
    ]
    reference.ngrams = rounded
    model = model_of(reference, successors=True)
    for context in contexts_of(reference, seed):
        ids = np.array(context, np.uint32)
        assert model.next_ids(ids, 30) == argsort(model.distribution_of_ids(ids), 30)


@pytest.fixture(scope="module", params=[False, True], ids=["table", "successors"])
def trained(request):
    sentences = [
        "the cat sat on the mat",
        "the dog sat on the log",
        "the cat saw the dog",
        "a dog saw a cat",
        "고양이 가 앉았다",
        "",
        "the mat",
    ]
    model = ngram.train(sentences * 2, 3, discount_fallback=(0.5, 1, 1.5))
    if request.param:
        model.index_successors()
    return model


CONTEXTS = [
    "",
    "the",
    "the cat",
    "sat on the",
    "unknown words",
    "고양이",
    "the unknown",
    "</s>",
]


@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.parametrize("text", CONTEXTS)
def test_probabilities_sum_to_one_for_every_context(trained, text, bos):
    # Stored logarithms are float32: each probability is off by up to 1e-6 of itself.
    assert trained.distribution(text, bos=bos).sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("text", CONTEXTS)
def test_the_distribution_agrees_with_scores(trained, text):
    distribution = trained.distribution(text)
    assert distribution.shape == (len(trained.vocabulary),)
    assert distribution[1] == 0
    before = trained.score(text, eos=False)
    for word in ("the", "cat", "앉았다"):
        log10_prob = trained.score(f"{text} {word}", eos=False) - before
        # Scores add float32 logarithms.
        assert distribution[trained.vocabulary[word]] == pytest.approx(
            10**log10_prob, rel=1e-5
        )
    assert distribution[2] == pytest.approx(
        10 ** (trained.score(text) - before), rel=1e-5
    )


def test_next_tokens_are_tokens_without_symbols(trained):
    tokens = trained.next_tokens("the", 100)
    assert {token for token, _ in tokens} == set(trained.vocabulary) - {"<s>", "<unk>"}
    assert len(trained.next_tokens("the")) == 10
    distribution = trained.distribution("the")
    for token, probability in tokens:
        assert probability == distribution[trained.vocabulary[token]]
    assert trained.next_tokens("the mat", 1)[0][0] == "</s>"


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_one_is_an_error(trained, k):
    with pytest.raises(InputError, match=f"k is {k}: pass an integer from 1 to"):
        trained.next_tokens("the", k)


def test_words_of_probability_zero_are_left_out():
    reference = random_model(1, words=8, order=2, density=0.5)
    for word in (3, 4):
        reference.ngrams[0][(word,)] = (np.float32(-np.inf), np.float32(0))
    for key in list(reference.ngrams[1]):
        if key[1] in (3, 4):
            del reference.ngrams[1][key]
    for successors in (False, True):
        model = model_of(reference, successors=successors)
        tokens = [token for token, _ in model.next_tokens("w5", 10)]
        assert sorted(tokens) == ["</s>", "w5", "w6", "w7"]
        drawn = model.sample("w5", max_tokens=300, seed=1, temperature=3)
        assert not {"w3", "w4"} & set(drawn)


# Successor lists.


def lists_of(seed=3):
    reference = random_model(seed, words=30, order=4, density=0.8)
    model = model_of(reference, successors=False)
    return model, SuccessorLists.build(model.table, 1)


def test_successor_lists_do_not_depend_on_threads():
    model, one = lists_of()
    two = SuccessorLists.build(model.table, 2)
    for name, array in one.arrays().items():
        assert array.tobytes() == two.arrays()[name].tobytes()


def test_successor_lists_come_back_from_their_arrays():
    model, lists = lists_of()
    copies = {name: np.array(array) for name, array in lists.arrays().items()}
    model.use_successors(SuccessorLists.attach(model.table, copies))
    ids = np.array([4, 3], np.uint32)
    assert model.next_ids(ids, 30) == argsort(model.distribution_of_ids(ids), 30)


def test_successor_lists_of_another_table_are_refused():
    model, _ = lists_of()
    _, others = lists_of(4)
    with pytest.raises(ValueError, match="another table"):
        model.use_successors(others)


def test_successor_arrays_of_a_wrong_size_are_an_error():
    model, lists = lists_of()
    for name, array in lists.arrays().items():
        for wrong in (
            array[:-1],
            np.append(array, np.uint64(0)),
            array.astype(np.int64),
        ):
            with pytest.raises(ModelFileError, match="successor lists of the model"):
                SuccessorLists.attach(model.table, {**lists.arrays(), name: wrong})
        missing = {key: value for key, value in lists.arrays().items() if key != name}
        with pytest.raises(ModelFileError, match="missing"):
            SuccessorLists.attach(model.table, missing)


@given(st.integers(0, 10**6))
def test_damaged_successor_lists_never_crash(seed):
    model, lists = lists_of()
    rng = np.random.default_rng(seed)
    copies = {name: np.array(array) for name, array in lists.arrays().items()}
    for array in copies.values():
        at = rng.integers(0, len(array), 3)
        array[at] = rng.integers(0, 1 << 64, 3, dtype=np.uint64)
    model.use_successors(SuccessorLists.attach(model.table, copies))
    for context in ([], [1], [4, 3], [3, 3, 3], [1, 3, 4, 5]):
        ids = np.array(context, np.uint32)
        for use in (
            lambda ids=ids: model.next_ids(ids, 5),
            lambda ids=ids: model.distribution_of_ids(ids),
            lambda ids=ids: model.sample_ids(ids, 5, 1.0, 0, 1.0, 1),
            lambda ids=ids: model.sample_ids(ids, 5, 0.5, 3, 0.5, 1),
        ):
            with suppress(ModelFileError):
                use()


# Draws.


def draws(model, text, count, **options):
    """Draw the first token after a text many times; return counts by word id."""
    ids = [
        model.vocabulary[model.sample(text, max_tokens=1, seed=seed, **options)[0]]
        for seed in range(count)
    ]
    return np.bincount(ids, minlength=len(model.vocabulary))


def expected_draws(distribution, *, temperature=1.0, top_k=None, top_p=None):
    """The definition: temperature, then top_k, then top_p, on the distribution."""
    p = np.array(distribution)
    p[:2] = 0
    p = p ** (1 / temperature)
    order = np.lexsort((np.arange(len(p)), -p))[:top_k]
    if top_p is not None:
        held = np.cumsum(p[order])
        order = order[: int(np.searchsorted(held, top_p * held[-1])) + 1]
    kept = np.zeros(len(p))
    kept[order] = p[order]
    return kept / kept.sum()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 3.0},
        {"top_k": 4},
        {"top_p": 0.6},
        {"temperature": 2.0, "top_k": 6, "top_p": 0.7},
        {"temperature": 0.7, "top_p": 0.8},
    ],
)
@pytest.mark.parametrize("text", ["the", "sat on the", "unknown", "고양이 가"])
def test_draws_follow_the_distribution(trained, text, options):
    observed = draws(trained, text, 2000, **options)
    expected = expected_draws(trained.distribution(text), **options) * 2000
    possible = expected > 0
    assert observed[~possible].sum() == 0
    # Seeds are fixed, so this never fails by chance; 56 such tests, each at 0.1 %.
    if possible.sum() > 1:
        assert chisquare(observed[possible], expected[possible]).pvalue > 0.001


@given(st.integers(0, 10**6))
def test_draws_do_not_depend_on_successor_lists(seed):
    reference = random_model(seed, words=20, order=4, density=0.7)
    slow, fast = (model_of(reference, successors=s) for s in (False, True))
    for options in ({}, {"temperature": 0.3}, {"top_p": 0.5}, {"top_k": 3}):
        assert slow.sample("w3", seed=seed, **options) == fast.sample(
            "w3", seed=seed, **options
        )


@pytest.mark.parametrize("successors", [False, True])
def test_draws_follow_distributions_that_do_not_sum_to_one(successors):
    reference = random_model(5, words=12, order=3, density=0.6)
    model = model_of(reference, successors=successors)
    observed = draws(model, "w3 w4", 3000)
    expected = expected_draws(model.distribution("w3 w4")) * 3000
    assert chisquare(observed[2:], expected[2:]).pvalue > 0.001


def test_the_same_seed_gives_the_same_tokens(trained):
    first = trained.sample("the", seed=7)
    assert first == trained.sample("the", seed=7)
    assert any(first != trained.sample("the", seed=seed) for seed in range(8, 12))
    generators = (np.random.default_rng(3), np.random.default_rng(3))
    assert trained.sample(seed=generators[0]) == trained.sample(seed=generators[1])
    assert len({tuple(trained.sample(max_tokens=20)) for _ in range(20)}) > 1


def test_a_seed_gives_the_same_tokens_on_every_machine(trained):
    assert trained.generate(seed=1, temperature=2) == (
        "dog saw the saw mat 앉았다 saw log a cat"
    )


def test_symbols_are_never_drawn(trained):
    for seed in range(50):
        tokens = trained.sample("unknown", seed=seed, temperature=5)
        assert not {"<s>", "<unk>"} & set(tokens)
        assert "</s>" not in tokens[:-1]


def test_temperature_zero_takes_the_best_token(trained):
    tokens = trained.sample("the", temperature=0, max_tokens=5)
    text = "the"
    for token in tokens:
        assert token == trained.next_tokens(text, 1)[0][0]
        text += " " + token


def test_a_low_temperature_comes_close_to_the_best_token(trained):
    best = trained.next_tokens("the", 2)
    assert best[0][1] > best[1][1]
    assert trained.sample("the", temperature=0.001, max_tokens=1, seed=3) == [
        best[0][0]
    ]


def test_max_tokens_ends_a_sample(trained):
    assert trained.sample("the", max_tokens=0) == []
    for seed in range(20):
        assert len(trained.sample("the", max_tokens=3, seed=seed)) <= 3


def test_generate_gives_the_prefix_and_the_tokens_drawn(trained):
    for seed in range(20):
        tokens = [t for t in trained.sample("the  cat", seed=seed) if t != "</s>"]
        assert trained.generate("the  cat", seed=seed) == " ".join(["the cat", *tokens])
    assert trained.generate("", seed=1, max_tokens=0) == ""


@pytest.mark.parametrize("tokenizer", ["characters", "bytes"])
def test_generate_gives_text_for_every_tokenizer(tokenizer):
    text = "고양이가 앉았다 \U0001f63a e\u0301"
    model = ngram.train([text], 4, tokenizer=tokenizer, discount_fallback=(0.5,))
    assert model.generate("고양이", temperature=0) == text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, "temperature is -0.1: it must be a number, 0 or pos"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": float("inf")}, "temperature is inf"),
        ({"temperature": 10**400}, "temperature is 1000"),
        ({"temperature": None}, "temperature is None: it must be a number"),
        ({"temperature": "1"}, "temperature is '1'"),
        ({"top_k": 0}, "top_k is 0: pass an integer from 1 to 2147483647"),
        ({"top_k": 10**30}, "top_k is 10000"),
        ({"top_k": 1.5}, "top_k is 1.5"),
        ({"top_p": 0.0}, "top_p is 0.0: it must be a number above 0"),
        ({"top_p": 1.1}, "top_p is 1.1"),
        ({"top_p": "1"}, "top_p is '1'"),
        ({"max_tokens": -1}, "max_tokens is -1: pass an integer from 0 to"),
        ({"max_tokens": 10**30}, "max_tokens is 10000"),
        ({"max_tokens": None}, "max_tokens is None"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 1.9}, "seed is 1.9: pass an integer"),
        ({"seed": "1"}, "seed is '1'"),
        ({"seed": 1 << 64}, "seed is 18446744073709551616"),
    ],
)
def test_impossible_options_are_errors(trained, options, message):
    with pytest.raises(InputError, match=message):
        trained.sample("the", **options)
    with pytest.raises(InputError, match=message):
        trained.generate("the", **options)


@pytest.mark.parametrize("k", [10**30, 2**31, 1.5, None, "1"])
def test_k_is_an_integer_in_bounds(trained, k):
    with pytest.raises(InputError, match=r"k is .*: pass an integer from 1 to"):
        trained.next_tokens("the", k)


def test_numbers_of_numpy_are_numbers(trained):
    assert trained.next_tokens("the", np.int64(3)) == trained.next_tokens("the", 3)
    assert trained.next_tokens("the", 2**31 - 1) == trained.next_tokens("the", 1000)
    expected = trained.sample("the", max_tokens=5, top_k=4, top_p=0.5, seed=1)
    assert expected == trained.sample(
        "the",
        max_tokens=np.uint8(5),
        temperature=np.float32(1),
        top_k=np.int32(4),
        top_p=np.float64(0.5),
        seed=np.uint64(1),
    )


def test_successor_lists_made_by_new_belong_to_no_model(trained):
    lists = SuccessorLists.__new__(SuccessorLists)
    assert lists.arrays() == {}
    assert lists.bytes == 0
    with pytest.raises(ValueError, match="another table"):
        trained.use_successors(lists)


# ---- constrained next words, candidates, completions ------------------------------


@given(shapes, st.data())
def test_constraints_take_from_the_whole_distribution(shape, data):
    seed, words, order, density = shape
    reference = random_model(seed, words=words, order=order, density=density)
    model = model_of(reference, successors=data.draw(st.booleans()))
    names = reference.words
    among = data.draw(st.none() | st.lists(st.sampled_from([*names, "absent"])))
    prefix = data.draw(st.sampled_from(["", "w", "w1", names[-1], "<", "absent"]))
    allowed = np.array(
        [word.startswith(prefix) and (among is None or word in among) for word in names]
    )
    for context in contexts_of(reference, seed, 5):
        text = " ".join(names[id_] for id_ in context if id_ > 2)
        expected = argsort(np.where(allowed, model.distribution(text), 0.0), 5)
        assert model.next_tokens(text, 5, prefix=prefix, among=among) == [
            (names[id_], probability) for id_, probability in expected
        ]


def test_prefixes_are_prefixes_of_characters():
    lines = ["가나 가다 각 갸", "a ab abc b"]
    model = ngram.train(lines, 2, discount_fallback=(0.5, 1.0, 1.5))
    found = {
        prefix: {token for token, _ in model.next_tokens("", prefix=prefix)}
        for prefix in ("가", "ab", "없음", "</")
    }
    assert found == {
        "가": {"가나", "가다"},
        "ab": {"ab", "abc"},
        "없음": set(),
        "</": {"</s>"},
    }


@given(shapes, st.data())
def test_candidates_are_ranked_by_their_scores(shape, data):
    seed, words, order, density = shape
    reference = random_model(seed, words=words, order=order, density=density)
    model = model_of(reference, successors=False)
    some = st.lists(st.sampled_from([*reference.words[3:], "absent"]), max_size=4)
    text = data.draw(some.map(" ".join))
    candidates = data.draw(st.lists(some.map(" ".join)))
    eos = data.draw(st.booleans())
    before = model.state()
    for token in text.split():
        before = model.advance(before, token)[1]
    scores = {}
    for candidate in candidates:
        total, after = 0.0, before
        for token in [*candidate.split(), *["</s>"] * eos]:
            score, after = model.advance(after, token)
            total += score
        scores[candidate] = total
    ranked = model.rank_candidates(candidates, text, eos=eos)
    assert sorted(candidate for candidate, _ in ranked) == sorted(candidates)
    for candidate, log10_prob in ranked:
        assert log10_prob == pytest.approx(scores[candidate], rel=1e-5, abs=1e-5)
    sums = [log10_prob for _, log10_prob in ranked]
    assert sums == sorted(sums, reverse=True)


def every_continuation(model, text, longest):
    """All ways to go on, in plain Python."""
    ended, paths = [], [([], 0.0)]
    for _ in range(longest):
        longer = []
        for tokens, log10_prob in paths:
            before = " ".join([text, *tokens])
            for token, probability in model.next_tokens(before, 1000):
                path = ([*tokens, token], log10_prob + np.log10(probability))
                (ended if token == "</s>" else longer).append(path)
        paths = longer
    return sorted(ended + paths, key=lambda path: -path[1])


@pytest.mark.parametrize("text", ["", "the", "the cat", "a dog saw"])
def test_a_wide_beam_finds_the_best_continuations(trained, text):
    expected = every_continuation(trained, text, 3)
    everything = {tuple(tokens): log10_prob for tokens, log10_prob in expected}
    found = trained.complete(text, 20, max_tokens=3, width=3000)
    assert [log10_prob for _, log10_prob in found] == pytest.approx(
        [log10_prob for _, log10_prob in expected[:20]]
    )
    for tokens, log10_prob in found:
        assert everything[tuple(tokens)] == pytest.approx(log10_prob)
    narrow = trained.complete(text, 3, max_tokens=3)
    assert narrow == found[:3]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.next_tokens("", among="abc"), "among is one string"),
        (lambda m: m.rank_candidates("abc"), "candidates is one string"),
        (lambda m: m.complete("", 0), "n is 0"),
        (lambda m: m.complete("", width=0), "width is 0"),
        (lambda m: m.complete("", max_tokens=-1), "max_tokens is -1"),
    ],
)
def test_what_cannot_be_asked_is_refused(trained, call, message):
    with pytest.raises(InputError, match=message):
        call(trained)
