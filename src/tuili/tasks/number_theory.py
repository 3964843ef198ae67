"""Number theory: remainders, Euclid's algorithm, least common multiples, trial division and modular powers.

Every division is written as a product taken off, so that each step is one elementary operation.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from math import gcd, lcm, prod

from tuili.tasks.problem import Draft
from tuili.tasks.registry import domain
from tuili.tasks.wording import conjoin, yes_no
from tuili.tasks.working import product, remainder

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43)


@domain("number_theory", phase=2)
class NumberTheory:
    """Remainders, divisibility, gcd, lcm, primality, factorisation and modular powers."""

    def sample(self, rng: random.Random, level: int) -> Draft:
        return rng.choice(KINDS[level])(rng, level)


def euclid(a: int, b: int) -> list[str]:
    """Euclid's algorithm for a > b > 0, each remainder as a difference, and the gcd it ends with."""
    steps, larger, smaller = [], a, b
    while smaller:
        multiple = larger - larger % smaller
        if multiple > smaller:
            steps.append(f"{smaller} * {multiple // smaller} = {multiple}")
        steps.append(f"{larger} - {multiple} = {larger - multiple}")
        larger, smaller = smaller, larger - multiple
    return [*steps, f"gcd({a}, {b}) = {larger}"]


def _two(rng: random.Random, top: int, factor: int) -> tuple[int, int]:
    """Two different numbers up to `top`, the larger first, neither a multiple of the other, with a common factor."""
    while True:
        common = rng.randint(1, factor)
        b, a = sorted(common * rng.randint(2, max(3, top // common)) for _ in range(2))
        if b > 3 and a <= top and a % b:
            return a, b


def _gcd(rng: random.Random, level: int) -> Draft:
    top, factor = {1: (60, 12), 2: (200, 20), 3: (1200, 40), 4: (3000, 60), 5: (9999, 90)}[level]
    a, b = _two(rng, top, factor)
    wording = rng.choice(
        ("What is the greatest common divisor of {} and {}?", "Compute gcd({}, {}).", "Find the largest number that divides both {} and {}.")
    )
    return Draft(wording.format(*rng.sample((a, b), 2)), tuple(euclid(a, b)), str(gcd(a, b)))


def _lcm(rng: random.Random, level: int) -> Draft:
    top, factor = {2: (40, 8), 3: (110, 12), 4: (200, 15), 5: (400, 20)}[level]
    a, b = _two(rng, top, factor)
    common = gcd(a, b)
    steps = euclid(a, b)
    if common > 1:
        steps.append(f"{a} / {common} = {a // common}")
    steps += product(a // common, b)
    steps.append(f"lcm({a}, {b}) = {a // common} * {b} = {lcm(a, b)}")
    wording = rng.choice(("What is the least common multiple of {} and {}?", "Compute lcm({}, {})."))
    return Draft(wording.format(*rng.sample((a, b), 2)), tuple(steps), str(lcm(a, b)))


def _remainder(rng: random.Random, level: int) -> Draft:
    number, modulus = rng.randint(20, (0, 299, 999, 9999, 99999)[level]), rng.randint(3, 9)
    wording = rng.choice(("What is the remainder when {} is divided by {}?", "Compute {} mod {}."))
    return Draft(wording.format(number, modulus), tuple(remainder(number, modulus)), str(number % modulus))


def _divisible(rng: random.Random, level: int) -> Draft:
    """Half of the numbers are multiples."""
    divisor, truth = rng.randint(3, 9), rng.random() < 0.5
    multiple = divisor * rng.randint(5, 299 // divisor if level == 1 else 999 // divisor)
    number = multiple if truth else multiple + rng.randint(1, divisor - 1)
    wording = rng.choice(("Is {} divisible by {}? Answer yes or no.", "Does {1} divide {0}? Answer yes or no."))
    return Draft(wording.format(number, divisor), tuple(remainder(number, divisor)), yes_no(truth))


def _prime(rng: random.Random, level: int) -> Draft:
    """Half of the numbers are primes; the others have any smallest factor that can occur."""
    low, top = {2: (30, 168), 3: (100, 500), 4: (300, 960), 5: (700, 1680)}[level]
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
    wording = rng.choice(("Is {} a prime number? Answer yes or no.", "Is {} prime? Answer yes or no."))
    return Draft(wording.format(number), tuple(steps), yes_no(truth))


def _trial(number: int, prime: int) -> list[str]:
    """The remainder of a trial division; a divisor with two digits needs its multiple written out."""
    if prime < 10:
        return remainder(number, prime)
    rest = number % prime
    return [f"{prime} * {number // prime} = {number - rest}", f"{number} - {number - rest} = {rest}"]
