"""Equations: linear in one unknown with brackets on both sides, systems in two unknowns, and quadratics with rational
roots. Each step changes an equation in one way; the arithmetic inside a step is that of one or two operations.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt, lcm

from tuili.tasks.problem import Draft
from tuili.tasks.registry import domain
from tuili.tasks.wording import labelled, listing

UNKNOWNS = ("x", "y", "n", "k", "t", "a", "b", "w")
FIND = ("Find {0}.\n{1}", "Solve for {0}.\n{1}", "{1}\nWhat is {0}?")


@dataclass(frozen=True)
class Part:
    """`factor * (a x + b)`, or `a x + b` without brackets where the factor is 1."""

    a: int
    b: int
    factor: int = 1

    def terms(self) -> list[tuple[int, bool]]:
        """Its non-zero terms once expanded: coefficient, and whether it is one of the unknown."""
        both = ((self.factor * self.a, True), (self.factor * self.b, False))
        return [term for term in both if term[0]]


def joined(terms: Sequence[tuple[int, str]]) -> str:
    """A sum with signs, `3x - 5`, from coefficients and what they multiply (nothing for a plain number)."""
    text = ""
    for value, what in terms:
        size = what if what and abs(value) == 1 else f"{abs(value)}{what}"
        sign = "-" if value < 0 else "+"
        text += f" {sign} {size}" if text else size if value > 0 else f"-{size}"
    return text or "0"


def _flat(side: Sequence[Part], unknown: str) -> str:
    return joined([(value, unknown if of_x else "") for part in side for value, of_x in part.terms()])


def _print(side: Sequence[Part], unknown: str) -> str:
    """A side as the prompt shows it, brackets included."""
    text = ""
    for part in side:
        if part.factor == 1:
            plain = _flat([part], unknown)
            text += f" - {plain[1:]}" if text and plain[0] == "-" else f" + {plain}" if text else plain
        else:
            size = f"{abs(part.factor)} * ({_flat([Part(part.a, part.b)], unknown)})"
            sign = "-" if part.factor < 0 else "+"
            text += f" {sign} {size}" if text else size if part.factor > 0 else f"-{size}"
    return text


def _collected(side: Sequence[Part]) -> Part:
    return Part(sum(part.factor * part.a for part in side), sum(part.factor * part.b for part in side))


def solve_linear(left: Sequence[Part], right: Sequence[Part], unknown: str) -> tuple[list[str], Fraction]:
    """Steps and solution: expand, collect, bring the unknown to the left, then the number to the right, divide."""
    forms = [f"{_flat(left, unknown)} = {_flat(right, unknown)}"]
    given = f"{_print(left, unknown)} = {_print(right, unknown)}"
    here, there = _collected(left), _collected(right)
    forms.append(f"{_flat([here], unknown)} = {_flat([there], unknown)}")
    coefficient, constant = here.a - there.a, there.b - here.b
    forms.append(f"{_flat([Part(coefficient, here.b)], unknown)} = {there.b}")
    forms.append(f"{_flat([Part(coefficient, 0)], unknown)} = {constant}")
    solution = Fraction(constant, coefficient)
    forms.append(f"{unknown} = {solution}")

    steps, premise = [], "P1"
    last = given
    for form in forms:
        if form != last:
            steps.append(f"{premise} => {form}")
            premise = last = form
    return steps, solution


@domain("equations", phase=2)
class Equations:
    """Find an unknown, the sum of two, or the larger or smaller root."""

    def sample(self, rng: random.Random, level: int) -> Draft:
        kinds = {
            1: (_simple, _simple, _quotient, _bracket),
            2: (_both_sides, _both_sides, _bracket, _system),
            3: (_brackets, _brackets, _system),
            4: (_brackets, _system, _quadratic),
            5: (_brackets, _system, _quadratic),
        }
        return rng.choice(kinds[level])(rng, level)


def _nonzero(rng: random.Random, low: int, high: int) -> int:
    return rng.choice([value for value in range(low, high + 1) if value])


def _linear(rng: random.Random, left: list[Part], right: list[Part]) -> Draft:
    unknown = rng.choice(UNKNOWNS)
    steps, solution = solve_linear(left, right, unknown)
    facts = labelled([f"{_print(left, unknown)} = {_print(right, unknown)}"])
    return Draft(rng.choice(FIND).format(unknown, listing(facts)), tuple(steps), str(solution), facts=facts)


def _simple(rng: random.Random, level: int) -> Draft:
    """`3x + 5 = 20`"""
    a, b, solution = rng.randint(2, 9), _nonzero(rng, -20, 20), rng.randint(1, 12)
    return _linear(rng, [Part(a, b)], [Part(0, a * solution + b)])


def _bracket(rng: random.Random, level: int) -> Draft:
    """`3 * (x + 2) = 21`, from level 2 on with a number added outside."""
    factor, b = rng.randint(2, 9), _nonzero(rng, -9, 9)
    solution = rng.randint(max(1, 1 - b), 12) if level == 1 else _nonzero(rng, -12, 12)
    left = [Part(1, b, factor)] if level == 1 else [Part(rng.randint(1, 4), b, factor), Part(0, _nonzero(rng, -9, 9))]
    whole = _collected(left)
    return _linear(rng, left, [Part(0, whole.a * solution + whole.b)])


def _quotient(rng: random.Random, level: int) -> Draft:
    """`x / 3 + 5 = 9`"""
    unknown, divisor = rng.choice(UNKNOWNS), rng.randint(2, 9)
    quotient, b = rng.randint(2, 12), _nonzero(rng, -20, 20)
    sign = "+" if b > 0 else "-"
    facts = labelled([f"{unknown} / {divisor} {sign} {abs(b)} = {quotient + b}"])
    reduced = f"{unknown} / {divisor} = {quotient}"
    solution = quotient * divisor
    steps = (f"P1 => {reduced}", f"{reduced} => {unknown} = {solution}")
    return Draft(rng.choice(FIND).format(unknown, listing(facts)), steps, str(solution), facts=facts)


def _both_sides(rng: random.Random, level: int) -> Draft:
    """`5x + 3 = 2x + 15`"""
    a, c = rng.randint(3, 12), rng.randint(1, 9)
    while a <= c:
        a, c = rng.randint(3, 12), rng.randint(1, 9)
    solution, b = _nonzero(rng, -12, 12), _nonzero(rng, -20, 20)
    d = (a - c) * solution + b
    return _linear(rng, [Part(a, b)], [Part(c, d)]) if d else _both_sides(rng, level)


def _brackets(rng: random.Random, level: int) -> Draft:
    """`3 * (x - 2) + 4 = 2 * (x + 5) - 1`, with more brackets and fractions as solutions at higher levels."""
    count = max(1, level - 2)
    while True:
        left = [_random_bracket(rng) for _ in range(count)] + [Part(0, _nonzero(rng, -9, 9))]
        right = [_random_bracket(rng) for _ in range(count - (level == 5))] + [Part(0, _nonzero(rng, -9, 9))]
        here, there = _collected(left), _collected(right)
        if here.a == there.a or not (here.a and here.b and there.a and there.b):
            continue
        solution = Fraction(there.b - here.b, here.a - there.a)
        if abs(solution) <= 20 and solution.denominator <= (1 if level == 3 else 9):
            return _linear(rng, left, right)


def _random_bracket(rng: random.Random) -> Part:
    return Part(rng.choice((1, 1, 2, 3)), _nonzero(rng, -9, 9), rng.choice((-3, -2, 2, 3, 4, 5, 6)))


def _system(rng: random.Random, level: int) -> Draft:
    """Two equations in two unknowns; from level 4 on both unknowns are needed."""
    names = sorted(rng.sample(UNKNOWNS, 2))
    values = [_nonzero(rng, -9, 9), _nonzero(rng, -9, 9)]
    rows = _rows(rng, level)
    totals = [a * values[0] + b * values[1] for a, b in rows]
    facts = labelled(
        f"{joined(list(zip(row, names, strict=True)))} = {total}" for row, total in zip(rows, totals, strict=True)
    )
    wanted = rng.randrange(2) if level < 4 else 0
    steps = _eliminate(rows, totals, names, values, wanted)
    find, answer = names[wanted], values[wanted]
    if level >= 4:
        steps += _substitute(rows[0], totals[0], names, values)
        find, answer = " + ".join(names), sum(values)
        steps.append(f"{names[0]} = {values[0]}, {names[1]} = {values[1]} => {find} = {answer}")
    return Draft(rng.choice(FIND).format(find, listing(facts)), tuple(steps), str(answer), facts=facts)


def _rows(rng: random.Random, level: int) -> list[tuple[int, int]]:
    """Coefficients of two independent equations: x ± y at level 2, small ones at level 3, any up to 7 above."""
    if level == 2:
        return [(1, 1), (1, -1)] if rng.random() < 0.5 else [(1, -1), (1, 1)]
    big = level + 2
    while True:
        rows = [(rng.randint(1, big), _nonzero(rng, -big, big)) for _ in range(2)]
        if level == 3:
            rows[1] = (1, rng.choice((-1, 1)))
        if rows[0][0] * rows[1][1] != rows[1][0] * rows[0][1]:
            return rows


def _eliminate(
    rows: list[tuple[int, int]], totals: list[int], names: list[str], values: list[int], wanted: int
) -> list[str]:
    """Multiply the equations until the unwanted unknown has coefficients of one size, then add or subtract them."""
    unwanted = [row[1 - wanted] for row in rows]
    size = lcm(*unwanted)
    steps, premises, coefficients, sums = [], [], [], []
    for number, (row, total, coefficient) in enumerate(zip(rows, totals, unwanted, strict=True), start=1):
        scale = size // abs(coefficient)
        premises.append(f"P{number}")
        if scale > 1:
            scaled = joined([(scale * value, name) for value, name in zip(row, names, strict=True)])
            premises[-1] = f"{scaled} = {scale * total}"
            steps.append(f"P{number} => {premises[-1]}")
        coefficients.append(scale * row[wanted])
        sums.append(scale * total)
    sign = 1 if unwanted[0] * unwanted[1] < 0 else -1
    coefficient, total = coefficients[0] + sign * coefficients[1], sums[0] + sign * sums[1]
    reduced = f"{joined([(coefficient, names[wanted])])} = {total}"
    steps.append(f"{', '.join(premises)} => {reduced}")
    if coefficient != 1:
        steps.append(f"{reduced} => {names[wanted]} = {values[wanted]}")
    return steps


def _substitute(row: tuple[int, int], total: int, names: list[str], values: list[int]) -> list[str]:
    """Put the first unknown into the first equation and solve for the second."""
    known = row[0] * values[0]
    forms = [f"{joined([(known, ''), (row[1], names[1])])} = {total}"]
    forms.append(f"{joined([(row[1], names[1])])} = {total - known}")
    if row[1] != 1:
        forms.append(f"{names[1]} = {values[1]}")
    premises = [f"P1, {names[0]} = {values[0]}", *forms]
    return [f"{premise} => {form}" for premise, form in zip(premises, forms, strict=False)]


def _quadratic(rng: random.Random, level: int) -> Draft:
    """`x^2 - 5x + 6 = 0` by its discriminant; at level 5 the leading coefficient is not 1."""
    unknown = rng.choice(UNKNOWNS)
    a = 1 if level == 4 else rng.randint(2, 4)
    while True:
        roots = sorted((Fraction(_nonzero(rng, -9, 9)), Fraction(_nonzero(rng, -9, 9), rng.choice((1, a)))))
        b, c = -a * (roots[0] + roots[1]), a * roots[0] * roots[1]
        if roots[0] != roots[1] and b:
            break
    product, sign = abs(4 * a * c), "-" if c > 0 else "+"
    discriminant = b * b - 4 * a * c
    root = isqrt(int(discriminant))
    steps = [f"4 * {abs(c)} = {product}" if a == 1 else f"4 * {a} * {abs(c)} = {4 * a} * {abs(c)} = {product}"]
    steps.append(f"{abs(b)}^2 {sign} {product} = {b * b} {sign} {product} = {discriminant}")
    steps.append(f"sqrt({discriminant}) = {root}")
    for operator, over, solution in (("-", -b - root, roots[0]), ("+", -b + root, roots[1])):
        steps.append(f"({-b} {operator} {root}) / {2 * a} = {over} / {2 * a} = {solution}")
    steps.append(f"P1 => {unknown} = {roots[0]} or {unknown} = {roots[1]}")
    facts = labelled([f"{joined([(a, f'{unknown}^2'), (int(b), unknown), (int(c), '')])} = 0"])
    which = rng.randrange(2)
    find = ("the smaller solution", "the larger solution")[which]
    return Draft(rng.choice(FIND).format(find, listing(facts)), tuple(steps), str(roots[which]), facts=facts)
