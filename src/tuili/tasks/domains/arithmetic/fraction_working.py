"""The written working of fractions: lowest terms, common denominators, sums.

Which fractions a problem has is left to `fractions`.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm

from tuili.tasks.building.working import cancel, exact_division, grid_multiplication, residue

MAX_MULTIPLES_WRITTEN = 3
"""The largest number of multiples that are tried in writing for a common denominator. Beyond it one line is enough."""


def reduce_fraction(numerator: int, denominator: int) -> list[str]:
    """The steps that reduce a fraction to lowest terms; none where it is in lowest terms."""
    lines, forms = cancel(numerator, denominator)
    return [*lines, forms] if lines else []


def common_denominator(first: int, second: int) -> list[str]:
    """The steps to the least common multiple: the multiples of the larger number are tried in turn.

    `common_denominator(4, 6)` → `6 mod 4 = 2`, `6 * 2 = 12`, `12 mod 4 = 0`, `lcm(4, 6) = 12`.
    """
    small, large = sorted((first, second))
    common = lcm(first, second)
    lines: list[str] = []
    if common // large <= MAX_MULTIPLES_WRITTEN:
        for factor in range(1, common // large + 1):
            lines += [f"{large} * {factor} = {large * factor}"] if factor > 1 else []
            multiple = large * factor
            whole = multiple // small > 10 and small < 10
            lines += residue(multiple, small) if whole else [f"{multiple} mod {small} = {multiple % small}"]
        return [*lines, f"lcm({first}, {second}) = {common}"]
    return [f"lcm({first}, {second}) = {large} * {common // large} = {common}"]


def add_fractions(first: Fraction, sign: str, second: Fraction) -> tuple[list[str], Fraction]:
    """The steps of a sum or difference by the least common denominator, and the result."""
    common = lcm(first.denominator, second.denominator)
    steps = []
    if first.denominator != second.denominator:
        steps += common_denominator(first.denominator, second.denominator)
    over = []
    for term in (first, second):
        scale = common // term.denominator
        over.append(term.numerator * scale)
        if scale > 1:
            steps += [*exact_division(common, term.denominator), f"{common} / {term.denominator} = {scale}"]
            steps += [*grid_multiplication(term.numerator, scale), f"{term} = {over[-1]}/{common}"]
    total = over[0] + over[1] if sign == "+" else over[0] - over[1]
    steps.append(f"{over[0]}/{common} {sign} {over[1]}/{common} = {total}/{common}")
    return steps + reduce_fraction(total, common), Fraction(total, common)
