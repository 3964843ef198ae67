"""Equations in prefix notation: random ones are worked out as their trees are, and what is none is named."""

from __future__ import annotations

import operator
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tuili.data.readers.prefix import MAX_PARTS, calculate, spell, spelled_numbers
from tuili.errors import InputError
from tuili.steps import Status, check_chain

Tree = str | tuple[str, "Tree", "Tree"]
OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}

numbers = st.one_of(
    st.integers(-999, 9999).map(str),
    st.decimals(-50, 500, places=2, allow_nan=False).map(str),
    st.sampled_from(["0.5", "12.0", ".25", "7.666666666666667"]),
)
trees = st.recursive(numbers, lambda inner: st.tuples(st.sampled_from("+-*/"), inner, inner), max_leaves=6)


def prefix(tree: Tree) -> str:
    return tree if isinstance(tree, str) else f"{tree[0]} {prefix(tree[1])} {prefix(tree[2])}"


def value(tree: Tree) -> Fraction:
    """The slow twin: the tree itself is worked out, and no text."""
    return Fraction(tree) if isinstance(tree, str) else OPERATIONS[tree[0]](value(tree[1]), value(tree[2]))


def operations(tree: Tree) -> int:
    return 0 if isinstance(tree, str) else 1 + operations(tree[1]) + operations(tree[2])


@given(trees)
def test_an_equation_has_the_value_of_its_tree_and_one_valid_step_an_operation(tree: Tree) -> None:
    try:
        expected = value(tree)
    except ZeroDivisionError:
        assert calculate(prefix(tree)) is None
        return
    calculation = calculate(prefix(tree))
    assert calculation is not None
    assert calculation.value == expected
    assert len(calculation.steps) == operations(tree)
    for step, verdict in zip(calculation.steps, check_chain(calculation.steps), strict=True):
        assert verdict.status is Status.VALID, step
    if calculation.steps:
        assert Fraction(calculation.steps[-1].rpartition(" = ")[2]) == expected


@given(trees, st.data())
def test_a_part_more_or_less_is_refused(tree: Tree, data: st.DataObject) -> None:
    parts = prefix(tree).split()
    place = data.draw(st.integers(0, len(parts) - 1))
    left_out = parts[:place] + parts[place + 1 :]
    for wrong in (left_out, [*parts, "7"], ["+", *parts]):
        with pytest.raises(InputError):
            calculate(" ".join(wrong))


@given(st.fractions(max_denominator=10**6))
def test_a_number_is_spelled_with_its_value_and_as_a_decimal_where_that_ends(number: Fraction) -> None:
    text = spell(number)
    assert Fraction(text) == number
    ends = (10**60) % number.denominator == 0
    assert ("/" in text) is not ends
    assert "." not in text or not text.endswith("0")


@given(st.decimals(0, 10**6, places=3, allow_nan=False).map(str), st.integers(1, 9))
def test_numbers_stand_in_steps_as_the_question_spells_them(number: str, other: int) -> None:
    assume(Fraction(number) not in (other, 0))
    calculation = calculate(f"* {Fraction(number).numerator / Fraction(number).denominator:.3f} {other}",
                            spelled_numbers(f"It has {number} of {other} parts, {number}0."))  # fmt: skip
    assert calculation is not None
    assert calculation.steps[0].startswith(f"{number} * {other} = ")


def test_groups_of_digits_and_other_spellings_are_read_in_a_question() -> None:
    spelled = spelled_numbers("From $1,500.50, 25% and .5 (007 of x2) in 2.50 or 2.5 m; 12,34.")
    assert spelled == {
        Fraction("1500.5"): "1500.50", Fraction(25): "25", Fraction("0.5"): ".5", Fraction(7): "007",
        Fraction("2.5"): "2.50",
    }  # fmt: skip
    calculation = calculate("+ * 0.5 7 / 1500.5 2.5", spelled)
    assert calculation is not None
    assert calculation.steps == ("0.5 * 7 = 3.5", "1500.50 / 2.50 = 600.2", "3.5 + 600.2 = 603.7")


def test_results_that_are_no_decimals_are_fractions() -> None:
    calculation = calculate("/ * 216 / 7 12 / 2 3")
    assert calculation is not None
    assert calculation.steps == ("7 / 12 = 7/12", "216 * 7/12 = 126", "2 / 3 = 2/3", "126 / (2/3) = 189")


@pytest.mark.parametrize(
    ("equation", "what"),
    [
        ("", "has 0 parts"),
        ("+ 1", "no two numbers"),
        ("+ 1 2 3", "leaves 2 numbers"),
        ("1 + 2", "no two numbers"),
        ("^ 2 3", r"has '\^'"),
        ("+ x 2", "has 'x'"),
        ("+ 5e-1 2", "has '5e-1'"),
        ("+ 1 " + "9" * 41, "at most 40 digits"),
        ("+ " * 60 + "1 " * 61, f"1 to {MAX_PARTS}"),
        ("+ . 1", r"has '\.'"),
    ],
)
def test_what_is_no_equation_is_named(equation: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        calculate(equation)


def test_the_longest_equation_of_the_longest_numbers_is_worked_out() -> None:
    number = "9" * 40 + "." + "7" * 40
    for sign in "+-*/":
        assert calculate(f"{sign} " * (MAX_PARTS // 2) + f"{number} " * (MAX_PARTS // 2 + 1)) is not None
