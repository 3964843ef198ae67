"""Geometry: perimeters, areas, angles, right triangles, volumes and composite shapes, in exact units.

Every root is a whole number (Pythagorean triples), so that no answer is rounded. A step names what it finds.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from math import isqrt

from tuili.tasks.problem import Draft
from tuili.tasks.registry import domain
from tuili.tasks.wording import conjoin
from tuili.tasks.working import product, total

LENGTHS = ("mm", "cm", "m", "km")
SMALL, LARGE = (
    ("card", "page", "photo", "plate"),
    ("field", "floor", "garden", "park", "room", "wall", "yard"),
)
TRIPLES = tuple(
    (a, b, isqrt(a * a + b * b))
    for a in range(3, 64)
    for b in range(3, 64)
    if isqrt(a * a + b * b) ** 2 == a * a + b * b
)
POLYGONS = {4: "quadrilateral", 5: "pentagon", 6: "hexagon", 7: "heptagon", 8: "octagon"}


def _surface(rng: random.Random) -> tuple[str, str]:
    """A thing with a rectangular surface and a unit that suits it."""
    return (rng.choice(SMALL), rng.choice(("mm", "cm"))) if rng.random() < 0.4 else (rng.choice(LARGE), "m")


def area(name: str, a: int, b: int, unit: str) -> list[str]:
    """The working of a rectangle's area, named."""
    return [*product(a, b), f"{name} = {a} {unit} * {b} {unit} = {a * b} {unit}^2"]


def _square(name: str, a: int, unit: str) -> list[str]:
    return area(name, a, a, unit)


def hypotenuse(a: int, b: int, c: int, unit: str) -> list[str]:
    """The working of the third side `c` of a right triangle from its legs."""
    return [
        *_square("a2", a, unit),
        *_square("b2", b, unit),
        f"c2 = {a * a} {unit}^2 + {b * b} {unit}^2 = {c * c} {unit}^2",
        f"c = sqrt({c * c} {unit}^2) = {c} {unit}",
    ]


def _triple(rng: random.Random, largest: int) -> tuple[int, int, int]:
    """A right triangle with whole sides, the hypotenuse last and at most `largest`."""
    return rng.choice([triple for triple in TRIPLES if triple[2] <= largest])


def _rectangle_area(rng: random.Random, low: int, high: int) -> Draft:
    a, b, (field, unit) = rng.randint(low, high), rng.randint(11, 99), _surface(rng)
    prompt = rng.choice(
        (
            f"A {field} is {b} {unit} long and {a} {unit} wide. What is its area?",
            f"A rectangle has sides of {b} {unit} and {a} {unit}. What is its area?",
        )
    )
    return Draft(prompt, tuple(area("A", b, a, unit)), f"{a * b} {unit}^2")


def _rectangle_perimeter(rng: random.Random) -> Draft:
    a, b, (field, unit) = rng.randint(5, 99), rng.randint(5, 99), _surface(rng)
    prompt = rng.choice(
        (
            f"A {field} is {a} {unit} long and {b} {unit} wide. What is its perimeter?",
            f"A rectangle has sides of {a} {unit} and {b} {unit}. What is its perimeter?",
        )
    )
    steps = (
        f"s = {a} {unit} + {b} {unit} = {a + b} {unit}",
        f"L = 2 * {a + b} {unit} = {2 * (a + b)} {unit}",
    )
    return Draft(prompt, steps, f"{2 * (a + b)} {unit}")


def _triangle_perimeter(rng: random.Random) -> Draft:
    unit, sides = rng.choice(LENGTHS), sorted(rng.randint(10, 60) for _ in range(3))
    listed = conjoin([f"{side} {unit}" for side in sides])
    prompt = rng.choice(
        (
            f"A triangle has sides of {listed}. What is its perimeter?",
            f"The sides of a triangle are {listed}. How long are they together?",
        )
    )
    return Draft(prompt, tuple(total(sides, unit)), f"{sum(sides)} {unit}")


def _angles(rng: random.Random, corners: int) -> Draft:
    """The last interior angle of a convex polygon whose other angles are given."""
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
    steps += [*total(known, "deg"), f"{sum_} deg - {sum(known)} deg = {last} deg"]
    return Draft(f"{first} What is the {'third' if corners == 3 else 'last'} angle?", tuple(steps), f"{last} deg")


