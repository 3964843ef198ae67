"""Identities: claims that two forms of one polynomial are equal for all numbers."""

from __future__ import annotations

import random

from tuili.tasks.domains.proofs.theorem import (
    Statement,
    Theorem,
    nonzero,
    powers,
    products,
    result,
    term_working,
    times,
    total,
)

UNKNOWNS = tuple("xyztuvwpqrs")
PAIRS = (("a", "b"), ("x", "y"), ("u", "v"), ("p", "q"), ("s", "t"), ("m", "n"))


def _one(rng: random.Random) -> str:
    return rng.choice(UNKNOWNS)


def square(rng: random.Random, level: int) -> Theorem:
    """`(3*x - 5)^2 = 9*x^2 - 30*x + 25`."""
    x, factor, constant = _one(rng), rng.randint(1, 9), nonzero(rng, 12)
    base = total([(factor, x), (constant, "")])
    statement = Statement(x, f"({base})^2", powers(times((factor, constant), (factor, constant)), x))
    size = abs(constant)
    twice = (result(2, "*", factor), result(2 * factor, "*", size))
    terms = (
        (factor**2, x, (result(factor, "*", factor),)),
        (2 * factor * size, x, twice),
        (size, "", (result(size, "*", size),)),
    )
    between = products((factor, constant), (factor, constant), x)
    return Theorem(statement, (statement.chain(between),), working=term_working(terms))


def product_of_two(rng: random.Random, level: int) -> Theorem:
    """`(x + 2)*(3*x - 4) = 3*x^2 + 2*x - 8`, by the four products."""
    x, a, b, c, d = _one(rng), rng.randint(1, 4), nonzero(rng, 9), rng.randint(1, 4), nonzero(rng, 9)
    left = f"({total([(a, x), (b, '')])})*({total([(c, x), (d, '')])})"
    statement = Statement(x, left, powers(times((a, b), (c, d)), x))
    middle = (result(a, "*", d), result(b, "*", c), result(a * d, "+", b * c))
    terms = ((a * c, x, (result(a, "*", c),)), (a * d + b * c, x, middle), (b * d, "", (result(b, "*", d),)))
    return Theorem(statement, (statement.chain(products((a, b), (c, d), x)),), working=term_working(terms))


def distribution(rng: random.Random, level: int) -> Theorem:
    """`4*(2*x + 3) - 5*x = 3*x + 12`."""
    x, a, b, c, d = _one(rng), rng.randint(2, 9), rng.randint(1, 9), nonzero(rng, 9), nonzero(rng, 9)
    left = f"{a}*({total([(b, x), (c, '')])}) {'-' if d < 0 else '+'} {abs(d)}*{x}"
    statement = Statement(x, left, total([(a * b + d, x), (a * c, "")]))
    terms = (
        (a * b + d, x, (result(a, "*", b), result(a * b, "+", d))),
        (a * c, "", (result(a, "*", c),)),
    )
    return Theorem(statement, (statement.chain(total([(a * b, x), (a * c, ""), (d, x)])),), working=term_working(terms))


def conjugates(rng: random.Random, level: int) -> Theorem:
    """`(3*x - 4*y)*(3*x + 4*y) = 9*x^2 - 16*y^2`."""
    (x, y), a, b = rng.choice(PAIRS), rng.randint(1, 12), rng.randint(1, 12)
    one, other = total([(a, x)]), total([(b, y)])
    statement = Statement(
        f"{x}, {y}", f"({one} - {other})*({one} + {other})", total([(a * a, f"{x}^2"), (-b * b, f"{y}^2")])
    )
    between = total([(a * a, f"{x}^2"), (a * b, f"{x}*{y}"), (-a * b, f"{y}*{x}"), (-b * b, f"{y}^2")])
    terms = ((a * a, x, (result(a, "*", a),)), (b * b, y, (result(b, "*", b),)))
    return Theorem(statement, (statement.chain(between),), working=term_working(terms))


