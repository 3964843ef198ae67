"""Categorical and set inference over the regions of a Venn diagram.

A region is a row of a truth table over the classes; a set of regions is one integer, as in `logic`. A class may be
empty (no existential import): `all a are b` only says that no region inside a and outside b has a member.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuili.steps.language.terms import Binary, Boolean, Categorical, Name, Term, Unary
from tuili.steps.theories.logic import atom_columns, minimal_premises
from tuili.steps.verdict import Decision, LimitExceeded

MAX_CLASSES = 10


@dataclass(frozen=True)
class _Fact:
    """What a statement says about a set of regions: one of them has a member if `inhabited`, otherwise none has."""

    regions: int
    inhabited: bool


def is_about_classes(term: Term) -> bool:
    """Whether a statement is categorical, a membership or a subset relation, or the negation of one."""
    match term:
        case Categorical():
            return True
        case Binary(op="in", left=Name()):
            return _is_class(term.right)
        case Binary(op="subset"):
            return _is_class(term.left) and _is_class(term.right)
        case Unary(op="not"):
            return is_about_classes(term.operand)
    return False


def _is_class(term: Term) -> bool:
    match term:
        case Name():
            return True
        case Binary(op=("union" | "inter" | "minus")):
            return _is_class(term.left) and _is_class(term.right)
    return False


def decide(premises: Sequence[Term], conclusion: Term) -> Decision:
    """Whether the conclusion holds for every choice of inhabited regions for which the premises hold.

    Raises `LimitExceeded` for more than `MAX_CLASSES` classes and elements.
    """
    statements = (*premises, conclusion)
    elements = sorted({f"element {e}" for term in statements for e in _elements(term)})
    classes = sorted(frozenset().union(*map(_classes, statements))) + elements
    if len(classes) > MAX_CLASSES:
        raise LimitExceeded(f"more than {MAX_CLASSES} classes")
    tables = dict(zip(classes, atom_columns(len(classes)), strict=True))
    # An element is a class with exactly one member: it lies wholly inside or wholly outside any other class.
    singles = [_Fact(tables[element], inhabited=True) for element in elements]
    facts = [_fact(premise, tables) for premise in premises]
    goal = _fact(conclusion, tables)

    def counter_model(kept: Sequence[int]) -> tuple[int, ...] | None:
        return _counter_model([*singles, *(facts[i] for i in kept)], goal)

    model = counter_model(range(len(facts)))
    if model is not None:
        inhabited = [[name for i, name in enumerate(classes) if region >> i & 1] for region in model]
        return Decision(False, counter_model={"inhabited": inhabited})
    used = minimal_premises(len(facts), lambda kept: counter_model(kept) is None)
    nothing = _Fact(0, inhabited=True)
    consistent = _counter_model([*singles, *facts], nothing) is not None
    return Decision(True, consistent, "Venn regions", used)


def _counter_model(facts: Sequence[_Fact], goal: _Fact) -> tuple[int, ...] | None:
    """Inhabited regions for which the facts hold and the goal does not, or None if there are none."""
    # The goal's negation comes first: once it has placed an element, no other fact may place it elsewhere.
    requirements = [_Fact(goal.regions, not goal.inhabited), *facts]
    empty = 0
    for fact in requirements:
        if not fact.inhabited:
            empty |= fact.regions
    model = 0
    for fact in requirements:
        if fact.inhabited and not fact.regions & model:
            open_regions = fact.regions & ~empty
            if not open_regions:
                return None
            model |= open_regions & -open_regions
    return tuple(region for region in range(model.bit_length()) if model >> region & 1)


def _fact(term: Term, tables: dict[str, int]) -> _Fact:
    match term:
        case Boolean():
            return _Fact(0, inhabited=not term.value)
        case Categorical():
            subject, predicate = tables[term.subject], tables[term.predicate]
            inside = subject & ~predicate if term.quantifier == "all" or term.negated else subject & predicate
            return _Fact(inside, inhabited=term.quantifier == "some")
        case Binary(op="in", left=Name() as element):
            return _Fact(tables[f"element {element.id}"] & ~_members(term.right, tables), inhabited=False)
        case Binary(op="subset"):
            return _Fact(_members(term.left, tables) & ~_members(term.right, tables), inhabited=False)
        case Unary(operand=Binary(op="in", left=Name() as element) as inner):
            return _Fact(tables[f"element {element.id}"] & _members(inner.right, tables), inhabited=False)
        case Unary(operand=Unary() as inner):
            return _fact(inner.operand, tables)
        case Unary():
            denied = _fact(term.operand, tables)
            return _Fact(denied.regions, not denied.inhabited)
    raise AssertionError(f"not a statement about classes: {term}")


def _members(term: Term, tables: dict[str, int]) -> int:
    match term:
        case Name():
            return tables[term.id]
        case Binary():
            left, right = _members(term.left, tables), _members(term.right, tables)
            return left | right if term.op == "union" else left & right if term.op == "inter" else left & ~right
    raise AssertionError(f"not a class: {term}")


def _elements(term: Term) -> frozenset[str]:
    match term:
        case Binary(op="in", left=Name() as element):
            return frozenset((element.id,))
        case Unary():
            return _elements(term.operand)
    return frozenset()


def _classes(term: Term) -> frozenset[str]:
    match term:
        case Name():
            return frozenset((term.id,))
        case Categorical():
            return frozenset((term.subject, term.predicate))
        case Binary(op="in"):
            return _classes(term.right)
        case Binary():
            return _classes(term.left) | _classes(term.right)
        case Unary():
            return _classes(term.operand)
    return frozenset()
