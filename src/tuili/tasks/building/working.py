"""Written working: the lines that break a large calculation into elementary ones, as on paper.

Every function returns its lines in one canonical order. Most return no line for a calculation that is elementary as
it stands. Only numbers are handled here; names and units of the result are left to `quantities` and to each domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

_DIVISOR_OF_PERCENT = {50: 2, 25: 4, 20: 5, 10: 10}


def _places(number: int) -> list[int]:
    """The values of the non-zero digits of a positive number: 304 → [300, 4]."""
    digits = str(number)
    return [int(digit) * 10 ** (len(digits) - 1 - i) for i, digit in enumerate(digits) if digit != "0"]


def long_multiplication(a: int, b: int) -> list[str]:
    """The product of two positive numbers by the digits of the shorter one: partial products, then their sums.

    `long_multiplication(23, 14)` → `23 * 10 = 230`, `23 * 4 = 92`, `230 + 92 = 322`. No line where a factor has only
    one non-zero digit.
    """
    whole, split = (b, a) if len(_places(a)) < len(_places(b)) else (a, b)
    places = _places(split)
    if len(places) == 1:
        return []
    lines = [f"{whole} * {place} = {whole * place}" for place in places]
    return lines + running_sums([whole * place for place in places])


def grid_multiplication(a: int, b: int) -> list[str]:
    """The product of two positive numbers by the digits of both: a product for each pair of digits, then their sums.

    `grid_multiplication(87, 5)` → `80 * 5 = 400`, `7 * 5 = 35`, `400 + 35 = 435`. No line where both factors have only
    one non-zero digit, or where one factor is a power of ten.
    """
    if any(number.strip("0") == "1" for number in (str(a), str(b))):
        return []
    pairs = [(x, y) for x in _places(a) for y in _places(b)]
    lines = [f"{x} * {y} = {x * y}" for x, y in pairs]
    return lines + running_sums([x * y for x, y in pairs]) if len(pairs) > 1 else []


def worked_product(a: int, b: int) -> list[str]:
    """The lines of `grid_multiplication`, then the whole product: `worked_product(12, 3)` ends with `12 * 3 = 36`."""
    return [*grid_multiplication(a, b), f"{a} * {b} = {a * b}"]


def multiplication(a: int, b: int) -> list[str]:
    """The lines of `grid_multiplication` where it has at most four products, else those of `long_multiplication`."""
    return (grid_multiplication if len(_places(a)) * len(_places(b)) <= 4 else long_multiplication)(a, b)


def exact_division(dividend: int, divisor: int) -> list[str]:
    """Long division by one digit, for a dividend that the divisor divides.

    `exact_division(435, 5)` → `43 = 5 * 8 + 3`, `35 = 5 * 7 + 0`. No line where the quotient has only one non-zero
    digit, as in `350 / 5`, or where the divisor has more than one digit.
    """
    elementary = divisor > 9 or len(_places(dividend // divisor)) == 1
    return [] if elementary else long_division(dividend, divisor)


def long_division(dividend: int, divisor: int) -> list[str]:
    """A division with a line for each digit of the quotient.

    `long_division(437, 5)` → `43 = 5 * 8 + 3`, `37 = 5 * 7 + 2`.
    """
    lines: list[str] = []
    rest = 0
    for figure in str(dividend):
        here = rest * 10 + int(figure)
        part, rest = divmod(here, divisor)
        if part or lines:
            lines.append(f"{here} = {divisor} * {part} + {rest}")
    return lines


def cancel(numerator: int, denominator: int) -> tuple[list[str], str]:
    """The divisions that reduce a fraction to lowest terms, and the equation of the forms that it takes.

    `cancel(16, 22)` → [`16 / 2 = 8`, `22 / 2 = 11`] and `16/22 = 8/11`. Each division is by the largest common factor
    of one digit, or by the greatest common divisor where there is none.
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
    """The sums of the first two, three, ... terms: `running_sums([5, 7, 9])` → `5 + 7 = 12`, `12 + 9 = 21`."""
    unit = unit and f" {unit}"
    lines, running = [], terms[0]
    for term in terms[1:]:
        lines.append(f"{running}{unit} + {term}{unit} = {running + term}{unit}")
        running += term
    return lines


def residue(number: int, modulus: int) -> list[str]:
    """A remainder by long division; the modulus has one digit.

    `residue(82, 7)` → `8 = 7 * 1 + 1`, `12 = 7 * 1 + 5`, `82 mod 7 = 5`.
    """
    return [*long_division(number, modulus), f"{number} mod {modulus} = {number % modulus}"]


def percentage(percent: int, number: int) -> list[str]:
    """25% or a multiple of 10% of a number, for a whole result.

    `percentage(25, 120)` → `25% * 120 = 120 / 4 = 30`. 10, 20, 25 and 50% take one division; any other percentage is a
    multiple of 10%.
    """
    if percent in _DIVISOR_OF_PERCENT:
        divisor = _DIVISOR_OF_PERCENT[percent]
        return [f"{percent}% * {number} = {number} / {divisor} = {number // divisor}"]
    tenth = number // 10
    return [
        f"10% * {number} = {number} / 10 = {tenth}",
        f"{percent}% * {number} = {tenth} * {percent // 10} = {number * percent // 100}",
    ]


def euclid(a: int, b: int, *, fully: bool = False) -> list[str]:
    """Euclid's algorithm for a > b > 0: each remainder as a difference, and the gcd at the end.

    `fully` also writes the working of each product.
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
    """C(n, k) for 0 ≤ k ≤ n, from C(n, 2) up: C(n, j) is C(n, j - 1) times n - j + 1, divided by j.

    `combinations(7, 3)` → `C(7, 2) = 7 * 6 / 2 = 42 / 2 = 21`, `C(7, 3) = 21 * 5 / 3 = 105 / 3 = 35`. A k beyond n / 2
    is replaced by n - k. `fully` also writes the working of each product and quotient.
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
