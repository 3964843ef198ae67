"""Numbers of a question that are related although no step says so: shares that add up to 100 percent, sums of others.

If one of them changed alone, the question would contradict itself. `tracing` finds where the numbers of steps come
from.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from itertools import combinations

from tuili.data.multiplying.chain import Calculation
from tuili.data.multiplying.mentions import Mention

_SMALLEST_SUM = 10
"""From this value on, a sum among the numbers of a question is not a coincidence."""
_MOST_PARTS = 4
_MOST_NUMBERS = 9
"""With more numbers, only sums of two are searched for, because larger sums would occur by chance."""


def tied(
    values: Sequence[Fraction],
    groups: Sequence[Sequence[Mention]],
    staying: Collection[Fraction],
    steps: Sequence[Calculation],
    constants: Collection[Fraction],
) -> set[int]:
    """The variables that must keep their values because the text may relate them.

    staying: the numbers of the text that are not variables. constants: numbers in steps that come from no number of the
    text. If two numbers yield one of them, the steps may have left out that calculation.
    """
    found = set[int]()
    for first, second in combinations(range(len(values)), 2):
        one, other = values[first], values[second]
        if not {one + other, abs(one - other), one * other, one / other, other / one}.isdisjoint(constants):
            found |= {first, second}
    numbers = [*values, *(set(staying) - set(values))]
    for size in range(2, (_MOST_PARTS if len(numbers) <= _MOST_NUMBERS else 2) + 1):
        for chosen in combinations(range(len(numbers)), size):
            total = Fraction(sum(numbers[number] for number in chosen))
            if (
                total >= _SMALLEST_SUM
                and total in numbers
                and not _adds(steps, total, [numbers[one] for one in chosen])
            ):
                found |= {number for number in (*chosen, numbers.index(total)) if number < len(values)}
    shares = [(number, one.value) for number, group in enumerate(groups) for one in group if one.percent]
    for size in range(2, _MOST_PARTS + 1):
        for parts in combinations(shares, size):
            if sum(value for _, value in parts) == 100:
                found |= {number for number, _ in parts}
    return found


def _adds(steps: Sequence[Calculation], total: Fraction, parts: Sequence[Fraction]) -> bool:
    """Whether a step adds a sum to one of its parts: then the sum is a coincidence."""
    for step in steps:
        numbers = {number.value for number in step.numbers}
        if total in numbers and not numbers.isdisjoint(parts) and set(step.program[len(step.numbers) :]) <= {"+"}:
            return all(isinstance(part, int) or part == "+" for part in step.program)
    return False


def is_made_of(value: Fraction, changing: Collection[Fraction], all_values: Collection[Fraction]) -> bool:
    """Whether a number is the sum, difference, product or quotient of a changing number and another one."""
    for one in changing:
        for other in all_values:
            if one == value or other in (0, one, value):
                continue
            if value in (one + other, abs(one - other), one * other, one / other, other / one):
                return True
    return False


def is_multiple(value: Fraction, values: Collection[Fraction]) -> bool:
    """Whether a number that is not small is two to four times another, such as a total of three mentions of days."""
    return value >= _SMALLEST_SUM and any(one > 2 and value / one in (2, 3, 4) for one in values)
