"""What the search chooses on and what the check is made on have no question in common."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuili.compress import HealingConfig, Measuring, open_parent
from tuili.compress.auto.run import halves
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
