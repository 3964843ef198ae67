"""Polynomials in letters against their values at numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.errors import InputError
from tuili.tasks.building.polynomials import (
    Polynomial,
    letters,
    read_polynomial,
    same_polynomial,
    substituted,
    write_polynomial,
)

NUMBERS = {"a": Fraction(3), "b": Fraction(-2), "c": Fraction(5, 7), "x": Fraction(1, 3)}

monomials = st.dictionaries(st.sampled_from("abcx"), st.integers(1, 4), min_size=1, max_size=4).map(
    lambda powers: tuple(powers.items())
)
factors = st.fractions(-20, 20, max_denominator=9).filter(bool)
polynomials = st.lists(
    st.tuples(monomials, factors), min_size=1, max_size=4, unique_by=lambda term: frozenset(term[0])
).map(dict)


def value(polynomial: Polynomial, at: dict[str, Fraction] = NUMBERS) -> Fraction:
    total = Fraction(0)
    for monomial, factor in polynomial.items():
        for name, power in monomial:
            factor *= at[name] ** power
        total += factor
    return total


@given(polynomials)
def test_what_is_written_is_read_back(polynomial: Polynomial) -> None:
    assert read_polynomial(write_polynomial(polynomial)) == polynomial


@given(polynomials, polynomials)
def test_a_value_in_the_place_of_a_letter(polynomial: Polynomial, inner: Polynomial) -> None:
    result = substituted(polynomial, "x", inner)
    assert value(result) == value(polynomial, NUMBERS | {"x": value(inner)})
    assert not any(factor == 0 for factor in result.values())


def test_terms_are_written_as_in_a_book() -> None:
    for text in ("2 * a * s", "a * t^2 / 2", "u * t + a * t^2 / 2", "-m * v + 3 * p / 4", "v^2 - u^2", "7"):
        assert write_polynomial(read_polynomial(text)) == text
    assert letters(read_polynomial("u*t + a*t^2 / 2")) == ["u", "t", "a"]


def test_the_order_of_factors_and_terms_does_not_matter() -> None:
    assert same_polynomial(read_polynomial("2*a*s + b"), read_polynomial("b + s*2*a"))
    assert same_polynomial(read_polynomial("a*a/2"), read_polynomial("a^2 / 2"))
    assert not same_polynomial(read_polynomial("2*a*s"), read_polynomial("2*a*S"))
    assert not same_polynomial(read_polynomial("a^2"), read_polynomial("a"))


@pytest.mark.parametrize("text", ["", "2as", "a / b", "(a + b)*c", "a^x", "a +", "speed", "a ^ 2", "1e5", "a**2", "²"])
def test_what_is_no_polynomial_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no sum of terms"):
        read_polynomial(text)
