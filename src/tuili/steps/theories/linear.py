"""Linear inference over the rationals: does a conclusion follow from equations and inequalities?

The premises and the negated conclusion are converted to disjunctive normal form; the conclusion follows if no branch
has a solution. `elimination` decides a branch: multipliers are the witness that the conclusion follows, a solution is
the witness that it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise, product

from tuili.steps.language.grammar import CONNECTIVES, NEGATED_RELATION
from tuili.steps.language.printer import render_term
from tuili.steps.language.terms import Binary, Boolean, Compare, Name, Term, Unary, names
from tuili.steps.theories.elimination import MAX_ELIMINATION_WORK, Constraint, Contradiction, solve
from tuili.steps.theories.polynomial import degree, expand, render_polynomial, subtract
from tuili.steps.values.rendering import render_number
from tuili.steps.verdict import Decision, LimitExceeded, StepFault, Undecided
from tuili.steps.work_budget import WorkBudget

MAX_BRANCHES = 64
"""The maximum number of branches of the disjunctive normal form."""

_Branch = list[Constraint]


def is_about_numbers(term: Term) -> bool:
    """Whether a statement is made of comparisons and connectives."""
    match term:
        case Compare():
            return True
        case Unary(op="not"):
            return is_about_numbers(term.operand)
        case Binary(op=op) if op in CONNECTIVES:
            return is_about_numbers(term.left) and is_about_numbers(term.right)
    return False


def is_linear(term: Term, budget: WorkBudget) -> bool:
    """Whether a statement is about numbers and has no product of unknowns. False if it raises a `StepFault`."""
    try:
        return is_about_numbers(term) and bool(normal_form(term, True, budget))
    except StepFault:
        return False


def decide_listed(premises: Sequence[Term], conclusion: Term, budget: WorkBudget) -> Decision:
    """Like `decide`, but a conclusion that lists values, like `x = 2 or x = 3`, may list only possible values."""
    decision = decide(premises, conclusion, budget)
    if not (decision.follows and decision.consistent) or conclusion in premises:
        return decision
    listed = _listed(conclusion)
    possible = [value for value in listed if not decide([*premises, value], Boolean(False), budget).follows]
    if len({names(value) for value in listed}) > 1 or len(possible) == len(listed):
        return decision
    return Decision(False, expected=" or ".join(map(render_term, possible)))


def _listed(term: Term) -> list[Term]:
    """The parts of a conclusion like `x = 2 or x = 3`; none if it has another form."""
    match term:
        case Compare(Name(), (("=", value),)) if not names(value):
            return [term]
        case Binary("or", left, right):
            lists = [_listed(left), _listed(right)]
            return lists[0] + lists[1] if all(lists) else []
    return []


def decide(premises: Sequence[Term], conclusion: Term, budget: WorkBudget) -> Decision:
    """Whether the conclusion holds in every rational solution of the premises. Raises a `StepFault`.

    `budget` bounds the reading of the statements; the elimination of unknowns has its own budget.
    """
    asserted = [normal_form(premise, True, budget) for premise in premises]
    negated = normal_form(conclusion, False, budget)
    _bound_branches([*asserted, negated])
    elimination_budget = WorkBudget(MAX_ELIMINATION_WORK, "too many inequalities")
    used: set[int] = set()
    proofs: list[tuple[tuple[str, str], ...]] = []
    for choice in product(*asserted, negated):
        origins = [i for i, branch in enumerate(choice) for _ in branch]
        constraints = list(chain.from_iterable(choice))
        solution = solve(constraints, elimination_budget)
        if not isinstance(solution, Contradiction):
            model = {name: render_number(value) for name, value in sorted(solution.items())}
            return Decision(False, counter_model=model)
        multipliers = sorted(solution.multipliers.items())
        used |= {origins[i] for i, _ in multipliers if origins[i] < len(premises)}
        proofs.append(tuple((_text(constraints[i]), render_number(factor)) for i, factor in multipliers))
    consistent = any(
        not isinstance(solve(list(chain.from_iterable(choice)), elimination_budget), Contradiction)
        for choice in product(*asserted)
    )
    rule = "restatement" if conclusion in premises else "linear combination"
    return Decision(True, consistent, rule, tuple(sorted(used)), evidence={"combinations": tuple(proofs)})


def _text(constraint: Constraint) -> str:
    return f"{render_polynomial(constraint.form)} {constraint.relation} 0"


def normal_form(term: Term, wanted: bool, budget: WorkBudget) -> list[_Branch]:
    """The branches that make a statement true, or false if not `wanted`: all constraints of one branch must hold."""
    match term:
        case Boolean():
            return [[]] if term.value is wanted else []
        case Compare():
            forms = [expand(side, budget) for side in (term.first, *(part for _, part in term.rest))]
            links = []
            for (left, right), (relation, _) in zip(pairwise(forms), term.rest, strict=True):
                difference = subtract(left, right)
                if degree(difference) > 1:
                    raise Undecided("a product of unknowns")
                links.append(_branches(Constraint(difference, relation if wanted else NEGATED_RELATION[relation])))
            return _conjunction(links) if wanted else [branch for link in links for branch in link]
        case Unary(op="not"):
            return normal_form(term.operand, not wanted, budget)
        case Binary(op="and" | "or"):
            sides = [normal_form(side, wanted, budget) for side in (term.left, term.right)]
            return _conjunction(sides) if (term.op == "and") is wanted else sides[0] + sides[1]
        case Binary(op="->"):
            return normal_form(Binary("or", Unary("not", term.left), term.right), wanted, budget)
        case Binary(op="<->" | "xor"):
            alike = (term.op == "<->") is wanted
            return [
                branch
                for left in (True, False)
                for branch in _conjunction(
                    [normal_form(term.left, left, budget), normal_form(term.right, left is alike, budget)]
                )
            ]
    raise AssertionError(f"not a statement about numbers: {term}")


def _branches(constraint: Constraint) -> list[_Branch]:
    """The branches of one constraint, with only the relations `=`, `<` and `<=`: `!=` has two branches."""
    opposite = subtract({}, constraint.form)
    match constraint.relation:
        case "!=":
            return [[Constraint(constraint.form, "<")], [Constraint(opposite, "<")]]
        case ">" | ">=":
            return [[Constraint(opposite, constraint.relation.replace(">", "<"))]]
        case "==":
            return [[Constraint(constraint.form, "=")]]
    return [[constraint]]


def _conjunction(statements: Sequence[list[_Branch]]) -> list[_Branch]:
    _bound_branches(statements)
    return [list(chain.from_iterable(choice)) for choice in product(*statements)]


def _bound_branches(statements: Sequence[list[_Branch]]) -> None:
    count = 1
    for branches in statements:
        count *= max(len(branches), 1)
        if count > MAX_BRANCHES:
            raise LimitExceeded("too many cases")
