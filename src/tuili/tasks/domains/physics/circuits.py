"""Circuits: Ohm's law, power and energy, resistors in series and in parallel. Every result is a whole number.

Heat and the price of energy are left to `heat`.
"""

from __future__ import annotations

import random

from tuili.tasks.building.quantities import DIVISORS, Formula, named_product, named_quotient, named_sum
from tuili.tasks.building.wording import conjoin
from tuili.tasks.building.working import running_sums
from tuili.tasks.problem import Draft

DEVICES = ("fan", "grill", "heater", "kettle", "lamp", "motor", "pump", "radio", "toaster")
PARALLEL_PAIRS = tuple((a, b) for a in range(2, 79) for b in range(2, 81 - a) if a * b % (a + b) == 0)
"""Resistances in ohm of two resistors that have a whole resistance in parallel."""

ELECTRIC_FORMULAS = (
    Formula(
        whole=("U", "V"),
        first=("R", "ohm"),
        second=("I", "A"),
        things=DEVICES,
        questions=(
            "A current of {second} flows through a {thing} of {first}. What is the voltage?",
            "At {whole}, a current of {second} flows through a {thing}. What is its resistance?",
            "A {thing} of {first} is connected to {whole}. What current flows?",
        ),
    ),
    Formula(
        whole=("P", "W"),
        first=("U", "V"),
        second=("I", "A"),
        things=DEVICES,
        questions=(
            "A {thing} takes {second} at {first}. What is its power?",
            "A {thing} takes {second} and has a power of {whole}. What is its voltage?",
            "A {thing} has a power of {whole} at {first}. What current does it take?",
        ),
    ),
    *(
        Formula(
            whole=("E", energy),
            first=("P", power),
            second=("t", time),
            things=DEVICES,
            questions=(
                "A {thing} of {first} runs for {second}. How much energy does it use in {unit}?",
                "A {thing} uses {whole} in {second}. What is its power?",
                "A {thing} of {first} has used {whole}. How long did it run?",
            ),
        )
        for power, time, energy in (("W", "h", "Wh"), ("kW", "h", "kWh"), ("W", "s", "J"))
    ),
)


def series(rng: random.Random) -> Draft:
    """The resistance of two or three resistors in series."""
    count = rng.randint(2, 3)
    parts = [rng.randint(5, 90) for _ in range(count)]
    listed = conjoin([f"{part} ohm" for part in parts])
    prompt = f"Resistors of {listed} are in series. What is the total resistance?"
    return Draft(prompt, tuple(running_sums(parts, "ohm")), f"{sum(parts)} ohm")


def series_current(rng: random.Random) -> Draft:
    """The current through two resistors in series, or the voltage over the first."""
    while (sum_ := (r := rng.randint(1, 30)) + (s := rng.randint(1, 30))) not in DIVISORS:
        pass
    i = rng.randint(2, 20)
    steps = [named_sum("R", r, s, "ohm"), *named_quotient("I", sum_ * i, "V", sum_, "ohm", "A")]
    setting = f"Resistors of {r} ohm and {s} ohm are in series at {sum_ * i} V."
    if rng.random() < 0.5:
        return Draft(f"{setting} What current flows?", tuple(steps), f"{i} A")
    steps += named_product("U", r, "ohm", i, "A", "V")
    return Draft(f"{setting} What is the voltage over the first?", tuple(steps), f"{r * i} V")


def lost_power(rng: random.Random) -> Draft:
    """The power of a current through a resistance: P = I^2 R."""
    device, i, r = rng.choice(DEVICES), rng.randint(2, 9), rng.randint(2, 60)
    steps = [*named_product("U", r, "ohm", i, "A", "V"), *named_product("P", r * i, "V", i, "A", "W")]
    prompt = f"A current of {i} A flows through a {device} of {r} ohm. What is its power?"
    return Draft(prompt, tuple(steps), f"{r * i * i} W")


def parallel(name: str, a: int, b: int) -> list[str]:
    """The working of the resistance of two parallel resistors: their product divided by their sum."""
    return [
        named_sum(f"{name}s", a, b, "ohm"),
        *named_product(f"{name}p", a, "ohm", b, "ohm", "ohm^2"),
        *named_quotient(name, a * b, "ohm^2", a + b, "ohm", "ohm"),
    ]


def in_parallel(rng: random.Random) -> Draft:
    """The resistance of two parallel devices, or the total current through them."""
    (a, b), i, (first, second) = rng.choice(PARALLEL_PAIRS), rng.randint(2, 9), rng.sample(DEVICES, 2)
    r = a * b // (a + b)
    steps = [*parallel("R", a, b), *named_quotient("I", r * i, "V", r, "ohm", "A")]
    setting = f"A {first} of {a} ohm and a {second} of {b} ohm are in parallel"
    if rng.random() < 0.5:
        return Draft(f"{setting}. What is the total resistance?", tuple(steps[:-1]), f"{r} ohm")
    return Draft(f"{setting} at {r * i} V. What current flows in all?", tuple(steps), f"{i} A")


def mixed_circuit(rng: random.Random) -> Draft:
    """A resistor in series with two parallel ones: the total power, or the voltage over the parallel part."""
    while True:
        (a, b), r = rng.choice(PARALLEL_PAIRS), rng.randint(1, 30)
        side = a * b // (a + b)
        if r + side in DIVISORS:
            break
    i, whole = rng.randint(2, 9), r + side
    u = whole * i
    steps = [*parallel("S", a, b), named_sum("R", r, side, "ohm"), *named_quotient("I", u, "V", whole, "ohm", "A")]
    setting = (
        f"A resistor of {r} ohm is in series with two of {a} ohm and {b} ohm that are in parallel. The "
        f"voltage is {u} V."
    )
    if rng.random() < 0.5:
        steps += named_product("P", u, "V", i, "A", "W")
        return Draft(f"{setting} What is the total power?", tuple(steps), f"{u * i} W")
    steps += named_product("U", side, "ohm", i, "A", "V")
    return Draft(f"{setting} What is the voltage over the parallel part?", tuple(steps), f"{side * i} V")


def branches(rng: random.Random) -> Draft:
    """The total current through parallel devices of given powers."""
    u, currents = rng.randint(2, 9) * 10, [rng.randint(2, 12) for _ in range(rng.randint(3, 4))]
    powers = [u * i for i in currents]
    steps = [*running_sums(powers, "W"), *named_quotient("I", sum(powers), "W", u, "V", "A")]
    listed = conjoin([f"{power} W" for power in powers])
    prompt = f"Devices of {listed} run in parallel at {u} V. What current flows in all?"
    return Draft(prompt, tuple(steps), f"{sum(currents)} A")


def ladder(rng: random.Random) -> Draft:
    """The total power of a resistor and two parallel pairs, all in series."""
    while True:
        (a, b), (c, d), r = rng.choice(PARALLEL_PAIRS), rng.choice(PARALLEL_PAIRS), rng.randint(1, 20)
        first, second = a * b // (a + b), c * d // (c + d)
        whole = r + first + second
        if whole in DIVISORS:
            break
    i = rng.randint(2, 9)
    u = whole * i
    steps = [*parallel("S", a, b), *parallel("T", c, d), *running_sums([r, first, second], "ohm")]
    steps += [*named_quotient("I", u, "V", whole, "ohm", "A"), *named_product("P", u, "V", i, "A", "W")]
    prompt = (
        f"In series at {u} V are a resistor of {r} ohm, a parallel pair of {a} ohm and {b} ohm and a "
        f"parallel pair of {c} ohm and {d} ohm. What is the total power?"
    )
    return Draft(prompt, tuple(steps), f"{u * i} W")
