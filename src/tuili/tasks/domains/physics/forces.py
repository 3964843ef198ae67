"""Forces: mass and acceleration, momentum, work and power, friction.

If weight matters, the prompt gives g = 10 m/s^2. `energy` has the collisions.
"""

from __future__ import annotations

import random

from tuili.tasks.building.quantities import Formula, named_product, named_quotient, named_sum
from tuili.tasks.building.situations import Quantity, situation
from tuili.tasks.building.words import VEHICLES
from tuili.tasks.content import Content

BODIES = ("ball", "block", "box", "cart", "crate", "disc", "drum", "sled", "stone", "wagon")
MACHINES = ("crane", "drill", "fan", "lift", "mill", "motor", "press", "pump", "robot", "truck")
GRAVITY = Quantity("gravity", "g", "10 m/s^2")

FORCE_FORMULAS = (
    Formula(
        scene="pull",
        whole=("force", "F", "N"),
        first=("mass", "m", "kg"),
        second=("acceleration", "a", "m/s^2"),
        things=BODIES,
    ),
    Formula(
        scene="momentum",
        whole=("momentum", "p", "kg*m/s"),
        first=("mass", "m", "kg"),
        second=("speed", "v", "m/s"),
        things=BODIES,
        kind="course",
    ),
    Formula(
        scene="push",
        whole=("work", "W", "J"),
        first=("pushing_force", "F", "N"),
        second=("distance", "d", "m"),
        things=BODIES,
    ),
    Formula(
        scene="machine",
        whole=("work", "W", "J"),
        first=("power", "P", "W"),
        second=("time", "t", "s"),
        things=MACHINES,
        kind="course",
    ),
)


def lifting(rng: random.Random) -> Content:
    """The work of lifting a body: first its weight, then force times height."""
    body, m, h = rng.choice(BODIES), rng.randint(2, 99), rng.randint(2, 9)
    steps = [*named_product("F", m, "kg", 10, "m/s^2", "N"), *named_product("W", 10 * m, "N", h, "m", "J")]
    given = (Quantity("mass", "m", f"{m} kg"), Quantity("height", "h", f"{h} m"), GRAVITY)
    return situation(
        "formula", "lifting", given, Quantity("work", "W"), steps, f"{10 * m * h} J", words={"thing": body}
    )


def friction(rng: random.Random) -> Content:
    """The speed of a body after some time, from the force on it, its friction and its mass."""
    body, m, a, t, drag = (
        rng.choice(BODIES),
        rng.randint(2, 9),
        rng.randint(3, 30),
        rng.randint(3, 9),
        rng.randint(5, 90),
    )
    pull = m * a + drag
    steps = [
        named_sum("F", pull, drag, "N", "-"),
        *named_quotient("a", m * a, "N", m, "kg", "m/s^2"),
        *named_product("v", a, "m/s^2", t, "s", "m/s"),
    ]
    given = (
        Quantity("mass", "m", f"{m} kg"),
        Quantity("pull", "D", f"{pull} N"),
        Quantity("friction", "R", f"{drag} N"),
        Quantity("time", "t", f"{t} s"),
    )
    wanted = Quantity("final_speed", "v")
    return situation("course", "friction", given, wanted, steps, f"{a * t} m/s", words={"thing": body})


def crane(rng: random.Random) -> Content:
    """The power that lifts a body: weight, work, then work over time."""
    m, t, speed = rng.randint(11, 90), rng.randint(2, 9), rng.randint(2, 9)
    h = speed * t
    steps = [
        *named_product("F", m, "kg", 10, "m/s^2", "N"),
        *named_product("W", 10 * m, "N", h, "m", "J"),
        *named_quotient("P", 10 * m * h, "J", t, "s", "W"),
    ]
    machine, body = rng.choice(MACHINES), rng.choice(BODIES)
    given = (
        Quantity("other_mass", "m", f"{m} kg"),
        Quantity("height", "h", f"{h} m"),
        Quantity("time", "t", f"{t} s"),
        GRAVITY,
    )
    words, wanted = {"thing": machine, "other": body}, Quantity("power", "P")
    return situation("course", "crane", given, wanted, steps, f"{10 * m * speed} W", words=words)


def engine(rng: random.Random) -> Content:
    """The mean power of a motor: acceleration, force with friction, distance, work, power."""
    mover, m, a, t, drag = (
        rng.choice(VEHICLES),
        rng.randint(2, 40),
        rng.randint(1, 6),
        rng.choice((2, 4, 6, 8)),
        rng.randint(2, 60),
    )
    v, pull, d = a * t, m * a + drag, a * t * t // 2
    steps = [
        *named_quotient("a", v, "m/s", t, "s", "m/s^2"),
        *named_product("x", m, "kg", a, "m/s^2", "N"),
        named_sum("F", m * a, drag, "N"),
        f"u = {v} m/s / 2 = {v // 2} m/s",
        *named_product("d", v // 2, "m/s", t, "s", "m"),
        *named_product("W", pull, "N", d, "m", "J"),
        *named_quotient("P", pull * d, "J", t, "s", "W"),
    ]
    given = (
        Quantity("mass", "m", f"{m} kg"),
        Quantity("final_speed", "v", f"{v} m/s"),
        Quantity("time", "t", f"{t} s"),
        Quantity("friction", "R", f"{drag} N"),
    )
    wanted = Quantity("mean_power", "P")
    return situation("course", "engine", given, wanted, steps, f"{pull * d // t} W", words={"thing": mover})
