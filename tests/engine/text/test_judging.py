"""Verdicts that are shared are those of the checker, and each is worked out once."""

from __future__ import annotations

from itertools import product

import pytest

from tuili.engine.text import judging
from tuili.engine.text.judging import JudgedChain
from tuili.steps import Context, Verdict, check, check_chain, trace_numbers

LINES = ("x = 2", "x = 3", "x + 1 = 3", "2 + 2 = 5", "prose")


def test_every_chain_has_the_verdicts_of_the_checker() -> None:
    judged = JudgedChain(Context())
    for chain in product(LINES, repeat=3):
        lines, _ = judged.judge(chain)
        assert [line.verdict for line in lines] == check_chain(chain)


def test_every_chain_has_the_sources_of_tracing() -> None:
    prompt, chain = "What is 2 + 3 and 7?", ("2 + 3 = 5", "9 * 9 = 81", "5 * 2 = 10")
    judged = JudgedChain(Context(), prompt)
    judged.judge(["2 + 3 = 5", "3 * 2 = 6"])
    lines, end = judged.judge(chain)
    traced = trace_numbers(prompt, chain)
    assert [line.sources for line in lines] == list(traced.steps)
    assert end.unused == traced.unused == ("7",)
    assert judged.unused == ("2", "3", "7")


def test_earlier_questions_and_answers_give_numbers_to_a_follow_up() -> None:
    earlier = (("What is 48 + 27?", "75"),)
    for line in ("75 - 5 = 70", "48 - 5 = 43"):
        (alone,), _ = JudgedChain(Context(), "And minus 5?").judge([line])
        (behind,), chain = JudgedChain(Context(), "And minus 5?", earlier).judge([line])
        assert (alone.sources.traced, behind.sources.traced) == (False, True)
        assert chain.unused == ()


def test_a_line_is_checked_once_behind_the_same_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []

    def counted(line: str, context: Context) -> Verdict:
        checked.append(line)
        return check(line, context)

    monkeypatch.setattr(judging, "check", counted)
    judged = JudgedChain(Context())
    judged.judge(["x = 2", "x + 1 = 3"])
    judged.then("x = 2")
    judged.judge(["x = 2", "x + 1 = 3", "x + 1 = 4"])
    judged.judge(["x = 3", "x + 1 = 4"])
    assert checked == ["x = 2", "x + 1 = 3", "x + 1 = 4", "x = 3", "x + 1 = 4"]
