"""What the families of proofs share: statements about all numbers, and the chains that prove them.

How false claims are made and refuted is left to `refutation`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tuili.tasks.content import Clause, Clauses, Content

PROVEN = "proven"
"""The answer to a claim that holds; any other answer is a counter-example, `n = 4`."""
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
    common: int = 0
    """How many of its first lines hold whether the claim does or not. They decide it, and begin its refutation too."""
    fails_at: tuple[int, ...] = ()
    """Where a false claim of the family fails, one value for each variable; else the first values that refute it."""
    spoilt_left: bool = False
    """Whether the left side is the one of which a number is changed to make a false claim."""

    def content(self) -> Content:
        """The problem of proving it."""
        if not self.premises:
            return claimed(self.statement, self.steps, PROVEN)
        claim = spaced(f"{self.statement.left} {self.statement.relation} {self.statement.right}")
        given = Clauses(tuple(Clause("given", spaced(premise)) for premise in self.premises), ordered=True)
        steps = tuple(map(spaced, self.steps))
        return Content("given", {"claim": claim, "premises": given}, steps, PROVEN, claim=claim)


def spaced(text: str) -> str:
    """The text with spaces around its products and quotients, as a prompt is read."""
    return _TIGHT.sub(r" \1 ", text)


def claimed(statement: Statement, steps: Sequence[str], answer: str) -> Content:
    """The problem of proving or refuting a statement."""
    slots = {
        "variables": statement.variables,
        "relation": spaced(f"{statement.left} {statement.relation} {statement.right}"),
        "hypotheses": spaced(statement.hypotheses).replace(" and ", ", "),
        "values": ", ".join(f"{name} = ..." for name in statement.bounds),
    }
    kind = ("integers" if statement.integers else "reals") + ("_if" if statement.hypotheses else "")
    formal = spaced(statement.formal)
    claim = Clause(kind, formal, slots)
    return Content("claim", {"claim": claim}, tuple(map(spaced, steps)), answer, claim=formal)


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


def products(one: Sequence[int], other: Sequence[int], name: str) -> str:
    """The products of each term of one polynomial with each of another, as a sum that is not simplified."""
    degree = len(one) + len(other) - 2
    high = [degree - i - j for i in range(len(one)) for j in range(len(other))]
    values = [a * b for a in one for b in other]
    names = (f"{name}^{power}" if power > 1 else name * power for power in high)
    return total([*zip(values, names, strict=True)])
