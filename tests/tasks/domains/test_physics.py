"""Mechanics, electricity and heat from the numbers of the prompt alone, where possible by another law."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction as F

from tests.tasks.twin import Rule, integers, problems, shown, solve
from tuili.steps import Status, check
from tuili.tasks.domains.physics.circuits import PARALLEL_PAIRS, parallel
from tuili.tasks.domains.physics.energy import kinetic_energy
from tuili.tasks.domains.physics.heat import heat
from tuili.tasks.domains.physics.motion import to_metres_per_second

N = r"(\d+)"


def unit(value: F | int, name: str) -> str:
    return f"{shown(F(value))} {name}"


def mean_speed(listed: str) -> str:
    parts = integers(listed)
    return unit(F(sum(t * v for t, v in zip(parts[::2], parts[1::2], strict=True)), sum(parts[::2])), "km/h")


def crash(m: int, u: int, n: int) -> str:
    """The energy lost is that of the reduced mass."""
    return unit(F(m * n, m + n) * u * u / 2, "J")


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


MECHANICS: tuple[Rule, ...] = (
    (rf"A \w+ goes {N} km in {N} h\. .*", lambda d, t: unit(F(d, t), "km/h")),
    (rf"A \w+ goes {N} m in {N} s\. .*", lambda d, t: unit(F(d, t), "m/s")),
    (rf"A \w+ goes at {N} km/h for {N} h\. .*", lambda v, t: unit(v * t, "km")),
    (rf"A \w+ goes at {N} m/s for {N} s\. .*", lambda v, t: unit(v * t, "m")),
    (rf"A \w+ goes at {N} km/h\. How long does it take for {N} km\?", lambda v, d: unit(F(d, v), "h")),
    (rf"A \w+ goes at {N} m/s\. How long does it take for {N} m\?", lambda v, d: unit(F(d, v), "s")),
    (rf"A \w+ of {N} kg speeds up at {N} m/s\^2\. .*", lambda m, a: unit(m * a, "N")),
    (rf"A force of {N} N acts on a \w+ of {N} kg\. .*", lambda f, m: unit(F(f, m), "m/s^2")),
    (rf"A force of {N} N gives a \w+ an acceleration of {N} m/s\^2\. .*", lambda f, a: unit(F(f, a), "kg")),
    (rf"A \w+ of {N} kg moves at {N} m/s\. What is its momentum\?", lambda m, v: unit(m * v, "kg*m/s")),
    (rf"A \w+ is pushed {N} m with a force of {N} N\. .*", lambda d, f: unit(d * f, "J")),
    (rf"A \w+ does {N} J of work in {N} s\. .*", lambda w, t: unit(F(w, t), "W")),
    (rf"A \w+ moves at {N} m/s with a momentum of {N} .* mass\?", lambda v, p: unit(F(p, v), "kg")),
    (rf"A \w+ of {N} kg has a momentum of {N} .* speed\?", lambda m, p: unit(F(p, m), "m/s")),
    (rf"Work of {N} J is done when a \w+ is pushed {N} m\. .*", lambda w, d: unit(F(w, d), "N")),
    (rf"A \w+ is pushed with a force of {N} N until the work is {N} J\. .*", lambda f, w: unit(F(w, f), "m")),
    (rf"A \w+ has a power of {N} W and runs for {N} s\. .*", lambda p, t: unit(p * t, "J")),
    (rf"A \w+ has a power of {N} W\. How long does it take for {N} J .*", lambda p, w: unit(F(w, p), "s")),
    (
        rf"A \w+ moves at {N} m/s and speeds up at {N} m/s\^2 for {N} s\. What is its .*",
        lambda u, a, t: unit(u + a * t, "m/s"),
    ),
    (rf"A \w+ speeds up from {N} m/s to {N} m/s in {N} s\. .*", lambda u, v, t: unit(F(v - u, t), "m/s^2")),
    (
        rf"A \w+ of {N} kg moves at {N} m/s\. What is its kinetic energy\?",
        lambda m, v: unit(F(m * v * v, 2), "J"),
    ),
    (
        rf"A \w+ drives at {N} km/h\. How many metres .* in {N} s\?",
        lambda v, t: shown(F(v * 1000 * t, 3600)),
    ),
    (rf"What work .* \w+ of {N} kg is lifted by {N} m\? .*", lambda m, h: unit(m * 10 * h, "J")),
    (r"A \w+ goes ((?:, then |\d+ h at \d+ km/h)+)\. What is its mean speed\?", mean_speed),
    (
        rf"A \w+ moves at {N} m/s and speeds up at {N} m/s\^2 for {N} s\. How far .*",
        lambda u, a, t: unit(F(u + (u + a * t), 2) * t, "m"),  # mean speed times time
    ),
    (
        rf"A \w+ of {N} kg moves at {N} m/s and hits a \w+ of {N} kg that moves ahead of it at {N} m/s\. .*",
        lambda m, u, n, w: unit(w + F(m, m + n) * (u - w), "m/s"),  # in the frame of the second body
    ),
    (
        rf"A \w+ of {N} kg moves at {N} m/s and hits a \w+ of {N} kg that stands still\. .* How fast\?",
        lambda m, u, n: unit(F(m, m + n) * u, "m/s"),
    ),
    (rf"A \w+ of {N} kg moves .* {N} m/s and hits a \w+ of {N} kg that stands still\. .* is lost\?", crash),
    (
        rf"A \w+ of {N} kg is at rest\. .* with {N} N against a friction of {N} N\. .* after {N} s\?",
        lambda m, f, r, t: unit(F((f - r) * t, m), "m/s"),
    ),
    (rf"A \w+ lifts a \w+ of {N} kg by {N} m in {N} s\. .*", lambda m, h, t: unit(10 * m * F(h, t), "W")),
    (
        rf"A \w+ at {N} km/h and a \w+ at {N} km/h start {N} km apart .*",
        lambda u, v, d: unit(F(u, u + v) * d, "km"),  # the ways are as the speeds
    ),
    (
        rf"A \w+ of {N} kg drives at {N} km/h and brakes to rest within {N} m\. .*",
        lambda m, v, d: unit(m * (F(v * 1000, 3600) ** 2 / (2 * d)), "N"),
    ),
    (rf"A \w+ of {N} kg falls for {N} s from rest\. .*", lambda m, t: unit(F(m, 2) * (10 * t) ** 2, "J")),
    (
        rf"A \w+ of {N} kg speeds up steadily from rest to {N} m/s in {N} s against a friction of {N} N\. .*",
        lambda m, v, t, r: unit((m * F(v, t) + r) * F(v, 2), "W"),
    ),
    (
        rf"A \w+ speeds up from rest at {N} m/s\^2 to {N} m/s, keeps .* for {N} s .* at {N} m/s\^2 .*",
        lambda a, v, t, b: unit(F(v * v, 2 * a) + v * t + F(v * v, 2 * b), "m"),
    ),
)

ELECTRICITY: tuple[Rule, ...] = (
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
        rf"{N} kg of \w+ with a heat capacity of {N} kJ/\(kg\*K\) is heated from {N} K to {N} K\. .*",
        lambda m, c, low, high: unit(m * c * (high - low), "kJ"),
    ),
    (rf"A \w+ of {N} ohm and a \w+ of {N} ohm are in parallel\. .*", lambda a, b: unit(beside(a, b), "ohm")),
    (
        rf"A \w+ of {N} ohm and a \w+ of {N} ohm are in parallel at {N} V\. .*",
        lambda a, b, u: unit(F(u, a) + F(u, b), "A"),
    ),
    (
        rf"{N} kg of \w+ at {N} K is mixed with {N} kg of \w+ at {N} K\. .*",
        lambda m, s, n, t: unit(s + F(n, m + n) * (t - s), "K"),
    ),
    (rf"Every day, (.*) are in use\. The price is {N} cents/kWh\. What is the cost of {N} days in dollars\?", bill),
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


def is_mechanics(prompt: str) -> bool:
    return any(re.fullmatch(pattern, prompt, re.DOTALL) for pattern, _ in MECHANICS)


def test_the_answers_follow_from_the_numbers_of_the_prompt() -> None:
    for problem in problems("physics", 500):
        assert solve((*MECHANICS, *ELECTRICITY), problem.prompt) == problem.answer, problem.prompt


def test_both_halves_come_equally_often() -> None:
    for level in (1, 3):
        asked = Counter(is_mechanics(problem.prompt) for problem in problems("physics", 400, levels=(level,)))
        assert 0.42 < asked[True] / asked.total() < 0.58


def test_every_answer_of_mechanics_is_the_last_quantity_of_the_working() -> None:
    for problem in problems("physics", 200):
        if is_mechanics(problem.prompt):
            assert problem.steps[-1].rpartition(" = ")[2] in (problem.answer, f"{problem.answer} m")


def test_known_working_of_motion() -> None:
    assert to_metres_per_second("v", 72) == ["72 / 9 = 8", "8 / 2 = 4", "v = 72 km/h = 4 * 5 m/s = 20 m/s"]
    assert kinetic_energy("E", 40, 3) == [
        "w = 3 m/s * 3 m/s = 9 m^2/s^2",
        "4 = 2 * 2 + 0",
        "40 kg / 2 = 20 kg",
        "E = 20 kg * 9 m^2/s^2 = 180 J",
    ]


def test_known_working_of_circuits_and_heat() -> None:
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


def test_the_article_fits_the_word_after_it() -> None:
    for problem in problems("physics", 200):
        assert not re.search(r"(?<!\d )\b[Aa] [aeiou]", problem.prompt)


def test_a_wrong_unit_is_caught() -> None:
    for problem in problems("physics", 60, levels=(1,)):
        head, _, answer = problem.steps[-1].rpartition(" = ")
        number = answer.split()[0]
        assert check(f"{head} = {number} mol").status is Status.INVALID


def test_parallel_pairs_have_whole_resistances() -> None:
    assert all(beside(a, b).denominator == 1 for a, b in PARALLEL_PAIRS)
    assert len(PARALLEL_PAIRS) > 50


def test_temperatures_are_those_of_liquids() -> None:
    for problem in problems("physics", 200):
        for kelvin in re.findall(r"(\d+) K(?![*/)])", problem.prompt):
            assert 250 < int(kelvin) < 400
