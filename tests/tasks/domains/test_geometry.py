"""Geometry from the numbers of the prompt alone, by other formulas than the domain's where there are any."""

from __future__ import annotations

import re
from math import hypot, sqrt
from statistics import mean

import pytest
import reasoning_gym

from tests.tasks.twin import Rule, integers, problems, shown, solve
from tuili.tasks.building.figures import TRIPLES, area, hypotenuse

N, U = r"(\d+) (mm|cm|m|km)", r"(?:mm|cm|m|km)"


def length(value: float, unit: str) -> str:
    return f"{shown(float(value))} {unit}"


def heron(a: float, b: float, c: float) -> float:
    s = (a + b + c) / 2
    return round(sqrt(s * (s - a) * (s - b) * (s - c)), 6)


def turned(corners: list[tuple[int, int]]) -> float:
    """The area of a polygon by trapezoids under its sides."""
    sides = zip(corners, corners[1:] + corners[:1], strict=True)
    return abs(sum((x2 - x1) * (y1 + y2) / 2 for (x1, y1), (x2, y2) in sides))


def missing_angle(corners: int, known: str) -> str:
    """Exterior angles make one full turn."""
    angles = integers(known)
    assert len(angles) == corners - 1
    return f"{180 - (360 - sum(180 - angle for angle in angles))} deg"


RULES: tuple[Rule, ...] = (
    (rf"A \w+ is {N} long and (\d+) {U} wide\. What is its area\?", lambda a, u, b: f"{a * b} {u}^2"),
    (rf"A rectangle has sides of {N} and (\d+) {U}\. What is its area\?", lambda a, u, b: f"{a * b} {u}^2"),
    (
        rf"A \w+ is {N} long and (\d+) {U} wide\. What is its perimeter\?",
        lambda a, u, b: f"{a + b + a + b} {u}",
    ),
    (
        rf"A rectangle has sides of {N} and (\d+) {U}\. What is its perimeter\?",
        lambda a, u, b: f"{a + b + a + b} {u}",
    ),
    (rf"A triangle has sides of {N}, (\d+) {U} and (\d+) {U}\. .*", lambda a, u, b, c: f"{a + b + c} {u}"),
    (
        rf"The sides of a triangle are {N}, (\d+) {U} and (\d+) {U}\. .*",
        lambda a, u, b, c: f"{a + b + c} {u}",
    ),
    (r"Two angles of a triangle are (.*)\. What is the third angle\?", lambda known: missing_angle(3, known)),
    (r"\d+ of the (\d+) angles of a convex \w+ are (.*)\. What is the last angle\?", missing_angle),
    (
        rf"A triangle has a base of {N} and a height of (\d+) {U}\. .*",
        lambda a, u, h: f"{shown(a * h / 2)} {u}^2",
    ),
    (r"A \w+ has an area of (\d+) \w+\^2 and is (\d+) (\w+) wide\. .*", lambda s, a, u: length(s / a, u)),
    (rf"A \w+ has a perimeter of {N} and is (\d+) {U} wide\. .*", lambda p, u, a: length(p / 2 - a, u)),
    (
        rf"A box is {N} long, (\d+) {U} wide and (\d+) {U} high\. What is its volume\?",
        lambda a, u, b, c: f"{a * b * c} {u}^3",
    ),
    (
        rf"A box is {N} long, (\d+) {U} wide and (\d+) {U} high\. .* surface\?",
        lambda a, u, b, c: f"{2 * (a * b + b * c + c * a)} {u}^2",
    ),
    (
        rf"The legs of a right triangle are {N} and (\d+) {U}\. How long is the hypotenuse\?",
        lambda a, u, b: length(hypot(a, b), u),
    ),
    (
        rf"A rectangle has sides of {N} and (\d+) {U}\. How long is its diagonal\?",
        lambda a, u, b: length(hypot(a, b), u),
    ),
    (rf"A robot goes {N} east and (\d+) {U} north\. .*", lambda a, u, b: length(hypot(a, b), u)),
    (
        rf"A ladder of {N} leans on a wall, its foot (\d+) {U} .*",
        lambda c, u, a: length(sqrt(c * c - a * a), u),
    ),
    (
        rf"The hypotenuse of a right triangle is {N}, one leg is (\d+) {U}\. .*",
        lambda c, u, a: length(sqrt(c * c - a * a), u),
    ),
    (
        rf"A rectangle is {N} wide, its diagonal is (\d+) {U}\. .*",
        lambda a, u, c: length(sqrt(c * c - a * a), u),
    ),
    (
        rf"The parallel sides of a trapezoid are {N} and (\d+) {U}, its height is (\d+) {U}\. .*",
        lambda a, u, b, h: f"{shown(a * h / 2 + b * h / 2)} {u}^2",
    ),
    (
        rf"From a \w+ of {N} by (\d+) {U}, a rectangle of (\d+) {U} by (\d+) {U} .*",
        lambda a, u, b, c, d: f"{a * (b - d) + (a - c) * d} {u}^2",
    ),
    (
        r"A pool of (\d+) m by (\d+) m lies inside a path that is (\d+) m wide .*",
        lambda a, b, w: f"{2 * w * (a + b) + 4 * w * w} m^2",
    ),
    (
        r"The end wall .* (\d+) m wide and (\d+) m high .* is (\d+) m high\. Paint costs (\d+) .*",
        lambda a, b, h, price: f"{shown(a * (b + h / 2) * price)} dollars",
    ),
    (
        rf"The legs of a right triangle are {N} and (\d+) {U}\. What is its perimeter\?",
        lambda a, u, b: length(a + b + hypot(a, b), u),
    ),
    (
        rf"Two sides of a triangle are {N} each, the third is (\d+) {U}\. .*",
        lambda a, u, c: f"{shown(heron(a, a, c))} {u}^2",
    ),
    (
        r"A \w+ of (\d+) m by (\d+) m is laid with square tiles of (\d+) cm .*",
        lambda a, b, size: a * b * 10_000 // (size * size),
    ),
    (
        rf"A prism of length {N} stands on a right triangle with legs of (\d+) {U} and (\d+) {U}\. .*",
        lambda h, u, a, b: f"{shown(heron(a, b, hypot(a, b)) * h)} {u}^3",
    ),
    (
        rf"The diagonals of a rhombus are {N} and (\d+) {U}\. .*",
        lambda a, u, b: length(4 * hypot(a / 2, b / 2), u),
    ),
    (
        rf"A robot goes {N} north, (\d+) {U} east, (\d+) {U} south and then straight back .*",
        lambda a, u, b, c: length(a + b + c + hypot(a - c, b), u),
    ),
    (
        r"A polygon .* \((\d+), (\d+)\), \((\d+), (\d+)\), \((\d+), (\d+)\) and \((\d+), (\d+)\) .*",
        lambda *c: shown(turned(list(zip(c[::2], c[1::2], strict=True)))),
    ),
    (
        r"A tank .* one (\d+) m by (\d+) m by (\d+) m, the other (\d+) m by (\d+) m by (\d+) m\. "
        r".* at (\d+) m\^3/min\. .*",
        lambda a, b, c, d, e, f, rate: f"{shown((a * b * c + d * e * f) / rate)} min",
    ),
)


