"""Numbers of a question that hang together although no step says so: shares that make 100 percent, a sum of others.

Were one of them changed alone, the question would contradict itself. Where numbers of steps come from is left to
`tracing`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from itertools import combinations

from tuili.data.multiplying.chain import Calculation
from tuili.data.multiplying.mentions import Mention

_SMALLEST_SUM = 10
"""From here on, a sum among the numbers of a question is no chance."""
_MOST_PARTS = 4
_MOST_NUMBERS = 9
"""Of more numbers, sums of two alone are looked for: among many, sums of more are there by chance."""


def tied(
    values: Sequence[Fraction],
    groups: Sequence[Sequence[Mention]],
    staying: Collection[Fraction],
    steps: Sequence[Calculation],
    constants: Collection[Fraction],
) -> set[int]:
    """The variables that must keep their values because the text may tie them together.

    staying: the numbers of the text that are no variables. constants: what steps have that is of no number of the text;
    what two numbers make may be left out of the steps.
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
    """Whether a step adds a sum to one of its parts: then it is the sum by chance."""
    for step in steps:
        numbers = {number.value for number in step.numbers}
        if total in numbers and not numbers.isdisjoint(parts) and set(step.program[len(step.numbers) :]) <= {"+"}:
            return all(isinstance(part, int) or part == "+" for part in step.program)
    return False


def is_made_of(value: Fraction, changing: Collection[Fraction], all_values: Collection[Fraction]) -> bool:
    """Whether a number is sum, difference, product or quotient of one that changes and another one."""
    for one in changing:
        for other in all_values:
            if one == value or other in (0, one, value):
                continue
            if value in (one + other, abs(one - other), one * other, one / other, other / one):
                return True
    return False


def is_multiple(value: Fraction, values: Collection[Fraction]) -> bool:
    """Whether a number, no small one, is two to four times another: all of the days that are told three times."""
    return value >= _SMALLEST_SUM and any(one > 2 and value / one in (2, 3, 4) for one in values)
