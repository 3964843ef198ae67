"""The benchmark of the ways in which processes share a training: real runs, and what is told of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.training import backends
from benchmarks.training.backends import Run, figures, measure
from tests.benchmarks.conftest import SHORT
from tests.benchmarks.training.conftest import Scratch
from tuili.errors import InputError
from tuili.train.feed.preparation import MIN_BLOCKS_OF_A_PROCESS

CHANGES = tuple(override for override in SHORT if "backend" not in override)


def test_speeds_are_compared_round_by_round() -> None:
    told = figures({"alone": [Run(10.0, 0, 5, {}), Run(20.0, 0, 6, {})], "ddp": [Run(15.0, 8.0, 9, {})] * 2})
    assert told["ddp_over_alone"].runs == [1.5, 0.75]
    assert (told["ddp_sent"].runs, told["alone_memory"].runs) == ([8.0, 8.0], [5e-9, 6e-9])


@pytest.mark.trials
def test_a_real_run_tells_its_speed_what_it_sends_and_holds(
    scratch_cells: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch_cells(backends)
    monkeypatch.setattr(backends, "LOOK_SECONDS", 0.05)
    assert backends.LEAST_BLOCKS == MIN_BLOCKS_OF_A_PROCESS
    monkeypatch.setattr(backends, "LEAST_BLOCKS", 14)
    settings = {"recipe": "base", "ways": ("alone", "ddp"), "steps": 7, "rounds": 1, "overrides": CHANGES}
    for wrong in ({"steps": 6}, {"ways": ("ddp",)}):
        with pytest.raises(InputError, match=r"steps 6: a thread would prepare|ways: alone is what"):
            measure(**settings | wrong)
    config, told = measure(**settings)
    assert config["plans"]["ddp"] == config["plans"]["alone"]
    assert told["alone_sent"].median == 0 < told["ddp_sent"].median
    assert 0.05 < told["alone_memory"].median < told["ddp_memory"].median
    assert told["ddp_over_alone"].median > 0
    assert measure(**settings)[1] == told, "it is kept"
