"""Mixtures: the definition on dictionaries, sums, weights, caches, flattening."""

import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_model import ReferenceModel, random_model

import ngram
from ngram import Cache, Mixture
from ngram._core.vocabulary import Vocabulary
from ngram.errors import InputError
from ngram.mixture import KINDS
from ngram.mixture.cache import recent_sums
from ngram.mixture.components import BOS, EOS, UNK
from ngram.mixture.weights import Evidence, fit_contexts, fit_linear, mixed
from ngram.model import Model

FALLBACK = (0.5, 1, 1.5)
CATS = [
    "the cat sat on the mat",
    "a cat saw the dog",
    "the dog ran",
    "고양이 가 앉았다",
    "the cat sat",
]
QUEENS = [
    "the queen sat in the tower",
    "a king saw the queen and the dog",
    "the dog barked at the queen",
    "",
]
DEV = [
    "the cat saw the queen",
    "",
    "a dog sat in the tower",
    "e\u0301toile 🌹 the queen",
]
# Trained models sum to one up to float32 rounding of what they store.
ROUNDING = 1e-6


def train(texts, order=3, **options):
    return ngram.train(texts, order, discount_fallback=FALLBACK, **options)


@pytest.fixture(scope="module")
def cats():
    return train(CATS, 3)


@pytest.fixture(scope="module")
def queens():
    return train(QUEENS, 4)


def every_score(mixture, context):
    """Return the log10 probability of every word after a context, by scoring."""
    words = len(mixture.vocabulary)
    rows = np.array([[*context, word] for word in range(words)], np.uint32)
    length = rows.shape[1]
    offsets = np.arange(0, words * length + 1, length)
    scores, _ = mixture.score_ids(rows.ravel(), offsets, bos=False, eos=False)
    return scores[length - 1 :: length]


def contexts_of(mixture):
    for text in [
        "",
        "the",
        "the queen",
        "a cat saw the",
        "unseen 🌹",
        "가",
        "x the dog",
    ]:
        yield mixture.context_ids(text)
    yield mixture.context_ids("the queen", bos=False)
    yield np.empty(0, np.uint32)


# --- the definition ----------------------------------------------------------------


def renamed(reference, prefix):
    """Return a random model whose words, but every third, are its own."""
    names = [
        name if i < 3 or i % 3 == 0 else prefix + name
        for i, name in enumerate(reference.words)
    ]
    return ReferenceModel(names, reference.ngrams)


def model_of(reference):
    words = Vocabulary.from_words(reference.words[3:])
    return Model.from_ngrams(reference.sorted_ngrams(), words)


def shared_score(reference, union, words, position):
    """Return p(word | words before it), with the shares of unknown words, linear."""
    ids = [reference.ids.get(word, UNK) for word in words]
    log10_prob, _ = reference.score_token(ids[:position], ids[position])
    unknown = sum(word not in reference.ids for word in union) + 1
    return 10 ** float(log10_prob) / (unknown if ids[position] == UNK else 1)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4), st.floats(0, 1))
def test_linear_scores_are_the_definition(seed, order, other_order, weight):
    references = [
        renamed(random_model(seed, words=12, order=order, density=0.6), "a"),
        renamed(random_model(seed + 1, words=9, order=other_order, density=0.6), "b"),
    ]
    union = {*references[0].words, *references[1].words}
    weights = (weight, 1 - weight)
    mixture = Mixture([model_of(r) for r in references], weights)
    assert set(mixture.vocabulary) == union
    rng = np.random.default_rng(seed)
    words = [*sorted(union - {"<s>", "</s>", "<unk>"}), "nobody"]
    sentence = [words[i] for i in rng.integers(0, len(words), 6)]
    tokens = ["<s>", *sentence, "</s>"]
    scores = mixture.full_scores(" ".join(sentence))
    for position, (log10_prob, _, is_oov) in enumerate(scores, 1):
        expected = sum(
            w * shared_score(reference, union, tokens, position)
            for w, reference in zip(weights, references, strict=True)
        )
        assert 10**log10_prob == pytest.approx(expected, rel=1e-9)
        assert is_oov == (tokens[position] == "nobody")


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_sum_to_one_for_every_context(kind, cats, queens):
    mixture = Mixture([cats, queens], kind=kind, vocabulary=["more", "cat"]).fit(DEV)
    assert "more" in mixture.vocabulary
    for context in contexts_of(mixture):
        probabilities = 10 ** every_score(mixture, context)
        assert probabilities.sum() - probabilities[BOS] == pytest.approx(
            1, abs=ROUNDING
        )
        distribution = mixture.distribution_of_ids(context)
        assert distribution[BOS] == 0
        probabilities[BOS] = 0
        np.testing.assert_allclose(distribution, probabilities, rtol=ROUNDING)


