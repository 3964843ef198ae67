"""The traced numbers of a chain, as the rules of written work see them: digits, years, months, prime numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from math import isqrt
from typing import Any

from tuili.steps.sources.numbers import Key
from tuili.steps.sources.stated import YEARS

MAX_PLACES = 40
"""The maximum number of digits of a number whose digits are used."""
MAX_BASES = 200
"""The maximum number of whole numbers that a rule examines: the latest ones."""
LARGEST_DIGIT = 9
_LARGEST = 10**MAX_PLACES
_YEARS = range(1000, 10_000)
_LARGEST_PRIME = 10**6


@dataclass(frozen=True)
class Reach:
    """The traced numbers so far (`known`), and what the prompt's words allow.

    `multipliers` are the factors by which one equation of the prompt is multiplied to subtract it from another: whole
    quotients of their numbers, each with its dividend.
    """

    known: dict[Key, Any]
    constants: Mapping[Key, str]
    rules: frozenset[str]
    multipliers: Mapping[int, int]

    def has(self, number: int) -> bool:
        """Whether a number is traced or a stated constant."""
        return number in self.known or number in self.constants

    def wholes(self) -> list[int]:
        """The latest traced whole numbers, the last one first."""
        wholes = (key for key in reversed(self.known) if isinstance(key, int) and 0 < key < _LARGEST)
        return list(islice(wholes, MAX_BASES))

    def with_digits(self) -> Iterator[int]:
        """The whole numbers with usable digits: traced ones; for years also the last two digits and the next year."""
        yield from self.wholes()
        for year in self._years():
            yield from (year, year % 100, year + 1, (year + 1) % 100)

    def _years(self) -> Iterator[int]:
        """The years of the traced dates and, in a problem about years, the numbers that may be years."""
        plain = YEARS in self.rules
        for key in islice(reversed(self.known), MAX_BASES):
            if isinstance(key, tuple):
                if key[0] in ("date", "month"):
                    yield key[1]
            elif plain and isinstance(key, int) and key in _YEARS:
                yield key

    def year_of(self, number: int) -> int | None:
        """The year for which a number is that year or the next, in full or as two digits; None if there is none."""
        years = self._years()
        return next((year for year in years if number in (year, year + 1, year % 100, (year + 1) % 100)), None)

    def has_month_beside(self, key: Key) -> bool:
        """Whether a key is the month of a traced date, or the month before or after it."""
        if not isinstance(key, tuple) or key[0] != "month":
            return False
        latest = islice(reversed(self.known), MAX_BASES)
        dates = (other for other in latest if isinstance(other, tuple) and other[0] in ("date", "month"))
        return any(abs(12 * (key[1] - other[1]) + key[2] - other[2]) <= 1 for other in dates)

    def ending_trial_division(self, number: int) -> int | None:
        """The traced number for which `number` is the first prime whose square exceeds it, else None."""
        if not is_prime(number):
            return None
        below = next((prime for prime in range(number - 1, 1, -1) if is_prime(prime)), 1)
        return next((base for base in self.wholes() if below * below <= base < number * number), None)


@lru_cache(maxsize=4096)
def place_values(number: int) -> frozenset[int]:
    """The values of the digits of a whole number: 304 has 300 and 4."""
    digits = str(number)
    return frozenset(int(digit) * 10 ** (len(digits) - 1 - at) for at, digit in enumerate(digits) if digit not in "-0")


def divides(digit: int, number: int) -> bool:
    """Whether a one-digit number, not 0 or 1, divides another number."""
    return 1 < digit <= LARGEST_DIGIT and number % digit == 0


def is_tried(divisor: int, number: int) -> bool:
    """Whether the search for factors of a number tries a divisor."""
    return divides(divisor, number) or (divisor * divisor <= number and is_prime(divisor))


@lru_cache(maxsize=4096)
def is_prime(number: int) -> bool:
    """Whether a number is prime. A number larger than what is tried by hand counts as not prime."""
    return 1 < number < _LARGEST_PRIME and all(number % divisor for divisor in range(2, isqrt(number) + 1))
