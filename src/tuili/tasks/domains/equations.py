"""Equations: linear equations in one unknown, systems in two or three, and quadratic equations with rational roots.

Each step changes an equation in one way. The calculations that a step needs are written before it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt, lcm

from tuili.tasks.building.levels import ContentTemplate
from tuili.tasks.content import Clause, Clauses, Content, Slot
from tuili.tasks.registry import domain

UNKNOWNS = ("x", "y", "n", "k", "t", "a", "b", "w")


@dataclass(frozen=True)
class LinearPart:
    """A part of a side: `factor * (a x + b)`, or `a x + b` without brackets if the factor is 1."""

    a: int
    b: int
    factor: int = 1

    def terms(self, unknown: str) -> list[tuple[int, str]]:
        """The terms after expansion, each as a coefficient and what it multiplies (nothing for a plain number)."""
        return [(self.factor * self.a, unknown), (self.factor * self.b, "")]


def signed_sum(terms: Sequence[tuple[int, str]]) -> str:
    """The text of a sum with signs, `3x - 5`, from coefficients and what they multiply."""
    text = ""
    for value, what in [term for term in terms if term[0]]:
        size = what if what and abs(value) == 1 else f"{abs(value)}{what}"
        sign = "-" if value < 0 else "+"
        text += f" {sign} {size}" if text else size if value > 0 else f"-{size}"
    return text or "0"


def _flat(side: Sequence[LinearPart], unknown: str) -> str:
    """The text of a side after expansion."""
    return signed_sum([term for part in side for term in part.terms(unknown)])


def _given(side: Sequence[LinearPart], unknown: str) -> str:
    """The text of a side as the prompt shows it, with brackets."""
    terms: list[tuple[int, str]] = []
    for part in side:
        inside = LinearPart(part.a, part.b).terms(unknown)
        terms += inside if part.factor == 1 else [(part.factor, f" * ({signed_sum(inside)})")]
    return signed_sum(terms)


def _collected(side: Sequence[LinearPart]) -> LinearPart:
    return LinearPart(sum(part.factor * part.a for part in side), sum(part.factor * part.b for part in side))


@dataclass(frozen=True)
class Move:
    """An equation that follows from the previous one, and the calculations that are written before it."""

    form: str
    calculations: Sequence[str] = ()


def _lead(premise: str, moves: Sequence[Move], shown: str = "") -> list[str]:
    """The steps of some moves: the calculations of each move, then the inference from the previous equation.

    A move that repeats the previous equation is left out. `shown` is the equation before the first move.
    """
    steps, last = [], shown
    for move in moves:
        if move.form != last:
            steps += [*move.calculations, f"{premise} => {move.form}"]
            premise = last = move.form
    return steps


def _sums(*numbers: int) -> list[str]:
    """The line that adds two or more non-zero numbers from left to right; no line for fewer numbers."""
    numbers = tuple(number for number in numbers if number)
    if len(numbers) < 2:
        return []
    sums = [[sum(numbers[:count]), *numbers[count:]] for count in range(1, len(numbers) + 1)]
    return [" = ".join(signed_sum([(number, "") for number in left]) for left in sums)]


def _products(factor: int, numbers: Sequence[int]) -> list[str]:
    """A line for each product of the factor and a number in which neither is 0, 1 or -1."""
    return [f"{factor} * {number} = {factor * number}" for number in numbers if min(abs(factor), abs(number)) > 1]


def _division(number: int, divisor: int) -> list[str]:
    """The line of a division; no line for a division by 1."""
    return [] if divisor == 1 else [f"{number} / {divisor} = {Fraction(number, divisor)}"]


def solve_linear(left: Sequence[LinearPart], right: Sequence[LinearPart], unknown: str) -> tuple[list[str], Fraction]:
    """The steps and the solution: expand, collect, move unknowns to the left and numbers to the right, divide.

    If one side is a single bracket and the other a multiple of its factor, both are divided by the factor instead.
    """
    here, there = _collected(left), _collected(right)
    moves = []
    if len(left) == len(right) == 1 and not there.a and left[0].factor != 1 and not there.b % left[0].factor:
        quotients = _division(there.b, left[0].factor)
        here, there = LinearPart(left[0].a, left[0].b), LinearPart(0, there.b // left[0].factor)
        moves.append(Move(f"{_flat([here], unknown)} = {there.b}", quotients))
    else:
        parts = [*left, *right]
        products = [line for part in parts for line in _products(part.factor, (part.a, part.b))]
        moves.append(Move(f"{_flat(left, unknown)} = {_flat(right, unknown)}", products))
        sums = [
            line
            for side in (left, right)
            for terms in zip(*([part.factor * part.a, part.factor * part.b] for part in side), strict=True)
            for line in _sums(*terms)
        ]
        moves.append(Move(f"{_flat([here], unknown)} = {_flat([there], unknown)}", sums))
    coefficient, constant = here.a - there.a, there.b - here.b
    solution = Fraction(constant, coefficient)
    moves += [
        Move(f"{_flat([LinearPart(coefficient, here.b)], unknown)} = {there.b}", _sums(here.a, -there.a)),
        Move(f"{_flat([LinearPart(coefficient, 0)], unknown)} = {constant}", _sums(there.b, -here.b)),
        Move(f"{unknown} = {solution}", _division(constant, coefficient)),
    ]
    return _lead("P1", moves, shown=f"{_given(left, unknown)} = {_given(right, unknown)}"), solution


@domain("equations", phase=2)
class Equations:
    """The value of an unknown, the sum of two unknowns, or the larger or smaller root."""

    def sample(self, rng: random.Random, level: int) -> Content:
        return rng.choice(TEMPLATES_BY_LEVEL[level])(rng, level)


def _nonzero(rng: random.Random, low: int, high: int) -> int:
    return rng.choice([value for value in range(low, high + 1) if value])


def _linear(rng: random.Random, left: list[LinearPart], right: list[LinearPart]) -> Content:
    unknown = rng.choice(UNKNOWNS)
    steps, solution = solve_linear(left, right, unknown)
    return _content("linear", [f"{_given(left, unknown)} = {_given(right, unknown)}"], unknown, steps, solution)


def _content(
    kind: str, equations: Sequence[str], wanted: Slot, steps: Sequence[str], answer: Fraction | int
) -> Content:
    """A problem that asks for a value that equations determine. `format` says whether the answer is a fraction."""
    clauses = Clauses(tuple(Clause("equation", equation) for equation in equations))
    shape = Clause("whole" if Fraction(answer).denominator == 1 else "fraction", "")
    return Content(kind, {"equations": clauses, "wanted": wanted, "format": shape}, tuple(steps), str(answer))


def _simple(rng: random.Random, level: int) -> Content:
    """`3x + 5 = 20`"""
    a, b, solution = rng.randint(2, 9), _nonzero(rng, -20, 20), rng.randint(1, 10)
    return _linear(rng, [LinearPart(a, b)], [LinearPart(0, a * solution + b)])


def _bracket(rng: random.Random, level: int) -> Content:
    """`3 * (x + 2) = 21`, and from level 2 on `3 * (2x + 5) + 4 = 37`. No factor of a product is larger than 10."""
    factor = rng.randint(2, 9)
    if level == 1:
        b = _nonzero(rng, -9, 8)
        return _linear(rng, [LinearPart(1, b, factor)], [LinearPart(0, factor * rng.randint(max(1, b + 1), 10))])
    left = [LinearPart(rng.randint(1, 9 // factor), _nonzero(rng, -9, 9), factor), LinearPart(0, _nonzero(rng, -9, 9))]
    whole = _collected(left)
    return _linear(rng, left, [LinearPart(0, whole.a * _nonzero(rng, -10, 10) + whole.b)])


def _quotient(rng: random.Random, level: int) -> Content:
    """`x / 3 + 5 = 9`"""
    unknown, divisor = rng.choice(UNKNOWNS), rng.randint(2, 9)
    quotient, b = rng.randint(2, 10), _nonzero(rng, -20, 20)
    sign = "+" if b > 0 else "-"
    equation = f"{unknown} / {divisor} {sign} {abs(b)} = {quotient + b}"
    solution = quotient * divisor
    moves = (
        Move(f"{unknown} / {divisor} = {quotient}", _sums(quotient + b, -b)),
        Move(f"{unknown} = {solution}", _products(quotient, (divisor,))),
    )
    return _content("linear", [equation], unknown, _lead("P1", moves), solution)


def _both_sides(rng: random.Random, level: int) -> Content:
    """`5x + 3 = 2x + 15`"""
    a, c = rng.randint(3, 12), rng.randint(1, 9)
    while not 0 < a - c <= 9:
        a, c = rng.randint(3, 12), rng.randint(1, 9)
    solution, b = _nonzero(rng, -10, 10), _nonzero(rng, -20, 20)
    d = (a - c) * solution + b
    return _linear(rng, [LinearPart(a, b)], [LinearPart(c, d)]) if d else _both_sides(rng, level)


def _brackets(rng: random.Random, level: int) -> Content:
    """`3 * (x - 2) + 4 = 2 * (x + 5) - 1`; higher levels have more brackets, and fractions as solutions."""
    count = max(1, level - 2)
    while True:
        left = [_random_bracket(rng) for _ in range(count)] + [LinearPart(0, _nonzero(rng, -9, 9))]
        right = [_random_bracket(rng) for _ in range(count - (level == 5))] + [LinearPart(0, _nonzero(rng, -9, 9))]
        here, there = _collected(left), _collected(right)
        if here.a == there.a or not (here.a and here.b and there.a and there.b):
            continue
        solution = Fraction(there.b - here.b, here.a - there.a)
        if abs(solution) <= 20 and solution.denominator <= (1 if level == 3 else 9):
            return _linear(rng, left, right)


def _random_bracket(rng: random.Random) -> LinearPart:
    return LinearPart(rng.choice((1, 1, 2, 3)), _nonzero(rng, -9, 9), rng.choice((-3, -2, 2, 3, 4, 5, 6)))


def _system(rng: random.Random, level: int) -> Content:
    """Two equations in two unknowns. The question asks for one of them, for the sum at level 4, for a third at 5."""
    names = sorted(rng.sample(UNKNOWNS, 2))
    values = [_nonzero(rng, -9, 9), _nonzero(rng, -9, 9)]
    rows = _rows(rng, level)
    totals = [a * values[0] + b * values[1] for a, b in rows]
    equations = [f"{_sum(row, names)} = {total}" for row, total in zip(rows, totals, strict=True)]
    wanted = rng.randrange(2) if level < 4 else 0
    steps = _eliminate(rows, totals, names, values, wanted)
    find, answer = names[wanted], values[wanted]
    if level >= 4:
        steps += _substitute(rows[0], totals[0], names, values)
        known = f"{names[0]} = {values[0]}, {names[1]} = {values[1]}"
    if level == 4:
        find, answer = " + ".join(names), sum(values)
        steps.append(f"{known} => {find} = {answer}")
    if level == 5:
        find, answer = rng.choice([name for name in UNKNOWNS if name not in names]), _nonzero(rng, -9, 9)
        row = [_nonzero(rng, -5, 5), _nonzero(rng, -5, 5), rng.randint(2, 7)]
        parts = [factor * value for factor, value in zip(row, (*values, answer), strict=True)]
        equations.append(f"{_sum(row, [*names, find])} = {sum(parts)}")
        first, second, _ = parts
        moves = (
            Move(
                f"{_sum([first, second, row[2]], ['', '', find])} = {sum(parts)}",
                [line for factor, value in zip(row, values, strict=False) for line in _products(factor, (value,))],
            ),
            Move(f"{_sum([first + second, row[2]], ['', find])} = {sum(parts)}", _sums(first, second)),
            Move(f"{_sum([row[2]], [find])} = {parts[2]}", _sums(sum(parts), -first - second)),
            Move(f"{find} = {answer}", _division(parts[2], row[2])),
        )
        steps += _lead(f"P3, {known}", moves)
    return _content("system", equations, find, steps, answer)


def _rows(rng: random.Random, level: int) -> list[tuple[int, int]]:
    """The coefficients of two independent equations: 1 and -1 at level 2, up to 7 at level 5."""
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
    """The steps that eliminate the unwanted unknown: scale the equations, add or subtract them, divide."""
    unwanted = [row[1 - wanted] for row in rows]
    size = lcm(*unwanted)
    steps, premises, coefficients, sums = [], [], [], []
    for number, (row, total, coefficient) in enumerate(zip(rows, totals, unwanted, strict=True), start=1):
        scale = size // abs(coefficient)
        premises.append(f"P{number}")
        if scale > 1:
            premises[-1] = f"{_sum([scale * value for value in row], names)} = {scale * total}"
            steps += [*_products(scale, (*row, total)), f"P{number} => {premises[-1]}"]
        coefficients.append(scale * row[wanted])
        sums.append(scale * total)
    sign = 1 if unwanted[0] * unwanted[1] < 0 else -1
    coefficient, total = coefficients[0] + sign * coefficients[1], sums[0] + sign * sums[1]
    moves = (
        Move(
            f"{_sum([coefficient], [names[wanted]])} = {total}",
            [*_sums(coefficients[0], sign * coefficients[1]), *_sums(sums[0], sign * sums[1])],
        ),
        Move(f"{names[wanted]} = {values[wanted]}", _division(total, coefficient)),
    )
    return steps + _lead(", ".join(premises), moves)


def _substitute(row: tuple[int, int], total: int, names: list[str], values: list[int]) -> list[str]:
    """The steps that substitute the first unknown's value into the first equation and solve for the second unknown."""
    known = row[0] * values[0]
    moves = (
        Move(f"{_sum([known, row[1]], ['', names[1]])} = {total}", _products(row[0], values[:1])),
        Move(f"{_sum([row[1]], [names[1]])} = {total - known}", _sums(total, -known)),
        Move(f"{names[1]} = {values[1]}", _division(total - known, row[1])),
    )
    return _lead(f"P1, {names[0]} = {values[0]}", moves)


