"""The working of permutations, factorials and binomial coefficients: products whose factors decrease by one.

A chain lists its factors before it multiplies them, so that each further line takes the next factor. A binomial
coefficient is built up factor by factor, so that every step divides by a small number.
"""

from __future__ import annotations

from math import comb

from tuili.tasks.building.working import exact_division, long_multiplication, worked_product


def combinations(n: int, k: int, *, fully: bool = False) -> list[str]:
    """C(n, k) for 0 ≤ k ≤ n, from C(n, 2) up: C(n, j) is C(n, j - 1) times n - j + 1, divided by j.

    `combinations(7, 3)` → `C(7, 3) = 7 * 6 * 5 / 3!`, `C(7, 2) = 7 * 6 / 2 = 42 / 2 = 21`,
    `C(7, 3) = 21 * 5 / 3 = 105 / 3 = 35`. The first line lists the factors, unless there is only one line. A k greater
    than n / 2 is first replaced by n - k. `fully` also writes the working of each product and quotient.
    """
    if 2 * k > n > k:
        fewer = [f"{n} - {k} = {n - k}", f"C({n}, {k}) = C({n}, {n - k})"]
        return [*fewer, *combinations(n, n - k, fully=fully), f"C({n}, {k}) = {comb(n, k)}"]
    if k < 2 or k == n:
        return [f"C({n}, {k}) = {n if k == 1 else 1}"]
    lines, value = [], n
    for j in range(2, k + 1):
        factor = n - j + 1
        above = value * factor
        if fully:
            lines += [*worked_product(value, factor), *exact_division(above, j)]
        else:
            lines += long_multiplication(value, factor)
        lines.append(f"C({n}, {j}) = {value} * {factor} / {j} = {above} / {j} = {above // j}")
        value = above // j
    if len(lines) == 1:
        return lines
    return [f"C({n}, {k}) = {_descending(n, k)} / {'2' if k == 2 else f'{k}!'}", *lines]


def permutations(n: int, k: int) -> list[str]:
    """P(n, k) for k ≥ 2, with the working of each product: first each factor, then the whole product.

    `permutations(9, 3)` → `9 - 1 = 8`, `9 - 2 = 7`, `P(9, 3) = 9 * 8 * 7`, and the lines of `product_down`.
    """
    factors = [f"{n} - {j} = {n - j}" for j in range(1, k)]
    return [*factors, f"P({n}, {k}) = {_descending(n, k)}", *product_down(n, k)]


def product_down(n: int, k: int) -> list[str]:
    """The product of k ≥ 2 factors from n downwards: `product_down(5, 3)` → `5 * 4 = 20`, `20 * 3 = 60`."""
    lines, value = [], n
    for factor in range(n - 1, n - k, -1):
        lines += worked_product(value, factor)
        value *= factor
    return lines


def factorial(n: int) -> list[str]:
    """n! for n ≥ 3: `factorial(4)` → `4! = 4 * 3 * 2`, `4 * 3 = 12`, `12 * 2 = 24`."""
    return [f"{n}! = {_descending(n, n - 1)}", *product_down(n, n - 1)]


def _descending(n: int, k: int) -> str:
    return " * ".join(map(str, range(n, n - k, -1)))
