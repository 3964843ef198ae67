"""What is measured of each parent, and one record of several; a parent is asked what it was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.distilled.training import SIZES
from benchmarks.harness import parents, runs
from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured
from benchmarks.harness.parents import known, own_parent
from benchmarks.harness.planned import Asked, Planned, of_parents
from benchmarks.harness.record import Figure
from benchmarks.harness.tiny import save_tiny, tiny_model
from tuili.compress import Distilling, DistilRecipe, open_parent
from tuili.config import load_recipe
from tuili.errors import InputError
from tuili.model import save_model
from tuili.store import LineageEntry, StoredModel, count_parameters, open_model
from tuili.train import Recipe

WAYS = ("a", "b")
PLANS = {"nano": Planned(("a", "b"), (1,), 100), "quickstart": Planned(("a",), (1, 2, 3), 10)}


def plan_told(model: str, plan: Planned) -> Measured:
    """A record of what would be measured."""
    return {"model": model, "seeds": plan.seeds}, {f"{way}_steps": Figure("steps", [plan.steps]) for way in plan.ways}


def test_a_record_of_two_parents_has_the_first_ones_figures_plain() -> None:
    config, figures = of_parents(("nano", "quickstart"), PLANS, WAYS, Planned((), (), 0), plan_told)
    assert config == {"model": "nano", "seeds": (1,), "quickstart": {"model": "quickstart", "seeds": (1, 2, 3)}}
    told = {key: figure.runs for key, figure in figures.items()}
    assert told == {"a_steps": [100], "b_steps": [100], "quickstart_a_steps": [10]}


def test_options_stand_in_place_of_what_is_planned() -> None:
    config, figures = of_parents(("runs/mine",), PLANS, WAYS, Planned(("b",), (4, 5), 7), plan_told)
    assert (config["seeds"], figures["b_steps"].runs) == ((4, 5), [7])
    assert of_parents(("runs/mine",), PLANS, WAYS, Planned((), (), 0), plan_told)[1].keys() == {"a_steps", "b_steps"}
    with pytest.raises(InputError, match="a record tells one of each name"):
        of_parents(("runs/a", "runs/b"), PLANS, WAYS, Planned((), (), 0), plan_told)
    with pytest.raises(InputError, match="c, d: no such way is measured; there are a, b"):
        of_parents(("nano",), PLANS, WAYS, Planned(("a", "c", "d"), (), 0), plan_told)


def stored(folder: Path, recipe: dict[str, Any]) -> StoredModel:
    save_model(folder, *tiny_model(), [LineageEntry("train", recipe, seeds={"train": 1}, tokens=100)])
    opened = open_model(folder)
    assert isinstance(opened, StoredModel)
    return opened


def test_a_parent_is_asked_what_it_was_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its experts may be of domains that it has never seen, as the quickstart's are."""
    monkeypatch.setattr(parents, "Cells", lambda name, setting: Cells(name, setting, tmp_path))
    recipe = load_recipe("quickstart", (), Recipe).model_dump(mode="json")
    of_quickstart = stored(tmp_path / "quickstart", recipe)
    assert known(of_quickstart) == (("syllogism", "equations", "number_theory", "word_problems"), (1,))
    mixed = {
        "data": {"domains": ["calendar", "geometry"], "levels": [0.5, 0.0, 0.5]},
        "curriculum": {"kind": "uniform"},
    }
    assert known(stored(tmp_path / "mixed", mixed)) == (("calendar", "geometry"), (1, 3))
    unknown = open_model(save_tiny(tmp_path / "unknown"))
    assert isinstance(unknown, StoredModel)
    assert known(unknown)[1] == (1, 2, 3)
    own = own_parent(str(of_quickstart.path), "probe", Asked(2, (), (), tmp_path / "runs"), 5)
    assert {(problem.domain, problem.level) for problem in own.problems} == {(name, 1) for name in own.domains}
    assert own.told["problems"] == "2 of each of 4 domains and levels 1, unseen"
    other = own_parent(str(tmp_path / "mixed"), "probe", Asked(2, (1,), (), tmp_path / "runs"), 5)
    assert {problem.level for problem in other.problems} == {1}


def test_the_quickstart_is_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = list[tuple[str, ...]]()
    monkeypatch.setattr(runs, "tuili", lambda *line: trained.append(line))
    recipe = load_recipe("quickstart", ("train.steps=7",), Recipe).model_dump(mode="json")
    stored(tmp_path / "model", recipe)
    assert parents.quickstart(tmp_path) == tmp_path / "model"
    assert trained == [("train", "quickstart", "--out", str(tmp_path))], "the model there is of other steps"
    stored(tmp_path / "model", load_recipe("quickstart", (), Recipe).model_dump(mode="json"))
    assert parents.quickstart(tmp_path) == tmp_path / "model"
    assert len(trained) == 1


def test_parents_share_neither_runs_nor_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parents, "Cells", lambda name, setting: Cells(name, setting, tmp_path))
    monkeypatch.setattr("benchmarks.harness.answers.right_answers", lambda *_, **__: [True, False])
    calendar = {"data": {"domains": ["calendar"], "levels": [1.0]}, "curriculum": {"kind": "uniform"}}
    first = stored(tmp_path / "first", calendar).path
    save_model(tmp_path / "second", *tiny_model(trunk_layers=2), [LineageEntry("train", calendar, seeds={"train": 1})])
    asked = Asked(2, (), (), tmp_path / "runs")
    one, two = (own_parent(str(path), "probe", asked, 5) for path in (first, tmp_path / "second"))
    assert one.folder != two.folder
    one.answers.of(first)
    two.answers.of(tmp_path / "second")
    monkeypatch.setattr("benchmarks.harness.answers.right_answers", lambda *_, **__: pytest.fail("asked again"))
    assert own_parent(str(first), "probe", asked, 5).answers.of(first) == [True, False]


@pytest.mark.parametrize("name", SIZES)
def test_a_student_has_a_tenth_of_its_teachers_parameters(name: str) -> None:
    """And a third of the active ones at most; the embedding is counted apart."""
    teacher = open_model("nano").shape
    if name == "quickstart":
        teacher = replace(teacher, group_layers=1, num_hidden_layers=6)
    changes = [f"distil.to.overrides.{field}" for field in ("group_layers=1", *SIZES[name])]
    config = load_recipe("distil", changes, DistilRecipe).distil
    student = Distilling(open_parent("nano", config.healing), config).parameters
    whole, embedding = count_parameters(teacher), teacher.vocab_size * teacher.hidden_size
    assert student.total - embedding <= 0.1 * (whole.total - embedding)
    assert student.active - embedding <= (whole.active - embedding) / 3