def _triangle_area(rng: random.Random) -> Draft:
    unit, base, height = rng.choice(LENGTHS), rng.randint(4, 60), rng.randint(2, 20) * 2
    prompt = f"A triangle has a base of {base} {unit} and a height of {height} {unit}. What is its area?"
    steps = [f"h = {height} {unit} / 2 = {height // 2} {unit}", *area("A", base, height // 2, unit)]
    return Draft(prompt, tuple(steps), f"{base * height // 2} {unit}^2")


def _missing_side(rng: random.Random) -> Draft:
    """A side from the other side and the area or the perimeter."""
    (field, unit), a, b = _surface(rng), rng.randint(2, 9), rng.randint(11, 99)
    if rng.random() < 0.5:
        prompt = f"A {field} has an area of {a * b} {unit}^2 and is {a} {unit} wide. How long is it?"
        return Draft(prompt, (f"b = {a * b} {unit}^2 / {a} {unit} = {b} {unit}",), f"{b} {unit}")
    a = rng.randint(5, 80)
    prompt = f"A {field} has a perimeter of {2 * (a + b)} {unit} and is {a} {unit} wide. How long is it?"
    steps = (
        f"s = {2 * (a + b)} {unit} / 2 = {a + b} {unit}",
        f"b = {a + b} {unit} - {a} {unit} = {b} {unit}",
    )
    return Draft(prompt, steps, f"{b} {unit}")


def _box_volume(rng: random.Random) -> Draft:
    unit, a, b, c = rng.choice(LENGTHS), rng.randint(4, 40), rng.randint(2, 9), rng.randint(2, 9)
    prompt = f"A box is {a} {unit} long, {b} {unit} wide and {c} {unit} high. What is its volume?"
    steps = [*area("A", a, b, unit), f"V = {a * b} {unit}^2 * {c} {unit} = {a * b * c} {unit}^3"]
    return Draft(prompt, tuple(steps), f"{a * b * c} {unit}^3")


def _box_surface(rng: random.Random) -> Draft:
    unit, a, b, c = rng.choice(LENGTHS), rng.randint(11, 30), rng.randint(3, 12), rng.randint(2, 9)
    faces = [a * b, a * c, b * c]
    steps = [
        *area("x", a, b, unit),
        *area("y", a, c, unit),
        *area("z", b, c, unit),
        *total(faces, f"{unit}^2"),
    ]
    steps.append(f"S = 2 * {sum(faces)} {unit}^2 = {2 * sum(faces)} {unit}^2")
    prompt = f"A box is {a} {unit} long, {b} {unit} wide and {c} {unit} high. What is the area of its surface?"
    return Draft(prompt, tuple(steps), f"{2 * sum(faces)} {unit}^2")


def _right_triangle(rng: random.Random) -> Draft:
    """The hypotenuse from the legs, or a leg from the other two sides."""
    unit, (a, b, c) = rng.choice(("cm", "m")), _triple(rng, 65)
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
    steps = [*_square("c2", c, unit), *_square("a2", a, unit)]
    steps += [
        f"b2 = {c * c} {unit}^2 - {a * a} {unit}^2 = {b * b} {unit}^2",
        f"b = sqrt({b * b} {unit}^2) = {b} {unit}",
    ]
    return Draft(prompt, tuple(steps), f"{b} {unit}")


def _trapezoid(rng: random.Random) -> Draft:
    unit, a, b, half = rng.choice(LENGTHS), rng.randint(11, 60), rng.randint(5, 40), rng.randint(4, 20)
    prompt = (
        f"The parallel sides of a trapezoid are {a} {unit} and {b} {unit}, its height is {2 * half} {unit}. "
        "What is its area?"
    )
    steps = [f"s = {a} {unit} + {b} {unit} = {a + b} {unit}", f"h = {2 * half} {unit} / 2 = {half} {unit}"]
    return Draft(prompt, (*steps, *area("A", a + b, half, unit)), f"{(a + b) * half} {unit}^2")


def _l_shape(rng: random.Random) -> Draft:
    """A rectangle from whose corner a smaller one is cut out."""
    (field, unit), a, b = _surface(rng), rng.randint(12, 60), rng.randint(11, 40)
    c, d = rng.randint(2, a - 2), rng.randint(2, min(b - 2, 20))
    steps = [*area("x", a, b, unit), *area("y", c, d, unit)]
    steps.append(f"A = {a * b} {unit}^2 - {c * d} {unit}^2 = {a * b - c * d} {unit}^2")
    prompt = (
        f"From a {field} of {a} {unit} by {b} {unit}, a corner of {c} {unit} by {d} {unit} is cut off. What "
        "area is left?"
    )
    return Draft(prompt, tuple(steps), f"{a * b - c * d} {unit}^2")


def _frame(rng: random.Random) -> Draft:
    """A path of equal width round a rectangle."""
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
    """A rectangle with a triangle on top, as the end wall of a house, and what its paint costs."""
    a, b, half, price = rng.randint(4, 20), rng.randint(3, 12), rng.randint(2, 6), rng.randint(2, 9)
    wall = a * b + a * half
    steps = [
        *area("x", a, b, "m"),
        f"h = {2 * half} m / 2 = {half} m",
        *area("y", a, half, "m"),
        f"A = {a * b} m^2 + {a * half} m^2 = {wall} m^2",
        f"{wall} m^2 * {price} dollars/m^2 = {wall * price} dollars",
    ]
    prompt = (
        f"The end wall of a house is a rectangle {a} m wide and {b} m high with a triangle on top that is "
        f"{2 * half} m high. Paint costs {price} dollars/m^2. What does the paint for the wall cost?"
    )
    return Draft(prompt, tuple(steps), f"{wall * price} dollars")


def _triangle_round(rng: random.Random) -> Draft:
    """Perimeter and area of a right triangle of which the legs are known."""
    unit, (a, b, c) = rng.choice(LENGTHS), _triple(rng, 75)
    prompt = f"The legs of a right triangle are {a} {unit} and {b} {unit}. What is its perimeter?"
    return Draft(prompt, (*hypotenuse(a, b, c, unit), *total([a, b, c], unit)), f"{a + b + c} {unit}")


def _isosceles(rng: random.Random) -> Draft:
    """The area of an isosceles triangle: half the base and an equal side give the height."""
    unit, (half, height, side) = rng.choice(LENGTHS), _triple(rng, 60)
    steps = [
        f"a = {2 * half} {unit} / 2 = {half} {unit}",
        *_square("c2", side, unit),
        *_square("a2", half, unit),
        f"h2 = {side * side} {unit}^2 - {half * half} {unit}^2 = {height * height} {unit}^2",
        f"h = sqrt({height * height} {unit}^2) = {height} {unit}",
        *area("A", half, height, unit),
    ]
    prompt = f"Two sides of a triangle are {side} {unit} each, the third is {2 * half} {unit}. What is its area?"
    return Draft(prompt, tuple(steps), f"{half * height} {unit}^2")


def _tiles(rng: random.Random) -> Draft:
    """Square tiles on a floor, with lengths in two units."""
    size = rng.choice((10, 20, 25, 50))
    a, b = rng.randint(3, 12), rng.randint(2, 9)
    along, across = a * 100 // size, b * 100 // size
    steps = [
        f"{a} m = {a * 100} cm",
        f"{a * 100} cm / {size} cm = {along}",
        f"{b} m = {b * 100} cm",
        f"{b * 100} cm / {size} cm = {across}",
        *product(along, across),
        f"{along} * {across} = {along * across}",
    ]
    prompt = (
        f"A {rng.choice(LARGE)} of {a} m by {b} m is laid with square tiles of {size} cm by {size} cm. How "
        "many tiles are needed?"
    )
    return Draft(prompt, tuple(steps), str(along * across))


def _prism(rng: random.Random) -> Draft:
    """The volume of a prism over a right triangle."""
    unit, (a, b, _) = rng.choice(LENGTHS), _triple(rng, 30)
    length, even, odd = rng.randint(3, 30), *((a, b) if a % 2 == 0 else (b, a))
    base = even // 2 * odd
    steps = [
        f"h = {even} {unit} / 2 = {even // 2} {unit}",
        *area("A", odd, even // 2, unit),
        *product(base, length),
    ]
    steps.append(f"V = {base} {unit}^2 * {length} {unit} = {base * length} {unit}^3")
    prompt = (
        f"A prism of length {length} {unit} stands on a right triangle with legs of {odd} {unit} and {even} "
        f"{unit}. What is its volume?"
    )
    return Draft(prompt, tuple(steps), f"{base * length} {unit}^3")


def _rhombus(rng: random.Random) -> Draft:
    """Perimeter and area of a rhombus from its diagonals, which halve each other at right angles."""
    unit, (a, b, c) = rng.choice(LENGTHS), _triple(rng, 75)
    steps = [
        f"a = {2 * a} {unit} / 2 = {a} {unit}",
        f"b = {2 * b} {unit} / 2 = {b} {unit}",
        *hypotenuse(a, b, c, unit),
    ]
    steps.append(f"L = 4 * {c} {unit} = {4 * c} {unit}")
    prompt = f"The diagonals of a rhombus are {2 * a} {unit} and {2 * b} {unit}. What is its perimeter?"
    return Draft(prompt, tuple(steps), f"{4 * c} {unit}")


def _walk(rng: random.Random) -> Draft:
    """Three legs along the axes, then straight home."""
    unit, (a, b, c) = rng.choice(LENGTHS[2:]), _triple(rng, 75)
    back = rng.randint(2, 30)
    steps = [f"a = {a + back} {unit} - {back} {unit} = {a} {unit}", *hypotenuse(a, b, c, unit)]
    walked = [a + back, b, back, c]
    steps += total(walked, unit)
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
    steps = [line for x, y in ((a, d), (c, b)) for line in [*_partial(x, y), f"{x} * {y} = {x * y}"]]
    steps.append(f"{a * d} - {c * b} = {first}")
    steps += [line for x, y in ((c, f), (e, d)) for line in [*_partial(x, y), f"{x} * {y} = {x * y}"]]
    steps += [f"{c * f} - {e * d} = {second}", f"{first} + {second} = {first + second}"]
    steps.append(f"{first + second} / 2 = {(first + second) // 2}")
    prompt = f"A polygon has the corners (0, 0), ({a}, {b}), ({c}, {d}) and ({e}, {f}) in this order. What is its area?"
    return Draft(prompt, tuple(steps), str((first + second) // 2))


def _partial(x: int, y: int) -> list[str]:
    return product(x, y) if x and y else []


def _tank(rng: random.Random) -> Draft:
    """A tank of two boxes and the time to fill it."""
    a, b, c, d = rng.randint(11, 30), rng.randint(3, 9), rng.randint(2, 9), rng.randint(2, 9)
    e, rate = rng.randint(2, 9), rng.randint(2, 9)
    while (volume := a * b * c + a * d * e) % rate:
        a, b = rng.randint(11, 30), rng.randint(3, 9)
    steps = [
        *area("x", a, b, "m"),
        f"V1 = {a * b} m^2 * {c} m = {a * b * c} m^3",
        *area("y", a, d, "m"),
        f"V2 = {a * d} m^2 * {e} m = {a * d * e} m^3",
        f"V = {a * b * c} m^3 + {a * d * e} m^3 = {volume} m^3",
        f"t = {volume} m^3 / {rate} m^3/min = {volume // rate} min",
    ]
    prompt = (
        f"A tank is made of two boxes, one {a} m by {b} m by {c} m, the other {a} m by {d} m by {e} m. Water "
        f"flows in at {rate} m^3/min. How long does it take to fill the tank?"
    )
    return Draft(prompt, tuple(steps), f"{volume // rate} min")


Kind = Callable[[random.Random], Draft]
KINDS: dict[int, tuple[Kind, ...]] = {
    1: (
        lambda rng: _rectangle_area(rng, 2, 9),
        _rectangle_perimeter,
        _triangle_perimeter,
        lambda rng: _angles(rng, 3),
    ),
    2: (
        lambda rng: _rectangle_area(rng, 11, 40),
        _triangle_area,
        _missing_side,
        _box_volume,
        lambda rng: _angles(rng, 4),
    ),
    3: (
        lambda rng: _angles(rng, rng.randint(5, 7)),
        _right_triangle,
        _trapezoid,
        _l_shape,
        _box_surface,
    ),
    4: (_frame, _house, _triangle_round, _isosceles, _tiles, _prism, lambda rng: _angles(rng, 8)),
    5: (_rhombus, _walk, _shoelace, _tank),
}


@domain("geometry", phase=3)
class Geometry:
    """One formula at level 1, right triangles and composite shapes at 3, several of both at 5."""

    def sample(self, rng: random.Random, level: int) -> Draft:
        return rng.choice(KINDS[level])(rng)
