"""Polynomials over the rationals: how a term becomes one, and the real roots of one in a single unknown.

`roots` decides what the roots mean for an inference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from tuili.steps.language.terms import Binary, Name, Term, Unary, names
from tuili.steps.values.arithmetic import bounded
from tuili.steps.values.evaluate import evaluate
from tuili.steps.values.rendering import render_number
from tuili.steps.verdict import LimitExceeded, Undecided, Undefined
from tuili.steps.work_budget import WorkBudget

MAX_PRODUCTS = 200
"""The maximum number of products of two coefficients in one multiplication of polynomials."""
MAX_DEGREE = 8
MAX_FACTORISED_NUMBER = 10**6
"""The largest coefficient whose divisors are searched for candidate roots."""
MAX_CANDIDATES = 500
"""The maximum number of candidates for the roots of one polynomial."""

Monomial = tuple[str, ...]  # the unknowns of a product, sorted: x·x·y is ("x", "x", "y"); a constant is ()
Polynomial = Mapping[Monomial, Fraction]
Coefficients = tuple[Fraction, ...]  # of one unknown, constant first, without leading zeros; () is zero


def expand(term: Term, budget: WorkBudget) -> dict[Monomial, Fraction]:
    """The polynomial that a term represents. Raises `Undecided` for a term that is not a polynomial.

    The work is one unit for each node of the term, and one for each product of the polynomial that a node represents.
    """
    budget.spend(1)
    polynomial = _expand(term, budget)
    budget.spend(len(polynomial))
    return polynomial


def _expand(term: Term, budget: WorkBudget) -> dict[Monomial, Fraction]:
    if not names(term):
        value = evaluate(term, budget=budget)
        if not isinstance(value, Fraction):
            raise Undecided("an inference over values that are not plain numbers")
        return {(): value} if value else {}
    match term:
        case Name():
            return {(term.id,): Fraction(1)}
        case Unary(op="-"):
            return _scaled(expand(term.operand, budget), Fraction(-1))
        case Unary(op="%"):
            return _scaled(expand(term.operand, budget), Fraction(1, 100))
        case Binary(op="+"):
            return add(expand(term.left, budget), expand(term.right, budget))
        case Binary(op="-"):
            return subtract(expand(term.left, budget), expand(term.right, budget))
        case Binary(op="*"):
            return _product(expand(term.left, budget), expand(term.right, budget), budget)
        case Binary(op="/"):
            divisor = expand(term.right, budget)
            if not divisor:
                raise Undefined("division by zero")
            if set(divisor) != {()}:
                raise Undecided("division by an unknown")
            return _scaled(expand(term.left, budget), 1 / divisor[()])
        case Binary(op="^"):
            return _power(expand(term.left, budget), expand(term.right, budget), budget)
    raise Undecided("not a polynomial in the unknowns")


def add(left: Polynomial, right: Polynomial) -> dict[Monomial, Fraction]:
    """The sum of two polynomials."""
    total = dict(left)
    for monomial, coefficient in right.items():
        total[monomial] = bounded(total.get(monomial, Fraction(0)) + coefficient)
        if not total[monomial]:
            del total[monomial]
    return total


def subtract(left: Polynomial, right: Polynomial) -> dict[Monomial, Fraction]:
    """The difference of two polynomials."""
    return add(left, _scaled(right, Fraction(-1)))


def _scaled(polynomial: Polynomial, by: Fraction) -> dict[Monomial, Fraction]:
    return {monomial: bounded(coefficient * by) for monomial, coefficient in polynomial.items() if by}


def _product(left: Polynomial, right: Polynomial, budget: WorkBudget) -> dict[Monomial, Fraction]:
    if len(left) * len(right) > MAX_PRODUCTS:
        raise LimitExceeded("a polynomial has too many terms")
    budget.spend(len(left) * len(right))
    total: dict[Monomial, Fraction] = {}
    for a, coefficient in left.items():
        for b, other in right.items():
            monomial = tuple(sorted(a + b))
            if len(monomial) > MAX_DEGREE:
                raise LimitExceeded(f"a polynomial of a degree over {MAX_DEGREE}")
            total[monomial] = bounded(total.get(monomial, Fraction(0)) + coefficient * other)
    return {monomial: coefficient for monomial, coefficient in total.items() if coefficient}


def _power(base: Polynomial, exponent: Polynomial, budget: WorkBudget) -> dict[Monomial, Fraction]:
    n = exponent.get((), Fraction(0))
    if set(exponent) - {()} or n.denominator != 1 or n < 1:
        raise Undecided("a power of an unknown that is not a positive integer")
    if n > MAX_DEGREE:
        raise LimitExceeded(f"a polynomial of a degree over {MAX_DEGREE}")
    result: dict[Monomial, Fraction] = {(): Fraction(1)}
    for _ in range(n.numerator):
        result = _product(result, base, budget)
    return result


def render_polynomial(polynomial: Polynomial) -> str:
    """The polynomial as a term of the step language: `-1 * x + 3/2 * y + 5`."""
    products = (" * ".join((render_number(c), *monomial)) for monomial, c in sorted(polynomial.items(), reverse=True))
    return " + ".join(products) or "0"


def degree(polynomial: Polynomial) -> int:
    """The largest number of unknowns in one product; 0 for a constant."""
    return max(map(len, polynomial), default=0)


def coefficients(polynomial: Polynomial) -> Coefficients:
    """The coefficients by power of the only unknown."""
    assert len({unknown for monomial in polynomial for unknown in monomial}) <= 1
    result = [Fraction(0)] * (degree(polynomial) + 1)
    for monomial, coefficient in polynomial.items():
        result[len(monomial)] = coefficient
    return _trimmed(result)


def _trimmed(values: Sequence[Fraction]) -> Coefficients:
    end = len(values)
    while end and not values[end - 1]:
        end -= 1
    return tuple(values[:end])


def value_at(polynomial: Coefficients, x: Fraction) -> Fraction:
    """The polynomial's value (Horner's rule)."""
    result = Fraction(0)
    for coefficient in reversed(polynomial):
        result = bounded(result * x + coefficient)
    return result


def divide(dividend: Coefficients, divisor: Coefficients) -> tuple[Coefficients, Coefficients]:
    """The quotient and the remainder of a division by a polynomial that is not zero."""
    remainder = list(dividend)
    quotient = [Fraction(0)] * max(len(dividend) - len(divisor) + 1, 0)
    for shift in reversed(range(len(quotient))):
        factor = bounded(remainder[shift + len(divisor) - 1] / divisor[-1])
        quotient[shift] = factor
        for i, coefficient in enumerate(divisor):
            remainder[shift + i] -= factor * coefficient
    return _trimmed(quotient), _trimmed(remainder)


def common_divisor(a: Coefficients, b: Coefficients) -> Coefficients:
    """A greatest common divisor (Euclid's algorithm), with leading coefficient 1."""
    while b:
        a, b = b, divide(a, b)[1]
    return tuple(coefficient / a[-1] for coefficient in a)


def count_real_roots(polynomial: Coefficients) -> int:
    """The number of different real roots of a polynomial that is not zero, by Sturm's theorem."""
    chain = [polynomial, _trimmed([i * c for i, c in enumerate(polynomial)][1:])]
    while chain[-1]:
        chain.append(tuple(-c for c in divide(chain[-2], chain[-1])[1]))
    at_plus = [p[-1] for p in chain if p]
    at_minus = [p[-1] * (-1) ** (len(p) - 1) for p in chain if p]
    return _sign_changes(at_minus) - _sign_changes(at_plus)


def _sign_changes(values: Sequence[Fraction]) -> int:
    return sum((a > 0) is not (b > 0) for a, b in pairwise(values))


def real_roots(polynomial: Coefficients, budget: WorkBudget) -> frozenset[Fraction]:
    """All real roots of a polynomial that is not zero. Raises `Undecided` unless every one is rational.

    The work is one unit for each candidate that is tried.
    """
    roots: set[Fraction] = set()
    remainder = polynomial
    while len(remainder) > 1 and not remainder[0]:
        roots.add(Fraction(0))
        remainder = remainder[1:]
    for candidate in _candidates(remainder) if len(remainder) > 1 else ():
        budget.spend(1)
        while len(remainder) > 1 and not value_at(remainder, candidate):
            roots.add(candidate)
            remainder = divide(remainder, (-candidate, Fraction(1)))[0]
    if len(remainder) > 1 and count_real_roots(remainder):
        raise Undecided("a root that is not rational")
    return frozenset(roots)


def _candidates(polynomial: Coefficients) -> list[Fraction]:
    """Every rational number that can be a root; from degree 3 on, by the rational root theorem."""
    if len(polynomial) == 2:
        return [-polynomial[0] / polynomial[1]]
    if len(polynomial) == 3:
        c, b, a = polynomial
        discriminant = bounded(b * b - 4 * a * c)
        if discriminant < 0:
            return []
        top, bottom = math.isqrt(discriminant.numerator), math.isqrt(discriminant.denominator)
        if Fraction(top, bottom) ** 2 != discriminant:
            return []
        return [(-b + sign * Fraction(top, bottom)) / (2 * a) for sign in (1, -1)]
    scale = math.lcm(*(c.denominator for c in polynomial))
    whole = [int(c * scale) for c in polynomial]
    content = math.gcd(*whole)
    tops, bottoms = _divisors(whole[0] // content), _divisors(whole[-1] // content)
    if len(tops) * len(bottoms) > MAX_CANDIDATES:
        raise LimitExceeded("too many candidates for a root")
    return sorted({Fraction(sign * top, bottom) for top in tops for bottom in bottoms for sign in (1, -1)})


def _divisors(number: int) -> list[int]:
    number = abs(number)
    if number > MAX_FACTORISED_NUMBER:
        raise LimitExceeded("coefficients too large for a search of roots")
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return sorted({*small, *(number // d for d in small)})
