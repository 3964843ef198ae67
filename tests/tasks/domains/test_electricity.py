"""Electricity and heat from the numbers of the prompt alone, where possible by another law."""

from __future__ import annotations

import re
from fractions import Fraction as F

from tests.tasks.twin import Rule, integers, problems, shown, solve
from tuili.tasks.domains.electricity import PARALLEL_PAIRS, heat, parallel

N = r"(\d+)"


def unit(value: F | int, name: str) -> str:
    return f"{shown(F(value))} {name}"


def beside(*resistances: int) -> F:
    """Resistances side by side: conductances add up."""
    return 1 / sum(F(1, resistance) for resistance in resistances)


def bill(listed: str, price: int, days: int) -> str:
    use = [(int(p), int(t)) for p, t in re.findall(r"(\d+) kW for (\d+) h", listed)]
    return shown(sum(F(p * t * price, 100) for p, t in use) * days)


def mixed(c: int, listed: str, target: int) -> str:
    """The heat that brings each part to the target adds up to that of the mixture."""
    numbers = integers(listed)
    return unit(sum(m * c * (target - t) for m, t in zip(numbers[::2], numbers[1::2], strict=True)), "kJ")


RULES: tuple[Rule, ...] = (
    (
        rf"A current of {N} A flows through a \w+ of {N} ohm\. What is the voltage\?",
        lambda i, r: unit(i * r, "V"),
    ),
    (rf"A \w+ of {N} ohm is connected to {N} V\. .*", lambda r, u: unit(F(u, r), "A")),
    (rf"At {N} V, a current of {N} A flows .*", lambda u, i: unit(F(u, i), "ohm")),
    (rf"A \w+ takes {N} A at {N} V\. .*", lambda i, u: unit(i * u, "W")),
    (rf"A \w+ takes {N} A and has a power of {N} W\. .*", lambda i, p: unit(F(p, i), "V")),
    (rf"A \w+ has a power of {N} W at {N} V\. .*", lambda p, u: unit(F(p, u), "A")),
    (
        rf"A \w+ uses {N} (J|Wh|kWh) in {N} [hs]\. What is its power\?",
        lambda e, name, t: unit(F(e, t), "kW" if name == "kWh" else "W"),
    ),
    (
        rf"A \w+ of {N} k?W has used {N} (J|Wh|kWh)\. How long did it run\?",
        lambda p, e, name: unit(F(e, p), "s" if name == "J" else "h"),
    ),
    (
        rf"A \w+ of {N} k?W runs for {N} [hs]\. How much energy does it use in (\w+)\?",
        lambda p, t, _: p * t,
    ),
    (
        r"Resistors of (.*) are in series\. What is the total resistance\?",
        lambda listed: unit(sum(integers(listed)), "ohm"),
    ),
    (
        rf"Resistors of {N} ohm and {N} ohm are in series at {N} V\. What current flows\?",
        lambda r, s, u: unit(F(u, r + s), "A"),
    ),
    (
        rf"Resistors of {N} ohm and {N} ohm are in series at {N} V\. What is the voltage .*",
        lambda r, s, u: unit(F(u * r, r + s), "V"),
    ),
    (
        rf"A \w+ of {N} kW runs for {N} h\. The price is {N} cents/kWh\. .*",
        lambda p, t, price: p * t * price,
    ),
    (
        rf"A current of {N} A flows through a \w+ of {N} ohm\. What is its power\?",
        lambda i, r: unit(i * i * r, "W"),
    ),
    (
        rf"{N} kg of \w+ with a heat capacity of {N} kJ/\(kg\*K\) are heated from {N} K to {N} K\. .*",
        lambda m, c, low, high: unit(m * c * (high - low), "kJ"),
    ),
    (rf"A \w+ of {N} ohm and a \w+ of {N} ohm are in parallel\. .*", lambda a, b: unit(beside(a, b), "ohm")),
    (
        rf"A \w+ of {N} ohm and a \w+ of {N} ohm are in parallel at {N} V\. .*",
        lambda a, b, u: unit(F(u, a) + F(u, b), "A"),
    ),
    (
        rf"{N} kg of \w+ at {N} K are mixed with {N} kg of \w+ at {N} K\. .*",
        lambda m, s, n, t: unit(s + F(n, m + n) * (t - s), "K"),
    ),
    (rf"Every day, (.*) runs\. The price is {N} cents/kWh\. What is the cost of {N} days in dollars\?", bill),
    (
        rf"A heater of {N} kW heats {N} kg of \w+ with .* of {N} kJ/\(kg\*K\) from {N} K to {N} K\. .*",
        lambda p, m, c, low, high: unit(F(m * c * (high - low), p), "s"),
    ),
    (
        rf"Devices of (.*) run in parallel at {N} V\. .*",
        lambda listed, u: unit(sum(F(p, u) for p in integers(listed)), "A"),
    ),
    (
        rf"A resistor of {N} ohm is in series with two of {N} ohm and {N} ohm .* is {N} V\. .* power\?",
        lambda r, a, b, u: unit(u * u / (r + beside(a, b)), "W"),
    ),
    (
        rf"A resistor of {N} ohm is in series with two of {N} ohm and {N} ohm .* {N} V\. .* part\?",
        lambda r, a, b, u: unit(u * beside(a, b) / (r + beside(a, b)), "V"),
    ),
    (
        rf"A heater of {N} ohm at {N} V heats {N} kg of \w+ with .* of {N} kJ/\(kg\*K\) for {N} s\. "
        rf"The \w+ was at {N} K\. .*",
        lambda r, u, m, c, t, low: unit(low + F(u * u, r) * t / (m * c * 1000), "K"),
    ),
    (
        rf"In series at {N} V are a resistor of {N} ohm, a parallel pair of {N} ohm and {N} ohm "
        rf"and .* of {N} ohm and {N} ohm\. .*",
        lambda u, r, a, b, c, d: unit(u * u / (r + beside(a, b) + beside(c, d)), "W"),
    ),
    (rf"Of \w+ with a heat capacity of {N} kJ/\(kg\*K\), (.*) are mixed\. .* to {N} K\?", mixed),
)


def test_the_answers_follow_from_the_numbers_of_the_prompt() -> None:
    for problem in problems("electricity", 250):
        assert solve(RULES, problem.prompt) == problem.answer, problem.prompt


def test_known_working() -> None:
    assert parallel("R", 6, 3) == [
        "Rs = 6 ohm + 3 ohm = 9 ohm",
        "Rp = 6 ohm * 3 ohm = 18 ohm^2",
        "R = 18 ohm^2 / 9 ohm = 2 ohm",
    ]
    assert heat(2, 4, 290, 320) == [
        "T = 320 K - 290 K = 30 K",
        "k = 2 kg * 4 kJ/(kg*K) = 8 kJ/K",
        "Q = 8 kJ/K * 30 K = 240 kJ",
    ]


def test_parallel_pairs_have_whole_resistances() -> None:
    assert all(beside(a, b).denominator == 1 for a, b in PARALLEL_PAIRS)
    assert len(PARALLEL_PAIRS) > 50


def test_temperatures_are_those_of_liquids() -> None:
    for problem in problems("electricity", 100):
        for kelvin in re.findall(r"(\d+) K(?![*/)])", problem.prompt):
            assert 250 < int(kelvin) < 400
