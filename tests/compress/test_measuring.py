"""Accuracy before and after is that of the same problems, which neither model has learnt, and is measured once."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.compress.running import pruned
from tuili.compress import HealingConfig, Measuring, measuring, open_parent
from tuili.compress.result import measured_again
from tuili.errors import InputError, TuiliError
from tuili.eval import EvalSettings, evaluate, right_answers
from tuili.model import load_model
from tuili.store import read_lineage
from tuili.tasks import Problem, Split, score

CONFIG = HealingConfig(rows=2)


def test_a_model_of_our_own_is_measured_on_problems_that_no_training_sees(own: Path) -> None:
    problems = Measuring(13).chosen(open_parent(own, CONFIG), ())
    assert [problem.domain for problem in problems[:6]] == ["arithmetic"] * 3 + ["calendar"] * 3
    assert {problem.level for problem in problems} == {1, 2, 3}
    assert len(problems) == 18
    assert {Split.of_seed(problem.seed) for problem in problems} == {Split.TEST}


def test_answers_are_right_as_an_evaluation_counts_them(own: Path) -> None:
    problems = Measuring(6).chosen(open_parent(own, CONFIG), ())
    told: list[tuple[int, int]] = []
    right = right_answers(own, problems, lambda done, count: told.append((done, count)))
    assert told[-1] == (6, 6)
    settings = EvalSettings(domains=("arithmetic", "calendar"), levels=(1, 2, 3), per_cell=1)
    cells = evaluate(load_model(own), settings)["cells"]
    assert sum(cell["accuracy"] for cell in cells) == sum(right)


def test_questions_of_a_file_are_drawn_evenly_and_are_others_than_those_of_recovery(
    own: Path, dense: Path, questions: Path, tmp_path: Path
) -> None:
    for folder in (own, dense):
        parent = open_parent(folder, CONFIG)
        chosen = Measuring(4, questions).chosen(parent, ())
        assert [problem.index for problem in chosen] == [1, 11, 21, 31]
        assert len(Measuring(100, questions).chosen(parent, ())) == 40
        with pytest.raises(InputError, match="is what the model recovers with: give other questions"):
            Measuring(4, questions).chosen(parent, (questions,))
        copy = tmp_path / "copy.jsonl"
        shutil.copyfile(questions, copy)
        with pytest.raises(InputError, match=r"copy\.jsonl is what the model recovers with"):
            Measuring(4, copy).chosen(parent, (questions,))
        assert len(right_answers(folder, chosen)) == 4
    assert Measuring(0).chosen(open_parent(own, CONFIG), ()) == ()
    assert Measuring(9).chosen(open_parent(dense, CONFIG), ()) == ()


def test_an_imported_model_is_measured_on_what_its_teaching_held_back(
    dense: Path, questions: Path, tmp_path: Path
) -> None:
    taught, held = tmp_path / "taught", tmp_path / "held.jsonl"
    shutil.copytree(dense, taught)
    line = '{{"question": "Take {0} from {1}.", "equation": "- {1} {0}", "answer": "{2}"}}\n'
    held.write_text("".join(line.format(number, 900, 900 - number) for number in range(5, 15)))
    recipe = {"model": "x", "data": {"files": {str(questions): 1.0}, "validation": [str(held), "gone.jsonl"]}}
    entry = {"step": "teach", "recipe": {"teach": recipe}, "date": "2026-01-01", "versions": {}}
    (taught / "tuili").mkdir(exist_ok=True)
    (taught / "tuili" / "lineage.json").write_text(json.dumps([entry]))
    parent = open_parent(taught, CONFIG)
    assert len(Measuring(5).chosen(parent, (questions,))) == 5
    with held.open("a") as file:
        file.write(questions.read_text())
    assert len(Measuring(100).chosen(parent, (questions,))) == 10
    assert Measuring(5).chosen(parent, (held,)) == ()


def test_what_contradicts_itself_is_refused() -> None:
    with pytest.raises(InputError, match="--problems is -1: give 0"):
        Measuring(-1)
    with pytest.raises(InputError, match=r"--test a\.jsonl is not used where --problems is 0"):
        Measuring(0, Path("a.jsonl"))


def oracle(model: Path, problems: Sequence[Problem], progress: object, numbers: str) -> list[bool]:
    """A parent that knows all, and a smaller model that knows what is on level 1."""
    smaller = read_lineage(model)[-1].step == "prune"
    assert numbers == "auto"
    return [problem.level == 1 if smaller else score(problem, "") == 0.0 for problem in problems]


def test_both_accuracies_stand_in_the_lineage(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "right_answers", oracle)
    result = pruned(own, tmp_path / "run", steps=2, problems=12)
    assert result.model is not None
    figures = read_lineage(result.model)[-1].figures
    assert figures == result.figures
    assert (figures["problems"], figures["right_before"], figures["right"]) == (12, 1.0, pytest.approx(1 / 3))
    assert figures["gain"] == pytest.approx(-2 / 3)
    assert figures["gain_low95"] < -2 / 3 < figures["gain_high95"] < 0
    assert [figures[f"right_level_{level}"] for level in (1, 2, 3)] == [1.0, 0.0, 0.0]
    more = pruned(own, tmp_path / "run", steps=2, problems=24, resume=True)
    assert more.figures["problems"] == read_lineage(result.model)[-1].figures["problems"] == 24
    monkeypatch.setattr(measuring, "right_answers", lambda *_: pytest.fail("measured again"))
    again = pruned(own, tmp_path / "run", steps=2, problems=24, resume=True)
    assert again.figures == more.figures == pruned(own, tmp_path / "run", steps=2, resume=True).figures
    entry = read_lineage(result.model)[-1]
    other = measured_again(result.model, entry, {"problems": 5.0, "right": 0.2})
    assert not [name for name in other.figures if name.startswith(("right_", "gain"))]
    assert read_lineage(result.model)[-1] == other
    monkeypatch.setattr("tuili.store.lineage.write_durably", full)
    with pytest.raises(TuiliError, match="No space left on device"):
        measured_again(result.model, entry, {"problems": 6.0})
    assert read_lineage(result.model)[-1] == other


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
