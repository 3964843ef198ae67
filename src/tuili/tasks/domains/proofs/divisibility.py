"""Parity and divisibility: claims about remainders, proven by a witness or by the cases of a remainder."""

from __future__ import annotations

import random
from math import comb

from tuili.tasks.domains.proofs.theorem import Statement, Theorem, powers, total

INTEGERS = tuple("nmijhxyz")


def _at(coefficients: tuple[int, ...], modulus: int, rest: int) -> list[int]:
    """The coefficients, in `k`, of a polynomial at `modulus * k + rest`."""
    degree = len(coefficients) - 1
    result = [0] * (degree + 1)
    for i, coefficient in enumerate(coefficients):
        power = degree - i
        for j in range(power + 1):
            result[degree - j] += coefficient * comb(power, j) * modulus**j * rest ** (power - j)
    return result


def _written(coefficients: tuple[int, ...], name: str) -> str:
    """The text of a polynomial with a name or a term like `2*k + 1` as its unknown."""
    inner = name if name.isalpha() else f"({name})"
    degree = len(coefficients) - 1
    parts = (f"{inner}^{degree - i}" if degree - i > 1 else inner if degree - i else "" for i in range(degree + 1))
    return total([*zip(coefficients, parts, strict=True)])


def _dividend(text: str) -> str:
    return f"({text})" if " " in text else text


def _case(coefficients: tuple[int, ...], modulus: int, rest: int, name: str = "k") -> Statement:
    """The statement of the remainder of a polynomial at `modulus * k + rest`."""
    value = _at(coefficients, modulus, rest)[-1] % modulus
    argument = total([(modulus, name), (rest, "")])
    left = f"{_dividend(_written(coefficients, argument))} mod {modulus}"
    return Statement(name, left, str(value), integers=True)


def _shown(case: Statement, values: list[int], modulus: int) -> str:
    """The line that shows a case, with the witness of its remainder."""
    *high, last = values
    remainder = last % modulus
    witness = powers([*(value // modulus for value in high), last // modulus], case.variables)
    multiple = f"{modulus}*({witness})" if " " in witness or "*" in witness else f"{modulus}*{witness}"
    between = f"({multiple}{f' + {remainder}' if remainder else ''}) mod {modulus}"
    expanded = f"{_dividend(powers(values, case.variables))} mod {modulus}"
    return case.chain(*(form for form in (expanded, between) if form != case.left))


def witness(rng: random.Random, level: int) -> Theorem:
    """`for all integers k: (6*k + 4) mod 2 = 0`."""
    k, modulus = rng.choice("kmnij"), rng.randint(2, 9)
    factor, constant = modulus * rng.randint(1, 9), rng.randint(1, 99)
    dividend = total([(factor, k), (constant, "")])
    statement = Statement(k, f"({dividend}) mod {modulus}", str(constant % modulus), integers=True)
    whole, rest = divmod(constant, modulus)
    division = f"{constant} = {modulus} * {whole} + {rest}"
    return Theorem(statement, (_shown(statement, [factor, constant], modulus),), working=((division,),))


def square_of_a_form(rng: random.Random, level: int) -> Theorem:
    """Given `n = 2*k + 1`, `n^2` has the same form."""
    n, k = rng.sample(("n", "m", "k", "t", "a", "q", "j"), 2)
    modulus, rest, more = rng.randint(2, 9), rng.randint(1, 8), rng.randint(0, 9)
    form = total([(modulus, k), (rest, "")])
    left = f"{n}^2" + (f" + {more}" if more else "")
    inner = f"{modulus}*{k}^2 + {total([(2 * rest, k)])}"
    right = f"{modulus}*({inner}) + {rest * rest + more}"
    between = powers([modulus * modulus, 2 * modulus * rest, rest * rest + more], k)
    squared = f"({form})^2" + (f" + {more}" if more else "")
    step = f"P1 => {left} = {squared} = {between} = {right}"
    return Theorem(Statement("", left, right), (step,), (f"{n} = {form}",))


def multiples(rng: random.Random, level: int) -> Theorem:
    """The sum of two multiples is a multiple."""
    a, b, k, m = rng.choice((("a", "b", "k", "m"), ("x", "y", "i", "j"), ("p", "q", "s", "t"), ("u", "v", "g", "h")))
    modulus, factor, other = rng.randint(2, 12), rng.randint(1, 9), rng.randint(1, 9)
    dividend = total([(factor, a), (other, b)])
    statement = Statement(
        f"{a}, {b}, {k}, {m}",
        f"({dividend}) mod {modulus}",
        "0",
        integers=True,
        hypotheses=f"{a} = {modulus}*{k} and {b} = {modulus}*{m}",
    )
    return Theorem(statement, (statement.chain(f"({modulus}*({total([(factor, k), (other, m)])})) mod {modulus}"),))


def remainder_of_a_square(rng: random.Random, level: int) -> Theorem:
    """The remainder of `n^2 + 3*n + 1`, from the remainder of `n`."""
    n, modulus = rng.choice(INTEGERS), rng.randint(2, 7)
    rest = rng.randint(1, modulus - 1)
    coefficients = (1, rng.randint(0, 5), rng.randint(0, 9))
    case = _case(coefficients, modulus, rest)
    left = f"{_dividend(_written(coefficients, n))} mod {modulus}"
    statement = Statement(n, left, case.right, integers=True, hypotheses=f"{n} mod {modulus} = {rest}")
    shown = _shown(case, _at(coefficients, modulus, rest), modulus)
    return Theorem(statement, (statement.formal,), working=((shown,),))


def _by_cases(coefficients: tuple[int, ...], modulus: int, n: str) -> Theorem:
    cases = [_case(coefficients, modulus, rest) for rest in range(modulus)]
    steps = [_shown(case, _at(coefficients, modulus, rest), modulus) for rest, case in enumerate(cases)]
    left = f"{_dividend(_written(coefficients, n))} mod {modulus}"
    statement = Statement(n, left, cases[0].right, integers=True)
    return Theorem(statement, (*steps[1:], statement.formal), working=((steps[0],),))


def always_even(rng: random.Random, level: int) -> Theorem:
    """`(n^2 + 3*n + 4) mod 2 = 0`, by the cases of an even and an odd `n`."""
    a = rng.randint(1, 9)
    return _by_cases(
        (a, rng.choice([b for b in range(1, 20) if (a + b) % 2 == 0]), rng.randint(0, 19)), 2, rng.choice(INTEGERS)
    )


def always_by_three(rng: random.Random, level: int) -> Theorem:
    """`(n^3 + 2*n + 1) mod 3 = 1`, by three cases."""
    a = rng.randint(1, 2)
    b = rng.choice([b for b in range(1, 12) if (a + b) % 3 == 0])
    return _by_cases((a, 0, b, rng.randint(0, 9)), 3, rng.choice(INTEGERS))


def squares_by_four(rng: random.Random, level: int) -> Theorem:
    """`(2*n^2 + 6*n + 1) mod 4 = 1`, by four cases."""
    a = 2 * rng.randint(1, 3)
    b = rng.choice([b for b in range(2, 13, 2) if (a + b) % 4 == 0])
    return _by_cases((a, b, rng.randint(0, 9)), 4, rng.choice(INTEGERS))
