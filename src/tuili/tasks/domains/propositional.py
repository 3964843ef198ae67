"""Propositional logic: a chain of rules leads from a given fact to the truth value of one atom.

A derivation can continue in only one way: distractors are consistent with the premises, but nothing follows from them
and the known literals. `knights` has persons as atoms and reasoning by cases.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tuili.tasks.building.levels import Bounds, LevelSpec
from tuili.tasks.building.literals import Literal
from tuili.tasks.building.wording import yes_no
from tuili.tasks.content import Clause, Clauses, Content, Slot
from tuili.tasks.registry import domain

LETTER_ATOMS = tuple("ABCDEFGHJKMNQRSTUVWXYZ")
EVENT_ATOMS = (
    "alarm", "bell", "calm", "cold", "dark", "dry", "dust", "fire", "fog", "frost", "hail", "heat", "ice",
    "light", "mist", "noise", "rain", "smoke", "snow", "storm", "sun", "thunder", "warm", "wet", "wind",
)  # fmt: skip


_PHRASES = {
    **dict.fromkeys(EVENT_ATOMS, ("there_is", "there_is_no")),
    **dict.fromkeys(("calm", "cold", "dark", "dry", "warm", "wet"), ("it_is", "it_is_not")),
    **dict.fromkeys(("alarm", "bell"), ("rings", "is_silent")),
    "storm": ("there_is_a", "there_is_no"),
}
"""The kinds of clauses that affirm and deny an event; for a letter they are `holds` and `fails`."""


def _fact(p: Literal) -> Clause:
    affirmed, denied = _PHRASES.get(p.atom, ("holds", "fails"))
    return Clause(affirmed if p.positive else denied, str(p), {"atom": p.atom})


def _rule(kind: str, formal: str, p: Literal, q: Literal) -> Clause:
    return Clause(kind, formal, {"p": _fact(p), "q": _fact(q)})


def _implication(p: Literal, q: Literal) -> Clause:
    return _rule("implication", f"{p} -> {q}", p, q)


def _contrapositive(p: Literal, q: Literal) -> Clause:
    return _implication(~q, ~p)


def _disjunction(p: Literal, q: Literal) -> Clause:
    return _rule("disjunction", f"{~p} or {q}", ~p, q)


def _turned_disjunction(p: Literal, q: Literal) -> Clause:
    return _disjunction(~q, ~p)


def _equivalence(p: Literal, q: Literal) -> Clause:
    return _rule("equivalence", f"{p} <-> {q}", p, q)


def _exclusion(p: Literal, q: Literal) -> Clause:
    return _rule("exclusion", f"not ({p} and {~q})", p, ~q)


def _joint(p: Literal, other: Literal, q: Literal) -> Clause:
    slots = {"p": _fact(p), "other": _fact(other), "q": _fact(q)}
    return Clause("joint_implication", f"{p} and {other} -> {q}", slots)


Rule = Callable[[Literal, Literal], Clause]
"""A premise that leads from the known literal `p` to the literal `q`."""

ONE_WAY: tuple[Rule, ...] = (_implication, _contrapositive, _disjunction, _turned_disjunction, _exclusion)
"""The rules that do not lead from `q` back to `p`."""


@dataclass(frozen=True, kw_only=True)
class PropositionalLevel(LevelSpec):
    """How long the derivation of a level is, and which forms its premises have."""

    links: Bounds
    """The number of rules between the given fact and the atom asked about."""
    distractors: Bounds
    rules: tuple[Rule, ...]
    """The forms that a rule may have, with more frequent forms repeated."""
    joint: float
    """The probability that a rule needs a second literal, an earlier one."""


LEVEL_SPECS = {
    1: PropositionalLevel(
        links=(2, 3),
        distractors=(1, 1),
        rules=(_implication,),
        joint=0.0,
    ),
    2: PropositionalLevel(
        links=(3, 4),
        distractors=(1, 2),
        rules=(_implication, _implication, _contrapositive),
        joint=0.0,
    ),
    3: PropositionalLevel(
        links=(5, 6),
        distractors=(2, 3),
        rules=(_implication, _contrapositive, _disjunction, _turned_disjunction),
        joint=0.2,
    ),
    4: PropositionalLevel(
        links=(7, 8),
        distractors=(3, 4),
        rules=(*ONE_WAY[:4], _equivalence),
        joint=0.3,
    ),
    5: PropositionalLevel(
        links=(9, 11),
        distractors=(4, 5),
        rules=(*ONE_WAY, _equivalence),
        joint=0.3,
    ),
}


@domain("propositional", phase=1)
class Propositional:
    """Whether an atom is true, by forward chaining through implications, disjunctions, equivalences and negations."""

    def sample(self, rng: random.Random, level: int) -> Content:
        spec = LEVEL_SPECS[level]
        links = rng.randint(*spec.links)
        atoms = rng.sample(rng.choice((LETTER_ATOMS, LETTER_ATOMS, EVENT_ATOMS)), 22)
        path = [Literal(atom, rng.random() < 0.65) for atom in atoms[:links]]
        path.append(Literal(atoms[links], rng.random() < 0.5))
        spare = atoms[links + 1 :]

        premises = [_fact(path[0])]
        steps = []
        for number in range(links):
            needed, new = path[number : number + 1], path[number + 1]
            if number and rng.random() < spec.joint:
                needed = [*needed, rng.choice(path[:number])]
                p, other = rng.sample(needed, 2)
                premise = _joint(p, other, new)
            else:
                premise = rng.choice(spec.rules)(path[number], new)
            premises.append(premise)
            steps.append(f"{', '.join(map(str, needed))}, {premise.formal} => {new}")
        for number in range(rng.randint(*spec.distractors)):
            premises.append(_distractor(rng, spec, path, spare[2 * number :], contrary=number == 0))

        rng.shuffle(premises)
        goal = path[-1]
        slots: dict[str, Slot] = {
            "premises": Clauses(tuple(premises)),
            "atom": goal.atom,
            "goal": _fact(Literal(goal.atom)),
            "truth": str(goal.positive).lower(),
        }
        kind, names = ("events", tuple(atoms)) if atoms[0] in _PHRASES else ("letters", ())
        return Content(kind, slots, tuple(steps), yes_no(goal.positive), names)


def _distractor(
    rng: random.Random, spec: PropositionalLevel, path: list[Literal], spare: list[str], contrary: bool
) -> Clause:
    """A premise from which nothing follows. It mentions a known literal only if that literal already satisfies it.

    A contrary distractor would give the opposite of the goal if its condition, which stays unknown, held.
    """
    rules = [rule for rule in spec.rules if rule in ONE_WAY]
    unknown = Literal(spare[0], rng.random() < 0.65)
    if contrary:
        return rng.choice(rules)(unknown, ~path[-1])
    if rng.random() < 0.5:
        return rng.choice(rules)(unknown, rng.choice(path[:-1]))
    return rng.choice(rules)(unknown, Literal(spare[1], rng.random() < 0.65))
