"""Units of measurement: their spelling, their size in base units, and their dimension. All factors are exact.

`values.arithmetic` computes with quantities.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

BASE_UNITS = ("m", "kg", "s", "A", "K", "mol", "deg", "dollar")
MAX_FACTORS = 8
"""The maximum number of symbols in one unit: `J/(kg*K)` has three."""
Dimension = tuple[int, ...]
"""The power of each of `BASE_UNITS`, in their order."""
DIMENSIONLESS: Dimension = (0,) * len(BASE_UNITS)
_PREFIXES = {
    "G": Fraction(10**9),
    "M": Fraction(10**6),
    "k": Fraction(10**3),
    "m": Fraction(1, 10**3),
    "u": Fraction(1, 10**6),
    "n": Fraction(1, 10**9),
}
_FACTOR = re.compile(r"([A-Za-z]+)(?:\^(-?[1-9][0-9]?)(?![0-9]))?")


@dataclass(frozen=True, slots=True)
class Unit:
    """A product of powers of unit symbols. Those with positive powers come first."""

    factors: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        """`m/s^2`, `J/(kg*K)`; a unit without a numerator is written with negative powers, `s^-1`."""
        if all(power < 0 for _, power in self.factors):
            return "*".join(f"{symbol}^{power}" for symbol, power in self.factors)
        over = [_power(symbol, power) for symbol, power in self.factors if power > 0]
        under = [_power(symbol, -power) for symbol, power in self.factors if power < 0]
        text = "*".join(over)
        if not under:
            return text
        return f"{text}/{under[0]}" if len(under) == 1 else f"{text}/({'*'.join(under)})"


def _power(symbol: str, power: int) -> str:
    return symbol if power == 1 else f"{symbol}^{power}"


def _dimension(**powers: int) -> Dimension:
    return tuple(powers.get(base, 0) for base in BASE_UNITS)


def _table() -> dict[str, tuple[Fraction, Dimension]]:
    length, mass, time = _dimension(m=1), _dimension(kg=1), _dimension(s=1)
    energy, area, volume = _dimension(kg=1, m=2, s=-2), _dimension(m=2), _dimension(m=3)
    metric = {
        "m": (Fraction(1), length),
        "g": (Fraction(1, 1000), mass),
        "s": (Fraction(1), time),
        "A": (Fraction(1), _dimension(A=1)),
        "N": (Fraction(1), _dimension(kg=1, m=1, s=-2)),
        "J": (Fraction(1), energy),
        "W": (Fraction(1), _dimension(kg=1, m=2, s=-3)),
        "Wh": (Fraction(3600), energy),
        "Pa": (Fraction(1), _dimension(kg=1, m=-1, s=-2)),
        "V": (Fraction(1), _dimension(kg=1, m=2, s=-3, A=-1)),
        "ohm": (Fraction(1), _dimension(kg=1, m=2, s=-3, A=-2)),
        "C": (Fraction(1), _dimension(A=1, s=1)),
        "F": (Fraction(1), _dimension(kg=-1, m=-2, s=4, A=2)),
        "Hz": (Fraction(1), _dimension(s=-1)),
        "L": (Fraction(1, 1000), volume),
        "mol": (Fraction(1), _dimension(mol=1)),
    }
    table = dict(metric)
    for prefix, scale in _PREFIXES.items():
        for symbol, (size, dimension) in metric.items():
            table[prefix + symbol] = (scale * size, dimension)
    spelled = {
        "minute min": (Fraction(60), time),
        "hour h": (Fraction(3600), time),
        "day d": (Fraction(86400), time),
        "week": (Fraction(604800), time),
        "second": (Fraction(1), time),
        "inch": (Fraction(254, 10_000), length),
        "foot ft": (Fraction(3048, 10_000), length),
        "yard yd": (Fraction(9144, 10_000), length),
        "mile mi": (Fraction(1_609_344, 1000), length),
        "ounce oz": (Fraction(45_359_237, 1_600_000_000), mass),
        "pound lb": (Fraction(45_359_237, 100_000_000), mass),
        "dollar": (Fraction(1), _dimension(dollar=1)),
        "cent": (Fraction(1, 100), _dimension(dollar=1)),
    }
    irregular = {"inch": "inches", "foot": "feet"}
    for spellings, entry in spelled.items():
        word, *short = spellings.split()
        table.update(dict.fromkeys((word, irregular.get(word, word + "s"), *short), entry))
    table |= {
        "cm": (Fraction(1, 100), length),
        "dm": (Fraction(1, 10), length),
        "dL": (Fraction(1, 10_000), volume),
        "cL": (Fraction(1, 100_000), volume),
        "t": (Fraction(1000), mass),
        "ha": (Fraction(10_000), area),
        "K": (Fraction(1), _dimension(K=1)),
        "deg": (Fraction(1), _dimension(deg=1)),
    }
    return table


UNITS = _table()
"""The size in base units, and the dimension, of every unit symbol and word."""


def match_unit(line: str, start: int) -> tuple[Unit, int] | None:
    """The longest unit without spaces that begins at position `start` of a line, and the position where it ends.

    None if no unit begins there.
    """
    first = _FACTOR.match(line, start)
    if first is None or first[1] not in UNITS:
        return None
    factors = [(first[1], int(first[2] or 1))]
    end = first.end()
    while end < len(line) and line[end] in "*/":
        sign = 1 if line[end] == "*" else -1
        grouped = sign < 0 and line.startswith("(", end + 1)
        group, stop = _match_factors(line, end + 2) if grouped else _match_factors(line, end + 1, single=True)
        unclosed = grouped and not line.startswith(")", stop)
        if not group or unclosed or len(factors) + len(group) > MAX_FACTORS:
            break
        factors += [(symbol, sign * power) for symbol, power in group]
        end = stop + grouped
    return Unit(tuple(sorted(factors, key=lambda factor: factor[1] < 0))), end


def _match_factors(line: str, start: int, single: bool = False) -> tuple[list[tuple[str, int]], int]:
    factors: list[tuple[str, int]] = []
    end = start
    while (factor := _FACTOR.match(line, end)) and factor[1] in UNITS:
        factors.append((factor[1], int(factor[2] or 1)))
        end = factor.end()
        if single or not line.startswith("*", end):
            break
        end += 1
    return factors, end


@lru_cache(maxsize=1024)
def conversion(unit: Unit) -> tuple[Fraction, Dimension]:
    """The size of a unit in base units, and its dimension."""
    size, dimension = Fraction(1), list(DIMENSIONLESS)
    for symbol, power in unit.factors:
        symbol_size, symbol_dimension = UNITS[symbol]
        size *= symbol_size**power
        dimension = [total + power * part for total, part in zip(dimension, symbol_dimension, strict=True)]
    return size, tuple(dimension)
