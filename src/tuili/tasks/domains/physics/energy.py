"""Kinetic energy: of moving and falling bodies, when braking and in collisions, where momentum is kept."""

from __future__ import annotations

import random

from tuili.tasks.building.quantities import DIVISORS, named_product, named_quotient, named_sum
from tuili.tasks.building.words import VEHICLES
from tuili.tasks.building.working import exact_division, multiplication
from tuili.tasks.domains.physics.forces import BODIES, USE_G
from tuili.tasks.domains.physics.motion import to_metres_per_second
from tuili.tasks.problem import Draft


def kinetic_energy(name: str, m: int, v: int, square_name: str = "w") -> list[str]:
    """The working of the energy m v^2 / 2 for an even m: half the mass times the square of the speed.

    The last line names the energy, an earlier one names the square.
    """
    half, square = m // 2, v * v
    return [
        *named_product(square_name, v, "m/s", v, "m/s", "m^2/s^2"),
        *exact_division(m, 2),
        f"{m} kg / 2 = {half} kg",
        *multiplication(half, square),
        f"{name} = {half} kg * {square} m^2/s^2 = {half * square} J",
    ]


def kinetic(rng: random.Random) -> Draft:
    """The kinetic energy of a moving body."""
    body, m, v = rng.choice(BODIES), rng.randint(1, 40) * 2, rng.randint(2, 9)
    prompt = f"A {body} of {m} kg moves at {v} m/s. What is its kinetic energy?"
    return Draft(prompt, tuple(kinetic_energy("E", m, v)), f"{m * v * v // 2} J")


def collision(rng: random.Random) -> Draft:
    """The speed of two bodies that move on together after a collision."""
    one, two = rng.sample(BODIES, 2)
    while True:
        m, n, u, w = rng.randint(2, 30), rng.randint(2, 30), rng.randint(3, 30), rng.randint(0, 9)
        before = m * u + n * w
        if m + n in DIVISORS and before % (m + n) == 0 and u > w:
            break
    steps = [*named_product("p1", m, "kg", u, "m/s", "kg*m/s")]
    if w:
        steps += [*named_product("p2", n, "kg", w, "m/s", "kg*m/s"), named_sum("p", m * u, n * w, "kg*m/s")]
    steps += [named_sum("m", m, n, "kg"), *named_quotient("v", before, "kg*m/s", m + n, "kg", "m/s")]
    other = f"moves ahead of it at {w} m/s" if w else "stands still"
    prompt = (
        f"A {one} of {m} kg moves at {u} m/s and hits a {two} of {n} kg that {other}. They move on together. How fast?"
    )
    return Draft(prompt, tuple(steps), f"{before // (m + n)} m/s")


def braking(rng: random.Random) -> Draft:
    """The braking force from a speed in km/h and a distance, by way of the kinetic energy."""
    while True:
        mover, m, n, d = (
            rng.choice(VEHICLES),
            rng.randint(1, 10) * 20,
            rng.randint(1, 6),
            rng.choice((5, 10, 20, 25, 50)),
        )
        v = 5 * n
        energy = m * v * v // 2
        if energy % d == 0:
            break
    steps = [
        *to_metres_per_second("v", 18 * n),
        *kinetic_energy("E", m, v),
        *named_quotient("F", energy, "J", d, "m", "N"),
    ]
    prompt = f"A {mover} of {m} kg drives at {18 * n} km/h and brakes to rest within {d} m. What is the braking force?"
    return Draft(prompt, tuple(steps), f"{energy // d} N")


def falling(rng: random.Random) -> Draft:
    """The kinetic energy at the end of a fall, from the mass and the time."""
    body, t, m = rng.choice(BODIES), rng.randint(2, 9), rng.randint(2, 40)
    h = 5 * t * t
    steps = [
        *named_product("v", 10, "m/s^2", t, "s", "m/s"),
        f"w = {t} s * {t} s = {t * t} s^2",
        f"h = 10 m/s^2 * {t * t} s^2 / 2 = {2 * h} m / 2 = {h} m",
        *named_product("F", m, "kg", 10, "m/s^2", "N"),
        *named_product("E", 10 * m, "N", h, "m", "J"),
    ]
    prompt = f"A {body} of {m} kg falls for {t} s from rest. What is its kinetic energy at the end? {USE_G}"
    return Draft(prompt, tuple(steps), f"{10 * m * h} J")


def crash(rng: random.Random) -> Draft:
    """The kinetic energy that is lost when two bodies move on together after a collision."""
    one, two = rng.sample(BODIES, 2)
    while True:
        m, n, u = rng.randint(1, 20) * 2, rng.randint(1, 20) * 2, rng.randint(3, 20)
        v, left = divmod(m * u, m + n)
        if m + n in DIVISORS and left == 0 and v < 10:
            break
    before, after = m * u * u // 2, (m + n) * v * v // 2
    steps = [*named_product("p", m, "kg", u, "m/s", "kg*m/s"), named_sum("m", m, n, "kg")]
    steps += [
        *named_quotient("v", m * u, "kg*m/s", m + n, "kg", "m/s"),
        *kinetic_energy("E1", m, u),
        *kinetic_energy("E2", m + n, v, "z"),
    ]
    steps.append(named_sum("Q", before, after, "J", "-"))
    prompt = (
        f"A {one} of {m} kg moves at {u} m/s and hits a {two} of {n} kg that stands still. They move on "
        "together. How much kinetic energy is lost?"
    )
    return Draft(prompt, tuple(steps), f"{before - after} J")
