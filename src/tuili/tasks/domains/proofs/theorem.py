"""What the families of proofs share: statements about all numbers, their chains, and the trials that refute them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

from tuili.steps import StepFault, evaluate, parse_statement
from tuili.tasks.content import Clause, Clauses, Content

PROVEN = "proven"
"""The answer to a claim that holds; any other answer is a counter-example, `n = 4`."""
MOST_TRIALS = 9
_NUMBER = re.compile(r"(?<![\^\w])[0-9]+\b")
_TIGHT = re.compile(r"(?<=[\w)])([*/])(?=[\w(])")
_NEGATED = {"=": "!=", "!=": "=", ">=": "<", "<=": ">"}


@dataclass(frozen=True)
class Statement:
    """`for all integers n >= 1: hypotheses -> left relation right`."""

    variables: str
    left: str
    right: str
    relation: str = "="
    integers: bool = False
    hypotheses: str = ""

    @property
    def lead(self) -> str:
        """What stands before the relation."""
        lead = f"for all {'integers ' if self.integers else ''}{self.variables}: "
        return f"{lead}{self.hypotheses} -> " if self.hypotheses else lead

    @property
    def formal(self) -> str:
        """The statement in the step language."""
        return f"{self.lead}{self.left} {self.relation} {self.right}"

    @property
    def bounds(self) -> dict[str, int]:
        """The least value of each variable that is tried."""
        pairs = [text.split(" >= ") for text in self.variables.split(", ")]
        return {name: int(low[0]) if low else 0 for name, *low in pairs}

    def chain(self, *between: str) -> str:
        """The line that leads from the left side over other forms to the right side, all equal."""
        return self.lead + " = ".join((self.left, *between, self.right))


@dataclass(frozen=True)
class Theorem:
    """A claim with the chain that proves it. With premises the claim is about their unknowns, not about all numbers."""

    statement: Statement
    steps: tuple[str, ...]
    premises: tuple[str, ...] = ()

    def content(self) -> Content:
        """The problem of proving it."""
        if not self.premises:
            return _content(self.statement, self.steps, PROVEN)
        claim = _spaced(f"{self.statement.left} {self.statement.relation} {self.statement.right}")
        given = Clauses(tuple(Clause("given", _spaced(premise)) for premise in self.premises), ordered=True)
        steps = tuple(map(_spaced, self.steps))
        return Content("given", {"claim": claim, "premises": given}, steps, PROVEN, claim=claim)


def _spaced(text: str) -> str:
    """The text with spaces around its products and quotients, as a prompt is read."""
    return _TIGHT.sub(r" \1 ", text)


def _content(statement: Statement, steps: Sequence[str], answer: str) -> Content:
    slots = {
        "variables": statement.variables,
        "relation": _spaced(f"{statement.left} {statement.relation} {statement.right}"),
        "hypotheses": _spaced(statement.hypotheses).replace(" and ", ", "),
        "values": ", ".join(f"{name} = ..." for name in statement.bounds),
    }
    kind = ("integers" if statement.integers else "reals") + ("_if" if statement.hypotheses else "")
    formal = _spaced(statement.formal)
    claim = Clause(kind, formal, slots)
    return Content("claim", {"claim": claim}, tuple(map(_spaced, steps)), answer, claim=formal)


def refuted(statement: Statement) -> Content | None:
    """The problem of refuting a statement, whose chain tries values from the least on; None if none is found."""
    trials: list[str] = []
    single = len(statement.bounds) == 1
    for values in _points(statement):
        trial = _trial(statement, values)
        if trial is None:
            continue
        line, holds = trial
        if single or not holds:
            trials.append(line)
        if not holds:
            return _content(statement, trials, line.partition(":")[0])
    return None


def _points(statement: Statement) -> Iterator[dict[str, int]]:
    names, lows = [*statement.bounds], [*statement.bounds.values()]
    points = sorted(product(range(MOST_TRIALS if len(names) == 1 else 4), repeat=len(names)), key=sum)
    for point in points:
        yield {name: low + more for name, low, more in zip(names, lows, point, strict=True)}


def _trial(statement: Statement, values: Mapping[str, int]) -> tuple[str, bool] | None:
    """The line that compares both sides for some values, and whether the statement holds there."""
    known = {name: Fraction(value) for name, value in values.items()}
    if statement.hypotheses and not evaluate(parse_statement(statement.hypotheses), known):
        return None
    try:
        sides = [evaluate(parse_statement(side), known) for side in (statement.left, statement.right)]
    except StepFault:
        return None
    holds = bool(evaluate(parse_statement(f"{sides[0]} {statement.relation} {sides[1]}")))
    relation = statement.relation if holds else _NEGATED[statement.relation]
    parts = [statement.left, str(sides[0])]
    if holds and relation == "=":
        parts = [" = ".join((*parts, statement.right))]
    else:
        right = str(sides[1])
        parts = [
            f"{' = '.join(parts)} {relation} " + (right if right == statement.right else f"{right} = {statement.right}")
        ]
    at = ", ".join(f"{name} = {value}" for name, value in values.items())
    return f"{at}: {parts[0]}", holds


def spoilt(rng: random.Random, statement: Statement) -> Statement:
    """The statement with one number of its right side, no exponent, changed a little."""
    numbers = list(_NUMBER.finditer(statement.right))
    if not numbers:
        return statement
    number = rng.choice(numbers)
    changed = max(1, int(number[0]) + rng.choice((-2, -1, 1, 2)))
    return replace(statement, right=statement.right[: number.start()] + str(changed) + statement.right[number.end() :])


def total(terms: Sequence[tuple[int, str]]) -> str:
    """`2*x^2 - x + 3` from coefficients and what they multiply, nothing for a plain number."""
    text = ""
    for value, what in (term for term in terms if term[0]):
        size = str(abs(value)) if not what else what if abs(value) == 1 else f"{abs(value)}*{what}"
        sign = "-" if value < 0 else "+"
        text += f" {sign} {size}" if text else size if value > 0 else f"-{size}"
    return text or "0"


def powers(coefficients: Sequence[int], name: str) -> str:
    """The polynomial with these coefficients, the one of the highest power first."""
    degree = len(coefficients) - 1
    names = (f"{name}^{degree - i}" if degree - i > 1 else name * (degree - i) for i in range(degree + 1))
    return total([*zip(coefficients, names, strict=True)])


def times(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """The coefficients of a product of two polynomials."""
    result = [0] * (len(one) + len(other) - 1)
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            result[i + j] += a * b
    return result


def nonzero(rng: random.Random, top: int) -> int:
    """A number from -top to top other than 0."""
    return rng.choice([n for n in range(-top, top + 1) if n])
