"""What the search chooses on and what the check is made on have no question in common."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tuili.compress import AutoReport, HealingConfig, Measuring, Targets, open_parent
from tuili.compress.auto.run import halves
from tuili.compress.auto.targets import Found
from tuili.errors import InputError


def test_halves_have_no_question_in_common(own: Path, tmp_path: Path) -> None:
    parent = open_parent(own, HealingConfig(rows=2))
    generated = list(Measuring(36).chosen(parent, ()))
    lines = [{"input": f"What is {number} + 1?", "output": str(number + 1)} for number in range(7)]
    (tmp_path / "twice.jsonl").write_text("".join(json.dumps(line) + "\n" for line in 2 * lines))
    given = list(Measuring(100, tmp_path / "twice.jsonl").chosen(parent, ()))
    assert len(given) == 7
    for problems in (generated, given):
        searched, checked = ({(one.prompt, one.earlier) for one in half} for half in halves(parent, problems))
        assert searched
        assert checked
        assert not searched & checked
        assert searched | checked == {(one.prompt, one.earlier) for one in problems}


def test_questions_that_are_learnt_are_refused(own: Path, tmp_path: Path) -> None:
    learnt, test = tmp_path / "learnt.jsonl", tmp_path / "test.jsonl"
    learnt.write_text(json.dumps({"input": "What is 1 + 1?", "output": "2"}) + "\n")
    test.write_text(json.dumps({"input": "What is 1 + 2?", "output": "3"}) + "\n" + learnt.read_text())
    parent = open_parent(own, HealingConfig(rows=2))
    with pytest.raises(InputError, match=r"test\.jsonl:2: the model recovers with this question, and with 0 others"):
        Measuring(4, test).chosen(parent, (learnt,))


def test_a_check_that_misses_what_the_search_met_says_so() -> None:
    parent, chosen = Found("parent", 0, 2.0, 1.0, 0.8, {}, ""), Found("a", 1, 1.0, 1.0, 0.8, {}, "a")
    compared = {"gain": -0.02, "gain_low95": -0.05, "gain_high95": 0.01, "problems": 240.0}
    met = "it meets all targets on the problems of the search; the check misses loss"
    missed = "no candidate was found that meets all targets: this one is the nearest, and misses loss"
    for searched, told in ((0.8, met), (0.7, missed)):
        found = replace(chosen, right=searched)
        report = AutoReport(Targets(0.6), parent, [found], found, replace(chosen, right=0.78), parent, compared)
        assert list(report.lines())[-1] == told


def test_a_loss_that_the_check_cannot_tell_is_told_as_one() -> None:
    parent, chosen = Found("parent", 0, 2.0, 1.0, 0.8, {}, ""), Found("a+b", 9, 1.0, 1.0, 0.8, {}, "a")
    told = "  the loss that was asked lies within this interval: more --problems would tell"
    for low, high, tells in ((-0.05, 0.01, True), (-0.05, -0.01, False), (-0.001, 0.01, False)):
        compared = {"gain": (low + high) / 2, "gain_low95": low, "gain_high95": high, "problems": 240.0}
        lines = list(AutoReport(Targets(0.6), parent, [chosen], chosen, chosen, parent, compared).lines())
        assert (told in lines) == tells
        assert "chosen: a+b, 9 steps, 4 in each link" in lines


def test_a_parent_without_right_answers_sets_no_target_of_loss() -> None:
    parent, chosen = Found("parent", 0, 2.0, 1.0, 0.0, {}, ""), Found("a", 9, 1.0, 1.0, 0.0, {}, "a")
    assert Targets(0.6).missed(chosen, parent) == {}
    assert Targets(0.6).lines(chosen, parent)[-1].endswith("no target")
