"""The work of an arithmetic line in calls of Python functions, which no load of the machine changes.

What that amounts to in lines a second is measured by `benchmarks/checker/checker.py`.
"""

from __future__ import annotations

import pytest

from tests.counting import count_calls
from tuili.steps import check


@pytest.mark.parametrize(("line", "most"), [("48 / 2 = 24", 200), ("3 * 17 + 5 = 56", 240)])
def test_an_arithmetic_line_takes_few_calls(line: str, most: int) -> None:
    check(line)
    assert count_calls(lambda: check(line), events=("call",)) < most
