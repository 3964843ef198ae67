"""Sums by induction: the base case, the induction step, and the claim for all integers from the base case on."""

from __future__ import annotations

import random

from tuili.tasks.domains.proofs.theorem import Statement, Theorem, total

NAMES = (("n", "k"), ("m", "k"), ("n", "i"), ("m", "j"), ("n", "j"), ("p", "i"), ("h", "k"))


def _induction(n: str, k: str, term: str, value: str, following: str, least: str, *after: str) -> Theorem:
    """The proof that the terms up to `n` add up to `value`; `following` is the next term, and `after` has the forms of
    the next value, of which the last has the form of the claim.
    """
    left = f"sum({term} for {k} from 1 to {n})"
    statement = Statement(f"{n} >= 1", left, value, integers=True)
    more = f" + {following}" if not following.startswith("-") else f" - {following[1:]}"
    forms = " = ".join((value + more, *after))
    step = f"{statement.lead}{left} = {value} -> sum({term} for {k} from 1 to {n} + 1) = {forms}"
    return Theorem(statement, (f"{n} = 1: {left} = {least} = {value}", step, statement.formal))


def arithmetic(rng: random.Random, level: int) -> Theorem:
    """`6*k - 2` adds up to `3*n^2 + n`."""
    (n, k), half, shift = rng.choice(NAMES), rng.randint(1, 12), rng.randint(-9, 20)
    linear = half + shift
    term = total([(2 * half, k), (shift, "")])
    value, after = total([(half, f"{n}^2"), (linear, n)]), total([(half, f"({n} + 1)^2"), (linear, f"({n} + 1)")])
    following = f"({total([(2 * half, f'({n} + 1)'), (shift, '')])})"
    return _induction(n, k, term, value, following, str(2 * half + shift), after)


def halves(rng: random.Random, level: int) -> Theorem:
    """`3*k` adds up to `3*n*(n + 1)/2`."""
    (n, k), factor = rng.choice(NAMES), rng.randint(1, 40)
    term, lead = total([(factor, k)]), total([(factor, n)])
    following = total([(factor, f"({n} + 1)")])
    after = f"{total([(factor, f'({n} + 1)')])}*({n} + 2)/2"
    return _induction(n, k, term, f"{lead}*({n} + 1)/2", following, str(factor), after)


def squares(rng: random.Random, level: int) -> Theorem:
    """`6*k^2` adds up to `n*(n + 1)*(2*n + 1)`."""
    (n, k), factor = rng.choice(NAMES), rng.randint(1, 20)
    lead, after = total([(factor, n)]), total([(factor, f"({n} + 1)")])
    following = total([(6 * factor, f"({n} + 1)^2")])
    right = f"{after}*({n} + 2)*(2*({n} + 1) + 1)"
    value = f"{lead}*({n} + 1)*(2*{n} + 1)"
    return _induction(n, k, f"{6 * factor}*{k}^2", value, following, str(6 * factor), right)


def products(rng: random.Random, level: int) -> Theorem:
    """`3*k*(k + 1)` adds up to `n*(n + 1)*(n + 2)`."""
    (n, k), factor = rng.choice(NAMES), rng.randint(1, 20)
    lead, after = total([(factor, n)]), total([(factor, f"({n} + 1)")])
    following = f"{3 * factor}*({n} + 1)*({n} + 2)"
    value = f"{lead}*({n} + 1)*({n} + 2)"
    return _induction(
        n, k, f"{3 * factor}*{k}*({k} + 1)", value, following, str(6 * factor), f"{after}*({n} + 2)*({n} + 3)"
    )


def cubes(rng: random.Random, level: int) -> Theorem:
    """`4*k^3` adds up to `n^2*(n + 1)^2`."""
    (n, k), factor = rng.choice(NAMES), rng.randint(1, 20)
    value = f"{total([(factor, f'{n}^2')])}*({n} + 1)^2"
    after = f"{total([(factor, f'({n} + 1)^2')])}*({n} + 2)^2"
    following = f"{4 * factor}*({n} + 1)^3"
    between = f"({n} + 1)^2*({total([(factor, f'{n}^2'), (4 * factor, f'({n} + 1)')])})"
    return _induction(n, k, f"{4 * factor}*{k}^3", value, following, str(4 * factor), between, after)


def geometric(rng: random.Random, level: int) -> Theorem:
    """`2*3^k` adds up to `3^(n + 1) - 3`."""
    (n, k), base, factor = rng.choice(NAMES), rng.randint(2, 9), rng.randint(1, 9)
    term = f"{total([(factor * (base - 1), f'{base}^{k}')])}"
    value = f"{total([(factor, f'{base}^({n} + 1)')])} - {factor * base}"
    following = total([(factor * (base - 1), f"{base}^({n} + 1)")])
    after = f"{total([(factor, f'{base}^({n} + 2)')])} - {factor * base}"
    return _induction(n, k, term, value, following, str(factor * (base - 1) * base), after)


def growth(rng: random.Random, level: int) -> Theorem:
    """`3^n >= 2*n + 1`, also by induction."""
    n, base = rng.choice("nmkpj"), rng.randint(2, 9)
    least = rng.randint(1, 5)
    slope = rng.randint(1, base**least * (base - 1))
    constant = rng.randint(-(-slope // (base - 1)), base**least) - slope * least
    value, after = total([(slope, n), (constant, "")]), total([(slope, f"({n} + 1)"), (constant, "")])
    statement = Statement(f"{n} >= {least}", f"{base}^{n}", value, ">=", integers=True)
    step = (
        f"{statement.lead}{base}^{n} >= {value} -> {base}^({n} + 1) = {base}*{base}^{n} >= {base}*({value}) >= {after}"
    )
    first = f"{n} = {least}: {base}^{n} = {base**least} >= {slope * least + constant} = {value}"
    return Theorem(statement, (first, step, statement.formal))
