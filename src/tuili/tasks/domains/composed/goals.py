"""The questions of composed problems, which use the last number.

The package adds the slot `of`, which names this number.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from fractions import Fraction
from math import gcd

from tuili.steps import WEEKDAYS
from tuili.tasks.building.quantities import named_product
from tuili.tasks.building.timekeeping import clock, shift_clock, shift_date, shift_weekday, to_hours
from tuili.tasks.building.words import COLOURS, FIRST_NAMES, OBJECTS, PLACES, THINGS
from tuili.tasks.building.working import cancel, exact_division, multiplication, residue
from tuili.tasks.content import Slot
from tuili.tasks.domains.composed.parts import Goal, GoalTemplate


def _weekday(rng: random.Random, n: int) -> Goal | None:
    start = rng.choice(WEEKDAYS)
    steps = [*(residue(n, 7) if n >= 7 else []), *shift_weekday(start, n % 7)]
    return Goal("weekday", {"start": start}, steps, steps[-1].split()[-1])


def _clock(rng: random.Random, n: int) -> Goal | None:
    start = rng.randrange(24 * 60)
    return Goal("clock", {"start": clock(start)}, to_hours(n) + shift_clock(start, n), clock(start + n))


def _date(rng: random.Random, n: int) -> Goal | None:
    if n > 60:
        return None
    start = date(rng.randint(1950, 2050), rng.randint(3, 9), rng.randint(1, 28))
    return Goal("date", {"start": str(start)}, shift_date(start, n), str(start + timedelta(n)))


def _price(rng: random.Random, n: int) -> Goal | None:
    price, name, things = rng.randint(2, 9), rng.choice(FIRST_NAMES), rng.choice(THINGS)
    steps = [*multiplication(n, price), f"{n} * {price} = {n * price}"]
    return Goal("price", {"name": name, "things": things, "price": price}, steps, str(n * price))


def _rest_money(rng: random.Random, n: int) -> Goal | None:
    more, name, place = rng.randint(5, 200), rng.choice(FIRST_NAMES), rng.choice(PLACES)
    slots: dict[str, Slot] = {"name": name, "money": n + more, "place": place}
    return Goal("rest_money", slots, [f"{n + more} - {n} = {more}"], str(more))


def _force(rng: random.Random, n: int) -> Goal | None:
    a = rng.randint(2, 9)
    return Goal("force", {"acceleration": a}, named_product("F", n, "kg", a, "m/s^2", "N"), f"{n * a} N")


def _energy(rng: random.Random, n: int) -> Goal | None:
    t = rng.randint(2, 9)
    return Goal("energy", {"time": t}, named_product("E", n, "W", t, "h", "Wh"), str(n * t))


def _draw(rng: random.Random, n: int) -> Goal | None:
    """The probability of n among at most 100 things, reduced by a one-digit number, if at all."""
    if n > 60:
        return None
    other, things, (first, second) = rng.randint(2, 40), rng.choice(OBJECTS), rng.sample(COLOURS, 2)
    if gcd(n, other) > 9:
        return None
    chance = Fraction(n, n + other)
    lines, forms = cancel(n, n + other)
    steps = [f"{n} + {other} = {n + other}", *lines, f"p = {n} / {n + other} = {forms}"]
    slots: dict[str, Slot] = {"first": first, "other": other, "second": second, "things": things}
    return Goal("draw", slots, steps, f"{chance.numerator}/{chance.denominator}")


def _solve(rng: random.Random, n: int) -> Goal | None:
    a = rng.randint(2, 9)
    if n < 30:
        return None
    y = rng.randint(2, (n - 2) // a)
    b = n - a * y
    steps = [f"{n} - {b} = {a * y}", *exact_division(a * y, a), f"{a * y} / {a} = {y}"]
    return Goal("solve", {"name": rng.choice(FIRST_NAMES), "factor": a, "added": b}, steps, str(y))


SHORT_GOALS: tuple[GoalTemplate, ...] = (_weekday, _price, _rest_money, _force, _energy)
GOALS: tuple[GoalTemplate, ...] = (_weekday, _clock, _price, _force, _energy, _draw, _solve)
LONG_GOALS: tuple[GoalTemplate, ...] = (*GOALS, _date)
