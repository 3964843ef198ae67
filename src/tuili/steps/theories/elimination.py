"""Systems of linear equations and inequalities: a rational solution, or a proof that there is none.

Unknowns are eliminated from equations by Gauss's method, from inequalities by the Fourier-Motzkin method. Every
constraint records how it was combined from the given ones, so that a contradiction comes with its multipliers (Farkas'
lemma).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from tuili.steps.theories.polynomial import Polynomial, add, degree
from tuili.steps.values.arithmetic import bounded
from tuili.steps.work_budget import WorkBudget

MAX_ELIMINATION_WORK = 2000
"""The maximum work for one inference, in coefficients read."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """A linear form and its relation to 0. `solve` takes the relations `=`, `<` and `<=`.

    `multipliers` maps positions of given constraints to the factors with which they add up to this one.
    """

    form: Polynomial
    relation: str
    multipliers: dict[int, Fraction] = field(default_factory=dict)


@dataclass(frozen=True)
class Contradiction:
    """The given constraints, each times its multiplier, add up to something false like `0 < 0`."""

    multipliers: dict[int, Fraction]


def solve(constraints: Sequence[Constraint], budget: WorkBudget) -> dict[str, Fraction] | Contradiction:
    """Values of the unknowns that satisfy all constraints, or the contradiction between the constraints."""
    pending = [Constraint(given.form, given.relation, {i: Fraction(1)}) for i, given in enumerate(constraints)]
    eliminated: list[tuple[str, list[Constraint]]] = []
    while True:
        live: list[Constraint] = []
        for constraint in pending:
            if degree(constraint.form):
                live.append(constraint)
            elif _is_false(constraint):
                return Contradiction(constraint.multipliers)
        if not live:
            break
        unknown, limits, pending = _eliminate(live, budget)
        eliminated.append((unknown, limits))
    solution: dict[str, Fraction] = {}
    for unknown, limits in reversed(eliminated):
        solution[unknown] = _between(unknown, limits, solution)
    return solution


def _is_false(constraint: Constraint) -> bool:
    constant = constraint.form.get((), Fraction(0))
    if constraint.relation == "=":
        return constant != 0
    return constant >= 0 if constraint.relation == "<" else constant > 0


def _eliminate(constraints: Sequence[Constraint], budget: WorkBudget) -> tuple[str, list[Constraint], list[Constraint]]:
    """An unknown, the constraints on it, and constraints without it that are solvable if the given ones are."""
    budget.spend(sum(len(constraint.form) for constraint in constraints))
    equation = next((constraint for constraint in constraints if constraint.relation == "="), None)
    if equation is not None:
        unknown = min(monomial[0] for monomial in equation.form if monomial)
        key = (unknown,)
        others = [constraint for constraint in constraints if constraint is not equation]
        free = [constraint for constraint in others if key not in constraint.form]
        for constraint in others:
            if key in constraint.form:
                free.append(_combine(constraint, equation, -constraint.form[key] / equation.form[key], budget))
        return unknown, [equation], free
    unknown = _cheapest(constraints)
    key = (unknown,)
    above = [constraint for constraint in constraints if constraint.form.get(key, 0) > 0]
    below = [constraint for constraint in constraints if constraint.form.get(key, 0) < 0]
    free = [constraint for constraint in constraints if key not in constraint.form]
    for high in above:
        for low in below:
            free.append(_combine(high, low, -high.form[key] / low.form[key], budget))
    return unknown, above + below, free


def _cheapest(constraints: Sequence[Constraint]) -> str:
    """The unknown whose elimination makes the fewest new constraints."""
    counts: dict[str, list[int]] = {}
    for constraint in constraints:
        for monomial, coefficient in constraint.form.items():
            if monomial:
                counts.setdefault(monomial[0], [0, 0])[coefficient > 0] += 1
    return min(counts, key=lambda unknown: (counts[unknown][0] * counts[unknown][1], unknown))


def _combine(constraint: Constraint, other: Constraint, factor: Fraction, budget: WorkBudget) -> Constraint:
    """`constraint` + factor · `other`; the factor is positive unless `other` is an equation."""
    budget.spend(len(constraint.form) + len(other.form) + len(other.multipliers))
    form = add(constraint.form, {monomial: bounded(value * factor) for monomial, value in other.form.items()})
    multipliers = dict(constraint.multipliers)
    for i, value in other.multipliers.items():
        multipliers[i] = bounded(multipliers.get(i, Fraction(0)) + value * factor)
    relations = {constraint.relation, other.relation}
    relation = "<" if "<" in relations else "<=" if "<=" in relations else "="
    return Constraint(form, relation, {i: value for i, value in multipliers.items() if value})


def _between(unknown: str, limits: Sequence[Constraint], solution: dict[str, Fraction]) -> Fraction:
    """A value of an unknown within its limits. Other unknowns in the limits that have no value yet are set to 0."""
    lowest: Fraction | None = None
    highest: Fraction | None = None
    for constraint in limits:
        factor, others = constraint.form[(unknown,)], Fraction(0)
        for monomial, coefficient in constraint.form.items():
            if monomial != (unknown,):
                others += coefficient * (solution.setdefault(monomial[0], Fraction(0)) if monomial else 1)
        limit = -others / factor
        if constraint.relation == "=" or factor > 0:
            highest = limit if highest is None else min(highest, limit)
        if constraint.relation == "=" or factor < 0:
            lowest = limit if lowest is None else max(lowest, limit)
    if lowest is None:
        return Fraction(0) if highest is None else highest - 1
    return lowest + 1 if highest is None else (lowest + highest) / 2
