"""Probability: draws from a bag, dice and coins, as templates for `counting`.

A probability is an exact fraction in lowest terms; Euclid's algorithm finds the common factor that reduces it.
"""

from __future__ import annotations

import random
from math import comb, gcd

from tuili.tasks.building.factors import combinations
from tuili.tasks.building.wording import posed
from tuili.tasks.building.words import COLOURS, FIRST_NAMES, OBJECTS
from tuili.tasks.building.working import cancel, long_multiplication, running_sums, worked_product
from tuili.tasks.content import Clause, Clauses, Content, Slot


def _probability(favourable: int, possible: int) -> tuple[list[str], str]:
    """The lines that reduce a probability to lowest terms, and the answer."""
    divisions, forms = cancel(favourable, possible)
    return [*divisions, f"p = {favourable} / {possible} = {forms}"], forms.rpartition(" ")[2]


def _share(colour: str, count: int, everything: int) -> str:
    """The probability of a colour, under its name: the name leads to the number of things with this colour."""
    return f"{colour} = {count} / {everything} = {count}/{everything}"


def _cancels_by_digits(favourable: int, possible: int) -> bool:
    """Whether no prime factor of the greatest common divisor has two digits, so nothing is divided by 11 or 13."""
    return 210**9 % gcd(favourable, possible) == 0


def _bag(rng: random.Random, colours: int, low: int, high: int) -> tuple[dict[str, Slot], list[str], list[int]]:
    """The contents of a bag of things of several colours, the colours, and the number of things of each colour."""
    names, counts = rng.sample(COLOURS, colours), [rng.randint(low, high) for _ in range(colours)]
    things = rng.choice(OBJECTS)
    held = [
        Clause("held", "", {"count": count, "colour": name, "things": things})
        for name, count in zip(names, counts, strict=True)
    ]
    return {"held": Clauses(tuple(held)), "things": things}, names, counts


def draw_one(rng: random.Random) -> Content:
    """The probability that one thing drawn from a bag has a given colour."""
    setting, names, counts = _bag(rng, 3, 1, 12)
    wanted = rng.randrange(3)
    while not _cancels_by_digits(counts[wanted], sum(counts)):
        setting, names, counts = _bag(rng, 3, 1, 12)
    ending, answer = _probability(counts[wanted], sum(counts))
    steps = [*running_sums(counts), _share(names[wanted], counts[wanted], sum(counts)), *ending]
    return posed("draw_one", steps, answer, colour=names[wanted], **setting)


def draw_other(rng: random.Random) -> Content:
    """The probability that one thing drawn from a bag does not have a given colour."""
    setting, names, counts = _bag(rng, rng.randint(3, 4), 2, 20)
    wanted = rng.randrange(len(counts))
    while not _cancels_by_digits(counts[wanted], sum(counts)):
        setting, names, counts = _bag(rng, len(counts), 2, 20)
    everything, rest = sum(counts), sum(counts) - counts[wanted]
    ending, answer = _probability(rest, everything)
    steps = [
        *running_sums(counts),
        _share(names[wanted], counts[wanted], everything),
        f"{everything} - {counts[wanted]} = {rest}",
        *ending,
    ]
    return posed("draw_other", steps, answer, colour=names[wanted], **setting)


def two_dice(rng: random.Random) -> Content:
    """The probability of a sum s of two dice with n sides: s - 1 throws give it if s ≤ n + 1, else 2n + 1 - s."""
    sides, ways = rng.randint(4, 20), 0
    while not ways or not _cancels_by_digits(ways, sides):
        sum_ = rng.randint(3, 2 * sides - 1)
        ways = sides - abs(sides + 1 - sum_)
    steps = [f"{sides} + 1 = {sides + 1}"]
    if sum_ <= sides + 1:
        steps += [f"{sum_} <= {sides + 1}", f"{sum_} - 1 = {ways}"]
    else:
        steps += [
            f"{sum_} > {sides + 1}",
            f"{sides + 1} + {sides} = {2 * sides + 1}",
            f"{2 * sides + 1} - {sum_} = {ways}",
        ]
    ending, answer = _probability(ways, sides * sides)
    steps += [*worked_product(sides, sides), *ending]
    return posed("two_dice", steps, answer, name=rng.choice(FIRST_NAMES), sides=sides, sum=sum_)


