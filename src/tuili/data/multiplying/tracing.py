"""Which number of the question each number of the steps is: what may be changed, and what then changes with it.

A number is changed only where its origin is certain. Numbers of one value in the question are one variable, for
whichever of them a step means, all stay equal. Where a number of a step could come from two places of the same value
(the question and an earlier step, or a word such as `dozen`), everything that it could come from is pinned: it keeps
its value, so that the step holds whatever is meant.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from tuili.data.multiplying.chain import Calculation
from tuili.data.multiplying.implied import UNIVERSAL, implied_values
from tuili.data.multiplying.mentions import Mention
from tuili.data.multiplying.outcome import Refusal
from tuili.data.multiplying.relations import is_made_of, is_multiple, tied

_LIMIT = re.compile(
    r"\b(?:over|above|at least|at most|more than|under|below|less than|up to|exceeds?|exceeding|maximum(?: of)?"
    r"|minimum(?: of)?|limit(?: of)?) \$?$",
    re.IGNORECASE,
)
_ADDED = frozenset(map(Fraction, (0, 1, 2, 12)))
"""What words imply and steps add. Other units are multiplied by: a month's 30 in a sum is another 30."""
_AGES = re.compile(r"\b(?:how old|years? old|ages?|aged|older|younger)\b", re.IGNORECASE)
_LARGEST_COUNTED = 5
"""Up to here, a number may be how many the question names: two for `Tom and Ann`, whether it says so or not."""
_CERTAIN = frozenset(map(Fraction, (0, 1, 2, 24, 52, 60, 100, 365, 1000, 3600)))
"""Constants that are what a word says, and not what steps have left out."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a number of a step comes from: `factor * variable + offset`, or the result of an earlier step, or fixed."""

    variable: int | None = None
    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    step: int | None = None

    is_plain: bool = True
    """Whether factor and offset change nothing."""
    only_pins: bool = False
    """Whether a step makes it of a variable in a way that is not followed, so that this must stay."""


@dataclass(frozen=True, slots=True)
class Variable:
    """All numbers of one value in the question that may be changed."""

    value: Fraction
    mentions: tuple[Mention, ...]
    used: bool
    pinned: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the numbers of a chain come from. `origins` has a row for each step."""

    steps: tuple[Calculation, ...]
    variables: tuple[Variable, ...]
    origins: tuple[tuple[Origin, ...], ...]
    upstream: tuple[frozenset[int], ...]
    """The variables that each step depends on."""
    fixed: frozenset[Fraction]
    """Values of the question's other numbers."""
    implied: frozenset[Fraction]
    answer: int
    """The step that gives the answer."""
    tells_ages: bool


def trace(text: str, found: Sequence[Mention], steps: Sequence[Calculation], answer: Fraction) -> Plan | Refusal:
    """The plan by which a record may be changed, or why there is none."""
    giving = [number for number, step in enumerate(steps) if step.result.value == answer]
    if not giving or (len(giving) > 1 and giving[-1] != len(steps) - 1):
        return Refusal.NO_ANSWER
    groups = dict[Fraction, list[Mention]]()
    for mention in found:
        if not mention.fixed:
            groups.setdefault(mention.value, []).append(mention)
    fixed = {mention.value * scale for mention in found if mention.fixed for scale in (1, mention.scale)}
    fixed |= {mention.value / 100 for mention in found if mention.fixed and mention.percent}
    implied = implied_values(text)
    tracer = _Tracer(list(groups), [tuple(group) for group in groups.values()], fixed, implied, steps, giving[-1])
    if not tracer.run():
        return Refusal.NOWHERE
    own = frozenset(mention.value for mention in found if mention.fixed)
    constants = (tracer.constants_used & implied) - own - _CERTAIN
    pinned = tracer.pinned | tied(tracer.values, tracer.groups, own, steps, constants)
    unused = [number for number in range(len(groups)) if number not in tracer.uses]
    pinned |= {number for number in unused if tracer.values[number] <= _LARGEST_COUNTED}
    pinned |= {number for number in unused if is_multiple(tracer.values[number], {*tracer.values, *own})}
    if any(_decides(mention) for number in unused for mention in tracer.groups[number]):
        return Refusal.LEFT_OUT
    if tracer.is_redundant(unused, pinned, own):
        return Refusal.REDUNDANT
    if not set(tracer.uses) - pinned:
        return Refusal.NOTHING_TO_CHANGE
    variables = tuple(
        Variable(value, tracer.groups[number], number in tracer.uses, number in pinned)
        for number, value in enumerate(tracer.values)
    )
    return Plan(
        tuple(steps),
        variables,
        tuple(map(tuple, tracer.origins)),
        tuple(tracer.upstream),
        own,
        implied - UNIVERSAL,
        giving[-1],
        bool(_AGES.search(text)),
    )


def _decides(mention: Mention) -> bool:
    """Whether a number that no step uses is a share or a limit: steps then leave out what it does."""
    return mention.percent or bool(_LIMIT.search(mention.before))


class _Tracer:
    """Finds the origin of each number of the steps, and notes which variables must keep their values."""

    def __init__(
        self,
        values: list[Fraction],
        groups: list[tuple[Mention, ...]],
        stated: Iterable[Fraction],
        implied: frozenset[Fraction],
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
        self._unused = set[int]()
        """Steps that give neither the answer nor a number of a step so far."""
        self._left = Counter(number.value for step in steps for number in step.numbers)
        """How often each number still comes in the steps."""
        self._answer = answer

    def run(self) -> bool:
        """Trace all steps; False where a number comes from nowhere."""
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

    def _origin(self, value: Fraction, is_added: bool) -> Origin | None:
        """Where a number of a step comes from; None if from nowhere. Of several places, all are pinned."""
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
        self._unused.difference_update(steps)
        if constant:
            self.constants_used.add(value)
        if len(candidates) == 1 and not constant and not candidates[0].only_pins:
            return None if rounded else candidates[0]
        for candidate in candidates:
            self.pinned |= self._behind(candidate)
        return Origin() if candidates or constant else None

    def _needed(self, value: Fraction, stated: Sequence[Origin], steps: Sequence[int]) -> int | None:
        """The one step with this result that would be of no use if the number were not from there; None if none is.

        A number of the question must have been used before, else it is the number that would be of no use.
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
        """Pin numbers that are results of steps, too, and small ones that steps have more often than the text."""
        for number, value in enumerate(self.values):
            for step, upstream in zip(self.steps, self.upstream, strict=True):
                if step.result.value == value and not self.uses[number]:
                    self.pinned |= upstream | {number}
            if value < _LARGEST_COUNTED and self.uses[number] > len(self.groups[number]):
                self.pinned.add(number)

    def is_redundant(self, unused: Iterable[int], pinned: set[int], fixed: frozenset[Fraction]) -> bool:
        """Whether a number that no step uses is made of others that would change."""
        free = {self.values[number] for number in self.uses if number not in pinned}
        results = {step.result.value for step, behind in zip(self.steps, self.upstream, strict=True) if behind - pinned}
        for value in {*(self.values[number] for number in unused), *(fixed - self.constants_used)}:
            if value > 1 and value in results:
                return True
            if value > 2 and (is_made_of(value, free, {*self.values, *fixed}) or is_multiple(value, free)):
                return True
        return False


def _forms(values: Sequence[Fraction], groups: Sequence[tuple[Mention, ...]]) -> Mapping[Fraction, list[Origin]]:
    """The numbers that steps may make of the variables: as they are, as a share of 100, with `dozen` behind them."""
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
