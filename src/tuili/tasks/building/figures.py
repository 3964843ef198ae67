"""Plane figures: rectangles, triangles, polygons and a trapezoid, as templates and working for `geometry`.

Every side is a whole number: right triangles are Pythagorean triples. A step names the quantity that it finds. Solids
and composite shapes are in `geometry`.
"""

from __future__ import annotations

import random
from math import isqrt

from tuili.tasks.building.situations import Quantity, numbered, situation, told
from tuili.tasks.building.working import exact_division, grid_multiplication, running_sums
from tuili.tasks.content import Content

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
    """A thing with a rectangular surface, and a suitable unit of length."""
    if rng.random() < 0.4:
        return rng.choice(SMALL_SURFACES), rng.choice(("mm", "cm"))
    return rng.choice(LARGE_SURFACES), "m"


def sides(length: int, width: int, unit: str) -> tuple[Quantity, Quantity]:
    """The two sides of a rectangle as given quantities."""
    return Quantity("length", "a", f"{length} {unit}"), Quantity("width", "b", f"{width} {unit}")


def area(name: str, a: int, b: int, unit: str) -> list[str]:
    """The working of a rectangle's area; the last line names it."""
    return [*grid_multiplication(a, b), f"{name} = {a} {unit} * {b} {unit} = {a * b} {unit}^2"]


def square(name: str, a: int, unit: str) -> list[str]:
    """The working of a square's area; the last line names it."""
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
    """The sides of a right triangle as whole numbers; the hypotenuse comes last and is at most `largest`."""
    return rng.choice([sides for sides in TRIPLES if sides[2] <= largest])


def rectangle_area(rng: random.Random, low: int, high: int) -> Content:
    """The area of a rectangle; one side lies between `low` and `high`."""
    a, b, (field, unit) = rng.randint(low, high), rng.randint(11, 99), surface(rng)
    scene, thing = rng.choice((("surface", field), ("rectangle", "rectangle")))
    steps, wanted = area("A", b, a, unit), Quantity("area", "A")
    return situation("figure", scene, sides(b, a, unit), wanted, steps, f"{a * b} {unit}^2", words={"thing": thing})


def rectangle_perimeter(rng: random.Random) -> Content:
    """The perimeter of a rectangle."""
    a, b, (field, unit) = rng.randint(5, 99), rng.randint(5, 99), surface(rng)
    scene, thing = rng.choice((("surface", field), ("rectangle", "rectangle")))
    steps = (
        f"s = {a} {unit} + {b} {unit} = {a + b} {unit}",
        f"L = 2 * {a + b} {unit} = {a + b} {unit} + {a + b} {unit} = {2 * (a + b)} {unit}",
    )
    wanted, answer = Quantity("perimeter", "L"), f"{2 * (a + b)} {unit}"
    return situation("figure", scene, sides(a, b, unit), wanted, steps, answer, words={"thing": thing})


def triangle_perimeter(rng: random.Random) -> Content:
    """The perimeter of a triangle, whose longest side is shorter than the sum of the other two."""
    unit, lengths = rng.choice(LENGTH_UNITS), sorted(rng.randint(10, 60) for _ in range(3))
    while lengths[0] + lengths[1] <= lengths[2]:
        lengths = sorted(rng.randint(10, 60) for _ in range(3))
    given = numbered("side", "s", [f"{length} {unit}" for length in lengths])
    steps, wanted, answer = running_sums(lengths, unit), Quantity("perimeter", "L"), f"{sum(lengths)} {unit}"
    words = {"thing": "triangle"}
    return situation("figure", "triangle", given, wanted, steps, answer, words=words, parts=told(given))


def angles(rng: random.Random, corners: int) -> Content:
    """The last interior angle of a convex polygon, given the other angles."""
    sum_ = 180 * (corners - 2)
    mean = sum_ // corners
    while True:
        known = [rng.randint(mean - 35, min(mean + 35, 170)) for _ in range(corners - 1)]
        if 10 <= sum_ - sum(known) <= 170:
            break
    given = numbered("angle", "a", [f"{angle} deg" for angle in known])
    last, steps = sum_ - sum(known), list[str]()
    scene, words, counts = "triangle", {"thing": "triangle"}, dict[str, str]()
    if corners > 3:
        steps = [f"{corners} - 2 = {corners - 2}", f"{corners - 2} * 180 deg = {sum_} deg"]
        scene, words, counts = "polygon", {"thing": POLYGONS[corners]}, {"known": str(corners - 1), "all": str(corners)}
    steps += [*running_sums(known, "deg"), f"{sum_} deg - {sum(known)} deg = {last} deg"]
    wanted = Quantity("third_angle" if corners == 3 else "last_angle", "x")
    parts = told(given)
    return situation("figure", scene, given, wanted, steps, f"{last} deg", words=words, told=counts, parts=parts)