def factored(rng: random.Random, level: int) -> Theorem:
    """`x^2 + 5*x + 6 = (x + 2)*(x + 3)`, by multiplying out the right side."""
    x, a, b, scale = _one(rng), nonzero(rng, 12), nonzero(rng, 12), rng.randint(1, 6)
    left = total([(scale, f"{x}^2"), (scale * (a + b), x), (scale * a * b, "")])
    lead = "" if scale == 1 else f"{scale}*"
    right = f"{lead}({total([(1, x), (a, '')])})*({total([(1, x), (b, '')])})"
    between = total([(scale, f"{x}^2"), (scale * a, x), (scale * b, x), (scale * a * b, "")])
    statement = Statement(x, left, right)
    middle, last = [result(a, "+", b)], [result(a, "*", b)]
    if scale > 1:
        middle.append(result(scale, "*", a + b))
        last.append(result(scale, "*", a * b))
    terms = ((scale, x, ()), (scale * (a + b), x, tuple(middle)), (scale * a * b, "", tuple(last)))
    return Theorem(statement, (statement.chain(between),), working=term_working(terms), spoilt_left=True)


def square_of_two(rng: random.Random, level: int) -> Theorem:
    """`(2*a - 3*b)^2 = 4*a^2 - 12*a*b + 9*b^2`."""
    (x, y), a, b = rng.choice(PAIRS), rng.randint(1, 9), nonzero(rng, 9)
    base = total([(a, x), (b, y)])
    right = total([(a * a, f"{x}^2"), (2 * a * b, f"{x}*{y}"), (b * b, f"{y}^2")])
    statement = Statement(f"{x}, {y}", f"({base})^2", right)
    between, size = total([(a * a, f"{x}^2"), *2 * [(a * b, f"{x}*{y}")], (b * b, f"{y}^2")]), abs(b)
    twice = (result(2, "*", a), result(2 * a, "*", size))
    terms = (
        (a * a, x, (result(a, "*", a),)),
        (2 * a * size, x, twice),
        (b * b, y, (result(size, "*", size),)),
    )
    return Theorem(statement, (statement.chain(between),), working=term_working(terms))


def difference_of_squares(rng: random.Random, level: int) -> Theorem:
    """`(x + 7)^2 - (x + 4)^2 = 6*x + 33`."""
    x, a, b = _one(rng), nonzero(rng, 12), nonzero(rng, 12)
    one, other = total([(1, x), (a, "")]), total([(1, x), (b, "")])
    statement = Statement(x, f"({one})^2 - ({other})^2", total([(2 * a - 2 * b, x), (a * a - b * b, "")]))
    between = f"{powers((1, 2 * a, a * a), x)} - ({powers((1, 2 * b, b * b), x)})"
    squares = (result(a, "*", a), result(b, "*", b), result(a * a, "-", b * b))
    terms = ((2 * a - 2 * b, x, (result(a, "+", -b), result(2, "*", a - b))), (a * a - b * b, "", squares))
    return Theorem(statement, (statement.chain(between),), working=term_working(terms))


def cube(rng: random.Random, level: int) -> Theorem:
    """`(2*x + 1)^3`, by expanding the square first."""
    x, a, b = _one(rng), rng.randint(1, 4), nonzero(rng, 6)
    base, squared = total([(a, x), (b, "")]), times((a, b), (a, b))
    statement = Statement(x, f"({base})^3", powers(times(squared, (a, b)), x))
    first = Statement(x, f"({base})^2", powers(squared, x))
    steps = (
        first.chain(products((a, b), (a, b), x)),
        statement.chain(f"({first.right})*({base})", products(squared, (a, b), x)),
    )
    c, squares = abs(b), (a * a, b * b)
    terms = (
        (a**3, x, (result(a, "*", a), result(squares[0], "*", a))),
        (3 * squares[0] * c, x, (result(3, "*", squares[0]), result(3 * squares[0], "*", c))),
        (3 * a * squares[1], x, (result(c, "*", c), result(3, "*", a), result(3 * a, "*", squares[1]))),
        (c**3, "", (result(squares[1], "*", c),)),
    )
    return Theorem(statement, steps, working=term_working(terms))


