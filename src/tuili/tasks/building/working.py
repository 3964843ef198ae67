"""Written working: the lines that break a large calculation into elementary ones, as on paper.

Every function returns its lines in one canonical order. Most return no lines for a calculation that is already
elementary. This module handles only numbers; `quantities` and each domain add the names and units of results.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

LARGEST_FACT = 100
"""The largest number whose remainder needs no working if `euclid` takes remainders as facts."""
_DIVISOR_OF_PERCENT = {50: 2, 25: 4, 20: 5, 10: 10}


def _places(number: int) -> list[int]:
    """The values of the non-zero digits of a positive number: 304 → [300, 4]."""
    digits = str(number)
    return [int(digit) * 10 ** (len(digits) - 1 - i) for i, digit in enumerate(digits) if digit != "0"]


def long_multiplication(a: int, b: int) -> list[str]:
    """The product of two positive numbers by the digits of the shorter one: partial products, then their sums.

    `long_multiplication(23, 14)` → `23 * 10 = 230`, `23 * 4 = 92`, `230 + 92 = 322`. No lines if a factor has only one
    non-zero digit.
    """
    whole, split = (b, a) if len(_places(a)) < len(_places(b)) else (a, b)
    places = _places(split)
    if len(places) == 1:
        return []
    lines = [f"{whole} * {place} = {whole * place}" for place in places]
    return lines + running_sums([whole * place for place in places])


def grid_multiplication(a: int, b: int) -> list[str]:
    """The product of two positive numbers by the digits of both: a product for each pair of digits, then their sums.

    `grid_multiplication(87, 5)` → `80 * 5 = 400`, `7 * 5 = 35`, `400 + 35 = 435`. No lines if both factors have only
    one non-zero digit, or if one factor is a power of ten.
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
    """The lines of `grid_multiplication` if it has at most four products, else those of `long_multiplication`."""
    return (grid_multiplication if len(_places(a)) * len(_places(b)) <= 4 else long_multiplication)(a, b)


def exact_division(dividend: int, divisor: int) -> list[str]:
    """Long division of a dividend that the divisor divides. It ends when only zeros are left.

    `exact_division(435, 5)` → `43 = 5 * 8 + 3`, `35 = 5 * 7 + 0`; `exact_division(350, 5)` → `35 = 5 * 7 + 0`. No lines
    if the quotient has one digit, as in `84 / 12`, or if the divisor is a power of ten.
    """
    if dividend < 10 * divisor or str(divisor).strip("0") == "1":
        return []
    quotient = str(dividend // divisor)
    zeros = len(quotient) - len(quotient.rstrip("0"))
    return long_division(dividend // 10**zeros, divisor)


def long_division(dividend: int, divisor: int) -> list[str]:
    """A division with one line for each digit of the quotient, or two lines if the divisor has several digits.

    `long_division(437, 5)` → `43 = 5 * 8 + 3`, `37 = 5 * 7 + 2`. `long_division(93, 13)` → `13 * 7 = 91`,
    `93 - 91 = 2`.
    """
    lines: list[str] = []
    rest = 0
    for figure in str(dividend):
        here = rest * 10 + int(figure)
        part, rest = divmod(here, divisor)
        if not part and not lines:
            continue
        if divisor < 10:
            lines.append(f"{here} = {divisor} * {part} + {rest}")
        else:
            lines += [f"{divisor} * {part} = {here - rest}", f"{here} - {here - rest} = {rest}"]
    return lines


def worked_division(dividend: int, divisor: int) -> list[str]:
    """The lines of `long_division`, then the whole division `437 = 5 * 87 + 2`, unless it is already the only line."""
    lines = long_division(dividend, divisor)
    whole = f"{dividend} = {divisor} * {dividend // divisor} + {dividend % divisor}"
    return lines if lines == [whole] else [*lines, whole]


def cancel(numerator: int, denominator: int, *, fully: bool = False) -> tuple[list[str], str]:
    """The lines that reduce a fraction to lowest terms, and the equation of its forms.

    `cancel(14, 21)` → [`21 mod 14 = 7`, `14 mod 7 = 0`, `gcd(21, 14) = 7`, `14 / 7 = 2`, `21 / 7 = 3`] and
    `14/21 = 2/3`. Euclid's algorithm comes first even if it finds no common factor, because a solver does not know that
    beforehand; only a fraction with a 1 needs no algorithm. `fully` has the same meaning as for `euclid`.
    """
    form = f"{numerator}/{denominator}"
    if 1 in (numerator, denominator):
        return [], form
    common = gcd(numerator, denominator)
    lines = euclid(max(numerator, denominator), min(numerator, denominator), fully=fully, facts=True)
    if common == 1:
        return lines, form
    for number in (numerator, denominator):
        lines += [*exact_division(number, common), f"{number} / {common} = {number // common}"]
    return lines, f"{form} = {numerator // common}/{denominator // common}"


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


def euclid(a: int, b: int, *, fully: bool = False, facts: bool = False) -> list[str]:
    """Euclid's algorithm for a ≥ b > 0, up to the remainder 0 or 1, and the gcd at the end.

    Each remainder is a difference, or the result of a long division if the quotient has several digits. `fully` also
    writes the working of each product. With `facts`, numbers up to 100 take one line: `84 mod 8 = 4`.
    """
    steps, larger, smaller = [], a, b
    while smaller > 1:
        quotient, rest = divmod(larger, smaller)
        if facts and larger <= LARGEST_FACT:
            steps.append(f"{larger} mod {smaller} = {rest}")
        elif smaller < 10 <= quotient:
            steps += residue(larger, smaller)
        elif quotient >= 10:
            steps += long_division(larger, smaller)
        else:
            if quotient > 1:
                steps += worked_product(smaller, quotient) if fully else [f"{smaller} * {quotient} = {larger - rest}"]
            steps.append(f"{larger} - {larger - rest} = {rest}")
        larger, smaller = smaller, rest
    return [*steps, f"gcd({a}, {b}) = {smaller or larger}"]
