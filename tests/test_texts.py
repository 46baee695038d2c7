"""Texts of every kind a caller may pass: lists, NumPy arrays, Arrow columns, blocks."""

from itertools import pairwise

import numpy as np
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ngram
from ngram._core.texts import as_texts

TEXTS = ["the cat", "a dog sat zzz", "", "한국어 x", "a rather long line of text " * 3]


@pytest.fixture(scope="module")
def model() -> ngram.Model:
    lines = ["the cat sat", "the dog sat", "a cat", "한국어 문장 입니다"] * 5
    return ngram.train(lines, 3, discount_fallback=(0.5, 1.0, 1.5))


def forms(texts: list[str]) -> dict[str, object]:
    """Return the same texts in every form that is taken."""
    half = len(texts) // 2
    encoded = [text.encode() for text in texts]
    return {
        "tuple": tuple(texts),
        "generator": (text for text in texts),
        "bytes": encoded,
        "array of str": np.array(texts, dtype=str),
        "array of bytes": np.array(encoded, dtype=bytes),
        "every second of an array": np.repeat(np.array(encoded, dtype=bytes), 2)[::2],
        "array of objects": np.array(texts, dtype=object),
        "string": pyarrow.array(texts, pyarrow.string()),
        "large_string": pyarrow.array(texts, pyarrow.large_string()),
        "string_view": pyarrow.array(texts, pyarrow.string_view()),
        "binary": pyarrow.array(encoded, pyarrow.binary()),
        "slice": pyarrow.array(["x", *texts, "y"])[1:-1],
        "chunks": pyarrow.chunked_array([texts[:half], texts[half:]], pyarrow.string()),
    }


@pytest.mark.parametrize("form", forms(TEXTS))
def test_every_form_gives_the_scores_of_a_list(model: ngram.Model, form: str) -> None:
    expected = model.score_sentences(TEXTS)
    found = model.score_sentences(forms(TEXTS)[form])
    for left, right in zip(found, expected, strict=True):
        np.testing.assert_array_equal(left, right)


@given(
    st.lists(
        st.text(st.characters(blacklist_characters="\0", codec="utf-8"), max_size=30)
    )
)
def test_arrow_holds_any_text(texts: list[str]) -> None:
    for kind in ("string", "large_string", "string_view", "chunks"):
        assert as_texts(forms(texts)[kind]) == texts  # type: ignore[arg-type]


def test_sentences_count_tokens_and_oov(model: ngram.Model) -> None:
    log10_prob, tokens, oov = model.score_sentences(TEXTS)
    np.testing.assert_array_equal(log10_prob, model.score_batch(TEXTS))
    assert tokens.tolist() == [2, 4, 0, 2, 18]
    assert oov.tolist() == [0, 1, 0, 1, 15]


@given(
    st.lists(st.sampled_from(["the", "cat sat", "", "x\ty", "한국어"])), st.booleans()
)
def test_lines_are_what_stands_between_line_ends(
    model: ngram.Model, lines: list[str], ended: bool
) -> None:
    data = "\n".join(lines).encode() + b"\n" * ended
    offsets, *scores = model.score_lines(data)
    pieces = [data[i:j] for i, j in pairwise(offsets)]
    assert b"".join(pieces) == data
    assert pieces == data.splitlines(keepends=True)
    expected = model.score_sentences([piece.removesuffix(b"\n") for piece in pieces])
    for left, right in zip(scores, expected, strict=True):
        np.testing.assert_array_equal(left, right)


def test_blocks_may_be_any_bytes_like_object(model: ngram.Model) -> None:
    data = b"the cat\na dog\n"
    for block in (bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
        np.testing.assert_array_equal(
            model.score_lines(block)[1], model.score_lines(data)[1]
        )


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (pyarrow.array(["a", None]), r"texts\[1\] is null"),
        (pyarrow.array([1, 2]), "format 'l'"),
        (pyarrow.table({"a": TEXTS}), "one column of strings"),
        (pyarrow.array(TEXTS).dictionary_encode(), "with a dictionary"),
        (np.zeros((2, 2), "S3"), r"shape \(2, 2\)"),
        (np.array([1, 2]), "str or bytes, not int"),
        ("one string", "one string"),
        (5, "texts is 5"),
    ],
)
def test_what_is_no_texts_is_refused(
    model: ngram.Model, texts: object, message: str
) -> None:
    with pytest.raises(ngram.InputError, match=message):
        model.score_batch(texts)  # type: ignore[arg-type]


def test_what_is_no_block_is_refused(model: ngram.Model) -> None:
    with pytest.raises(ngram.InputError, match="data is a str"):
        model.score_lines("the cat")  # type: ignore[arg-type]
