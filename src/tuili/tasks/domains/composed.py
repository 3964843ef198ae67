"""Composed problems: two or more small problems of other domains, where the result of one is given to the next.

A problem has a source, which gives a number, links, which turn a number into the next one, and a goal, which asks the
question. The working of each part is that of its domain (`building`).
"""

from __future__ import annotations

import random
from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from math import comb, gcd
from typing import TypeAlias

from tuili.steps import WEEKDAYS
from tuili.tasks.building.figures import area
from tuili.tasks.building.quantities import easy_number, named_product, named_quotient
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
from tuili.tasks.building.words import COLOURS, CONTAINERS, FIRST_NAMES, OBJECTS, PEOPLE, PLACES, THINGS
from tuili.tasks.building.working import cancel, exact_division, multiplication, percentage, residue
from tuili.tasks.problem import Draft
from tuili.tasks.registry import domain

LETTERS = ("n", "k", "q")
"""The names of the source's number and of those that links make of it."""
SECOND_LETTER, SUM_LETTER = "r", "z"
"""The names of a second source's number, and of its sum with the last one of the first source's."""
MAX_NUMBER = 600
"""The largest number that a link may give."""
MAX_NUMBER_AT_LEVEL_1 = 100
LINKS_BY_LEVEL = {1: 0, 2: 0, 3: 1, 4: 2, 5: 2}


@dataclass(frozen=True)
class WorkedNumber:
    """A number that a part gives: the phrase that describes it, the steps to it, its labelled lines in the prompt."""

    phrase: str
    steps: list[str]
    value: int
    facts: Mapping[str, str] = field(default_factory=dict)
    program: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Goal:
    """The question of a problem, with the steps from the last number to the answer."""

    question: str
    steps: list[str]
    answer: str


SourceTemplate: TypeAlias = Callable[[random.Random, str, int], WorkedNumber]
"""Draws a number from its name and from a size, on which the number depends."""

LinkTemplate: TypeAlias = Callable[[random.Random, str, str, int], WorkedNumber | None]
"""Draws the next number from its name and from the letter and value of the one before. None where that does not fit."""

GoalTemplate: TypeAlias = Callable[[random.Random, str, int], Goal | None]
"""Draws the question from the letter and value of the last number. None where that does not fit."""


def _area(rng: random.Random, name: str, size: int) -> WorkedNumber:
    b = rng.randint(2, 9)
    return WorkedNumber(f"the area in m^2 of a garden {size} m long and {b} m wide", area(name, size, b, "m"), size * b)


def _perimeter(rng: random.Random, name: str, size: int) -> WorkedNumber:
    b = rng.randint(5, 60)
    half = f"{size + b} cm"
    steps = [f"s = {size} cm + {b} cm = {half}", f"{name} = 2 * {half} = {half} + {half} = {2 * (size + b)} cm"]
    return WorkedNumber(f"the perimeter in cm of a card of {size} cm by {b} cm", steps, 2 * (size + b))


def _distance(rng: random.Random, name: str, size: int) -> WorkedNumber:
    t = rng.randint(2, 9)
    phrase = f"the number of metres that a robot goes in {t} s at {size} m/s"
    return WorkedNumber(phrase, named_product(name, size, "m/s", t, "s", "m"), size * t)


def _voltage(rng: random.Random, name: str, size: int) -> WorkedNumber:
    i = rng.randint(2, 9)
    phrase = f"the voltage in V that drives {i} A through {size} ohm"
    return WorkedNumber(phrase, named_product(name, size, "ohm", i, "A", "V"), size * i)


def _teams(rng: random.Random, name: str, size: int) -> WorkedNumber:
    n, people = rng.randint(4, 11), rng.choice(PEOPLE)
    pairs, count = n * (n - 1), comb(n, 2)
    steps = [*multiplication(n, n - 1), f"{n} * {n - 1} = {pairs}", *exact_division(pairs, 2)]
    steps.append(f"{name} = C({n}, 2) = {pairs} / 2 = {count}")
    return WorkedNumber(f"the number of ways to choose 2 of {n} {people}", steps, count)


def _trees(rng: random.Random, name: str, size: int) -> WorkedNumber:
    rows = rng.randint(3, 9)
    all_ = rows * size
    gone = rng.randint(2, min(12, all_ - 2))
    phrase = f"the number of trees left of {rows} rows of {size} when {gone} trees are cut"
    steps = [*multiplication(size, rows), f"{rows} * {size} = {all_}", f"{name} = {all_} - {gone} = {all_ - gone}"]
    return WorkedNumber(phrase, steps, all_ - gone)


