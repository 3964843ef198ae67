"""Geometry: solids and composite shapes, and the plane figures of `figures`.

Right triangles are Pythagorean triples, so that every root is a whole number and no answer is rounded. A step names
the quantity that it finds.
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
    sides,
    square,
    surface,
    trapezoid,
    triangle_area,
    triangle_perimeter,
    triple,
)
from tuili.tasks.building.situations import Quantity, Situation, numbered, situation, told
from tuili.tasks.building.working import exact_division, grid_multiplication, running_sums
from tuili.tasks.content import Content
from tuili.tasks.registry import domain

BOX = {"thing": "box"}


def _edges(a: int, b: int, c: int, unit: str) -> tuple[Quantity, ...]:
    """Length, width and height as given quantities."""
    return *sides(a, b, unit), Quantity("height", "c", f"{c} {unit}")


def _legs(a: int, b: int, unit: str) -> tuple[Quantity, Quantity]:
    """The legs of a right triangle as given quantities."""
    return Quantity("leg", "a", f"{a} {unit}"), Quantity("other_leg", "b", f"{b} {unit}")


def _box_volume(rng: random.Random) -> Content:
    unit, a, b, c = rng.choice(LENGTH_UNITS), rng.randint(4, 40), rng.randint(2, 9), rng.randint(2, 9)
    steps = [
        *area("A", a, b, unit),
        *grid_multiplication(a * b, c),
        f"V = {a * b} {unit}^2 * {c} {unit} = {a * b * c} {unit}^3",
    ]
    answer = f"{a * b * c} {unit}^3"
    return situation("figure", "box", _edges(a, b, c, unit), Quantity("volume", "V"), steps, answer, words=BOX)


def _box_surface(rng: random.Random) -> Content:
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
    wanted, answer = Quantity("surface", "S"), f"{2 * sum(faces)} {unit}^2"
    return situation("figure", "box", _edges(a, b, c, unit), wanted, steps, answer, words=BOX)


def _l_shape(rng: random.Random) -> Content:
    """The area of a rectangle after a smaller rectangle is cut from its corner."""
    (field, unit), a, b = surface(rng), rng.randint(12, 60), rng.randint(11, 40)
    c, d = rng.randint(2, a - 2), rng.randint(2, min(b - 2, 20))
    steps = [*area("x", a, b, unit), *area("y", c, d, unit)]
    steps.append(f"A = {a * b} {unit}^2 - {c * d} {unit}^2 = {a * b - c * d} {unit}^2")
    cut = (Quantity("cut_length", "c", f"{c} {unit}"), Quantity("cut_width", "d", f"{d} {unit}"))
    wanted, answer = Quantity("area_left", "A"), f"{a * b - c * d} {unit}^2"
    return situation("figure", "cut", (*sides(a, b, unit), *cut), wanted, steps, answer, words={"thing": field})


def _frame(rng: random.Random) -> Content:
    """The area of a path of equal width around a rectangle."""
    a, b, width = rng.randint(11, 50), rng.randint(6, 40), rng.randint(1, 6)
    outer_a, outer_b = a + 2 * width, b + 2 * width
    ring = outer_a * outer_b - a * b
    steps = [
        f"p = 2 * {width} m = {2 * width} m",
        f"q = {a} m + {2 * width} m = {outer_a} m",
        f"r = {b} m + {2 * width} m = {outer_b} m",
        *area("x", outer_a, outer_b, "m"),
        *area("y", a, b, "m"),
        f"A = {outer_a * outer_b} m^2 - {a * b} m^2 = {ring} m^2",
    ]
    given = (*sides(a, b, "m"), Quantity("path_width", "w", f"{width} m"))
    wanted = Quantity("path_area", "A")
    return situation("figure", "frame", given, wanted, steps, f"{ring} m^2", words={"thing": "pool"})


def _house(rng: random.Random) -> Content:
    """The cost of paint for the end wall of a house: a rectangle with a triangle on top."""
    a, b, half, price = rng.randint(4, 20), rng.randint(3, 12), rng.randint(2, 6), rng.randint(2, 9)
    wall = a * b + a * half
    steps = [
        *area("x", a, b, "m"),
        *exact_division(2 * half, 2),
        f"p = {2 * half} m / 2 = {half} m",
        *area("y", a, half, "m"),
        f"A = {a * b} m^2 + {a * half} m^2 = {wall} m^2",
        *grid_multiplication(wall, price),
        f"{wall} m^2 * {price} dollars/m^2 = {wall * price} dollars",
    ]
    given = (
        Quantity("width", "a", f"{a} m"),
        Quantity("rectangle_height", "b", f"{b} m"),
        Quantity("triangle_height", "h", f"{2 * half} m"),
        Quantity("paint_price", "k", f"{price} dollars/m^2"),
    )
    wanted, answer = Quantity("paint_cost", "c"), f"{wall * price} dollars"
    return situation("figure", "house", given, wanted, steps, answer, words={"thing": "wall"})


def _right_triangle_perimeter(rng: random.Random) -> Content:
    """The perimeter of a right triangle from its legs."""
    unit, (a, b, c) = rng.choice(LENGTH_UNITS), triple(rng, 75)
    steps, wanted = (*hypotenuse(a, b, c, unit), *running_sums([a, b, c], unit)), Quantity("perimeter", "L")
    words, answer = {"thing": "triangle"}, f"{a + b + c} {unit}"
    return situation("figure", "right_triangle", _legs(a, b, unit), wanted, steps, answer, words=words)


def _isosceles(rng: random.Random) -> Content:
    """The area of an isosceles triangle; half the base and an equal side give the height."""
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
    given = (Quantity("equal_side", "c", f"{side} {unit}"), Quantity("third_side", "g", f"{2 * half} {unit}"))
    wanted, answer = Quantity("area", "A"), f"{half * height} {unit}^2"
    return situation("figure", "isosceles", given, wanted, steps, answer, words={"thing": "triangle"})


def _tiles(rng: random.Random) -> Content:
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
    given = (*sides(a, b, "m"), Quantity("tile_side", "c", f"{size} cm"))
    words, wanted = {"thing": rng.choice(LARGE_SURFACES)}, Quantity("tiles", "n")
    return situation("figure", "tiles", given, wanted, steps, str(along * across), words=words)


def _prism(rng: random.Random) -> Content:
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
    given = (Quantity("prism_length", "l", f"{length} {unit}"), *_legs(odd, even, unit))
    wanted, answer = Quantity("volume", "V"), f"{base * length} {unit}^3"
    return situation("figure", "prism", given, wanted, steps, answer, words={"thing": "prism"})


def _rhombus(rng: random.Random) -> Content:
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
    given = numbered("diagonal_of", "d", [f"{2 * a} {unit}", f"{2 * b} {unit}"])
    wanted, answer, parts = Quantity("perimeter", "L"), f"{4 * c} {unit}", told(given)
    return situation("figure", "rhombus", given, wanted, steps, answer, words={"thing": "rhombus"}, parts=parts)


def _walk(rng: random.Random) -> Content:
    """The length of a walk: three legs along the axes, then a straight line back to the start."""
    unit, (a, b, c) = rng.choice(LENGTH_UNITS[2:]), triple(rng, 75)
    back = rng.randint(2, 30)
    steps = [f"a = {a + back} {unit} - {back} {unit} = {a} {unit}", *hypotenuse(a, b, c, unit)]
    walked = [a + back, b, back, c]
    steps += running_sums(walked, unit)
    given = (
        Quantity("north", "n", f"{a + back} {unit}"),
        Quantity("east", "e", f"{b} {unit}"),
        Quantity("south", "s", f"{back} {unit}"),
    )
    wanted, answer = Quantity("whole_way", "L"), f"{sum(walked)} {unit}"
    return situation("figure", "walk", given, wanted, steps, answer, words={"thing": "robot"})


def _shoelace(rng: random.Random) -> Content:
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
    corners = [f"({x}, {y})" for x, y in ((0, 0), (a, b), (c, d), (e, f))]
    given, wanted, answer = numbered("corner", "C", corners), Quantity("area", "A"), str((first + second) // 2)
    words, parts = {"thing": "polygon"}, told(given)
    return situation("figure", "corners", given, wanted, steps, answer, words=words, parts=parts, ordered=True)


def _working_unless_zero(x: int, y: int) -> list[str]:
    return grid_multiplication(x, y) if x and y else []


def _tank(rng: random.Random) -> Content:
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
    boxes = ((a, b, c), (a, d, e))
    given = [
        Quantity(f"box_{kind}", f"{kind[0]}{number}", f"{value} m", {"number": number})
        for number, box in enumerate(boxes, 1)
        for kind, value in zip(("length", "width", "height"), box, strict=True)
    ]
    given.append(Quantity("inflow", "q", f"{rate} m^3/min"))
    values = {
        "length": f"{a} m",
        "width": f"{b} m",
        "height": f"{c} m",
        "other_width": f"{d} m",
        "other_height": f"{e} m",
    }
    wanted, answer = Quantity("filling_time", "t"), f"{volume // rate} min"
    return situation("figure", "tank", given, wanted, steps, answer, words={"thing": "tank"}, told=values)


TEMPLATES_BY_LEVEL: dict[int, tuple[Situation, ...]] = {
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
    """One formula at level 1; right triangles and composite shapes from level 3 on; several of both at level 5."""

    def sample(self, rng: random.Random, level: int) -> Content:
        return rng.choice(TEMPLATES_BY_LEVEL[level])(rng)
