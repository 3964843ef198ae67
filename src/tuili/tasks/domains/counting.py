"""Counting: choices, orders, combinations, paths and overlapping groups, and the templates of `probability`.

A binomial coefficient is built up factor by factor (`working.combinations`), so that every step divides by a small
number.
"""

from __future__ import annotations

import random
from math import comb, perm

from tuili.tasks.building.levels import Template
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
from tuili.tasks.building.wording import conjoin
from tuili.tasks.building.words import COLOURS, FIRST_NAMES, OBJECTS, PEOPLE, PLACES, THINGS
from tuili.tasks.building.working import combinations, long_multiplication, running_sums, worked_product
from tuili.tasks.problem import Draft
from tuili.tasks.registry import domain

RANKS = {2: "first and second", 3: "first, second and third"}


def _permutations(n: int, k: int) -> list[str]:
    """The working of P(n, k), the product of k factors from n downwards. The last line states P(n, k)."""
    lines, value = [], n
    for factor in range(n - 1, n - k, -1):
        lines += worked_product(value, factor)
        value *= factor
    return [*lines, f"P({n}, {k}) = {value}"]


def _choices(rng: random.Random, kinds: int) -> Draft:
    things, name = rng.sample(THINGS, kinds), rng.choice(FIRST_NAMES)
    counts = [rng.randint(2, 40 if kinds == 2 else 12), *(rng.randint(2, 9) for _ in range(kinds - 1))]
    steps, value = [], counts[0]
    for count in counts[1:]:
        steps += worked_product(value, count)
        value *= count
    listed = conjoin([f"{count} different {kind}" for kind, count in zip(things, counts, strict=True)])
    prompt = f"{name} can choose from {listed}. In how many ways can {name} take one of each?"
    return Draft(prompt, tuple(steps), str(value))


def _pairs(rng: random.Random) -> Draft:
    n, people, place = rng.randint(4, 11), rng.choice(PEOPLE), rng.choice(PLACES)
    prompt = rng.choice(
        (
            (
                f"{n} {people} meet at the {place}. Each shakes hands once with every other. How many "
                "handshakes are there?"
            ),
            f"In how many ways can 2 of {n} {people} be chosen for the {place}?",
        )
    )
    return Draft(prompt, tuple(combinations(n, 2, fully=True)), str(comb(n, 2)))


def _podium(rng: random.Random, places: int, high: int) -> Draft:
    n, people, place = rng.randint(places + 2, high), rng.choice(PEOPLE), rng.choice(PLACES)
    prompt = f"{n} {people} race at the {place}. In how many ways can the {RANKS[places]} place go to them?"
    return Draft(prompt, tuple(_permutations(n, places)), str(perm(n, places)))


def _row(rng: random.Random) -> Draft:
    n = rng.randint(3, 7)
    names, value, steps = rng.sample(FIRST_NAMES, n), n, []
    for factor in range(n - 1, 1, -1):
        steps += worked_product(value, factor)
        value *= factor
    prompt = f"In how many orders can {conjoin(names)} stand in a row?"
    return Draft(prompt, (*steps, f"{n}! = {value}"), str(value))


def _two_groups(rng: random.Random) -> Draft:
    first, second = rng.sample(THINGS, 2)
    a, b = rng.randint(12, 99), rng.randint(12, 99)
    both, none = rng.randint(3, min(a, b) - 1), rng.randint(1, 30)
    either = a + b - both
    setting = f"Of some {rng.choice(PEOPLE)}, {a} like {first}, {b} like {second} and {both} like both"
    steps = [f"{a} + {b} = {a + b}", f"{a + b} - {both} = {either}"]
    if rng.random() < 0.5:
        prompt = f"{setting}. How many like {first} or {second} or both?"
        return Draft(prompt, tuple(steps), str(either))
    prompt = f"{setting}. {none} like neither. How many are there in all?"
    return Draft(prompt, (*steps, f"{either} + {none} = {either + none}"), str(either + none))


def _team(rng: random.Random, low: int, high: int, most: int, *, fully: bool = False) -> Draft:
    n, k, people, place = rng.randint(low, high), rng.randint(2, most), rng.choice(PEOPLE), rng.choice(PLACES)
    prompt = rng.choice(
        (
            f"In how many ways can the {place} choose a team of {k} from {n} {people}?",
            f"{k} of {n} {people} go to the {place}. In how many ways can the {k} be chosen?",
        )
    )
    return Draft(prompt, tuple(combinations(n, k, fully=fully)), str(comb(n, k)))


def _two_teams(rng: random.Random) -> Draft:
    """The ways to choose a team from two groups."""
    (first, second), (n, m) = rng.sample(PEOPLE, 2), (rng.randint(5, 10), rng.randint(5, 10))
    k = rng.randint(2, 3)
    a, b = comb(n, k), comb(m, 2)
    steps = [*combinations(n, k), *combinations(m, 2), *long_multiplication(a, b), f"{a} * {b} = {a * b}"]
    prompt = f"In how many ways can a team of {k} {first} and 2 {second} be chosen from {n} {first} and {m} {second}?"
    return Draft(prompt, tuple(steps), str(a * b))


def _flags(rng: random.Random, high: int) -> Draft:
    (first, second), things = rng.sample(COLOURS, 2), rng.choice(OBJECTS)
    a, b = rng.randint(3, 4), rng.randint(4, high)
    steps = [f"{a} + {b} = {a + b}", *combinations(a + b, a)]
    prompt = (
        f"In how many orders can {a} {first} and {b} {second} {things} lie in a row, if those of one colour "
        "look the same?"
    )
    return Draft(prompt, tuple(steps), str(comb(a + b, a)))


