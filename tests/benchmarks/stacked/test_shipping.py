"""The smallest stack is shipped where its record meets the goal, and then with the record's right answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.tiny import tiny_model
from benchmarks.stacked.shipping import ship
from tuili.errors import InputError
from tuili.model import save_model
from tuili.store import LineageEntry, model_hash, open_model, read_lineage

FIGURES = {
    "pico_weights": 1.4, "pico_level_1_kept": 0.9, "pico_level_1": 0.81, "pico_level_2": 0.4, "parent_level_1": 0.9,
}  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "made" / "model"
    save_model(folder, *tiny_model(), [LineageEntry("distil"), LineageEntry("quantize", figures={"loss": 0.2})])
    return folder


def record(path: Path, model: Path, **changes: float) -> Path:
    config: dict[str, Any] = {"models": {"pico": [model_hash(model)]}, "asked": 6400}
    figures = {name: {"median": value} for name, value in (FIGURES | changes).items()}
    (path / "stacked.json").write_text(json.dumps({"benchmark": "stacked", "config": config, "figures": figures}))
    return path / "stacked.json"


def test_the_lineage_has_the_right_answers_of_the_record(model: Path, tmp_path: Path) -> None:
    ship(model, record(tmp_path, model), tmp_path / "pico")
    assert model_hash(open_model(tmp_path / "pico").path) == model_hash(model)
    first, last = read_lineage(tmp_path / "pico")
    assert (first.step, last.step) == ("distil", "quantize")
    assert last.figures == pytest.approx(
        {"loss": 0.2, "problems": 6400, "right": 0.605, "right_level_1": 0.81, "right_level_2": 0.4}
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"pico_weights": 1.51}, r"pico has 1\.51 MB of weights, and 1\.5 are the most"),
        ({"pico_level_1_kept": 0.899}, r"keeps 89\.9% of its parent's right answers at level 1, and 90% are the least"),
        ({"pico_weights": float("nan")}, "holds no measured pico"),
    ],
)
def test_what_misses_the_goal_is_not_shipped(changes: dict[str, float], told: str, model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        ship(model, record(tmp_path, model, **changes), tmp_path / "pico")
    assert not (tmp_path / "pico").exists()


def test_a_record_of_other_weights_or_of_none_ships_nothing(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "model"
    save_model(other, *tiny_model(intermediate_size=8), [LineageEntry("quantize")])
    with pytest.raises(InputError, match="has measured other weights than those of"):
        ship(model, record(tmp_path, other), tmp_path / "pico")
    (tmp_path / "stacked.json").write_text("{}")
    with pytest.raises(InputError, match="holds no measured pico: make bench NAMES=stacked measures it"):
        ship(model, tmp_path / "stacked.json", tmp_path / "pico")
    assert not (tmp_path / "pico").exists()
