"""The work of an arithmetic line in calls of Python functions: what makes 5,000 lines a second possible."""

from __future__ import annotations

import sys
from types import FrameType

import pytest

from tuili.steps import check

CALLS = 500  # at some 0.1 µs a call, a tenth of the 200 µs that 5,000 lines a second leave for a line


@pytest.mark.parametrize("line", ["48 / 2 = 24", "3 * 17 + 5 = 56"])
def test_an_arithmetic_line_takes_few_calls(line: str) -> None:
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
    assert calls < CALLS
