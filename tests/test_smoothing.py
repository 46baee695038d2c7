"""Smoothing: the discounts, the reference model, and its parity with lmplz."""

import ctypes
import dataclasses
import doctest
import math
import re
import warnings
from typing import Any

import numpy as np
import pytest
from golden_cases import CASES, GoldenCase, parameters, sentences, succeeded
from hypothesis import given
from hypothesis import strategies as st

from ngram.errors import DiscountError, DiscountWarning, InputError
from ngram.smoothing import (
    ContextSums,
    Discounts,
    Entry,
    ModifiedKneserNey,
    ReferenceModel,
    discounts_from_counts,
    modified_kneser_ney,
    reference,
    reference_estimate,
)

# One float32 rounding changes a value by at most this part of it.
ROUNDING = 2.0**-24
FALLBACK = (0.5, 1.0, 1.5)


def estimate(*args: Any, **options: Any) -> ReferenceModel:
    """Return the reference model; small corpora may have undefined discounts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiscountWarning)
        return reference_estimate(*args, **options)


def triple(discounts: Discounts) -> tuple[float, float, float]:
    return float(discounts.d1), float(discounts.d2), float(discounts.d3)


# --- Discounts ---


def test_closed_form_is_that_of_modified_kneser_ney() -> None:
    # Y = 5 / (5 + 2 * 3) = 5/11; D1 = 1 - 2 Y 3/5, D2 = 2 - 3 Y 2/3, D3 = 3 - 4 Y 1/2
    discounts = discounts_from_counts((5, 3, 2, 1), order=1)
    assert discounts.source == "modified"
    expected = (1 - 6 / 11, 2 - 10 / 11, 3 - 10 / 11)
    # Four float32 roundings of numbers below 4.
    assert triple(discounts) == pytest.approx(expected, abs=4 * 4 * ROUNDING)


def test_no_ngram_with_count_4_leaves_the_third_discount_at_3() -> None:
    discounts = discounts_from_counts((5, 3, 2, 0), order=1)
    assert (discounts.source, float(discounts.d3)) == ("modified", 3.0)


def test_discount_of_a_count_is_that_of_3_from_3_on() -> None:
    discounts = discounts_from_counts((0, 0, 0, 0), order=1)
    assert [float(discounts.of(count)) for count in range(6)] == [
        0,
        0.5,
        1,
        1.5,
        1.5,
        1.5,
    ]


@pytest.mark.parametrize(
    ("counts", "source", "expected"),
    [
        ((4, 2, 0, 7), "one", (0.5, 0.5, 0.5)),  # 4 / (4 + 2 * 2)
        # Y = 6 / 8 and D2 = 2 - 3 * 0.75 * 9 / 1 = -18.25 lies below 0
        ((6, 1, 9, 1), "one", (0.75, 0.75, 0.75)),
        ((0, 2, 3, 4), "fixed", FALLBACK),
        ((4, 0, 3, 4), "fixed", FALLBACK),
        ((0, 0, 0, 0), "fixed", FALLBACK),
    ],
)
def test_undefined_discounts_fall_back_to_one_then_to_constants(
    counts: tuple[int, ...], source: str, expected: tuple[float, ...]
) -> None:
    discounts = discounts_from_counts(counts, order=2)
    assert (discounts.source, triple(discounts)) == (source, expected)


@pytest.mark.parametrize(
    ("fallback", "expected"),
    [
        ((0.25,), (0.25, 0.25, 0.25)),
        ((0.25, 1.5), (0.25, 1.5, 1.5)),
        ((0.25, 1.5, 2.5), (0.25, 1.5, 2.5)),
        ((0, 0, 0), (0, 0, 0)),
        ((1, 2, 3), (1, 2, 3)),
    ],
)
def test_given_discounts_replace_undefined_ones_and_the_last_repeats(
    fallback: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    discounts = discounts_from_counts((4, 2, 0, 0), order=1, fallback=fallback)
    assert (discounts.source, triple(discounts)) == ("given", expected)


def test_given_discounts_leave_defined_ones_alone() -> None:
    plain = discounts_from_counts((5, 3, 2, 1), order=1)
    assert discounts_from_counts((5, 3, 2, 1), order=1, fallback=(0.1,)) == plain
    assert discounts_from_counts((5, 3, 2, 1), order=1, strict=True) == plain


@given(
    counts=st.lists(st.integers(0, 40), min_size=4, max_size=4),
    fallback=st.sampled_from([None, (0.3,), FALLBACK]),
)
def test_discounts_lie_between_0_and_the_count(
    counts: list[int], fallback: tuple[float, ...] | None
) -> None:
    discounts = discounts_from_counts(counts, order=1, fallback=fallback)
    assert all(0 <= d <= j for j, d in enumerate(triple(discounts), start=1))
    assert (discounts.source == "given") <= (fallback is not None)
    if discounts.source == "one":
        assert 0 < discounts.d1 < 1
    values = (discounts.d1, discounts.d2, discounts.d3)
    assert all(isinstance(d, np.float32) for d in values)


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ((0, 1, 1, 1), "no 3-gram has adjusted count 1"),
        ((9, 0, 1, 1), "no 3-gram has adjusted count 2"),
        ((9, 4, 0, 1), "no 3-gram has adjusted count 3"),
        ((6, 1, 9, 1), "D2 = -18.25 lies outside [0, 2]"),
        # Y = 9 / 17 and D3 = 3 - 4 * 9/17 * 7 / 1 = -201 / 17
        ((9, 4, 1, 7), "D3 = -11.8235 lies outside [0, 3]"),
    ],
)
def test_strict_discounts_raise_and_say_why(
    counts: tuple[int, ...], reason: str
) -> None:
    with pytest.raises(DiscountError) as error:
        discounts_from_counts(counts, order=3, strict=True)
    assert str(error.value) == (
        f"cannot compute modified Kneser-Ney discounts for 3-grams: {reason}. Small or"
        " repeated corpora cause this. Remove duplicate lines, or pass"
        " discount_fallback=(0.5, 1.0, 1.5)."
    )


def test_a_given_fallback_counts_before_strict() -> None:
    discounts = discounts_from_counts((0,) * 4, order=1, fallback=(0.1,), strict=True)
    assert discounts.source == "given"


@pytest.mark.parametrize(
    "fallback", [(), (0.1, 0.2, 0.3, 0.4), (-0.1,), (1.1,), (0.5, 2.5), (math.nan,)]
)
def test_impossible_fallbacks_are_refused(fallback: tuple[float, ...]) -> None:
    message = f"discount_fallback={fallback} is no list of discounts. Pass one to three"
    with pytest.raises(InputError, match=re.escape(message)):
        discounts_from_counts((5, 3, 2, 1), order=1, fallback=fallback)


def test_fit_warns_once_and_names_the_orders_with_their_counts() -> None:
    counts = np.array([[5, 3, 2, 1], [4, 2, 0, 7], [3, 0, 0, 0]])
    with pytest.warns(DiscountWarning) as caught:
        method = ModifiedKneserNey().fit(counts)
    assert [d.source for d in method.discounts_] == ["modified", "one", "fixed"]
    assert [str(warning.message) for warning in caught] == [
        "the closed form of modified Kneser-Ney discounts is undefined: 2-grams (n_1 to"
        " n_4 are 4, 2, 0, 7) now use 0.5, 0.5, 0.5; 3-grams (n_1 to n_4 are 3, 0, 0,"
        " 0) now use 0.5, 1, 1.5. Small or repeated corpora cause this. Remove"
        " duplicate lines, or pass discount_fallback=(0.5, 1.0, 1.5)."
    ]


def test_fit_does_not_warn_about_discounts_the_caller_chose() -> None:
    method = ModifiedKneserNey(discount_fallback=(0.5,)).fit(
        [(5, 3, 2, 1), (4, 2, 0, 7)]
    )
    assert [d.source for d in method.discounts_] == ["modified", "given"]


# --- Modified Kneser-Ney; tests/test_smoothing_methods.py holds the contract ---


def test_gamma_is_float32_in_the_order_of_its_formula() -> None:
    method = ModifiedKneserNey().fit([(70_001, 20_003, 9_007, 5_003)])
    context = ContextSums(
        total=4_000_037, kept=(900_001, 70_003, 20, 0, 1, 10), pruned=100_003
    )
    d, f = method.discounts_[0], np.float32
    mass = ((d.d1 * f(900_001) + d.d2 * f(70_003)) + d.d3 * f(31)) + f(100_003)
    other = d.d1 * f(900_001) + (d.d2 * f(70_003) + (d.d3 * f(31) + f(100_003)))
    assert mass != other
    assert method.gamma(1, context) == mass / f(4_000_037)


def test_docstring_examples_run() -> None:
    for module in (modified_kneser_ney, reference):
        result = doctest.testmod(module)
        assert result.attempted
        assert not result.failed


# --- The reference model, by hand ---


def test_one_word_gives_the_numbers_of_the_arithmetic() -> None:
    model = estimate([["word"]], 2, discount_fallback=FALLBACK)
    # a(word) = a(</s>) = 1, D1 = 0.5, gamma() = (2 * 0.5) / 2, three tokens share it
    unigram = (1 - 0.5) / 2 + 0.5 / 3
    # a(<s> word) = 1, gamma(<s>) = 0.5
    bigram = (1 - 0.5) / 1 + 0.5 * unigram

    # Five roundings of numbers below 1.
    def near(value: float) -> Any:
        return pytest.approx(value, abs=5 * ROUNDING)

    assert model.vocabulary == ("<unk>", "<s>", "</s>", "word")
    assert [e.probability for e in model.ngrams[0]] == [
        near(0.5 / 3),
        1,
        near(unigram),
        near(unigram),
    ]
    assert [e.backoff for e in model.ngrams[0]] == [1, 0.5, 1, 0.5]
    assert [e.ngram for e in model.ngrams[1]] == [("word", "</s>"), ("<s>", "word")]
    assert model.probability(["<s>"], "word") == near(bigram)
    assert model.probability(["<s>"], "</s>") == near(0.5 * unigram)
    assert model.probability(["<s>"], "?") == near(0.5 * 0.5 / 3)


def test_counts_are_raw_at_the_highest_order_and_after_bos_else_left_neighbours() -> (
    None
):
    # Left neighbours: a has <s>; b has a, c; c has a; </s> has b.
    # The last window in suffix order is "a c", so c enters with its raw count, 1.
    model = estimate([["a", "b"], ["a", "b"], ["a", "c", "b"]], 2)
    assert model.counts_of_counts == (
        (3, 1, 0, 0),  # a, </s>, c; b
        (2, 1, 2, 0),  # "a c", "c b"; "a b"; "<s> a", "b </s>"
    )


def test_the_last_ngram_enters_the_counts_of_counts_with_its_raw_count() -> None:
    # b follows only a, so its adjusted count is 1; it occurs twice and has the last id.
    model = estimate([["a", "b"], ["a", "b"]], 2)
    assert model.counts_of_counts[0] == (2, 1, 0, 0)


def test_ngrams_stand_in_suffix_order_of_first_occurrence() -> None:
    model = estimate([["z", "a"], ["a", "z"]], 2)
    assert model.vocabulary == ("<unk>", "<s>", "</s>", "z", "a")
    assert [e.ngram for e in model.ngrams[1]] == [
        ("z", "</s>"),
        ("a", "</s>"),
        ("<s>", "z"),
        ("a", "z"),
        ("<s>", "a"),
        ("z", "a"),
    ]


def test_orders_longer_than_every_sentence_are_empty() -> None:
    model = estimate([["a"], []], 6)
    assert model.counts_after_pruning == (4, 3, 1, 0, 0, 0)
    assert model.ngrams[5] == []


def test_eos_keeps_its_probability_when_its_count_is_pruned() -> None:
    # c(</s>) = 1, as every count: lmplz would print log-probability 0.
    model = estimate([["a", "b", "c"]], 2, prune=(1,), discount_fallback=FALLBACK)
    assert model.vocabulary == ("<unk>", "<s>", "</s>")
    # a(</s>) = 1 of 4; gamma() = (0.5 + 3) / 4 is shared by <unk> and </s>.
    assert model.probability([], "</s>") == 0.5 / 4 + 3.5 / 4 / 2
    assert model.probability([], "<unk>") == 3.5 / 4 / 2


def test_limited_vocabulary_keeps_special_tokens_and_forgets_unknown_words() -> None:
    model = estimate([["a", "b"], ["b", "a"]], 3, limit_vocab=["a", "other"])
    assert model.vocabulary == ("<unk>", "<s>", "</s>", "a")
    assert [e.ngram for e in model.ngrams[1]] == [("a", "</s>"), ("<s>", "a")]
    assert model.ngrams[2] == []
    assert model.counts_before_pruning == (5, 6, 4)


def test_without_interpolation_unk_receives_the_mass_of_the_discounts() -> None:
    options: dict[str, Any] = {"discount_fallback": FALLBACK}
    model = estimate([["a"]], 1, interpolate_unigrams=False, **options)
    assert [float(e.probability) for e in model.ngrams[0]] == [0.5, 1, 0.25, 0.25]


def test_log10_of_an_entry_is_what_an_arpa_file_stores() -> None:
    entry = Entry(("a",), np.float32(0.5), np.float32(0.25))
    assert entry.log10_prob == np.float32(math.log10(0.5))
    assert entry.log10_backoff == np.float32(math.log10(0.25))
    above_one = np.nextafter(np.float32(1), np.float32(2))
    assert Entry(("a",), above_one, np.float32(0)).log10_prob == 0
    assert Entry(("a",), above_one, np.float32(0)).log10_backoff == -math.inf


def test_a_sentence_scores_as_the_sum_of_its_tokens() -> None:
    model = estimate([["a", "b"], ["b", "a", "a"]], 3)
    tokens = ["a", "?", "b"]
    steps = [("<s>",), ("<s>", "a"), ("<s>", "a", "?"), ("<s>", "a", "?", "b")]
    words = [*tokens, "</s>"]
    expected = sum(
        math.log10(model.probability(context, word))
        for context, word in zip(steps, words, strict=True)
    )
    assert model.score(tokens) == expected
    assert model.score([], bos=False, eos=False) == 0
    assert model.score(["a"], bos=False, eos=False) == math.log10(
        model.probability([], "a")
    )


def test_a_token_of_probability_0_scores_minus_infinity() -> None:
    model = estimate([["a"]], 1, discount_fallback=(0,))
    assert model.score(["?"]) == -math.inf


def test_bytes_and_str_give_the_same_model() -> None:
    text = [["한국어", "a"], [], ["a", "🙂"]]
    encoded = [[token.encode() for token in tokens] for tokens in text]
    as_str, as_bytes = estimate(text, 3), estimate(encoded, 3)
    for one, other in zip(as_str.ngrams, as_bytes.ngrams, strict=True):
        assert [(tuple(map(encode, e.ngram)), *e[1:]) for e in one] == other


def encode(token: str | bytes) -> bytes:
    return token.encode() if isinstance(token, str) else token


# --- Properties ---

TOKENS = ["a", "b", "c", "고양이", "e\N{COMBINING ACUTE ACCENT}", "é", "🙂"]
CORPORA = st.lists(
    st.lists(st.sampled_from(TOKENS), max_size=7), min_size=1, max_size=12
)


@st.composite
def option_sets(draw: st.DrawFn) -> dict[str, Any]:
    order = draw(st.integers(1, 5))
    interpolate_unigrams = draw(st.booleans())
    fallbacks = [None, FALLBACK, (0.4,), (0.0,), (1.0, 2.0, 3.0)]
    return {
        "order": order,
        "prune": sorted(draw(st.lists(st.integers(0, 3), max_size=order))),
        "limit_vocab": draw(st.none() | st.sets(st.sampled_from(TOKENS))),
        "interpolate_unigrams": interpolate_unigrams,
        "discount_fallback": draw(st.sampled_from(fallbacks)),
        "vocab_pad": draw(st.sampled_from([0, 3, 50])) if interpolate_unigrams else 0,
    }


def contexts(corpus: list[list[str]], order: int) -> set[tuple[str, ...]]:
    """Return every context of the corpus shorter than the order, and unseen ones."""
    found: set[tuple[str, ...]] = {(), ("?",), ("a", "?"), ("</s>",)}
    for tokens in corpus:
        sentence = ("<s>", *tokens, "</s>")
        for end in range(1, len(sentence) + 1):
            for length in range(1, min(order, end + 1)):
                found.add(sentence[end - length : end])
    return found


@given(corpus=CORPORA, options=option_sets())
def test_probabilities_sum_to_one_for_every_context(
    corpus: list[list[str]], options: dict[str, Any]
) -> None:
    model = estimate(corpus, **options)
    words = [word for word in model.vocabulary if word != "<s>"]
    # Padding counts tokens that have no entry: each is as probable as <unk>.
    padding = max(0, options["vocab_pad"] - len(words))
    for context in contexts(corpus, options["order"]):
        probabilities = [model.probability(context, word) for word in words]
        total = math.fsum(probabilities) + padding * model.probability(context, "?")
        # About ten float32 roundings for each order, of parts that sum to one.
        assert total == pytest.approx(1, abs=10 * options["order"] * ROUNDING)


@given(corpus=CORPORA, options=option_sets())
def test_kept_ngrams_are_closed_under_prefix_and_suffix(
    corpus: list[list[str]], options: dict[str, Any]
) -> None:
    model = estimate(corpus, **options)
    kept = {entry.ngram for entries in model.ngrams for entry in entries}
    longer = [ngram for ngram in kept if len(ngram) > 1]
    assert all(ngram[:-1] in kept and ngram[1:] in kept for ngram in longer)
    assert {("<unk>",), ("<s>",), ("</s>",)} <= kept
    assert model.counts_after_pruning == tuple(map(len, model.ngrams))


@given(corpus=CORPORA, options=option_sets())
def test_estimated_values_are_float32_in_range(
    corpus: list[list[str]], options: dict[str, Any]
) -> None:
    model = estimate(corpus, **options)
    limit = 1 + 10 * options["order"] * ROUNDING  # ten roundings for each order
    for entries in model.ngrams:
        for _, probability, backoff in entries:
            assert isinstance(probability, np.float32)
            assert isinstance(backoff, np.float32)
            assert 0 <= probability <= limit
            assert 0 <= backoff <= limit


@given(corpus=CORPORA, options=option_sets())
def test_pruning_changes_neither_counts_of_counts_nor_discounts(
    corpus: list[list[str]], options: dict[str, Any]
) -> None:
    pruned = estimate(corpus, **options)
    whole = estimate(corpus, **{**options, "prune": (), "limit_vocab": None})
    assert pruned.counts_of_counts == whole.counts_of_counts
    assert pruned.discounts == whole.discounts
    assert pruned.counts_before_pruning == whole.counts_after_pruning


# --- Parity with lmplz ---


@pytest.fixture(scope="session")
def lmplz_model(golden_case: GoldenCase) -> ReferenceModel:
    """The reference model of a case, with what lmplz does otherwise."""
    return like_lmplz(golden_case)


@pytest.fixture(scope="session")
def lmplz_ngrams(
    golden_case: GoldenCase, lmplz_model: ReferenceModel
) -> list[list[Entry]]:
    """Its n-grams in the order of lmplz, which can number the words by their hash."""
    if "renumber" not in golden_case.flags:
        return list(lmplz_model.ngrams)
    words = [word for (word,) in golden_case.arpa.sections[0].ngrams]
    ids = {word: i for i, word in enumerate(words)}

    def suffix_order(entry: Entry) -> list[int]:
        return [ids[encode(token)] for token in reversed(entry.ngram)]

    return [sorted(entries, key=suffix_order) for entries in lmplz_model.ngrams]


def like_lmplz(case: GoldenCase) -> ReferenceModel:
    run = reference_estimate if ends_in_lf(case) else without_last_eos
    return run(sentences(case.train), **case.options)


def ends_in_lf(case: GoldenCase) -> bool:
    return case.train.read_bytes().endswith(b"\n")


def without_last_eos(text: list[list[bytes]], **options: Any) -> ReferenceModel:
    """Return what lmplz makes of a text without LF at the end.

    The last sentence has no `</s>`, so the n-grams at its end are no contexts. Yet each
    takes a back-off from the stream of those of all contexts, and leaves too few.
    """
    encode_text = reference._encode

    def encode_without_last_eos(*args: Any) -> tuple[Any, Any]:
        vocabulary, encoded = encode_text(*args)
        return vocabulary, [*encoded[:-1], encoded[-1][:-1]]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "_encode", encode_without_last_eos)
        model = reference_estimate(text, **options)

    shifted = []
    for entries, longer in zip(model.ngrams, [*model.ngrams[1:], []], strict=True):
        continued = {entry.ngram[:-1] for entry in longer}
        stream = iter([e.backoff for e in entries if e.ngram in continued])
        shifted.append(
            [
                e
                if e.ngram[-1] in (b"<unk>", b"</s>")
                else e._replace(backoff=next(stream, np.float32(1)))
                for e in entries
            ]
        )
    return dataclasses.replace(model, ngrams=tuple(shifted))


def linear_values(
    case: GoldenCase, ngrams: list[list[Entry]]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return probabilities and back-offs of every order, collapsed if lmplz did it."""
    if "collapse_values" in case.flags:
        return collapsed(ngrams)
    return [
        (
            # An ARPA file holds no probability above 1.
            np.array([min(e.probability, 1) for e in entries], dtype=np.float32),
            np.array([e.backoff for e in entries], dtype=np.float32),
        )
        for entries in ngrams
    ]


