"""Decimal text of float32 numbers: shortest, exact, and laid out as lmplz does."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngram._core.arpa import format_number, parse_number

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)

LAYOUTS = [
    (0.0, "0"),
    (-0.0, "-0"),
    (-1.0, "-1"),
    (-12.5, "-12.5"),
    (1e-6, "0.000001"),
    (9.9999e-7, "9.9999e-7"),
    (-1.5e-7, "-1.5e-7"),
    (1e20, "100000000000000000000"),
    (1e21, "1e21"),
    (-3.4028235e38, "-3.4028235e38"),
    (1.1754944e-38, "1.1754944e-38"),
    (1e-45, "1e-45"),
    (16777216.0, "16777216"),
    (math.inf, "inf"),
    (-math.inf, "-inf"),
]


def shortest(value):
    """The digits NumPy finds, in the layout of lmplz."""
    text = np.format_float_scientific(np.float32(value), unique=True, trim="-")
    mantissa, exponent = text.split("e")
    if not -6 <= int(exponent) < 21:
        return f"{mantissa}e{int(exponent)}"
    return np.format_float_positional(np.float32(value), unique=True, trim="-")


@pytest.mark.parametrize(("value", "text"), LAYOUTS)
def test_layout_is_that_of_lmplz(value, text):
    assert format_number(value) == text


def test_not_a_number_has_a_name():
    assert format_number(math.nan) == "NaN"
    assert math.isnan(parse_number(b"nan"))


@given(FLOATS.filter(lambda value: value != 0))
def test_text_is_the_shortest_that_reads_back(value):
    assert format_number(value) == shortest(value)


@given(FLOATS)
def test_text_reads_back_bit_for_bit(value):
    again = np.float32(parse_number(format_number(value).encode()))
    assert again.tobytes() == np.float32(value).tobytes()


def test_every_two_to_the_k_and_its_neighbours_read_back():
    powers = np.float32(2.0) ** np.arange(-149, 128, dtype=np.float32)
    for value in np.concatenate(
        [
            powers,
            np.nextafter(powers, np.float32(0)),
            np.nextafter(powers, np.float32(9e9)),
        ]
    ):
        text = format_number(value)
        assert np.float32(parse_number(text.encode())) == value
        assert value == 0 or text == shortest(value)


@given(st.integers(0, 2**31 - 2**24), st.integers(-1, 1), st.integers(0, 40))
def test_numbers_near_the_middle_of_two_floats_round_correctly(bits, side, zeros):
    low, high = np.array([bits, bits + 1], np.uint32).view(np.float32)
    digits = 150  # enough to write the middle exactly
    middle = f"{(float(low) + float(high)) / 2:.{digits}e}"
    mantissa, exponent = middle.split("e")
    nudged = {-1: None, 0: "", 1: "0" * zeros + "1"}[side]
    if nudged is None:  # just below the middle
        scaled = int(mantissa.replace(".", "")) - 1
        text = f"{scaled}e{int(exponent) - digits}"
        expected = low
    else:
        text = f"{mantissa}{nudged}e{exponent}"
        expected = high if side == 1 or bits & 1 else low
    if float(low) + float(high) == 0:
        return
    assert np.float32(parse_number(text.encode())).tobytes() == expected.tobytes()


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8))
def test_fixed_decimals_read_as_numpy_reads_them(number):
    text = f"{number:f}"
    with np.errstate(over="ignore"):
        assert np.float32(parse_number(text.encode())) == np.float32(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"+1.5", 1.5),
        (b".5", 0.5),
        (b"5.", 5.0),
        (b"1E2", 100.0),
        (b"1e+2", 100.0),
        (b"-Infinity", -math.inf),
        (b"INF", math.inf),
        (b"1e400", math.inf),
        (b"-1e-400", -0.0),
        (b"0e999999999999", 0.0),
        (b"0." + b"0" * 500 + b"1e501", 1.0),
        (b"1" + b"0" * 500 + b"e-500", 1.0),
        (b"1" + b"0" * 500, math.inf),
        (b"0." + b"0" * 500 + b"1", 0.0),
    ],
)
def test_unusual_spellings_are_read(text, value):
    number = parse_number(text)
    assert number == value
    assert math.copysign(1, number) == math.copysign(1, value)


@pytest.mark.parametrize(
    "text",
    [b"", b"-", b".", b"e5", b"1e", b"1e+", b"1.5x", b"--1", b"0x10", b"1,5", b" 1"],
)
def test_other_text_is_no_number(text):
    with pytest.raises(ValueError, match="not a number"):
        parse_number(text)