def _sum(coefficients: Sequence[int], names: Sequence[str]) -> str:
    return signed_sum(list(zip(coefficients, names, strict=True)))


def _quadratic(rng: random.Random, level: int) -> Content:
    """`x^2 - 5x + 6 = 0`, solved by the discriminant. At level 5 the leading coefficient is 2 to 4."""
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
    leading = "" if a == 1 else f"{a} * {abs(c)} = {4 * a} * "
    steps = [
        f"4 * {leading}{abs(c)} = {product}",
        f"{abs(b)}^2 {sign} {product} = {b * b} {sign} {product} = {discriminant}",
        f"sqrt({discriminant}) = {root}",
    ]
    for operator, over, solution in (("-", -b - root, roots[0]), ("+", -b + root, roots[1])):
        steps.append(f"({-b} {operator} {root}) / {2 * a} = {over} / {2 * a} = {solution}")
    steps.append(f"P1 => {unknown} = {roots[0]} or {unknown} = {roots[1]}")
    equation = f"{_sum([a, int(b), int(c)], [f'{unknown}^2', unknown, ''])} = 0"
    which = rng.randrange(2)
    wanted = Clause(("smaller", "larger")[which], ("smaller", "larger")[which])
    return _content("quadratic", [equation], wanted, steps, roots[which])


TEMPLATES_BY_LEVEL: dict[int, tuple[ContentTemplate, ...]] = {
    1: (_simple, _simple, _quotient, _bracket),
    2: (_both_sides, _both_sides, _bracket, _system),
    3: (_brackets, _brackets, _system),
    4: (_brackets, _system, _quadratic),
    5: (_brackets, _system, _quadratic),
}