def collapsed(ngrams: list[list[Entry]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return q(w | h) = p(w | h) b(hw) / b(h), taken along the suffixes in float32."""
    backoffs = {entry.ngram: entry.backoff for es in ngrams for entry in es}
    ratios: dict[Any, np.float32] = {}
    values = []
    for entries in ngrams:
        for ngram, _, backoff in entries:
            if ngram[1:]:
                backoff = ratios[ngram[1:]] / backoffs[ngram[:-1]] * backoff
            ratios[ngram] = backoff
        q = [entry.probability * ratios[entry.ngram] for entry in entries]
        values.append((np.array(q), np.ones_like(q)))
    return values


def ordinals(values: np.ndarray) -> np.ndarray:
    """Return integers in which neighbouring float32 numbers differ by one."""
    bits = np.asarray(values, dtype=np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def test_ngrams_are_those_of_lmplz_in_its_order(
    golden_case: GoldenCase, lmplz_ngrams: list[list[Entry]]
) -> None:
    arpa = golden_case.arpa
    for entries, section in zip(lmplz_ngrams, arpa.sections, strict=True):
        assert [tuple(map(encode, e.ngram)) for e in entries] == section.ngrams
    assert arpa.header == dict(enumerate(map(len, lmplz_ngrams), start=1))


def test_statistics_are_those_of_lmplz(
    golden_case: GoldenCase, lmplz_model: ReferenceModel
) -> None:
    rows = zip(
        golden_case.statistics,
        lmplz_model.counts_after_pruning,
        lmplz_model.counts_before_pruning,
        lmplz_model.discounts,
        strict=True,
    )
    for printed, after, before, discounts in rows:
        assert (after, before) == (printed.after_pruning, printed.before_pruning)
        assert tuple(f"{d:.6g}" for d in triple(discounts)) == printed.discounts


def test_values_are_those_of_lmplz_to_two_ulp(
    golden_case: GoldenCase, lmplz_ngrams: list[list[Entry]]
) -> None:
    # Here the logarithm is rounded correctly; log10f of glibc 2.36, which lmplz used,
    # errs by up to 2 ulp.
    sections = golden_case.arpa.sections
    values = linear_values(golden_case, lmplz_ngrams)
    for (probabilities, backoffs), section in zip(values, sections, strict=True):
        for linear, printed in (
            (probabilities, section.log10_prob),
            (backoffs, section.log10_backoff),
        ):
            rounded = np.log10(linear.astype(np.float64)).astype(np.float32)
            ulps = np.abs(ordinals(rounded) - ordinals(printed))
            assert ulps.max(initial=0) <= 2


def log10f() -> Any:
    """Return the log10f of this system's C library, if it is the one lmplz used."""
    try:
        function = ctypes.CDLL("libm.so.6").log10f
    except (OSError, AttributeError):
        pytest.skip("no glibc here")
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
    # In glibc 2.36 this is 2 ulp beside the rounded value; other versions differ.
    if np.float32(function(0.75)) != np.float32(-0.12493875):
        pytest.skip("log10f of this C library rounds otherwise")
    return np.vectorize(function, otypes=[np.float32])


def test_values_are_those_of_lmplz_to_the_last_bit(
    golden_case: GoldenCase, lmplz_ngrams: list[list[Entry]]
) -> None:
    log10 = log10f()
    sections = golden_case.arpa.sections
    values = linear_values(golden_case, lmplz_ngrams)
    for (probabilities, backoffs), section in zip(values, sections, strict=True):
        if section.ngrams:
            assert np.array_equal(log10(probabilities), section.log10_prob)
            assert np.array_equal(log10(backoffs), section.log10_backoff)


@pytest.mark.parametrize("context", [True, False], ids=["context", "nocontext"])
def test_sentences_score_as_with_query(
    golden_case: GoldenCase, lmplz_model: ReferenceModel, context: bool
) -> None:
    # query was compiled for the orders 2 to 6, and refuses logarithms above 0.
    order = golden_case.options["order"]
    is_refused = order not in range(2, 7) or "collapse_values" in golden_case.flags
    query = golden_case.query(context=context)
    assert (query is None) == is_refused
    if query is None:
        return
    model = as_query_reads(lmplz_model)
    for tokens, scored in zip(
        sentences(golden_case.test), query.sentences, strict=True
    ):
        typed = [native(model, token) for token in tokens]
        # query adds float32 logarithms of up to 16, whose ulp is 1e-6: up to five for a
        # token.
        tolerance = 5e-6 * (len(tokens) + 1)
        score = model.score(typed, bos=context, eos=context)
        assert score == pytest.approx(scored.log10_prob, abs=tolerance)
        before = [*model.vocabulary[1:2]] if context else []
        for word in scored.words:
            token = native(model, word.word)
            log10_prob = math.log10(model.probability(before, token))
            assert log10_prob == pytest.approx(word.log10_prob, abs=5e-6)
            assert (word.id == 0) == (token not in model.vocabulary[1:])
            before.append(token)


def as_query_reads(model: ReferenceModel) -> ReferenceModel:
    """Return the model as query reads its ARPA file: `<UNK>` is `<unk>` there too."""
    if b"<UNK>" not in model.vocabulary:
        return model

    def renamed(entry: Entry) -> Entry:
        ngram = [b"<unk>" if token == b"<UNK>" else token for token in entry.ngram]
        return entry._replace(ngram=tuple(ngram))

    unk, *unigrams = map(renamed, model.ngrams[0])
    # The later line wins.
    (unk,) = [entry for entry in unigrams if entry.ngram == unk.ngram]
    unigrams.remove(unk)
    longer = [[renamed(entry) for entry in entries] for entries in model.ngrams[1:]]
    return dataclasses.replace(model, ngrams=([unk, *unigrams], *longer))


def native(model: ReferenceModel, word: bytes) -> str | bytes:
    """Return a word as the model's kind of token; no tokens at all give str."""
    return word if isinstance(model.vocabulary[0], bytes) else word.decode()


@pytest.mark.parametrize(
    "case", parameters(lambda case: succeeded(case) and not ends_in_lf(case))
)
def test_a_last_line_without_lf_is_a_sentence_and_changes_only_what_eos_adds(
    case: GoldenCase,
) -> None:
    ours = reference_estimate(sentences(case.train), **case.options)
    theirs = like_lmplz(case)
    last = tuple(sentences(case.train)[-1])
    assert theirs.vocabulary == ours.vocabulary
    for k, (one, other) in enumerate(zip(ours.ngrams, theirs.ngrams, strict=True), 1):
        added = {e.ngram for e in one} - {e.ngram for e in other}
        expected = {(*last[1 - k :], b"</s>")} if k > 1 else set()
        assert added == expected
        assert {e.ngram for e in other} <= {e.ngram for e in one}


@pytest.mark.parametrize("name", ["empty-o1", "empty-o3"])
def test_an_empty_text_is_refused(name: str) -> None:
    case = CASES[name]
    # lmplz writes a model in which <unk> and <s> are certain and </s> is missing.
    unigrams = case.arpa.sections[0]
    assert unigrams.ngrams == [(b"<unk>",), (b"<s>",)]
    assert unigrams.log10_prob.tolist() == [0, 0]
    message = "the corpus of 0 sentences is no list of lists of tokens"
    with pytest.raises(InputError, match=message):
        reference_estimate(sentences(case.train), **case.options)


@pytest.mark.parametrize(
    "case", parameters(lambda case: "verbose_header" in case.flags)
)
def test_the_verbose_header_counts_tokens_without_sentence_ends(
    case: GoldenCase,
) -> None:
    tokens = sum(map(len, sentences(case.train)))
    assert b"# Token count: %d" % tokens in case.arpa.comments


@pytest.mark.parametrize("case", parameters(lambda case: case.exit_code != 0))
def test_what_lmplz_refuses_is_refused(case: GoldenCase) -> None:
    errors = {
        r"any (\d)-grams with adjusted count (\d)": (
            DiscountError,
            "no {0}-gram has adjusted count {1}",
        ),
        r"Special word (\S+) is not allowed": (InputError, "reserved token b'{0}'"),
        r"thresholds should be in non-decreasing order": (InputError, "none below"),
    }
    (found,) = [
        (error, message.format(*match.groups()))
        for pattern, (error, message) in errors.items()
        if (match := re.search(pattern, case.error))
    ]
    with pytest.raises(found[0], match=re.escape(found[1])):
        reference_estimate(sentences(case.train), **case.options, strict=True)


# --- Errors ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 0}, "order=0 is no length of an n-gram. Pass 1 or more."),
        ({"prune": (2, 1)}, "prune=(2, 1) is no list of thresholds for order 2."),
        ({"prune": (-1,)}, "prune=(-1,) is no list of thresholds for order 2."),
        ({"prune": (0, 0, 1)}, "prune=(0, 0, 1) is no list of thresholds for order 2."),
        (
            {"vocab_pad": 9, "interpolate_unigrams": False},
            "vocab_pad=9 has no effect with interpolate_unigrams=False.",
        ),
        (
            {"sentences": [["a"], ["b", "</s>"]]},
            "sentence 2 contains the reserved token '</s>'. Remove it, or pass"
            " skip_symbols=True to treat it as white space.",
        ),
        ({"sentences": []}, "the corpus of 0 sentences is no list of lists of tokens."),
        ({"sentences": ["a b"]}, "split into tokens, all str or all bytes."),
        ({"sentences": [["a"], [b"b"]]}, "split into tokens, all str or all bytes."),
    ],
)
def test_unusable_arguments_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        reference_estimate(**{"sentences": [["a"]], "order": 2, **options})


def test_special_tokens_can_be_skipped() -> None:
    text = [["<s>", "a", "</s>"], ["<unk>"], ["<UNK>"]]
    skipped = estimate(text, 2, skip_symbols=True)
    assert skipped == estimate([["a"], [], ["<UNK>"]], 2)


def test_strict_estimation_raises_where_discounts_are_undefined() -> None:
    with pytest.raises(DiscountError, match="for 1-grams: no 1-gram has adjusted"):
        reference_estimate([["a"]], 2, strict=True)


def test_estimation_warns_about_replaced_discounts_once() -> None:
    with pytest.warns(DiscountWarning, match=r"1-grams .*; 2-grams ") as caught:
        reference_estimate([["a"]], 2)
    assert len(caught) == 1
