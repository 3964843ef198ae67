"""The alarm stays silent while the promise holds, and is raised soon after the promise fails."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tuili.engine.promises.drift import DriftAlarm
from tuili.errors import InputError


def raised(epsilon: float, alpha: float, wrong_T: np.ndarray) -> int | None:
    alarm = DriftAlarm(epsilon, alpha)
    for number, wrong in enumerate(wrong_T.tolist(), start=1):
        alarm.observe(wrong)
        if alarm.revoked:
            return number
    return None


def test_false_alarms_are_no_more_frequent_than_promised() -> None:
    rng, alpha = np.random.default_rng(0), 0.2
    alarms = [raised(0.05, alpha, rng.random(400) < 0.05) for _ in range(400)]
    assert np.mean([number is not None for number in alarms]) <= alpha + 3 * (alpha * (1 - alpha) / 400) ** 0.5


def test_three_times_the_errors_raise_the_alarm_soon_even_after_many_right_answers() -> None:
    rng = np.random.default_rng(1)
    for answers_before in (0, 5000):
        delays = []
        for _ in range(30):
            wrong_T = np.concatenate([rng.random(answers_before) < 0.05, rng.random(1000) < 0.15])
            number = raised(0.05, 0.01, wrong_T)
            delays.append(1001 if number is None or number <= answers_before else number - answers_before)
        assert np.median(delays) < 300
        assert np.mean(np.array(delays) <= 1000) >= 0.9


def test_an_alarm_restored_from_json_goes_on_as_before() -> None:
    rng = np.random.default_rng(2)
    one = DriftAlarm(0.05)
    for wrong in (rng.random(200) < 0.1).tolist():
        one.observe(wrong)
    other = DriftAlarm.restored(json.loads(json.dumps(one.state())))
    for wrong in (rng.random(50) < 0.1).tolist():
        one.observe(wrong)
        other.observe(wrong)
    assert (one.evidence, one.seen, one.revoked) == (other.evidence, other.seen, other.revoked)


def test_a_revocation_stays() -> None:
    alarm = DriftAlarm(0.05)
    for _ in range(100):
        alarm.observe(True)
    assert alarm.revoked
    evidence = alarm.evidence
    for _ in range(1000):
        alarm.observe(False)
    assert alarm.revoked
    assert alarm.evidence == evidence


@pytest.mark.parametrize(
    "bad",
    [
        {"epsilon": 2.0},
        {"seen": -1},
        {"wealth": [1.0]},
        {"wealth": None},
        {"seen": float("inf")},
        {"seen": 10**400},
        {"alpha": 10**400},
        {"epsilon": "none"},
        {"wealth": [1e308] * 6},
        {"wealth": [10**400] * 6},
    ],
)
def test_an_impossible_state_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(InputError):
        DriftAlarm.restored(DriftAlarm(0.05).state() | bad)
    with pytest.raises(InputError, match="are needed"):
        DriftAlarm.restored({})
