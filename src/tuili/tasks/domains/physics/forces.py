"""Forces: mass and acceleration, momentum, work and power, friction.

Where weight matters, the prompt gives g = 10 m/s^2. Collisions are left to `energy`.
"""

from __future__ import annotations

import random

from tuili.tasks.building.quantities import Formula, named_product, named_quotient, named_sum
from tuili.tasks.building.words import VEHICLES
from tuili.tasks.problem import Draft

BODIES = ("ball", "block", "box", "cart", "crate", "disc", "drum", "sled", "stone", "wagon")
MACHINES = ("crane", "drill", "fan", "lift", "mill", "motor", "press", "pump", "robot", "truck")
USE_G = "Use g = 10 m/s^2."

FORCE_FORMULAS = (
    Formula(
        whole=("F", "N"),
        first=("m", "kg"),
        second=("a", "m/s^2"),
        things=BODIES,
        questions=(
            "A {thing} of {first} speeds up at {second}. What force acts on it?",
            "A force of {whole} gives a {thing} an acceleration of {second}. What is its mass?",
            "A force of {whole} acts on a {thing} of {first}. What is its acceleration?",
        ),
    ),
    Formula(
        whole=("p", "kg*m/s"),
        first=("m", "kg"),
        second=("v", "m/s"),
        things=BODIES,
        questions=(
            "A {thing} of {first} moves at {second}. What is its momentum?",
            "A {thing} moves at {second} with a momentum of {whole}. What is its mass?",
            "A {thing} of {first} has a momentum of {whole}. What is its speed?",
        ),
    ),
    Formula(
        whole=("W", "J"),
        first=("F", "N"),
        second=("d", "m"),
        things=BODIES,
        questions=(
            "A {thing} is pushed {second} with a force of {first}. What work is done?",
            "Work of {whole} is done when a {thing} is pushed {second}. With what force is it pushed?",
            "A {thing} is pushed with a force of {first} until the work is {whole}. How far is it pushed?",
        ),
    ),
    Formula(
        whole=("W", "J"),
        first=("P", "W"),
        second=("t", "s"),
        things=MACHINES,
        questions=(
            "A {thing} has a power of {first} and runs for {second}. What work does it do?",
            "A {thing} does {whole} of work in {second}. What is its power?",
            "A {thing} has a power of {first}. How long does it take for {whole} of work?",
        ),
    ),
)


def lifting(rng: random.Random) -> Draft:
    """The work of lifting a body: first its weight, then force times height."""
    body, m, h = rng.choice(BODIES), rng.randint(2, 99), rng.randint(2, 9)
    prompt = f"What work is done when a {body} of {m} kg is lifted by {h} m? {USE_G}"
    return Draft(
        prompt,
        (*named_product("F", m, "kg", 10, "m/s^2", "N"), *named_product("W", 10 * m, "N", h, "m", "J")),
        f"{10 * m * h} J",
    )


def friction(rng: random.Random) -> Draft:
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
    prompt = (
        f"A {body} of {m} kg is at rest. It is pulled with {pull} N against a friction of {drag} N. How fast "
        f"is it after {t} s?"
    )
    return Draft(prompt, tuple(steps), f"{a * t} m/s")


def crane(rng: random.Random) -> Draft:
    """The power with which a body is lifted: weight, work, then work over time."""
    m, t, speed = rng.randint(11, 90), rng.randint(2, 9), rng.randint(2, 9)
    h = speed * t
    steps = [
        *named_product("F", m, "kg", 10, "m/s^2", "N"),
        *named_product("W", 10 * m, "N", h, "m", "J"),
        *named_quotient("P", 10 * m * h, "J", t, "s", "W"),
    ]
    machine, body = rng.choice(MACHINES), rng.choice(BODIES)
    prompt = f"A {machine} lifts a {body} of {m} kg by {h} m in {t} s. What is its power? {USE_G}"
    return Draft(prompt, tuple(steps), f"{10 * m * speed} W")


def engine(rng: random.Random) -> Draft:
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
    prompt = (
        f"A {mover} of {m} kg speeds up steadily from rest to {v} m/s in {t} s against a friction of {drag} "
        "N. What is the mean power of its motor?"
    )
    return Draft(prompt, tuple(steps), f"{pull * d // t} W")
