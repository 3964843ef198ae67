"""Knights tell the truth and knaves lie: who is which follows by propagation, and at higher levels by cases.

The steps settle everybody in an order that does not depend on the person asked about. The last step repeats what holds
for that person, so that the answer need not search for it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from tuili.tasks.building.levels import Bounds, LevelSpec
from tuili.tasks.building.literals import Literal
from tuili.tasks.building.wording import yes_no
from tuili.tasks.building.words import FIRST_NAMES
from tuili.tasks.content import Clauses, Content, Slot
from tuili.tasks.domains.knights.remarks import Remark, forced, kind
from tuili.tasks.domains.knights.solver import Solver
from tuili.tasks.registry import domain


@dataclass(frozen=True, kw_only=True)
class KnightsLevel(LevelSpec):
    """How many people a level has, which forms their remarks have, and how long the way to the answer is."""

    people: Bounds
    derivations: range
    """How many derivations may settle the person asked about."""
    links: tuple[str, ...]
    """The forms that a remark may have, with more frequent forms repeated."""
    cases: bool
    """Whether the answer needs a supposition."""


EXTRA_DERIVATIONS = 2
"""How many derivations more than the maximum for the person asked about may be needed to settle everybody."""
SIMPLE_LINKS = ("is", "is", "same", "differ")
LEVEL_SPECS = {
    1: KnightsLevel(
        people=(2, 3),
        derivations=range(2, 4),
        links=SIMPLE_LINKS,
        cases=False,
    ),
    2: KnightsLevel(
        people=(3, 4),
        derivations=range(3, 6),
        links=(*SIMPLE_LINKS, "and", "or"),
        cases=False,
    ),
    3: KnightsLevel(
        people=(3, 4),
        derivations=range(5, 9),
        links=(*SIMPLE_LINKS, "and", "or"),
        cases=True,
    ),
    4: KnightsLevel(
        people=(4, 5),
        derivations=range(9, 14),
        links=(*SIMPLE_LINKS, "and", "or", "->"),
        cases=True,
    ),
    5: KnightsLevel(
        people=(5, 6),
        derivations=range(12, 17),
        links=(*SIMPLE_LINKS, "and", "or", "->"),
        cases=True,
    ),
}


@domain("knights", phase=1)
class Knights:
    """Is this person a knight or a knave? The answer always follows."""

    def sample(self, rng: random.Random, level: int) -> Content:
        spec = LEVEL_SPECS[level]
        knight = rng.random() < 0.5
        while True:
            people = rng.sample(FIRST_NAMES, rng.randint(*spec.people))
            kinds = {name: rng.random() < 0.5 for name in people}
            remarks = _remarks(rng, spec, kinds)
            solver = Solver(remarks)
            if not solver.run(spec.derivations[-1] + EXTRA_DERIVATIONS, spec.cases):
                continue
            candidates = [
                name
                for name, count in solver.settled_after.items()
                if kinds[name] is knight and count in spec.derivations and (count > solver.direct) is spec.cases
            ]
            if candidates:
                break
        asked = rng.choice(candidates)
        result = Literal(asked, knight)
        steps = (*chain.from_iterable(solver.derivations), f"{result} => {result}")
        slots: dict[str, Slot] = {
            "remarks": Clauses(tuple(remark.clause for remark in remarks.values()), ordered=True),
            "person": asked,
            "is_knight": yes_no(knight),
            "is_knave": yes_no(not knight),
            "teller": "truth-teller" if knight else "liar",
        }
        return Content("who", slots, steps, kind(knight), tuple(people))


def _remarks(rng: random.Random, spec: KnightsLevel, kinds: Mapping[str, bool]) -> dict[str, Remark]:
    """A remark by each person that fits the hidden kinds.

    If the level needs cases, no single remark determines anyone's kind. Otherwise half of the problems state one kind.
    """
    people = list(kinds)
    remarks = []
    for speaker in people:
        remark = draw_remark(rng, spec, speaker, people)
        while not remark.holds(kinds) or (spec.cases and forced(remark.worlds, {}) is not None):
            remark = draw_remark(rng, spec, speaker, people)
        remarks.append(remark)
    if not spec.cases and rng.random() < 0.5:
        person = rng.choice(people)
        remarks[people.index(person)] = Remark("", "is", (Literal(person, kinds[person]),))
    rng.shuffle(remarks)
    return {f"P{number}": remark for number, remark in enumerate(remarks, start=1)}


def draw_remark(rng: random.Random, spec: KnightsLevel, speaker: str, people: list[str]) -> Remark:
    """A random remark by `speaker`, in one of the level's forms, true or false."""
    link = rng.choice(spec.links)
    if link == "is":
        other = rng.choice([name for name in people if name != speaker])
        return Remark(speaker, link, (Literal(other, rng.random() < 0.5),))
    signed = link not in ("same", "differ")
    pair = rng.sample(people, 2)
    return Remark(speaker, link, tuple(Literal(name, not signed or rng.random() < 0.5) for name in pair))
