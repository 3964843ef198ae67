"""Arrangements and choices of people and things, as templates for `counting`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from math import comb, perm
from math import factorial as factorial_of

from tuili.tasks.building.factors import combinations, factorial, permutations
from tuili.tasks.building.wording import posed
from tuili.tasks.building.words import COLOURS, FIRST_NAMES, OBJECTS, PEOPLE, PLACES
from tuili.tasks.content import Clause, Clauses, Content

_ROUND = {
    2: [10 * tens + more for tens in range(2, 11) for more in (0, 1)],
    3: [20, 21, 22, 30, 31, 32, 40, 41, 42],
}
"""Larger numbers whose descending products of 2 and of 3 factors are easy to work out: 31 * 30, 42 * 41 * 40."""


def _count(rng: random.Random, low: int, high: int, factors: int) -> int:
    """A number from `low` to `high`, or a round one, so that there are enough problems for three splits."""
    return rng.randint(low, high) if rng.random() < 0.65 else rng.choice(_ROUND[factors])


def pairs(rng: random.Random) -> Content:
    """The number of pairs among some people."""
    n, people, place = _count(rng, 4, 11, 2), rng.choice(PEOPLE), rng.choice(PLACES)
    steps = combinations(n, 2, fully=True)
    return posed("pairs", steps, str(comb(n, 2)), n=n, people=people, place=place)


def podium(rng: random.Random, places: int, high: int) -> Content:
    """The number of ways to fill the first two or three places."""
    n, people, place = _count(rng, places + 2, high, places), rng.choice(PEOPLE), rng.choice(PLACES)
    kind = {2: "two_places", 3: "three_places"}[places]
    return posed(kind, permutations(n, places), str(perm(n, places)), n=n, people=people, place=place)


def row(rng: random.Random) -> Content:
    """The number of orders of named people. There are only five sums, so other names count as another problem."""
    names = rng.sample(FIRST_NAMES, rng.randint(3, 7))
    standing = Clauses(tuple(Clause("", name) for name in names))
    content = posed("row", factorial(len(names)), str(factorial_of(len(names))), row=standing)
    return replace(content, distinct=tuple(sorted(names)))


def team(rng: random.Random, low: int, highest: Sequence[int], *, fully: bool = False) -> Content:
    """The number of teams of 2 or more people; `highest` has, for each size, the most people to choose from."""
    k, people, place = rng.randint(2, len(highest) + 1), rng.choice(PEOPLE), rng.choice(PLACES)
    n = rng.randint(low, highest[k - 2])
    steps = combinations(n, k, fully=fully)
    return posed("team", steps, str(comb(n, k)), k=k, n=n, people=people, place=place)


def flags(rng: random.Random, high: int) -> Content:
    """The number of orders of things of two colours."""
    (first, second), things = rng.sample(COLOURS, 2), rng.choice(OBJECTS)
    a, b = rng.randint(2, 4), rng.randint(4, high)
    steps = [f"{a} + {b} = {a + b}", *combinations(a + b, a)]
    return posed("two_colours", steps, str(comb(a + b, a)), a=a, first=first, b=b, second=second, things=things)
