"""Heat and energy: heating, mixing, electric heaters, and the cost of energy.

Temperatures are in kelvin, so that they can be added and divided like other quantities. Every result is a whole
number.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from tuili.tasks.building.quantities import DIVISORS, named_product, named_quotient, named_sum
from tuili.tasks.building.situations import Quantity, part, situation
from tuili.tasks.building.working import multiplication, running_sums
from tuili.tasks.content import Content
from tuili.tasks.domains.physics.circuits import DEVICES

MATERIALS = ("alcohol", "brine", "glass", "juice", "milk", "oil", "soup", "steel", "syrup", "water")
LIQUIDS = ("alcohol", "juice", "milk", "oil", "soup", "water")


def cost(rng: random.Random) -> Content:
    """The cost of the energy that a device uses."""
    device, p, t, price = rng.choice(DEVICES), rng.randint(2, 9), rng.randint(2, 12), rng.randint(11, 60)
    energy = p * t
    steps = [
        *named_product("E", p, "kW", t, "h", "kWh"),
        *named_product("c", energy, "kWh", price, "cents/kWh", "cents"),
    ]
    given = (
        Quantity("power", "P", f"{p} kW"),
        Quantity("running_time", "t", f"{t} h"),
        Quantity("price", "k", f"{price} cents/kWh"),
    )
    wanted = Quantity("cents", "c")
    return situation("course", "energy", given, wanted, steps, str(energy * price), words={"thing": device})


def monthly_bill(rng: random.Random, devices: int) -> Content:
    """The bill for several devices, each of which runs some hours per day."""
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
    given = [
        quantity
        for i, (name, (p, t)) in enumerate(zip(names, use, strict=True), 1)
        for quantity in (
            Quantity("power", f"P{i}", f"{p} kW", {"thing": name}),
            Quantity("daily_time", f"t{i}", f"{t} h", {"thing": name}),
        )
    ]
    given += [Quantity("days", "n", str(days)), Quantity("price", "k", f"{price} cents/kWh")]
    parts = [
        part("device", thing=name, power=f"{p} kW", time=f"{t} h") for name, (p, t) in zip(names, use, strict=True)
    ]
    wanted, words = Quantity("dollars", "c"), {f"device{i}": name for i, name in enumerate(names)}
    return situation("course", "bill", given, wanted, steps, str(whole * price // 100), words=words, parts=parts)


def heat(m: int, c: int, low: int, high: int) -> list[str]:
    """The working of the heat Q = m c (high - low), with m in kg, c in kJ/(kg*K) and temperatures in K."""
    rise, capacity = high - low, m * c
    steps = [named_sum("T", high, low, "K", "-"), *named_product("k", m, "kg", c, "kJ/(kg*K)", "kJ/K")]
    return steps + named_product("Q", capacity, "kJ/K", rise, "K", "kJ")


def _warmed(m: int, c: int, low: int, high: int | None = None) -> list[Quantity]:
    """The given quantities of a heated body."""
    given = [
        Quantity("mass", "m", f"{m} kg"),
        Quantity("heat_capacity", "c", f"{c} kJ/(kg*K)"),
        Quantity("initial_temperature", "T1", f"{low} K"),
    ]
    return given if high is None else [*given, Quantity("final_temperature", "T2", f"{high} K")]


def _portions(masses: Sequence[int], temperatures: Sequence[int]) -> list[Quantity]:
    """The given quantities of the portions of a mixture."""
    return [
        quantity
        for number, (mass, t) in enumerate(zip(masses, temperatures, strict=True), 1)
        for quantity in (
            Quantity("portion_mass", f"m{number}", f"{mass} kg", {"number": number}),
            Quantity("portion_temperature", f"T{number}", f"{t} K", {"number": number}),
        )
    ]


def heating(rng: random.Random) -> Content:
    """The heat that warms a material."""
    material, m, c, low, rise = (
        rng.choice(MATERIALS),
        rng.randint(2, 12),
        rng.randint(2, 5),
        rng.randint(270, 310),
        rng.randint(5, 60),
    )
    given = _warmed(m, c, low, low + rise)
    steps, wanted = heat(m, c, low, low + rise), Quantity("heat", "Q")
    return situation("formula", "heating", given, wanted, steps, f"{m * c * rise} kJ", words={"thing": material})


def mixing(rng: random.Random) -> Content:
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
    given = _portions((m, n), (low, high))
    words, wanted = {"thing": rng.choice(LIQUIDS)}, Quantity("mixed_temperature", "T")
    told = {
        "mass": f"{m} kg",
        "temperature": f"{low} K",
        "other_mass": f"{n} kg",
        "other_temperature": f"{high} K",
    }
    return situation("course", "mixing", given, wanted, steps, f"{sum_ // (m + n)} K", words=words, told=told)


def kettle(rng: random.Random) -> Content:
    """The time that a heater needs to heat a liquid."""
    while True:
        m, c, rise, p = rng.randint(1, 9), rng.randint(2, 5), rng.randint(10, 80), rng.randint(2, 9)
        if m * c * rise % p == 0:
            break
    material, low, needed = rng.choice(LIQUIDS), rng.randint(270, 300), m * c * rise
    steps = [*heat(m, c, low, low + rise), *named_quotient("t", needed, "kJ", p, "kW", "s")]
    given = (Quantity("heater_power", "P", f"{p} kW"), *_warmed(m, c, low, low + rise))
    wanted = Quantity("heating_time", "t")
    return situation("course", "kettle", given, wanted, steps, f"{needed // p} s", words={"thing": material})


def electric_heating(rng: random.Random) -> Content:
    """The temperature of a liquid that a resistor heats, via current, power, energy and rise in temperature."""
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
    given = (
        Quantity("heater_resistance", "R", f"{r} ohm"),
        Quantity("heater_voltage", "U", f"{u} V"),
        *_warmed(m, c, low),
        Quantity("heating_time", "t", f"{t} s"),
    )
    wanted = Quantity("final_temperature", "T")
    return situation("course", "kettle", given, wanted, steps, f"{low + rise} K", words={"thing": liquid})


def three_mixed(rng: random.Random) -> Content:
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
    given = (
        *_portions(masses, temperatures),
        Quantity("heat_capacity", "c", f"{c} kJ/(kg*K)"),
        Quantity("target_temperature", "T", f"{mean + rise} K"),
    )
    told = [
        part("portion", mass=f"{mass} kg", temperature=f"{t} K") for mass, t in zip(masses, temperatures, strict=True)
    ]
    wanted, answer = Quantity("mixture_heat", "Q"), f"{m * c * rise} kJ"
    return situation("course", "mixing", given, wanted, steps, answer, words={"thing": liquid}, parts=told)