def _root(rng: random.Random, name: str, size: int) -> WorkedNumber:
    """The solution of an equation. Its unknown is always `x`, and a program's variable `y`, so that they differ."""
    a, b = rng.randint(2, 9), rng.randint(2, 60)
    product = a * size
    steps = [f"{product + b} - {b} = {product}", f"P1 => {a}x = {product}", *exact_division(product, a)]
    steps += [f"{product} / {a} = {size}", f"{a}x = {product} => x = {size}"]
    return WorkedNumber("the number x in P1", steps, size, facts={"P1": f"{a}x + {b} = {a * size + b}"})


def _program(rng: random.Random, name: str, size: int) -> WorkedNumber:
    b, c = rng.randint(2, 9), rng.randint(2, 30)
    program = {"L1": f"y = {size}", "L2": f"y *= {b}", "L3": f"y += {c}"}
    product = size * b
    steps = [f"L1: y = {size}", *multiplication(size, b), f"y * {b} = {size} * {b} = {product}", f"L2: y = {product}"]
    steps += [f"y + {c} = {product} + {c} = {product + c}", f"L3: y = {product + c}"]
    return WorkedNumber("the value of y after the program", steps, product + c, program=program)


def _days(rng: random.Random, name: str, size: int) -> WorkedNumber:
    start = date(rng.randint(1950, 2050), rng.randint(3, 11), rng.randint(1, 28))
    days = rng.randint(20, 50)
    end = start + timedelta(days)
    *before, last = days_between(start, end)
    return WorkedNumber(f"the number of days from {start} to {end}", [*before, f"{name} = {last}"], days)


def _leap(rng: random.Random, name: str, size: int) -> WorkedNumber:
    year = rng.randint(1900, 2100)
    days = monthrange(year, 2)[1]
    steps = [*month_length(year, 2), f"{name} = {size} + {days} = {size + days}"]
    return WorkedNumber(f"{size} more than the number of days in {year}-02", steps, size + days)


def _more(rng: random.Random, name: str, letter: str, n: int) -> WorkedNumber | None:
    more, person = rng.randint(5, 90), rng.choice(FIRST_NAMES)
    phrase = f"what {person} has after getting {more} coins more than {letter}"
    return WorkedNumber(phrase, [f"{name} = {n} + {more} = {n + more}"], n + more)


