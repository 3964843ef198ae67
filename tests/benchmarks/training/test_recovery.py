"""The benchmark of recovery: what a kill costs, and a real run that is killed and ends with the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.training.recovery import VICTIMS, Kill, figures, measure
from tests.benchmarks.conftest import SHORT
from tuili.errors import InputError


def test_a_kill_costs_what_is_done_again_and_what_is_waited_for() -> None:
    kills = [Kill(VICTIMS[number % 3], number, 1.5 * number, 10 * number, number % 2 == 0) for number in range(1, 21)]
    told = figures(kills, interval=100)
    assert told["recovery"].median == 10.5
    assert told["recovery_p95"].runs == [19.0]
    assert told["launcher_recovery"].runs == [1, 4, 7, 10, 13, 16, 19]
    assert max(told["saving_lost"].runs) == 2.0
    assert told["goodput_at_60"].runs == [1 - 1.5 * 10.5 / 60]
    assert told["goodput_at_300"].runs == [1 - 1.5 * 10.5 / 300]
    assert told["saves_killed"].runs == [4]


@pytest.mark.kills
def test_a_run_that_is_killed_ends_with_the_same_bytes() -> None:
    _, told = measure("base", kills=3, steps=150, interval=20, overrides=SHORT, warm_up=0)
    assert told["same_bytes"].runs == [1.0]
    assert {len(told[f"{victim}_recovery"].runs) for victim in VICTIMS} == {1}
    assert told["saving_lost"].median >= 1
    assert told["saves_killed"].runs == [1]


@pytest.mark.kills
def test_a_run_that_ends_or_fails_before_it_is_killed_says_so_and_leaves_nothing() -> None:
    before = set(running())
    with pytest.raises(InputError, match="the run was at its end before all kills: --steps makes it longer"):
        measure("base", kills=1, steps=5, overrides=SHORT, warm_up=0)
    with pytest.raises(InputError, match=r"the run has failed: .*2 processes do not divide its blocks evenly"):
        measure("base", kills=1, steps=4, overrides=(*SHORT, "train.accumulation=1"), warm_up=0)
    assert set(running()) <= before


def running() -> Iterator[int]:
    """The processes of trainings."""
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"/recovery-" in place.read_bytes():
                yield int(place.parent.name)
