"""Draws other values for the numbers of a question, so that its story stays as plausible as before.

Whole results stay whole, positive results stay positive, sizes stay in their range, the order is kept, and no two
different numbers become equal. Values are drawn at random; if a condition fails, other values are tried for one number
that it depends on.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction

from tuili.data.multiplying.chain import Exact, decimal_places, exact
from tuili.data.multiplying.origins import Origin
from tuili.data.multiplying.ranges import candidates
from tuili.data.multiplying.tracing import Plan

_MOST_TRIES = 24
_MOST_SCANNED = 48
_MOST_HOURS = 14
"""The maximum hours of a day, if the original had no more."""
_WIDEST = Fraction(4)
"""The maximum factor by which a result may differ from the original result."""
_WIDEST_OF_AGES = Fraction(3, 2)
"""The same for a text that mentions ages."""
_OLDEST = 100
"""The maximum age in years, if the original has none above it."""


class Drawing:
    """Draws values according to a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._widest = _WIDEST_OF_AGES if plan.tells_ages else _WIDEST
        self._choices = {
            number: values
            for number, variable in enumerate(plan.variables)
            if not variable.pinned and (values := candidates(variable.mentions))
        }
        self._original = [exact(variable.value) for variable in plan.variables]
        self._staying = [(value, value) for value in plan.fixed.difference(self._original) if value > 1]
        units = [{mention.unit.rstrip("s") for mention in variable.mentions} for variable in plan.variables]
        self._paces = [
            (hours, days)
            for hours, unit in enumerate(units)
            for days, other in enumerate(units)
            if "hour" in unit and "day" in other and self._original[hours] <= _MOST_HOURS * self._original[days]
        ]
        self._written = [[exact(number.value) for number in step.numbers] for step in plan.steps]
        self._operations = [list(step.work_out(row)) for step, row in zip(plan.steps, self._written, strict=True)]

    @property
    def possible(self) -> bool:
        """Whether any number can have another value."""
        return bool(self._choices)

    def draw(self, rng: random.Random) -> tuple[list[Exact], list[list[Exact]]] | None:
        """Draw values of the variables, and the numbers and the result of each step; None if none were found."""
        for _ in range(_MOST_TRIES):
            values = list(self._original)
            for number, choices in self._choices.items():
                values[number] = rng.choice(choices)
            worked = self._mend(values, rng)
            if worked is not None and self._is_apart(values, worked) and self._is_ordered(values, worked):
                return values, worked
        return None

    def _mend(self, values: list[Exact], rng: random.Random) -> list[list[Exact]] | None:
        """Compute all steps, changing values in place if a step is implausible."""
        for _ in range(len(self._plan.steps) + 1):
            failed, worked = self._work_out(values)
            if failed is None:
                return worked
            movable = [number for number in self._plan.upstream[failed] if number in self._choices]
            rng.shuffle(movable)
            if not any(self._scan(values, number, failed, rng) for number in movable[:2]):
                return None
        return None

    def _scan(self, values: list[Exact], number: int, failed: int, rng: random.Random) -> bool:
        """Whether another value of a variable makes the failed step plausible; `values` then contains it."""
        before, choices = values[number], self._choices[number]
        for value in rng.sample(choices, min(len(choices), _MOST_SCANNED)):
            values[number] = value
            now, _ = self._work_out(values, until=failed)
            if now is None:
                return True
        values[number] = before
        return False

    def _work_out(self, values: Sequence[Exact], until: int | None = None) -> tuple[int | None, list[list[Exact]]]:
        """The first implausible step, if any, and the numbers of each step followed by its result."""
        worked = list[list[Exact]]()
        for number, origins in enumerate(self._plan.origins):
            row = [
                _value(origin, written, values, worked)
                for origin, written in zip(origins, self._written[number], strict=True)
            ]
            if not self._is_plausible(number, row):
                return number, worked
            worked.append(row)
            if number == until:
                break
        return None, worked

    def _is_plausible(self, number: int, row: list[Exact]) -> bool:
        """Whether the operations of a step resemble the original ones; if so, its result is appended to the row."""
        step = self._plan.steps[number]
        for value, written in zip(row, self._written[number], strict=True):
            if not _is_like(value, written, _WIDEST):
                return False
        result = None
        try:
            for result, before in zip(step.work_out(row), self._operations[number], strict=True):
                if not _is_like(result, before, self._widest) or (self._plan.tells_ages and before <= _OLDEST < result):
                    return False
        except ZeroDivisionError:
            return False
        if result is None or decimal_places(result) is None:
            return False
        row.append(result)
        return True

    def _is_apart(self, values: Sequence[Exact], worked: Sequence[Sequence[Exact]]) -> bool:
        """Whether the original's different numbers, in the question or as results, still differ."""
        before = [*self._original, *(step.result.value for step in self._plan.steps)]
        after = [*values, *(row[-1] for row in worked)]
        meant: Mapping[Exact, Exact] = {value: value for value in self._plan.fixed | self._plan.implied}
        seen = dict(meant)
        for old, new in zip(before, after, strict=True):
            if seen.setdefault(new, old) != old:
                return False
        return tuple(values) != tuple(self._original)

    def _is_ordered(self, values: Sequence[Exact], worked: Sequence[Sequence[Exact]]) -> bool:
        """Whether the numbers of the question, and results that it compares, keep their order, and days are long enough
        for their hours.
        """
        if any(values[hours] > _MOST_HOURS * values[days] for hours, days in self._paces):
            return False
        pairs = [*zip(self._original, values, strict=True), *self._staying]
        if self._plan.compares:
            pairs += [(step.result.value, row[-1]) for step, row in zip(self._plan.steps, worked, strict=True)]
        ordered = [new for _, new in sorted(pairs)]
        return ordered == sorted(ordered)


def _value(origin: Origin, written: Exact, values: Sequence[Exact], worked: Sequence[Sequence[Exact]]) -> Exact:
    if origin.step is not None:
        return worked[origin.step][-1]
    if origin.variable is not None:
        value = values[origin.variable]
        return value if origin.is_plain else exact(value * origin.factor + origin.offset)
    return written


def _is_like(new: Exact, old: Exact, widest: Fraction) -> bool:
    """Whether a value is as plausible as the value that it replaces."""
    if new == old:
        return True
    if old == 0 or new == 0 or (new < 0) != (old < 0):
        return False
    if isinstance(old, int):
        if not isinstance(new, int) or (old not in (1, -1) and -2 < new < 2):
            return False
    else:
        needed, places = decimal_places(old), decimal_places(new)
        if needed is not None and (places is None or places > max(needed, 2)):
            return False
        if (-1 < old < 1) != (-1 < new < 1):
            return False
    before, after = Fraction(old * old), Fraction(new * new)
    return before <= widest * widest * after and after <= widest * widest * before