def test_a_mixture_of_one_model_is_the_model(cats):
    mixture = Mixture([cats])
    ours, theirs = mixture.score_tokens(DEV), cats.score_tokens(DEV)
    for mine, given_ in zip(ours, theirs, strict=True):
        assert mine.tolist() == given_.tolist()
    assert mixture.score_batch(DEV).tobytes() == cats.score_batch(DEV).tobytes()
    assert mixture.full_scores(DEV[0], False, False) == cats.full_scores(
        DEV[0], False, False
    )
    assert mixture.next_tokens("the", 5) == cats.next_tokens("the", 5)
    assert mixture.distribution("the").tolist() == cats.distribution("the").tolist()
    mine, given_ = mixture.perplexity(DEV), cats.perplexity(DEV)
    assert mine.ngram_lengths == given_.ngram_lengths
    assert mine.perplexity == pytest.approx(given_.perplexity, rel=1e-14)


@pytest.mark.parametrize("kind", ["linear", "context"])
def test_a_model_with_all_the_weight_is_the_mixture(kind, cats):
    other = train(CATS[:2], 2)
    words = list(cats.vocabulary)
    alone = Mixture([cats], vocabulary=words).score_tokens(DEV)
    mixed_ = Mixture([other, cats], [0, 1], kind=kind, vocabulary=words)
    order = [mixed_.vocabulary.id(word) for word in words]
    assert sorted(order) == list(range(len(words)))
    for mine, theirs in zip(mixed_.score_tokens(DEV), alone, strict=True):
        assert mine.tolist() == theirs.tolist()


def test_batches_of_a_text_change_nothing(monkeypatch, cats, queens):
    mixture = Mixture([cats, queens, Cache(2, 7, 0.8, "blank")])
    whole = mixture.perplexity(DEV * 3)
    monkeypatch.setattr(ngram.scoring, "BATCH", 1)
    single = mixture.perplexity(DEV * 3)
    assert single.perplexity == pytest.approx(whole.perplexity, rel=1e-12)
    assert single.ngram_lengths == whole.ngram_lengths


def test_mixtures_mix(cats, queens):
    inner = Mixture([cats, queens], [0.25, 0.75])
    outer = Mixture([inner, cats], [0.5, 0.5])
    flat = Mixture([cats, queens], [0.625, 0.375])
    # Shares of unknown words are the same: both know the same words.
    np.testing.assert_allclose(
        outer.score_batch(DEV), flat.score_batch(DEV), rtol=1e-12
    )


def test_a_path_is_a_text(tmp_path, cats, queens):
    path = tmp_path / "dev.txt"
    path.write_text("".join(f"{line}\n" for line in DEV), "utf-8")
    mixture = Mixture([cats, queens])
    assert mixture.fit(path).weights.tolist() == mixture.fit(DEV).weights.tolist()
    assert mixture.perplexity(path) == mixture.perplexity(DEV)


