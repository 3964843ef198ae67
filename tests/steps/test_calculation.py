"""The checker as a calculator: which lines have a value, how it is written, and that the whole line then holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.steps import Context, Status, calculate, check

CONTEXT = Context.from_prompt("Let x = 3.")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("48 / 2 =", "24"),
        ("48 / 2 = ", "24"),
        ("48*2=", "96"),
        ("  12 - 15 =", "-3"),
        ("1.5 * 3 =", "4.5"),
        ("48 / 5 =", "48/5"),
        ("10 / 3 =", "10/3"),
        ("1/2 + 1/3 =", "5/6"),
        ("x + 1 =", "4"),
        ("y = 3 + 4 =", "7"),
        ("-(2 + 3) =", "-5"),
        ("5! =", "120"),
        ("17% * 100 =", "17"),
        ("C(5, 2) =", "10"),
        ("true and false =", "false"),
        ("Monday + 3 day =", "Thursday"),
        ("20 cm + 3 m =", "320 cm"),
        ("5 cm * 3 cm =", "15 cm^2"),
        ("d = 50 m/s * 9 s =", "450 m"),
    ],
)
def test_a_calculation_has_a_value(line: str, value: str) -> None:
    assert calculate(line, CONTEXT) == value
    assert check(f"{line.rstrip()} {value}", CONTEXT).status is Status.VALID


@pytest.mark.parametrize(
    "line",
    [
        "",
        "=",
        "48 / 2",
        "y + 1 =",  # an unknown name
        "3 / 0 =",
        "5 =",  # whatever it is written as
        "-5 =",
        "6/10 =",
        "48/2=",
        "216 km/h =",
        "x =",
        "y =",
        "x = 3 + 4 =",  # x has another value
        "3 + 4 = 3 + 5 =",
        "5^2 - 16 = 25 - 16 =",  # a chain, which its writer continues
        "2x + 3 = 9 =",
        "2 < 3 =",
        "3 + 4 ==",
        "3 + 4 =>",
        "3 + 4 !=",  # which says something else than `3 + 4! =`
        "3 + 4 <=",
        "3 + 4 >=",
        "x = 3 => 2 + 2 =",
        "L1: 3 + 4 =",
        "8 W / 2 A =",  # a volt has a name that the line does not
        "90 km / 2 h =",
        "2^100000 =",  # too large
        "((3 + 4 =",
        "she has 3 + 4 =",
        "3 + 4 =\n",
        f"{' + '.join(['1'] * 130)} =",
    ],
)
def test_other_lines_have_none(line: str) -> None:
    assert calculate(line, CONTEXT) is None


def test_quotients_are_decimals_where_people_write_them_and_that_is_exact() -> None:
    lines = {"48 / 5 =": "9.6", "1 / 8 =": "0.125", "10 / 3 =": "10/3", "1/2 + 1/4 =": "3/4", "6 / 2 =": "3"}
    lines |= {"10 m / 4 =": "2.5 m", "3 m + 20 cm =": "3.2 m", "5 kg / 2 kg =": "2.5", "10 m / 3 =": "10/3 m"}
    assert {line: calculate(line, CONTEXT, decimals=True) for line in lines} == lines


def test_names_of_earlier_steps_have_values() -> None:
    context = CONTEXT.after("apples = 4 * 2 = 8", check("apples = 4 * 2 = 8", CONTEXT))
    assert calculate("apples + x =", context) == "11"
    assert calculate("apples = 4 * 2 =", context) is None


def test_decimals_are_as_long_as_those_they_are_made_of() -> None:
    lines = {
        "0.16666666666666666 + 0.5 =": "0.66666666666666666",
        "0.16666666666666666 * 0.5 =": "0.08333333333333333",
        "0.5 / 2048 =": "0.000244140625",
        "0.5 / 4096 =": "1/8192",
        "1 / 3 =": "1/3",
    }
    assert {line: calculate(line, CONTEXT) for line in lines} == lines


NUMBERS = st.integers(-500, 500).map(str) | st.decimals(0, 99, places=2).map(str) | st.just("x")
TERMS = st.recursive(
    NUMBERS, lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"({' '.join(parts)})")
)


@given(TERMS, st.booleans())
def test_a_line_with_its_value_holds(term: str, decimals: bool) -> None:
    value = calculate(f"{term} =", CONTEXT, decimals)
    if value is not None:
        assert check(f"{term} = {value}", CONTEXT).status is Status.VALID


@given(st.text("0123456789+-*/=<>() xy.,:^!%&", max_size=30))
def test_no_text_is_too_odd(text: str) -> None:
    value = calculate(text, CONTEXT)
    assert value is None or check(f"{text.rstrip()} {value}", CONTEXT).status is Status.VALID