def _multiples(rng: random.Random) -> Draft:
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
    prompt = f"How many of the whole numbers from 1 to {bound} are divisible by {a} or by {b}?"
    if rng.random() < 0.5:
        return Draft(prompt, tuple(steps), str(m + n - both))
    rest = bound - (m + n - both)
    steps.append(f"{bound} - {m + n - both} = {rest}")
    return Draft(
        prompt.replace("divisible by", "divisible neither by").replace(" or ", " nor "),
        tuple(steps),
        str(rest),
    )


def _three_groups(rng: random.Random) -> Draft:
    """The size of the union of three overlapping groups. Their seven parts are drawn, so that the numbers fit."""
    things, parts = rng.sample(THINGS, 3), [rng.randint(2, 40) for _ in range(7)]
    only_a, only_b, only_c, ab, ac, bc, abc = parts
    a, b, c = only_a + ab + ac + abc, only_b + ab + bc + abc, only_c + ac + bc + abc
    ab, ac, bc = ab + abc, ac + abc, bc + abc
    singles, doubles = a + b + c, ab + ac + bc
    steps = [*running_sums([a, b, c]), *running_sums([ab, ac, bc]), f"{singles} - {doubles} = {singles - doubles}"]
    steps.append(f"{singles - doubles} + {abc} = {sum(parts)}")
    x, y, z = things
    prompt = (
        f"Of some {rng.choice(PEOPLE)}, {a} like {x}, {b} like {y}, {c} like {z}, {ab} like {x} and {y}, "
        f"{ac} like {x} and {z}, {bc} like {y} and {z}, and {abc} like all three. How many like at least one "
        "of them?"
    )
    return Draft(prompt, tuple(steps), str(sum(parts)))


def _sharing(rng: random.Random, high: int) -> Draft:
    """The ways to share n equal things among k people: n + k - 1 places hold k - 1 bars."""
    n, k, things, people = rng.randint(5, high), rng.randint(3, 4), rng.choice(THINGS), rng.choice(PEOPLE)
    steps = [f"{k} - 1 = {k - 1}", f"{n} + {k - 1} = {n + k - 1}", *combinations(n + k - 1, k - 1)]
    prompt = f"In how many ways can {n} equal {things} be shared among {k} {people}, if some may get none?"
    return Draft(prompt, tuple(steps), str(comb(n + k - 1, k - 1)))


def _paths(rng: random.Random) -> Draft:
    """The shortest paths through a grid that pass a given point: the product of two binomials."""
    (a, b), (c, d) = [(rng.randint(2, 4), rng.randint(2, 6)) for _ in range(2)]
    first, second = comb(a + b, a), comb(c + d, c)
    steps = [
        f"{a} + {b} = {a + b}",
        *combinations(a + b, a),
        f"{c} + {d} = {c + d}",
        *combinations(c + d, c),
    ]
    steps += [*long_multiplication(first, second), f"{first} * {second} = {first * second}"]
    prompt = (
        f"{rng.choice(FIRST_NAMES)} walks {a + c} blocks north and {b + d} blocks east, one block at a time, and "
        f"passes the point that is {a} blocks north and {b} blocks east of the start. How many paths are "
        "there?"
    )
    return Draft(prompt, tuple(steps), str(first * second))


def _three_colours(rng: random.Random) -> Draft:
    """The orders of things of three colours: first the places of one colour are chosen, then those of the next."""
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
    listed = conjoin([f"{count} {colour}" for colour, count in zip(colours, counts, strict=True)])
    prompt = f"In how many orders can {listed} {things} lie in a row, if those of one colour look the same?"
    return Draft(prompt, tuple(steps), str(first * second))


TEMPLATES_BY_LEVEL: dict[int, tuple[Template, ...]] = {
    1: (
        lambda rng: _choices(rng, rng.randint(2, 3)),
        lambda rng: _podium(rng, 2, 11),
        _pairs,
        draw_one,
    ),
    2: (
        lambda rng: _podium(rng, 3, 12),
        lambda rng: _team(rng, 5, 12, 3, fully=True),
        draw_other,
        two_dice,
        _row,
        _two_groups,
    ),
    3: (
        lambda rng: _team(rng, 10, 20, 4),
        lambda rng: coins(rng, 8, 12),
        lambda rng: _flags(rng, 9),
        two_draws,
        _two_teams,
        _multiples,
    ),
    4: (
        lambda rng: mixed_draw(rng, 3, 9),
        lambda rng: at_least_one(rng, 3, 9),
        lambda rng: _sharing(rng, 18),
        lambda rng: many_coins(rng, 8, 12, 3),
        _three_groups,
        two_bags,
    ),
    5: (
        lambda rng: mixed_draw(rng, 6, 14),
        lambda rng: at_least_one(rng, 6, 14),
        lambda rng: many_coins(rng, 10, 14, 5),
        _paths,
        _three_colours,
    ),
}


@domain("counting", phase=2)
class Counting:
    """Choices and single draws at level 1, combinations from 2 on, several draws, coins and groups from 3 on."""

    def sample(self, rng: random.Random, level: int) -> Draft:
        return rng.choice(TEMPLATES_BY_LEVEL[level])(rng)
