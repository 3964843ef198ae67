"""Composed problems: the answer of one domain is the given number of another, over two to four domains.

A problem is a source (which finds a number), links (which turn it into the next number) and a goal (which
asks the question). Each is one small problem of another domain, with the working of that domain.
"""

from __future__ import annotations

import random
from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from math import comb, gcd

from tuili.steps import WEEKDAYS
from tuili.tasks.building.figures import area
from tuili.tasks.building.quantities import over, simple, times
from tuili.tasks.building.timekeeping import (
    clock,
    days_between,
    month_length,
    shift_clock,
    shift_date,
    shift_weekday,
    to_hours,
)
from tuili.tasks.building.wording import listing
from tuili.tasks.building.words import COLOURS, CONTAINERS, NAMES, OBJECTS, PEOPLE, PLACES, THINGS
from tuili.tasks.building.working import cancel, multiply, percentage, quotient, residue
from tuili.tasks.problem import Draft
from tuili.tasks.registry import domain

LETTERS = ("n", "k", "q")
SECOND, SUM = "r", "z"
LARGEST = 600
LARGEST_AT_1 = 100
LINKS_AT = {1: 0, 2: 0, 3: 1, 4: 2, 5: 2}


@dataclass(frozen=True)
class Found:
    """A number that a part finds: the phrase that describes it, its working and its labelled lines."""

    phrase: str
    steps: list[str]
    value: int
    facts: Mapping[str, str] = field(default_factory=dict)
    program: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Goal:
    """The question at the end."""

    question: str
    steps: list[str]
    answer: str


Source = Callable[[random.Random, str, int], Found]
Link = Callable[[random.Random, str, str, int], Found | None]
Asking = Callable[[random.Random, str, int], Goal | None]


def _area(rng: random.Random, name: str, size: int) -> Found:
    b = rng.randint(2, 9)
    return Found(f"the area in m^2 of a garden {size} m long and {b} m wide", area(name, size, b, "m"), size * b)


def _perimeter(rng: random.Random, name: str, size: int) -> Found:
    b = rng.randint(5, 60)
    half = f"{size + b} cm"
    steps = [f"s = {size} cm + {b} cm = {half}", f"{name} = 2 * {half} = {half} + {half} = {2 * (size + b)} cm"]
    return Found(f"the perimeter in cm of a card of {size} cm by {b} cm", steps, 2 * (size + b))


def _distance(rng: random.Random, name: str, size: int) -> Found:
    t = rng.randint(2, 9)
    phrase = f"the number of metres that a robot goes in {t} s at {size} m/s"
    return Found(phrase, times(name, size, "m/s", t, "s", "m"), size * t)


def _voltage(rng: random.Random, name: str, size: int) -> Found:
    i = rng.randint(2, 9)
    phrase = f"the voltage in V that drives {i} A through {size} ohm"
    return Found(phrase, times(name, size, "ohm", i, "A", "V"), size * i)


def _teams(rng: random.Random, name: str, size: int) -> Found:
    n, people = rng.randint(4, 11), rng.choice(PEOPLE)
    pairs, count = n * (n - 1), comb(n, 2)
    steps = [*multiply(n, n - 1), f"{n} * {n - 1} = {pairs}", *quotient(pairs, 2)]
    steps.append(f"{name} = C({n}, 2) = {pairs} / 2 = {count}")
    return Found(f"the number of ways to choose 2 of {n} {people}", steps, count)


def _trees(rng: random.Random, name: str, size: int) -> Found:
    rows = rng.randint(3, 9)
    all_ = rows * size
    gone = rng.randint(2, min(12, all_ - 2))
    phrase = f"the number of trees left of {rows} rows of {size} when {gone} trees are cut"
    steps = [*multiply(size, rows), f"{rows} * {size} = {all_}", f"{name} = {all_} - {gone} = {all_ - gone}"]
    return Found(phrase, steps, all_ - gone)


def _root(rng: random.Random, name: str, size: int) -> Found:
    """The unknown keeps its own name, as does the variable of a program, which is another one."""
    a, b = rng.randint(2, 9), rng.randint(2, 60)
    product = a * size
    steps = [f"{product + b} - {b} = {product}", f"P1 => {a}x = {product}", *quotient(product, a)]
    steps += [f"{product} / {a} = {size}", f"{a}x = {product} => x = {size}"]
    return Found("the number x in P1", steps, size, facts={"P1": f"{a}x + {b} = {a * size + b}"})


def _program(rng: random.Random, name: str, size: int) -> Found:
    b, c = rng.randint(2, 9), rng.randint(2, 30)
    program = {"L1": f"y = {size}", "L2": f"y *= {b}", "L3": f"y += {c}"}
    product = size * b
    steps = [f"L1: y = {size}", *multiply(size, b), f"y * {b} = {size} * {b} = {product}", f"L2: y = {product}"]
    steps += [f"y + {c} = {product} + {c} = {product + c}", f"L3: y = {product + c}"]
    return Found("the value of y after the program", steps, product + c, program=program)