def product_of_three(rng: random.Random, level: int) -> Theorem:
    """`(x + 1)*(x - 2)*(x + 5)`, by multiplying two factors first."""
    x, (a, b, c) = _one(rng), (nonzero(rng, 6) for _ in range(3))
    one, two, three = (f"({total([(1, x), (n, '')])})" for n in (a, b, c))
    pair = times((1, a), (1, b))
    first = Statement(x, f"{one}*{two}", powers(pair, x))
    statement = Statement(x, f"{one}*{two}*{three}", powers(times(pair, (1, c)), x))
    steps = (
        first.chain(products((1, a), (1, b), x)),
        statement.chain(f"({first.right})*{three}", products(pair, (1, c), x)),
    )
    both = a * c + b * c
    terms = (
        (a + b + c, x, (result(a, "+", b), result(a + b, "+", c))),
        (a * b + both, x, (result(a, "*", b), result(a + b, "*", c), result(a * b, "+", both))),
        (a * b * c, "", (result(a * b, "*", c),)),
    )
    return Theorem(statement, steps, working=term_working(terms))


def fourth_powers(rng: random.Random, level: int) -> Theorem:
    """`16*a^4 - b^4` as a product of three factors."""
    (x, y), a, b = rng.choice(PAIRS), rng.randint(1, 4), rng.randint(1, 4)
    one, other = total([(a, x)]), total([(b, y)])
    pair = Statement(
        f"{x}, {y}", f"({one} - {other})*({one} + {other})", total([(a * a, f"{x}^2"), (-b * b, f"{y}^2")])
    )
    last = f"({total([(a * a, f'{x}^2'), (b * b, f'{y}^2')])})"
    statement = Statement(f"{x}, {y}", f"{pair.left}*{last}", total([(a**4, f"{x}^4"), (-(b**4), f"{y}^4")]))
    between = total([(a * a, f"{x}^2"), (a * b, f"{x}*{y}"), (-a * b, f"{y}*{x}"), (-b * b, f"{y}^2")])
    return Theorem(statement, (pair.chain(between), statement.chain(f"({pair.right})*{last}")))


def square_of_three(rng: random.Random, level: int) -> Theorem:
    """`(a + 2*b + c)^2`, adding one summand at a time."""
    names, (p, q, r) = (
        rng.choice((("a", "b", "c"), ("x", "y", "z"), ("u", "v", "w"))),
        (rng.randint(1, 5) for _ in range(3)),
    )
    x, y, z = names
    pair, last = total([(p, x), (q, y)]), total([(r, z)])
    whole = f"{pair} + {last}"
    squares = [(p * p, f"{x}^2"), (q * q, f"{y}^2"), (r * r, f"{z}^2")]
    mixed = [(2 * p * q, f"{x}*{y}"), (2 * p * r, f"{x}*{z}"), (2 * q * r, f"{y}*{z}")]
    statement = Statement(", ".join(names), f"({whole})^2", total(squares + mixed))
    halves = Statement(", ".join(names), f"({whole})^2", f"({pair})^2 + 2*({pair})*({last}) + ({last})^2")
    first = Statement(f"{x}, {y}", f"({pair})^2", total([squares[0], mixed[0], squares[1]]))
    parts = f"{first.right} + 2*({pair})*({last}) + ({last})^2"
    steps = (
        first.chain(f"({pair})*({pair})"),
        halves.chain(f"({whole})*({pair}) + ({whole})*({last})"),
        statement.chain(f"({whole})*({pair}) + ({whole})*({last})", parts),
    )
    return Theorem(statement, steps)


def consecutive_squares(rng: random.Random, level: int) -> Theorem:
    """`(n + 4)^2 - n^2 = 8*n + 16`."""
    n, a, b = rng.choice("nmkij"), rng.randint(1, 20), rng.randint(1, 9)
    left = f"({total([(b, n), (a, '')])})^2 - {total([(b * b, f'{n}^2')])}"
    statement = Statement(n, left, total([(2 * a * b, n), (a * a, "")]), integers=True)
    between = f"{powers((b * b, 2 * a * b, a * a), n)} - {total([(b * b, f'{n}^2')])}"
    terms = (
        (2 * a * b, n, (result(2, "*", b), result(2 * b, "*", a))),
        (a * a, "", (result(a, "*", a),)),
    )
    return Theorem(statement, (statement.chain(between),), working=term_working(terms))
