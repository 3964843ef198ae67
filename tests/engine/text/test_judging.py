"""Verdicts that are shared are those of the checker, and each is worked out once."""

from __future__ import annotations

from itertools import product

import pytest

from tuili.engine.text import judging
from tuili.engine.text.judging import JudgedChain
from tuili.steps import Context, Verdict, check, check_chain

LINES = ("x = 2", "x = 3", "x + 1 = 3", "2 + 2 = 5", "prose")


def test_every_chain_has_the_verdicts_of_the_checker() -> None:
    judged = JudgedChain(Context())
    for chain in product(LINES, repeat=3):
        assert judged.verdicts(chain) == check_chain(chain)


def test_a_line_is_checked_once_behind_the_same_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []

    def counted(line: str, context: Context) -> Verdict:
        checked.append(line)
        return check(line, context)

    monkeypatch.setattr(judging, "check", counted)
    judged = JudgedChain(Context())
    judged.verdicts(["x = 2", "x + 1 = 3"])
    judged.then("x = 2")
    judged.verdicts(["x = 2", "x + 1 = 3", "x + 1 = 4"])
    judged.verdicts(["x = 3", "x + 1 = 4"])
    assert checked == ["x = 2", "x + 1 = 3", "x + 1 = 4", "x = 3", "x + 1 = 4"]
