"""Linear inference over the rationals: does a conclusion follow from equations and inequalities?

The premises and the negated conclusion are brought into disjunctive normal form; the conclusion follows when every
branch is unsolvable. A branch is decided by Gaussian and Fourier-Motzkin elimination, which tracks from which rows
each derived row came (Farkas' lemma): multipliers are the witness of "yes", a solution is the witness of "no".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from tuili.steps.arithmetic import bounded
from tuili.steps.polynomial import Polynomial, add, degree, expand, subtract
from tuili.steps.terms import CONNECTIVES, RELATIONS, Binary, Boolean, Compare, Term, Unary
from tuili.steps.values import show_number
from tuili.steps.verdict import Decision, OverBudget, Undecided

MAX_BRANCHES = 64
MAX_ROWS = 300

_NEGATED = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


@dataclass(frozen=True, slots=True)
class _Row:
    """`form` relation 0, where the relation is `=`, `<=` or `<`; `sources` says how it was combined from the inputs."""

    form: Polynomial
    relation: str
    sources: dict[int, Fraction]


Atom = tuple[Polynomial, str]


def decide(premises: Sequence[Term], conclusion: Term) -> Decision:
    """Whether the conclusion holds in every rational solution of the premises."""
    branches = [normal_form(premise, True) for premise in premises]
    negated = normal_form(conclusion, False)
    count = len(negated)
    for options in branches:
        count *= len(options)
    if count > MAX_BRANCHES:
        raise OverBudget("too many cases")
    used: set[int] = set()
    multipliers: list[dict[str, str]] = []
    for choice in product(*branches, negated):
        solution = _solve_branch(choice)
        if isinstance(solution, dict):
            model = {name: show_number(value) for name, value in sorted(solution.items())}
            return Decision(False, counter_model=model)
        used |= {source for source in solution.sources if source < len(premises)}
        multipliers.append({str(source): show_number(value) for source, value in solution.sources.items()})
    consistent = any(isinstance(_solve_branch(choice), dict) for choice in product(*branches))
    rule = "restatement" if conclusion in premises else "linear combination"
    return Decision(True, consistent, rule, tuple(sorted(used)), evidence={"multipliers": tuple(multipliers)})


def _solve_branch(choice: Sequence[Sequence[Atom]]) -> dict[str, Fraction] | _Row:
    return solve([_Row(form, op, {i: Fraction(1)}) for i, atoms in enumerate(choice) for form, op in atoms])


def normal_form(term: Term, wanted: bool) -> list[list[Atom]]:
    """The ways to make a statement true (or false): one of the lists of rows must hold as a whole."""
    match term:
        case Boolean():
            return [[]] if term.value is wanted else []
        case Compare():
            sides = (term.first, *(part for _, part in term.rest))
            forms = [expand(side) for side in sides]
            links = [
                _ways(subtract(forms[i], forms[i + 1]), "=" if op == "==" else op, wanted)
                for i, (op, _) in enumerate(term.rest)
            ]
            return _both(links) if wanted else [way for link in links for way in link]
        case Unary(op="not"):
            return normal_form(term.operand, not wanted)
        case Binary(op="and" | "or"):
            sides_ = [normal_form(side, wanted) for side in (term.left, term.right)]
            return _both(sides_) if (term.op == "and") is wanted else sides_[0] + sides_[1]
        case Binary(op="->"):
            return normal_form(Binary("or", Unary("not", term.left), term.right), wanted)
        case Binary(op="<->" | "xor"):
            same = (term.op == "<->") is wanted
            cases = [
                [normal_form(term.left, value), normal_form(term.right, value is same)] for value in (True, False)
            ]
            return [way for case in cases for way in _both(case)]
    raise Undecided("not a statement about numbers")


def _both(parts: Sequence[list[list[Atom]]]) -> list[list[Atom]]:
    result: list[list[Atom]] = [[]]
    for ways in parts:
        if len(result) * len(ways) > MAX_BRANCHES:
            raise OverBudget("too many cases")
        result = [[*before, *way] for before in result for way in ways]
    return result


def _ways(form: Polynomial, relation: str, wanted: bool) -> list[list[Atom]]:
    if degree(form) > 1:
        raise Undecided("a product of unknowns")
    if not wanted:
        relation = _NEGATED[relation]
    opposite = subtract({}, form)
    match relation:
        case "=" | "<" | "<=":
            return [[(form, relation)]]
        case ">" | ">=":
            return [[(opposite, "<" if relation == ">" else "<=")]]
    return [[(form, "<")], [(opposite, "<")]]


def solve(rows: Sequence[_Row]) -> dict[str, Fraction] | _Row:
    """A solution of all rows, or a contradictory row that was combined from them."""
    eliminated: list[tuple[str, list[_Row]]] = []
    pending = list(rows)
    while True:
        live: list[_Row] = []
        for row in pending:
            if degree(row.form):
                live.append(row)
            elif _contradictory(row):
                return row
        if not live:
            break
        if len(live) > MAX_ROWS:
            raise OverBudget("too many inequalities")
        unknown, pivot = _choose(live)
        key = (unknown,)
        bound = [row for row in live if key in row.form]
        pending = [row for row in live if key not in row.form]
        if pivot is not None:
            pending += [_combine(row, pivot, -row.form[key] / pivot.form[key]) for row in bound if row is not pivot]
            eliminated.append((unknown, [pivot]))
        else:
            above = [row for row in bound if row.form[key] > 0]
            below = [row for row in bound if row.form[key] < 0]
            if len(above) * len(below) + len(pending) > MAX_ROWS:
                raise OverBudget("too many inequalities")
            pending += [_combine(a, b, -a.form[key] / b.form[key]) for a in above for b in below]
            eliminated.append((unknown, bound))
    solution: dict[str, Fraction] = {}
    for unknown, bound in reversed(eliminated):
        solution[unknown] = _between(unknown, bound, solution)
    return solution


def _contradictory(row: _Row) -> bool:
    constant = row.form.get((), Fraction(0))
    return constant != 0 if row.relation == "=" else constant >= 0 if row.relation == "<" else constant > 0


def _choose(rows: Sequence[_Row]) -> tuple[str, _Row | None]:
    """The unknown to eliminate next, and an equation that does it if there is one."""
    for row in rows:
        if row.relation == "=":
            return min(monomial[0] for monomial in row.form if monomial), row
    counts: dict[str, list[int]] = {}
    for row in rows:
        for monomial, coefficient in row.form.items():
            if monomial:
                counts.setdefault(monomial[0], [0, 0])[coefficient > 0] += 1
    return min(counts, key=lambda unknown: (counts[unknown][0] * counts[unknown][1], unknown)), None


def _combine(row: _Row, other: _Row, factor: Fraction) -> _Row:
    """`row` + factor · `other`; the factor is positive unless `other` is an equation."""
    form = add(row.form, {monomial: bounded(value * factor) for monomial, value in other.form.items()})
    sources = dict(row.sources)
    for source, value in other.sources.items():
        sources[source] = sources.get(source, Fraction(0)) + value * factor
    relation = "<" if "<" in (row.relation, other.relation) else "<=" if "<=" in (row.relation, other.relation) else "="
    return _Row(form, relation, sources)


def _between(unknown: str, rows: Sequence[_Row], solution: dict[str, Fraction]) -> Fraction:
    """A value of an unknown that fits the rows, given the values of the unknowns that were eliminated later."""
    low: Fraction | None = None
    high: Fraction | None = None
    for row in rows:
        own = row.form[(unknown,)]
        others = sum(
            (value * solution.setdefault(monomial[0], Fraction(0)) if monomial else value)
            for monomial, value in row.form.items()
            if monomial != (unknown,)
        )
        limit = Fraction(-others) / own
        if row.relation == "=":
            return limit
        if own > 0:
            high = limit if high is None else min(high, limit)
        else:
            low = limit if low is None else max(low, limit)
    if low is None or high is None:
        return high - 1 if high is not None else low + 1 if low is not None else Fraction(0)
    return (low + high) / 2


def is_about_numbers(term: Term) -> bool:
    """Whether a statement is made of comparisons and connectives, with at least one comparison."""
    match term:
        case Compare():
            return all(op in RELATIONS for op, _ in term.rest)
        case Unary(op="not"):
            return is_about_numbers(term.operand)
        case Binary(op=op) if op in CONNECTIVES:
            return is_about_numbers(term.left) and is_about_numbers(term.right)
    return False
