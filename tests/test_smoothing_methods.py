"""Every smoothing method: contract, definition and engine, held-out text, models."""

import math
import random
import re
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_cases import CASES, GoldenCase, sentences
from hypothesis import given, settings
from hypothesis import strategies as st

import ngram
from ngram._core.counts import NgramCounts
from ngram._core.estimate import Estimator, smooth_counts
from ngram.errors import DiscountError, DiscountWarning, InputError
from ngram.fitting import count_heldout, counts_of_counts, encode_heldout
from ngram.smoothing import (
    ALIASES,
    METHODS,
    AbsoluteDiscounting,
    Additive,
    ContextSums,
    Dirichlet,
    HeldoutCounts,
    JelinekMercer,
    Katz,
    KneserNey,
    MaximumLikelihood,
    ModifiedKneserNey,
    ReferenceModel,
    SmoothingMethod,
    StupidBackoff,
    TunedModifiedKneserNey,
    WittenBell,
    pruning_thresholds,
    reference_estimate,
    smoothing_method,
)
from ngram.smoothing.jelinek_mercer import expectation_maximisation
from ngram.smoothing.modified_kneser_ney import _Search
from ngram.text import Tokenizer, read_corpus

# Random texts and thresholds may leave nothing.
pytestmark = [
    pytest.mark.filterwarnings("ignore:no word is left"),
    pytest.mark.filterwarnings("ignore:none of the"),
]

ROOT = Path(__file__).parents[1]
NORMALISED = [name for name, method in METHODS.items() if method.normalised]
SMOOTHED = [name for name in NORMALISED if name != MaximumLikelihood.name]
ROUNDING = 2.0**-24  # of a float32, as a part of it

every_method = pytest.mark.parametrize("name", METHODS)


def heldout_of(*rows: tuple[float, float]) -> HeldoutCounts:
    """Return held-out counts of order 1 with these (count, total)."""
    count, total = np.array(rows, float).T.reshape(2, 1, -1)
    kept = np.zeros((1, 3, len(rows)))
    kept[0, 0] = 2
    return HeldoutCounts(count, total, np.zeros_like(count), kept)


@cache
def fitted(name: str) -> SmoothingMethod:
    """Return a method fitted to one order with usual counts of counts."""
    heldout = heldout_of((1, 9), (0, 9), (3, 9), (2, 5)) if needs(name) else None
    row = (15000, 5000, 2500, 1500, 1000, 714)  # as 1 / (r (r + 1))
    return smoothing_method(name).fit([row], words=1000, heldout=heldout)


def needs(name: str) -> bool:
    return METHODS[name].needs_heldout


def quiet_estimate(*args: Any, **options: Any) -> ReferenceModel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiscountWarning)
        return reference_estimate(*args, **options)


def quiet_train(*args: Any, **options: Any) -> ngram.Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiscountWarning)
        return ngram.train(*args, **options)


# --- The contract ---


@pytest.mark.parametrize("name", NORMALISED)
@given(ngrams=st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1))
def test_alphas_and_gamma_of_a_context_sum_to_one(
    name: str, ngrams: list[tuple[int, bool]]
) -> None:
    method = fitted(name)
    kept = [count for count, is_kept in ngrams if is_kept]
    context = ContextSums(
        total=sum(count for count, _ in ngrams),
        kept=(*map(kept.count, range(1, 6)), sum(count > 5 for count in kept)),
        pruned=sum(count for count, is_kept in ngrams if not is_kept),
        types=len(ngrams),
    )
    alphas = [method.alpha(1, count, context) for count in kept]
    gamma = method.gamma(1, context)
    assert all(isinstance(value, np.float32) for value in [*alphas, gamma])
    assert all(0 <= value <= 1 for value in [*alphas, gamma])
    # Two roundings for each alpha; seven for gamma, whose largest part is 1.
    assert math.fsum(map(float, [*alphas, gamma])) == pytest.approx(
        1, abs=10 * ROUNDING
    )


@every_method
def test_a_larger_count_has_no_smaller_alpha(name: str) -> None:
    method = fitted(name)
    context = ContextSums(total=100, kept=(3, 3, 3, 3, 3, 3), types=18)
    alphas = [method.alpha(1, count, context) for count in range(10)]
    assert alphas[0] == 0
    assert alphas == sorted(alphas)
    assert alphas[9] > alphas[1] > 0


@pytest.mark.parametrize("name", set(NORMALISED) - {"katz"})
def test_a_context_of_pruned_ngrams_leaves_everything_to_the_lower_order(
    name: str,
) -> None:
    context = ContextSums(total=7, kept=(0,) * 6, pruned=7, types=3)
    assert fitted(name).gamma(1, context) == 1


