"""Plane figures: rectangles, triangles, polygons and a trapezoid, as templates and working for `geometry`.

Every side is a whole number: right triangles are Pythagorean triples. A step names what it finds. Solids and composite
shapes are left to `geometry`.
"""

from __future__ import annotations

import random
from math import isqrt

from tuili.tasks.building.wording import conjoin
from tuili.tasks.building.working import exact_division, grid_multiplication, running_sums
from tuili.tasks.problem import Draft

LENGTH_UNITS = ("mm", "cm", "m", "km")
SMALL_SURFACES = ("card", "page", "photo", "plate")
LARGE_SURFACES = ("field", "floor", "garden", "park", "room", "wall", "yard")
TRIPLES = tuple(
    (a, b, isqrt(a * a + b * b))
    for a in range(3, 64)
    for b in range(3, 64)
    if isqrt(a * a + b * b) ** 2 == a * a + b * b
)
POLYGONS = {4: "quadrilateral", 5: "pentagon", 6: "hexagon", 7: "heptagon", 8: "octagon"}


def surface(rng: random.Random) -> tuple[str, str]:
    """A thing with a rectangular surface, and a unit of length that suits it."""
    if rng.random() < 0.4:
        return rng.choice(SMALL_SURFACES), rng.choice(("mm", "cm"))
    return rng.choice(LARGE_SURFACES), "m"


def area(name: str, a: int, b: int, unit: str) -> list[str]:
    """The working of a rectangle's area, which the last line gives a name."""
    return [*grid_multiplication(a, b), f"{name} = {a} {unit} * {b} {unit} = {a * b} {unit}^2"]


def square(name: str, a: int, unit: str) -> list[str]:
    """The working of a square's area, which the last line gives a name."""
    return area(name, a, a, unit)


def hypotenuse(a: int, b: int, c: int, unit: str) -> list[str]:
    """The working of the hypotenuse `c` of a right triangle from its legs."""
    return [
        *square("a2", a, unit),
        *square("b2", b, unit),
        f"c2 = {a * a} {unit}^2 + {b * b} {unit}^2 = {c * c} {unit}^2",
        f"c = sqrt({c * c} {unit}^2) = {c} {unit}",
    ]


def triple(rng: random.Random, largest: int) -> tuple[int, int, int]:
    """The sides of a right triangle in whole numbers; the hypotenuse comes last and is at most `largest`."""
    return rng.choice([sides for sides in TRIPLES if sides[2] <= largest])


def rectangle_area(rng: random.Random, low: int, high: int) -> Draft:
    """The area of a rectangle; one side lies between `low` and `high`."""
    a, b, (field, unit) = rng.randint(low, high), rng.randint(11, 99), surface(rng)
    prompt = rng.choice(
        (
            f"A {field} is {b} {unit} long and {a} {unit} wide. What is its area?",
            f"A rectangle has sides of {b} {unit} and {a} {unit}. What is its area?",
        )
    )
    return Draft(prompt, tuple(area("A", b, a, unit)), f"{a * b} {unit}^2")


def rectangle_perimeter(rng: random.Random) -> Draft:
    """The perimeter of a rectangle."""
    a, b, (field, unit) = rng.randint(5, 99), rng.randint(5, 99), surface(rng)
    prompt = rng.choice(
        (
            f"A {field} is {a} {unit} long and {b} {unit} wide. What is its perimeter?",
            f"A rectangle has sides of {a} {unit} and {b} {unit}. What is its perimeter?",
        )
    )
    steps = (
        f"s = {a} {unit} + {b} {unit} = {a + b} {unit}",
        f"L = 2 * {a + b} {unit} = {a + b} {unit} + {a + b} {unit} = {2 * (a + b)} {unit}",
    )
    return Draft(prompt, steps, f"{2 * (a + b)} {unit}")


def triangle_perimeter(rng: random.Random) -> Draft:
    """The perimeter of a triangle. Its longest side is shorter than the other two together."""
    unit, sides = rng.choice(LENGTH_UNITS), sorted(rng.randint(10, 60) for _ in range(3))
    while sides[0] + sides[1] <= sides[2]:
        sides = sorted(rng.randint(10, 60) for _ in range(3))
    listed = conjoin([f"{side} {unit}" for side in sides])
    prompt = rng.choice(
        (
            f"A triangle has sides of {listed}. What is its perimeter?",
            f"The sides of a triangle are {listed}. How long are they together?",
        )
    )
    return Draft(prompt, tuple(running_sums(sides, unit)), f"{sum(sides)} {unit}")


