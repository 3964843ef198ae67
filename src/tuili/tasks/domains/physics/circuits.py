"""Circuits: Ohm's law, power and energy, resistors in series and in parallel. Every result is a whole number.

`heat` has heat and the price of energy.
"""

from __future__ import annotations

import random

from tuili.tasks.building.quantities import DIVISORS, Formula, named_product, named_quotient, named_sum
from tuili.tasks.building.situations import Quantity, numbered, situation, told
from tuili.tasks.building.working import running_sums
from tuili.tasks.content import Content

DEVICES = ("fan", "grill", "heater", "kettle", "lamp", "motor", "pump", "radio", "toaster")
PARALLEL_PAIRS = tuple((a, b) for a in range(2, 79) for b in range(2, 81 - a) if a * b % (a + b) == 0)
"""Pairs of resistances in ohm whose parallel resistance is a whole number."""

ELECTRIC_FORMULAS = (
    Formula(
        scene="ohm",
        whole=("voltage", "U", "V"),
        first=("resistance", "R", "ohm"),
        second=("current", "I", "A"),
        things=DEVICES,
    ),
    Formula(
        scene="power",
        whole=("power", "P", "W"),
        first=("voltage", "U", "V"),
        second=("current", "I", "A"),
        things=DEVICES,
    ),
    *(
        Formula(
            scene="energy",
            whole=("energy", "E", energy),
            first=("power", "P", power),
            second=("running_time", "t", time),
            things=DEVICES,
            bare={"energy": "energy_in"},
        )
        for power, time, energy in (("W", "h", "Wh"), ("kW", "h", "kWh"), ("W", "s", "J"))
    ),
)


def series(rng: random.Random) -> Content:
    """The resistance of two or three resistors in series."""
    count = rng.randint(2, 3)
    parts = [rng.randint(5, 90) for _ in range(count)]
    given = numbered("resistor", "R", [f"{part} ohm" for part in parts])
    wanted, steps, answer = Quantity("total_resistance", "R"), running_sums(parts, "ohm"), f"{sum(parts)} ohm"
    return situation("circuit", "series", given, wanted, steps, answer, parts=told(given))


def series_current(rng: random.Random) -> Content:
    """The current through two resistors in series, or the voltage across the first."""
    while (sum_ := (r := rng.randint(1, 30)) + (s := rng.randint(1, 30))) not in DIVISORS:
        pass
    i = rng.randint(2, 20)
    steps = [named_sum("R", r, s, "ohm"), *named_quotient("I", sum_ * i, "V", sum_, "ohm", "A")]
    given = (*numbered("resistor", "R", [f"{r} ohm", f"{s} ohm"]), Quantity("total_voltage", "V", f"{sum_ * i} V"))
    parts = told(given[:2])
    if rng.random() < 0.5:
        return situation("circuit", "series", given, Quantity("total_current", "I"), steps, f"{i} A", parts=parts)
    steps += named_product("U", r, "ohm", i, "A", "V")
    return situation("circuit", "series", given, Quantity("first_voltage", "U"), steps, f"{r * i} V", parts=parts)


def lost_power(rng: random.Random) -> Content:
    """The power of a current through a resistor: P = I^2 R."""
    device, i, r = rng.choice(DEVICES), rng.randint(2, 9), rng.randint(2, 60)
    steps = [*named_product("U", r, "ohm", i, "A", "V"), *named_product("P", r * i, "V", i, "A", "W")]
    given = (Quantity("current", "I", f"{i} A"), Quantity("resistance", "R", f"{r} ohm"))
    wanted, answer = Quantity("power", "P"), f"{r * i * i} W"
    return situation("formula", "ohm", given, wanted, steps, answer, words={"thing": device})


