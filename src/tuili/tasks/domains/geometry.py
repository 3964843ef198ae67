"""Geometry: solids and composite shapes, and the plane figures of `figures`.

Right triangles are Pythagorean triples, so that every root is a whole number and no answer is rounded. A step names
what it finds.
"""

from __future__ import annotations

import random

from tuili.tasks.building.figures import (
    LARGE_SURFACES,
    LENGTH_UNITS,
    angles,
    area,
    hypotenuse,
    missing_side,
    rectangle_area,
    rectangle_perimeter,
    right_triangle,
    square,
    surface,
    trapezoid,
    triangle_area,
    triangle_perimeter,
    triple,
)
from tuili.tasks.building.levels import Template
from tuili.tasks.building.working import exact_division, grid_multiplication, running_sums
from tuili.tasks.problem import Draft
from tuili.tasks.registry import domain


def _box_volume(rng: random.Random) -> Draft:
    unit, a, b, c = rng.choice(LENGTH_UNITS), rng.randint(4, 40), rng.randint(2, 9), rng.randint(2, 9)
    prompt = f"A box is {a} {unit} long, {b} {unit} wide and {c} {unit} high. What is its volume?"
    steps = [
        *area("A", a, b, unit),
        *grid_multiplication(a * b, c),
        f"V = {a * b} {unit}^2 * {c} {unit} = {a * b * c} {unit}^3",
    ]
    return Draft(prompt, tuple(steps), f"{a * b * c} {unit}^3")


def _box_surface(rng: random.Random) -> Draft:
    unit, a, b, c = rng.choice(LENGTH_UNITS), rng.randint(11, 30), rng.randint(3, 12), rng.randint(2, 9)
    faces = [a * b, a * c, b * c]
    steps = [
        *area("x", a, b, unit),
        *area("y", a, c, unit),
        *area("z", b, c, unit),
        *running_sums(faces, f"{unit}^2"),
    ]
    half = f"{sum(faces)} {unit}^2"
    steps.append(f"S = 2 * {half} = {half} + {half} = {2 * sum(faces)} {unit}^2")
    prompt = f"A box is {a} {unit} long, {b} {unit} wide and {c} {unit} high. What is the area of its surface?"
    return Draft(prompt, tuple(steps), f"{2 * sum(faces)} {unit}^2")


def _l_shape(rng: random.Random) -> Draft:
    """The area of a rectangle after a smaller one is cut off at its corner."""
    (field, unit), a, b = surface(rng), rng.randint(12, 60), rng.randint(11, 40)
    c, d = rng.randint(2, a - 2), rng.randint(2, min(b - 2, 20))
    steps = [*area("x", a, b, unit), *area("y", c, d, unit)]
    steps.append(f"A = {a * b} {unit}^2 - {c * d} {unit}^2 = {a * b - c * d} {unit}^2")
    prompt = (
        f"From a {field} of {a} {unit} by {b} {unit}, a rectangle of {c} {unit} by {d} {unit} is cut off at a "
        "corner. What area is left?"
    )
    return Draft(prompt, tuple(steps), f"{a * b - c * d} {unit}^2")


def _frame(rng: random.Random) -> Draft:
    """The area of a path of equal width around a rectangle."""
    a, b, width = rng.randint(11, 50), rng.randint(6, 40), rng.randint(1, 6)
    outer_a, outer_b = a + 2 * width, b + 2 * width
    ring = outer_a * outer_b - a * b
    steps = [
        f"w = 2 * {width} m = {2 * width} m",
        f"a = {a} m + {2 * width} m = {outer_a} m",
        f"b = {b} m + {2 * width} m = {outer_b} m",
        *area("x", outer_a, outer_b, "m"),
        *area("y", a, b, "m"),
        f"A = {outer_a * outer_b} m^2 - {a * b} m^2 = {ring} m^2",
    ]
    prompt = (
        f"A pool of {a} m by {b} m lies inside a path that is {width} m wide on every side. What is the area "
        "of the path?"
    )
    return Draft(prompt, tuple(steps), f"{ring} m^2")