def test_characters_and_library_tokenizers_mix(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    library = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({"[UNK]": 0, "the": 1, "cat": 2}, unk_token="[UNK]")
    )
    library.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    library.save(str(tmp_path / "words.json"))
    for tokenizer in ("characters", "bytes", tmp_path / "words.json"):
        models = [train(text, 2, tokenizer=tokenizer) for text in (CATS, QUEENS)]
        mixture = Mixture(models)
        assert mixture.distribution("the").sum() == pytest.approx(1, abs=ROUNDING)
        assert math.isfinite(mixture.score("the cat"))


# --- predictions -------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_next_tokens_are_the_best_of_the_distribution(kind, cats, queens):
    mixture = Mixture([cats, queens], kind=kind)
    distribution = mixture.distribution("the queen")
    best = mixture.next_tokens("the queen", 5)
    words = mixture.vocabulary.words()
    ranking = sorted(range(len(words)), key=lambda i: (-distribution[i], i))
    assert best == [(words[i], distribution[i]) for i in ranking if i not in (0, 1)][:5]


def test_draws_follow_the_distribution(cats, queens):
    mixture = Mixture([cats, queens], [0.3, 0.7])
    assert mixture.sample("the", seed=5) == mixture.sample("the", seed=5)
    assert mixture.sample("the", temperature=0, max_tokens=1) == [
        mixture.next_tokens("the", 1)[0][0]
    ]
    best = {token for token, _ in mixture.next_tokens("the", 2)}
    draws = [mixture.sample("the", max_tokens=1, top_k=2, seed=i)[0] for i in range(40)]
    assert set(draws) == best
    first = mixture.sample("the", max_tokens=1, top_p=1e-9, seed=1)
    assert first == [mixture.next_tokens("the", 1)[0][0]]
    counts = np.zeros(len(mixture.vocabulary))
    for seed in range(2000):
        drawn = mixture.sample("the", max_tokens=1, seed=seed)[0]
        counts[mixture.vocabulary.id(drawn)] += 1
    expected = mixture.distribution("the")
    expected[UNK] = 0
    expected /= expected.sum()
    deviation = np.sqrt(2000 * expected * (1 - expected))
    assert np.all(np.abs(counts - 2000 * expected) <= 4.5 * deviation + 1e-9)
    assert mixture.generate("the", seed=1).startswith("the")


# --- weights -----------------------------------------------------------------------


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 30), st.booleans())
def test_expectation_maximisation_never_falls(seed, components, tokens, impossible):
    rng = np.random.default_rng(seed)
    log10_prob = -rng.gamma(1.0, 2.0, (tokens, components))
    if impossible:
        log10_prob[rng.random(log10_prob.shape) < 0.3] = -np.inf
        log10_prob[0, 0] = -1.0
    bucket = rng.integers(0, 3, tokens)
    evidence = Evidence(log10_prob, bucket)
    start = np.full(components, 1 / components)
    weights, fit = fit_linear(evidence, start)
    assert np.all(np.diff(fit.log10_probs) >= 0)
    assert weights.sum() == pytest.approx(1)
    assert fit.perplexity <= min(fit.component_perplexities) * (1 + 1e-12)
    by_bucket, context_fit = fit_contexts(evidence, start, 5)
    assert np.all(np.diff(context_fit.log10_probs) >= 0)
    assert context_fit.perplexity <= fit.perplexity * (1 + 1e-12)
    assert by_bucket[4].tolist() == weights.tolist()  # a bucket without text
    np.testing.assert_allclose(by_bucket.sum(axis=1), 1)


def test_one_step_of_expectation_maximisation_by_hand():
    # p = (0.2, 0.1) and (0.1, 0.4), equal weights. Responsibilities of component 0:
    # 0.2 / 0.3 = 2/3 and 0.1 / 0.5 = 1/5; the new weight is their mean, 13/30.
    log10_prob = np.log10([[0.2, 0.1], [0.1, 0.4]])
    evidence = Evidence(log10_prob, np.zeros(2, np.int64))
    _, fit = fit_linear(evidence, np.array([0.5, 0.5]))
    after = [
        math.log10(0.2 * w + 0.1 * (1 - w)) + math.log10(0.1 * w + 0.4 * (1 - w))
        for w in (1 / 2, 13 / 30)
    ]
    assert fit.log10_probs[:2] == pytest.approx(after)


