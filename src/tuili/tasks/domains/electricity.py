"""Electricity and heat: Ohm's law, power, circuits, energy and its cost, heating and mixing, with units.

Temperatures are in kelvin, so that they can be added and divided like other quantities. Every result is a whole
number.
"""

from __future__ import annotations

import random

from tuili.tasks.building.levels import Template
from tuili.tasks.building.quantities import DIVISORS, Formula, named_product, named_quotient, named_sum
from tuili.tasks.building.wording import conjoin
from tuili.tasks.building.working import multiplication, running_sums
from tuili.tasks.problem import Draft
from tuili.tasks.registry import domain

DEVICES = ("fan", "grill", "heater", "kettle", "lamp", "motor", "pump", "radio", "toaster")
MATERIALS = ("alcohol", "brine", "glass", "juice", "milk", "oil", "soup", "steel", "syrup", "water")
LIQUIDS = ("alcohol", "juice", "milk", "oil", "soup", "water")
PARALLEL_PAIRS = tuple((a, b) for a in range(2, 79) for b in range(2, 81 - a) if a * b % (a + b) == 0)
"""Resistances in ohm of two resistors that have a whole resistance in parallel."""


FORMULAS = (
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


def _series(rng: random.Random) -> Draft:
    count = rng.randint(2, 3)
    parts = [rng.randint(5, 90) for _ in range(count)]
    listed = conjoin([f"{part} ohm" for part in parts])
    prompt = f"Resistors of {listed} are in series. What is the total resistance?"
    return Draft(prompt, tuple(running_sums(parts, "ohm")), f"{sum(parts)} ohm")


def _series_current(rng: random.Random) -> Draft:
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


def _cost(rng: random.Random) -> Draft:
    """The cost of the energy that a device uses."""
    device, p, t, price = rng.choice(DEVICES), rng.randint(2, 9), rng.randint(2, 12), rng.randint(11, 60)
    energy = p * t
    steps = [
        *named_product("E", p, "kW", t, "h", "kWh"),
        *named_product("c", energy, "kWh", price, "cents/kWh", "cents"),
    ]
    prompt = f"A {device} of {p} kW runs for {t} h. The price is {price} cents/kWh. What does it cost in cents?"
    return Draft(prompt, tuple(steps), str(energy * price))


def _lost_power(rng: random.Random) -> Draft:
    """The power of a current through a resistance: P = I^2 R."""
    device, i, r = rng.choice(DEVICES), rng.randint(2, 9), rng.randint(2, 60)
    steps = [*named_product("U", r, "ohm", i, "A", "V"), *named_product("P", r * i, "V", i, "A", "W")]
    prompt = f"A current of {i} A flows through a {device} of {r} ohm. What is its power?"
    return Draft(prompt, tuple(steps), f"{r * i * i} W")


def heat(m: int, c: int, low: int, high: int) -> list[str]:
    """The working of the heat Q = m c (high - low), with m in kg, c in kJ/(kg*K) and temperatures in K."""
    rise, capacity = high - low, m * c
    steps = [named_sum("T", high, low, "K", "-"), *named_product("k", m, "kg", c, "kJ/(kg*K)", "kJ/K")]
    return steps + named_product("Q", capacity, "kJ/K", rise, "K", "kJ")


def _heating(rng: random.Random) -> Draft:
    material, m, c, low, rise = (
        rng.choice(MATERIALS),
        rng.randint(2, 12),
        rng.randint(2, 5),
        rng.randint(270, 310),
        rng.randint(5, 60),
    )
    prompt = (
        f"{m} kg of {material} with a heat capacity of {c} kJ/(kg*K) are heated from {low} K to {low + rise} "
        "K. What heat is needed?"
    )
    return Draft(prompt, tuple(heat(m, c, low, low + rise)), f"{m * c * rise} kJ")


def parallel(name: str, a: int, b: int) -> list[str]:
    """The working of the resistance of two parallel resistors: their product divided by their sum."""
    return [
        named_sum(f"{name}s", a, b, "ohm"),
        *named_product(f"{name}p", a, "ohm", b, "ohm", "ohm^2"),
        *named_quotient(name, a * b, "ohm^2", a + b, "ohm", "ohm"),
    ]


def _parallel(rng: random.Random) -> Draft:
    """The resistance of two parallel devices, or the total current through them."""
    (a, b), i, (first, second) = rng.choice(PARALLEL_PAIRS), rng.randint(2, 9), rng.sample(DEVICES, 2)
    r = a * b // (a + b)
    steps = [*parallel("R", a, b), *named_quotient("I", r * i, "V", r, "ohm", "A")]
    setting = f"A {first} of {a} ohm and a {second} of {b} ohm are in parallel"
    if rng.random() < 0.5:
        return Draft(f"{setting}. What is the total resistance?", tuple(steps[:-1]), f"{r} ohm")
    return Draft(f"{setting} at {r * i} V. What current flows in all?", tuple(steps), f"{i} A")


def _mixing(rng: random.Random) -> Draft:
    """The temperature of a mixture of two parts of one liquid."""
    while True:
        m, n, low, high = rng.randint(1, 9), rng.randint(1, 9), rng.randint(274, 310), rng.randint(315, 370)
        sum_ = m * low + n * high
        if m + n in DIVISORS and sum_ % (m + n) == 0:
            break
    steps = [
        *named_product("a", low, "K", m, "kg", "kg*K"),
        *named_product("b", high, "K", n, "kg", "kg*K"),
        named_sum("c", m * low, n * high, "kg*K"),
    ]
    steps += [named_sum("m", m, n, "kg"), *named_quotient("T", sum_, "kg*K", m + n, "kg", "K")]
    liquid = rng.choice(LIQUIDS)
    prompt = (
        f"{m} kg of {liquid} at {low} K are mixed with {n} kg of {liquid} at {high} K. What is the "
        "temperature of the mixture?"
    )
    return Draft(prompt, tuple(steps), f"{sum_ // (m + n)} K")


def _monthly_bill(rng: random.Random, devices: int) -> Draft:
    """The bill for several devices that each run some hours a day."""
    names, days, price = rng.sample(DEVICES, devices), rng.randint(2, 9) * 10, rng.randint(2, 9) * 10
    use = [(rng.randint(1, 5), rng.randint(1, 9)) for _ in names]
    daily = [p * t for p, t in use]
    steps = [line for i, (p, t) in enumerate(use, 1) for line in named_product(f"E{i}", p, "kW", t, "h", "kWh")]
    steps += [
        *running_sums(daily, "kWh"),
        *multiplication(sum(daily), days),
        f"{sum(daily)} kWh * {days} = {sum(daily) * days} kWh",
    ]
    whole = sum(daily) * days
    steps += [
        *named_product("c", whole, "kWh", price, "cents/kWh", "cents"),
        f"{whole * price} cents = {whole * price // 100} dollars",
    ]
    setting = " and ".join(f"a {name} of {p} kW for {t} h" for name, (p, t) in zip(names, use, strict=True))
    prompt = f"Every day, {setting} runs. The price is {price} cents/kWh. What is the cost of {days} days in dollars?"
    return Draft(prompt, tuple(steps), str(whole * price // 100))


def _kettle(rng: random.Random) -> Draft:
    """The time that a heater takes to heat a liquid."""
    while True:
        m, c, rise, p = rng.randint(1, 9), rng.randint(2, 5), rng.randint(10, 80), rng.randint(2, 9)
        if m * c * rise % p == 0:
            break
    material, low, needed = rng.choice(LIQUIDS), rng.randint(270, 300), m * c * rise
    steps = [*heat(m, c, low, low + rise), *named_quotient("t", needed, "kJ", p, "kW", "s")]
    prompt = (
        f"A heater of {p} kW heats {m} kg of {material} with a heat capacity of {c} kJ/(kg*K) from {low} K "
        f"to {low + rise} K. How long does it take?"
    )
    return Draft(prompt, tuple(steps), f"{needed // p} s")


def _mixed_circuit(rng: random.Random) -> Draft:
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


def _branches(rng: random.Random) -> Draft:
    """The total current through parallel devices of given powers."""
    u, currents = rng.randint(2, 9) * 10, [rng.randint(2, 12) for _ in range(rng.randint(3, 4))]
    powers = [u * i for i in currents]
    steps = [*running_sums(powers, "W"), *named_quotient("I", sum(powers), "W", u, "V", "A")]
    listed = conjoin([f"{power} W" for power in powers])
    prompt = f"Devices of {listed} run in parallel at {u} V. What current flows in all?"
    return Draft(prompt, tuple(steps), f"{sum(currents)} A")


def _electric_heating(rng: random.Random) -> Draft:
    """The temperature of a liquid that a resistor heats: current, power, energy, rise of temperature."""
    while True:
        r, i, t, m, c = (
            rng.randint(2, 9),
            rng.randint(2, 9) * 10,
            rng.randint(2, 9) * 10,
            rng.randint(1, 5),
            rng.randint(2, 5),
        )
        energy, capacity = r * i * i * t, m * c * 1000
        if energy % capacity == 0 and energy // capacity in range(2, 81) and m * c in DIVISORS:
            break
    u, rise, low, liquid = r * i, energy // capacity, rng.randint(270, 290), rng.choice(LIQUIDS)
    steps = [
        *named_quotient("I", u, "V", r, "ohm", "A"),
        *named_product("P", u, "V", i, "A", "W"),
        *named_product("Q", u * i, "W", t, "s", "J"),
        f"{energy} J = {energy // 1000} kJ",
        f"k = {m} kg * {c} kJ/(kg*K) = {m * c} kJ/K",
        *named_quotient("D", energy // 1000, "kJ", m * c, "kJ/K", "K"),
        named_sum("T", low, rise, "K"),
    ]
    prompt = (
        f"A heater of {r} ohm at {u} V heats {m} kg of {liquid} with a heat capacity of {c} kJ/(kg*K) for "
        f"{t} s. The {liquid} was at {low} K. How warm is it then?"
    )
    return Draft(prompt, tuple(steps), f"{low + rise} K")


def _ladder(rng: random.Random) -> Draft:
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


def _three_mixed(rng: random.Random) -> Draft:
    """The heat that brings a mixture of three parts of one liquid to a given temperature."""
    while True:
        masses, temperatures = (
            [rng.randint(1, 4) for _ in range(3)],
            [rng.randint(275, 350) for _ in range(3)],
        )
        parts = [m * t for m, t in zip(masses, temperatures, strict=True)]
        m = sum(masses)
        if m in DIVISORS and sum(parts) % m == 0:
            break
    mean, c, rise, liquid = sum(parts) // m, rng.randint(2, 5), rng.randint(5, 30), rng.choice(LIQUIDS)
    steps = [
        line
        for n, mass, t in zip("abc", masses, temperatures, strict=True)
        for line in named_product(n, t, "K", mass, "kg", "kg*K")
    ]
    steps += [
        *running_sums(parts, "kg*K"),
        *running_sums(masses, "kg"),
        *named_quotient("M", sum(parts), "kg*K", m, "kg", "K"),
        *heat(m, c, mean, mean + rise),
    ]
    setting = " and ".join(f"{mass} kg at {t} K" for mass, t in zip(masses, temperatures, strict=True))
    prompt = (
        f"Of {liquid} with a heat capacity of {c} kJ/(kg*K), {setting} are mixed. What heat is needed to bring "
        f"the mixture to {mean + rise} K?"
    )
    return Draft(prompt, tuple(steps), f"{m * c * rise} kJ")


TEMPLATES_BY_LEVEL: dict[int, tuple[Template, ...]] = {
    1: (*(formula.draw for formula in FORMULAS), _series),
    2: (_series_current, _cost, _lost_power, _heating),
    3: (_parallel, _mixing, _kettle, _branches, lambda rng: _monthly_bill(rng, 2)),
    4: (_mixed_circuit, _electric_heating, lambda rng: _monthly_bill(rng, 3)),
    5: (_ladder, _three_mixed, lambda rng: _monthly_bill(rng, 4)),
}


@domain("electricity", phase=3)
class Electricity:
    """One formula at level 1, two at 2, parallel circuits and mixing at 3, whole circuits above."""

    def sample(self, rng: random.Random, level: int) -> Draft:
        return rng.choice(TEMPLATES_BY_LEVEL[level])(rng)