def triangle_area(rng: random.Random) -> Content:
    """The area of a triangle: half the height times the base."""
    unit, base, height = rng.choice(LENGTH_UNITS), rng.randint(4, 60), rng.randint(2, 20) * 2
    steps = [
        *exact_division(height, 2),
        f"h = {height} {unit} / 2 = {height // 2} {unit}",
        *area("A", base, height // 2, unit),
    ]
    given = (Quantity("base", "b", f"{base} {unit}"), Quantity("height", "H", f"{height} {unit}"))
    wanted, answer = Quantity("area", "A"), f"{base * height // 2} {unit}^2"
    return situation("figure", "triangle", given, wanted, steps, answer, words={"thing": "triangle"})


def missing_side(rng: random.Random) -> Content:
    """A side of a rectangle, from the other side and the area or the perimeter."""
    (field, unit), a, b = surface(rng), rng.randint(2, 9), rng.randint(11, 99)
    words, wanted = {"thing": field}, Quantity("length", "b")
    if rng.random() < 0.5:
        given = (Quantity("area", "A", f"{a * b} {unit}^2"), Quantity("width", "a", f"{a} {unit}"))
        division = (*exact_division(a * b, a), f"b = {a * b} {unit}^2 / {a} {unit} = {b} {unit}")
        return situation("figure", "surface", given, wanted, division, f"{b} {unit}", words=words)
    a = rng.randint(5, 80)
    given = (Quantity("perimeter", "L", f"{2 * (a + b)} {unit}"), Quantity("width", "a", f"{a} {unit}"))
    steps = (
        *exact_division(2 * (a + b), 2),
        f"s = {2 * (a + b)} {unit} / 2 = {a + b} {unit}",
        f"b = {a + b} {unit} - {a} {unit} = {b} {unit}",
    )
    return situation("figure", "outline", given, wanted, steps, f"{b} {unit}", words=words)


_FROM_LEGS = (
    ("right_triangle", "triangle", "leg", "other_leg", "hypotenuse"),
    ("rectangle", "rectangle", "length", "width", "diagonal"),
    ("path", "robot", "east", "north", "start_distance"),
)
_FROM_LONGEST = (
    ("ladder", "ladder", "ladder_length", "foot_distance", "reach"),
    ("right_triangle", "triangle", "hypotenuse", "leg", "other_leg"),
    ("rectangle", "rectangle", "diagonal", "width", "length"),
)
"""A scene, its thing, the kinds of the two given sides, and the kind of the third side."""


def right_triangle(rng: random.Random) -> Content:
    """The hypotenuse of a right triangle from its legs, or a leg from the other two sides."""
    unit, (a, b, c) = rng.choice(("cm", "m")), triple(rng, 65)
    kinds = rng.choice(_FROM_LEGS if rng.random() < 0.5 else _FROM_LONGEST)
    scene, thing, first, second, asked = kinds
    if kinds in _FROM_LEGS:
        given = (Quantity(first, "a", f"{a} {unit}"), Quantity(second, "b", f"{b} {unit}"))
        steps, answer = hypotenuse(a, b, c, unit), f"{c} {unit}"
    else:
        given = (Quantity(first, "c", f"{c} {unit}"), Quantity(second, "a", f"{a} {unit}"))
        steps = [*square("c2", c, unit), *square("a2", a, unit)]
        steps += [
            f"b2 = {c * c} {unit}^2 - {a * a} {unit}^2 = {b * b} {unit}^2",
            f"b = sqrt({b * b} {unit}^2) = {b} {unit}",
        ]
        answer = f"{b} {unit}"
    return situation("figure", scene, given, Quantity(asked, "x"), steps, answer, words={"thing": thing})


def trapezoid(rng: random.Random) -> Content:
    """The area of a trapezoid: half the height times the sum of the parallel sides."""
    unit, a, b, half = rng.choice(LENGTH_UNITS), rng.randint(11, 60), rng.randint(5, 40), rng.randint(4, 20)
    given = [*numbered("parallel_side", "s", [f"{a} {unit}", f"{b} {unit}"])]
    given.append(Quantity("height", "H", f"{2 * half} {unit}"))
    steps = [
        f"s = {a} {unit} + {b} {unit} = {a + b} {unit}",
        *exact_division(2 * half, 2),
        f"h = {2 * half} {unit} / 2 = {half} {unit}",
        *area("A", a + b, half, unit),
    ]
    wanted, answer, parts = Quantity("area", "A"), f"{(a + b) * half} {unit}^2", told(given[:2])
    return situation("figure", "trapezoid", given, wanted, steps, answer, words={"thing": "trapezoid"}, parts=parts)
