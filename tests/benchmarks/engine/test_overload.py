"""The load generators measure both policies at each load, by a clock that goes on."""

from __future__ import annotations

import pytest

from benchmarks.engine import overload
from benchmarks.harness.tiny import save_tiny
from tuili.errors import InputError


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overload, "WARM_UP_ANSWERS", 2)
    monkeypatch.setattr(overload, "prompts", lambda *_: [f"{n} + 1" for n in range(8)])


@pytest.mark.usefixtures("few")
def test_both_policies_are_measured_at_each_load(tmp_path):
    model = str(save_tiny(tmp_path / "model", max_position_embeddings=32))
    config, figures = overload.measure(model, loads=(1.0, 3.0), clients=2, seconds=0.2, runs=1, clock="cpu")
    assert (config["model"], config["clock"]) == ("given", "cpu")
    for policy in overload.POLICIES:
        for load in ("1x", "3x", "closed"):
            assert {f"{policy}_{load}_{name}" for name in overload.UNITS} <= figures.keys()
            assert 0 <= figures[f"{policy}_{load}_in_time"].median <= 1
    assert figures["fcfs_3x_refused"].median == 0
    assert figures["capacity"].median > 0


@pytest.mark.usefixtures("few")
def test_a_time_in_which_nothing_is_answered_is_refused(tmp_path):
    with pytest.raises(InputError, match="too few for an answer"):
        overload.measure(str(save_tiny(tmp_path / "model")), clients=2, seconds=1e-6, runs=1)


@pytest.mark.parametrize("of", ["wall", "cpu"])
def test_a_clock_goes_on_while_nothing_is_done(of):
    clock = overload.Clock(of)
    start = clock()
    while clock() < start + 0.02:
        clock.wait(start + 0.02)
    assert clock() >= start + 0.02


def test_another_clock_is_refused():
    with pytest.raises(InputError, match="clock moon: use wall or cpu"):
        overload.Clock("moon")
