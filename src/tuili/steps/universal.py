"""Decides lines about all numbers: directly, by cases of a remainder, or by induction.

`for all integers n >= 1: n^2 >= n` may rely on the `for all …` lines and the instances that the chain has already
shown. `theories.identities` decides what follows from given hypotheses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from tuili.steps.context import Context
from tuili.steps.language import terms
from tuili.steps.language.printer import render, render_term
from tuili.steps.language.relations import denies, states
from tuili.steps.language.substitution import substitute_in
from tuili.steps.language.terms import Binary, Compare, Instance, Name, Number, Term, Universal, links
from tuili.steps.theories.identities import contradict, counter_model, follows, identity_budget
from tuili.steps.theories.normal_form import Range, normal_form
from tuili.steps.values.classification import kind_of_terms
from tuili.steps.values.evaluate import evaluate, evaluation_budget, truth
from tuili.steps.values.rendering import render_value
from tuili.steps.values.values import Value
from tuili.steps.verdict import LimitExceeded, Status, StepFault, Undecided, Verdict
from tuili.steps.work_budget import WorkBudget

_Line = Universal | Instance
_Witness = dict[str, object]
_Case = Mapping[str, tuple[int, int]]

MAX_SHOWN = 16
"""The number of latest lines that a `for all` line may rely on."""
MAX_MODULUS = 12


def decide(step: Universal, context: Context) -> Verdict:
    """The verdict on a line about all numbers."""
    _refuse_free_names(step)
    shown = context.shown[-MAX_SHOWN:]
    budget = identity_budget()
    fault: StepFault = Undecided("neither shown nor refuted: show it by smaller steps")
    try:
        if contradict(step.hypotheses, _range(step), budget):
            raise Undecided("the hypotheses contradict each other")
        for rule in (_at_once, _by_induction, _by_cases):
            if witness := rule(step, shown, budget):
                return Verdict(Status.VALID, "universal", witness=witness)
    except (Undecided, LimitExceeded) as raised:
        fault = raised
    model = counter_model(step.hypotheses, step.conclusion, _range(step))
    if model is None:
        return Verdict(fault.status, "universal", str(fault))
    at = ", ".join(f"{name} = {value}" for name, value in model.items())
    return Verdict(Status.INVALID, "universal", f"it does not hold for {at}", witness={"counter_model": model})


def decide_instance(step: Instance) -> Verdict:
    """The verdict on a relation for given values."""
    values = _values(step)
    bare = terms.names(step.relation) - values.keys()
    if bare:
        raise Undecided(f"no value for {', '.join(sorted(bare))}")
    budget = evaluation_budget()
    for link in links(step.relation):
        if not truth(link, values, budget):
            left, (relation, right) = link.first, link.rest[0]
            reason = f"{render_term(left)} {relation} {render_term(right)} does not hold for these values"
            return Verdict(Status.INVALID, "instance", reason, render_value(evaluate(left, values, budget)))
    kind = kind_of_terms((step.relation.first,))
    return Verdict(Status.VALID, "instance", witness={"rule": "evaluation", "of": kind})


def refutes(step: Instance, claim: Universal) -> bool:
    """Whether a valid line is a counter-example: values within the claim's range for which the claim does not hold."""
    values = _values(step)
    if values.keys() != {variable.name for variable in claim.variables} or not denies(step.relation, claim.conclusion):
        return False
    for variable in claim.variables:
        value = values[variable.name]
        if not isinstance(value, Fraction) or (claim.integers and value.denominator != 1):
            return False
        if variable.low is not None and value < variable.low:
            return False
    try:
        return all(truth(hypothesis, values) for hypothesis in claim.hypotheses)
    except StepFault:
        return False


def _values(step: Instance) -> Mapping[str, Value]:
    return {name: evaluate(value) for name, value in step.values}


def _refuse_free_names(step: Universal) -> None:
    bound = {variable.name for variable in step.variables}
    for relation in (*step.hypotheses, step.conclusion):
        for name in sorted(terms.names(relation) - bound):
            raise Undecided(f"{name} is no variable of this line")


def _range(step: Universal) -> Range:
    return Range({variable.name: variable.low for variable in step.variables}, step.integers)