@every_method
def test_a_method_says_what_the_engine_needs(name: str) -> None:
    method = smoothing_method(name)
    rows = [(50, 20, 11, 7, 4, 3)] * 3
    heldout = None
    if needs(name):
        one = heldout_of((1, 9), (0, 9), (3, 9))
        heldout = HeldoutCounts(*(np.repeat(a, 3, axis=0) for a in vars(one).values()))
    assert method.fit(rows, words=10, heldout=heldout) is method
    assert method.numbers().shape[0] == 3
    assert method.numbers().dtype == np.float64


@every_method
def test_the_spec_makes_the_same_method_again(name: str) -> None:
    method = smoothing_method(name)
    again = smoothing_method(method.spec)
    assert (again.spec, repr(again)) == (method.spec, repr(method))
    assert method.name == name


def test_specs_carry_options() -> None:
    assert smoothing_method("laplace").spec == "additive:delta=1"
    assert smoothing_method("jeffreys").spec == "additive:delta=0.5"
    assert smoothing_method("dirichlet:mass=1e-3").spec == "dirichlet:mass=0.001"
    assert smoothing_method("katz:k=3").spec == "katz:k=3"
    rows = "modified-kneser-ney:discounts=0.5/1/1.5;0.25/0.5/0.75"
    method = smoothing_method(rows)
    assert isinstance(method, ModifiedKneserNey)
    assert method.discounts == ((0.5, 1, 1.5), (0.25, 0.5, 0.75))
    assert smoothing_method(method.spec).spec == method.spec


@every_method
def test_the_documentation_has_a_section_for_every_method(name: str) -> None:
    if not (ROOT / "docs").is_dir():
        pytest.skip("the documents are not here: a wheel is being tested")
    text = (ROOT / "docs" / "smoothing.md").read_text(encoding="utf-8")
    assert re.search(rf"^#+ .*`{name}`", text, re.MULTILINE)


# --- By hand ---

# "a b", "a b", "a c": a 3, b 2, c 1, </s> 3 of 9; after a: b 2, c 1.
BY_HAND = [["a", "b"], ["a", "b"], ["a", "c"]]
SHARE = 1 / 5  # <unk>, </s>, a, b, c


@pytest.mark.parametrize(
    ("smoothing", "unigram_b", "seen", "unseen"),
    [
        # seen: b after a; unseen: a after a; p(a) is that of a 1-gram with count 3
        ("maximum-likelihood", 2 / 9, 2 / 3, 0),
        ("additive:delta=1", SHARE, (2 + 1) / (3 + 5), 1 / (3 + 5)),
        # (2 + 1) / (9 + 5) and, for 4 types seen, 1 / 14 left, divided by five
        (
            "additive-backoff:delta=1",
            3 / 14 + 1 / 14 / 5,
            3 / 8,
            # left: (5 - 2) / 8 of 1 - p(b) - p(c)
            (3 / 8) * (4 / 14 + 1 / 70) / (1 - 3 / 14 - 2 / 14 - 2 / 70),
        ),
        (
            "dirichlet:mass=2",
            (2 + 2 / 5) / 11,
            (2 + 2 * (2 + 2 / 5) / 11) / 5,
            2 * (3 + 2 / 5) / 11 / 5,
        ),
        # 4 types of 9 tokens, 2 types of 3 tokens
        (
            "witten-bell",
            (2 + 4 / 5) / 13,
            (2 + 2 * (2 + 4 / 5) / 13) / 5,
            2 * (3 + 4 / 5) / 13 / 5,
        ),
        (
            "witten-bell-backoff",
            (2 + 4 / 5) / 13,
            2 / 5,
            (2 / 5) * ((3 + 4 / 5) / 13) / (1 - (2 + 4 / 5) / 13 - (1 + 4 / 5) / 13),
        ),
        ("stupid-backoff:backoff=0.4", 2 / 9, 2 / 3, 0.4 * 3 / 9),
        # n_1 = n_2 = 1 (c; b), and 2 for bigrams: 1 / (1 + 2) each, so D = 1/3 for both
        (
            "absolute-discounting",
            (5 / 3 + 4 / 3 / 5) / 9,
            (5 / 3 + 2 / 3 * (5 / 3 + 4 / 3 / 5) / 9) / 3,
            2 / 3 * (8 / 3 + 4 / 3 / 5) / 9 / 3,
        ),
        # Adjusted: a 1 (<s>), b 1 (a), c 1 (a), </s> 2 (b, c), in all 5.
        (
            "modified-kneser-ney:discounts=0.5",
            (0.5 + 2 / 5) / 5,
            (1.5 + 1 * (0.5 + 2 / 5) / 5) / 3,
            1 * (0.5 + 2 / 5) / 5 / 3,
        ),
        (
            "modified-kneser-ney-backoff:discounts=0.5",
            (0.5 + 2 / 5) / 5,
            1.5 / 3,
            (1 / 3) * ((0.5 + 2 / 5) / 5) / (1 - 2 * (0.5 + 2 / 5) / 5),
        ),
    ],
    ids=lambda value: value.partition(":")[0] if isinstance(value, str) else "",
)
def test_probabilities_are_those_of_the_arithmetic(
    smoothing: str, unigram_b: float, seen: float, unseen: float
) -> None:
    model = reference_estimate(BY_HAND, 2, smoothing=smoothing)
    found = [
        model.probability([], "b"),
        model.probability(["a"], "b"),
        model.probability(["a"], "a"),
    ]
    # A dozen float32 roundings of numbers below 1.
    assert found == pytest.approx([unigram_b, seen, unseen], abs=12 * ROUNDING)


