"""The problems of the benchmark check, differ in more than numbers and can be multiplied; its figures are reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.imported.adapted import __main__ as adapted
from benchmarks.imported.adapted.problems import COUNT, problems, write
from tuili.data import ImportOutcome, masked_question, multiply, read_questions


def test_the_problems_check_and_none_is_another_but_for_numbers(tmp_path: Path) -> None:
    write(tmp_path / "problems.jsonl")
    read = list(read_questions(tmp_path / "problems.jsonl"))
    assert {one.outcome for one in read} == {ImportOutcome.CHECKED}
    assert len({masked_question(one.record.input) for one in read}) == len(read) == COUNT
    assert {one.record.level for one in read} == {2, 3, 4, 5}
    multiplied = [bool(multiply(one.record, 2, 1)) for one in read[:60]]
    assert sum(multiplied) > 30
    assert problems(20) == problems(300)[:20]


def test_the_figures_are_those_of_the_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = list[tuple[str, ...]]()

    def report(*arguments: str) -> None:
        commands.append(arguments)
        out = Path(arguments[arguments.index("--out") + 1])
        out.mkdir()
        measured: dict[str, Any] = {"questions": 60, "accuracy": 0.5, "timing": {"seconds_per_answer": 0.1}}
        measured["unlike"] = {"questions": 12, "accuracy": 0.25}
        measured["several"] = {"attempts": 4, "accuracy": 0.75}
        measured["promises"] = [{"tolerance": 0.2, "answered": 40, "wrong": 4}]
        document = {"stages": [{"name": "teach", "seconds": 120}], "seconds": 300, "before": measured}
        (out / "report.json").write_text(json.dumps(document | {"after": measured}))

    monkeypatch.setattr(adapted, "tuili", report)
    _, figures = adapted.measure(models=("nano",), count=60, folder=str(tmp_path))
    ((verb, *_),) = commands
    assert verb == "adapt"
    shown = {name: figure.median for name, figure in figures.items()}
    assert shown == {
        "nano_teach_minutes": 2, "nano_minutes": 5, "nano_before": 0.5, "nano_after": 0.5, "nano_before_seconds": 0.1,
        "nano_after_seconds": 0.1, "nano_tested": 60, "nano_before_unlike": 0.25, "nano_after_unlike": 0.25,
        "nano_tested_unlike": 12,
        "nano_after_4_attempts": 0.75, "nano_promised_0.2_answered": 40, "nano_promised_0.2_wrong": 4,
    }  # fmt: skip
