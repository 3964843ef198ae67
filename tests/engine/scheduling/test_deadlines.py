"""The times by which running sequences must have been decoded, as they start and end, and work takes longer."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from tuili.engine.scheduling.costs import DEADLINE_SAFETY_FACTOR, Costs
from tuili.engine.scheduling.deadlines import Deadlines
from tuili.engine.sequence import Sequence, SequenceLimits

starts = st.none() | st.sampled_from([1.0, 2.0, 2.0, 5.0])
ends = st.integers(0, 5)


def times(running: list[Sequence], costs: Costs) -> dict[Sequence, float]:
    """The slow twin: worked out anew from all that run."""
    judging, latest, found = DEADLINE_SAFETY_FACTOR * costs.judge.expected(1), inf, dict[Sequence, float]()
    timed = [each for each in running if each.limits.deadline is not None]
    for sequence in sorted(timed, key=lambda each: each.limits.deadline or 0.0, reverse=True):
        latest = min(latest, (sequence.limits.deadline or 0.0) - costs.jitter) - judging
        found[sequence] = latest
    return found


@given(st.lists(starts | ends | st.sampled_from(["judge", "stall"]), max_size=30))
def test_the_times_are_those_of_all_that_run(happened: list[float | int | str | None]) -> None:
    costs, running = Costs(16, 16), list[Sequence]()
    deadlines = Deadlines(costs)
    for number, one in enumerate(happened):
        if one == "judge":
            costs.judge.observe(1, 0.1 * number)
        elif one == "stall":
            costs.jitter = 0.01 * number
        elif isinstance(one, int):
            if one < len(running):
                deadlines.remove(running.pop(one))
        else:
            assert one is None or isinstance(one, float)
            running.append(Sequence([1], SequenceLimits(deadline=one)))
            deadlines.add(running[-1])
        assert bool(deadlines) == any(each.limits.deadline is not None for each in running)
        deadlines.refresh()
        expected = times(running, costs)
        assert deadlines.sequences == list(expected)
        assert all(deadlines.seconds_left(each, 0.5) == expected.get(each, inf) - 0.5 for each in running)