def test_katz_discounts_are_those_of_good_turing() -> None:
    # k = 2: common = 3 * 10 / 100 = 0.3; d_1 = (2 * 40 / 100 - 0.3) / 0.7,
    # d_2 = (3 * 10 / (2 * 40) - 0.3) / 0.7
    method = Katz(k=2).fit([(100, 40, 10, 7, 5, 4)])
    expected = ((0.8 - 0.3) / 0.7, (0.375 - 0.3) / 0.7, 1, 1, 1, 1)
    assert method.ratios_[0] == pytest.approx(expected, rel=1e-12)
    context = ContextSums(total=10, kept=(2, 1, 0, 0, 0, 1))
    assert float(method.alpha(1, 1, context)) == pytest.approx(expected[0] / 10)
    assert float(method.alpha(1, 6, context)) == np.float32(0.6)
    # 2 * 1 * (1 - d_1) + 1 * 2 * (1 - d_2)
    taken = 2 * (1 - expected[0]) + 2 * (1 - expected[1])
    assert float(method.gamma(1, context)) == pytest.approx(taken / 10)


def test_a_katz_context_without_discounts_gives_one_of_its_total_plus_one() -> None:
    method = Katz().fit([(100, 40, 20, 12, 8, 5)])
    context = ContextSums(total=19, kept=(0, 0, 0, 0, 0, 2))
    assert float(method.alpha(1, 10, context)) == 0.5
    assert float(method.gamma(1, context)) == np.float32(1 / 20)


def test_katz_spares_counts_without_a_ratio_and_says_so() -> None:
    with pytest.warns(DiscountWarning) as caught:
        # 3 n_3 > 2 n_2; then n_1 = 0, which leaves nothing defined; then all is well.
        Katz().fit(
            [(100, 20, 40, 12, 8, 5), (0, 3, 1, 0, 0, 0), (100, 40, 20, 12, 8, 5)]
        )
    assert [str(warning.message) for warning in caught] == [
        "the Good-Turing estimate is undefined or no discount for 1-grams with the"
        " count 2; 2-grams with the count 2, 3: they keep their counts. Small or"
        " repeated corpora cause this."
    ]


def test_one_discount_needs_counts_of_one_and_two() -> None:
    method = KneserNey().fit([(6, 3, 0, 0)])
    assert float(method.discounts_[0].d3) == 0.5  # 6 / (6 + 2 * 3)
    with pytest.warns(DiscountWarning, match=r"1-grams \(n_1 to n_4 are 6, 0, 1, 1\)"):
        AbsoluteDiscounting().fit([(6, 0, 1, 1)])
    method = KneserNey(discount_fallback=(0.25,)).fit([(6, 0, 1, 1)])
    assert method.discounts_[0].source == "given"
    message = "cannot compute the discount of 1-grams: no 1-gram has the count 2."
    with pytest.raises(DiscountError, match=message):
        KneserNey(strict=True).fit([(6, 0, 1, 1)])


def test_the_backoff_form_refuses_discounts_that_take_all_of_a_count() -> None:
    # n_4 = 0 makes D3+ = 3.
    with pytest.warns(DiscountWarning):
        method = smoothing_method("modified-kneser-ney-backoff").fit([(5, 3, 2, 0)])
    assert method.discounts_[0].source == "one"


def test_additive_smoothing_knows_no_shorter_contexts() -> None:
    model = reference_estimate(BY_HAND, 3, smoothing="laplace")
    # Of two words: seen 3 times after "<s> a"; a context of one word only after <s>.
    assert model.probability(["<s>", "a"], "b") == pytest.approx((2 + 1) / (3 + 5))
    assert model.probability(["<s>"], "a") == pytest.approx((3 + 1) / (3 + 5))
    assert model.probability(["b", "a"], "b") == pytest.approx(1 / 5)
    assert model.probability(["a"], "b") == pytest.approx(1 / 5)


