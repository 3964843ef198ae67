"""The first numbers of composed problems, each worked out as in its domain from numbers that the prompt states."""

from __future__ import annotations

import random
from calendar import monthrange
from datetime import date, timedelta
from math import comb

from tuili.tasks.building.figures import area
from tuili.tasks.building.quantities import named_product
from tuili.tasks.building.timekeeping import days_between, month_length
from tuili.tasks.building.words import PEOPLE
from tuili.tasks.building.working import exact_division, multiplication
from tuili.tasks.domains.composed.parts import SourceTemplate, WorkedNumber


def _area(rng: random.Random, name: str, size: int) -> WorkedNumber:
    b = rng.randint(2, 9)
    return WorkedNumber("area", {"length": size, "width": b}, area(name, size, b, "m"), size * b)


def _perimeter(rng: random.Random, name: str, size: int) -> WorkedNumber:
    b = rng.randint(5, 60)
    half = f"{size + b} cm"
    steps = [f"s = {size} cm + {b} cm = {half}", f"{name} = 2 * {half} = {half} + {half} = {2 * (size + b)} cm"]
    return WorkedNumber("perimeter", {"length": size, "width": b}, steps, 2 * (size + b))


def _distance(rng: random.Random, name: str, size: int) -> WorkedNumber:
    t = rng.randint(2, 9)
    steps = named_product(name, size, "m/s", t, "s", "m")
    return WorkedNumber("distance", {"time": t, "speed": size}, steps, size * t)


def _voltage(rng: random.Random, name: str, size: int) -> WorkedNumber:
    i = rng.randint(2, 9)
    steps = named_product(name, size, "ohm", i, "A", "V")
    return WorkedNumber("voltage", {"current": i, "resistance": size}, steps, size * i)


def _teams(rng: random.Random, name: str, size: int) -> WorkedNumber:
    n, people = rng.randint(4, 11), rng.choice(PEOPLE)
    pairs, count = n * (n - 1), comb(n, 2)
    steps = [*multiplication(n, n - 1), f"{n} * {n - 1} = {pairs}", *exact_division(pairs, 2)]
    steps.append(f"{name} = C({n}, 2) = {pairs} / 2 = {count}")
    return WorkedNumber("teams", {"count": n, "people": people}, steps, count)


def _trees(rng: random.Random, name: str, size: int) -> WorkedNumber:
    rows = rng.randint(3, 9)
    all_ = rows * size
    gone = rng.randint(2, min(12, all_ - 2))
    steps = [*multiplication(size, rows), f"{rows} * {size} = {all_}", f"{name} = {all_} - {gone} = {all_ - gone}"]
    return WorkedNumber("trees", {"rows": rows, "each": size, "gone": gone}, steps, all_ - gone)


def _root(rng: random.Random, name: str, size: int) -> WorkedNumber:
    """The solution of an equation. Its unknown is always `x` and a program's variable is `y`, so that they differ."""
    a, b = rng.randint(2, 9), rng.randint(2, 60)
    product = a * size
    steps = [f"{product + b} - {b} = {product}", f"P1 => {a}x = {product}", *exact_division(product, a)]
    steps += [f"{product} / {a} = {size}", f"{a}x = {product} => x = {size}"]
    return WorkedNumber("root", {}, steps, size, equation=f"{a}x + {b} = {a * size + b}")


def _program(rng: random.Random, name: str, size: int) -> WorkedNumber:
    b, c = rng.randint(2, 9), rng.randint(2, 30)
    product = size * b
    steps = [f"L1: y = {size}", *multiplication(size, b), f"y * {b} = {size} * {b} = {product}", f"L2: y = {product}"]
    steps += [f"y + {c} = {product} + {c} = {product + c}", f"L3: y = {product + c}"]
    return WorkedNumber("program", {}, steps, product + c, program=(f"y = {size}", f"y *= {b}", f"y += {c}"))


def _days(rng: random.Random, name: str, size: int) -> WorkedNumber:
    start = date(rng.randint(1950, 2050), rng.randint(3, 11), rng.randint(1, 28))
    days = rng.randint(20, 50)
    end = start + timedelta(days)
    *before, last = days_between(start, end)
    return WorkedNumber("days", {"start": str(start), "end": str(end)}, [*before, f"{name} = {last}"], days)


def _leap(rng: random.Random, name: str, size: int) -> WorkedNumber:
    year = rng.randint(1900, 2100)
    days = monthrange(year, 2)[1]
    steps = [*month_length(year, 2), f"{name} = {size} + {days} = {size + days}"]
    return WorkedNumber("leap", {"more": size, "year": year}, steps, size + days)


SHORT_SOURCES: tuple[SourceTemplate, ...] = (_area, _distance, _voltage, _teams, _trees, _root)
SOURCES: tuple[SourceTemplate, ...] = (
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
