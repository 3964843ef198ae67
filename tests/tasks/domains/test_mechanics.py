"""Mechanics from the numbers of the prompt alone, where possible by another law."""

from __future__ import annotations

import re
from fractions import Fraction as F

from tests.tasks.twin import Rule, integers, problems, shown, solve
from tuili.steps import Status, check
from tuili.tasks.domains.mechanics import kinetic_energy, to_metres_per_second

N = r"(\d+)"


def unit(value: F | int, name: str) -> str:
    return f"{shown(F(value))} {name}"


def mean_speed(listed: str) -> str:
    parts = integers(listed)
    return unit(F(sum(t * v for t, v in zip(parts[::2], parts[1::2], strict=True)), sum(parts[::2])), "km/h")


def crash(m: int, u: int, n: int) -> str:
    """The energy lost is that of the reduced mass."""
    return unit(F(m * n, m + n) * u * u / 2, "J")


RULES: tuple[Rule, ...] = (
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


def test_the_answers_follow_from_the_numbers_of_the_prompt() -> None:
    for problem in problems("mechanics", 250):
        assert solve(RULES, problem.prompt) == problem.answer, problem.prompt


def test_every_answer_is_the_last_quantity_of_the_working() -> None:
    for problem in problems("mechanics", 100):
        assert problem.steps[-1].rpartition(" = ")[2] in (problem.answer, f"{problem.answer} m")


def test_known_working() -> None:
    assert to_metres_per_second("v", 72) == ["72 / 9 = 8", "8 / 2 = 4", "v = 72 km/h = 4 * 5 m/s = 20 m/s"]
    assert kinetic_energy("E", 40, 3) == [
        "w = 3 m/s * 3 m/s = 9 m^2/s^2",
        "40 kg / 2 = 20 kg",
        "E = 20 kg * 9 m^2/s^2 = 180 J",
    ]


def test_the_article_fits_the_word_after_it() -> None:
    for problem in problems("mechanics", 100):
        assert not re.search(r"\b[Aa] [aeiou]", problem.prompt)


def test_a_wrong_unit_is_caught() -> None:
    for problem in problems("mechanics", 30, levels=(1,)):
        head, _, answer = problem.steps[-1].rpartition(" = ")
        number = answer.split()[0]
        assert check(f"{head} = {number} mol").status is Status.INVALID