def parallel(name: str, a: int, b: int) -> list[str]:
    """The working of the resistance of two parallel resistors: their product divided by their sum."""
    return [
        named_sum(f"{name}s", a, b, "ohm"),
        *named_product(f"{name}p", a, "ohm", b, "ohm", "ohm^2"),
        *named_quotient(name, a * b, "ohm^2", a + b, "ohm", "ohm"),
    ]


def in_parallel(rng: random.Random) -> Content:
    """The resistance of two parallel devices, or the total current through them."""
    (a, b), i, (first, second) = rng.choice(PARALLEL_PAIRS), rng.randint(2, 9), rng.sample(DEVICES, 2)
    r = a * b // (a + b)
    steps = [*parallel("R", a, b), *named_quotient("I", r * i, "V", r, "ohm", "A")]
    given = [Quantity("resistance", "A", f"{a} ohm"), Quantity("other_resistance", "B", f"{b} ohm")]
    words = {"thing": first, "other": second}
    if rng.random() < 0.5:
        wanted = Quantity("total_resistance", "R")
        return situation("circuit", "parallel", given, wanted, steps[:-1], f"{r} ohm", words=words)
    given.append(Quantity("total_voltage", "U", f"{r * i} V"))
    return situation("circuit", "parallel", given, Quantity("total_current", "I"), steps, f"{i} A", words=words)


def mixed_circuit(rng: random.Random) -> Content:
    """The total power of a resistor in series with two parallel resistors, or the voltage across the parallel part."""
    while True:
        (a, b), r = rng.choice(PARALLEL_PAIRS), rng.randint(1, 30)
        side = a * b // (a + b)
        if r + side in DIVISORS:
            break
    i, whole = rng.randint(2, 9), r + side
    u = whole * i
    steps = [*parallel("S", a, b), named_sum("R", r, side, "ohm"), *named_quotient("I", u, "V", whole, "ohm", "A")]
    given = (
        Quantity("series_resistor", "Q", f"{r} ohm"),
        *numbered("parallel_resistor", "A", [f"{a} ohm", f"{b} ohm"]),
        Quantity("total_voltage", "V", f"{u} V"),
    )
    parts = told(given[1:3])
    if rng.random() < 0.5:
        steps += named_product("P", u, "V", i, "A", "W")
        return situation("circuit", "mixed", given, Quantity("total_power", "P"), steps, f"{u * i} W", parts=parts)
    steps += named_product("U", side, "ohm", i, "A", "V")
    wanted = Quantity("parallel_voltage", "U")
    return situation("circuit", "mixed", given, wanted, steps, f"{side * i} V", parts=parts)


def branches(rng: random.Random) -> Content:
    """The total current through parallel devices with given powers."""
    u, currents = rng.randint(2, 9) * 10, [rng.randint(2, 12) for _ in range(rng.randint(3, 4))]
    powers = [u * i for i in currents]
    steps = [*running_sums(powers, "W"), *named_quotient("I", sum(powers), "W", u, "V", "A")]
    powers_of_devices = numbered("device_power", "P", [f"{power} W" for power in powers])
    given = (*powers_of_devices, Quantity("total_voltage", "U", f"{u} V"))
    wanted, answer = Quantity("total_current", "I"), f"{sum(currents)} A"
    parts = told(powers_of_devices)
    return situation("circuit", "branches", given, wanted, steps, answer, parts=parts)


def ladder(rng: random.Random) -> Content:
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
    pairs = [[f"{a} ohm", f"{b} ohm"], [f"{c} ohm", f"{d} ohm"]]
    given = (
        Quantity("series_resistor", "Q", f"{r} ohm"),
        *numbered("first_pair_resistor", "A", pairs[0]),
        *numbered("second_pair_resistor", "B", pairs[1]),
        Quantity("total_voltage", "V", f"{u} V"),
    )
    values = dict(zip(("one", "two", "three", "four"), [*pairs[0], *pairs[1]], strict=True))
    return situation("circuit", "ladder", given, Quantity("total_power", "P"), steps, f"{u * i} W", told=values)
