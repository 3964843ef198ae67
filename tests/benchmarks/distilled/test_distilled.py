"""Students are distilled by the verb, once each, and answer the problems of their teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.distilled import __main__ as measuring
from benchmarks.distilled import training
from benchmarks.harness import compressed
from benchmarks.harness.cells import Cells
from benchmarks.harness.tiny import tiny_model
from tuili.cli.app import main
from tuili.model import save_model
from tuili.store import LineageEntry, Parameters, open_model

RECIPE = {"data": {"domains": ["calendar"], "levels": [1.0]}, "curriculum": {"kind": "uniform"}}
SMALL = (
    "distil.samples=2", "distil.writing.rounds=1", "distil.writing.chains=2", "distil.healing.rows=1",
    "distil.healing.length=320", "distil.healing.kernels=torch", "distil.healing.precision=fp32",
)  # fmt: skip


def test_students_are_distilled_and_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = tmp_path / "teacher"
    entry = LineageEntry("train", RECIPE, seeds={"train": 1}, tokens=100)
    save_model(teacher, *tiny_model(domains=["calendar", "relations", "syllogism", "sets"]), [entry])
    monkeypatch.setattr("tuili.compress.own.THRESHOLD_DOCUMENTS", 2)
    monkeypatch.setattr(measuring, "trained_domains", lambda _: ("calendar",))
    monkeypatch.setattr(measuring, "Cells", lambda name, setting: Cells(name, setting, tmp_path))
    monkeypatch.setattr("benchmarks.harness.cells.commit", lambda: "c1")
    monkeypatch.setattr(compressed, "tuili", lambda *line: main([*line]))
    how: dict[str, Any] = {"to": ("num_groups=2", "moe_intermediate_size=4"), "ways": ("unmasked", "untaught")}
    how |= {
        "seeds": (1,),
        "steps": 4,
        "per_cell": 2,
        "levels": (1,),
        "changes": SMALL,
        "folder": str(tmp_path / "runs"),
    }
    config, figures = measuring.measure(str(teacher), **how)
    assert config["parameters_student"]["total"] < config["parameters"]["total"]
    assert config["steps"]["untaught"] > config["steps"]["unmasked"] == 4
    assert {"unmasked_level_1", "untaught_over_parent", "unmasked_tokens", "untaught_hours"} <= {*figures}
    model = tmp_path / "runs" / "unmasked_4_1" / "model"
    assert open_model(model).shape.num_hidden_layers == 3
    monkeypatch.setattr(compressed, "tuili", lambda *_: pytest.fail("distilled again"))
    monkeypatch.setattr("benchmarks.harness.answers.right_answers", lambda *_, **__: pytest.fail("measured again"))
    assert measuring.measure(str(teacher), **how) == (config, figures)


def test_without_a_teacher_there_are_more_steps() -> None:
    student, teacher = Parameters(10, 10, 5), Parameters(90, 30, 10)
    assert training.equal_steps("masked", 100, student, teacher) == 100
    assert training.equal_steps("untaught", 100, student, teacher) == 200
