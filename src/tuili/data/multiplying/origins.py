"""Where each number of the steps comes from: a number of the question, an earlier step, or a word such as `dozen`.

If a number of a step could come from two places of the same value, all its possible origins are pinned. `tracing`
decides what this means for a record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from tuili.data.multiplying.chain import Calculation
from tuili.data.multiplying.mentions import Mention
from tuili.data.multiplying.relations import is_made_of, is_multiple

_ADDED = frozenset(map(Fraction, (0, 1, 2, 12)))
"""Implied values that steps may add. Other units are only multiplied by: a month's 30 in a sum is another 30."""
_LARGEST_COUNTED = 5
"""Up to this value, a number may count what the question names: two for `Tom and Ann`, even if it is not stated."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A number's origin in a step: `factor * variable + offset`, the result of an earlier step, or a fixed value."""

    variable: int | None = None
    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    step: int | None = None

    is_plain: bool = True
    """Whether factor and offset have no effect."""
    only_pins: bool = False
    """Whether a step derives it from a variable in a way that is not followed, so that the variable must stay."""


class Tracer:
    """Finds the origin of each number in the steps, and records which variables must keep their values."""

    def __init__(
        self,
        values: list[Fraction],
        groups: list[tuple[Mention, ...]],
        stated: Iterable[Fraction],
        implied: frozenset[Fraction],
        wholes: Iterable[Fraction],
        steps: Sequence[Calculation],
        answer: int,
    ) -> None:
        self.values, self.groups, self.steps = values, groups, steps
        self.stated, self.implied = frozenset(stated), implied
        self.origins = list[list[Origin]]()
        self.upstream = list[frozenset[int]]()
        self.uses = Counter[int]()
        self.pinned = set[int]()
        self.constants_used = set[Fraction]()
        self._forms = _forms(values, groups)
        self._rests = [(whole - value, number) for number, value in enumerate(values) for whole in wholes]
        """The remainder of a whole after each number."""
        self._unused = set[int]()
        """Steps whose result is neither the answer nor, so far, a number of a later step."""
        self._left = Counter(number.value for step in steps for number in step.numbers)
        """How often each number is still to come in the steps."""
        self._answer = answer

    def run(self) -> bool:
        """Trace all steps; False if a number has no origin."""
        for step in self.steps:
            row = list[Origin]()
            for place, number in enumerate(step.numbers):
                origin = self._origin(number.value, place in step.added)
                if origin is None:
                    return False
                row.append(origin)
            self.origins.append(row)
            self.upstream.append(frozenset().union(*map(self._behind, row)))
            if len(self.upstream) - 1 != self._answer:
                self._unused.add(len(self.upstream) - 1)
        self._pin_shared_values()
        return True

    @property
    def leads_nowhere(self) -> bool:
        """Whether a step gives neither the answer nor a number of a later step, so that its purpose is unknown."""
        return bool(self._unused)

    def _origin(self, value: Fraction, is_added: bool) -> Origin | None:
        """The origin of a number in a step; None if it has none. If there are several candidates, all are pinned."""
        self._left[value] -= 1
        stated = self._forms.get(value, [])
        steps = [number for number, step in enumerate(self.steps[: len(self.origins)]) if step.result.value == value]
        rounded = [
            number
            for number, step in enumerate(self.steps[: len(self.origins)])
            if value in (floor(step.result.value), ceil(step.result.value)) and number not in steps
        ]
        constant = value in self.stated or (value in self.implied and not (is_added and value not in _ADDED))
        if (needed := self._needed(value, stated, steps)) is not None and not rounded:
            self._unused.discard(needed)
            return Origin(step=needed)
        candidates = [*stated, *(Origin(step=number) for number in (*steps, *rounded))]
        for candidate in candidates:
            if candidate.variable is not None:
                self.uses[candidate.variable] += 1
        if candidates:
            candidates += [Origin(number, only_pins=True) for rest, number in self._rests if rest == value]
        self._unused.difference_update(steps)
        if constant:
            self.constants_used.add(value)
        if len(candidates) == 1 and not constant and not candidates[0].only_pins:
            return None if rounded else candidates[0]
        for candidate in candidates:
            self.pinned |= self._behind(candidate)
        return Origin() if candidates or constant else None

    def _needed(self, value: Fraction, stated: Sequence[Origin], steps: Sequence[int]) -> int | None:
        """The one step with this result that would be useless if the number had another origin; None if there is none.

        A number of the question must already have been used; otherwise, that number would be useless.
        """
        unused = [number for number in steps if number in self._unused]
        if len(unused) != 1 or self._left[value]:
            return None
        return unused[0] if all(self.uses[origin.variable or 0] for origin in stated) else None

    def _behind(self, origin: Origin) -> frozenset[int]:
        """The variables that an origin depends on."""
        if origin.step is not None:
            return self.upstream[origin.step]
        return frozenset() if origin.variable is None else frozenset((origin.variable,))

    def _pin_shared_values(self) -> None:
        """Pin numbers that are also results of steps, and small ones that steps use more often than the text."""
        for number, value in enumerate(self.values):
            for step, upstream in zip(self.steps, self.upstream, strict=True):
                if step.result.value == value and not self.uses[number]:
                    self.pinned |= upstream | {number}
            if value < _LARGEST_COUNTED and self.uses[number] > len(self.groups[number]):
                self.pinned.add(number)

    def is_redundant(self, unused: Iterable[int], pinned: set[int], fixed: frozenset[Fraction]) -> bool:
        """Whether a number that no step uses can be computed from others that would change."""
        free = {self.values[number] for number in self.uses if number not in pinned}
        results = {step.result.value for step, behind in zip(self.steps, self.upstream, strict=True) if behind - pinned}
        for value in {*(self.values[number] for number in unused), *(fixed - self.constants_used)}:
            if value > 1 and value in results:
                return True
            if value > 2 and (is_made_of(value, free, {*self.values, *fixed}) or is_multiple(value, free)):
                return True
        return False


def _forms(values: Sequence[Fraction], groups: Sequence[tuple[Mention, ...]]) -> Mapping[Fraction, list[Origin]]:
    """The numbers that steps may derive from variables: unchanged, as a percentage, or multiplied by a scale word."""
    forms = dict[Fraction, list[Origin]]()
    for number, (value, group) in enumerate(zip(values, groups, strict=True)):
        origins = [Origin(number)]
        if any(mention.percent for mention in group):
            origins += [
                Origin(number, Fraction(1, 100), is_plain=False),
                Origin(number, Fraction(1, 100), Fraction(1), is_plain=False),
                Origin(number, Fraction(-1, 100), Fraction(1), is_plain=False),
                Origin(number, Fraction(-1), Fraction(100), is_plain=False),
                Origin(number, Fraction(1), Fraction(100), is_plain=False),
            ]
        for mention in group:
            if mention.percent:
                for share in {value, 100 - value} - {0}:
                    forms.setdefault(100 / share, []).append(Origin(number, only_pins=True))
        origins += [
            Origin(number, Fraction(scale), is_plain=False) for scale in {mention.scale for mention in group} - {1}
        ]
        if any(mention.unit in ("cent", "cents") for mention in group):
            origins.append(Origin(number, Fraction(1, 100), is_plain=False))
        for origin in origins:
            forms.setdefault(value * origin.factor + origin.offset, []).append(origin)
    return forms