@given(data=st.data())
def test_a_dirichlet_prior_on_the_uniform_distribution_is_additive(
    data: st.DataObject,
) -> None:
    corpus = data.draw(CORPORA)
    words = len({word for sentence in corpus for word in sentence}) + 2
    one = reference_estimate(corpus, 1, smoothing=Additive(delta=0.5))
    other = reference_estimate(corpus, 1, smoothing=Dirichlet(mass=0.5 * words))
    assert one.ngrams == other.ngrams


def test_maximum_likelihood_gives_nothing_to_the_unseen() -> None:
    model = ngram.train(["a b", "a c"], 2, smoothing="maximum-likelihood")
    assert 10 ** model.score("a b") == pytest.approx(0.5)
    assert model.score("a a") == model.score("d") == -math.inf
    assert model.perplexity(["a a"]).perplexity == math.inf


# --- The engine equals the definition ---

WORDS = st.sampled_from(["a", "b", "c", "길", "e\u0301", "😀"])
CORPORA = st.lists(st.lists(WORDS, max_size=9), min_size=1, max_size=12).filter(any)


def engine_levels(
    corpus: object,
    order: int,
    method: SmoothingMethod,
    *,
    heldout: object = None,
    threads: int = 1,
    prune: tuple[int, ...] = (),
    limit_vocab: Any = None,
    vocab_pad: int = 0,
) -> tuple[Any, Any]:
    """Return linear n-grams of the engine, and the held-out counts the method saw."""
    tokens, vocabulary, _ = read_corpus(corpus)
    counts = NgramCounts.count(tokens, len(vocabulary), order, threads=threads)
    listed = None
    kept = np.ones(len(vocabulary), bool)
    thresholds = pruning_thresholds(prune, order)
    raw = counts.level(1)[2]
    if limit_vocab is not None:
        listed = np.zeros(len(vocabulary), np.uint8)
        listed[[0, 1, 2, *(vocabulary.id(word) for word in limit_vocab)]] = 1
        kept = listed != 0
    kept &= raw > thresholds[0]
    kept[:3] = True
    seen = None
    if heldout is not None:
        seen = count_heldout(
            counts,
            encode_heldout(heldout, vocabulary, Tokenizer.of("whitespace")),
            uses_adjusted_counts=method.uses_adjusted_counts,
            kept_words=kept,
            thresholds=thresholds,
            threads=threads,
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiscountWarning)
        method.fit(
            counts_of_counts(counts, adjusted=method.uses_adjusted_counts),
            words=max(vocab_pad, int(kept.sum()) - 1),
            heldout=seen,
        )
    ngrams, _ = smooth_counts(
        counts,
        method,
        prune=thresholds if any(thresholds) else (),
        listed=listed,
        vocabulary_pad=vocab_pad,
        log10=False,
        threads=threads,
    )
    return ngrams, seen


def assert_equal(ngrams: Any, reference: ReferenceModel) -> None:
    assert ngrams.counts == reference.counts_after_pruning
    for order, entries in enumerate(reference.ngrams, start=1):
        _, _, probability, backoff = ngrams.level(order)
        expected = np.array([entry.probability for entry in entries], np.float32)
        assert probability.tobytes() == expected.tobytes()
        if order < ngrams.order:
            expected = np.array([entry.backoff for entry in entries], np.float32)
            assert backoff.tobytes() == expected.tobytes()


@every_method
@settings(max_examples=10)
@given(data=st.data(), corpus=CORPORA, order=st.integers(1, 5))
def test_linear_values_are_those_of_the_definition_on_random_texts(
    name: str, data: st.DataObject, corpus: list[list[str]], order: int
) -> None:
    options: dict[str, Any] = {
        "prune": sorted(data.draw(st.lists(st.integers(0, 2), max_size=order))),
        "vocab_pad": data.draw(st.sampled_from([0, 0, 3, 40])),
    }
    if data.draw(st.booleans()):
        options["limit_vocab"] = data.draw(st.lists(WORDS, max_size=4))
    heldout = data.draw(CORPORA) if needs(name) else None
    reference = quiet_estimate(
        corpus, order, smoothing=name, heldout=heldout, **options
    )
    ngrams, _ = engine_levels(
        [" ".join(sentence) for sentence in corpus],
        order,
        smoothing_method(name),
        heldout=None if heldout is None else [" ".join(s) for s in heldout],
        threads=data.draw(st.integers(1, 3)),
        **options,
    )
    assert_equal(ngrams, reference)