def angles(rng: random.Random, corners: int) -> Draft:
    """The last interior angle of a convex polygon of which the other angles are given."""
    sum_ = 180 * (corners - 2)
    mean = sum_ // corners
    while True:
        known = [rng.randint(mean - 35, min(mean + 35, 170)) for _ in range(corners - 1)]
        if 10 <= sum_ - sum(known) <= 170:
            break
    listed = conjoin([f"{angle} deg" for angle in known])
    if corners == 3:
        first, steps = f"Two angles of a triangle are {listed}.", []
    else:
        steps = [f"{corners} - 2 = {corners - 2}", f"{corners - 2} * 180 deg = {sum_} deg"]
        first = f"{corners - 1} of the {corners} angles of a convex {POLYGONS[corners]} are {listed}."
    last = sum_ - sum(known)
    steps += [*running_sums(known, "deg"), f"{sum_} deg - {sum(known)} deg = {last} deg"]
    return Draft(f"{first} What is the {'third' if corners == 3 else 'last'} angle?", tuple(steps), f"{last} deg")


def triangle_area(rng: random.Random) -> Draft:
    """The area of a triangle: half the height times the base."""
    unit, base, height = rng.choice(LENGTH_UNITS), rng.randint(4, 60), rng.randint(2, 20) * 2
    prompt = f"A triangle has a base of {base} {unit} and a height of {height} {unit}. What is its area?"
    steps = [
        *exact_division(height, 2),
        f"h = {height} {unit} / 2 = {height // 2} {unit}",
        *area("A", base, height // 2, unit),
    ]
    return Draft(prompt, tuple(steps), f"{base * height // 2} {unit}^2")


def missing_side(rng: random.Random) -> Draft:
    """A side of a rectangle from the other side and the area or the perimeter."""
    (field, unit), a, b = surface(rng), rng.randint(2, 9), rng.randint(11, 99)
    if rng.random() < 0.5:
        prompt = f"A {field} has an area of {a * b} {unit}^2 and is {a} {unit} wide. How long is it?"
        division = (*exact_division(a * b, a), f"b = {a * b} {unit}^2 / {a} {unit} = {b} {unit}")
        return Draft(prompt, division, f"{b} {unit}")
    a = rng.randint(5, 80)
    prompt = f"A {field} has a perimeter of {2 * (a + b)} {unit} and is {a} {unit} wide. How long is it?"
    steps = (
        *exact_division(2 * (a + b), 2),
        f"s = {2 * (a + b)} {unit} / 2 = {a + b} {unit}",
        f"b = {a + b} {unit} - {a} {unit} = {b} {unit}",
    )
    return Draft(prompt, steps, f"{b} {unit}")


def right_triangle(rng: random.Random) -> Draft:
    """The hypotenuse of a right triangle from its legs, or a leg from the other two sides."""
    unit, (a, b, c) = rng.choice(("cm", "m")), triple(rng, 65)
    if rng.random() < 0.5:
        prompt = rng.choice(
            (
                f"The legs of a right triangle are {a} {unit} and {b} {unit}. How long is the hypotenuse?",
                f"A rectangle has sides of {a} {unit} and {b} {unit}. How long is its diagonal?",
                f"A robot goes {a} {unit} east and {b} {unit} north. How far is it from its start?",
            )
        )
        return Draft(prompt, tuple(hypotenuse(a, b, c, unit)), f"{c} {unit}")
    prompt = rng.choice(
        (
            (f"A ladder of {c} {unit} leans on a wall, its foot {a} {unit} from the wall. How high does it reach?"),
            (f"The hypotenuse of a right triangle is {c} {unit}, one leg is {a} {unit}. How long is the other?"),
            f"A rectangle is {a} {unit} wide, its diagonal is {c} {unit}. How long is the rectangle?",
        )
    )
    steps = [*square("c2", c, unit), *square("a2", a, unit)]
    steps += [
        f"b2 = {c * c} {unit}^2 - {a * a} {unit}^2 = {b * b} {unit}^2",
        f"b = sqrt({b * b} {unit}^2) = {b} {unit}",
    ]
    return Draft(prompt, tuple(steps), f"{b} {unit}")


def trapezoid(rng: random.Random) -> Draft:
    """The area of a trapezoid: half the height times the sum of the parallel sides."""
    unit, a, b, half = rng.choice(LENGTH_UNITS), rng.randint(11, 60), rng.randint(5, 40), rng.randint(4, 20)
    prompt = (
        f"The parallel sides of a trapezoid are {a} {unit} and {b} {unit}, its height is {2 * half} {unit}. "
        "What is its area?"
    )
    steps = [
        f"s = {a} {unit} + {b} {unit} = {a + b} {unit}",
        *exact_division(2 * half, 2),
        f"h = {2 * half} {unit} / 2 = {half} {unit}",
        *area("A", a + b, half, unit),
    ]
    return Draft(prompt, tuple(steps), f"{(a + b) * half} {unit}^2")
