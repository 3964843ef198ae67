"""Probability: draws from a bag, dice and coins, as templates for `counting`.

A probability is an exact fraction in lowest terms, and the steps name the factors by which it is reduced.
"""

from __future__ import annotations

import random
from math import comb, gcd

from tuili.tasks.building.wording import conjoin
from tuili.tasks.building.words import COLOURS, FIRST_NAMES, OBJECTS, singular
from tuili.tasks.building.working import (
    cancel,
    combinations,
    grid_multiplication,
    long_multiplication,
    running_sums,
    worked_product,
)
from tuili.tasks.problem import Draft

LOWEST_TERMS = "Give the answer as a fraction in lowest terms."


def _probability(favourable: int, possible: int) -> tuple[list[str], str]:
    """The lines that reduce a probability to lowest terms, and the answer."""
    divisions, forms = cancel(favourable, possible)
    return [*divisions, f"p = {favourable} / {possible} = {forms}"], forms.rpartition(" ")[2]


def _cancels_by_digits(favourable: int, possible: int) -> bool:
    """Whether no prime factor of the greatest common divisor has two digits."""
    return 210**9 % gcd(favourable, possible) == 0


def _bag(rng: random.Random, colours: int, low: int, high: int) -> tuple[str, list[str], list[int]]:
    """A sentence on a bag of things of several colours, the colours, and the number of things of each colour."""
    names, counts = rng.sample(COLOURS, colours), [rng.randint(low, high) for _ in range(colours)]
    things = rng.choice(OBJECTS)
    held = conjoin([f"{count} {name}" for name, count in zip(names, counts, strict=True)])
    return f"A bag holds {held} {things}.", names, counts


def draw_one(rng: random.Random) -> Draft:
    """The probability that one thing drawn from a bag has a given colour."""
    setting, names, counts = _bag(rng, 3, 1, 12)
    wanted = rng.randrange(3)
    while not _cancels_by_digits(counts[wanted], sum(counts)):
        setting, names, counts = _bag(rng, 3, 1, 12)
    ending, answer = _probability(counts[wanted], sum(counts))
    prompt = f"{setting} One is drawn at random. What is the probability that it is {names[wanted]}? {LOWEST_TERMS}"
    return Draft(prompt, (*running_sums(counts), *ending), answer)


def draw_other(rng: random.Random) -> Draft:
    """The probability that one thing drawn from a bag has another colour than the given one."""
    setting, names, counts = _bag(rng, rng.randint(3, 4), 2, 20)
    wanted = rng.randrange(len(counts))
    while not _cancels_by_digits(counts[wanted], sum(counts)):
        setting, names, counts = _bag(rng, len(counts), 2, 20)
    everything, rest = sum(counts), sum(counts) - counts[wanted]
    ending, answer = _probability(rest, everything)
    prompt = f"{setting} One is drawn at random. What is the probability that it is not {names[wanted]}? {LOWEST_TERMS}"
    return Draft(prompt, (*running_sums(counts), f"{everything} - {counts[wanted]} = {rest}", *ending), answer)


def two_dice(rng: random.Random) -> Draft:
    """The probability of a sum s of two dice with n sides: s - 1 throws give it up to n + 1, 2n + 1 - s beyond."""
    sides, ways = rng.randint(4, 20), 0
    while not ways or not _cancels_by_digits(ways, sides):
        sum_ = rng.randint(3, 2 * sides - 1)
        ways = sides - abs(sides + 1 - sum_)
    if sum_ <= sides + 1:
        steps = [f"{sum_} - 1 = {ways}"]
    else:
        steps = [
            *grid_multiplication(2, sides),
            f"2 * {sides} + 1 = {2 * sides} + 1 = {2 * sides + 1}",
            f"{2 * sides + 1} - {sum_} = {ways}",
        ]
    ending, answer = _probability(ways, sides * sides)
    steps += [*worked_product(sides, sides), *ending]
    dice = f"{rng.choice(FIRST_NAMES)} throws two dice with the numbers 1 to {sides} each."
    return Draft(f"{dice} What is the probability that the sum is {sum_}? {LOWEST_TERMS}", tuple(steps), answer)


