"""Polynomials in several letters: reads texts such as `m*v^2 / 2 + m*g*h`, substitutes into them, and writes them.

Only forms without brackets can be read. The checker of `tuili.steps` decides what follows from equations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import TypeAlias

from tuili.errors import InputError

Monomial: TypeAlias = tuple[tuple[str, int], ...]
"""Letters with their powers, in written order."""
Polynomial: TypeAlias = Mapping[Monomial, Fraction]


_FACTOR = r"(?:[0-9]{1,6}|[A-Za-z](?:\^[1-9])?)"
_TERM = rf"{_FACTOR}(?: ?\* ?{_FACTOR}){{0,9}}(?: ?/ ?[1-9][0-9]{{0,5}})?"
_POLYNOMIAL = re.compile(rf"-?{_TERM}(?: ?[-+] ?{_TERM}){{0,9}}")
_SIGNED_TERM = re.compile(rf"([-+]?) ?({_TERM})")


def read_polynomial(text: str) -> dict[Monomial, Fraction]:
    """The polynomial of a text with terms like `2*a*s` or `a*t^2 / 2`. Raises `InputError` for any other text."""
    if not _POLYNOMIAL.fullmatch(text):
        raise InputError(f"{text[:40]!r} is no sum of terms like 2*a*s or a*t^2 / 2")
    result: dict[Monomial, Fraction] = {}
    for sign, term in _SIGNED_TERM.findall(text):
        product, _, divisor = term.replace(" ", "").partition("/")
        factor, powers = Fraction(-1 if sign == "-" else 1, int(divisor or 1)), dict[str, int]()
        for part in product.split("*"):
            base, _, power = part.partition("^")
            if base.isdigit():
                factor *= int(base)
            else:
                powers[base] = powers.get(base, 0) + int(power or 1)
        _add(result, tuple(powers.items()), factor)
    return result


def same_polynomial(one: Polynomial, other: Polynomial) -> bool:
    """Whether two polynomials have the same terms in any order."""
    sides = ({frozenset(key): factor for key, factor in side.items() if factor} for side in (one, other))
    return next(sides) == next(sides)


def write_polynomial(polynomial: Polynomial) -> str:
    """The expanded text of a polynomial: the inverse of `read_polynomial`."""
    terms = [_term(monomial, factor) for monomial, factor in polynomial.items()]
    return "".join((f" {sign} " if number else sign.strip("+")) + text for number, (sign, text) in enumerate(terms))


def substituted(polynomial: Polynomial, letter: str, value: Polynomial) -> dict[Monomial, Fraction]:
    """The expanded polynomial with a letter replaced by a value."""
    result: dict[Monomial, Fraction] = {}
    for monomial, factor in polynomial.items():
        before, power, after = _around(monomial, letter)
        expanded: dict[Monomial, Fraction] = {before: factor}
        for _ in range(power):
            expanded = _product(expanded, value)
        for key, one in _product(expanded, {after: Fraction(1)}).items():
            _add(result, key, one)
    return {monomial: factor for monomial, factor in result.items() if factor}


def letters(polynomial: Polynomial) -> list[str]:
    """The letters of a polynomial, in order of first occurrence."""
    return list(dict.fromkeys(letter for monomial in polynomial for letter, _ in monomial))


def _around(monomial: Monomial, letter: str) -> tuple[Monomial, int, Monomial]:
    for place, (other, power) in enumerate(monomial):
        if other == letter:
            return monomial[:place], power, monomial[place + 1 :]
    return monomial, 0, ()


def _product(one: Polynomial, other: Polynomial) -> dict[Monomial, Fraction]:
    result: dict[Monomial, Fraction] = {}
    for first, factor in one.items():
        for second, multiple in other.items():
            powers = dict(first)
            for letter, power in second:
                powers[letter] = powers.get(letter, 0) + power
            _add(result, tuple(powers.items()), factor * multiple)
    return result


def _add(polynomial: dict[Monomial, Fraction], monomial: Monomial, factor: Fraction) -> None:
    """Add a term; monomials that differ only in the order of their letters are the same."""
    known = next((key for key in polynomial if dict(key) == dict(monomial)), monomial)
    polynomial[known] = polynomial.get(known, Fraction(0)) + factor


def _term(monomial: Monomial, factor: Fraction) -> tuple[str, str]:
    parts = [str(abs(factor.numerator))] if abs(factor.numerator) != 1 or not monomial else []
    parts += [letter if power == 1 else f"{letter}^{power}" for letter, power in monomial]
    divisor = f" / {factor.denominator}" if factor.denominator > 1 else ""
    return "-" if factor < 0 else "+", " * ".join(parts) + divisor