def test_the_maximum_is_found():
    rng = np.random.default_rng(3)
    log10_prob = -rng.gamma(1.0, 2.0, (200, 2))
    weights, fit = fit_linear(
        Evidence(log10_prob, np.zeros(200, np.int64)), np.array([0.5, 0.5])
    )
    grid = [
        mixed(log10_prob, np.array([w, 1 - w])).sum() for w in np.linspace(0, 1, 1001)
    ]
    assert fit.converged
    assert mixed(log10_prob, weights).sum() >= max(grid) - 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_a_fitted_mixture_is_never_worse_than_its_best_model(kind, cats, queens):
    for dev in (DEV, CATS, QUEENS, ["🌹", "the"], ["", "cat"]):
        mixture = Mixture([cats, queens], kind=kind).fit(dev)
        fit = mixture.fit_
        assert np.all(np.diff(fit.log10_probs) >= 0)
        # A log-linear component alone is normalised anew: float32 rounding.
        assert fit.perplexity <= min(fit.component_perplexities) * (1 + ROUNDING)
        assert fit.perplexity == pytest.approx(mixture.perplexity(dev).perplexity)
        assert mixture.fit(dev).weights.tolist() == mixture.weights.tolist()


def test_component_perplexities_are_over_the_common_vocabulary(cats, queens):
    mixture = Mixture([cats, queens]).fit(DEV)
    words = mixture.vocabulary.words()
    for model, perplexity in zip(
        (cats, queens), mixture.fit_.component_perplexities, strict=True
    ):
        alone = Mixture([model], vocabulary=words).perplexity(DEV)
        assert alone.perplexity == pytest.approx(perplexity)


def test_log_linear_weights_are_a_maximum(cats, queens):
    mixture = Mixture([cats, queens], kind="log-linear").fit(DEV)
    best = mixture.fit_.log10_probs[-1]
    assert best == pytest.approx(mixture.score_batch(DEV).sum())
    for change in itertools.product((-0.01, 0, 0.01), repeat=2):
        weights = np.maximum(mixture.weights + change, 0)
        nearby = Mixture([cats, queens], weights, kind="log-linear")
        assert nearby.score_batch(DEV).sum() <= best + 1e-9


def test_bad_models_lose_their_weight(cats):
    noise = train(["x y z", "z y x"], 2)
    weights = Mixture([noise, cats]).fit(CATS * 20).weights
    assert weights[1] > 0.9


# --- caches ------------------------------------------------------------------------


@given(
    st.lists(st.integers(0, 3), max_size=40),
    st.integers(1, 50),
    st.sampled_from([1.0, 0.9, 0.5, 1e-3]),
)
def test_recent_sums_are_the_definition(keys, size, decay):
    first = np.maximum(0, np.arange(len(keys)) - size)
    sums = recent_sums(np.array(keys, np.int64), first, decay)
    for t, key in enumerate(keys):
        expected = math.fsum(
            decay ** (t - 1 - s) for s in range(max(0, t - size), t) if keys[s] == key
        )
        assert sums[t] == pytest.approx(expected, rel=1e-12)


@given(
    st.lists(st.lists(st.sampled_from("abcx"), max_size=6), min_size=1, max_size=8),
    st.integers(1, 3),
    st.integers(1, 20),
    st.sampled_from([1.0, 0.8]),
    st.sampled_from(["none", "blank", "sentence"]),
)
def test_a_cache_scores_what_its_distribution_says(text, order, size, decay, border):
    model = train(["a b c", "c b a"], 2)
    mixture = Mixture([model, Cache(order, size, decay, border)], [0, 1])
    texts = [" ".join(sentence) for sentence in text]
    scores = 10 ** mixture.score_tokens(texts)[0]
    context = []
    position = 0
    for sentence in text:
        context.append(BOS)
        ids = [mixture.vocabulary.id(word) for word in sentence]
        for word in [*ids, EOS]:
            after = np.array(context, np.uint32)
            distribution = mixture.distribution_of_ids(after)
            assert distribution.sum() == pytest.approx(1)
            assert scores[position] == pytest.approx(distribution[word], rel=1e-12)
            context.append(word)
            position += 1