def _house(rng: random.Random) -> Draft:
    """The cost of paint for the end wall of a house: a rectangle with a triangle on top."""
    a, b, half, price = rng.randint(4, 20), rng.randint(3, 12), rng.randint(2, 6), rng.randint(2, 9)
    wall = a * b + a * half
    steps = [
        *area("x", a, b, "m"),
        *exact_division(2 * half, 2),
        f"h = {2 * half} m / 2 = {half} m",
        *area("y", a, half, "m"),
        f"A = {a * b} m^2 + {a * half} m^2 = {wall} m^2",
        *grid_multiplication(wall, price),
        f"{wall} m^2 * {price} dollars/m^2 = {wall * price} dollars",
    ]
    prompt = (
        f"The end wall of a house is a rectangle {a} m wide and {b} m high with a triangle on top that is "
        f"{2 * half} m high. Paint costs {price} dollars/m^2. What does the paint for the wall cost?"
    )
    return Draft(prompt, tuple(steps), f"{wall * price} dollars")


def _right_triangle_perimeter(rng: random.Random) -> Draft:
    """The perimeter of a right triangle from its legs."""
    unit, (a, b, c) = rng.choice(LENGTH_UNITS), triple(rng, 75)
    prompt = f"The legs of a right triangle are {a} {unit} and {b} {unit}. What is its perimeter?"
    return Draft(prompt, (*hypotenuse(a, b, c, unit), *running_sums([a, b, c], unit)), f"{a + b + c} {unit}")


def _isosceles(rng: random.Random) -> Draft:
    """The area of an isosceles triangle; half the base and one of the equal sides give the height."""
    unit, (half, height, side) = rng.choice(LENGTH_UNITS), triple(rng, 60)
    steps = [
        *exact_division(2 * half, 2),
        f"a = {2 * half} {unit} / 2 = {half} {unit}",
        *square("c2", side, unit),
        *square("a2", half, unit),
        f"h2 = {side * side} {unit}^2 - {half * half} {unit}^2 = {height * height} {unit}^2",
        f"h = sqrt({height * height} {unit}^2) = {height} {unit}",
        *area("A", half, height, unit),
    ]
    prompt = f"Two sides of a triangle are {side} {unit} each, the third is {2 * half} {unit}. What is its area?"
    return Draft(prompt, tuple(steps), f"{half * height} {unit}^2")


def _tiles(rng: random.Random) -> Draft:
    """The number of square tiles on a floor, with lengths in metres and centimetres."""
    size = rng.choice((10, 20, 25, 50))
    a, b = rng.randint(12, 30), rng.randint(5, 20)
    along, across = a * 100 // size, b * 100 // size
    steps = [
        f"{a} m = {a * 100} cm",
        f"{a * 100} cm / {size} cm = {along}",
        f"{b} m = {b * 100} cm",
        f"{b * 100} cm / {size} cm = {across}",
        *grid_multiplication(along, across),
        f"{along} * {across} = {along * across}",
    ]
    prompt = (
        f"A {rng.choice(LARGE_SURFACES)} of {a} m by {b} m is laid with square tiles of {size} cm by {size} cm. How "
        "many tiles are needed?"
    )
    return Draft(prompt, tuple(steps), str(along * across))


