"""Orders of people: compares two, finds the first or the last, or sorts all."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import pairwise

from tuili.tasks.building.wording import yes_no
from tuili.tasks.content import Clause, Clauses, Content, Slot
from tuili.tasks.domains.relations.facts import Fact, depth_first, follow_facts
from tuili.tasks.domains.relations.levels import RelationsLevel

ORDERS = (
    ("taller", "shorter", "tall", "tallest", "shortest"),
    ("older", "younger", "old", "oldest", "youngest"),
    ("faster", "slower", "fast", "fastest", "slowest"),
    ("richer", "poorer", "rich", "richest", "poorest"),
    ("heavier", "lighter", "heavy", "heaviest", "lightest"),
    ("stronger", "weaker", "strong", "strongest", "weakest"),
)
"""Words for the greater and the lesser of two, for two equal ones, and for the greatest and the least of all."""


def compare(rng: random.Random, spec: RelationsLevel, path: list[str], others: list[str]) -> Content:
    """Compare the two persons at the ends of a descending path.

    The other persons are related to persons on the path, the first of them to the person asked about. The chain goes
    down from the person asked about; if it does not reach the other end, it then goes down from the other end.
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


def arrange(rng: random.Random, spec: RelationsLevel, path: list[str], question: str) -> Content:
    """Find the person at an end of a descending path, or sort everyone on it.

    The chain goes from the first premise to one end of the path, fact by fact, and relates that end to everyone.
    """
    given = _print_order(rng, spec, [Fact(high, ">", low) for high, low in pairwise(path)])
    words = _words(rng)
    lowest = question == "extreme" and rng.random() < 0.5
    first = given["P1"].greater_first()
    start, there, end, back = (first.left, ">", path[-1], "<") if lowest else (first.right, "<", path[0], ">")
    steps = [f"{given[label]} => {seen.greater_first()}" for label, seen in depth_first(given, start, there)]
    steps += follow_facts(given, end, back, None)[0][1:]
    if question == "sort":
        return _order("sort", "sort", given, words, {}, steps, ", ".join(path), path)
    asks = {"extreme": words["least" if lowest else "most"]}
    return _order("extreme", "extreme", given, words, asks, steps, end, path)


def _print_order(rng: random.Random, spec: RelationsLevel, facts: list[Fact]) -> dict[str, Fact]:
    """The facts in random order with labels; if the level allows both ways, some have their sides swapped."""
    facts = [fact.greater_first() for fact in facts]
    if spec.both_ways:
        facts = [fact.turned() if rng.random() < 0.4 else fact for fact in facts]
    rng.shuffle(facts)
    return {f"P{number}": fact for number, fact in enumerate(facts, start=1)}


def _words(rng: random.Random) -> dict[str, Slot]:
    """The words of a randomly chosen order."""
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
    """A problem about an order; `asks` holds the slots of its question other than the words of the order."""
    slots: dict[str, Slot] = {
        "facts": Clauses(tuple(fact.clause(words) for fact in given.values())),
        "question": Clause(question, "", {**words, **asks}),
        **words,
        **asks,
    }
    return Content(kind, slots, tuple(steps), answer, tuple(people))