def _at_once(step: Universal, shown: Sequence[_Line], budget: WorkBudget) -> _Witness:
    """Shows a line by normal forms, squares, remainders, or linear combination with hypotheses and earlier lines."""
    lines = [line for line in shown if isinstance(line, Universal) and _covers(line, step)]
    given = (*step.hypotheses, *(line.conclusion for line in lines))
    evidence = []
    for link in links(step.conclusion):
        rule = follows(link, step.hypotheses, _range(step), budget)
        rule = rule or follows(link, given, _range(step), budget)
        if not rule:
            return {}
        evidence.append(" ".join(rule))
    return {"rule": "identity", "links": tuple(evidence)}


def _covers(line: Universal, step: Universal) -> bool:
    """Whether a line holds for all values for which another line must hold."""
    low = _range(step).low
    within = all(
        v.name in low and (v.low is None or ((least := low[v.name]) is not None and least >= v.low))
        for v in line.variables
    )
    return within and (step.integers or not line.integers) and set(line.hypotheses) <= set(step.hypotheses)


def _by_induction(step: Universal, shown: Sequence[_Line], budget: WorkBudget) -> _Witness:
    """Shows a line by induction: from the instance at the least value, and the step from each value to the next."""
    variable, claim = step.variables[0], step.conclusion
    if len(step.variables) > 1 or not step.integers or step.hypotheses or variable.low is None:
        return {}
    following: Term = Binary("+", Name(variable.name), Number(Fraction(1)))
    after = substitute_in(claim, {variable.name: following}, budget)

    def same(one: Term, other: Term) -> bool:
        return one == other or normal_form(one, _range(step), budget) == normal_form(other, _range(step), budget)

    def is_base(line: _Line) -> bool:
        at = {variable.name: Fraction(variable.low or 0)}
        return isinstance(line, Instance) and _values(line) == at and states(line.relation, claim)

    def is_step(line: _Line) -> bool:
        if not isinstance(line, Universal) or line.hypotheses != (claim,):
            return False
        return _covers(replace(line, hypotheses=()), step) and states(line.conclusion, after, same)

    base, onward = next(filter(is_base, shown), None), next(filter(is_step, shown), None)
    if base is None or onward is None:
        return {}
    return {"rule": "induction", "premises": (render(base), render(onward))}


def _by_cases(step: Universal, shown: Sequence[_Line], budget: WorkBudget) -> _Witness:
    """Shows a line from a line for each remainder that a variable may have: `2*k` and `2*k + 1` in its place."""
    lines = [line for line in shown if isinstance(line, Universal) and _is_plain(line)]
    if not step.integers or not lines:
        return {}
    for cases in _all_cases(step, len(lines)):
        found = [next((line for line in lines if _shows(line, step, case, budget)), None) for case in cases]
        used = tuple(render(line) for line in found if line is not None)
        if len(used) == len(cases):
            return {"rule": "cases", "premises": used}
    return {}


def _is_plain(line: Universal) -> bool:
    """Whether a line holds for all integers, without hypotheses or bounds."""
    return line.integers and not line.hypotheses and all(variable.low is None for variable in line.variables)


def _all_cases(step: Universal, most: int) -> Iterator[list[_Case]]:
    """The ways to divide the integers into cases. Each case gives the modulus and remainder of some variables."""
    if step.hypotheses:
        case: dict[str, tuple[int, int]] = {}
        for hypothesis in step.hypotheses:
            match hypothesis:
                case Compare(Binary("mod", Name(id=name), Number(value=modulus)), (("=", Number(value=rest)),)) if (
                    name not in case and modulus.denominator == rest.denominator == 1 and modulus > 0
                ):
                    case[name] = modulus.numerator, rest.numerator
                case _:
                    return
        yield [case]
        return
    for variable in step.variables:
        for divisor in range(2, min(MAX_MODULUS, most) + 1):
            yield [{variable.name: (divisor, remainder)} for remainder in range(divisor)]


def _shows(line: Universal, step: Universal, case: _Case, budget: WorkBudget) -> bool:
    """Whether a line states what another line claims in a case. The variables correspond by position."""
    if len(line.variables) != len(step.variables):
        return False
    values: dict[str, Term] = {}
    for mine, its in zip(step.variables, line.variables, strict=True):
        values[mine.name] = Name(its.name)
        if mine.name in case:
            modulus, rest = case[mine.name]
            multiple = Binary("*", Number(Fraction(modulus)), Name(its.name))
            values[mine.name] = Binary("+", multiple, Number(Fraction(rest))) if rest else multiple
    return states(line.conclusion, substitute_in(step.conclusion, values, budget))