def _days(rng: random.Random, name: str, size: int) -> Found:
    start = date(rng.randint(1950, 2050), rng.randint(3, 11), rng.randint(1, 28))
    days = rng.randint(20, 50)
    end = start + timedelta(days)
    *before, last = days_between(start, end)
    return Found(f"the number of days from {start} to {end}", [*before, f"{name} = {last}"], days)


def _leap(rng: random.Random, name: str, size: int) -> Found:
    year = rng.randint(1900, 2100)
    days = monthrange(year, 2)[1]
    steps = [*month_length(year, 2), f"{name} = {size} + {days} = {size + days}"]
    return Found(f"{size} more than the number of days in {year}-02", steps, size + days)


def _more(rng: random.Random, name: str, letter: str, n: int) -> Found | None:
    more, person = rng.randint(5, 90), rng.choice(NAMES)
    phrase = f"what {person} has after getting {more} coins more than {letter}"
    return Found(phrase, [f"{name} = {n} + {more} = {n + more}"], n + more)


def _part(rng: random.Random, name: str, letter: str, n: int) -> Found | None:
    percent = rng.choice((10, 20, 25, 50))
    if n * percent % 100:
        return None
    (line,) = percentage(percent, n)
    steps = [*quotient(n, 100 // percent), f"{name} = {line}"]
    return Found(f"{percent}% of {letter}", steps, n * percent // 100)


def _packs(rng: random.Random, name: str, letter: str, n: int) -> Found | None:
    sizes = [size for size in range(2, 10) if n % size == 0]
    if not sizes or n < 20:
        return None
    size, packs, things = rng.choice(sizes), rng.choice(CONTAINERS), rng.choice(THINGS)
    phrase = f"the number of {packs} that {letter} {things} fill, {size} in each"
    return Found(phrase, [*quotient(n, size), f"{name} = {n} / {size} = {n // size}"], n // size)


def _wide(rng: random.Random, name: str, letter: str, n: int) -> Found | None:
    b = rng.randint(2, 9)
    phrase = f"the area in m^2 of a room {letter} m long and {b} m wide"
    return Found(phrase, area(name, n, b, "m"), n * b) if n <= 70 else None


def _drive(rng: random.Random, name: str, letter: str, n: int) -> Found | None:
    t = rng.randint(2, 9)
    phrase = f"the number of km that a bus goes in {t} h at {letter} km/h"
    return Found(phrase, times(name, n, "km/h", t, "h", "km"), n * t) if n <= 70 else None


def _time(rng: random.Random, name: str, letter: str, n: int) -> Found | None:
    speeds = [speed for speed in range(2, 10) if n % speed == 0]
    if not speeds or n < 20:
        return None
    speed = rng.choice(speeds)
    phrase = f"the seconds that a runner takes for {letter} m at {speed} m/s"
    return Found(phrase, over(name, n, "m", speed, "m/s", "s"), n // speed)


def _rest(rng: random.Random, name: str, letter: str, n: int) -> Found | None:
    modulus = rng.randint(6, 9)
    if n < 30 or n % modulus < 2:
        return None
    *before, last = residue(n, modulus)
    phrase = f"the remainder of {letter} divided by {modulus}"
    return Found(phrase, [*before, f"{name} = {last}"], n % modulus)


def _weekday(rng: random.Random, letter: str, n: int) -> Goal | None:
    start = rng.choice(WEEKDAYS)
    steps = [*(residue(n, 7) if n >= 7 else []), *shift_weekday(start, n % 7)]
    return Goal(f"Today is {start}. Which weekday is it in {letter} days?", steps, steps[-1].split()[-1])


def _clock(rng: random.Random, letter: str, n: int) -> Goal | None:
    start = rng.randrange(24 * 60)
    question = f"It is {clock(start)}. What time is it in {letter} minutes?"
    return Goal(question, to_hours(n) + shift_clock(start, n), clock(start + n))


def _date(rng: random.Random, letter: str, n: int) -> Goal | None:
    if n > 60:
        return None
    start = date(rng.randint(1950, 2050), rng.randint(3, 9), rng.randint(1, 28))
    question = f"Today is {start}. What is the date in {letter} days?"
    return Goal(question, shift_date(start, n), str(start + timedelta(n)))


def _price(rng: random.Random, letter: str, n: int) -> Goal | None:
    price, name, things = rng.randint(2, 9), rng.choice(NAMES), rng.choice(THINGS)
    question = f"{name} buys {letter} {things} at {price} dollars each. How many dollars does {name} pay?"
    return Goal(question, [*multiply(n, price), f"{n} * {price} = {n * price}"], str(n * price))


def _rest_money(rng: random.Random, letter: str, n: int) -> Goal | None:
    more, name, place = rng.randint(5, 200), rng.choice(NAMES), rng.choice(PLACES)
    question = f"{name} has {n + more} dollars and pays {letter} dollars at the {place}. How many dollars are left?"
    return Goal(question, [f"{n + more} - {n} = {more}"], str(more))


def _force(rng: random.Random, letter: str, n: int) -> Goal | None:
    a = rng.randint(2, 9)
    question = f"A body of {letter} kg speeds up at {a} m/s^2. What force acts on it?"
    return Goal(question, times("F", n, "kg", a, "m/s^2", "N"), f"{n * a} N")


def _energy(rng: random.Random, letter: str, n: int) -> Goal | None:
    t = rng.randint(2, 9)
    question = f"A lamp of {letter} W burns for {t} h. How much energy in Wh does it use?"
    return Goal(question, times("E", n, "W", t, "h", "Wh"), str(n * t))


def _draw(rng: random.Random, letter: str, n: int) -> Goal | None:
    if n > 60:
        return None
    other, things, (first, second) = rng.randint(2, 40), rng.choice(OBJECTS), rng.sample(COLOURS, 2)
    if gcd(n, other) > 9:
        return None
    chance = Fraction(n, n + other)
    question = (
        f"A bag holds {letter} {first} and {other} {second} {things}. One is drawn at random. What is the "
        f"probability that it is {first}? Give a fraction in lowest terms."
    )
    lines, forms = cancel(n, n + other)
    steps = [f"{n} + {other} = {n + other}", *lines, f"p = {n} / {n + other} = {forms}"]
    return Goal(question, steps, f"{chance.numerator}/{chance.denominator}")


def _solve(rng: random.Random, letter: str, n: int) -> Goal | None:
    a = rng.randint(2, 9)
    if n < 30:
        return None
    y = rng.randint(2, (n - 2) // a)
    b = n - a * y
    steps = [f"{n} - {b} = {a * y}", *quotient(a * y, a), f"{a * y} / {a} = {y}"]
    name = rng.choice(NAMES)
    return Goal(
        f"{name} thinks of a number. {a} times the number plus {b} is {letter}. What is the number?",
        steps,
        str(y),
    )


SOURCES: tuple[Source, ...] = (
    _area,
    _perimeter,
    _distance,
    _voltage,
    _teams,
    _trees,
    _root,
    _program,
    _days,
    _leap,
)
LINKS: tuple[Link, ...] = (_more, _part, _packs, _wide, _drive, _time, _rest)
SHORT_SOURCES: tuple[Source, ...] = (_area, _distance, _voltage, _teams, _trees, _root)
SHORT_GOALS: tuple[Asking, ...] = (_weekday, _price, _rest_money, _force, _energy)
GOALS: tuple[Asking, ...] = (_weekday, _clock, _price, _force, _energy, _draw, _solve)
LONG_GOALS: tuple[Asking, ...] = (*GOALS, _date)


def _link(rng: random.Random, name: str, letter: str, found: Found, used: set[Link]) -> Found | None:
    """The next number from the one found, by a link not used before; None if the drawn one does not fit."""
    link = rng.choice([link for link in LINKS if link not in used])
    following = link(rng, name, letter, found.value)
    if following is None or not 2 <= following.value <= LARGEST:
        return None
    used.add(link)
    return following


def _chain(rng: random.Random, level: int) -> list[tuple[str, Found]]:
    """The numbers of a problem in order, each with its letter; the last one goes into the question."""
    first, second = rng.sample(SHORT_SOURCES if level == 1 else SOURCES, 2)
    size, other_size = (simple(rng) if level == 1 else rng.randint(5, 60) for _ in range(2))
    chain = [(LETTERS[0], first(rng, LETTERS[0], size))]
    used: set[Link] = set()
    while len(chain) <= LINKS_AT[level]:
        name = LETTERS[len(chain)]
        following = _link(rng, name, *chain[-1], used)
        if following:
            chain.append((name, following))
    if level == 5:
        (letter, last), other = chain[-1], second(rng, SECOND, other_size)
        sum_ = last.value + other.value
        both = Found(f"the sum of {letter} and {SECOND}", [f"{SUM} = {last.value} + {other.value} = {sum_}"], sum_)
        chain += [(SECOND, other), (SUM, both)]
    return chain


@domain("composed", phase=3)
class Composed:
    """Two short parts at level 1, two longer ones at 2, links between them from 3 on, two branches at 5."""

    def sample(self, rng: random.Random, level: int) -> Draft:
        goals = {1: SHORT_GOALS, 2: GOALS}.get(level, LONG_GOALS)
        goal = None
        while goal is None:
            chain = _chain(rng, level)
            letter, last = chain[-1]
            if level == 1 and last.value > LARGEST_AT_1:
                continue
            goal = rng.choice(goals)(rng, letter, last.value)
        told = [f"Let {letter} be {found.phrase}." for letter, found in chain]
        facts = {label: text for _, found in chain for label, text in found.facts.items()}
        program = {label: text for _, found in chain for label, text in found.program.items()}
        lines = [" ".join([*told, goal.question]), *filter(None, (listing(facts), listing(program)))]
        steps = [line for _, found in chain for line in found.steps]
        return Draft("\n".join(lines), (*steps, *goal.steps), goal.answer, facts, program)
