"""Fractions: sums, products and quotients, comparison, lowest terms, parts of a number, decimals.

All denominators of a sum divide one round number, so that their common multiples stay small.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from math import gcd

from tuili.tasks.building.levels import ContentTemplate
from tuili.tasks.building.working import exact_division, worked_product
from tuili.tasks.content import Clause, Content, Slot
from tuili.tasks.domains.arithmetic.fraction_working import add_fractions, reduce_fraction

ROUND_NUMBERS_BY_LEVEL = {
    1: (12, 14, 15, 16, 18, 20, 24, 28, 30, 36, 40, 42),
    2: (16, 18, 20, 24, 28, 30, 36),
    3: (24, 30, 36, 40, 48, 60),
    4: (60, 72, 80, 84, 90),
    5: (84, 90, 96, 108, 120),
}
TERMS_BY_LEVEL = {1: 2, 2: 2, 3: 3, 4: 4, 5: 4}


def _proper(rng: random.Random, denominators: Sequence[int]) -> Fraction:
    """A random proper fraction in lowest terms, with one of the given denominators."""
    denominator = rng.choice(denominators)
    return Fraction(rng.choice([n for n in range(1, denominator) if gcd(n, denominator) == 1]), denominator)


def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(2, number + 1) if number % divisor == 0]


def _sum(rng: random.Random, level: int) -> Content:
    """A sum from left to right; every running total is positive and not a whole number.

    At level 1, one denominator is a multiple of the other.
    """
    denominators = _divisors(rng.choice(ROUND_NUMBERS_BY_LEVEL[level]))
    while True:
        total = _proper(rng, denominators)
        text = str(total)
        steps: list[str] = []
        for _ in range(TERMS_BY_LEVEL[level] - 1):
            nested = [d for d in denominators if d % total.denominator == 0 or total.denominator % d == 0]
            term = _proper(rng, nested if level == 1 else denominators)
            sign = "-" if term < total and rng.random() < 0.5 else "+"
            more, result = add_fractions(total, sign, term)
            text, steps, total = f"{text} {sign} {term}", steps + more, result
            if total.denominator == 1:
                break
        else:
            return Content("fraction", {"expression": text}, tuple(steps), str(total))


def _product(rng: random.Random, level: int) -> Content:
    """A product or quotient of two fractions, or three from level 4 on. Division multiplies by the inverse."""
    denominators = range(2, (11, 12, 14, 10, 12)[level - 1])
    while True:
        factors = [_proper(rng, denominators) for _ in range(2 if level < 4 else 3)]
        operators = [rng.choice("*/") for _ in factors[1:]]
        text, steps, total = f"({factors[0]})", [], factors[0]
        for operator, factor in zip(operators, factors[1:], strict=True):
            text += f" {operator} ({factor})"
            inverse = factor if operator == "*" else 1 / factor
            over, under = total.numerator * inverse.numerator, total.denominator * inverse.denominator
            product = f"({total}) * ({_ratio(inverse)})"
            if operator == "/":
                steps.append(f"({total}) / ({factor}) = {product}")
            for a, b in ((total.numerator, inverse.numerator), (total.denominator, inverse.denominator)):
                steps += worked_product(a, b)
            steps += [f"{product} = {over}/{under}", *reduce_fraction(over, under)]
            total *= inverse
            if total.denominator == 1:
                break
        else:
            return Content("fraction", {"expression": text}, tuple(steps), str(total))


def _ratio(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"


def _compare(rng: random.Random, level: int) -> Content:
    """The larger or smaller of two close fractions, by cross products; it comes first in the comparisons."""
    denominators = range(3, (13, 16, 24, 30, 50)[level - 1])
    first, second = _proper(rng, denominators), _proper(rng, denominators)
    while first == second or abs(first - second) > Fraction(1, 2 + level) or first.denominator == second.denominator:
        first, second = _proper(rng, denominators), _proper(rng, denominators)
    products = {
        first: first.numerator * second.denominator,
        second: second.numerator * first.denominator,
    }
    larger, smaller = max(first, second), min(first, second)
    wanted, sign, answer, other = rng.choice((("larger", ">", larger, smaller), ("smaller", "<", smaller, larger)))
    steps = (
        *worked_product(first.numerator, second.denominator),
        *worked_product(second.numerator, first.denominator),
        f"{products[answer]} {sign} {products[other]}",
        f"{answer} {sign} {other}",
    )
    slots: dict[str, Slot] = {"first": str(first), "second": str(second), "wanted": Clause(wanted, wanted)}
    return Content("comparison", slots, steps, str(answer))


def _reduce(rng: random.Random, level: int) -> Content:
    """Reduction to lowest terms by the gcd."""
    value, factor = {1: (24, 6), 2: (24, 9), 3: (1500, 120), 4: (2000, 150), 5: (5000, 200)}[level]
    fraction, common = _proper(rng, range(3, value)), rng.randint(2, factor)
    numerator, denominator = fraction.numerator * common, fraction.denominator * common
    steps = reduce_fraction(numerator, denominator, fully=level < 3)
    parts: dict[str, Slot] = {"numerator": numerator, "denominator": denominator}
    slots = {"fraction": f"{numerator}/{denominator}", **parts}
    return Content("reduction", slots, tuple(steps), str(fraction))


def _part(rng: random.Random, level: int) -> Content:
    fraction = _proper(rng, range(2, 11 if level == 1 else 13))
    share = rng.randint(2, 80 if level == 1 else 99)
    whole, part = share * fraction.denominator, share * fraction.numerator
    steps = [*exact_division(whole, fraction.denominator), f"{whole} / {fraction.denominator} = {share}"]
    if fraction.numerator > 1:
        steps += worked_product(share, fraction.numerator)
    return Content("part", {"fraction": str(fraction), "whole": whole}, tuple(steps), str(part))


def _decimal(rng: random.Random, level: int) -> Content:
    places = 2 if level == 2 else 3
    over = 10**places
    numerator = 10
    while numerator % 10 == 0 or gcd(numerator, over) == 1:
        numerator = rng.randint(1, over - 1)
    decimal = f"0.{numerator:0{places}}"
    steps = (f"{decimal} = {numerator}/{over}", *reduce_fraction(numerator, over))
    return Content("decimal", {"decimal": decimal}, steps, str(Fraction(numerator, over)))


FRACTIONS_BY_LEVEL: dict[int, tuple[ContentTemplate, ...]] = {
    1: (_sum, _product, _compare, _reduce, _part),
    2: (_sum, _sum, _product, _compare, _reduce, _part, _decimal),
    3: (_sum, _sum, _product, _compare, _reduce, _decimal),
    4: (_sum, _sum, _product, _reduce),
    5: (_sum, _sum, _product, _reduce),
}
