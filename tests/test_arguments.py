"""Claims about the checks of arguments that all of the API shares."""

import re
from typing import Any

import numpy as np
import pytest

import ngram
from ngram.arguments import checked_integer, checked_integers, checked_numbers
from ngram.errors import InputError
from ngram.threads import thread_count


@pytest.mark.parametrize("value", [2, np.int8(2), np.uint64(2)])
def test_integers_of_any_type_become_int(value: Any) -> None:
    assert type(checked_integer("k", value, least=2, most=2)) is int
    assert checked_integers("k", np.array([value]), least=2) == (2,)


@pytest.mark.parametrize("value", [True, np.True_, 2.0, "2", None, 1, 4, 10**30])
def test_whatever_else_is_an_error_that_begins_with_the_name(value: Any) -> None:
    with pytest.raises(InputError) as caught:
        checked_integer("k", value, least=2, most=3, advice="Leave it out.")
    start = re.escape(f"k is {value!r}: pass an integer from 2 to 3. Leave it out.")
    assert re.fullmatch(start, str(caught.value))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (1, "k is 1: pass a sequence of numbers."),
        ("ab", "k is 'ab': pass a sequence of numbers."),
        ([1, None], "k is [1, None]: pass a sequence of numbers."),
        ([1, 0.5], "k holds 0.5: pass integers from 1 up."),
        ([True], "k holds True: pass integers from 1 up."),
        ([1, 0], "k holds 0: pass integers from 1 up."),
    ],
)
def test_a_sequence_names_the_number_that_is_wrong(values: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        checked_integers("k", values, least=1)


def test_numbers_beyond_floats_are_numbers() -> None:
    assert checked_numbers("k", (10**400, 0.5)) == (10**400, 0.5)


def test_one_rule_holds_for_every_integer_of_the_api() -> None:
    text = ["a rose is a rose", "a rose is red"]
    with pytest.warns(ngram.DiscountWarning):
        model = ngram.train(text, np.int64(2))  # type: ignore[arg-type]
    for call in (
        lambda wrong: ngram.train(text, wrong),
        lambda wrong: ngram.count_ngrams(text, wrong),
        lambda wrong: ngram.cluster_words(text, wrong),
        lambda wrong: model.next_tokens("a", wrong),
        lambda wrong: ngram.Cache(order=wrong),
        thread_count,
    ):
        for wrong in (True, 2.0, 0):
            with pytest.raises(InputError, match=f"is {wrong}: pass an integer from 1"):
                call(wrong)
