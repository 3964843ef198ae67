"""False claims: theorems with one number changed, and the chains that refute them by a counter-example.

A chain begins with the lines that decide the claim, if its family has such lines; then it works out both sides for the
values that refute the claim. If no lines decide it, values are tried in ascending order.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product

from tuili.steps import StepFault, evaluate, parse_statement, terms
from tuili.tasks.content import Content
from tuili.tasks.domains.proofs.theorem import NUMBER, Statement, Theorem, claimed

MOST_TRIALS = 9
"""How many values of one variable are tried; values given by a family must be smaller in absolute value."""
_NEGATED = {"=": "!=", "!=": "=", ">=": "<", "<=": ">"}


def spoilt(rng: random.Random, text: str) -> str:
    """One side of a claim with one number, not an exponent, changed slightly."""
    numbers = list(NUMBER.finditer(text))
    if not numbers:
        return text
    number = rng.choice(numbers)
    changed = max(1, int(number[0]) + rng.choice((-2, -1, 1, 2)))
    return text[: number.start()] + str(changed) + text[number.end() :]


def spoilt_theorem(rng: random.Random, theorem: Theorem) -> Content | None:
    """The problem of refuting a theorem with one number changed; None if no values refute it."""
    told = theorem.statement
    if theorem.spoilt_left:
        told = replace(told, left=spoilt(rng, told.left))
    else:
        told = replace(told, right=spoilt(rng, told.right))
    return refuted(told, theorem.comparisons(told), theorem.fails_at)


def refuted(statement: Statement, common: Sequence[str] = (), fails_at: Sequence[int] = ()) -> Content | None:
    """The problem of refuting a statement; None if none of the tried values refutes it.

    `common` has the lines that decide the statement, and `fails_at` the values to try. Without such lines, the chain of
    a claim about one variable also has the trials that did not refute it.
    """
    lines = [*common]
    names = [*statement.bounds]
    if any(abs(value) >= MOST_TRIALS for value in fails_at):
        return None
    points = [dict(zip(names, fails_at, strict=True))] if fails_at else _points(statement)
    for values in points:
        trial = _trial(statement, values)
        if trial is None:
            continue
        working, line, holds = trial
        if not holds:
            return claimed(statement, (*lines, *working, line), line.partition(":")[0])
        if not common and len(names) == 1:
            lines += [*working, line]
    return None


def _points(statement: Statement) -> Iterator[dict[str, int]]:
    names, lows = [*statement.bounds], [*statement.bounds.values()]
    points = sorted(product(range(MOST_TRIALS if len(names) == 1 else 4), repeat=len(names)), key=sum)
    for point in points:
        yield {name: low + more for name, low, more in zip(names, lows, point, strict=True)}


def _trial(statement: Statement, values: Mapping[str, int]) -> tuple[list[str], str, bool] | None:
    """The working of both sides for some values, the line that compares them, and whether the statement holds for them.

    The first line of the working says which values are tried.
    """
    known = {name: Fraction(value) for name, value in values.items()}
    if statement.hypotheses and not evaluate(parse_statement(statement.hypotheses), known):
        return None
    parsed = [parse_statement(side) for side in (statement.left, statement.right)]
    try:
        sides = [evaluate(term, known) for term in parsed]
    except StepFault:
        return None
    holds = bool(evaluate(parse_statement(f"{sides[0]} {statement.relation} {sides[1]}")))
    relation = statement.relation if holds else _NEGATED[statement.relation]
    parts = [statement.left, str(sides[0])]
    if holds and relation == "=":
        text = " = ".join((*parts, statement.right))
    else:
        right = str(sides[1])
        text = f"{' = '.join(parts)} {relation} "
        text += right if right == statement.right else f"{right} = {statement.right}"
    at = ", ".join(f"{name} = {value}" for name, value in values.items())
    working = [line for term in parsed for line in worked(term, known)]
    return [f"{at}: {line}" for line in working[:1]] + working[1:], f"{at}: {text}", holds


def worked(term: terms.Term, values: Mapping[str, Fraction]) -> list[str]:
    """The lines that work out a polynomial, one for each operation on two numbers.

    There is no line for adding 0, for multiplying by 0 or 1, for powers of 0 or 1, or for the outermost remainder.
    """
    lines: list[str] = []

    def value(part: terms.Term) -> Fraction | None:
        match part:
            case terms.Number():
                return part.value
            case terms.Name():
                return values[part.id]
            case terms.Unary("-", operand):
                inner = value(operand)
                return None if inner is None else -inner
            case terms.Binary(op, left, right):
                one, other = value(left), value(right)
                if one is None or other is None or op not in "+-*/^":
                    return None
                base = f"({one})" if op == "^" and one < 0 else str(one)
                text = f"{base}^{other}" if op == "^" else f"{base} {op} {other}"
                result = evaluate(parse_statement(text))
                assert isinstance(result, Fraction)
                easy = (0,) if op in "+-" else (0, 1)
                if one not in easy and other not in easy:
                    lines.append(f"{text} = {result}")
                return result
        return None

    value(term)
    return lines