def two_draws(rng: random.Random) -> Draft:
    """The probability that two draws without replacement give one colour twice, or one colour and then another."""
    setting, names, counts = _bag(rng, rng.randint(2, 3), 3, 12)
    first, second = rng.choice([(0, 0), (0, 1), (1, 0)])
    everything = sum(counts)
    left = counts[second] - (first == second)
    favourable, possible = counts[first] * left, everything * (everything - 1)
    ending, answer = _probability(favourable, possible)
    wanted = (
        f"both are {names[0]}" if first == second else f"the first is {names[first]} and the second {names[second]}"
    )
    steps = [
        *running_sums(counts),
        f"{everything} - 1 = {everything - 1}",
        *([f"{counts[first]} - 1 = {left}"] if first == second else []),
        *long_multiplication(counts[first], left),
        f"{counts[first]} * {left} = {favourable}",
        *long_multiplication(everything, everything - 1),
        f"{everything} * {everything - 1} = {possible}",
        *ending,
    ]
    prompt = (
        f"{setting} Two are drawn at random, one after the other, and not put back. What is the probability "
        f"that {wanted}? {LOWEST_TERMS}"
    )
    return Draft(prompt, tuple(steps), answer)


def heads(number: int) -> str:
    """A number of heads in English: `1 head`, `2 heads`."""
    return f"{number} head" if number == 1 else f"{number} heads"


def coins(rng: random.Random, low: int, high: int) -> Draft:
    """The probability of exactly k heads in n throws of a coin; n lies between `low` and `high`."""
    n, name = rng.randint(low, high), rng.choice(FIRST_NAMES)
    k = rng.randint(1, n - 1)
    ending, answer = _probability(comb(n, k), 2**n)
    prompt = f"{name} throws a fair coin {n} times. What is the probability of exactly {heads(k)}? {LOWEST_TERMS}"
    return Draft(prompt, (*combinations(n, k), f"2^{n} = {2**n}", *ending), answer)


def many_coins(rng: random.Random, low: int, high: int, max_heads: int) -> Draft:
    """The probability of at most k heads in n throws, or of at least n - k, which means at most k tails."""
    n, k, name = rng.randint(low, high), rng.randint(1, max_heads), rng.choice(FIRST_NAMES)
    ways = [comb(n, j) for j in range(k + 1)]
    ending, answer = _probability(sum(ways), 2**n)
    steps = [*combinations(n, k), *running_sums(ways), f"2^{n} = {2**n}", *ending]
    wanted = f"at most {heads(k)}"
    if rng.random() < 0.5:
        wanted, steps = f"at least {heads(n - k)}", [f"{n} - {n - k} = {k}", *steps]
    prompt = f"{name} throws a fair coin {n} times. What is the probability of {wanted}? {LOWEST_TERMS}"
    return Draft(prompt, tuple(steps), answer)


def mixed_draw(rng: random.Random, low: int, high: int) -> Draft:
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
    wanted = f"{i} {names[0]} and {j} {names[1]}"
    prompt = f"{setting} {i + j} are drawn at once. What is the probability of {wanted}? {LOWEST_TERMS}"
    return Draft(prompt, tuple(steps), answer)


def at_least_one(rng: random.Random, low: int, high: int) -> Draft:
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
    prompt = f"{setting} {k} are drawn at once. What is the probability that at least one is {names[0]}? {LOWEST_TERMS}"
    return Draft(prompt, tuple(steps), answer)


def two_bags(rng: random.Random) -> Draft:
    """The probability that a thing comes from one of two bags, given its colour, by Bayes' theorem."""
    things, (first, second) = rng.choice(OBJECTS), rng.sample(COLOURS, 2)
    n = rng.randint(8, 20)
    a, b = rng.randint(1, n - 1), rng.randint(1, n - 1)
    ending, answer = _probability(a, a + b)
    prompt = (
        f"Bag A holds {a} {first} and {n - a} {second} {things}, bag B {b} {first} and {n - b} {second}. One "
        f"bag is taken at random and one {singular(things)} drawn from it. It is {first}. What is the "
        f"probability that it is from bag A? {LOWEST_TERMS}"
    )
    steps = [
        f"{a} + {n - a} = {n}",
        f"{b} + {n - b} = {n}",
        f"a = 1/2 * {a}/{n} = {a}/{2 * n}",
        f"b = 1/2 * {b}/{n} = {b}/{2 * n}",
        f"{a} + {b} = {a + b}",
        *ending,
    ]
    return Draft(prompt, tuple(steps), answer)
