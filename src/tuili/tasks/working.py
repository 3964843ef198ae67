"""Written working: the lines that break one large calculation into elementary ones, as on paper.

Only numbers live here; each domain states the result in its own names and units. Every function returns its
lines in one canonical order, and no line when the calculation is elementary as it stands.
"""

from __future__ import annotations

from collections.abc import Sequence

_SHARES = {50: 2, 25: 4, 20: 5, 10: 10}


def _places(number: int) -> list[int]:
    """A positive number by its places: 304 → [300, 4]."""
    digits = str(number)
    return [int(digit) * 10 ** (len(digits) - 1 - i) for i, digit in enumerate(digits) if digit != "0"]


def product(a: int, b: int) -> list[str]:
    """Partial products of two positive numbers that both have two or more non-zero digits, and their sums.

    `product(23, 14)` → `23 * 10 = 230`, `23 * 4 = 92`, `230 + 92 = 322`: the shorter factor is split.
    """
    whole, split = (b, a) if len(_places(a)) < len(_places(b)) else (a, b)
    places = _places(split)
    if len(places) == 1:
        return []
    lines = [f"{whole} * {place} = {whole * place}" for place in places]
    return lines + total([whole * place for place in places])


def total(terms: Sequence[int], unit: str = "") -> list[str]:
    """The running sums of the terms: `total([5, 7, 9])` → `5 + 7 = 12`, `12 + 9 = 21`."""
    unit = unit and f" {unit}"
    lines, running = [], terms[0]
    for term in terms[1:]:
        lines.append(f"{running}{unit} + {term}{unit} = {running + term}{unit}")
        running += term
    return lines


def remainder(number: int, modulus: int) -> list[str]:
    """`number mod modulus` for one digit of modulus: round multiples are taken off down to two digits.

    `remainder(235, 7)` → `235 - 210 = 25`, `235 mod 7 = 25 mod 7 = 4`.
    """
    lines, left = [], number
    for place in (modulus * 100, modulus * 10):
        if left >= 100 and left >= place:
            off = left // place * place
            lines.append(f"{left} - {off} = {left - off}")
            left -= off
    short = "" if left == number else f"{left} mod {modulus} = "
    return [*lines, f"{number} mod {modulus} = {short}{number % modulus}"]


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


def lowest_terms(numerator: int, denominator: int) -> str:
    """The fraction and its cancelled forms, one prime after the other: `12/18 = 6/9 = 2/3`."""
    forms = [f"{numerator}/{denominator}"]
    prime = 2
    while prime <= min(numerator, denominator):
        if numerator % prime == denominator % prime == 0:
            numerator, denominator = numerator // prime, denominator // prime
            forms.append(f"{numerator}/{denominator}")
        else:
            prime += 1
    return " = ".join(forms)


def combinations(n: int, k: int) -> list[str]:
    """C(n, k) from C(n, 2) up: each line multiplies by the next smaller factor and divides by the next place.

    `combinations(7, 3)` → `C(7, 2) = 7 * 6 / 2 = 42 / 2 = 21`, `C(7, 3) = 21 * 5 / 3 = 105 / 3 = 35`.
    Needs 0 ≤ k ≤ n; a k beyond n / 2 goes by way of the complement.
    """
    if 2 * k > n > k:
        inverse = combinations(n, n - k)
        return [*inverse, f"C({n}, {k}) = C({n}, {n - k}) = {inverse[-1].rpartition(' ')[2]}"]
    if k < 2 or k == n:
        return [f"C({n}, {k}) = {n if k == 1 else 1}"]
    lines, value = [], n
    for j in range(2, k + 1):
        factor = n - j + 1
        lines += product(value, factor)
        lines.append(f"C({n}, {j}) = {value} * {factor} / {j} = {value * factor} / {j} = {value * factor // j}")
        value = value * factor // j
    return lines
