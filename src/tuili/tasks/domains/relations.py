"""Orders of people: compare two, find the first, sort all, or compute an amount from differences.

A chain follows one person through the facts, depth first and in the order of their labels, in a direction that does
not depend on the answer: there is one chain for each problem, and each line follows from the prompt and those above.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from tuili.tasks.building.levels import Bounds, LevelSpec
from tuili.tasks.building.wording import yes_no
from tuili.tasks.building.words import FIRST_NAMES
from tuili.tasks.content import Clause, Clauses, Content, Slot
from tuili.tasks.registry import domain

ORDERS = (
    ("taller", "shorter", "tall", "tallest", "shortest"),
    ("older", "younger", "old", "oldest", "youngest"),
    ("faster", "slower", "fast", "fastest", "slowest"),
    ("richer", "poorer", "rich", "richest", "poorest"),
    ("heavier", "lighter", "heavy", "heaviest", "lightest"),
    ("stronger", "weaker", "strong", "strongest", "weakest"),
)
"""Words for the greater and the lesser one of two, for two equal ones, and for the greatest and the least of all."""
AMOUNTS = (("age", "year", 5, 90), ("height", "cm", 110, 199), ("coins", "coin", 10, 400))
"""What is counted, in which unit, and the least and the largest amount."""
COMPARED = {">": "more", "<": "less", "=": "equal"}
FLIPPED = {">": "<", "<": ">", "=": "="}


@dataclass(frozen=True)
class Fact:
    """`left relation right`, for example `Ann > Bob`. Of amounts, left equals right plus `more`."""

    left: str
    relation: str
    right: str
    more: int = 0

    def __str__(self) -> str:
        change = f" {'+' if self.more > 0 else '-'} {abs(self.more)}" if self.more else ""
        return f"{self.left} {self.relation} {self.right}{change}"

    def turned(self) -> Fact:
        """The same fact with its sides exchanged."""
        return Fact(self.right, FLIPPED[self.relation], self.left, -self.more)

    def greater_first(self) -> Fact:
        """The same fact without `<`."""
        return self.turned() if self.relation == "<" else self

    def clause(self, words: Mapping[str, Slot]) -> Clause:
        """The comparison as forms put it into words, with the words of its order."""
        return Clause(COMPARED[self.relation], str(self), {"left": self.left, "right": self.right, **words})

    def seen_from(self, person: str) -> Fact | None:
        """The fact with `person` on the left, or None if it is not about that person."""
        if person == self.left:
            return self
        return self.turned() if person == self.right else None


@dataclass(frozen=True, kw_only=True)
class RelationsLevel(LevelSpec):
    """How many people a level has, how their facts are printed, and what it asks."""

    people: Bounds
    """People on the path that leads to the answer."""
    distractors: int
    """People off that path."""
    questions: tuple[str, ...]
    """The types of question, repeated where one is to come more often."""
    both_ways: bool
    """Whether facts are also printed from the other side, and comparisons include equality."""
    max_difference: int
    """The largest difference between two amounts."""


LEVEL_SPECS = {
    1: RelationsLevel(
        people=(3, 4),
        distractors=1,
        questions=("compare", "compare", "extreme"),
        both_ways=False,
        max_difference=9,
    ),
    2: RelationsLevel(
        people=(5, 6),
        distractors=2,
        questions=("compare", "compare", "extreme", "sort", "amount"),
        both_ways=False,
        max_difference=19,
    ),
    3: RelationsLevel(
        people=(6, 8),
        distractors=3,
        questions=("compare", "compare", "sort", "amount"),
        both_ways=True,
        max_difference=29,
    ),
    4: RelationsLevel(
        people=(9, 10),
        distractors=4,
        questions=("compare", "compare", "sort", "amount"),
        both_ways=True,
        max_difference=49,
    ),
    5: RelationsLevel(
        people=(10, 12),
        distractors=4,
        questions=("compare", "compare", "sort", "amount"),
        both_ways=True,
        max_difference=99,
    ),
}


@domain("relations", phase=1)
class Relations:
    """Comparisons (is Ann taller than Dan?), extremes (who is oldest?), sorting, and amounts (how old is Eve?)."""

    def sample(self, rng: random.Random, level: int) -> Content:
        spec = LEVEL_SPECS[level]
        question = rng.choice(spec.questions)
        count = rng.randint(*spec.people)
        people = rng.sample(FIRST_NAMES, count + spec.distractors)
        path, others = people[:count], people[count:]
        if question == "compare":
            return _compare(rng, spec, path, others)
        if question == "amount":
            return _amount(rng, spec, path, others)
        return _arrange(rng, spec, path, question)


def _compare(rng: random.Random, spec: RelationsLevel, path: list[str], others: list[str]) -> Content:
    """Compare the two persons at the ends of a falling path.

    The other persons are related to persons on the path, the first of them to the person asked about. The chain goes
    down from the person asked about; if it does not reach the one to compare with, then down from that one.
    """
    relations = [">"] * (len(path) - 1)
    if spec.both_ways:
        relations[rng.randrange(len(relations))] = "="
    facts = [Fact(path[at], relation, path[at + 1]) for at, relation in enumerate(relations)]
    greater = rng.random() < 0.5
    asked, other = (path[0], path[-1]) if greater else (path[-1], path[0])
    facts.append(Fact(others[0], ">" if greater else "<", asked))
    for number, person in enumerate(others[1:], start=1):
        facts.append(Fact(rng.choice([*path, *others[:number]]), rng.choice("<>"), person))
    given = _print_order(rng, spec, facts)

    steps, reached = follow_facts(given, asked, ">", other)
    if not reached:
        steps += follow_facts(given, other, ">", asked)[0]
    asks = {
        "asked": asked,
        "other": other,
        "winner": path[0],
        "loser": path[-1],
        "opposite": yes_no(not greater),
    }
    question = "compare_equal" if spec.both_ways else "compare"
    return _order("compare", question, given, _words(rng), asks, steps, yes_no(greater), [*path, *others])


def _arrange(rng: random.Random, spec: RelationsLevel, path: list[str], question: str) -> Content:
    """Find the person at an end of a falling path, or sort everyone on it.

    The chain goes from the first premise to one end of the path, fact by fact, and relates that end to everyone.
    """
    given = _print_order(rng, spec, [Fact(high, ">", low) for high, low in pairwise(path)])
    words = _words(rng)
    lowest = question == "extreme" and rng.random() < 0.5
    first = given["P1"].greater_first()
    start, there, end, back = (first.left, ">", path[-1], "<") if lowest else (first.right, "<", path[0], ">")
    steps = [f"{given[label]} => {seen.greater_first()}" for label, seen in _depth_first(given, start, there)]
    steps += follow_facts(given, end, back, None)[0][1:]
    if question == "sort":
        return _order("sort", "sort", given, words, {}, steps, ", ".join(path), path)
    asks = {"extreme": words["least" if lowest else "most"]}
    return _order("extreme", "extreme", given, words, asks, steps, end, path)


def _amount(rng: random.Random, spec: RelationsLevel, path: list[str], others: list[str]) -> Content:
    """Compute the amount of the last person on a path from that of the first. The other persons are not needed."""
    topic, unit, low, high = rng.choice(AMOUNTS)
    amount = {path[0]: rng.randint(low, high)}
    facts = []
    for person in path[1:] + others:
        known = path[len(amount) - 1] if person in path else rng.choice(list(amount))
        changes = [
            change
            for change in range(-spec.max_difference, spec.max_difference + 1)
            if low <= amount[known] + change <= high
        ]
        change = rng.choice([change for change in changes if change])
        amount[person] = amount[known] + change
        fact = Fact(person, "=", known, change)
        facts.append(fact.turned() if spec.both_ways and rng.random() < 0.4 else fact)
    start = Fact(path[0], "=", "", amount[path[0]])
    entries = [start, *facts]
    rng.shuffle(entries)
    given = {f"P{number}": fact for number, fact in enumerate(entries, start=1) if fact is not start}

    steps = []
    for label, seen in _depth_first(given, path[0], "="):
        before, after = amount[seen.left], amount[seen.right]
        sum_ = f"{before} {'+' if after > before else '-'} {abs(after - before)}"
        steps.append(f"{seen.left} = {before}, {given[label]} => {seen.right} = {sum_} = {after}")
        if seen.right == path[-1]:
            break
    slots: dict[str, Slot] = {
        "facts": Clauses(tuple(_statement(fact, topic, unit) for fact in entries)),
        "question": Clause(topic, path[-1], {"person": path[-1]}),
        "person": path[-1],
    }
    return Content("amount", slots, tuple(steps), str(amount[path[-1]]), (*path, *others))


def _statement(fact: Fact, topic: str, unit: str) -> Clause:
    """What a fact about an amount says: `age_is` of a fact with nobody on its right, else `age_more` or `age_less`."""
    number = abs(fact.more)
    words: dict[str, Slot] = {"number": number, "unit": unit if number == 1 or unit == "cm" else f"{unit}s"}
    if not fact.right:
        return Clause(f"{topic}_is", f"{fact.left} = {number}", {"left": fact.left, **words})
    kind = f"{topic}_{'more' if fact.more > 0 else 'less'}"
    return Clause(kind, str(fact), {"left": fact.left, "right": fact.right, **words})


def _print_order(rng: random.Random, spec: RelationsLevel, facts: list[Fact]) -> dict[str, Fact]:
    """The facts in random order with labels; where the level allows both ways, some with their sides exchanged."""
    facts = [fact.greater_first() for fact in facts]
    if spec.both_ways:
        facts = [fact.turned() if rng.random() < 0.4 else fact for fact in facts]
    rng.shuffle(facts)
    return {f"P{number}": fact for number, fact in enumerate(facts, start=1)}


def _depth_first(given: Mapping[str, Fact], start: str, allowed: str) -> Iterator[tuple[str, Fact]]:
    """Yield each fact that leads from a person already met to a new one by an allowed relation, with its label.

    The person already met is on the left of the fact.
    """
    met = {start}

    def visit(person: str) -> Iterator[tuple[str, Fact]]:
        for label, fact in given.items():
            seen = fact.seen_from(person)
            if seen is not None and seen.relation in allowed and seen.right not in met:
                met.add(seen.right)
                yield label, seen
                yield from visit(seen.right)

    return visit(start)


def follow_facts(given: Mapping[str, Fact], start: str, sign: str, goal: str | None) -> tuple[list[str], bool]:
    """The steps that relate `start` to each person in one direction, and whether they reach `goal`, where they end."""
    steps: list[str] = []
    relations: dict[str, tuple[str, str]] = {}  # how the start is related to a person met, and that as a premise
    for label, seen in _depth_first(given, start, f"={sign}"):
        before, known = relations.get(seen.left, ("=", ""))
        after = Fact(start, sign if sign in (before, seen.relation) else "=", seen.right)
        relations[seen.right] = after.relation, f"{after.greater_first()}, "
        steps.append(f"{known}{given[label]} => {after.greater_first()}")
        if seen.right == goal:
            return steps, True
    return steps, False


def _words(rng: random.Random) -> dict[str, Slot]:
    """The words of a random order."""
    more, less, base, most, least = rng.choice(ORDERS)
    return {"more": more, "less": less, "base": base, "most": most, "least": least}


def _order(
    kind: str,
    question: str,
    given: Mapping[str, Fact],
    words: Mapping[str, Slot],
    asks: Mapping[str, Slot],
    steps: list[str],
    answer: str,
    people: list[str],
) -> Content:
    """A problem about an order; `asks` holds what its question names besides the words of the order."""
    slots: dict[str, Slot] = {
        "facts": Clauses(tuple(fact.clause(words) for fact in given.values())),
        "question": Clause(question, "", {**words, **asks}),
        **words,
        **asks,
    }
    return Content(kind, slots, tuple(steps), answer, tuple(people))
