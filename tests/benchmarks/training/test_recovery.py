"""The benchmark of recovery: what a kill costs, and a real run that is killed and ends with the same bytes."""

from __future__ import annotations

import pytest

from benchmarks.training.recovery import VICTIMS, Kill, figures, measure
from tests.benchmarks.conftest import SHORT
from tuili.errors import InputError


def test_a_kill_costs_what_is_done_again_and_what_is_waited_for() -> None:
    kills = [Kill(VICTIMS[number % 3], number, 1.5 * number, 10 * number, number == 2) for number in range(1, 21)]
    told = figures(kills, interval=100)
    assert told["recovery"].median == 10.5
    assert told["recovery_p95"].runs == [19.0]
    assert told["launcher_recovery"].runs == [1, 4, 7, 10, 13, 16, 19]
    assert max(told["lost"].runs) == 2.0
    assert told["goodput_at_60"].runs == [1 - 1.5 * 10.5 / 60]
    assert told["goodput_at_300"].runs == [1 - 1.5 * 10.5 / 300]
    assert told["saves_killed"].runs == [1]


@pytest.mark.kills
def test_a_run_that_is_killed_ends_with_the_same_bytes() -> None:
    _, told = measure("base", kills=3, steps=700, interval=20, gap=(0.1, 0.3), overrides=SHORT)
    assert told["same_bytes"].runs == [1.0]
    assert {len(told[f"{victim}_recovery"].runs) for victim in VICTIMS} == {1}
    assert all(0 < share < 1 for share in told["goodput"].runs)


@pytest.mark.kills
def test_a_run_that_fails_says_why() -> None:
    with pytest.raises(InputError, match=r"the run has failed: .*2 processes do not divide its blocks evenly"):
        measure("base", kills=1, steps=4, overrides=(*SHORT, "train.accumulation=1"))
