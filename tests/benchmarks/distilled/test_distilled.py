"""Students are distilled by the verb, once each, and answer the problems of their teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.distilled import __main__ as measuring
from benchmarks.distilled import training
from benchmarks.distilled.training import Size, products_of
from benchmarks.harness import parents, runs
from benchmarks.harness.cells import Cells
from benchmarks.harness.tiny import tiny_model
from benchmarks.table import distilled_rows as rows
from tests.benchmarks.table.filling import filled
from tuili.cli.app import main
from tuili.model import save_model
from tuili.store import LineageEntry, Parameters, open_model

RECIPE = {"data": {"domains": ["calendar"], "levels": [1.0]}, "curriculum": {"kind": "uniform"}}
SMALL = (
    "distil.samples=2", "distil.healing.rows=1", "distil.healing.log.interval=1", "distil.healing.length=320",
    "distil.healing.kernels=torch", "distil.healing.precision=fp32",
)  # fmt: skip


def test_students_are_distilled_and_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = tmp_path / "teacher"
    entry = LineageEntry("train", RECIPE, seeds={"train": 1}, tokens=100)
    save_model(teacher, *tiny_model(domains=["calendar", "relations", "syllogism", "sets"]), [entry])
    monkeypatch.setattr("tuili.compress.own.THRESHOLD_DOCUMENTS", 2)
    monkeypatch.setattr(parents, "Cells", lambda name, setting: Cells(name, setting, tmp_path))
    monkeypatch.setattr(runs, "tuili", lambda *line: main([*line]))
    writing = ("distil.writing.rounds=1", "distil.writing.chains=2")
    monkeypatch.setattr(training, "WAYS", {**training.WAYS, "unmasked": (*training.WAYS["unmasked"], *writing)})
    how: dict[str, Any] = {"to": ("num_groups=2", "moe_intermediate_size=4"), "ways": ("unmasked", "untaught")}
    how |= {
        "seeds": (1,),
        "steps": 4,
        "per_cell": 2,
        "levels": (1,),
        "changes": SMALL,
        "folder": str(tmp_path / "runs"),
    }
    config, figures = measuring.measure((str(teacher),), **how)
    assert config["parameters_student"]["total"] < config["parameters"]["total"]
    assert config["steps"]["untaught"] > config["steps"]["unmasked"] == 4
    wanted = {"unmasked_level_1", "untaught_over_parent", "unmasked_tokens", "untaught_hours", "untaught_depth"}
    assert wanted <= {*figures}
    (model,) = (tmp_path / "runs").glob("given_*/unmasked_4_1/model")
    assert {*config["curves"]} == {"unmasked_1"}, "divergences are of what is learnt from the teacher alone"
    assert len(config["curves"]["unmasked_1"]) == 3, "of the steps on its teacher's chains"
    assert open_model(model).shape.num_hidden_layers == 3
    monkeypatch.setattr(runs, "tuili", lambda *_: pytest.fail("distilled again"))
    monkeypatch.setattr("benchmarks.harness.answers.right_answers", lambda *_, **__: pytest.fail("measured again"))
    assert measuring.measure((str(teacher),), **how) == (config, figures)


def test_products_are_those_of_all_passes_and_of_writing() -> None:
    """A student of 4 trunk, 6 other and 2 head parameters; half of the tokens are learnt, at half depth on average."""
    student, teacher = Size(Parameters(30, 12, 6), head=2), Size(Parameters(99, 100, 40), head=10)
    learning, reading, writing = 3 * (4 + 0.5 * (2 + 3)), 30 + 0.5 * (10 + 60), 4 + 0.5 * (2 + 6)
    own = learning + (1 + 0.75) * reading + 0.25 * writing
    found = {way: products_of(way, student, teacher, 0.5, 0.5, 0.25) for way in training.WAYS}
    assert found == pytest.approx(
        {"masked": own, "unmasked": own, "chains": learning + 2 * reading}
        | dict.fromkeys(("texts", "texts_longer", "sequence"), learning + reading)
        | dict.fromkeys(("untaught", "untaught_longer", "new"), learning)
    )


def test_tables_have_a_row_for_each_way_and_goal() -> None:
    assert {*rows.WAYS} == {*training.WAYS}
    value = {"unit": "share", "n": 3, "median": 0.5, "min": 0.4, "max": 0.6}
    names = [
        f"{way}_level_{level}{kept}" for way in ("parent", *rows.WAYS) for level in (1, 2, 3) for kept in ("", "_kept")
    ]
    config = {"steps": dict.fromkeys(rows.WAYS, 4000)}
    names += [f"{way}_{what}" for way in rows.WAYS for what in ("hours", "depth", "over_parent")] + ["parent_depth"]
    names += [f"{one}_over_{other}" for one, other, *_ in rows.PAIRS]
    names += [f"{name}_{end}" for name in names for end in ("low95", "high95")]
    record = {"config": config, "figures": dict.fromkeys(names, value)}
    assert {len(row.cells) for row in rows.DISTILLED} == {len(rows.COLUMNS) - 1}
    assert len(filled(rows.DISTILLED, record)) == 1 + len(rows.WAYS)
    goals = {what: goal for what, (_, goal) in filled(rows.STUDENTS, record).items()}
    assert {what.split(" over ")[1] for what, goal in goals.items() if goal == "3"} == {
        "no teacher but its layers", "no teacher at all",
    }, "the same student without a teacher, whatever it begins with"  # fmt: skip
    assert {what[-7:] for what, goal in goals.items() if goal == "0.9"} == {"level 1", "level 2"}
    wanted = {(one, other) for one, other, *_ in rows.PAIRS}
    assert wanted == {*measuring.COMPARED}
