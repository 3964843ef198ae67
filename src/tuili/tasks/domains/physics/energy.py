"""Kinetic energy: of moving and falling bodies, in braking, and in collisions, which conserve momentum."""

from __future__ import annotations

import random

from tuili.tasks.building.quantities import DIVISORS, named_product, named_quotient, named_sum
from tuili.tasks.building.situations import Quantity, situation
from tuili.tasks.building.words import VEHICLES
from tuili.tasks.building.working import exact_division, multiplication
from tuili.tasks.content import Content
from tuili.tasks.domains.physics.forces import BODIES, GRAVITY
from tuili.tasks.domains.physics.motion import to_metres_per_second


def kinetic_energy(name: str, m: int, v: int, square_name: str = "w") -> list[str]:
    """The working of the energy m v^2 / 2 for an even m: half the mass times the square of the speed.

    The last line names the energy; an earlier line names the square.
    """
    half, square = m // 2, v * v
    return [
        *named_product(square_name, v, "m/s", v, "m/s", "m^2/s^2"),
        *exact_division(m, 2),
        f"{m} kg / 2 = {half} kg",
        *multiplication(half, square),
        f"{name} = {half} kg * {square} m^2/s^2 = {half * square} J",
    ]


def kinetic(rng: random.Random) -> Content:
    """The kinetic energy of a moving body."""
    body, m, v = rng.choice(BODIES), rng.randint(1, 40) * 2, rng.randint(2, 9)
    given = (Quantity("mass", "m", f"{m} kg"), Quantity("speed", "v", f"{v} m/s"))
    wanted, steps = Quantity("kinetic_energy", "E"), kinetic_energy("E", m, v)
    return situation("formula", "moving", given, wanted, steps, f"{m * v * v // 2} J", words={"thing": body})


def collision(rng: random.Random) -> Content:
    """The speed of two bodies that move together after a collision."""
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
    masses = (Quantity("mass", "m1", f"{m} kg"), Quantity("other_mass", "m2", f"{n} kg"))
    speeds = [Quantity("speed_before", "u", f"{u} m/s")]
    if w:
        speeds.append(Quantity("other_speed_before", "w", f"{w} m/s"))
    scene, words = "catching_up" if w else "crash", {"thing": one, "other": two}
    wanted, answer = Quantity("common_speed", "v"), f"{before // (m + n)} m/s"
    return situation("course", scene, (*masses, *speeds), wanted, steps, answer, words=words)


def braking(rng: random.Random) -> Content:
    """The braking force, from a speed in km/h and a distance, via the kinetic energy."""
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
    given = (
        Quantity("mass", "m", f"{m} kg"),
        Quantity("initial_speed", "u", f"{18 * n} km/h"),
        Quantity("braking_distance", "d", f"{d} m"),
    )
    wanted = Quantity("braking_force", "F")
    return situation("course", "braking", given, wanted, steps, f"{energy // d} N", words={"thing": mover})


def falling(rng: random.Random) -> Content:
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
    given = (Quantity("mass", "m", f"{m} kg"), Quantity("falling_time", "t", f"{t} s"), GRAVITY)
    wanted = Quantity("final_energy", "E")
    return situation("course", "falling", given, wanted, steps, f"{10 * m * h} J", words={"thing": body})


def crash(rng: random.Random) -> Content:
    """The kinetic energy lost when two bodies move together after a collision."""
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
    given = (
        Quantity("mass", "m1", f"{m} kg"),
        Quantity("other_mass", "m2", f"{n} kg"),
        Quantity("speed_before", "u", f"{u} m/s"),
    )
    words, wanted = {"thing": one, "other": two}, Quantity("lost_energy", "Q")
    return situation("course", "crash", given, wanted, steps, f"{before - after} J", words=words)