GOLDEN = ["tiny-o3-nofallback", "odd-o3", "oneword-o3", "latin1-o3"]


@every_method
@pytest.mark.parametrize("case", [CASES[name] for name in GOLDEN], ids=GOLDEN)
def test_linear_values_are_those_of_the_definition_on_golden_texts(
    name: str, case: GoldenCase
) -> None:
    text = sentences(case.train)
    heldout = text[::2] if needs(name) else None
    reference = quiet_estimate(text, 3, smoothing=name, heldout=heldout)
    ngrams, _ = engine_levels(
        [b" ".join(sentence) for sentence in text],
        3,
        smoothing_method(name),
        heldout=None if heldout is None else [b" ".join(s) for s in heldout],
    )
    assert_equal(ngrams, reference)


@pytest.mark.parametrize("name", ["kneser-ney", "modified-kneser-ney"])
@settings(max_examples=30)
@given(corpus=CORPORA, order=st.integers(1, 5), threshold=st.integers(0, 2))
def test_both_ways_to_kneser_ney_give_the_same_bits(
    name: str, corpus: list[list[str]], order: int, threshold: int
) -> None:
    text = [" ".join(sentence) for sentence in corpus]
    method = smoothing_method(name)
    levels, _ = engine_levels(text, order, method, prune=(threshold,))
    tokens, vocabulary, _ = read_corpus(text)
    prune = (threshold,) * order if threshold else ()
    estimator = Estimator(tokens, len(vocabulary), order, prune=prune)
    streamed, _ = estimator.smooth(method.numbers().astype(np.float32), log10=False)
    assert streamed == levels


def random_text(seed: int, sentences: int = 400, types: float = 0.9) -> list[str]:
    generator = random.Random(seed)
    return [
        " ".join(
            f"w{int(generator.paretovariate(types))}"
            for _ in range(generator.randrange(12))
        )
        for _ in range(sentences)
    ]


@every_method
def test_threads_change_no_bit(name: str, tmp_path: Path) -> None:
    heldout = random_text(2, 100) if needs(name) else None
    for threads in (1, 2, 3):
        model = quiet_train(
            random_text(1), 3, smoothing=name, heldout=heldout, threads=threads
        )
        model.save(tmp_path / f"{threads}.ngram")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


# --- Models ---


@pytest.fixture(scope="module", params=METHODS)
def model(request: pytest.FixtureRequest) -> ngram.Model:
    """A model of every method, of order 3, with words that the text does not have."""
    heldout = random_text(2, 100) if needs(request.param) else None
    return quiet_train(random_text(1), 3, smoothing=request.param, heldout=heldout)


def smoothing_of(model: ngram.Model) -> type[SmoothingMethod]:
    return METHODS[model.info()["training"]["smoothing"]["name"]]


CONTEXTS = ["", "w1", "w1 w1", "w1 w2", "w2 w1", "w3 nothing", "nothing w1", "w1 w9"]


@pytest.mark.parametrize("bos", [True, False])
def test_the_words_after_every_context_sum_to_one(
    model: ngram.Model, bos: bool
) -> None:
    for context in [*CONTEXTS, *random_text(3, 20)]:
        # log10 below 8 is stored with an error of 2^-22, which is 5.5e-7 of the
        # value; a probability is a product of up to three of them.
        total = math.fsum(model.distribution(context, bos=bos))
        if smoothing_of(model).normalised:
            assert total == pytest.approx(1, abs=3 * 5.5e-7)
        else:
            assert 0 < total < 3  # scores: one for each order


def test_perplexity_of_scores_warns() -> None:
    model = ngram.train(["a b", "b a"], 2, smoothing="stupid-backoff")
    assert not model.normalised
    with pytest.warns(UserWarning, match="the model gives scores that do not sum"):
        model.perplexity(["a"])


def test_all_words_are_possible(model: ngram.Model) -> None:
    method = smoothing_of(model)
    for context in CONTEXTS:
        possible = np.delete(model.distribution(context), 1) > 0  # <s>
        assert all(possible) == (method is not MaximumLikelihood)


def test_predictions_are_those_of_scoring_every_word(model: ngram.Model) -> None:
    words = [model.vocabulary.word(i) for i in range(len(model.vocabulary))]
    for context in CONTEXTS:
        distribution = model.distribution(context)
        texts = [f"{context} {word}" for word in words[3:]]
        scores = [model.full_scores(text, eos=False)[-1][0] for text in texts]
        for scored, predicted in zip(scores, distribution[3:], strict=True):
            # float32 sums of logarithms up to 16
            assert 10**scored == pytest.approx(predicted, rel=2e-5)
        best = sorted(
            (-p, i) for i, p in enumerate(distribution.tolist()) if i > 1 and p > 0
        )
        for k in (1, 5, 300):
            expected = [(words[i], -p) for p, i in best[:k]]
            assert model.next_tokens(context, k=k) == expected


