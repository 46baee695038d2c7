"""Scores of text: what `query` of KenLM prints, the definition, and perplexity."""

import dataclasses
import gzip
import json
import math
import pickle

import numpy as np
import pytest
from golden_cases import CASES
from hypothesis import given
from hypothesis import strategies as st
from reference_model import ReferenceModel, random_model

import ngram
from ngram._core.vocabulary import Vocabulary
from ngram.errors import InputError
from ngram.model import Model

QUERIED = [
    pytest.param(case, id=case.name)
    for case in CASES.values()
    if case.exit_code == 0 and case.query() is not None
]
# KenLM takes the word <UNK> of this text for <unk>, and its numbers for those of OOV.
READ_OTHERWISE = "odd-"
# `query` prints six significant digits.
PRINTED = 1e-5


def lines(path):
    """Return the sentences of a text as `query` reads them."""
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    return text.removesuffix("\n").split("\n") if text else []


@pytest.fixture(scope="module")
def golden_models():
    models = {}

    def model_of(case):
        if case.name not in models:
            path = case.root / "cases" / case.name / "model.arpa.gz"
            models[case.name] = ngram.read_arpa(path)
        return models[case.name]

    return model_of


@pytest.mark.filterwarnings("ignore::ngram.arpa.ArpaWarning")
@pytest.mark.parametrize("case", QUERIED)
def test_perplexity_is_the_summary_of_query(case, golden_models):
    if case.name.startswith(READ_OTHERWISE):
        pytest.skip("KenLM takes <UNK> for <unk>")
    summary = case.query().summary
    result = golden_models(case).perplexity(lines(case.test))
    assert result.oov == summary["OOVs"]
    assert result.predictions == summary["Tokens"]
    assert result.tokens == result.predictions - result.sentences
    assert result.perplexity == pytest.approx(
        summary["Perplexity including OOVs"], rel=PRINTED
    )
    excluding = summary["Perplexity excluding OOVs"]
    assert result.perplexity_excluding_oov == pytest.approx(
        excluding, rel=PRINTED, nan_ok=True
    )


@pytest.mark.filterwarnings("ignore::ngram.arpa.ArpaWarning")
@pytest.mark.parametrize("context", [True, False])
@pytest.mark.parametrize("case", QUERIED)
def test_scores_of_tokens_are_those_of_query(case, context, golden_models):
    model = golden_models(case)
    expected = case.query(context=context).sentences
    texts = lines(case.test)
    assert len(texts) == len(expected)
    for text, sentence in zip(texts, expected, strict=True):
        if sentence.oov and case.name.startswith(READ_OTHERWISE):
            continue
        scores = model.full_scores(text, bos=context, eos=context)
        assert len(scores) == len(sentence.words)
        for (log10_prob, length, is_oov), word in zip(
            scores, sentence.words, strict=True
        ):
            assert log10_prob == pytest.approx(word.log10_prob, rel=PRINTED, abs=1e-6)
            assert length == word.ngram_length
            assert is_oov == (word.id == 0)
        assert model.score(text, context, context) == pytest.approx(
            sentence.log10_prob, rel=PRINTED, abs=1e-6
        )


@given(
    st.integers(0, 10**6),
    st.integers(3, 30),
    st.integers(1, 6),
    st.booleans(),
    st.booleans(),
)
def test_scores_are_the_definition(seed, words, order, bos, eos):
    reference = random_model(seed, words=words, order=order, density=0.6)
    model = Model.from_ngrams(
        reference.sorted_ngrams(), Vocabulary.from_words(reference.words[3:])
    )
    rng = np.random.default_rng(seed)
    for _ in range(5):
        ids = rng.integers(0, words, rng.integers(0, 9)).tolist()
        text = " ".join(reference.words[i] for i in ids)
        expected = reference.score_sentence(ids, bos, eos)
        scores = model.full_scores(text, bos, eos)
        assert [(np.float32(p), length) for p, length, _ in scores] == expected
        assert model.score(text, bos, eos) == sum(p for p, _, _ in scores)


@pytest.fixture(scope="module")
def model():
    return ngram.train(
        ["the cat sat", "the dog sat", "고양이 가", ""],
        3,
        discount_fallback=(0.5, 1, 1.5),
    )


TEXTS = ["the cat", "고양이 가 왔다", "", "a\tb", "the dog sat \U0001f63a", "\udcff"]


