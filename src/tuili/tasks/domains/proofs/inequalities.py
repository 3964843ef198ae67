"""Inequalities by squares, which are never negative."""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import gcd

from tuili.tasks.domains.proofs.identities import PAIRS, UNKNOWNS
from tuili.tasks.domains.proofs.theorem import Statement, Theorem, nonzero, powers, total


def _by_square(
    statement: Statement, working: Sequence[str], difference: str, square: str, fails_at: tuple[int, ...]
) -> Theorem:
    """The proof of a claim from a square that equals the difference of its sides.

    `working` ends with the coefficient of the mixed term, which decides the claim: a larger coefficient fails where the
    square is 0.
    """
    shown = f"for all {statement.variables}: {difference} = {square} >= 0"
    return Theorem(statement, (shown, statement.formal), working=(tuple(working),), fails_at=fails_at)


def _mixed(a: int, b: int) -> tuple[str, ...]:
    """The lines that lead from the coefficients of two squares to the coefficient of the mixed term."""
    roots = (f"{root * root} = {root} * {root}" for root in (a, b) if root > 1)
    return *roots, f"2 * {a} * {b} = {2 * a * b}"


def _equal_terms(a: int, b: int) -> tuple[int, int]:
    """The least values of x and y with a * x = b * y."""
    common = gcd(a, b)
    return b // common, a // common


def parabola(rng: random.Random, level: int) -> Theorem:
    """`x^2 + 9 >= 6*x`."""
    x, a, b = rng.choice(UNKNOWNS), rng.randint(1, 9), rng.randint(1, 20)
    left, right = total([(a * a, f"{x}^2"), (b * b, "")]), total([(2 * a * b, x)])
    difference, square = powers((a * a, -2 * a * b, b * b), x), f"({total([(a, x), (-b, '')])})^2"
    return _by_square(Statement(x, left, right, ">="), _mixed(a, b), difference, square, (round(b / a),))


def completed(rng: random.Random, level: int) -> Theorem:
    """`x^2 - 6*x + 11 >= 2`, by completing the square."""
    x, a, least = rng.choice(UNKNOWNS), nonzero(rng, 12), rng.randint(1, 30)
    left = powers((1, 2 * a, a * a + least), x)
    statement = Statement(x, left, str(least), ">=")
    size, constant = abs(a), a * a + least
    working = (f"{2 * size} / 2 = {size}", f"{size}^2 = {a * a}", f"{constant} - {a * a} = {least}")
    shown = f"for all {x}: {left} = ({total([(1, x), (a, '')])})^2 + {least} >= {least}"
    return Theorem(statement, (shown,), working=(working,), fails_at=(-a,))


def two_squares(rng: random.Random, level: int) -> Theorem:
    """`4*a^2 + 9*b^2 >= 12*a*b`."""
    (x, y), a, b = rng.choice(PAIRS), rng.randint(1, 12), rng.randint(1, 12)
    left = total([(a * a, f"{x}^2"), (b * b, f"{y}^2")])
    statement = Statement(f"{x}, {y}", left, total([(2 * a * b, f"{x}*{y}")]), ">=")
    difference = total([(a * a, f"{x}^2"), (b * b, f"{y}^2"), (-2 * a * b, f"{x}*{y}")])
    square = f"({total([(a, x), (-b, y)])})^2"
    return _by_square(statement, _mixed(a, b), difference, square, _equal_terms(a, b))


def mean_of_two(rng: random.Random, level: int) -> Theorem:
    """`(a + b)^2 >= 4*a*b`, times a factor."""
    (x, y), a, b = rng.choice(PAIRS), rng.randint(1, 12), rng.randint(1, 12)
    base = total([(a, x), (b, y)])
    statement = Statement(f"{x}, {y}", f"({base})^2", total([(4 * a * b, f"{x}*{y}")]), ">=")
    square = f"({total([(a, x), (-b, y)])})^2"
    difference = f"({base})^2 - {total([(4 * a * b, f'{x}*{y}')])}"
    working = (f"4 * {a} * {b} = {4 * a * b}",)
    return _by_square(statement, working, difference, square, _equal_terms(a, b))


def three_squares(rng: random.Random, level: int) -> Theorem:
    """`a^2 + b^2 + c^2 >= a*b + b*c + c*a`, times a factor, by three squares."""
    x, y, z = rng.choice((("a", "b", "c"), ("x", "y", "z"), ("u", "v", "w"), ("p", "q", "r")))
    p, q, r = (rng.randint(1, 9) for _ in range(3))
    pairs = ((p, x, y), (q, y, z), (r, z, x))
    left = total([(p + r, f"{x}^2"), (p + q, f"{y}^2"), (q + r, f"{z}^2")])
    right = total([(2 * f, f"{a}*{b}") for f, a, b in pairs])
    statement = Statement(f"{x}, {y}, {z}", left, right, ">=")
    steps = [f"for all {a}, {b}: {a}^2 - 2*{a}*{b} + {b}^2 = ({a} - {b})^2 >= 0" for _, a, b in pairs]
    return Theorem(statement, (*steps, statement.formal))
