"""Writes values canonically, or as a given term writes them: in its units, as decimals if it has decimals.

`language.printer` writes terms and whole steps.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from fractions import Fraction

from tuili.steps.language.grammar import WEEKDAYS
from tuili.steps.language.terms import Measure, Number, Term, children
from tuili.steps.language.units import Unit, conversion
from tuili.steps.values.values import Quantity, TimeOfDay, Value, Weekday, base_unit

MAX_DECIMALS = 12
"""A number that needs more decimal places is written as a fraction, unless its terms have more places."""


def render_value(value: Value, unit: Unit | None = None, decimals: int = 0) -> str:
    """The canonical text of a value. A quantity is written in `unit` if that has its dimension, else in base units.

    A number is written as a decimal if at most `decimals` decimal places give it exactly.
    """
    match value:
        case bool():
            return str(value).lower()
        case Fraction():
            return render_number(value, decimals)
        case Quantity():
            if unit is None or conversion(unit)[1] != value.dimension:
                unit = base_unit(value.dimension)
            return f"{render_number(value.amount / conversion(unit)[0], decimals)} {unit}"
        case datetime.date():
            return value.isoformat()
        case Weekday():
            return WEEKDAYS[value.number]
        case TimeOfDay():
            hour, minute, second = value.seconds // 3600, value.seconds // 60 % 60, value.seconds % 60
            return f"{hour:02}:{minute:02}" + (f":{second:02}" if second else "")
        case frozenset():
            items = sorted((render_value(item, unit, decimals) for item in value), key=lambda text: (len(text), text))
            return "{" + ", ".join(items) + "}"
        case tuple():
            return "[" + ", ".join(render_value(item, unit, decimals) for item in value) + "]"


def render_number(value: Fraction, decimals: int = 0) -> str:
    """`7`, `-3/4` or, if at most `decimals` decimal places give the value exactly, `-0.75`."""
    if value.denominator == 1:
        return str(value.numerator)
    places = _places(value.denominator, decimals)
    if not places:
        return f"{value.numerator}/{value.denominator}"
    sign = "-" if value < 0 else ""
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def _places(denominator: int, most: int) -> int:
    """How many decimal places a fraction needs; 0 if `most` places do not give it exactly."""
    return next((places for places in range(1, most + 1) if 10**places % denominator == 0), 0)


def render_value_like(value: Value, *terms: Term, decimal: bool = False) -> str:
    """The value in a unit of the terms, and as a decimal if the terms have decimals, or with `decimal`.

    A decimal has at most `MAX_DECIMALS` decimal places, or as many as one of the terms. Of several units that fit, the
    first one counts.
    """
    literals = [literal for term in terms for literal in _literals(term)]
    longest = max((literal.places for literal in literals if isinstance(literal, Number)), default=0)
    decimals = max(MAX_DECIMALS, longest) if decimal or longest else 0
    units = [literal.unit for literal in literals if isinstance(literal, Measure)]
    unit = _fitting(value, units) if isinstance(value, Quantity) else None
    return render_value(value, unit, decimals)


def _literals(term: Term) -> Iterator[Term]:
    if isinstance(term, (Number, Measure)):
        yield term
    if isinstance(term, Measure):
        yield term.number
    for part in children(term):
        yield from _literals(part)


def _fitting(value: Quantity, units: list[Unit]) -> Unit | None:
    """The first unit with the value's dimension, or else a power of a unit: cm^2 if cm is among them."""
    for unit in units:
        if conversion(unit)[1] == value.dimension:
            return unit
    for unit in units:
        dimension = conversion(unit)[1]
        for power in (2, 3):
            if len(unit.factors) == 1 and tuple(power * p for p in dimension) == value.dimension:
                ((symbol, unit_power),) = unit.factors
                return Unit(((symbol, unit_power * power),))
    return None
