"""Written working: the lines that break one large calculation into elementary ones, as on paper.

Only numbers live here; each domain states the result in its own names and units. Every function returns its
lines in one canonical order, and no line when the calculation is elementary as it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

_SHARES = {50: 2, 25: 4, 20: 5, 10: 10}


def _places(number: int) -> list[int]:
    """A positive number by its places: 304 → [300, 4]."""
    digits = str(number)
    return [int(digit) * 10 ** (len(digits) - 1 - i) for i, digit in enumerate(digits) if digit != "0"]


def long_multiplication(a: int, b: int) -> list[str]:
    """Partial products of two positive numbers that both have two or more non-zero digits, and their sums.

    `product(23, 14)` → `23 * 10 = 230`, `23 * 4 = 92`, `230 + 92 = 322`: the shorter factor is split.
    """
    whole, split = (b, a) if len(_places(a)) < len(_places(b)) else (a, b)
    places = _places(split)
    if len(places) == 1:
        return []
    lines = [f"{whole} * {place} = {whole * place}" for place in places]
    return lines + running_sums([whole * place for place in places])


def grid_multiplication(a: int, b: int) -> list[str]:
    """Every place of one positive number times every place of the other, and the running sums of these products.

    `times(87, 5)` → `80 * 5 = 400`, `7 * 5 = 35`, `400 + 35 = 435`; no line where one is a power of ten.
    """
    if any(number.strip("0") == "1" for number in (str(a), str(b))):
        return []
    pairs = [(x, y) for x in _places(a) for y in _places(b)]
    lines = [f"{x} * {y} = {x * y}" for x, y in pairs]
    return lines + running_sums([x * y for x, y in pairs]) if len(pairs) > 1 else []


def worked_product(a: int, b: int) -> list[str]:
    """`times`, and then the product itself: `worked_product(12, 3)` ends with `12 * 3 = 36`."""
    return [*grid_multiplication(a, b), f"{a} * {b} = {a * b}"]


def multiplication(a: int, b: int) -> list[str]:
    """`times` where that makes at most four products, else `product`."""
    return (grid_multiplication if len(_places(a)) * len(_places(b)) <= 4 else long_multiplication)(a, b)


def exact_division(dividend: int, divisor: int) -> list[str]:
    """Long division by one digit that leaves nothing over.

    `quotient(435, 5)` → `43 = 5 * 8 + 3`, `35 = 5 * 7 + 0`; no line where one fact is enough, as in `350 / 5`.
    """
    elementary = divisor > 9 or len(_places(dividend // divisor)) == 1
    return [] if elementary else long_division(dividend, divisor)


def long_division(dividend: int, divisor: int) -> list[str]:
    """A line for each digit of the quotient: `long_division(437, 5)` → `43 = 5 * 8 + 3`, `37 = 5 * 7 + 2`."""
    lines: list[str] = []
    rest = 0
    for figure in str(dividend):
        here = rest * 10 + int(figure)
        part, rest = divmod(here, divisor)
        if part or lines:
            lines.append(f"{here} = {divisor} * {part} + {rest}")
    return lines


def cancel(numerator: int, denominator: int) -> tuple[list[str], str]:
    """The divisions that bring a fraction to lowest terms, factor after factor, and the chain of its forms.

    `cancel(16, 22)` → `16 / 2 = 8`, `22 / 2 = 11` and `16/22 = 8/11`. A factor is the largest common one of one
    digit, or else the whole common divisor.
    """
    lines: list[str] = []
    forms = [f"{numerator}/{denominator}"]
    while (common := gcd(numerator, denominator)) > 1:
        factor = next((digit for digit in range(9, 1, -1) if common % digit == 0), common)
        for number in (numerator, denominator):
            lines += [*exact_division(number, factor), f"{number} / {factor} = {number // factor}"]
        numerator, denominator = numerator // factor, denominator // factor
        forms.append(f"{numerator}/{denominator}")
    return lines, " = ".join(forms)


def running_sums(terms: Sequence[int], unit: str = "") -> list[str]:
    """The running sums of the terms: `total([5, 7, 9])` → `5 + 7 = 12`, `12 + 9 = 21`."""
    unit = unit and f" {unit}"
    lines, running = [], terms[0]
    for term in terms[1:]:
        lines.append(f"{running}{unit} + {term}{unit} = {running + term}{unit}")
        running += term
    return lines


def residue(number: int, modulus: int) -> list[str]:
    """`number mod modulus` for one digit of modulus, by long division.

    `residue(82, 7)` → `8 = 7 * 1 + 1`, `12 = 7 * 1 + 5`, `82 mod 7 = 5`.
    """
    return [*long_division(number, modulus), f"{number} mod {modulus} = {number % modulus}"]


def percentage(percent: int, number: int) -> list[str]:
    """A round percentage of a number that it divides: `25% * 120 = 120 / 4 = 30`; 30% goes by way of 10%."""
    if percent in _SHARES:
        share = _SHARES[percent]
        return [f"{percent}% * {number} = {number} / {share} = {number // share}"]
    tenth = number // 10
    return [
        f"10% * {number} = {number} / 10 = {tenth}",
        f"{percent}% * {number} = {tenth} * {percent // 10} = {number * percent // 100}",
    ]


def euclid(a: int, b: int, *, fully: bool = False) -> list[str]:
    """Euclid's algorithm for a > b > 0, each remainder as a difference, and the gcd it ends with.

    `fully` breaks every product up.
    """
    steps, larger, smaller = [], a, b
    while smaller:
        multiple = larger - larger % smaller
        if multiple > smaller:
            steps += grid_multiplication(smaller, multiple // smaller) if fully else []
            steps.append(f"{smaller} * {multiple // smaller} = {multiple}")
        steps.append(f"{larger} - {multiple} = {larger - multiple}")
        larger, smaller = smaller, larger - multiple
    return [*steps, f"gcd({a}, {b}) = {larger}"]


def combinations(n: int, k: int, *, fully: bool = False) -> list[str]:
    """C(n, k) from C(n, 2) up: each line multiplies by the next smaller factor and divides by the next place.

    `combinations(7, 3)` → `C(7, 2) = 7 * 6 / 2 = 42 / 2 = 21`, `C(7, 3) = 21 * 5 / 3 = 105 / 3 = 35`.
    Needs 0 ≤ k ≤ n; a k beyond n / 2 goes by way of the complement. `fully` writes every product and quotient out.
    """
    if 2 * k > n > k:
        inverse = combinations(n, n - k, fully=fully)
        return [*inverse, f"C({n}, {k}) = C({n}, {n - k}) = {inverse[-1].rpartition(' ')[2]}"]
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
    return lines
