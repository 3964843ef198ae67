"""Mechanics: speed, acceleration, force, momentum, energy, work and power, with units.

Results are drawn first and the given quantities follow from them, so that every quantity is a whole number. Where
weight matters, the prompt gives g = 10 m/s^2.
"""

from __future__ import annotations

import random

from tuili.tasks.building.levels import Template
from tuili.tasks.building.quantities import DIVISORS, Formula, named_product, named_quotient, named_sum
from tuili.tasks.building.words import VEHICLES
from tuili.tasks.building.working import exact_division, multiplication, running_sums
from tuili.tasks.problem import Draft
from tuili.tasks.registry import domain

MOVERS = (*VEHICLES, "ball", "bird", "dog", "horse", "robot", "runner", "ship", "stone")
BODIES = ("ball", "block", "box", "cart", "crate", "disc", "drum", "sled", "stone", "wagon")
MACHINES = ("crane", "drill", "fan", "lift", "mill", "motor", "press", "pump", "robot", "truck")
USE_G = "Use g = 10 m/s^2."


def _motion(way: str, time: str) -> Formula:
    return Formula(
        whole=("d", way),
        first=("v", f"{way}/{time}"),
        second=("t", time),
        things=MOVERS,
        questions=(
            "A {thing} goes at {first} for {second}. How far does it go?",
            "A {thing} goes {whole} in {second}. What is its speed?",
            "A {thing} goes at {first}. How long does it take for {whole}?",
        ),
    )


FORMULAS = (
    _motion("km", "h"),
    _motion("m", "s"),
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


def _speeding_up(rng: random.Random) -> Draft:
    """The final speed of a body that speeds up steadily, or its acceleration."""
    mover, u, a, t = rng.choice(MOVERS), rng.randint(2, 40), rng.randint(2, 12), rng.randint(2, 9)
    v = u + a * t
    if rng.random() < 0.5:
        prompt = f"A {mover} moves at {u} m/s and speeds up at {a} m/s^2 for {t} s. What is its speed then?"
        steps = [*named_product("w", a, "m/s^2", t, "s", "m/s"), named_sum("v", u, a * t, "m/s")]
        return Draft(prompt, tuple(steps), f"{v} m/s")
    prompt = f"A {mover} speeds up from {u} m/s to {v} m/s in {t} s. What is its acceleration?"
    return Draft(
        prompt, (named_sum("w", v, u, "m/s", "-"), *named_quotient("a", a * t, "m/s", t, "s", "m/s^2")), f"{a} m/s^2"
    )


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


def _kinetic(rng: random.Random) -> Draft:
    body, m, v = rng.choice(BODIES), rng.randint(1, 40) * 2, rng.randint(2, 9)
    prompt = f"A {body} of {m} kg moves at {v} m/s. What is its kinetic energy?"
    return Draft(prompt, tuple(kinetic_energy("E", m, v)), f"{m * v * v // 2} J")


def _conversion(rng: random.Random) -> Draft:
    mover, n = rng.choice(VEHICLES), rng.randint(1, 20)
    t = rng.randint(2, 9)
    prompt = f"A {mover} drives at {18 * n} km/h. How many metres does it drive in {t} s?"
    steps = [*to_metres_per_second("v", 18 * n), *named_product("d", 5 * n, "m/s", t, "s", "m")]
    return Draft(prompt, tuple(steps), str(5 * n * t))


def _lifting(rng: random.Random) -> Draft:
    """The work of lifting a body: first its weight, then force times height."""
    body, m, h = rng.choice(BODIES), rng.randint(2, 99), rng.randint(2, 9)
    prompt = f"What work is done when a {body} of {m} kg is lifted by {h} m? {USE_G}"
    return Draft(
        prompt,
        (*named_product("F", m, "kg", 10, "m/s^2", "N"), *named_product("W", 10 * m, "N", h, "m", "J")),
        f"{10 * m * h} J",
    )


def _legs(rng: random.Random, legs: int) -> Draft:
    """The mean speed over a journey in several legs."""
    mover = rng.choice(MOVERS)
    while True:
        parts = [(rng.randint(11, 60), rng.randint(1, 6)) for _ in range(legs)]
        way, time = sum(v * t for v, t in parts), sum(t for _, t in parts)
        if time in DIVISORS and way % time == 0 and len({v for v, _ in parts}) > 1:
            break
    course = ", then ".join(f"{t} h at {v} km/h" for v, t in parts)
    steps = [line for i, (v, t) in enumerate(parts, 1) for line in named_product(f"d{i}", v, "km/h", t, "h", "km")]
    steps += [*running_sums([v * t for v, t in parts], "km"), *running_sums([t for _, t in parts], "h")]
    steps += named_quotient("v", way, "km", time, "h", "km/h")
    return Draft(f"A {mover} goes {course}. What is its mean speed?", tuple(steps), f"{way // time} km/h")


def _distance_when_speeding_up(rng: random.Random) -> Draft:
    """The distance of a body that speeds up: d = u t + a t^2 / 2."""
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
    prompt = f"A {mover} moves at {u} m/s and speeds up at {a} m/s^2 for {t} s. How far does it go in that time?"
    return Draft(prompt, tuple(steps), f"{first + second // 2} m")


def _collision(rng: random.Random) -> Draft:
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


def _friction(rng: random.Random) -> Draft:
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


def _crane(rng: random.Random) -> Draft:
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


def _braking(rng: random.Random) -> Draft:
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


def _falling(rng: random.Random) -> Draft:
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


def _engine(rng: random.Random) -> Draft:
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


def _meeting(rng: random.Random) -> Draft:
    """The distance that one of two has gone when they meet. They start at one time towards each other."""
    one, two = rng.sample(MOVERS, 2)
    u, v, t = rng.randint(11, 60), rng.randint(11, 60), rng.randint(2, 9)
    way = (u + v) * t
    steps = [
        named_sum("w", u, v, "km/h"),
        *named_quotient("t", way, "km", u + v, "km/h", "h"),
        *named_product("d", u, "km/h", t, "h", "km"),
    ]
    prompt = (
        f"A {one} at {u} km/h and a {two} at {v} km/h start {way} km apart and go towards each other. How "
        f"far has the {one} gone when they meet?"
    )
    return Draft(prompt, tuple(steps), f"{u * t} km")


def _stages(rng: random.Random) -> Draft:
    """The distance of a journey in three stages: speeding up, keeping the speed, braking."""
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
    prompt = (
        f"A {mover} speeds up from rest at {a} m/s^2 to {v} m/s, keeps this speed for {middle} s and then "
        f"brakes at {b} m/s^2 to rest. How far does it go in all?"
    )
    return Draft(prompt, tuple(steps), f"{sum(ways)} m")


def _crash(rng: random.Random) -> Draft:
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


TEMPLATES_BY_LEVEL: dict[int, tuple[Template, ...]] = {
    1: tuple(formula.draw for formula in FORMULAS),
    2: (_speeding_up, _kinetic, _conversion, _lifting),
    3: (lambda rng: _legs(rng, 2), _distance_when_speeding_up, _collision, _friction, _crane, _meeting),
    4: (_braking, _falling, _engine, lambda rng: _legs(rng, 3)),
    5: (_engine, _stages, _crash, lambda rng: _legs(rng, 4)),
}


@domain("mechanics", phase=3)
class Mechanics:
    """One formula at level 1, two at 2, three at 3, a whole course of motion at 5."""

    def sample(self, rng: random.Random, level: int) -> Draft:
        return rng.choice(TEMPLATES_BY_LEVEL[level])(rng)
