"""Conjectures: claims about integers that fail for one of the first few integers, as trials show."""

from __future__ import annotations

import random

from tuili.tasks.domains.proofs.theorem import Statement, powers, total

NAMES = tuple("nmkpjh")
_LATEST = {3: (1, 3), 4: (3, 5), 5: (4, 6)}
"""Bounds, by level, of the latest trial at which a claim fails, counted from 0. It may fail at an earlier trial."""


def bounded_growth(rng: random.Random, level: int) -> Statement:
    """`2^n <= 3*n + 5`."""
    n, base, fails = rng.choice(NAMES), rng.randint(2, 3), rng.randint(*_LATEST[level])
    low = rng.randint(0, 3)
    last = low + fails
    slope = max(1, (base ** (last - 1) - base**low) // max(1, fails - 1)) + rng.randint(0, 2)
    constant = base**last - 1 - slope * last - rng.randint(0, max(0, base**last - base ** (last - 1) - slope - 1) // 2)
    return Statement(f"{n} >= {low}", f"{base}^{n}", total([(slope, n), (constant, "")]), "<=", integers=True)


def bounded_square(rng: random.Random, level: int) -> Statement:
    """`n^2 <= 5*n + 3`."""
    n, fails, low = rng.choice(NAMES), rng.randint(*_LATEST[level]), rng.randint(0, 6)
    last, factor = low + fails, rng.randint(1, 4)
    slope = factor * (low + last - 1) + rng.randint(0, 2)
    constant = factor * last**2 - 1 - slope * last
    return Statement(
        f"{n} >= {low}", total([(factor, f"{n}^2")]), total([(slope, n), (constant, "")]), "<=", integers=True
    )


def never_divisible(rng: random.Random, level: int) -> Statement:
    """`(n^2 + n + 11) mod 13 != 0`."""
    n, fails, low = rng.choice(NAMES), rng.randint(*_LATEST[level]), rng.randint(0, 5)
    last, a, b = low + fails, rng.randint(1, 3), rng.randint(0, 9)
    modulus = rng.randint(7, 31)
    constant = -(a * last * last + b * last) % modulus
    return Statement(f"{n} >= {low}", f"({powers((a, b, constant), n)}) mod {modulus}", "0", "!=", integers=True)
