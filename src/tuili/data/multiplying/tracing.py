"""Which number of the question each number of the steps is: what may be changed, and what then changes with it.

A number is changed only where its origin is certain. Numbers of one value in the question are one variable, for
whichever of them a step means, all stay equal. Where a number of a step could come from two places of the same value
(the question and an earlier step, or a word such as `dozen`), everything that it could come from is pinned: it keeps
its value, so that the step holds whatever is meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import ceil, floor

from tuili.data.multiplying.chain import Calculation
from tuili.data.multiplying.implied import UNIVERSAL, implied_values
from tuili.data.multiplying.mentions import Mention
from tuili.data.multiplying.outcome import Refusal

_LARGEST_COUNTED = 5
"""Up to here, a number may be how many the question names: two for `Tom and Ann`, whether it says so or not."""
_SMALLEST_SUM = 10
"""From here on, a sum among the numbers of a question is no chance."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a number of a step comes from: `factor * variable + offset`, or the result of an earlier step, or fixed."""

    variable: int | None = None
    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    step: int | None = None

    is_plain: bool = True
    """Whether factor and offset change nothing."""


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
    tracer = _Tracer(list(groups), [tuple(group) for group in groups.values()], fixed | implied, steps)
    if not tracer.run():
        return Refusal.NOWHERE
    own = frozenset(mention.value for mention in found if mention.fixed)
    pinned = tracer.pinned | tracer.related(implied, own)
    unused = [number for number in range(len(groups)) if number not in tracer.uses]
    pinned |= {number for number in unused if tracer.values[number] <= _LARGEST_COUNTED}
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
    )


class _Tracer:
    """Finds the origin of each number of the steps, and notes which variables must keep their values."""

    def __init__(
        self,
        values: list[Fraction],
        groups: list[tuple[Mention, ...]],
        constants: Iterable[Fraction],
        steps: Sequence[Calculation],
    ) -> None:
        self.values, self.groups, self.steps = values, groups, steps
        self.constants = frozenset(constants)
        self.origins = list[list[Origin]]()
        self.upstream = list[frozenset[int]]()
        self.uses = Counter[int]()
        self.pinned = set[int]()
        self.fixed_used = set[Fraction]()
        self._forms = _forms(values, groups)

    def run(self) -> bool:
        """Trace all steps; False where a number comes from nowhere."""
        for step in self.steps:
            row = list[Origin]()
            for number in step.numbers:
                origin = self._origin(number.value)
                if origin is None:
                    return False
                row.append(origin)
            self.origins.append(row)
            self.upstream.append(frozenset().union(*map(self._behind, row)))
        self._pin_shared_values()
        return True

    def _origin(self, value: Fraction) -> Origin | None:
        candidates = list(self._forms.get(value, ()))
        candidates += [
            Origin(step=number)
            for number in range(len(self.origins))
            if value in _roundings(self.steps[number].result.value)
        ]
        constant = value in self.constants
        for candidate in candidates:
            if candidate.variable is not None:
                self.uses[candidate.variable] += 1
        if constant:
            self.fixed_used.add(value)
        if len(candidates) == 1 and not constant:
            (origin,) = candidates
            return None if origin.step is not None and self.steps[origin.step].result.value != value else origin
        for candidate in candidates:
            self.pinned |= self._behind(candidate)
        return Origin() if candidates or constant else None

    def _behind(self, origin: Origin) -> frozenset[int]:
        """The variables that an origin depends on."""
        if origin.step is not None:
            return self.upstream[origin.step]
        return frozenset() if origin.variable is None else frozenset((origin.variable,))

    def _pin_shared_values(self) -> None:
        """Pin numbers that are results of steps, too, and small ones that steps have more often than the text."""
        for number, value in enumerate(self.values):
            for step, upstream in zip(self.steps, self.upstream, strict=True):
                if step.result.value == value:
                    self.pinned |= upstream | {number}
            if value < _LARGEST_COUNTED and self.uses[number] > len(self.groups[number]):
                self.pinned.add(number)

    def related(self, implied: frozenset[Fraction], fixed: frozenset[Fraction]) -> set[int]:
        """The variables that a text ties together: percentages that make 100, a sum, what a constant may be made of."""
        found = set[int]()
        made = {value for value in self.fixed_used & implied if value > 2}
        for first, second in combinations(range(len(self.values)), 2):
            one, other = self.values[first], self.values[second]
            if made and not made.isdisjoint((one + other, abs(one - other), one * other, one / other, other / one)):
                found |= {first, second}
        all_values = [*self.values, *(fixed - {*self.values})]
        for size in (2, 3, 4):
            for chosen in combinations(range(len(all_values)), size):
                total = sum(all_values[number] for number in chosen)
                if total >= _SMALLEST_SUM and total in all_values:
                    found |= {
                        number for number in (*chosen, all_values.index(Fraction(total))) if number < len(self.values)
                    }
        percents = [
            (number, mention.value) for number, group in enumerate(self.groups) for mention in group if mention.percent
        ]
        for size in (2, 3, 4):
            for shares in combinations(percents, size):
                if sum(value for _, value in shares) == 100:
                    found |= {number for number, _ in shares}
        return found

    def is_redundant(self, unused: Iterable[int], pinned: set[int], fixed: frozenset[Fraction]) -> bool:
        """Whether a number that no step uses is made of others that would change."""
        free = [number for number in range(len(self.values)) if number in self.uses and number not in pinned]
        results = {step.result.value for step, behind in zip(self.steps, self.upstream, strict=True) if behind - pinned}
        for value in {*(self.values[number] for number in unused), *(fixed - self.fixed_used)}:
            if value in results and value > 1:
                return True
            if value <= 2:
                continue
            for number in free:
                one = self.values[number]
                for other in (*self.values, *fixed):
                    if other in (one, value) or one == value:
                        continue
                    if value in (one + other, abs(one - other), one * other) or (
                        other and value in (one / other, other / one)
                    ):
                        return True
        return False


def _roundings(value: Fraction) -> tuple[Fraction, ...]:
    """A result, and what it may have been rounded to without a step for it."""
    return (value,) if value.denominator == 1 else (value, Fraction(floor(value)), Fraction(ceil(value)))


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
        origins += [
            Origin(number, Fraction(scale), is_plain=False) for scale in {mention.scale for mention in group} - {1}
        ]
        if any(mention.money for mention in group):
            origins += [Origin(number, Fraction(1, 100), is_plain=False)] * (
                Origin(number, Fraction(1, 100), is_plain=False) not in origins
            )
        for origin in origins:
            forms.setdefault(value * origin.factor + origin.offset, []).append(origin)
    return forms