def test_a_cache_by_hand():
    model = train(["a b c", "c b a"], 2)  # 6 words: <unk> <s> </s> a b c
    unigrams = Mixture([model, Cache(1)], [0, 1])
    # Empty: 1 of 5 words. Then a: 0 of 1 (b), 1 of 2 (a), and </s>: 0 of 3.
    scores = [10**p for p, _, _ in unigrams.full_scores("a b a")]
    assert scores == pytest.approx([1 / 5, 0, 1 / 2, 0])
    bigrams = Mixture([model, Cache(2)], [0, 1])
    # a b a b: b after a has been seen once, of 1.
    assert 10 ** bigrams.full_scores("a b a b")[3][0] == pytest.approx(1)
    # The second sentence begins with a, as the first did after <s>.
    second = bigrams.score_tokens(["a b", "a"])[0][3]
    assert 10**second == pytest.approx(1)


def test_weights_may_depend_on_what_the_cache_knows(cats):
    texts = ["the cat ran", "the cat ran"] * 5
    mixture = Mixture([cats, Cache(2)], kind="context").fit(texts)
    plain = Mixture([cats, Cache(2)]).fit(texts)
    assert mixture.fit_.perplexity <= plain.fit_.perplexity
    for context in contexts_of(mixture):
        assert mixture.distribution_of_ids(context).sum() == pytest.approx(
            1, abs=ROUNDING
        )


# --- one model ---------------------------------------------------------------------