def test_a_sentence_scores_as_the_sum_of_its_tokens(model):
    for text in TEXTS:
        for bos in (True, False):
            for eos in (True, False):
                tokens = [p for p, _, _ in model.full_scores(text, bos, eos)]
                assert model.score(text, bos, eos) == sum(tokens)


def test_states_score_as_sentences_do(model):
    for text in TEXTS:
        for bos in (True, False):
            state = model.state(bos)
            total = 0.0
            for token in [*model.tokenize(text), "</s>"]:
                log10_prob, state = model.advance(state, token)
                total += log10_prob
            assert total == pytest.approx(model.score(text, bos), rel=1e-6)


def test_states_can_be_keys_and_pickles(model):
    state = model.advance(model.state(), "the")[1]
    other = model.advance(model.state(), "the")[1]
    assert state == other
    assert {state: 1}[other] == 1
    assert pickle.loads(pickle.dumps(state)) == state
    assert model.state() != model.null_state() == model.state(bos=False)


# Perplexity.


def test_perplexity_counts_what_it_says(model):
    texts = ["the cat", "고양이 가 왔다", ""]
    result = model.perplexity(texts)
    # 2 + 3 + 0 tokens and three ends; 왔다 is unknown.
    assert (result.sentences, result.tokens, result.predictions, result.oov) == (
        3,
        5,
        8,
        1,
    )
    # Code points: 7 + 8 + 0; bytes: 7 + (9 + 1 + 3 + 1 + 6) + 0.
    assert (result.characters, result.bytes) == (15, 27)
    assert result.log10_prob == pytest.approx(sum(map(model.score, texts)))
    assert result.perplexity == pytest.approx(10 ** (-result.log10_prob / 8))
    bits = -result.log10_prob * math.log2(10)
    assert result.bits_per_character == pytest.approx(bits / 15)
    assert result.bits_per_byte == pytest.approx(bits / 27)
    known = [p for t in texts for p, _, is_oov in model.full_scores(t) if not is_oov]
    assert result.perplexity_excluding_oov == pytest.approx(10 ** (-sum(known) / 7))
    lengths = [length for t in texts for _, length, _ in model.full_scores(t)]
    assert result.ngram_lengths == tuple(lengths.count(k) for k in (1, 2, 3))


def test_perplexity_reads_files_of_any_compression(model, tmp_path):
    texts = ["the cat", "", "고양이 가 왔다", "the dog"]
    expected = model.perplexity(texts)
    plain, packed = tmp_path / "text", tmp_path / "text.gz"
    plain.write_text("\n".join(texts), "utf-8")
    packed.write_bytes(gzip.compress(("\n".join(texts) + "\n").encode()))
    assert model.perplexity(plain) == model.perplexity(packed) == expected


def test_perplexity_takes_any_iterable_and_cuts_it_into_batches(model, monkeypatch):
    texts = TEXTS * 7
    expected = model.perplexity(texts)
    monkeypatch.setattr("ngram.scoring.BATCH", 4)
    result = model.perplexity(text for text in texts)
    # Sums of float64 in another order.
    assert result.log10_prob == pytest.approx(expected.log10_prob, rel=1e-12)
    assert (
        dataclasses.replace(
            expected,
            log10_prob=result.log10_prob,
            perplexity=result.perplexity,
            perplexity_excluding_oov=result.perplexity_excluding_oov,
            bits_per_character=result.bits_per_character,
            bits_per_byte=result.bits_per_byte,
        )
        == result
    )


def test_line_ends_are_no_characters(model):
    assert model.perplexity(["the cat\n"]) == model.perplexity(["the cat"])


def test_perplexity_of_something_impossible_is_infinite(model):
    reference = random_model(1, words=5, order=2, density=1.0)
    reference.ngrams[0][(4,)] = (np.float32(-np.inf), np.float32(0))
    for key in list(reference.ngrams[1]):
        if key[1] == 4:
            del reference.ngrams[1][key]
    impossible = Model.from_ngrams(
        reference.sorted_ngrams(), Vocabulary.from_words(reference.words[3:])
    )
    result = impossible.perplexity(["w3 w4"])
    assert result.perplexity == math.inf
    assert result.log10_prob == -math.inf
    assert result.bits_per_character == math.inf


