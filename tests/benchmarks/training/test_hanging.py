"""The benchmark of processes that hang: a real run of which one after another is stopped, and which goes on."""

from __future__ import annotations

import os

import pytest

from benchmarks.training import hanging
from benchmarks.training.hanging import measure
from tests.benchmarks.conftest import SHORT
from tests.benchmarks.training.conftest import Scratch

STOPPED = (*(override for override in SHORT if "backend" not in override), "train.dist.timeout=2")


@pytest.mark.kills
@pytest.mark.skipif(os.getuid() != 0, reason="a system may let nobody but root stop a thread of another process")
def test_a_run_of_which_processes_hang_goes_on(scratch_cells: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of DDP, as the launcher gives each of them 40 seconds to end."""
    scratch_cells(hanging)
    victims = {"ddp": ("first_thread",), "replicas": ("first", "preparation", "first_thread", "other_thread")}
    monkeypatch.setattr(hanging, "VICTIMS", victims)
    _, told = measure("base", ("ddp", "replicas"), times=1, steps=100_000, interval=20, overrides=STOPPED)
    stopped = {f"{backend}_{victim}" for backend in ("ddp", "replicas") for victim in victims[backend]}
    measured = {f"{key}_{name}" for key in stopped for name in ("told", "recovery")}
    assert told.keys() == measured | {f"{key}_ended" for key in stopped if "_first" in key}
    for key in stopped:
        assert 1.4 < told[f"{key}_told"].median < told[f"{key}_recovery"].median