def ngram_sets(model):
    ngrams = model.table.to_sorted()
    words = model.vocabulary.words()
    return {
        tuple(words[i] for i in row)
        for order in range(1, model.order + 1)
        for row in ngrams.ngram_ids(order)
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weights", [(0.25, 0.75), (1, 0)])
def test_flattened_ngrams_have_the_probability_of_the_mixture(
    kind, weights, cats, queens
):
    mixture = Mixture([cats, queens], weights, kind=kind)
    flat = mixture.flatten()
    assert ngram_sets(flat) == ngram_sets(cats) | ngram_sets(queens)
    ngrams = flat.table.to_sorted()
    for order in range(1, flat.order + 1):
        ids = ngrams.ngram_ids(order)
        offsets = np.arange(0, ids.size + 1, order)
        expected, _ = mixture.score_ids(ids.ravel(), offsets, bos=False, eos=False)
        stored = ngrams.level(order)[2]
        last = expected[order - 1 :: order]
        predicted = ids[:, -1] != BOS
        np.testing.assert_array_equal(
            stored[predicted], last[predicted].astype(np.float32)
        )


@pytest.mark.parametrize("kind", KINDS)
def test_flattened_models_sum_to_one(kind, cats, queens):
    flat = Mixture([cats, queens], kind=kind).fit(DEV).flatten()
    for context in contexts_of(Mixture([flat])):
        assert flat.distribution_of_ids(context).sum() == pytest.approx(1, abs=1e-5)


def test_a_flattened_log_linear_mixture_is_the_mixture(cats, queens):
    mixture = Mixture([cats, queens], (0.7, 0.5), kind="log-linear")
    flat = mixture.flatten()
    for context in contexts_of(mixture):
        np.testing.assert_allclose(
            flat.distribution_of_ids(context),
            mixture.distribution_of_ids(context),
            rtol=1e-5,  # float32 probabilities and back-offs
        )


def test_a_flattened_model_is_saved_and_does_not_depend_on_threads(
    tmp_path, cats, queens
):
    mixture = Mixture([cats, queens], (0.7, 0.3))
    one, two = mixture.flatten(threads=1), mixture.flatten(threads=2)
    one.save(tmp_path / "one.ngram")
    two.save(tmp_path / "two.ngram")
    data = (tmp_path / "one.ngram").read_bytes()
    assert data == (tmp_path / "two.ngram").read_bytes()
    assert one.info()["training"]["mixture"]["weights"] == [0.7, 0.3]
    one.write_arpa(tmp_path / "one.arpa")
    again = ngram.read_arpa(tmp_path / "one.arpa", strict=True)
    np.testing.assert_allclose(again.score_batch(DEV), one.score_batch(DEV), rtol=1e-5)


@settings(max_examples=15)
@given(st.data())
def test_unions_are_sorted_and_closed(data):
    sentence = st.lists(st.sampled_from("abcdefg"), max_size=6).map(" ".join)
    texts = data.draw(
        st.lists(st.lists(sentence, min_size=1, max_size=5), min_size=2, max_size=3)
    )
    models = [train([*text, "a"], data.draw(st.integers(1, 4))) for text in texts]
    flat = Mixture(models).flatten()  # SortedNgrams.from_levels checks both
    assert ngram_sets(flat) == set().union(*map(ngram_sets, models))


def test_mixtures_are_pickled(cats, queens):
    mixture = Mixture([cats, queens, Cache()]).fit(DEV)
    again = pickle.loads(pickle.dumps(mixture))
    assert again.score_batch(DEV).tolist() == mixture.score_batch(DEV).tolist()
    assert repr(again) == repr(mixture)


# --- adaptation --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["linear", "context"])
def test_adapted_models_know_the_base_and_the_text(kind, cats):
    text = [*QUEENS, "the queen sat on the mat", "a king saw the cat", *QUEENS[:2]]
    options = {"kind": kind, "folds": 4, "discount_fallback": FALLBACK}
    mixture = ngram.adapt(cats, text, 2, **options)
    assert mixture.components[0] is cats
    assert mixture.components[1].order == 2
    assert set(mixture.vocabulary) == {*cats.vocabulary, *" ".join(text).split()}
    assert mixture.fit_.tokens == sum(len(line.split()) + 1 for line in text)
    assert mixture.fit_.perplexity < min(mixture.fit_.component_perplexities)
    again = ngram.adapt(cats, text, 2, **options)
    assert again.weights.tolist() == mixture.weights.tolist()


def test_adaptation_checks_its_text(cats):
    with pytest.raises(InputError, match="fewer folds"):
        ngram.adapt(cats, ["one", "two"])  # 3 folds
    with pytest.raises(InputError, match="folds is 1"):
        ngram.adapt(cats, CATS, folds=1)
    with pytest.raises(InputError, match="'linear' or 'context'"):
        ngram.adapt(cats, CATS, kind="log-linear")
    with pytest.raises(InputError, match="one string"):
        ngram.adapt(cats, "text.txt")


# --- errors ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.5, 0.6], "sum to 1.1"),
        ([1.5, -0.5], "0 or more"),
        ([math.nan, 1], "finite"),
        ([1], "one for each of the 2 components"),
        ([[0.5, 0.5]], "shape"),
        ("ab", "pass numbers"),
        ([0, 0], "sum to 0"),
    ],
)
def test_weights_are_checked(weights, message, cats, queens):
    with pytest.raises(InputError, match=message):
        Mixture([cats, queens], weights)


@pytest.mark.parametrize(
    ("components", "message"),
    [
        ([], "at least one model"),
        ([Cache()], "at least one model"),
        (5, "pass a list of models"),
        (["model.ngram"], r"ngram\.load"),
    ],
)
def test_components_are_checked(components, message):
    with pytest.raises(InputError, match=message):
        Mixture(components)


