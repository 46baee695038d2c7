"""Claims about errors and warnings that hold whatever raises them."""

import inspect
import warnings
from collections.abc import Callable

import pytest

import ngram
from ngram.smoothing import Katz, ModifiedKneserNey

SMALL = ["a rose is a rose"]
COUNTS = ngram.count_ngrams(SMALL, 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ngram.train(SMALL, 2),
        lambda: ngram.train(COUNTS),
        lambda: ngram.train(SMALL, 2, smoothing="katz"),
        lambda: ModifiedKneserNey().fit([[0, 0, 0, 0]]),
        lambda: Katz().fit([[5, 5, 5, 5, 5, 5]]),
        lambda: ngram.train([__file__], 2),
        lambda: stupid().perplexity(SMALL),
    ],
)
def test_warnings_point_at_the_line_that_called(call: Callable[[], object]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    line = inspect.getsourcelines(call)[1]
    assert caught
    for warning in caught:
        assert (warning.filename, warning.lineno) == (__file__, line)


def stupid() -> ngram.Model:
    return ngram.train(SMALL, 2, smoothing="stupid-backoff")
