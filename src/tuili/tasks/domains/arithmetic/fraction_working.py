"""The written working of fractions: lowest terms, common denominators, sums.

`fractions` decides which fractions a problem has.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm

from tuili.tasks.building.working import cancel, euclid, exact_division, grid_multiplication


def reduce_fraction(numerator: int, denominator: int, *, fully: bool = False) -> list[str]:
    """The steps of `cancel`, which reduce a fraction to lowest terms or show that it is in lowest terms."""
    lines, forms = cancel(numerator, denominator, fully=fully)
    return [*lines, forms] if "=" in forms else lines


def common_denominator(first: int, second: int) -> list[str]:
    """The steps to the least common multiple of two different numbers, by Euclid's algorithm.

    `common_denominator(4, 6)` → `6 mod 4 = 2`, `4 mod 2 = 0`, `gcd(6, 4) = 2`, `4 / 2 = 2`, `lcm(6, 4) = 6 * 2 = 12`.
    If one of them is a multiple of the other, no greatest common divisor is written.
    """
    small, large = sorted((first, second))
    name, common = f"lcm({large}, {small})", lcm(first, second)
    lines = euclid(large, small, facts=True)
    if common == large:
        return [*lines[:-1], f"{name} = {large}"]
    factor, shared = common // large, small * large // common
    if shared > 1:
        lines += [*exact_division(small, shared), f"{small} / {shared} = {factor}"]
    return [*lines, *grid_multiplication(large, factor), f"{name} = {large} * {factor} = {common}"]


def add_fractions(first: Fraction, sign: str, second: Fraction) -> tuple[list[str], Fraction]:
    """The steps of a sum or difference by the least common denominator, and the result.

    The line of the least common multiple already says how often the larger denominator fits into it.
    """
    common, larger = lcm(first.denominator, second.denominator), max(first.denominator, second.denominator)
    steps = []
    if first.denominator != second.denominator:
        steps += common_denominator(first.denominator, second.denominator)
    over = []
    for term in (first, second):
        scale = common // term.denominator
        over.append(term.numerator * scale)
        if scale > 1:
            if term.denominator < larger:
                steps += [*exact_division(common, term.denominator), f"{common} / {term.denominator} = {scale}"]
            steps += [*grid_multiplication(term.numerator, scale), f"{term} = {over[-1]}/{common}"]
    total = over[0] + over[1] if sign == "+" else over[0] - over[1]
    steps.append(f"{over[0]}/{common} {sign} {over[1]}/{common} = {total}/{common}")
    return steps + reduce_fraction(total, common), Fraction(total, common)
