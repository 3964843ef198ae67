"""What the families of proofs share: statements about all numbers, and the chains that prove them.

`refutation` makes and refutes false claims.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tuili.tasks.content import Clause, Clauses, Content

PROVEN = "proven"
"""The answer to a claim that holds; any other answer is a counter-example, `n = 4`."""
NUMBER = re.compile(r"(?<![\^\w])[0-9]+\b")
"""A number that is not an exponent."""
_TIGHT = re.compile(r"(?<=[\w)])([*/])(?=[\w(])")


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
        """The text before the two sides: the quantifier and the hypotheses."""
        lead = f"for all {'integers ' if self.integers else ''}{self.variables}: "
        return f"{lead}{self.hypotheses} -> " if self.hypotheses else lead

    @property
    def formal(self) -> str:
        """The statement in the step language."""
        return f"{self.lead}{self.left} {self.relation} {self.right}"

    @property
    def bounds(self) -> dict[str, int]:
        """The smallest value of each variable to try."""
        pairs = [text.split(" >= ") for text in self.variables.split(", ")]
        return {name: int(low[0]) if low else 0 for name, *low in pairs}

    def chain(self, *between: str) -> str:
        """The line that equates the left side, the forms in between, and the right side."""
        return self.lead + " = ".join((self.left, *between, self.right))


@dataclass(frozen=True)
class Theorem:
    """A claim with the chain that proves it. If it has premises, it is about their unknowns, not about all numbers."""

    statement: Statement
    steps: tuple[str, ...]
    premises: tuple[str, ...] = ()
    working: tuple[tuple[str, ...], ...] = ()
    """For each number in the side that may be changed, the lines that work out its right value."""
    fails_at: tuple[int, ...] = ()
    """Where a false claim of the family fails, one value per variable; if empty, the first values that refute it."""
    spoilt_left: bool = False
    """Whether a false claim is made by changing a number in the left side instead of the right side."""

    def content(self) -> Content:
        """The problem of proving the claim."""
        if not self.premises:
            return claimed(self.statement, (*self.comparisons(self.statement), *self.steps), PROVEN)
        claim = _spaced(f"{self.statement.left} {self.statement.relation} {self.statement.right}")
        given = Clauses(tuple(Clause("given", _spaced(premise)) for premise in self.premises), ordered=True)
        steps = tuple(map(_spaced, self.steps))
        return Content("given", {"claim": claim, "premises": given}, steps, PROVEN, claim=claim)

    def comparisons(self, claim: Statement) -> list[str]:
        """The lines that compare the numbers of a claim with their right values, up to the first difference."""
        lines: list[str] = []
        mine, theirs = self._numbers(self.statement), self._numbers(claim)
        for right, told, working in zip(mine, theirs, self.working, strict=bool(self.working)):
            lines += [*working, f"{told} - {right} = {told - right}"]
            if told != right:
                break
        return lines

    def _numbers(self, statement: Statement) -> list[int]:
        if not self.working:
            return []
        side = statement.left if self.spoilt_left else statement.right
        return [int(number[0]) for number in NUMBER.finditer(side)]


def _spaced(text: str) -> str:
    """The text with spaces around the signs of products and quotients, as in a prompt."""
    return _TIGHT.sub(r" \1 ", text)


def claimed(statement: Statement, steps: Sequence[str], answer: str) -> Content:
    """The problem of proving or refuting a statement."""
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


def total(terms: Sequence[tuple[int, str]]) -> str:
    """`2*x^2 - x + 3` from coefficients and what they multiply (nothing for a plain number)."""
    text = ""
    for value, what in (term for term in terms if term[0]):
        size = str(abs(value)) if not what else what if abs(value) == 1 else f"{abs(value)}*{what}"
        sign = "-" if value < 0 else "+"
        text += f" {sign} {size}" if text else size if value > 0 else f"-{size}"
    return text or "0"


def powers(coefficients: Sequence[int], name: str) -> str:
    """The polynomial with these coefficients, highest power first."""
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


def products(one: Sequence[int], other: Sequence[int], name: str) -> str:
    """The products of each term of one polynomial with each term of another, as an unsimplified sum."""
    degree = len(one) + len(other) - 2
    high = [degree - i - j for i in range(len(one)) for j in range(len(other))]
    values = [a * b for a in one for b in other]
    names = (f"{name}^{power}" if power > 1 else name * power for power in high)
    return total([*zip(values, names, strict=True)])


def term_working(terms: Sequence[tuple[int, str, tuple[str, ...]]]) -> tuple[tuple[str, ...], ...]:
    """The working of those terms of a sum that show a number, judged by their coefficients and names."""
    return tuple(lines for value, name, lines in terms if value and not (name and abs(value) == 1))


def result(one: int, sign: str, other: int) -> str:
    """`3 * -4 = -12`, `3 - 4 = -1` for adding -4."""
    if sign == "+" and other < 0:
        sign, other = "-", -other
    value = one * other if sign == "*" else one + other if sign == "+" else one - other
    return f"{one} {sign} {other} = {value}"
