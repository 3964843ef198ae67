"""Systems of linear equations and inequalities: a rational solution, or a proof that there is none.

Equations are eliminated by Gauss' method, inequalities by Fourier's and Motzkin's. Every row carries how it
was combined from the given ones, so that a contradiction comes with its multipliers (Farkas' lemma).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from tuili.steps.theories.polynomial import Polynomial, add, degree
from tuili.steps.values.arithmetic import bounded
from tuili.steps.work_budget import WorkBudget

MAX_WORK = 2000  # coefficients touched


@dataclass(frozen=True, slots=True)
class Row:
    """A linear form that stands in a relation (`=`, `<` or `<=` when solved) to 0.

    `multipliers` says how often each given row was added up to make this one.
    """

    form: Polynomial
    relation: str
    multipliers: dict[int, Fraction] = field(default_factory=dict)


@dataclass(frozen=True)
class Contradiction:
    """The given rows, taken so often, add up to something false like `0 < 0`."""

    multipliers: dict[int, Fraction]


def solve(rows: Sequence[Row], budget: WorkBudget) -> dict[str, Fraction] | Contradiction:
    """Values of the unknowns that fit all rows, or the contradiction in them."""
    pending = [Row(row.form, row.relation, {i: Fraction(1)}) for i, row in enumerate(rows)]
    eliminated: list[tuple[str, list[Row]]] = []
    while True:
        live: list[Row] = []
        for row in pending:
            if degree(row.form):
                live.append(row)
            elif _is_false(row):
                return Contradiction(row.multipliers)
        if not live:
            break
        unknown, limits, pending = _eliminate(live, budget)
        eliminated.append((unknown, limits))
    solution: dict[str, Fraction] = {}
    for unknown, limits in reversed(eliminated):
        solution[unknown] = _between(unknown, limits, solution)
    return solution


def _is_false(row: Row) -> bool:
    constant = row.form.get((), Fraction(0))
    if row.relation == "=":
        return constant != 0
    return constant >= 0 if row.relation == "<" else constant > 0


def _eliminate(rows: Sequence[Row], budget: WorkBudget) -> tuple[str, list[Row], list[Row]]:
    """An unknown, the rows that limit it, and rows without it that are as solvable as the given ones."""
    budget.spend(sum(len(row.form) for row in rows))
    equation = next((row for row in rows if row.relation == "="), None)
    if equation is not None:
        unknown = min(monomial[0] for monomial in equation.form if monomial)
        key = (unknown,)
        others = [row for row in rows if row is not equation]
        free = [row for row in others if key not in row.form]
        for row in others:
            if key in row.form:
                free.append(_combine(row, equation, -row.form[key] / equation.form[key], budget))
        return unknown, [equation], free
    unknown = _cheapest(rows)
    key = (unknown,)
    above = [row for row in rows if row.form.get(key, 0) > 0]
    below = [row for row in rows if row.form.get(key, 0) < 0]
    free = [row for row in rows if key not in row.form]
    for high in above:
        for low in below:
            free.append(_combine(high, low, -high.form[key] / low.form[key], budget))
    return unknown, above + below, free


def _cheapest(rows: Sequence[Row]) -> str:
    """The unknown whose elimination makes the fewest new rows."""
    counts: dict[str, list[int]] = {}
    for row in rows:
        for monomial, coefficient in row.form.items():
            if monomial:
                counts.setdefault(monomial[0], [0, 0])[coefficient > 0] += 1
    return min(counts, key=lambda unknown: (counts[unknown][0] * counts[unknown][1], unknown))


def _combine(row: Row, other: Row, factor: Fraction, budget: WorkBudget) -> Row:
    """`row` + factor · `other`; the factor is positive unless `other` is an equation."""
    budget.spend(len(row.form) + len(other.form) + len(other.multipliers))
    form = add(row.form, {monomial: bounded(value * factor) for monomial, value in other.form.items()})
    multipliers = dict(row.multipliers)
    for i, value in other.multipliers.items():
        multipliers[i] = bounded(multipliers.get(i, Fraction(0)) + value * factor)
    relations = {row.relation, other.relation}
    relation = "<" if "<" in relations else "<=" if "<=" in relations else "="
    return Row(form, relation, {i: value for i, value in multipliers.items() if value})


def _between(unknown: str, limits: Sequence[Row], solution: dict[str, Fraction]) -> Fraction:
    """A value of an unknown within its limits. Unknowns that are still free then get the value 0."""
    lowest: Fraction | None = None
    highest: Fraction | None = None
    for row in limits:
        own, others = row.form[(unknown,)], Fraction(0)
        for monomial, coefficient in row.form.items():
            if monomial != (unknown,):
                others += coefficient * (solution.setdefault(monomial[0], Fraction(0)) if monomial else 1)
        limit = -others / own
        if row.relation == "=" or own > 0:
            highest = limit if highest is None else min(highest, limit)
        if row.relation == "=" or own < 0:
            lowest = limit if lowest is None else max(lowest, limit)
    if lowest is None:
        return Fraction(0) if highest is None else highest - 1
    return lowest + 1 if highest is None else (lowest + highest) / 2
