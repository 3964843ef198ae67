"""Areas: the Pythagorean theorem from a square that is cut in two ways, and other compositions of areas."""

from __future__ import annotations

import random

from tuili.tasks.domains.proofs.theorem import Statement, Theorem, result, term_working, total

SIDES = (("a", "b", "c", "T"), ("x", "y", "z", "T"), ("p", "q", "r", "D"), ("u", "v", "w", "A"), ("k", "h", "s", "F"))


def pythagoras(rng: random.Random, level: int) -> Theorem:
    """Four triangles and the square on `c` fill the square on `a + b`; so do four triangles and two squares.

    The sides of the triangles are multiples of a, b and c.
    """
    (a, b, c, area), p, q, r = rng.choice(SIDES), rng.randint(1, 12), rng.randint(1, 12), rng.randint(1, 12)
    one, other, long = total([(p, a)]), total([(q, b)]), total([(r, c)])
    whole = f"({one} + {other})^2"
    legs = total([(p * p, f"{a}^2"), (q * q, f"{b}^2")])
    right = total([(r * r, f"{c}^2")])
    premises = (f"{whole} = 4*{area} + {_square_on(long)}", f"{area} = {one}*{other}/2")
    square = total([(p * p, f"{a}^2"), (2 * p * q, f"{a}*{b}"), (q * q, f"{b}^2")])
    steps = (
        f"for all {a}, {b}: {whole} = ({one} + {other})*({one} + {other}) = {square}",
        f"P1, P2 => {square} = {total([(2 * p * q, f'{a}*{b}')])} + {right}",
        f"P1, P2 => {legs} = {right}",
    )
    return Theorem(Statement("", legs, right), steps, premises)


def _square_on(side: str) -> str:
    """The square on a side: `(3*c)^2`, `c^2`."""
    return f"({side})^2" if "*" in side else f"{side}^2"


def two_cuts(rng: random.Random, level: int) -> Theorem:
    """The same from two equations for the whole square, without the area of the triangles."""
    (a, b, c, area), count, p, q = rng.choice(SIDES), rng.randint(2, 8), rng.randint(1, 12), rng.randint(1, 12)
    whole, legs = f"({total([(p, a), (q, b)])})^2", total([(p * p, f"{a}^2"), (q * q, f"{b}^2")])
    premises = (f"{whole} = {count}*{area} + {c}^2", f"{whole} = {count}*{area} + {legs}")
    steps = (f"P1, P2 => {count}*{area} + {c}^2 = {count}*{area} + {legs}", f"P1, P2 => {legs} = {c}^2")
    return Theorem(Statement("", legs, f"{c}^2"), steps, premises)


def frame(rng: random.Random, level: int) -> Theorem:
    """The area of a frame around a rectangle: `(x + 6)*(y + 4) - x*y`."""
    x, y = rng.choice((("x", "y"), ("a", "b"), ("u", "v"), ("p", "q")))
    wide, high = rng.randint(1, 30), rng.randint(1, 30)
    left = f"({x} + {wide})*({y} + {high}) - {x}*{y}"
    statement = Statement(f"{x}, {y}", left, total([(high, x), (wide, y), (wide * high, "")]))
    between = f"{x}*{y} + {total([(high, x), (wide, y), (wide * high, '')])} - {x}*{y}"
    terms = ((high, x, ()), (wide, y, ()), (wide * high, "", (result(wide, "*", high),)))
    return Theorem(statement, (statement.chain(between),), working=term_working(terms))
