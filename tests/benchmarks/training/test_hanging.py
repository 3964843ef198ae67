"""The benchmark of processes that hang: a real run of which one after another is stopped, and which goes on."""

from __future__ import annotations

import pytest

from benchmarks.training import hanging
from benchmarks.training.hanging import measure
from tests.benchmarks.conftest import SHORT
from tests.benchmarks.training.conftest import Scratch

STOPPED = (*(override for override in SHORT if "backend" not in override), "train.dist.timeout=2")


@pytest.mark.kills
def test_a_run_of_which_processes_hang_goes_on(scratch_cells: Scratch) -> None:
    scratch_cells(hanging)
    _, told = measure("base", ("ddp", "replicas"), times=1, steps=100_000, interval=20, overrides=STOPPED)
    of_ddp = {f"ddp_{victim}" for victim in ("first", "other", "preparation")}
    of_replicas = {f"replicas_{victim}" for victim in ("other", "preparation")}
    ended = {f"{key}_ended" for key in of_ddp}
    assert told.keys() == {f"{key}_{name}" for key in of_ddp | of_replicas for name in ("told", "recovery")} | ended
    for key in of_ddp | of_replicas:
        assert 2 < told[f"{key}_told"].median < told[f"{key}_recovery"].median