def test_successor_lists_change_no_prediction(model: ngram.Model) -> None:
    indexed = ngram.Model._from_arrays(*model._contents())
    indexed.index_successors(1)
    for context in CONTEXTS:
        assert indexed.distribution(context).tolist() == (
            model.distribution(context).tolist()
        )
        for k in (1, 5, 40, 300):
            expected = model.next_tokens(context, k=k)
            assert indexed.next_tokens(context, k=k) == expected
        for options in ({}, {"top_k": 5}, {"top_p": 0.5}, {"temperature": 0.5}):
            drawn = model.sample(context, seed=1, **options)
            assert indexed.sample(context, seed=1, **options) == drawn


def test_samples_follow_the_distribution(model: ngram.Model) -> None:
    indexed = ngram.Model._from_arrays(*model._contents())
    indexed.index_successors(1)
    distribution = model.distribution("w1")
    distribution[:2] = 0
    distribution /= distribution.sum()
    drawn = [indexed.sample("w1", max_tokens=1, seed=i)[0] for i in range(2000)]
    for word in ("w1", "w2", "</s>"):
        p = distribution[model.vocabulary.id(word)]
        # Five standard deviations of 2,000 draws.
        assert drawn.count(word) / 2000 == pytest.approx(
            p, abs=5 * math.sqrt(p * (1 - p) / 2000)
        )


