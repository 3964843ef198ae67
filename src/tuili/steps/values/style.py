"""Writes a value the way the line at hand writes values: in its units, as a decimal if it has decimals."""

from __future__ import annotations

from collections.abc import Iterator

from tuili.steps.language.terms import Measure, Number, Term, children
from tuili.steps.language.units import Unit, measure
from tuili.steps.values.values import Quantity, Value, show


def show_like(value: Value, *terms: Term) -> str:
    """The value in a unit and form of the terms; the first term counts most."""
    literals = [literal for term in terms for literal in _literals(term)]
    decimal = any(isinstance(literal, Number) and literal.places for literal in literals)
    units = [literal.unit for literal in literals if isinstance(literal, Measure)]
    unit = _fitting(value, units) if isinstance(value, Quantity) else None
    return show(value, unit, decimal)


def _literals(term: Term) -> Iterator[Term]:
    if isinstance(term, (Number, Measure)):
        yield term
    if isinstance(term, Measure):
        yield term.number
    for part in children(term):
        yield from _literals(part)


def _fitting(value: Quantity, units: list[Unit]) -> Unit | None:
    """The first unit of the value's dimension, or else a power of a unit: cm^2 where cm is written."""
    for unit in units:
        if measure(unit)[1] == value.dimension:
            return unit
    for unit in units:
        dimension = measure(unit)[1]
        for power in (2, 3):
            if len(unit.factors) == 1 and tuple(power * p for p in dimension) == value.dimension:
                ((symbol, own),) = unit.factors
                return Unit(((symbol, own * power),))
    return None