def _part(rng: random.Random, name: str, letter: str, n: int) -> WorkedNumber | None:
    percent = rng.choice((10, 20, 25, 50))
    if n * percent % 100:
        return None
    (line,) = percentage(percent, n)
    steps = [*exact_division(n, 100 // percent), f"{name} = {line}"]
    return WorkedNumber(f"{percent}% of {letter}", steps, n * percent // 100)


def _packs(rng: random.Random, name: str, letter: str, n: int) -> WorkedNumber | None:
    sizes = [size for size in range(2, 10) if n % size == 0]
    if not sizes or n < 20:
        return None
    size, packs, things = rng.choice(sizes), rng.choice(CONTAINERS), rng.choice(THINGS)
    phrase = f"the number of {packs} that {letter} {things} fill, {size} in each"
    return WorkedNumber(phrase, [*exact_division(n, size), f"{name} = {n} / {size} = {n // size}"], n // size)


def _wide(rng: random.Random, name: str, letter: str, n: int) -> WorkedNumber | None:
    b = rng.randint(2, 9)
    phrase = f"the area in m^2 of a room {letter} m long and {b} m wide"
    return WorkedNumber(phrase, area(name, n, b, "m"), n * b) if n <= 70 else None


def _drive(rng: random.Random, name: str, letter: str, n: int) -> WorkedNumber | None:
    t = rng.randint(2, 9)
    phrase = f"the number of km that a bus goes in {t} h at {letter} km/h"
    return WorkedNumber(phrase, named_product(name, n, "km/h", t, "h", "km"), n * t) if n <= 70 else None


def _time(rng: random.Random, name: str, letter: str, n: int) -> WorkedNumber | None:
    speeds = [speed for speed in range(2, 10) if n % speed == 0]
    if not speeds or n < 20:
        return None
    speed = rng.choice(speeds)
    phrase = f"the seconds that a runner takes for {letter} m at {speed} m/s"
    return WorkedNumber(phrase, named_quotient(name, n, "m", speed, "m/s", "s"), n // speed)


def _rest(rng: random.Random, name: str, letter: str, n: int) -> WorkedNumber | None:
    modulus = rng.randint(6, 9)
    if n < 30 or n % modulus < 2:
        return None
    *before, last = residue(n, modulus)
    phrase = f"the remainder of {letter} divided by {modulus}"
    return WorkedNumber(phrase, [*before, f"{name} = {last}"], n % modulus)


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
    price, name, things = rng.randint(2, 9), rng.choice(FIRST_NAMES), rng.choice(THINGS)
    question = f"{name} buys {letter} {things} at {price} dollars each. How many dollars does {name} pay?"
    return Goal(question, [*multiplication(n, price), f"{n} * {price} = {n * price}"], str(n * price))


def _rest_money(rng: random.Random, letter: str, n: int) -> Goal | None:
    more, name, place = rng.randint(5, 200), rng.choice(FIRST_NAMES), rng.choice(PLACES)
    question = f"{name} has {n + more} dollars and pays {letter} dollars at the {place}. How many dollars are left?"
    return Goal(question, [f"{n + more} - {n} = {more}"], str(more))


def _force(rng: random.Random, letter: str, n: int) -> Goal | None:
    a = rng.randint(2, 9)
    question = f"A body of {letter} kg speeds up at {a} m/s^2. What force acts on it?"
    return Goal(question, named_product("F", n, "kg", a, "m/s^2", "N"), f"{n * a} N")


def _energy(rng: random.Random, letter: str, n: int) -> Goal | None:
    t = rng.randint(2, 9)
    question = f"A lamp of {letter} W burns for {t} h. How much energy in Wh does it use?"
    return Goal(question, named_product("E", n, "W", t, "h", "Wh"), str(n * t))


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
    steps = [f"{n} - {b} = {a * y}", *exact_division(a * y, a), f"{a * y} / {a} = {y}"]
    name = rng.choice(FIRST_NAMES)
    return Goal(
        f"{name} thinks of a number. {a} times the number plus {b} is {letter}. What is the number?",
        steps,
        str(y),
    )


SOURCE_TEMPLATES: tuple[SourceTemplate, ...] = (
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
LINK_TEMPLATES: tuple[LinkTemplate, ...] = (_more, _part, _packs, _wide, _drive, _time, _rest)
SHORT_SOURCE_TEMPLATES: tuple[SourceTemplate, ...] = (_area, _distance, _voltage, _teams, _trees, _root)
SHORT_GOAL_TEMPLATES: tuple[GoalTemplate, ...] = (_weekday, _price, _rest_money, _force, _energy)
GOAL_TEMPLATES: tuple[GoalTemplate, ...] = (_weekday, _clock, _price, _force, _energy, _draw, _solve)
LONG_GOAL_TEMPLATES: tuple[GoalTemplate, ...] = (*GOAL_TEMPLATES, _date)


def _link(
    rng: random.Random, name: str, letter: str, number: WorkedNumber, used: set[LinkTemplate]
) -> WorkedNumber | None:
    """The number that a link not used before makes of `number`. None where the drawn link does not fit it."""
    link = rng.choice([link for link in LINK_TEMPLATES if link not in used])
    following = link(rng, name, letter, number.value)
    if following is None or not 2 <= following.value <= MAX_NUMBER:
        return None
    used.add(link)
    return following


def _chain(rng: random.Random, level: int) -> list[tuple[str, WorkedNumber]]:
    """The numbers of a problem in their order, each with its letter. The question uses the last one."""
    first, second = rng.sample(SHORT_SOURCE_TEMPLATES if level == 1 else SOURCE_TEMPLATES, 2)
    size, other_size = (easy_number(rng) if level == 1 else rng.randint(5, 60) for _ in range(2))
    chain = [(LETTERS[0], first(rng, LETTERS[0], size))]
    used: set[LinkTemplate] = set()
    while len(chain) <= LINKS_BY_LEVEL[level]:
        name = LETTERS[len(chain)]
        following = _link(rng, name, *chain[-1], used)
        if following:
            chain.append((name, following))
    if level == 5:
        (letter, last), other = chain[-1], second(rng, SECOND_LETTER, other_size)
        sum_ = last.value + other.value
        both = WorkedNumber(
            f"the sum of {letter} and {SECOND_LETTER}", [f"{SUM_LETTER} = {last.value} + {other.value} = {sum_}"], sum_
        )
        chain += [(SECOND_LETTER, other), (SUM_LETTER, both)]
    return chain


@domain("composed", phase=3)
class Composed:
    """Two short parts at level 1, two longer ones at 2, links between them from 3 on, two sources at 5."""

    def sample(self, rng: random.Random, level: int) -> Draft:
        goals = {1: SHORT_GOAL_TEMPLATES, 2: GOAL_TEMPLATES}.get(level, LONG_GOAL_TEMPLATES)
        goal = None
        while goal is None:
            chain = _chain(rng, level)
            letter, last = chain[-1]
            if level == 1 and last.value > MAX_NUMBER_AT_LEVEL_1:
                continue
            goal = rng.choice(goals)(rng, letter, last.value)
        definitions = [f"Let {letter} be {number.phrase}." for letter, number in chain]
        facts = {label: text for _, number in chain for label, text in number.facts.items()}
        program = {label: text for _, number in chain for label, text in number.program.items()}
        lines = [" ".join([*definitions, goal.question]), *filter(None, (listing(facts), listing(program)))]
        steps = [line for _, number in chain for line in number.steps]
        return Draft("\n".join(lines), (*steps, *goal.steps), goal.answer, facts, program)
