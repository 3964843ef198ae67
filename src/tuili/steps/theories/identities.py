"""What follows for all values of several unknowns: `n = 2*k + 1 => n^2 = 2*(2*k^2 + 2*k) + 1`.

If an equation gives an unknown, its value is substituted for it. Then products of unknowns count as unknowns of their
own, and the conclusion must be a linear combination of the hypotheses. A square is never negative, and `m*w + r` with
an integer `w` has the remainder `r`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from tuili.steps.language.printer import render_term
from tuili.steps.language.substitution import substitute_in
from tuili.steps.language.terms import Binary, Compare, Name, Number, Term, links, names
from tuili.steps.theories.elimination import Constraint, Contradiction, solve
from tuili.steps.theories.normal_form import Range, normal_form
from tuili.steps.theories.polynomial import Polynomial, subtract
from tuili.steps.values.evaluate import evaluate, truth
from tuili.steps.values.rendering import render_number
from tuili.steps.verdict import Decision, LimitExceeded, StepFault, Undecided, Undefined
from tuili.steps.work_budget import WorkBudget

MAX_IDENTITY_WORK = 6_000
"""The maximum work for one line: one unit per node, per product of polynomials and per coefficient read."""
MAX_POINTS = 60
"""The maximum number of points, values of the unknowns, that are tried in search of a counter-example."""
MAX_SEARCH_WORK = 6000
"""The maximum work for evaluating statements at these values."""
_TRIED = tuple(map(Fraction, (0, 1, 2, 3, -1, 5, -2, 4, 7, 6)))
_TRIED_REALS = (*_TRIED[:5], Fraction(1, 2), *_TRIED[5:9])
_FLIPPED = {">": "<", ">=": "<="}


@dataclass(frozen=True)
class Premises:
    """Relations that hold, and the values of names that were read off from them."""

    relations: tuple[Compare, ...]
    values: Mapping[str, Term] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Sequence[Compare], budget: WorkBudget) -> Premises:
        """Premises in which every name that one of them gives, `n = 2*k + 1`, is replaced by its value."""
        pending, rest = [link for relation in given for link in links(relation)], list[Compare]()
        values: dict[str, Term] = {}
        while pending:
            link = pending.pop(0)
            match link:
                case Compare(Name(id=name), (("=", value),)) if name not in names(value):
                    by = {name: value}
                    pending = [substitute_in(other, by, budget) for other in pending]
                    rest = [substitute_in(other, by, budget) for other in rest]
                    values[name] = value
                case _:
                    rest.append(link)
        return cls(tuple(rest), values)

    def applied(self, relation: Compare, budget: WorkBudget) -> Compare:
        """Substitutes the values for their names in a relation."""
        for name, value in self.values.items():
            relation = substitute_in(relation, {name: value}, budget)
        return relation


def identity_budget() -> WorkBudget:
    """A fresh budget for the work of deciding one line."""
    return WorkBudget(MAX_IDENTITY_WORK, "too many products of unknowns")


def decide(given: Sequence[Term], conclusion: Term) -> Decision:
    """Whether a relation between real numbers follows from others. Raises `Undecided` if neither answer is shown."""
    budget = identity_budget()
    relations = [term for term in given if isinstance(term, Compare)]
    if len(relations) < len(given) or not isinstance(conclusion, Compare):
        raise Undecided("equations of a higher degree in several unknowns")
    unknowns = sorted(frozenset().union(*map(names, (*given, conclusion))))
    everywhere = Range(dict.fromkeys(unknowns), integers=False)
    used = tuple(range(len(given)))
    try:
        if contradict(relations, everywhere, budget):
            return Decision(True, False, "linear combination", used, expected="false")
        evidence = [follows(link, relations, everywhere, budget) for link in links(conclusion)]
        if all(evidence):
            return Decision(True, rule="substitution", used=used, evidence={"combinations": tuple(evidence)})
    except (Undecided, LimitExceeded) as fault:
        undecided: StepFault = fault
    else:
        undecided = Undecided("neither shown by substitution and linear combination nor refuted")
    model = counter_model(relations, conclusion, everywhere)
    if model is None:
        raise undecided
    return Decision(False, counter_model=model)


def contradict(given: Sequence[Compare], range_: Range, budget: WorkBudget) -> bool:
    """Whether some linear combination of relations is false."""
    constraints = _constraints(Premises.of(given, budget).relations, range_, budget)
    return isinstance(_solve(constraints, budget), Contradiction)


def follows(link: Compare, given: Sequence[Compare], range_: Range, budget: WorkBudget) -> tuple[str, ...]:
    """The rules by which a single relation follows, with their evidence; empty if it is not shown to follow."""
    premises = Premises.of(given, budget)
    goal = premises.applied(link, budget)
    left, (relation, right) = goal.first, goal.rest[0]
    difference = subtract(normal_form(left, range_, budget), normal_form(right, range_, budget))
    if relation in ("=", "==", "<=", ">=") and not difference:
        return ("equal normal forms",)
    if relation == "=" and (witness := _remainder(left, right, range_, budget)):
        return ("remainder", witness)
    if _never_below(left, relation, right, _raised(range_, premises)):
        return ("squares and bounds",)
    known = [Constraint(form, "<=") for form in _bounds(range_)]
    known += _constraints(premises.relations, range_, budget)
    multipliers: list[str] = []
    for negated in _negations(difference, relation):
        solution = _solve([*known, negated], budget)
        if not isinstance(solution, Contradiction):
            return ()
        multipliers += [render_number(factor) for _, factor in sorted(solution.multipliers.items())]
    return ("linear combination", *multipliers)


def _solve(constraints: Sequence[Constraint], budget: WorkBudget) -> Mapping[str, Fraction] | Contradiction:
    """Eliminates the unknowns. Every product of unknowns counts as one unknown."""
    single = [
        Constraint({("·".join(monomial),) if monomial else (): c for monomial, c in one.form.items()}, one.relation)
        for one in constraints
    ]
    return solve(single, budget)


def _constraints(relations: Sequence[Compare], range_: Range, budget: WorkBudget) -> list[Constraint]:
    """The relations between polynomials, as constraints; the others are left out."""
    result = []
    for link in relations:
        (relation, right), left = link.rest[0], link.first
        try:
            form = subtract(normal_form(left, range_, budget), normal_form(right, range_, budget))
        except (Undecided, Undefined):
            continue
        if relation != "!=":
            result.append(_constraint(form, relation))
    return result


def _constraint(form: Polynomial, relation: str) -> Constraint:
    if relation in _FLIPPED:
        return Constraint(subtract({}, form), _FLIPPED[relation])
    return Constraint(form, "=" if relation == "==" else relation)


def _negations(form: Polynomial, relation: str) -> list[Constraint]:
    """The cases in which `form` does not have the relation to 0."""
    match relation:
        case "=" | "==":
            return [_constraint(form, "<"), _constraint(form, ">")]
        case "!=":
            return [_constraint(form, "=")]
    return [_constraint(form, {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[relation])]


def _bounds(range_: Range) -> Iterator[Polynomial]:
    for name, low in range_.low.items():
        if low is not None:
            yield {key: value for key, value in (((), Fraction(low)), ((name,), Fraction(-1))) if value}


def _raised(range_: Range, premises: Premises) -> dict[str, Fraction]:
    """A lower bound of each unknown that has one, from its range and from premises like `a >= 0`."""
    least = {name: Fraction(low) for name, low in range_.low.items() if low is not None}
    for link in premises.relations:
        match link:
            case Compare(Name(id=name), ((">=" | ">", Number(value=value)),)):
                least[name] = max(least.get(name, value), value)
    return least


def _never_below(left: Term, relation: str, right: Term, least: Mapping[str, Fraction]) -> bool:
    """Whether a comparison with a number follows from a lower bound of its other side."""
    if relation in ("<", "<="):
        left, right, relation = right, left, ">" if relation == "<" else ">="
    if relation not in (">", ">=") or names(right):
        return False
    limit, low = evaluate(right), _least(left, least)
    return low is not None and isinstance(limit, Fraction) and (low > limit or (relation == ">=" and low == limit))


def _least(term: Term, least: Mapping[str, Fraction]) -> Fraction | None:
    """A lower bound of a term, from its form: the bound of a square is 0."""
    if not names(term):
        value = evaluate(term)
        return value if isinstance(value, Fraction) else None
    match term:
        case Name():
            return least.get(term.id)
        case Binary("^", base, Number(value=n)) if n.denominator == 1 and n >= 1:
            low = _least(base, least)
            return low**n.numerator if low is not None and low >= 0 and n < 9 else None if n % 2 else Fraction(0)
        case Binary("*", left, right) if left == right:
            return Fraction(0)
        case Binary("+" | "*" | "/" | "-", left, right):
            one, other = _least(left, least), _least(right, least)
            if one is None or other is None:
                return None
            if term.op == "+":
                return one + other
            if term.op == "-":
                return None if names(right) else one - other
            if term.op == "/":
                return one / other if not names(right) and other > 0 else None
            positive = one >= 0 and other >= 0
            scaled = (not names(left) and one >= 0) or (not names(right) and other >= 0)
            return one * other if positive or scaled else None
    return None


def _remainder(left: Term, right: Term, range_: Range, budget: WorkBudget) -> str:
    """The integer `w` that shows `(m*w + r) mod m = r`; empty if the relation has another form."""
    match left:
        case Binary("mod", dividend, divisor) if not names(divisor) and not names(right):
            modulus, rest = evaluate(divisor), evaluate(right)
        case _:
            return ""
    if not isinstance(modulus, Fraction) or not isinstance(rest, Fraction) or not 0 <= rest < modulus:
        return ""
    if rest:
        match dividend:
            case Binary("+", multiple, constant) if not names(constant) and evaluate(constant) == rest:
                dividend = multiple
            case _:
                return ""
    match dividend:
        case Binary("*", factor, witness) if not names(factor) and evaluate(factor) == modulus:
            is_integer = range_.integers and _has_integer_coefficients(witness, range_, budget)
            return render_term(witness) if is_integer else ""
    return ""


def _has_integer_coefficients(term: Term, range_: Range, budget: WorkBudget) -> bool:
    form = normal_form(term, range_, budget)
    return all(c.denominator == 1 and range_.low.keys() >= set(monomial) for monomial, c in form.items())


def counter_model(given: Sequence[Compare], conclusion: Compare, range_: Range) -> dict[str, str] | None:
    """Values of the unknowns for which all given relations hold, and the conclusion is false or has no value."""
    budget = WorkBudget(MAX_SEARCH_WORK, "too many values to work out")
    try:
        premises = Premises.of(given, budget)
        free = [name for name in range_.low if name not in premises.values]
        for point in _points(free, range_):
            values = dict(zip(free, point, strict=True))
            if _solves(given, premises, values, range_, budget) and not _holds(conclusion, values, budget):
                return {name: render_number(values[name]) for name in range_.low}
    except StepFault:
        return None
    return None


def _points(free: Sequence[str], range_: Range) -> Iterator[tuple[Fraction, ...]]:
    """Small values of the unknowns, within their range."""
    lows, tried = [range_.low[name] for name in free], _TRIED if range_.integers else _TRIED_REALS
    for i in range(MAX_POINTS if free else 1):
        places = ((i * n + i // len(tried) * (n - 1)) % len(tried) for n in range(1, len(free) + 1))
        values = zip(lows, (tried[place] for place in places), strict=True)
        yield tuple(value if low is None else low + abs(value) for low, value in values)


def _solves(
    given: Sequence[Compare], premises: Premises, values: dict[str, Fraction], range_: Range, budget: WorkBudget
) -> bool:
    """Whether values of the free unknowns solve the given relations. Adds the values of the others."""
    try:
        for name, term in reversed([*premises.values.items()]):
            value = evaluate(term, values, budget)
            low = range_.low[name]
            if not isinstance(value, Fraction) or (range_.integers and value.denominator != 1):
                return False
            if low is not None and value < low:
                return False
            values[name] = value
        return all(truth(relation, values, budget) for relation in given)
    except Undefined:
        return False


def _holds(relation: Compare, values: Mapping[str, Fraction], budget: WorkBudget) -> bool:
    try:
        return truth(relation, values, budget)
    except Undefined:
        return False
