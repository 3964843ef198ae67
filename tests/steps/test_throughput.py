"""The work of an arithmetic line in calls of Python functions, which no load of the machine changes.

What that amounts to in lines a second is measured by `benchmarks/checker/checker.py`.
"""

from __future__ import annotations

import sys
from types import FrameType

import pytest

from tuili.steps import check


@pytest.mark.parametrize(("line", "most"), [("48 / 2 = 24", 200), ("3 * 17 + 5 = 56", 240)])
def test_an_arithmetic_line_takes_few_calls(line: str, most: int) -> None:
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    check(line)
    previous = sys.getprofile()
    sys.setprofile(count)
    try:
        check(line)
    finally:
        sys.setprofile(previous)
    assert calls < most
