"""The benchmark of saving: real runs that save and do not, and what is told of them."""

from __future__ import annotations

import pytest

from benchmarks.training import saving
from benchmarks.training.saving import SIZE, Saved, figures, measure
from tests.benchmarks.training.conftest import Scratch
from tuili.config import load_recipe
from tuili.errors import InputError
from tuili.model import count_parameters
from tuili.train import Recipe


def test_the_size_has_about_25_million_parameters() -> None:
    recipe = load_recipe("base", (SIZE,), Recipe)
    assert 24e6 < count_parameters(recipe.model.configuration(vocab_size=recipe.data.vocabulary)).total < 26e6


def test_the_cost_is_that_of_the_same_round_and_a_write_that_outlasts_an_interval_is_told() -> None:
    alone = [Saved(seconds, 0.0, [], {}, 5, 70) for seconds in (10.0, 20.0)]
    saved = [Saved(11.0, 0.02, [(0.5, 3), (9.0, 20)], {}, 5, 70), Saved(20.5, 0.01, [(0.7, 19)], {}, 5, 70)]
    told = figures(alone, saved, 20)
    assert told["cost"].runs == pytest.approx([0.1, 0.025])
    assert told["outlasted"].runs == [1, 0]
    assert told["write"].runs == [0.5, 9.0, 0.7]
    assert told["held_up"].runs == [0.02, 0.01]


def test_real_runs_are_measured_by_their_own_plan_and_kept(
    small: tuple[str, ...], scratch_cells: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch_cells(saving)
    given = {"steps": 6, "interval": 2, "rounds": 1, "overrides": (*small, "train.kernels=torch")}
    config, told = measure(**given)
    assert config["plan"] == {
        "precision": "fp32", "replicas": 1, "device": "cpu", "compile": "off", "kernels": "torch",
    }  # fmt: skip
    assert config["tokens_a_step"] == 2 * 192
    assert told["checkpoint"].median > 12 * told["parameters"].median
    assert told["held_up"].median > 0
    monkeypatch.setattr(saving, "trained", pytest.fail)
    assert measure(**given)[1] == told


def test_without_three_intervals_there_is_nothing_to_compare() -> None:
    for steps in (40, 70):
        with pytest.raises(InputError, match=f"^steps {steps}: take a multiple of the interval, 20, and at least"):
            measure(steps=steps)
