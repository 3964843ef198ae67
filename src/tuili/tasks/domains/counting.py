"""Counting: choices, paths and overlapping groups, and the templates of `arrangements` and `probability`.

No line depends on a later one: a product begins with its factors, a probability with the colour asked for.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from math import comb
from typing import TypeAlias

from tuili.tasks.building.arrangements import flags, pairs, podium, row, team
from tuili.tasks.building.factors import combinations
from tuili.tasks.building.probability import (
    at_least_one,
    coins,
    draw_one,
    draw_other,
    many_coins,
    mixed_draw,
    two_bags,
    two_dice,
    two_draws,
)
from tuili.tasks.building.wording import posed
from tuili.tasks.building.words import COLOURS, FIRST_NAMES, OBJECTS, PEOPLE, THINGS
from tuili.tasks.building.working import long_multiplication, running_sums, worked_product
from tuili.tasks.content import Clause, Clauses, Content, Slot
from tuili.tasks.registry import domain

Template: TypeAlias = Callable[[random.Random], Content]
"""Draws a content of one kind and of fixed difficulty."""


def _choices(rng: random.Random, kinds: int) -> Content:
    things, name = rng.sample(THINGS, kinds), rng.choice(FIRST_NAMES)
    counts = [rng.randint(2, 40 if kinds == 2 else 12), *(rng.randint(2, 9) for _ in range(kinds - 1))]
    steps, value = [], counts[0]
    for count in counts[1:]:
        steps += worked_product(value, count)
        value *= count
    sorts = [Clause("sort", "", {"count": n, "things": kind}) for kind, n in zip(things, counts, strict=True)]
    return posed("choices", steps, str(value), name=name, sorts=Clauses(tuple(sorts)))


def _two_groups(rng: random.Random) -> Content:
    first, second = rng.sample(THINGS, 2)
    a, b = rng.randint(12, 99), rng.randint(12, 99)
    both, none = rng.randint(3, min(a, b) - 1), rng.randint(1, 30)
    either = a + b - both
    slots: dict[str, Slot] = {"people": rng.choice(PEOPLE), "a": a, "first": first, "b": b, "second": second}
    slots["both"] = both
    steps = [f"{a} + {b} = {a + b}", f"{a + b} - {both} = {either}"]
    if rng.random() < 0.5:
        return posed("either_group", steps, str(either), **slots)
    steps.append(f"{either} + {none} = {either + none}")
    return posed("all_groups", steps, str(either + none), none=none, **slots)


def _two_teams(rng: random.Random) -> Content:
    """The number of ways to choose a team from two groups."""
    (first, second), (n, m) = rng.sample(PEOPLE, 2), (rng.randint(5, 10), rng.randint(5, 10))
    k = rng.randint(2, 3)
    a, b = comb(n, k), comb(m, 2)
    steps = [*combinations(n, k), *combinations(m, 2), *long_multiplication(a, b), f"{a} * {b} = {a * b}"]
    return posed("two_teams", steps, str(a * b), k=k, j=2, n=n, m=m, first=first, second=second)


def _multiples(rng: random.Random) -> Content:
    """How many numbers up to a bound are divisible by one of two divisors, by inclusion and exclusion."""
    a, b = rng.choice([(2, 3), (2, 5), (2, 7), (3, 4), (3, 5), (3, 7), (4, 5), (5, 7), (5, 6), (4, 7)])
    bound = rng.randint(400, 3000)
    m, n, both = bound // a, bound // b, bound // (a * b)
    steps = [
        f"{bound} div {a} = {m}",
        f"{bound} div {b} = {n}",
        f"{a} * {b} = {a * b}",
        f"{bound} div {a * b} = {m} div {b} = {both}",
        f"{m} + {n} = {m + n}",
        f"{m + n} - {both} = {m + n - both}",
    ]
    if rng.random() < 0.5:
        return posed("multiples", steps, str(m + n - both), bound=bound, a=a, b=b)
    rest = bound - (m + n - both)
    steps.append(f"{bound} - {m + n - both} = {rest}")
    return posed("no_multiples", steps, str(rest), bound=bound, a=a, b=b)


def _three_groups(rng: random.Random) -> Content:
    """The size of the union of three overlapping groups. The seven parts are drawn, so the numbers are consistent."""
    things, parts = rng.sample(THINGS, 3), [rng.randint(2, 40) for _ in range(7)]
    only_a, only_b, only_c, ab, ac, bc, abc = parts
    a, b, c = only_a + ab + ac + abc, only_b + ab + bc + abc, only_c + ac + bc + abc
    ab, ac, bc = ab + abc, ac + abc, bc + abc
    singles, doubles = a + b + c, ab + ac + bc
    steps = [*running_sums([a, b, c]), *running_sums([ab, ac, bc]), f"{singles} - {doubles} = {singles - doubles}"]
    steps.append(f"{singles - doubles} + {abc} = {sum(parts)}")
    slots: dict[str, Slot] = dict(zip(("x", "y", "z"), things, strict=True))
    slots |= {"a": a, "b": b, "c": c, "ab": ab, "ac": ac, "bc": bc, "abc": abc}
    return posed("three_groups", steps, str(sum(parts)), people=rng.choice(PEOPLE), **slots)


def _sharing(rng: random.Random, high: int) -> Content:
    """The number of ways to share n equal things among k people: k - 1 bars on n + k - 1 places."""
    n, k, things, people = rng.randint(5, high), rng.randint(3, 4), rng.choice(THINGS), rng.choice(PEOPLE)
    steps = [f"{k} - 1 = {k - 1}", f"{n} + {k - 1} = {n + k - 1}", *combinations(n + k - 1, k - 1)]
    return posed("sharing", steps, str(comb(n + k - 1, k - 1)), n=n, things=things, k=k, people=people)


def _paths(rng: random.Random) -> Content:
    """The number of shortest grid paths through a given point: the product of two binomial coefficients."""
    (a, b), (c, d) = [(rng.randint(2, 4), rng.randint(2, 6)) for _ in range(2)]
    first, second = comb(a + b, a), comb(c + d, c)
    steps = [
        f"{a} + {b} = {a + b}",
        *combinations(a + b, a),
        f"{c} + {d} = {c + d}",
        *combinations(c + d, c),
    ]
    steps += [*long_multiplication(first, second), f"{first} * {second} = {first * second}"]
    slots: dict[str, Slot] = {"north": a + c, "east": b + d, "north_first": a, "east_first": b}
    return posed("paths", steps, str(first * second), name=rng.choice(FIRST_NAMES), **slots)


def _three_colours(rng: random.Random) -> Content:
    """The number of orders of things of three colours: chooses the places of one colour, then those of the next."""
    counts = a, b, c = [rng.randint(2, 4) for _ in range(3)]
    colours, things = rng.sample(COLOURS, 3), rng.choice(OBJECTS)
    n, first, second = a + b + c, comb(a + b + c, a), comb(b + c, b)
    steps = [
        *running_sums(counts),
        *combinations(n, a),
        f"{n} - {a} = {b + c}",
        *combinations(b + c, b),
    ]
    steps += [*long_multiplication(first, second), f"{first} * {second} = {first * second}"]
    listed = [
        Clause("held", "", {"count": count, "colour": colour, "things": things})
        for colour, count in zip(colours, counts, strict=True)
    ]
    return posed("three_colours", steps, str(first * second), held=Clauses(tuple(listed)), things=things)


TEMPLATES_BY_LEVEL: dict[int, tuple[Template, ...]] = {
    1: (
        lambda rng: _choices(rng, rng.randint(2, 3)),
        lambda rng: podium(rng, 2, 11),
        pairs,
        draw_one,
    ),
    2: (
        lambda rng: podium(rng, 3, 12),
        lambda rng: team(rng, 5, (30, 16), fully=True),
        draw_other,
        two_dice,
        row,
        _two_groups,
    ),
    3: (
        lambda rng: team(rng, 10, (30, 30, 20)),
        lambda rng: coins(rng, 7, 13),
        lambda rng: flags(rng, 20),
        two_draws,
        _two_teams,
        _multiples,
    ),
    4: (
        lambda rng: mixed_draw(rng, 3, 9),
        lambda rng: at_least_one(rng, 3, 9),
        lambda rng: _sharing(rng, 30),
        lambda rng: many_coins(rng, 8, 13, 4),
        _three_groups,
        two_bags,
    ),
    5: (
        lambda rng: mixed_draw(rng, 6, 14),
        lambda rng: at_least_one(rng, 6, 14),
        lambda rng: many_coins(rng, 10, 15, 5),
        _paths,
        _three_colours,
    ),
}


@domain("counting", phase=2)
class Counting:
    """Choices and single draws at level 1; combinations from level 2 on; several draws, coins and groups from 3 on."""

    def sample(self, rng: random.Random, level: int) -> Content:
        return rng.choice(TEMPLATES_BY_LEVEL[level])(rng)