def test_models_say_how_they_were_smoothed(model: ngram.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model.ngram")
    info = ngram.load(tmp_path / "model.ngram").info()
    method = smoothing_of(model)
    assert info["training"]["options"]["smoothing"].startswith(method.name)
    assert info["training"]["smoothing"]["normalised"] == method.normalised
    assert len(info["training"]["smoothing"]["numbers"]) == 3
    assert (info["discounts"] is not None) == (method.kernel == "discounting")
    assert info["counts_of_counts"][0][0] > 0


def test_arpa_holds_the_same_model(model: ngram.Model, tmp_path: Path) -> None:
    model.write_arpa(tmp_path / "model.arpa")
    again = ngram.read_arpa(tmp_path / "model.arpa")
    texts = [*random_text(4, 50), "nothing w1"]
    assert again.score_batch(texts).tolist() == model.score_batch(texts).tolist()


@every_method
@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize(
    "text",
    [
        ["a"],
        ["a a a a"],
        ["a"] * 9,
        ["", "a", ""],
        ["a b c", "c b a"],
        ["한국어 문장", "e\u0301 é", "🙂 🙂"],
        ["a b " * 300],
    ],
    ids=["one", "same", "repeated", "blank", "reversed", "unicode", "long"],
)
def test_tiny_and_odd_texts_give_models(name: str, order: int, text: list[str]) -> None:
    heldout = ["a b", "c"] if needs(name) else None
    model = quiet_train(text, order, smoothing=name, heldout=heldout)
    for context in ("", "a", "b a", "a a a"):
        distribution = model.distribution(context)
        assert np.all(np.isfinite(distribution))
        if name in SMOOTHED:
            assert np.delete(distribution, 1).min() >= 0
            assert math.fsum(distribution) == pytest.approx(1, abs=4e-6)


@every_method
def test_weighted_counts_sum_to_one(name: str) -> None:
    counts = ngram.count_ngrams(random_text(1), 3, weights=0.3)
    heldout = random_text(2, 100) if needs(name) else None
    model = quiet_train(counts, smoothing=name, heldout=heldout)
    for context in CONTEXTS:
        distribution = model.distribution(context)
        assert np.all(distribution >= 0)
        if METHODS[name].normalised:
            assert math.fsum(distribution) == pytest.approx(1, abs=3 * 5.5e-7)


@every_method
def test_counts_of_a_text_give_the_model_of_the_text(name: str) -> None:
    heldout = random_text(2, 100) if needs(name) else None
    of_counts, of_text = (
        quiet_train(
            corpus,
            3,
            smoothing=name,
            heldout=heldout,
            prune=(0, 1),
            structure="bucketed",
        )
        for corpus in (ngram.count_ngrams(random_text(1), 4), random_text(1))
    )
    one, other = of_counts._contents()[0], of_text._contents()[0]
    assert one.keys() == other.keys()
    assert all(one[key].tobytes() == other[key].tobytes() for key in one)


# --- Held-out text ---


@settings(max_examples=40)
@given(
    corpus=CORPORA,
    heldout=CORPORA,
    order=st.integers(1, 4),
    threshold=st.integers(0, 1),
    name=st.sampled_from([name for name in METHODS if needs(name)]),
)
def test_held_out_text_is_counted_as_defined(
    corpus: list[list[str]],
    heldout: list[list[str]],
    order: int,
    threshold: int,
    name: str,
) -> None:
    caught: list[HeldoutCounts] = []

    class Catching(METHODS[name]):  # type: ignore[misc]
        def fit(self, counts: Any, *, words: int = 1, heldout: Any = None) -> Any:
            caught.append(heldout)
            return super().fit(counts, words=words, heldout=heldout)

    quiet_estimate(
        corpus, order, smoothing=Catching(), heldout=heldout, prune=(threshold,)
    )
    engine_levels(
        [" ".join(s) for s in corpus],
        order,
        Catching(),
        heldout=[" ".join(s) for s in heldout],
        prune=(threshold,),
    )
    one, other = caught
    for mine, theirs in zip(vars(one).values(), vars(other).values(), strict=True):
        assert np.array_equal(mine, theirs)


def test_the_gradient_of_the_search_is_that_of_its_bits() -> None:
    generator = np.random.default_rng(1)
    count = generator.integers(0, 5, (3, 50)).astype(float)
    kept = generator.integers(0, 4, (3, 3, 50)).astype(float)
    total = np.maximum(count + kept.sum(axis=1) * 2, 1) * (count[::-1] > 0)
    heldout = HeldoutCounts(np.where(total > 0, count, 0), total, total / 9, kept)
    search = _Search(heldout, 0.01)
    at = np.array([0.5, 0.9, 1.4] * 3)
    _, gradient = search.bits(at)
    for i, step in enumerate(np.eye(9) * 1e-6):
        slope = (search.bits(at + step)[0] - search.bits(at - step)[0]) / 2e-6
        assert gradient[i] == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("order", [1, 3])
def test_tuned_discounts_predict_held_out_text_no_worse(order: int) -> None:
    heldout = random_text(2, 300)
    plain = quiet_train(random_text(1), order)
    tuned = quiet_train(
        random_text(1), order, smoothing="modified-kneser-ney-tuned", heldout=heldout
    )
    assert tuned.perplexity(heldout).perplexity <= plain.perplexity(heldout).perplexity
    sources = tuned.info()["training"]["discount_sources"]
    assert sources == ["tuned"] * order


def test_expectation_maximisation_finds_the_best_weight() -> None:
    # One context seen 10 times; of 1000 predictions 600 have p 0.2, the others 0.
    heldout = heldout_of(*[(2, 10)] * 600, *[(0, 10)] * 400)
    weights = expectation_maximisation(heldout, share=0.01)
    # d/dx [600 log(0.2 x + 0.01 (1 - x)) + 400 log(0.01 (1 - x))] = 0:
    # 600 * 0.19 (1 - x) = 400 (0.01 + 0.19 x)
    best = (600 * 0.19 - 400 * 0.01) / (0.19 * 1000)
    assert weights[0, 3] == pytest.approx(best, abs=1e-3)


def test_buckets_with_little_text_share_a_weight() -> None:
    rows = [(1, 1)] * 3 + [(1, 4)] * 200 + [(9, 900)] * 5
    weights = expectation_maximisation(heldout_of(*rows), share=0.001)
    assert len(set(weights[0].tolist())) == 1


def test_weights_rise_with_what_was_seen_of_a_context() -> None:
    def chain(seed: int) -> list[str]:
        generator, word, words = random.Random(seed), 1, []
        for _ in range(20_000):
            # Every word has ten successors, frequent words come often.
            word = (word * 7 + int(generator.paretovariate(1)) % 10) % 3000
            word = word if generator.random() < 0.7 else int(generator.paretovariate(1))
            words.append(f"w{word}")
        return [" ".join(words)]

    model = quiet_train(chain(1), 2, smoothing="jelinek-mercer", heldout=chain(2))
    weights = model.info()["training"]["smoothing"]["numbers"][1]
    assert weights[0] < weights[7]


def test_held_out_text_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "heldout.txt").write_text("\n".join(random_text(2, 50)) + "\n")
    of_file = quiet_train(
        random_text(1),
        2,
        smoothing="jelinek-mercer",
        heldout=tmp_path / "heldout.txt",
    )
    of_list = quiet_train(
        random_text(1), 2, smoothing="jelinek-mercer", heldout=random_text(2, 50)
    )
    assert of_file.score("w1 w2") == of_list.score("w1 w2")


