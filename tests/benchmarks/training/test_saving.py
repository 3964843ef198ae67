"""The benchmark of saving: real runs that save and do not, and what is told of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.record import file_system
from benchmarks.training import saving
from benchmarks.training.saving import SIZE, Saved, cost_within, figures, measure, trained
from tests.benchmarks.training.conftest import Scratch
from tuili.config import load_recipe
from tuili.errors import InputError
from tuili.model import count_parameters
from tuili.train import Recipe


def saved(
    seconds: Callable[[int], float], writes: Sequence[tuple[float, int]] = (), held_up: float = 0.0, steps: int = 120
) -> Saved:
    """What is told of a run whose log tells of steps of so many seconds."""
    moments = list(accumulate(map(seconds, range(1, steps + 1)), initial=0.0))
    return Saved(moments, held_up, writes, {}, 5, 70)


def test_the_size_has_about_25_million_parameters() -> None:
    recipe = load_recipe("base", (SIZE,), Recipe)
    assert 24e6 < count_parameters(recipe.model.configuration(vocab_size=recipe.data.vocabulary)).total < 26e6


def test_the_cost_is_that_of_the_same_round_behind_the_second_checkpoint() -> None:
    alone = [saved(lambda step: 0.1), saved(lambda step: 0.2)]
    saving = [
        saved(lambda step: 7.0 if step <= 40 else 0.11, [(0.5, 3), (0.9, 9)], 0.02),
        saved(lambda step: 0.205, [(0.7, 4)], 0.01),
    ]
    told = figures(alone, saving, 20)
    assert told["alone_seconds"].runs == pytest.approx([8.0, 16.0])
    assert told["cost"].runs == pytest.approx([0.1, 0.025])
    assert told["write"].runs == [0.5, 0.9, 0.7]
    assert told["write_steps"].runs == [3, 9, 4]
    assert told["held_up"].runs == [0.02, 0.01]


def test_the_cost_within_a_run_is_what_its_steps_take_more_than_the_quiet_ones() -> None:
    phases = {0: 1.4, 1: 1.2} | dict.fromkeys(range(2, 12), 1.1)

    def seconds(step: int) -> float:
        return phases.get(step % 20, 1.0)

    def drifting(step: int) -> float:
        return 3.0 - 0.01 * step

    told = figures([saved(drifting)] * 2, [saved(seconds), saved(lambda step: 3 * seconds(step))], 20)
    assert told["cost_within"].runs == pytest.approx([(0.4 + 0.2 + 10 * 0.1) / 20] * 2)
    assert told["alone_within"].runs == pytest.approx([0.0, 0.0])
    # what comes before the second checkpoint and its quiet steps, or behind those of the last interval, counts nowhere
    assert cost_within(saved(lambda step: 9.0 if step < 36 or step > 115 else 1.0), 20) == pytest.approx(0.0)
    for phase in range(20):  # a second more in each interval, in which step ever
        more, quiet = 1 / 20, phase in range(12, 20)
        costs = cost_within(saved(lambda step, phase=phase: 1.0 + (step % 20 == phase)), 20)
        assert costs == pytest.approx((1 + more) / (1 + quiet / 8) - 1)


def test_a_write_that_is_not_over_before_the_quiet_steps_is_refused() -> None:
    assert cost_within(saved(lambda step: 1.0, [(1.0, 2), (9.0, 9)]), 20) == pytest.approx(0.0)
    with pytest.raises(InputError, match=r"^interval 20: a write was made beside 10 steps, and those from 12 on"):
        cost_within(saved(lambda step: 1.0, [(9.0, 10), (1.0, 2)]), 20)
    assert cost_within(saved(lambda step: 1.0, [(9.0, 10)], steps=150), 50) == pytest.approx(0.0)


@pytest.mark.trials
@pytest.mark.parametrize(
    ("backend", "key", "processes"),
    [("replicas", "", 1), ("ddp", "ddp_", 2)],
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
    given |= {"steps": 15, "interval": 5, "rounds": 1}

    def without_writes(*asked: Any) -> Saved:  # beside how many small steps one is made is left to chance
        return trained(*asked)._replace(writes=[])

    monkeypatch.setattr(saving, "trained", without_writes)
    config, told = measure(**given)
    assert config[f"{key}plan"] == {
        "precision": "fp32", "replicas": processes, "device": "cpu", "compile": "off", "kernels": "torch",
    }  # fmt: skip
    assert config["tokens_a_step"] == processes * 2 * 192
    assert config["file_system"] == file_system(tmp_path)
    assert told[f"{key}checkpoint"].median > 12 * told[f"{key}parameters"].median
    assert 0 <= told[f"{key}held_up"].median < 1  # the run tells hundredths of a second
    assert told[f"{key}cost_within"].median > -1 < told[f"{key}alone_within"].median
    monkeypatch.setattr(saving, "trained", pytest.fail)
    assert measure(**given)[1] == told


def test_each_backend_has_figures_of_its_own(scratch_cells: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch_cells(saving)

    def trained(way: str, command: Sequence[str], *more: object) -> Saved:
        assert command[-2:] == ("--nproc", "2")
        by_ddp = "train.dist.backend=ddp" in command
        assert by_ddp != ("train.dist.backend=replicas" in command)
        a_step = (12.0 if by_ddp else 11.0) if way == "saving" else 10.0
        return saved(lambda step: a_step)._replace(plan={"ddp": by_ddp})

    monkeypatch.setattr(saving, "trained", trained)
    config, told = measure(rounds=2)
    assert (config["plan"], config["ddp_plan"]) == ({"ddp": False}, {"ddp": True})
    assert told["cost"].runs == pytest.approx([0.1, 0.1])
    assert told["ddp_cost"].runs == pytest.approx([0.2, 0.2])


def test_without_three_intervals_there_is_nothing_to_compare() -> None:
    for steps in (40, 70):
        with pytest.raises(InputError, match=f"^steps {steps}: take a multiple of the interval, 20, and at least"):
            measure(steps=steps)


def test_an_interval_without_quiet_steps_is_refused() -> None:
    with pytest.raises(InputError, match=r"^interval 4: take at least 5, "):
        measure(steps=12, interval=4)