def _prism(rng: random.Random) -> Draft:
    """The volume of a prism on a right triangle."""
    unit, (a, b, _) = rng.choice(LENGTH_UNITS), triple(rng, 60)
    length, even, odd = rng.randint(3, 30), *((a, b) if a % 2 == 0 else (b, a))
    base = even // 2 * odd
    steps = [
        *exact_division(even, 2),
        f"h = {even} {unit} / 2 = {even // 2} {unit}",
        *area("A", odd, even // 2, unit),
        *grid_multiplication(base, length),
    ]
    steps.append(f"V = {base} {unit}^2 * {length} {unit} = {base * length} {unit}^3")
    prompt = (
        f"A prism of length {length} {unit} stands on a right triangle with legs of {odd} {unit} and {even} "
        f"{unit}. What is its volume?"
    )
    return Draft(prompt, tuple(steps), f"{base * length} {unit}^3")


def _rhombus(rng: random.Random) -> Draft:
    """The perimeter of a rhombus from its diagonals, which bisect each other at right angles."""
    unit, (a, b, c) = rng.choice(LENGTH_UNITS), triple(rng, 75)
    steps = [
        *exact_division(2 * a, 2),
        f"a = {2 * a} {unit} / 2 = {a} {unit}",
        *exact_division(2 * b, 2),
        f"b = {2 * b} {unit} / 2 = {b} {unit}",
        *hypotenuse(a, b, c, unit),
    ]
    steps += [*grid_multiplication(4, c), f"L = 4 * {c} {unit} = {4 * c} {unit}"]
    prompt = f"The diagonals of a rhombus are {2 * a} {unit} and {2 * b} {unit}. What is its perimeter?"
    return Draft(prompt, tuple(steps), f"{4 * c} {unit}")


def _walk(rng: random.Random) -> Draft:
    """The length of a walk: three legs along the axes, then straight back to the start."""
    unit, (a, b, c) = rng.choice(LENGTH_UNITS[2:]), triple(rng, 75)
    back = rng.randint(2, 30)
    steps = [f"a = {a + back} {unit} - {back} {unit} = {a} {unit}", *hypotenuse(a, b, c, unit)]
    walked = [a + back, b, back, c]
    steps += running_sums(walked, unit)
    prompt = (
        f"A robot goes {a + back} {unit} north, {b} {unit} east, {back} {unit} south and then straight back "
        "to its start. How long is its whole way?"
    )
    return Draft(prompt, tuple(steps), f"{sum(walked)} {unit}")


def _shoelace(rng: random.Random) -> Draft:
    """The area of a quadrilateral with one corner at the origin, by the shoelace formula."""
    while True:
        (a, b), (c, d), (e, f) = [(rng.randint(0, 20), rng.randint(0, 20)) for _ in range(3)]
        first, second = a * d - c * b, c * f - e * d
        if first > 0 and second > 0 and (first + second) % 2 == 0:
            break
    steps = [line for x, y in ((a, d), (c, b)) for line in [*_working_unless_zero(x, y), f"{x} * {y} = {x * y}"]]
    steps.append(f"{a * d} - {c * b} = {first}")
    steps += [line for x, y in ((c, f), (e, d)) for line in [*_working_unless_zero(x, y), f"{x} * {y} = {x * y}"]]
    steps += [f"{c * f} - {e * d} = {second}", f"{first} + {second} = {first + second}"]
    steps.append(f"{first + second} / 2 = {(first + second) // 2}")
    prompt = f"A polygon has the corners (0, 0), ({a}, {b}), ({c}, {d}) and ({e}, {f}) in this order. What is its area?"
    return Draft(prompt, tuple(steps), str((first + second) // 2))


def _working_unless_zero(x: int, y: int) -> list[str]:
    return grid_multiplication(x, y) if x and y else []


def _tank(rng: random.Random) -> Draft:
    """The time to fill a tank that consists of two boxes."""
    a, b, c, d = rng.randint(11, 30), rng.randint(3, 9), rng.randint(2, 9), rng.randint(2, 9)
    e, rate = rng.randint(2, 9), rng.randint(2, 9)
    while (volume := a * b * c + a * d * e) % rate:
        a, b = rng.randint(11, 30), rng.randint(3, 9)
    steps = [
        *area("x", a, b, "m"),
        *grid_multiplication(a * b, c),
        f"V1 = {a * b} m^2 * {c} m = {a * b * c} m^3",
        *area("y", a, d, "m"),
        *grid_multiplication(a * d, e),
        f"V2 = {a * d} m^2 * {e} m = {a * d * e} m^3",
        f"V = {a * b * c} m^3 + {a * d * e} m^3 = {volume} m^3",
        *exact_division(volume, rate),
        f"t = {volume} m^3 / {rate} m^3/min = {volume // rate} min",
    ]
    prompt = (
        f"A tank is made of two boxes, one {a} m by {b} m by {c} m, the other {a} m by {d} m by {e} m. Water "
        f"flows in at {rate} m^3/min. How long does it take to fill the tank?"
    )
    return Draft(prompt, tuple(steps), f"{volume // rate} min")


TEMPLATES_BY_LEVEL: dict[int, tuple[Template, ...]] = {
    1: (
        lambda rng: rectangle_area(rng, 2, 9),
        rectangle_perimeter,
        triangle_perimeter,
        lambda rng: angles(rng, 3),
    ),
    2: (
        lambda rng: rectangle_area(rng, 11, 40),
        triangle_area,
        missing_side,
        _box_volume,
        lambda rng: angles(rng, 4),
    ),
    3: (
        lambda rng: angles(rng, rng.randint(5, 7)),
        right_triangle,
        trapezoid,
        _l_shape,
        _box_surface,
    ),
    4: (_frame, _house, _right_triangle_perimeter, _isosceles, _tiles, _prism, lambda rng: angles(rng, 8)),
    5: (_rhombus, _walk, _shoelace, _tank),
}


@domain("geometry", phase=3)
class Geometry:
    """One formula at level 1, right triangles and composite shapes from 3 on, several of both at 5."""

    def sample(self, rng: random.Random, level: int) -> Draft:
        return rng.choice(TEMPLATES_BY_LEVEL[level])(rng)