# --- Errors ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"smoothing": "good-turing"},
            "smoothing is 'good-turing': there is no such method. Pass one of"
            f" {', '.join([*METHODS, *ALIASES])}.",
        ),
        ({"smoothing": 3}, "smoothing is 3: pass a name of ngram.smoothing.METHODS"),
        (
            {"smoothing": "additive:sigma=1"},
            "'sigma=1' is no option of the smoothing method 'additive'; its options:"
            " delta.",
        ),
        (
            {"smoothing": "witten-bell:k=1"},
            "'k=1' is no option of the smoothing method 'witten-bell'; its options:"
            " none.",
        ),
        (
            {"smoothing": "additive:delta=much"},
            "delta of the smoothing method 'additive' is 'much': write a number",
        ),
        (
            {"smoothing": "additive:delta=0"},
            "delta of additive is 0: it must be a number above 0.",
        ),
        ({"smoothing": "additive:delta=nan"}, "delta of additive is nan"),
        ({"smoothing": "additive:delta=inf"}, "delta of additive is inf"),
        ({"smoothing": "dirichlet:mass=-1"}, "mass of dirichlet is -1"),
        (
            {"smoothing": "stupid-backoff:backoff=1.5"},
            "backoff of stupid-backoff is 1.5: it must be a number above 0 and at most"
            " 1.",
        ),
        ({"smoothing": "katz:k=6"}, "k of katz is 6: it must be 1 to 5."),
        (
            {"smoothing": "modified-kneser-ney:discounts=2/1"},
            "discounts=(2.0, 1.0) is no list of discounts.",
        ),
        (
            {"smoothing": "modified-kneser-ney:discounts=0.5;0.5;0.5"},
            "discounts has rows for 3 orders, and the model has order 2.",
        ),
        (
            {"smoothing": "jelinek-mercer"},
            "the smoothing method 'jelinek-mercer' learns from held-out text: pass"
            " `heldout`,",
        ),
        (
            {"heldout": ["a"]},
            "`heldout` has no effect with smoothing='modified-kneser-ney'.",
        ),
        (
            {"smoothing": "jelinek-mercer", "heldout": ["", ""]},
            "the held-out text has no words: 2 sentences in sentences, all empty.",
        ),
        (
            {"smoothing": "witten-bell", "discount_fallback": (0.5,)},
            "`discount_fallback` has no effect with smoothing='witten-bell'.",
        ),
        ({"smoothing": "katz", "strict": True}, "`strict` has no effect with"),
        (
            {"smoothing": KneserNey(), "strict": True},
            "`strict` is given beside a smoothing method: pass it to KneserNey",
        ),
        (
            {"smoothing": "laplace", "interpolate_unigrams": False},
            "interpolate_unigrams=False cannot be had with smoothing='additive'.",
        ),
    ],
    ids=str,
)
def test_unusable_choices_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        quiet_train(["a b", "b a"], 2, **options)


def test_the_definition_refuses_what_training_refuses() -> None:
    with pytest.raises(InputError, match="cannot be had with smoothing='additive'"):
        reference_estimate([["a"]], 2, smoothing="laplace", interpolate_unigrams=False)
    with pytest.raises(InputError, match="needs held-out text"):
        reference_estimate([["a"]], 2, smoothing="jelinek-mercer")
    with pytest.raises(InputError, match="needs held-out text"):
        quiet_estimate([["a"]], 2, smoothing=TunedModifiedKneserNey())
    with pytest.raises(InputError, match="the held-out text has no words"):
        reference_estimate([["a"]], 2, smoothing=JelinekMercer(), heldout=[[]])


@pytest.mark.parametrize("discounts", [3, "abc", ((0.5,), (1, 2, 3, 4)), (), (None,)])
def test_discounts_that_are_none_are_refused(discounts: Any) -> None:
    with pytest.raises(InputError, match="discounts"):
        ModifiedKneserNey(discounts=discounts)


def test_numbers_for_another_order_are_refused() -> None:
    tokens, vocabulary, _ = read_corpus(["a b"])
    counts = NgramCounts.count(tokens, len(vocabulary), 2)
    method = WittenBell().fit([(1, 0, 0, 0)])
    with pytest.raises(
        InputError, match="fitted to order 1, and the counts have order"
    ):
        smooth_counts(counts, method)


def test_a_method_of_ones_own_must_use_a_kernel_there_is() -> None:
    class Mine(StupidBackoff):
        name = "mine"
        kernel = "mine"

    with pytest.raises(InputError, match="there is no smoothing kernel mine"):
        ngram.train(["a b"], 2, smoothing=Mine())