def test_perplexity_of_nothing_but_oov_and_no_characters(model):
    result = model.perplexity([""])
    assert math.isnan(result.bits_per_character)
    assert math.isnan(result.bits_per_byte)
    order_one = ngram.train(["a b"], 1, discount_fallback=(0.5,))
    result = order_one.perplexity(["x y"])
    assert (result.oov, result.predictions) == (2, 3)


def test_perplexity_of_no_sentences_is_an_error(model):
    with pytest.raises(InputError, match="at least one sentence"):
        model.perplexity([])


@pytest.mark.parametrize("texts", ["the cat", b"the cat"])
def test_perplexity_of_one_string_is_an_error(model, texts):
    with pytest.raises(InputError, match="texts is one string"):
        model.perplexity(texts)


def test_results_are_frozen_and_json(model):
    result = model.perplexity(["the cat"])
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.oov = 1
    assert json.loads(json.dumps(dataclasses.asdict(result)))["sentences"] == 1


def test_the_reference_reads_the_same_arpa(golden_models):
    case = CASES["tiny-o3-fallback"]
    path = case.root / "cases" / case.name / "model.arpa.gz"
    reference = ReferenceModel.from_arpa(path)
    assert list(golden_models(case).vocabulary) == reference.words


@pytest.mark.parametrize("texts", [None, 5])
def test_texts_are_an_iterable(model, texts):
    with pytest.raises(InputError, match=f"texts is {texts}: pass a list"):
        model.perplexity(texts)
    with pytest.raises(InputError, match=f"texts is {texts}: pass a list"):
        model.score_batch(texts)


def test_score_batch_takes_no_path(model, tmp_path):
    with pytest.raises(InputError, match="pass a list of strings"):
        model.score_batch(tmp_path)


@pytest.mark.parametrize("text", ["the cat", "고양이 e\u0301", "\udcff the", ""])
def test_perplexity_takes_bytes(model, text):
    data = text.encode("utf-8", "surrogateescape")
    assert model.perplexity([data]) == model.perplexity([text])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_no_kind_of_line_end_counts(model, end, tmp_path):
    expected = model.perplexity(["the cat"])
    assert (expected.characters, expected.bytes) == (7, 7)
    assert model.perplexity(["the cat" + end]) == expected
    assert model.perplexity([b"the cat" + end.encode()]) == expected
    (tmp_path / "text").write_bytes(b"the cat" + end.encode())
    assert model.perplexity(tmp_path / "text") == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\\data\\\nngram 1=3\n", "this is an ARPA model"),
        ("the cat\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_perplexity_refuses_files_that_are_no_text(model, tmp_path, data, message):
    (tmp_path / "text").write_bytes(data)
    with pytest.raises(InputError, match=message):
        model.perplexity(tmp_path / "text")


def test_perplexity_refuses_a_model_file(model, tmp_path):
    model.save(tmp_path / "model")
    with pytest.raises(InputError, match="this is a model file"):
        model.perplexity(tmp_path / "model")


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.int32, ">u4", "list"])
def test_ids_are_integers_of_any_type(model, dtype):
    ids, offsets = model.encode(TEXTS)
    expected = model.score_ids(ids, offsets)
    if dtype == "list":
        result = model.score_ids(ids.tolist(), offsets.tolist())
    else:
        result = model.score_ids(ids.astype(dtype), offsets.astype(np.uint64))
    np.testing.assert_array_equal(result[0], expected[0])
    np.testing.assert_array_equal(result[1], expected[1])


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([3.0], "ids is a list .*float64.*: pass a one-dimensional array of integers"),
        ([-1], "ids has -1: pass integers from 0 to 4294967295"),
        ([2**32], "ids has 4294967296"),
        ([10**30], "ids is a list .*object"),
        ([[3]], "ids is a list .2-dimensional"),
        ([[3], [3, 4]], "ids is a list"),
        (None, "ids is a NoneType"),
        ([1000], "an id is 1000"),
    ],
)
def test_ids_that_are_none_are_errors(model, ids, message):
    for score in (model.score_ids, model.score_id_sums):
        with pytest.raises(InputError, match=message):
            score(ids, [0, 1])


def test_offsets_are_integers(model):
    with pytest.raises(InputError, match="offsets is a list"):
        model.score_ids([3], [0.0, 1.0])
