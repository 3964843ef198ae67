"""The problems of the benchmark check, differ in more than numbers and can be multiplied; its figures are reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.imported.adapted import __main__ as adapted
from benchmarks.imported.adapted.problems import COUNT, HELD, problems, write
from benchmarks.table.taught_rows import ADAPTED
from tuili.adapt.checking import check_questions
from tuili.adapt.questions import split_questions
from tuili.data import ImportOutcome, masked_question, multiply, read_questions
from tuili.eval import ALIKE, likeness
from tuili.store import model_hash, resolve_model


def test_the_problems_check_and_none_is_another_but_for_numbers(tmp_path: Path) -> None:
    write(tmp_path / "problems.jsonl")
    read = list(read_questions(tmp_path / "problems.jsonl"))
    assert {one.outcome for one in read} == {ImportOutcome.CHECKED}
    assert len({masked_question(one.record.input) for one in read}) == len(read) == COUNT
    assert {one.record.level for one in read} == {2, 3, 4, 5}
    multiplied = [bool(multiply(one.record, 2, 1)) for one in read[:60]]
    assert sum(multiplied) > 30
    assert problems(20) == problems(300)[:20]
    assert problems(20, held=True) == problems(100, held=True)[:20]


def test_the_test_has_problems_in_wordings_that_are_not_taught(tmp_path: Path) -> None:
    """Those of the 300 themselves are nearly all in taught ones, and tell little about others."""
    write(tmp_path / "problems.jsonl")
    write(tmp_path / "held.jsonl", HELD, held=True)
    held = list(read_questions(tmp_path / "held.jsonl"))
    assert {one.outcome for one in held} == {ImportOutcome.CHECKED}
    assert len({masked_question(one.record.input) for one in held}) == HELD
    assert {one.record.level for one in held} == {2, 3, 4, 5}
    asked = check_questions(tmp_path / "problems.jsonl", "auto", lambda turns: ()).questions
    split = split_questions(asked, seed=1)
    assert {part: len(records) for part, records in split.items()} == {"teach": 180, "calibrate": 60, "test": 60}
    taught = [one.record.input for one in asked]
    assert max(likeness([one.record.input for one in held], taught)) < 0.6
    in_taught = likeness([one.input for one in split["test"]], [one.input for one in split["teach"]])
    assert sum(one >= ALIKE for one in in_taught) > 50


def test_the_figures_are_those_of_the_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = list[tuple[str, ...]]()
    few = {"questions": 1, "accuracy": 1.0, "ci95": [0.2, 1.0]}
    enough = {"questions": 12, "accuracy": 0.25, "ci95": [0.1, 0.5]}

    def command(verb: str, *arguments: str) -> None:
        commands.append((verb, *arguments))
        if verb == "eval":
            file = Path(arguments[arguments.index("--json") + 1])
            file.write_text(json.dumps({"problems": 8, "accuracy": 0.25, "lenient": 0.5, "ci95": [0.1, 0.4]}))
            return
        out = Path(arguments[arguments.index("--out") + 1])
        out.mkdir(exist_ok=True)
        (out / "run.json").touch()
        measured: dict[str, Any] = {"questions": 60, "accuracy": 0.5, "ci95": [0.4, 0.6]}
        measured |= {"timing": {"seconds_per_answer": 0.1}, "unlike": few, "lenient": enough, "several": None}
        promises = [{"tolerance": 0.2, "answered": 40, "wrong": 4}]
        after = measured | {"promises": promises, "unlike": enough, "several": enough | {"attempts": 4}}
        document = {"stages": [{"name": "teach", "seconds": 120}], "seconds": 300, "before": measured, "after": after}
        (out / "report.json").write_text(json.dumps(document))

    monkeypatch.setattr(adapted, "tuili", command)
    monkeypatch.setattr(adapted, "commit", lambda: "abc")
    for _ in range(2):
        config, figures = adapted.measure(models=("nano",), count=60, held=8, folder=str(tmp_path))
    assert config["models"]["nano"] == model_hash(resolve_model("nano"))
    assert [(verb, "--resume" in rest) for verb, *rest in commands] == [
        ("adapt", False), ("eval", False), ("eval", False), ("adapt", True),
    ]  # fmt: skip
    shown = {name: figure.median for name, figure in figures.items() if not name.endswith("95")}
    assert shown == {
        "nano_teach_minutes": 2, "nano_minutes": 5, "nano_before": 0.5, "nano_after": 0.5, "nano_before_seconds": 0.1,
        "nano_before_lenient": 0.25, "nano_after_lenient": 0.25, "nano_after_seconds": 0.1, "nano_tested": 60,
        "nano_after_unlike": 0.25, "nano_tested_unlike": 12, "nano_after_4_attempts": 0.25,
        "nano_promised_0.2_answered": 40, "nano_promised_0.2_wrong": 4, "nano_held": 8, "nano_held_before": 0.25,
        "nano_held_after": 0.25, "nano_held_before_lenient": 0.5, "nano_held_after_lenient": 0.5,
    }  # fmt: skip
    assert (figures["nano_held_after_low95"].median, figures["nano_held_after_high95"].median) == (0.1, 0.4)
    rows = [row for row in ADAPTED if row.what.startswith("`tuili adapt nano`")]
    told = {"machine": {"threads": 1}, "figures": {key: figure.summary() for key, figure in figures.items()}}
    cells = {row.what.partition(": ")[2]: row.cells[0](told) for row in rows if "promise" not in row.what}
    assert cells["right after, wordings that were not taught"] == "0.250 (0.100 to 0.400)"
    assert cells["minutes, on so many cores"].endswith(" on 1")
    assert len(cells) == 7


def test_a_run_of_other_code_is_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def folder(code: str | None) -> Path:
        monkeypatch.setattr(adapted, "commit", lambda: code)
        return adapted._folder_of("nano", tmp_path)

    assert folder("a" * 40) == folder("a" * 40) != folder("b" * 40)
    for unknown in ("a" * 40 + "+", None):
        out = folder(unknown)
        (out / "stages").mkdir(parents=True)
        assert folder(unknown) == out
        assert not out.exists()
