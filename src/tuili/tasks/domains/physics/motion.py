"""Motion: speeds, distances and times, constant acceleration, journeys in several parts.

Results are drawn first and the given quantities follow from them, so that every quantity is a whole number. `forces`
has the forces, and `energy` the energy.
"""

from __future__ import annotations

import random

from tuili.tasks.building.quantities import DIVISORS, Formula, named_product, named_quotient, named_sum
from tuili.tasks.building.situations import Quantity, part, situation
from tuili.tasks.building.words import VEHICLES
from tuili.tasks.building.working import exact_division, multiplication, running_sums
from tuili.tasks.content import Content

MOVERS = (*VEHICLES, "ball", "bird", "dog", "horse", "robot", "runner", "ship", "stone")


def _motion(way: str, time: str) -> Formula:
    return Formula(
        scene="motion",
        whole=("distance", "d", way),
        first=("speed", "v", f"{way}/{time}"),
        second=("time", "t", time),
        things=MOVERS,
    )


MOTION_FORMULAS = (_motion("km", "h"), _motion("m", "s"))


def to_metres_per_second(name: str, speed: int) -> list[str]:
    """The working of a conversion from km/h, for multiples of 18: divide by 9 and by 2, then multiply by 5."""
    n = speed // 18
    return [
        *exact_division(speed, 9),
        f"{speed} / 9 = {2 * n}",
        *exact_division(2 * n, 2),
        f"{2 * n} / 2 = {n}",
        *multiplication(n, 5),
        f"{name} = {speed} km/h = {n} * 5 m/s = {5 * n} m/s",
    ]


def speeding_up(rng: random.Random) -> Content:
    """The final speed of a body with constant acceleration, or its acceleration."""
    mover, u, a, t = rng.choice(MOVERS), rng.randint(2, 40), rng.randint(2, 12), rng.randint(2, 9)
    v = u + a * t
    start, time, words = Quantity("initial_speed", "u", f"{u} m/s"), Quantity("time", "t", f"{t} s"), {"thing": mover}
    if rng.random() < 0.5:
        given = (start, Quantity("acceleration", "a", f"{a} m/s^2"), time)
        steps = [*named_product("w", a, "m/s^2", t, "s", "m/s"), named_sum("v", u, a * t, "m/s")]
        wanted = Quantity("final_speed", "v")
        return situation("formula", "speeding_up", given, wanted, steps, f"{v} m/s", words=words)
    given = (start, Quantity("final_speed", "v", f"{v} m/s"), time)
    steps = [named_sum("w", v, u, "m/s", "-"), *named_quotient("a", a * t, "m/s", t, "s", "m/s^2")]
    wanted = Quantity("acceleration", "a")
    return situation("formula", "speeding_up", given, wanted, steps, f"{a} m/s^2", words=words)


def conversion(rng: random.Random) -> Content:
    """The distance in metres, from a speed in km/h and a time."""
    mover, n = rng.choice(VEHICLES), rng.randint(1, 20)
    t = rng.randint(2, 9)
    steps = [*to_metres_per_second("v", 18 * n), *named_product("d", 5 * n, "m/s", t, "s", "m")]
    given = (Quantity("speed", "v", f"{18 * n} km/h"), Quantity("time", "t", f"{t} s"))
    wanted = Quantity("metres", "d")
    return situation("formula", "driving", given, wanted, steps, str(5 * n * t), words={"thing": mover})