def test_the_answers_follow_from_the_numbers_of_the_prompt() -> None:
    for problem in problems("geometry", 250):
        assert solve(RULES, problem.prompt) == problem.answer, problem.prompt


def test_known_working() -> None:
    assert area("A", 5, 4, "cm") == ["A = 5 cm * 4 cm = 20 cm^2"]
    assert area("A", 23, 4, "cm") == ["20 * 4 = 80", "3 * 4 = 12", "80 + 12 = 92", "A = 23 cm * 4 cm = 92 cm^2"]
    assert hypotenuse(3, 4, 5, "m") == [
        "a2 = 3 m * 3 m = 9 m^2",
        "b2 = 4 m * 4 m = 16 m^2",
        "c2 = 9 m^2 + 16 m^2 = 25 m^2",
        "c = sqrt(25 m^2) = 5 m",
    ]


@pytest.mark.parametrize("triple", [(3, 4, 5), (12, 5, 13), (20, 21, 29), (33, 56, 65)])
def test_known_triples_are_there(triple: tuple[int, int, int]) -> None:
    assert triple in TRIPLES
    assert all(a * a + b * b == c * c for a, b, c in TRIPLES)


def test_no_triangle_is_impossible() -> None:
    for problem in problems("geometry", 300, levels=(1,)):
        if "triangle" in problem.prompt and "sides" in problem.prompt:
            *shorter, longest = sorted(integers(problem.prompt))
            assert sum(shorter) > longest, problem.prompt


def test_no_angle_is_impossible() -> None:
    for problem in problems("geometry", 200):
        if problem.answer.endswith(" deg"):
            assert 0 < integers(problem.answer)[0] < 180


def test_level_3_is_as_hard_as_reasoning_gym() -> None:
    """Proxy: the angles of a polygon whose last one is asked for, against `simple_geometry`."""
    polygons = [p.prompt for p in problems("geometry", 300, levels=(3,)) if "convex" in p.prompt]
    ours = [int(number) for prompt in polygons for number in re.findall(r"of the (\d+) angles", prompt)]
    theirs = [item["metadata"]["n_sides"] for item in reasoning_gym.create_dataset("simple_geometry", size=300, seed=1)]
    assert len(ours) >= 30
    assert mean(ours) >= mean(theirs)
