from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.train.schedule import ScheduleConfig, rate_scale, warmup_cosine


@pytest.mark.parametrize(("decay", "middle"), [("cosine", 0.6), ("linear", 0.6)])
def test_the_rate_rises_and_falls_to_the_floor(decay: str, middle: float) -> None:
    schedule = ScheduleConfig(warmup=3, decay=decay, floor=0.2)
    scales = [rate_scale(schedule, step, steps=34) for step in range(34)]
    assert scales[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert scales[18] == pytest.approx(middle)
    assert scales[-1] == pytest.approx(0.2)
    assert scales[3:] == sorted(scales[3:], reverse=True)


def test_cosine_and_linear_differ_on_the_way() -> None:
    cosine, linear = (rate_scale(ScheduleConfig(warmup=0, decay=kind), 25, 101) for kind in ("cosine", "linear"))
    assert cosine > linear


@given(
    warmup=st.integers(0, 20),
    steps=st.integers(1, 40),
    decay=st.sampled_from(["cosine", "linear"]),
    floor=st.floats(0, 1),
)
def test_the_rate_stays_between_zero_and_its_peak(warmup: int, steps: int, decay: str, floor: float) -> None:
    schedule = ScheduleConfig(warmup=warmup, decay=decay, floor=floor)
    scales = [rate_scale(schedule, step, steps) for step in range(steps)]
    assert all(0 <= scale <= 1 for scale in scales)
    assert max(scales) == 1


def test_a_short_run_warms_up_for_a_tenth_of_its_steps() -> None:
    schedule = ScheduleConfig(warmup=200, floor=0.1)
    scales = [rate_scale(schedule, step, steps=20) for step in range(20)]
    assert scales[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert scales[-1] == pytest.approx(0.1)
    assert [rate_scale(schedule, step, steps=2000) for step in (199, 200)] == pytest.approx([200 / 201, 1.0])


def test_a_rate_by_progress_rises_to_its_peak_and_falls_to_zero() -> None:
    scales = [warmup_cosine(progress, 0.25) for progress in (0.125, 0.25, 0.625, 1.0)]
    assert scales == pytest.approx([0.5, 1.0, 0.5, 0.0])
