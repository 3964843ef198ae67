"""Amounts of people, given by their differences."""

from __future__ import annotations

import random

from tuili.tasks.content import Clause, Clauses, Content, Slot
from tuili.tasks.domains.relations.facts import Fact, depth_first
from tuili.tasks.domains.relations.levels import RelationsLevel

AMOUNTS = (("age", "year", 5, 90), ("height", "cm", 110, 199), ("coins", "coin", 10, 400))
"""What is counted, its unit, and the smallest and the largest amount."""


def amount_of(rng: random.Random, spec: RelationsLevel, path: list[str], others: list[str]) -> Content:
    """Compute the amount of the last person on a path from that of the first. The other persons are distractors."""
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
    for label, seen in depth_first(given, path[0], "="):
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
    """The clause of a fact about an amount: `age_is` for a fact without a right side, else `age_more` or `age_less`."""
    number = abs(fact.more)
    words: dict[str, Slot] = {"number": number, "unit": unit if number == 1 or unit == "cm" else f"{unit}s"}
    if not fact.right:
        return Clause(f"{topic}_is", f"{fact.left} = {number}", {"left": fact.left, **words})
    kind = f"{topic}_{'more' if fact.more > 0 else 'less'}"
    return Clause(kind, str(fact), {"left": fact.left, "right": fact.right, **words})
