"""Counting and probability: choices, orders, combinations, draws, dice, coins and overlapping groups.

Probabilities are exact fractions in lowest terms. A binomial coefficient is built up factor by factor
(`working.combinations`), so that every step divides by a single digit or a small number.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from math import comb, perm

from tuili.tasks.problem import Draft
from tuili.tasks.registry import domain
from tuili.tasks.wording import conjoin
from tuili.tasks.words import COLOURS, NAMES, OBJECTS, PEOPLE, PLACES, THINGS, singular
from tuili.tasks.working import combinations, lowest_terms, product, total

FRACTION = "Give the answer as a fraction in lowest terms."
RANKS = {2: "first and second", 3: "first, second and third"}


def _falling(n: int, k: int) -> list[str]:
    """The working of n (n - 1) ... down to k factors, the last line stating P(n, k) unless k is 1."""
    lines, value = [], n
    for factor in range(n - 1, n - k, -1):
        lines += [*product(value, factor), f"{value} * {factor} = {value * factor}"]
        value *= factor
    return [*lines, f"P({n}, {k}) = {value}"]


def _probability(favourable: int, possible: int) -> tuple[str, str]:
    """The step that cancels a probability, and the answer."""
    cancelled = f"p = {favourable} / {possible} = {lowest_terms(favourable, possible)}"
    return cancelled, _canonical(Fraction(favourable, possible))


def _canonical(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"


def _bag(rng: random.Random, colours: int, low: int, high: int) -> tuple[str, list[str], list[int]]:
    """A sentence on a bag of things of several colours, the colours and how many there are of each."""
    names, counts = rng.sample(COLOURS, colours), [rng.randint(low, high) for _ in range(colours)]
    things = rng.choice(OBJECTS)
    held = conjoin([f"{count} {name}" for name, count in zip(names, counts, strict=True)])
    return f"A bag holds {held} {things}.", names, counts


def _choices(rng: random.Random, kinds: int) -> Draft:
    things, name = rng.sample(THINGS, kinds), rng.choice(NAMES)
    counts = [rng.randint(2, 40 if kinds == 2 else 12), *(rng.randint(2, 9) for _ in range(kinds - 1))]
    steps, value = [], counts[0]
    for count in counts[1:]:
        steps.append(f"{value} * {count} = {value * count}")
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
    return Draft(prompt, tuple(combinations(n, 2)), str(comb(n, 2)))


def _podium(rng: random.Random, places: int, high: int) -> Draft:
    n, people, place = rng.randint(places + 2, high), rng.choice(PEOPLE), rng.choice(PLACES)
    prompt = f"{n} {people} race at the {place}. In how many ways can the {RANKS[places]} place go to them?"
    return Draft(prompt, tuple(_falling(n, places)), str(perm(n, places)))


def _draw_one(rng: random.Random) -> Draft:
    told, names, counts = _bag(rng, 3, 1, 12)
    wanted = rng.randrange(3)
    step, answer = _probability(counts[wanted], sum(counts))
    prompt = f"{told} One is drawn at random. What is the probability that it is {names[wanted]}? {FRACTION}"
    return Draft(prompt, (*total(counts), step), answer)


def _draw_other(rng: random.Random) -> Draft:
    told, names, counts = _bag(rng, rng.randint(3, 4), 2, 20)
    wanted = rng.randrange(len(counts))
    everything, rest = sum(counts), sum(counts) - counts[wanted]
    step, answer = _probability(rest, everything)
    prompt = f"{told} One is drawn at random. What is the probability that it is not {names[wanted]}? {FRACTION}"
    return Draft(prompt, (*total(counts), f"{everything} - {counts[wanted]} = {rest}", step), answer)


def _two_dice(rng: random.Random) -> Draft:
    """The number of ways to throw a sum: s - 1 up to the middle, counted from the other end beyond it."""
    sides = rng.randint(4, 20)
    sum_ = rng.randint(3, 2 * sides - 1)
    if sum_ <= sides + 1:
        ways = sum_ - 1
        steps = [f"{sum_} - 1 = {ways}"]
    else:
        ways = 2 * sides + 1 - sum_
        steps = [f"2 * {sides} + 1 = {2 * sides} + 1 = {2 * sides + 1}", f"{2 * sides + 1} - {sum_} = {ways}"]
    step, answer = _probability(ways, sides * sides)
    steps += [*product(sides, sides), f"{sides} * {sides} = {sides * sides}", step]
    dice = f"{rng.choice(NAMES)} throws two dice with the numbers 1 to {sides} each."
    return Draft(f"{dice} What is the probability that the sum is {sum_}? {FRACTION}", tuple(steps), answer)


def _row(rng: random.Random) -> Draft:
    n = rng.randint(3, 7)
    names, value, steps = rng.sample(NAMES, n), n, []
    for factor in range(n - 1, 1, -1):
        steps.append(f"{value} * {factor} = {value * factor}")
        value *= factor
    prompt = f"In how many orders can {conjoin(names)} stand in a row?"
    return Draft(prompt, (*steps, f"{n}! = {value}"), str(value))


def _two_groups(rng: random.Random) -> Draft:
    first, second = rng.sample(THINGS, 2)
    a, b = rng.randint(12, 99), rng.randint(12, 99)
    both, none = rng.randint(3, min(a, b) - 1), rng.randint(1, 30)
    either = a + b - both
    told = f"Of some {rng.choice(PEOPLE)}, {a} like {first}, {b} like {second} and {both} like both"
    steps = [f"{a} + {b} = {a + b}", f"{a + b} - {both} = {either}"]
    if rng.random() < 0.5:
        prompt = f"{told}. How many like {first} or {second} or both?"
        return Draft(prompt, tuple(steps), str(either))
    prompt = f"{told}. {none} like neither. How many are there in all?"
    return Draft(prompt, (*steps, f"{either} + {none} = {either + none}"), str(either + none))


def _team(rng: random.Random, low: int, high: int, most: int) -> Draft:
    n, k, people, place = rng.randint(low, high), rng.randint(2, most), rng.choice(PEOPLE), rng.choice(PLACES)
    prompt = rng.choice(
        (
            f"In how many ways can the {place} choose a team of {k} from {n} {people}?",
            f"{k} of {n} {people} go to the {place}. In how many ways can the {k} be chosen?",
        )
    )
    return Draft(prompt, tuple(combinations(n, k)), str(comb(n, k)))


def _two_draws(rng: random.Random) -> Draft:
    """Two draws without replacement: both of one colour, or one colour and then another."""
    told, names, counts = _bag(rng, rng.randint(2, 3), 3, 12)
    first, second = rng.choice([(0, 0), (0, 1), (1, 0)])
    everything = sum(counts)
    left = counts[second] - (first == second)
    favourable, possible = counts[first] * left, everything * (everything - 1)
    step, answer = _probability(favourable, possible)
    wanted = (
        f"both are {names[0]}" if first == second else f"the first is {names[first]} and the second {names[second]}"
    )
    steps = [
        *total(counts),
        f"{everything} - 1 = {everything - 1}",
        *([f"{counts[first]} - 1 = {left}"] if first == second else []),
        *product(counts[first], left),
        f"{counts[first]} * {left} = {favourable}",
        *product(everything, everything - 1),
        f"{everything} * {everything - 1} = {possible}",
        step,
    ]
    prompt = (
        f"{told} Two are drawn at random, one after the other, and not put back. What is the probability "
        f"that {wanted}? {FRACTION}"
    )
    return Draft(prompt, tuple(steps), answer)


def _two_teams(rng: random.Random) -> Draft:
    """A choice from each of two groups."""
    (first, second), (n, m) = rng.sample(PEOPLE, 2), (rng.randint(5, 10), rng.randint(5, 10))
    k = rng.randint(2, 3)
    a, b = comb(n, k), comb(m, 2)
    steps = [*combinations(n, k), *combinations(m, 2), *product(a, b), f"{a} * {b} = {a * b}"]
    prompt = f"In how many ways can a team of {k} {first} and 2 {second} be chosen from {n} {first} and {m} {second}?"
    return Draft(prompt, tuple(steps), str(a * b))


def _coins(rng: random.Random, low: int, high: int) -> Draft:
    """Exactly so many heads."""
    n, name = rng.randint(low, high), rng.choice(NAMES)
    k = rng.randint(1, n - 1)
    step, answer = _probability(comb(n, k), 2**n)
    prompt = f"{name} throws a fair coin {n} times. What is the probability of exactly {k} heads? {FRACTION}"
    return Draft(prompt, (*combinations(n, k), f"2^{n} = {2**n}", step), answer)


def _many_coins(rng: random.Random, low: int, high: int, most: int) -> Draft:
    """At most so many heads, or at least so many, which is at most the rest of tails."""
    n, k, name = rng.randint(low, high), rng.randint(1, most), rng.choice(NAMES)
    ways = [comb(n, j) for j in range(k + 1)]
    step, answer = _probability(sum(ways), 2**n)
    steps = [*combinations(n, k), *total(ways), f"2^{n} = {2**n}", step]
    wanted = f"at most {k} heads"
    if rng.random() < 0.5:
        wanted, steps = f"at least {n - k} heads", [f"{n} - {n - k} = {k}", *steps]
    prompt = f"{name} throws a fair coin {n} times. What is the probability of {wanted}? {FRACTION}"
    return Draft(prompt, tuple(steps), answer)


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
    """How many numbers up to a bound two divisors reach, by inclusion and exclusion."""
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
    """Three overlapping groups, drawn by their seven parts so that the numbers always fit."""
    things, parts = rng.sample(THINGS, 3), [rng.randint(2, 40) for _ in range(7)]
    only_a, only_b, only_c, ab, ac, bc, abc = parts
    a, b, c = only_a + ab + ac + abc, only_b + ab + bc + abc, only_c + ac + bc + abc
    ab, ac, bc = ab + abc, ac + abc, bc + abc
    singles, doubles = a + b + c, ab + ac + bc
    steps = [*total([a, b, c]), *total([ab, ac, bc]), f"{singles} - {doubles} = {singles - doubles}"]
    steps.append(f"{singles - doubles} + {abc} = {sum(parts)}")
    x, y, z = things
    prompt = (
        f"Of some {rng.choice(PEOPLE)}, {a} like {x}, {b} like {y}, {c} like {z}, {ab} like {x} and {y}, "
        f"{ac} like {x} and {z}, {bc} like {y} and {z}, and {abc} like all three. How many like at least one "
        "of them?"
    )
    return Draft(prompt, tuple(steps), str(sum(parts)))


def _mixed_draw(rng: random.Random, low: int, high: int) -> Draft:
    """Several drawn at once: so many of one colour and the rest of the other."""
    told, names, (a, b) = _bag(rng, 2, low, high)
    i, j = rng.choice([(1, 1), (2, 1), (1, 2), (2, 2)])
    ways, possible = comb(a, i) * comb(b, j), comb(a + b, i + j)
    step, answer = _probability(ways, possible)
    steps = [f"{a} + {b} = {a + b}"]
    steps += [line for n, k in ((a, i), (b, j)) for line in combinations(n, k)]
    steps += [
        *product(comb(a, i), comb(b, j)),
        f"{comb(a, i)} * {comb(b, j)} = {ways}",
        *combinations(a + b, i + j),
        step,
    ]
    prompt = (
        f"{told} {i + j} are drawn at once. What is the probability of {i} {names[0]} and {j} {names[1]}? {FRACTION}"
    )
    return Draft(prompt, tuple(steps), answer)


def _at_least_one(rng: random.Random, low: int, high: int) -> Draft:
    """At least one of a colour, by the complement."""
    told, names, (a, b) = _bag(rng, 2, low, high)
    k = rng.randint(2, 3)
    none, possible = comb(b, k), comb(a + b, k)
    step, answer = _probability(possible - none, possible)
    steps = [
        f"{a} + {b} = {a + b}",
        *combinations(a + b, k),
        *combinations(b, k),
        f"{possible} - {none} = {possible - none}",
        step,
    ]
    prompt = f"{told} {k} are drawn at once. What is the probability that at least one is {names[0]}? {FRACTION}"
    return Draft(prompt, tuple(steps), answer)


def _sharing(rng: random.Random, high: int) -> Draft:
    """Equal things to different people: n + k - 1 places for k - 1 bars."""
    n, k, things, people = rng.randint(5, high), rng.randint(3, 4), rng.choice(THINGS), rng.choice(PEOPLE)
    steps = [f"{k} - 1 = {k - 1}", f"{n} + {k - 1} = {n + k - 1}", *combinations(n + k - 1, k - 1)]
    prompt = f"In how many ways can {n} equal {things} be shared among {k} {people}, if some may get none?"
    return Draft(prompt, tuple(steps), str(comb(n + k - 1, k - 1)))


def _paths(rng: random.Random) -> Draft:
    """Shortest paths through a grid by way of a given point: two binomials and their product."""
    (a, b), (c, d) = [(rng.randint(2, 4), rng.randint(2, 6)) for _ in range(2)]
    first, second = comb(a + b, a), comb(c + d, c)
    steps = [f"{a} + {b} = {a + b}", *combinations(a + b, a), f"{c} + {d} = {c + d}", *combinations(c + d, c)]
    steps += [*product(first, second), f"{first} * {second} = {first * second}"]
    prompt = (
        f"{rng.choice(NAMES)} walks {a + c} blocks north and {b + d} blocks east, one block at a time, and "
        f"passes the point that is {a} blocks north and {b} blocks east of the start. How many paths are "
        "there?"
    )
    return Draft(prompt, tuple(steps), str(first * second))


def _three_colours(rng: random.Random) -> Draft:
    """The orders of things of three colours: the places of the first, then those of the second."""
    counts = a, b, c = [rng.randint(2, 4) for _ in range(3)]
    colours, things = rng.sample(COLOURS, 3), rng.choice(OBJECTS)
    n, first, second = a + b + c, comb(a + b + c, a), comb(b + c, b)
    steps = [*total(counts), *combinations(n, a), f"{n} - {a} = {b + c}", *combinations(b + c, b)]
    steps += [*product(first, second), f"{first} * {second} = {first * second}"]
    listed = conjoin([f"{count} {colour}" for colour, count in zip(colours, counts, strict=True)])
    prompt = f"In how many orders can {listed} {things} lie in a row, if those of one colour look the same?"
    return Draft(prompt, tuple(steps), str(first * second))


def _two_bags(rng: random.Random) -> Draft:
    """Bayes: a bag is taken at random, a thing of one colour is drawn; which bag was it?"""
    things, (first, second) = rng.choice(OBJECTS), rng.sample(COLOURS, 2)
    n = rng.randint(8, 20)
    a, b = rng.randint(1, n - 1), rng.randint(1, n - 1)
    step, answer = _probability(a, a + b)
    prompt = (
        f"Bag A holds {a} {first} and {n - a} {second} {things}, bag B {b} {first} and {n - b} {second}. One "
        f"bag is taken at random and one {singular(things)} drawn from it. It is {first}. What is the "
        f"probability that it is from bag A? {FRACTION}"
    )
    steps = [
        f"{a} + {n - a} = {n}",
        f"{b} + {n - b} = {n}",
        f"a = 1/2 * {a}/{n} = {a}/{2 * n}",
        f"b = 1/2 * {b}/{n} = {b}/{2 * n}",
        f"{a} + {b} = {a + b}",
        step,
    ]
    return Draft(prompt, tuple(steps), answer)


Kind = Callable[[random.Random], Draft]
KINDS: dict[int, tuple[Kind, ...]] = {
    1: (
        lambda rng: _choices(rng, rng.randint(2, 3)),
        lambda rng: _podium(rng, 2, 11),
        _pairs,
        _draw_one,
    ),
    2: (
        lambda rng: _podium(rng, 3, 12),
        lambda rng: _team(rng, 5, 12, 3),
        _draw_other,
        _two_dice,
        _row,
        _two_groups,
    ),
    3: (
        lambda rng: _team(rng, 10, 20, 4),
        lambda rng: _coins(rng, 8, 12),
        lambda rng: _flags(rng, 9),
        _two_draws,
        _two_teams,
        _multiples,
    ),
    4: (
        lambda rng: _mixed_draw(rng, 3, 9),
        lambda rng: _at_least_one(rng, 3, 9),
        lambda rng: _sharing(rng, 18),
        lambda rng: _many_coins(rng, 8, 12, 3),
        _three_groups,
        _two_bags,
    ),
    5: (
        lambda rng: _mixed_draw(rng, 6, 14),
        lambda rng: _at_least_one(rng, 6, 14),
        lambda rng: _many_coins(rng, 10, 14, 5),
        _paths,
        _three_colours,
    ),
}


@domain("counting", phase=2)
class Counting:
    """Choices and single draws at level 1, combinations at 2, several draws, coins and groups above."""

    def sample(self, rng: random.Random, level: int) -> Draft:
        return rng.choice(KINDS[level])(rng)