def legs(rng: random.Random, legs: int) -> Content:
    """The mean speed over a journey in several legs."""
    mover = rng.choice(MOVERS)
    while True:
        parts = [(rng.randint(11, 60), rng.randint(1, 6)) for _ in range(legs)]
        way, time = sum(v * t for v, t in parts), sum(t for _, t in parts)
        if time in DIVISORS and way % time == 0 and len({v for v, _ in parts}) > 1:
            break
    steps = [line for i, (v, t) in enumerate(parts, 1) for line in named_product(f"d{i}", v, "km/h", t, "h", "km")]
    steps += [*running_sums([v * t for v, t in parts], "km"), *running_sums([t for _, t in parts], "h")]
    steps += named_quotient("v", way, "km", time, "h", "km/h")
    given = [
        quantity
        for i, (v, t) in enumerate(parts, 1)
        for quantity in (
            Quantity("leg_time", f"t{i}", f"{t} h", {"number": i}),
            Quantity("leg_speed", f"v{i}", f"{v} km/h", {"number": i}),
        )
    ]
    told = [part("next_leg" if i else "leg", time=f"{t} h", speed=f"{v} km/h") for i, (v, t) in enumerate(parts)]
    wanted, answer = Quantity("mean_speed", "v"), f"{way // time} km/h"
    return situation("course", "legs", given, wanted, steps, answer, words={"thing": mover}, parts=told)


def distance_when_speeding_up(rng: random.Random) -> Content:
    """The distance that an accelerating body covers: d = u t + a t^2 / 2."""
    mover, u, half, t = rng.choice(MOVERS), rng.randint(2, 30), rng.randint(1, 6), rng.randint(3, 9)
    a = 2 * half
    first, second = u * t, a * t * t
    steps = [
        *named_product("x", u, "m/s", t, "s", "m"),
        f"w = {t} s * {t} s = {t * t} s^2",
        *named_product("z", a, "m/s^2", t * t, "s^2", "m"),
        *exact_division(second, 2),
        f"y = {second} m / 2 = {second // 2} m",
        named_sum("d", first, second // 2, "m"),
    ]
    given = (
        Quantity("initial_speed", "u", f"{u} m/s"),
        Quantity("acceleration", "a", f"{a} m/s^2"),
        Quantity("time", "t", f"{t} s"),
    )
    wanted, answer = Quantity("distance", "d"), f"{first + second // 2} m"
    return situation("formula", "speeding_up", given, wanted, steps, answer, words={"thing": mover})


def meeting(rng: random.Random) -> Content:
    """The distance that one of two movers covers before they meet. They start at the same time towards each other."""
    one, two = rng.sample(MOVERS, 2)
    u, v, t = rng.randint(11, 60), rng.randint(11, 60), rng.randint(2, 9)
    way = (u + v) * t
    steps = [
        named_sum("w", u, v, "km/h"),
        *named_quotient("t", way, "km", u + v, "km/h", "h"),
        *named_product("d", u, "km/h", t, "h", "km"),
    ]
    given = (
        Quantity("speed", "u", f"{u} km/h"),
        Quantity("other_speed", "v", f"{v} km/h"),
        Quantity("gap", "s", f"{way} km"),
    )
    words, wanted = {"thing": one, "other": two}, Quantity("distance", "d")
    return situation("course", "meeting", given, wanted, steps, f"{u * t} km", words=words)


def stages(rng: random.Random) -> Content:
    """The distance of a journey in three stages: acceleration, constant speed, braking."""
    mover, a, b = rng.choice(MOVERS), rng.randint(1, 6), rng.randint(1, 6)
    v = 2 * a * b * rng.randint(1, 2)
    first, middle, last = v // a, rng.randint(5, 60), v // b
    ways = [v // 2 * first, v * middle, v // 2 * last]
    steps = [
        f"u = {v} m/s / 2 = {v // 2} m/s",
        *named_quotient("t1", v, "m/s", a, "m/s^2", "s"),
        *named_product("d1", v // 2, "m/s", first, "s", "m"),
        *named_product("d2", v, "m/s", middle, "s", "m"),
        *named_quotient("t3", v, "m/s", b, "m/s^2", "s"),
        *named_product("d3", v // 2, "m/s", last, "s", "m"),
        *running_sums(ways, "m"),
    ]
    given = (
        Quantity("acceleration", "a", f"{a} m/s^2"),
        Quantity("kept_speed", "v", f"{v} m/s"),
        Quantity("kept_time", "t", f"{middle} s"),
        Quantity("deceleration", "b", f"{b} m/s^2"),
    )
    wanted, answer = Quantity("whole_distance", "d"), f"{sum(ways)} m"
    return situation("course", "stages", given, wanted, steps, answer, words={"thing": mover})
