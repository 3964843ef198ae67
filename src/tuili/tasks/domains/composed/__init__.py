"""Composed problems: two or more small problems of other domains, each of which passes its result to the next.

A problem has a source, which gives a number; links, which turn a number into the next one; and a goal, which asks the
question. The working of each part is that of its domain (`building`); the forms have its words.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

from tuili.tasks.building.quantities import easy_number
from tuili.tasks.content import Clause, Clauses, Content, Slot
from tuili.tasks.domains.composed.goals import GOALS, LONG_GOALS, SHORT_GOALS
from tuili.tasks.domains.composed.links import LINKS
from tuili.tasks.domains.composed.parts import LinkTemplate, WorkedNumber
from tuili.tasks.domains.composed.sources import SHORT_SOURCES, SOURCES
from tuili.tasks.registry import domain

LETTERS = ("n", "k", "q")
"""The names of the source's number and of the numbers that links make from it."""
SECOND_LETTER, SUM_LETTER = "r", "z"
"""The names of a second source's number, and of its sum with the last number of the first source's chain."""
MAX_NUMBER = 600
"""The largest number that a link may give."""
MAX_NUMBER_AT_LEVEL_1 = 100
LINKS_BY_LEVEL = {1: 0, 2: 0, 3: 1, 4: 2, 5: 2}
NAMES = frozenset({"name", "people", "packs", "things", "place", "first", "second"})
"""The slots whose texts are names."""


def _link(rng: random.Random, name: str, letter: str, n: int, used: set[LinkTemplate]) -> WorkedNumber | None:
    """The number that a link not used before makes from `n`. None if the drawn link does not fit `n`."""
    link = rng.choice([link for link in LINKS if link not in used])
    following = link(rng, name, n)
    if following is None or not 2 <= following.value <= MAX_NUMBER:
        return None
    used.add(link)
    slots = {"of": letter, **following.slots}
    return WorkedNumber(following.kind, slots, following.steps, following.value)


def _chain(rng: random.Random, level: int) -> list[tuple[str, WorkedNumber]]:
    """The numbers of a problem in order, each with its letter. The question uses the last number."""
    first, second = rng.sample(SHORT_SOURCES if level == 1 else SOURCES, 2)
    size, other_size = (easy_number(rng) if level == 1 else rng.randint(5, 60) for _ in range(2))
    chain = [(LETTERS[0], first(rng, LETTERS[0], size))]
    used: set[LinkTemplate] = set()
    while len(chain) <= LINKS_BY_LEVEL[level]:
        letter, last = chain[-1]
        name = LETTERS[len(chain)]
        following = _link(rng, name, letter, last.value, used)
        if following:
            chain.append((name, following))
    if level == 5:
        (letter, last), other = chain[-1], second(rng, SECOND_LETTER, other_size)
        sum_ = last.value + other.value
        steps = [f"{SUM_LETTER} = {last.value} + {other.value} = {sum_}"]
        both = WorkedNumber("sum", {"of": letter, "other": SECOND_LETTER}, steps, sum_)
        chain += [(SECOND_LETTER, other), (SUM_LETTER, both)]
    return chain


def _definition(letter: str, number: WorkedNumber) -> Clause:
    """The clause that gives a number its letter; it contains the clause that describes the number."""
    described = Clause(number.kind, "", {"letter": letter, **number.slots})
    return Clause("definition", "", {"letter": letter, "number": described})


def _shown(kind: str, lines: Iterable[str], letter: str) -> Clause:
    """The clause that shows labelled lines; its kind says whether there are any."""
    statements = Clauses(tuple(Clause("", line) for line in lines), ordered=True, letter=letter)
    return Clause(kind if statements.items else f"no_{kind}", "", {"lines": statements} if statements.items else {})


def _names(slots: Iterable[Mapping[str, Slot]]) -> tuple[str, ...]:
    return tuple(str(text) for named in slots for name, text in named.items() if name in NAMES)


@domain("composed", phase=3)
class Composed:
    """Two short parts at level 1, two longer parts at 2, links between them from 3 on, two sources at 5."""

    def sample(self, rng: random.Random, level: int) -> Content:
        goals = {1: SHORT_GOALS, 2: GOALS}.get(level, LONG_GOALS)
        goal = None
        while goal is None:
            chain = _chain(rng, level)
            letter, last = chain[-1]
            if level == 1 and last.value > MAX_NUMBER_AT_LEVEL_1:
                continue
            goal = rng.choice(goals)(rng, last.value)
        numbers = [number for _, number in chain]
        return Content(
            "chain",
            {
                "definitions": Clauses(tuple(_definition(*named) for named in chain)),
                "goal": Clause(goal.kind, "", {"of": letter, **goal.slots}),
                "equation": _shown("equation", filter(None, (number.equation for number in numbers)), "P"),
                "program": _shown("program", (line for number in numbers for line in number.program), "L"),
            },
            (*(line for number in numbers for line in number.steps), *goal.steps),
            goal.answer,
            _names([number.slots for number in numbers] + [goal.slots]),
        )
