"""Number theory: remainders, Euclid's algorithm, least common multiples, trial division and modular powers.

A division is a product and a difference, or a long division, so that each step is one elementary operation.
"""

from __future__ import annotations

import random
from math import gcd, lcm, prod

from tuili.tasks.building.levels import ContentTemplate
from tuili.tasks.building.wording import yes_no
from tuili.tasks.building.working import euclid, exact_division, grid_multiplication, long_multiplication, residue
from tuili.tasks.content import Content, Slot
from tuili.tasks.registry import domain

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43)


@domain("number_theory", phase=2)
class NumberTheory:
    """Remainders, divisibility, gcd, lcm, primality, factorisation and modular powers."""

    def sample(self, rng: random.Random, level: int) -> Content:
        return rng.choice(TEMPLATES_BY_LEVEL[level])(rng, level)


def _pair(rng: random.Random, top: int, max_factor: int, max_quotient: int) -> tuple[int, int]:
    """Two numbers up to `top`, the larger first; they often share a factor, and neither is a multiple of the other.

    Every quotient in Euclid's algorithm for them is at most `max_quotient`.
    """
    while True:
        common = rng.randint(1, max_factor)
        b, a = sorted(common * rng.randint(2, max(3, top // common)) for _ in range(2))
        if b > 3 and a <= top and a % b and max(_quotients(a, b)) <= max_quotient:
            return a, b


def _quotients(a: int, b: int) -> list[int]:
    """The quotients of the divisions in Euclid's algorithm."""
    return [a // b, *_quotients(b, a % b)] if b else []


def _gcd(rng: random.Random, level: int) -> Content:
    sizes = {1: (150, 15, 3), 2: (250, 25, 5), 3: (1200, 40, 99), 4: (3000, 60, 99), 5: (99999, 90, 99)}[level]
    a, b = _pair(rng, *sizes)
    return _of_two("gcd", rng, (a, b), euclid(a, b, fully=level == 2), gcd(a, b))


def _of_two(kind: str, rng: random.Random, pair: tuple[int, int], steps: list[str], answer: int) -> Content:
    """A question about two numbers, in either order."""
    first, second = rng.sample(pair, 2)
    return Content(kind, {"first": first, "second": second}, tuple(steps), str(answer))


def _lcm(rng: random.Random, level: int) -> Content:
    sizes = {2: (40, 8, 5), 3: (110, 12, 99), 4: (200, 15, 99), 5: (900, 20, 99)}[level]
    a, b = _pair(rng, *sizes)
    common = gcd(a, b)
    steps = euclid(a, b, fully=level == 2)
    if common > 1:
        steps += [*exact_division(a, common), f"{a} / {common} = {a // common}"]
    steps += (grid_multiplication if level == 2 else long_multiplication)(a // common, b)
    steps.append(f"lcm({a}, {b}) = {a // common} * {b} = {lcm(a, b)}")
    return _of_two("lcm", rng, (a, b), steps, lcm(a, b))


def _remainder(rng: random.Random, level: int) -> Content:
    number, modulus = rng.randint(20, 999), rng.randint(3, 9)
    slots: dict[str, Slot] = {"number": number, "modulus": modulus}
    return Content("remainder", slots, tuple(residue(number, modulus)), str(number % modulus))


def _divisible(rng: random.Random, level: int) -> Content:
    """Whether a number is divisible by a one-digit number; half of the numbers are."""
    divisor, truth = rng.randint(3, 9), rng.random() < 0.5
    multiple = divisor * rng.randint(5, 999 // divisor)
    number = multiple if truth else multiple + rng.randint(1, divisor - 1)
    slots: dict[str, Slot] = {"number": number, "divisor": divisor}
    return Content("divisible", slots, tuple(residue(number, divisor)), yes_no(truth))


def _prime(rng: random.Random, level: int) -> Content:
    """Whether a number is prime; half of the numbers are. For the others, the smallest prime factor is drawn first."""
    low, top = {2: (30, 120), 3: (100, 500), 4: (300, 960), 5: (1000, 1800)}[level]
    truth = rng.random() < 0.5
    smallest = rng.choice([prime for prime in PRIMES if prime * prime < top])
    while True:
        number = rng.randint(low, top)
        divisor = next((prime for prime in PRIMES if number % prime == 0 and prime < number), None)
        if divisor == (None if truth else smallest):
            break
    steps: list[str] = []
    for prime in PRIMES:
        if prime * prime > number:
            steps.append(f"{prime}^2 = {prime * prime} > {number}")
            break
        steps += _trial(number, prime)
        if number % prime == 0:
            break
    return Content("prime", {"number": number}, tuple(steps), yes_no(truth))


def _trial(number: int, prime: int) -> list[str]:
    """A trial division: a long division for a one-digit divisor, else a multiple of the divisor and a difference."""
    if prime < 10:
        return residue(number, prime)
    rest = number % prime
    return [f"{prime} * {number // prime} = {number - rest}", f"{number} - {number - rest} = {rest}"]


def _factors(rng: random.Random, level: int) -> Content:
    """The prime factors of a number, in ascending order; at most one of them has two digits."""
    low, top = {3: (100, 1500), 4: (500, 4000), 5: (2000, 9999)}[level]
    while True:
        primes = sorted([*rng.choices((2, 2, 2, 3, 3, 5, 7), k=rng.randint(2, level + 2)), rng.choice(PRIMES[:11])])
        number = prod(primes)
        if low <= number <= top:
            break
    steps, left = [], number
    for prime in primes[:-1]:
        steps.append(f"{left} = {prime} * {left // prime}")
        left //= prime
    if rng.random() < 0.5:
        return Content("largest_factor", {"number": number}, tuple(steps), str(left))
    answer = " * ".join(map(str, primes))
    if len(primes) > 2:
        steps.append(f"{number} = {answer}")
    return Content("factors", {"number": number}, tuple(steps), answer)


def _power(rng: random.Random, level: int) -> Content:
    """A power modulo a number: repeated squaring, then the product of the squares that the exponent needs."""
    modulus = rng.choice((5, 7, 11, 13) if level == 3 else (7, 11, 13))
    exponent = rng.randint(*{3: (3, 15), 4: (16, 63), 5: (128, 511)}[level])
    base = rng.randint(2, modulus - 1)

    def reduced(power: int, expression: str, value: int) -> str:
        middle = f" = {value} mod {modulus}" if value >= modulus else ""
        return f"{base}^{power} mod {modulus} = {expression} mod {modulus}{middle} = {value % modulus}"

    steps, squares, power = [], {1: base}, 1
    while 2 * power <= exponent:
        value = squares[power]
        power *= 2
        squares[power] = value * value % modulus
        steps.append(reduced(power, f"{value} * {value}", value * value))
    total, *others = [size for size in sorted(squares, reverse=True) if exponent & size]
    result = squares[total]
    for size in others:
        total += size
        steps.append(reduced(total, f"{result} * {squares[size]}", result * squares[size]))
        result = result * squares[size] % modulus
    slots: dict[str, Slot] = {"base": base, "exponent": exponent, "modulus": modulus}
    return Content("power", slots, tuple(steps), str(result))


TEMPLATES_BY_LEVEL: dict[int, tuple[ContentTemplate, ...]] = {
    1: (_gcd, _remainder, _divisible),
    2: (_gcd, _lcm, _prime, _remainder, _divisible),
    3: (_gcd, _lcm, _prime, _factors, _power),
    4: (_gcd, _lcm, _prime, _factors, _power),
    5: (_gcd, _lcm, _prime, _factors, _power),
}
