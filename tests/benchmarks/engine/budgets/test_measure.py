"""The budgets benchmark: points, comparisons, and a run that goes on at its block."""

from __future__ import annotations

import pytest

from benchmarks.engine.budgets import __main__ as budgets
from benchmarks.engine.budgets.__main__ import comparisons, measure
from benchmarks.harness.cells import Cells


def test_comparisons_are_made_at_equal_tokens_and_over_the_same_problems():
    outcomes = {
        "steps_1": [(True, 10, 30), (False, 10, 30)],
        "steps_4": [(True, 10, 30), (True, 20, 90)],
        "votes_1": [(False, 10, 30), (False, 10, 30)],
        "votes_2": [(True, 20, 60), (False, 20, 60)],
    }
    figures = {name: figure.median for name, figure in comparisons(outcomes, (1, 4), 2).items()}
    assert figures["steps_4_over_steps_1"] == pytest.approx(50)
    assert figures["steps_4_votes_of_equal_tokens"] == pytest.approx(1.5)
    assert figures["steps_4_over_votes_of_equal_tokens"] == pytest.approx(75)
    assert figures["votes_2_tokens_over_steps_4"] == pytest.approx(20 / 15)
    assert figures["steps_4_over_votes_2_low95"] < figures["steps_4_over_votes_2"] < 101


def test_every_way_has_a_point_and_a_block_is_measured_once(monkeypatch, tmp_path):
    monkeypatch.setattr("benchmarks.harness.cells.commit", lambda: "c1")
    monkeypatch.setattr(budgets, "Cells", lambda name, setting: Cells(name, setting, tmp_path))
    monkeypatch.setattr(budgets, "LEVELS", (1,))
    monkeypatch.setattr(budgets, "own_domains", lambda model: ("arithmetic", "knights"))
    settings = {
        "per_cell": 1,
        "steps": (1, 2),
        "samples": 2,
        "votes": (1, 2),
        "thinking": (8,),
        "likely": (0.9,),
        "margins": (0.9,),
        "cosines": (0.9,),
    }
    config, figures = measure(**settings)
    assert config["problems"]["n"] == 2
    ways = ["steps_1", "steps_2", "votes_2", "checked_votes_1", "thinking_8", "depth_3", "depth_12", "likely_0.9"]
    for way in [*ways, "calm_softmax_0.9", "calm_saturation_0.9"]:
        assert figures[f"{way}_tokens"].median > 0
    assert figures["depth_12_layer_steps"].median == 12 * figures["depth_12_tokens"].median
    monkeypatch.setattr(budgets, "measure_block", lambda *_: pytest.fail("asked again"))
    assert measure(**settings)[1] == figures