def two_draws(rng: random.Random) -> Content:
    """The probability that two draws without replacement give one colour twice, or one colour and then another."""
    setting, names, counts = _bag(rng, rng.randint(2, 3), 3, 12)
    first, second = rng.choice([(0, 0), (0, 1), (1, 0)])
    everything = sum(counts)
    left = counts[second] - (first == second)
    favourable, possible = counts[first] * left, everything * (everything - 1)
    ending, answer = _probability(favourable, possible)
    steps = [
        *running_sums(counts),
        _share(names[first], counts[first], everything),
        f"{everything} - 1 = {everything - 1}",
        f"{counts[first]} - 1 = {left}" if first == second else _share(names[second], left, everything - 1),
        *long_multiplication(counts[first], left),
        f"{counts[first]} * {left} = {favourable}",
        *long_multiplication(everything, everything - 1),
        f"{everything} * {everything - 1} = {possible}",
        *ending,
    ]
    if first == second:
        return posed("draws_alike", steps, answer, colour=names[0], **setting)
    return posed("draws_in_turn", steps, answer, first=names[first], second=names[second], **setting)


def _heads(number: int) -> Clause:
    """A number of heads: one kind of clause for one head and another kind for several."""
    return Clause("one_head" if number == 1 else "some_heads", "", {"number": number})


def coins(rng: random.Random, low: int, high: int) -> Content:
    """The probability of exactly k heads in n throws of a coin; n lies between `low` and `high`."""
    n, name = rng.randint(low, high), rng.choice(FIRST_NAMES)
    k = rng.randint(1, n - 1)
    ending, answer = _probability(comb(n, k), 2**n)
    steps = [*combinations(n, k), f"2^{n} = {2**n}", *ending]
    return posed("coins_exactly", steps, answer, name=name, throws=n, heads=_heads(k))


def many_coins(rng: random.Random, low: int, high: int, max_heads: int) -> Content:
    """The probability of at most k heads in n throws, or of at least n - k, which means at most k tails."""
    n, k, name = rng.randint(low, high), rng.randint(1, max_heads), rng.choice(FIRST_NAMES)
    ways = [comb(n, j) for j in range(k + 1)]
    ending, answer = _probability(sum(ways), 2**n)
    steps = [*combinations(n, k), *running_sums(ways), f"2^{n} = {2**n}", *ending]
    if rng.random() < 0.5:
        steps = [f"{n} - {n - k} = {k}", *steps]
        return posed("coins_at_least", steps, answer, name=name, throws=n, heads=_heads(n - k))
    return posed("coins_at_most", steps, answer, name=name, throws=n, heads=_heads(k))


def mixed_draw(rng: random.Random, low: int, high: int) -> Content:
    """The probability of given numbers of two colours among things drawn at once."""
    setting, names, (a, b) = _bag(rng, 2, low, high)
    i, j = rng.choice([(1, 1), (2, 1), (1, 2), (2, 2)])
    ways, possible = comb(a, i) * comb(b, j), comb(a + b, i + j)
    ending, answer = _probability(ways, possible)
    steps = [f"{a} + {b} = {a + b}"]
    steps += [line for n, k in ((a, i), (b, j)) for line in combinations(n, k)]
    steps += [
        *long_multiplication(comb(a, i), comb(b, j)),
        f"{comb(a, i)} * {comb(b, j)} = {ways}",
        *combinations(a + b, i + j),
        *ending,
    ]
    slots: dict[str, Slot] = {"drawn": i + j, "i": i, "first": names[0], "j": j, "second": names[1]}
    return posed("mixed_draw", steps, answer, **slots, **setting)


def at_least_one(rng: random.Random, low: int, high: int) -> Content:
    """The probability of at least one thing of a colour among things drawn at once, by the complement."""
    setting, names, (a, b) = _bag(rng, 2, low, high)
    k = rng.randint(2, 3)
    none, possible = comb(b, k), comb(a + b, k)
    ending, answer = _probability(possible - none, possible)
    steps = [
        f"{a} + {b} = {a + b}",
        *combinations(a + b, k),
        *combinations(b, k),
        f"{possible} - {none} = {possible - none}",
        *ending,
    ]
    return posed("at_least_one", steps, answer, drawn=k, colour=names[0], **setting)


def two_bags(rng: random.Random) -> Content:
    """The probability that a thing comes from one of two bags, given its colour, by Bayes' theorem."""
    things, (first, second) = rng.choice(OBJECTS), rng.sample(COLOURS, 2)
    n = rng.randint(8, 20)
    a, b = rng.randint(1, n - 1), rng.randint(1, n - 1)
    ending, answer = _probability(a, a + b)
    steps = [
        f"{a} + {n - a} = {n}",
        f"{b} + {n - b} = {n}",
        f"a = 1/2 * {a}/{n} = {a}/{2 * n}",
        f"b = 1/2 * {b}/{n} = {b}/{2 * n}",
        f"{a} + {b} = {a + b}",
        *ending,
    ]
    slots: dict[str, Slot] = {"a": a, "a_rest": n - a, "b": b, "b_rest": n - b}
    return posed("two_bags", steps, answer, first=first, second=second, things=things, **slots)
