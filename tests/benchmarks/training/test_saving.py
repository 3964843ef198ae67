"""The benchmark of saving: real runs that save and do not, and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.harness.record import file_system
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


@pytest.mark.parametrize(
    ("backend", "key", "processes"),
    [("replicas", "", 1), pytest.param("ddp", "ddp_", 2, marks=pytest.mark.kills)],
)
def test_real_runs_are_measured_by_their_own_plan_and_kept(
    backend: str,
    key: str,
    processes: int,
    small: tuple[str, ...],
    scratch_cells: Scratch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scratch_cells(saving)
    overrides = (*small, "train.kernels=torch", "train.replicas=auto", f"train.accumulation={processes}")
    given = {"backends": (backend,), "processes": processes, "overrides": overrides, "folder": str(tmp_path)}
    given |= {"steps": 6, "interval": 2, "rounds": 1}
    config, told = measure(**given)
    assert config[f"{key}plan"] == {
        "precision": "fp32", "replicas": processes, "device": "cpu", "compile": "off", "kernels": "torch",
    }  # fmt: skip
    assert config["tokens_a_step"] == processes * 2 * 192
    assert config["file_system"] == file_system(tmp_path)
    assert told[f"{key}checkpoint"].median > 12 * told[f"{key}parameters"].median
    assert 0 <= told[f"{key}held_up"].median < 1  # the run tells hundredths of a second
    monkeypatch.setattr(saving, "trained", pytest.fail)
    assert measure(**given)[1] == told


def test_each_backend_has_figures_of_its_own(scratch_cells: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch_cells(saving)

    def trained(way: str, command: Sequence[str], *more: object) -> Saved:
        assert command[-2:] == ("--nproc", "2")
        by_ddp = "train.dist.backend=ddp" in command
        assert by_ddp != ("train.dist.backend=replicas" in command)
        return Saved((12.0 if by_ddp else 11.0) if way == "saving" else 10.0, 0.0, [], {"ddp": by_ddp}, 5, 70)

    monkeypatch.setattr(saving, "trained", trained)
    config, told = measure(rounds=2)
    assert (config["plan"], config["ddp_plan"]) == ({"ddp": False}, {"ddp": True})
    assert told["cost"].runs == pytest.approx([0.1, 0.1])
    assert told["ddp_cost"].runs == pytest.approx([0.2, 0.2])


def test_without_three_intervals_there_is_nothing_to_compare() -> None:
    for steps in (40, 70):
        with pytest.raises(InputError, match=f"^steps {steps}: take a multiple of the interval, 20, and at least"):
            measure(steps=steps)
