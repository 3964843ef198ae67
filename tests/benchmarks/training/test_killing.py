"""Kills at random moments, of runs that are told by a script of their looks, and what each is said to have cost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import cast

import pytest

from benchmarks.training.killable import Killable, Write, Writes
from benchmarks.training.killing import Kill, Pace, end_under_kills, kept, kill, kill_by_the_clock
from benchmarks.training.processes import children, workers
from tests.waiting import eventually
from tuili.errors import InputError
from tuili.files import write_durably

PACE = Pace(whole=100.0, start=8.0, step=0.3, end=2.0, writes=[1.0, 2.0, 3.0], write_steps=[3, 4, 7])


class Scripted:
    """A run that makes a step with each look, saves every 10, which takes `writing` steps, and loses no time."""

    def __init__(self, writing: int, dies_later: int = 0) -> None:
        self.at, self.published, self.writing, self.dies_later = 0, 0, writing, dies_later
        self.sessions, self.struck = 1, list[str]()

    def start(self) -> None:
        """It always runs."""

    def step(self) -> int:
        self.at += 1
        self.published = max(self.published, (self.at - self.writing) // 10 * 10)
        return self.at

    def saved(self) -> list[int]:
        return [self.published] if self.published else []

    def half_saved(self) -> list[int]:
        newest = self.at // 10 * 10
        return [newest] if newest > self.published else []

    def session(self) -> int:
        return self.sessions

    def strike(self, whom: str, rng: random.Random, killed: Callable[[], object] = lambda: None) -> None:
        self.at += self.dies_later
        self.struck.append(whom)
        killed()
        self.at, self.sessions = self.published, self.sessions + 1

    def until(self, holds: Callable[[], bool], every: float = 0, may_fail: bool = False) -> None:
        while not holds():
            self.step()


def struck(victim: str, run: Scripted, at: int, seed: int = 1) -> tuple[Kill, list[float]]:
    slept = list[float]()
    told, _ = kill(cast(Killable, run), victim, random.Random(seed), at, PACE, slept.append)
    return told, slept


@pytest.mark.parametrize(
    ("victim", "most", "whom"), [("worker", 0.3, "worker"), ("launcher", 0.3, "launcher"), ("saving", 2.0, "all")]
)
def test_a_kill_comes_at_a_random_moment_of_a_step_or_a_write(victim: str, most: float, whom: str) -> None:
    moments = list[float]()
    for seed in range(40):
        run = Scripted(writing=4)
        _, (moment,) = struck(victim, run, 15, seed)
        assert run.struck == [whom]
        moments.append(moment)
    assert 0 <= min(moments) < 0.1 * most
    assert 0.9 * most < max(moments) <= most


def test_a_run_that_starts_is_killed_at_a_random_moment_of_the_start() -> None:
    seconds, whom = list[float](), set[tuple[str, ...]]()
    for seed in range(40):
        run = Scripted(writing=4)
        told, (_, moment) = struck("starting", run, 15, seed)
        assert told.strikes == 2
        seconds.append(moment)
        whom.add(tuple(run.struck))
    assert min(seconds) < 0.8
    assert max(seconds) > 7.2
    assert whom == {(a, b) for a in ("worker", "launcher") for b in ("worker", "launcher")}


def test_what_is_lost_is_told_beside_the_steps_of_the_write_that_was_cut() -> None:
    """The checkpoint of step 20 is being written until step 24; the one of step 10 is what the run goes back to."""
    told, _ = struck("saving", Scripted(writing=4), 20)
    assert told.beside is not None
    assert 0 < told.beside < 4
    assert told.lost == 10 + told.beside
    told, _ = struck("worker", Scripted(writing=4), 25)
    assert told.beside is None
    assert 5 <= told.lost < 10


def test_writes_are_seen_with_the_steps_beside_them() -> None:
    run, moments = Scripted(writing=4), iter(range(100))
    writes = Writes(cast(Killable, run), lambda: float(next(moments)))
    for _ in range(17):
        run.step()
        writes.look()
    assert [write.step for write in writes.seen] == [10]
    (write,) = writes.seen
    assert isinstance(write, Write)
    assert 1 <= write.seconds <= 4
    assert 1 <= write.steps <= 4


class Timed:
    """A run that needs so many seconds without a kill, and loses so many more with each."""

    def __init__(self, seconds: float, cost: float) -> None:
        self.now, self.left, self.cost, self.struck = 0.0, seconds, cost, list[float]()

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.left -= seconds

    def start(self) -> None:
        """It always runs."""

    def has_ended(self, may_fail: bool = False) -> bool:
        return self.left <= 0

    def strike(self, whom: str, rng: random.Random) -> None:
        self.struck.append(self.now)
        self.left += self.cost


def test_the_clock_says_when_a_run_is_killed() -> None:
    run = Timed(200, 20)
    kills, seconds = kill_by_the_clock(run, random.Random(1), 60, 200, lambda: run.now, run.sleep)
    assert kills == 4
    assert seconds == pytest.approx(200 + 4 * 20, abs=0.1)
    assert run.struck == pytest.approx([60, 120, 180, 240], abs=0.1)


def test_a_run_that_does_not_go_on_is_told() -> None:
    run = Timed(20, 60)  # it would go on for ever
    with pytest.raises(InputError, match=r"^the run has not ended with a kill every 10 s$"):
        kill_by_the_clock(run, random.Random(1), 10, 20, lambda: run.now, run.sleep)


def test_what_a_run_keeps_is_the_time_of_its_steps_without_what_kills_have_cost() -> None:
    """Steps beside a write count as they were."""
    seconds = {step: 5.0 if step % 10 == 0 else 1.0 for step in range(1, 101)}
    assert kept(log_of(seconds), []) == 89 * 1 + 10 * 5
    assert kept(log_of(seconds | {41: 60.0, 42: 20.0}), [40, 40]) == 89 * 1 + 10 * 5


def log_of(seconds: dict[int, float]) -> list[dict[str, float]]:
    """That of steps which take so long."""
    moments = accumulate(seconds.values())
    return [{"step": step, "seconds": moment} for step, moment in zip(seconds, moments, strict=True)]


def test_a_run_tells_where_it_is(tmp_path: Path) -> None:
    run = Killable([], tmp_path / "run")
    assert (run.step(), run.saved(), run.half_saved(), run.session()) == (0, [], [], 0)
    for name in ("step-00000020", "step-00000040", ".step-00000060"):
        (tmp_path / "run" / "checkpoints" / name).mkdir(parents=True)
    (tmp_path / "run" / "log.jsonl").write_text('{"step": 61, "loss": 1}\n{"step": 62, "loss": 1}\n{"step": 6')
    assert (run.step(), run.saved(), run.half_saved()) == (62, [20, 40], [60])
    (tmp_path / "run.errors").write_text(
        "going on from step 20\nstep 21/80\nno checkpoint yet\ngoing on from step 40\n"
    )
    assert run.resumed() == [20, 40]


def test_each_session_has_a_number_of_its_own(tmp_path: Path) -> None:
    """Though a new log may have the place on the disk of the last one but one, which no one looked at."""
    folder = tmp_path / "run"
    folder.mkdir()
    with Killable([], folder) as run:
        for number in range(1, 6):
            for _ in range(3):
                write_durably(folder / "log.jsonl", b"{}")
            assert (run.session(), run.session()) == (number, number)


def test_the_process_by_which_python_tidies_up_is_no_worker() -> None:
    """A run of replicas has one, whose death would change nothing."""
    program = "from multiprocessing import resource_tracker as t; import subprocess as s; t.ensure_running()"
    begun = subprocess.Popen([sys.executable, "-c", f"{program}; s.run(['sleep', '600'])"])
    try:
        eventually(lambda: len([*children(begun.pid)]) == 2, "it has not begun")
        (worker,) = eventually(lambda: workers(begun.pid), "it has no worker")
        assert b"sleep" in Path(f"/proc/{worker}/cmdline").read_bytes()
    finally:
        for process in [*children(begun.pid), begun.pid]:
            os.kill(process, signal.SIGKILL)
        begun.wait()


def test_a_run_that_fails_behind_a_kill_is_begun_again_once(tmp_path: Path) -> None:
    with Killable(["no-such-command"], tmp_path / "run") as run:
        run.start()
        with pytest.raises(InputError, match=r"^the run has failed: .*no-such-command"):
            run.until(lambda: False)
        assert run.given_again == 0
        with pytest.raises(InputError, match=r"^the run has failed: .*no-such-command"):
            run.until(lambda: False, may_fail=True)
        assert run.given_again == 1


def test_a_strike_counts_a_run_that_has_failed_by_itself(tmp_path: Path) -> None:
    """It fails once, and hangs then."""
    fails = ("sh", "-c", f"cd {tmp_path}; test -e failed && exec sleep 600; touch failed; exit 3")
    with Killable([], tmp_path / "run", program=fails) as run:
        run.start().wait()
        for _ in range(3):
            run.strike("launcher", random.Random(1))
            assert run.given_again == 1


def test_a_run_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    with Killable([], tmp_path / "run", patience=0.1, program=("sh", "-c", "exec sleep 600")) as run:
        with pytest.raises(InputError, match=r"^the run has not gone on for 0\.1 s, at step 0$"):
            run.to_the_end()
        with pytest.raises(InputError, match=r"^the run has not gone on for 0\.1 s, at step 0$"):
            end_under_kills(run, random.Random(1), 10, PACE, 1)


def test_a_run_may_take_longer_than_its_patience_while_it_makes_steps(tmp_path: Path) -> None:
    folder, steps = tmp_path / "run", iter(range(1, 100))
    folder.mkdir()
    waits = ("sh", "-c", f"until test -e {folder}/last; do sleep 0.05; done")
    with Killable([], folder, patience=0.5, program=waits) as run:

        def make_step() -> None:
            step = next(steps)
            if step == 6:
                (folder / "last").touch()
                run.start().wait()
            (folder / "log.jsonl").write_text(f'{{"step": {step}, "loss": 1}}\n')

        assert run.to_the_end(make_step, every=0.2) > 0.5