def test_tokenizers_must_agree(cats):
    with pytest.raises(InputError, match="same tokenizer"):
        Mixture([cats, train(CATS, 2, tokenizer="characters")])


def test_texts_to_fit_are_checked(cats, queens):
    mixture = Mixture([cats, queens])
    with pytest.raises(InputError, match="at least one sentence"):
        mixture.fit([])
    with pytest.raises(InputError, match="one string"):
        mixture.fit("the cat")
    with pytest.raises(InputError, match="str"):
        mixture.fit([1, 2])
    with pytest.raises(InputError, match="no words: all of its 3 sentences"):
        mixture.fit(["", " ", ""])
    with pytest.warns(UserWarning, match="knows any of the 3 words"):
        mixture.fit(["zwei drei", "vier"])
    impossible = Evidence(np.full((2, 2), -np.inf), np.zeros(2, np.int64))
    with pytest.raises(InputError, match="probability above 0"):
        mixture.fit_evidence(impossible)


@pytest.mark.parametrize("weight", [1e4, 1e300])
def test_log_linear_weights_beyond_float64_are_an_error(cats, queens, weight):
    mixture = Mixture([cats, queens], [weight, weight], kind="log-linear")
    for use in (mixture.flatten, lambda: mixture.score("the cat")):
        with pytest.raises(InputError, match="Pass smaller weights"):
            use()


def test_kinds_are_checked(cats):
    with pytest.raises(InputError, match="kind is 'product'"):
        Mixture([cats], kind="product")
    with pytest.raises(InputError, match="models alone"):
        Mixture([cats, Cache()], kind="log-linear")
    deep = train(CATS, 30)
    with pytest.raises(InputError, match="buckets"):
        Mixture([deep] * 5, kind="context")
    with pytest.raises(InputError, match=r"shape \(9, 2\)"):
        Mixture([cats, cats], [[1, 0]] * 8, kind="context")


def test_only_models_become_one_model(cats):
    with pytest.raises(InputError, match="leave out caches"):
        Mixture([cats, Cache()]).flatten()
    with pytest.raises(InputError, match="leave out caches"):
        Mixture([Mixture([cats])]).flatten()


def test_models_of_unknown_words_do_not_mix_log_linearly(cats):
    table = [
        {(0,): (-1, 0), (1,): (-99, 0), (2,): (-1, 0), (3,): (-1, 0)},
        {(1, 0): (-0.5, 0), (0, 3): (-0.5, 0)},
    ]
    words = ["<unk>", "<s>", "</s>", "a"]
    reference = ReferenceModel(
        words,
        [
            {key: tuple(map(np.float32, values)) for key, values in level.items()}
            for level in table
        ],
    )
    model = model_of(reference)
    mixture = Mixture([model, cats])
    assert mixture.flatten().order == 3
    with pytest.raises(InputError, match="n-grams with <unk>"):
        Mixture([model, cats], kind="log-linear").score("a")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 4}, "order of the cache is 4"),
        ({"size": 0}, "size of the cache is 0"),
        ({"size": 2.5}, "size of the cache"),
        ({"decay": 0}, "decay of the cache is 0"),
        ({"decay": math.nan}, "decay of the cache is nan"),
        ({"border": "page"}, "border of the cache is 'page'"),
    ],
)
def test_caches_are_checked(options, message):
    with pytest.raises(InputError, match=message):
        Cache(**options)


@pytest.mark.parametrize(
    ("ids", "offsets", "message"),
    [
        ([0, 99], [0, 2], "ids lie between"),
        ([3, 4], [0, 1], "offsets must ascend"),
        ([3, 4], [0, 2, 1, 2], "offsets must ascend"),
        ([3.5], [0, 1], "array of integers"),
        ([3], [], "offsets must ascend"),
    ],
)
def test_ids_are_checked(ids, offsets, message, cats):
    with pytest.raises(InputError, match=message):
        Mixture([cats]).score_ids(ids, offsets)
