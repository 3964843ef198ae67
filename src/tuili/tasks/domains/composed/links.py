"""The links of composed problems, which make the next number from the previous one.

The package adds the slot `of`, which names the previous number.
"""

from __future__ import annotations

import random

from tuili.tasks.building.figures import area
from tuili.tasks.building.quantities import named_product, named_quotient
from tuili.tasks.building.words import CONTAINERS, FIRST_NAMES, THINGS
from tuili.tasks.building.working import exact_division, percentage, residue
from tuili.tasks.domains.composed.parts import LinkTemplate, WorkedNumber


def _more(rng: random.Random, name: str, n: int) -> WorkedNumber | None:
    more, person = rng.randint(5, 90), rng.choice(FIRST_NAMES)
    return WorkedNumber("more", {"name": person, "more": more}, [f"{name} = {n} + {more} = {n + more}"], n + more)


def _part(rng: random.Random, name: str, n: int) -> WorkedNumber | None:
    percent = rng.choice((10, 20, 25, 50))
    if n * percent % 100:
        return None
    (line,) = percentage(percent, n)
    steps = [*exact_division(n, 100 // percent), f"{name} = {line}"]
    return WorkedNumber("part", {"percent": percent}, steps, n * percent // 100)


def _packs(rng: random.Random, name: str, n: int) -> WorkedNumber | None:
    sizes = [size for size in range(2, 10) if n % size == 0]
    if not sizes or n < 20:
        return None
    size, packs, things = rng.choice(sizes), rng.choice(CONTAINERS), rng.choice(THINGS)
    steps = [*exact_division(n, size), f"{name} = {n} / {size} = {n // size}"]
    return WorkedNumber("packs", {"packs": packs, "things": things, "size": size}, steps, n // size)


def _wide(rng: random.Random, name: str, n: int) -> WorkedNumber | None:
    b = rng.randint(2, 9)
    return WorkedNumber("room", {"width": b}, area(name, n, b, "m"), n * b) if n <= 70 else None


def _drive(rng: random.Random, name: str, n: int) -> WorkedNumber | None:
    t = rng.randint(2, 9)
    steps = named_product(name, n, "km/h", t, "h", "km")
    return WorkedNumber("drive", {"time": t}, steps, n * t) if n <= 70 else None


def _time(rng: random.Random, name: str, n: int) -> WorkedNumber | None:
    speeds = [speed for speed in range(2, 10) if n % speed == 0]
    if not speeds or n < 20:
        return None
    speed = rng.choice(speeds)
    return WorkedNumber("run", {"speed": speed}, named_quotient(name, n, "m", speed, "m/s", "s"), n // speed)


def _rest(rng: random.Random, name: str, n: int) -> WorkedNumber | None:
    modulus = rng.randint(6, 9)
    if n < 30 or n % modulus < 2:
        return None
    *before, last = residue(n, modulus)
    return WorkedNumber("rest", {"modulus": modulus}, [*before, f"{name} = {last}"], n % modulus)


LINKS: tuple[LinkTemplate, ...] = (_more, _part, _packs, _wide, _drive, _time, _rest)
