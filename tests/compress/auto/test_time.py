"""A search keeps to its time over all of its sessions, whatever ends them; what it has found costs no time again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from tests.compress.auto.test_run import search
from tuili.compress import Interrupted, Targets, measuring
from tuili.compress.auto import making, report, stopwatch
from tuili.compress.auto.latency import Latency
from tuili.compress.auto.making import CandidateMaker
from tuili.compress.auto.search import Impossible
from tuili.compress.auto.space import Candidate
from tuili.compress.auto.stopwatch import Stopwatch
from tuili.compress.auto.targets import Found
from tuili.errors import InputError

TARGETS = Targets(0.99, None, 0.0)


class Clock:
    """A time that making moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Making:
    """Stands for a maker's: each candidate takes some seconds and has some share of right answers, by its turn."""

    def __init__(self, clock: Clock, model: Path, seconds: float, right: Mapping[int, float]) -> None:
        self.clock, self.model, self.seconds, self.right = clock, model, seconds, right
        self.made: list[tuple[str, int]] = []

    def __call__(self, maker: CandidateMaker, candidate: Candidate, steps: int) -> Found:
        self.made.append((candidate.name, steps))
        self.clock.now += self.seconds
        if (right := self.right.get(len(self.made))) is None:
            raise Interrupted
        return Found(candidate.name, steps, 1e-9, 1.0, right, dict.fromkeys("123", right), str(self.model))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Nothing is measured but by what stands for a maker, and no picture is drawn."""
    monkeypatch.setattr(making, "measure_latency", lambda *_: Latency(1.0, 0.0, 1.0, 1.0))
    monkeypatch.setattr(measuring, "right_answers", lambda model, problems, *_: [False] * len(problems))
    monkeypatch.setattr(report, "write_picture", lambda *_: None)
    return Clock()


def test_a_search_whose_time_is_over_keeps_what_it_has_found(
    own: Path, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in, out = Making(clock, own, 20, {1: 0.3, 2: 0.9, 3: 0.5, 4: 0.95}), tmp_path / "auto"
    monkeypatch.setattr(CandidateMaker, "make", lambda maker, candidate, steps: stand_in(maker, candidate, steps))
    first = search(own, TARGETS, minutes=0.7, clock=clock).run(out, resume=False)
    assert [one.right for one in first.found] == [0.3, 0.9]  # of 42 seconds 20 are gone, then 40
    assert first.chosen.right == 0.9
    written = (out / "model").stat().st_ino
    again = search(own, TARGETS, minutes=0.7, clock=clock).run(out, resume=True)
    assert (again.found, again.chosen) == (first.found, first.chosen)
    assert len(stand_in.made) == 2
    assert (out / "model").stat().st_ino == written
    longer = search(own, TARGETS, minutes=2, clock=clock).run(out, resume=True)
    assert [one.right for one in longer.found] == [0.3, 0.9, 0.5]
    assert longer.found[-1].name == first.chosen.name


def test_interrupted_sessions_count_to_the_time(
    own: Path, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in, out = Making(clock, own, 10, {1: 0.3}), tmp_path / "auto"
    monkeypatch.setattr(CandidateMaker, "make", lambda maker, candidate, steps: stand_in(maker, candidate, steps))
    for session in range(3):
        with suppress(Interrupted):
            report = search(own, TARGETS, minutes=0.5, clock=clock).run(out, resume=session > 0)
    assert [one.right for one in report.found] == [0.3]
    assert len(stand_in.made) == 2  # 10 seconds for one that is made, and as many for one that is not


def test_what_cannot_be_made_is_left_out_for_good(
    own: Path, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = list[str]()

    def make(maker: CandidateMaker, candidate: Candidate, steps: int) -> Found:
        tried.append(candidate.name)
        if len(tried) == 1:
            raise Impossible("step 3: the loss is nan")
        return Found(candidate.name, steps, 1e-9, 1.0, 0.5, dict.fromkeys("123", 0.5), str(own))

    monkeypatch.setattr(CandidateMaker, "make", make)
    found = search(own, TARGETS, clock=clock).run(tmp_path / "auto", resume=False).found
    assert tried[0] not in {one.name for one in found}
    assert search(own, TARGETS, clock=clock).run(tmp_path / "auto", resume=True).found == found
    assert tried.count(tried[0]) == 1


def test_time_is_kept_over_sessions_that_end_by_an_error(tmp_path: Path) -> None:
    clock = Clock()
    for session in (1, 2):
        with suppress(KeyboardInterrupt), Stopwatch(tmp_path, clock):
            clock.now += 10
            raise KeyboardInterrupt
        assert Stopwatch(tmp_path, clock).seconds == 10 * session
    (tmp_path / "seconds.json").write_text("[]")
    with pytest.raises(InputError, match=r"seconds\.json is damaged: choose another --out"):
        Stopwatch(tmp_path, clock)


def test_time_is_kept_while_a_session_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopwatch, "HEARTBEAT_SECONDS", 0.001)
    clock = Clock()
    with Stopwatch(tmp_path, clock):
        clock.now = 7
        while not (tmp_path / "seconds.json").exists() or Stopwatch(tmp_path, lambda: 0.0).seconds < 7:
            pass
