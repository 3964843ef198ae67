"""Facts about two persons, and the chains that follow them from one person to others.

A chain goes depth first and in label order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tuili.tasks.content import Clause, Slot

COMPARED = {">": "more", "<": "less", "=": "equal"}
FLIPPED = {">": "<", "<": ">", "=": "="}


@dataclass(frozen=True)
class Fact:
    """`left relation right`, for example `Ann > Bob`. For amounts, left equals right plus `more`."""

    left: str
    relation: str
    right: str
    more: int = 0

    def __str__(self) -> str:
        change = f" {'+' if self.more > 0 else '-'} {abs(self.more)}" if self.more else ""
        return f"{self.left} {self.relation} {self.right}{change}"

    def turned(self) -> Fact:
        """The same fact with its sides swapped."""
        return Fact(self.right, FLIPPED[self.relation], self.left, -self.more)

    def greater_first(self) -> Fact:
        """The same fact without `<`."""
        return self.turned() if self.relation == "<" else self

    def clause(self, words: Mapping[str, Slot]) -> Clause:
        """The comparison as a clause for the forms, with the words of its order."""
        return Clause(COMPARED[self.relation], str(self), {"left": self.left, "right": self.right, **words})

    def seen_from(self, person: str) -> Fact | None:
        """The fact with `person` on the left, or None if it is not about that person."""
        if person == self.left:
            return self
        return self.turned() if person == self.right else None


def depth_first(given: Mapping[str, Fact], start: str, allowed: str) -> Iterator[tuple[str, Fact]]:
    """Yield each fact, with its label, that leads from a person already met to a new person by an allowed relation.

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
    """The steps that relate `start` to each person in one direction, ending at `goal`, and whether they reach it."""
    steps: list[str] = []
    relations: dict[str, tuple[str, str]] = {}  # how the start relates to each person met, and the same as a premise
    for label, seen in depth_first(given, start, f"={sign}"):
        before, known = relations.get(seen.left, ("=", ""))
        after = Fact(start, sign if sign in (before, seen.relation) else "=", seen.right)
        relations[seen.right] = after.relation, f"{after.greater_first()}, "
        steps.append(f"{known}{given[label]} => {after.greater_first()}")
        if seen.right == goal:
            return steps, True
    return steps, False
