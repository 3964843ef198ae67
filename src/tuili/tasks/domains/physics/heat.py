"""Heat and energy: heating, mixing, electric heaters, and what energy costs.

Temperatures are in kelvin, so that they can be added and divided like other quantities. Every result is a whole
number.
"""

from __future__ import annotations

import random

from tuili.tasks.building.quantities import DIVISORS, named_product, named_quotient, named_sum
from tuili.tasks.building.working import multiplication, running_sums
from tuili.tasks.domains.physics.circuits import DEVICES
from tuili.tasks.problem import Draft

MATERIALS = ("alcohol", "brine", "glass", "juice", "milk", "oil", "soup", "steel", "syrup", "water")
LIQUIDS = ("alcohol", "juice", "milk", "oil", "soup", "water")


def cost(rng: random.Random) -> Draft:
    """The cost of the energy that a device uses."""
    device, p, t, price = rng.choice(DEVICES), rng.randint(2, 9), rng.randint(2, 12), rng.randint(11, 60)
    energy = p * t
    steps = [
        *named_product("E", p, "kW", t, "h", "kWh"),
        *named_product("c", energy, "kWh", price, "cents/kWh", "cents"),
    ]
    prompt = f"A {device} of {p} kW runs for {t} h. The price is {price} cents/kWh. What does it cost in cents?"
    return Draft(prompt, tuple(steps), str(energy * price))


def monthly_bill(rng: random.Random, devices: int) -> Draft:
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


def heat(m: int, c: int, low: int, high: int) -> list[str]:
    """The working of the heat Q = m c (high - low), with m in kg, c in kJ/(kg*K) and temperatures in K."""
    rise, capacity = high - low, m * c
    steps = [named_sum("T", high, low, "K", "-"), *named_product("k", m, "kg", c, "kJ/(kg*K)", "kJ/K")]
    return steps + named_product("Q", capacity, "kJ/K", rise, "K", "kJ")


def heating(rng: random.Random) -> Draft:
    """The heat that warms a material."""
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


def mixing(rng: random.Random) -> Draft:
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


def kettle(rng: random.Random) -> Draft:
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


def electric_heating(rng: random.Random) -> Draft:
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


def three_mixed(rng: random.Random) -> Draft:
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
