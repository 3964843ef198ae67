"""The launcher: what it makes of processes that fail, die, hang or are interrupted. They are no trainings here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuili.errors import TuiliError
from tuili.train.dist.processes.ended import End, cause_of_death, exit_code
from tuili.train.dist.processes.launch import Patience, launch

PATIENCE = Patience(notice=0.2, reason=60, silence=0.2, saving=60)
BEGIN = """
import os, signal, sys, time
from pathlib import Path

folder, rank, resumed = Path(sys.argv[1]), int(os.environ["RANK"]), "--resume" in sys.argv
flag = folder / "flag"
def wait_for(file):
    while not file.exists():
        time.sleep(0.01)
def number():
    (folder / f"number-{os.getpid()}").touch()
def wait_for_end_of_other():  # the launcher has noticed it then
    while not (numbers := [*folder.glob("number-*")]) or Path(f"/proc/{numbers[0].name.partition('-')[2]}").exists():
        time.sleep(0.01)
def deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (folder / f"deaf-{rank}").touch()
    time.sleep(300)
def saves(status, then=lambda: None):
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(status))
    (folder / f"saves-{rank}").touch()
    then()
    time.sleep(300)
"""


def run(code: str, folder: Path, *, restarts: int = 1, patience: Patience = PATIENCE) -> tuple[int, list[str]]:
    """The exit code of two processes that run this code, and what is told."""
    told = list[str]()
    return launch(["-c", BEGIN + code, str(folder)], 2, restarts, lambda: True, told.append, patience), told


def test_all_that_end_well_are_started_once(tmp_path: Path) -> None:
    assert run("assert (folder / str(rank)).mkdir() is None and not resumed", tmp_path) == (0, [])


def test_a_killed_process_is_started_again_with_the_others(tmp_path: Path) -> None:
    code = """
if not resumed:
    saves(75) if rank == 0 else (wait_for(folder / "saves-0"), os.kill(os.getpid(), signal.SIGKILL))
"""
    going_on = "process 1 was killed by SIGKILL: going on from the newest checkpoint, or from the start"
    lost = "assert os.environ['TUILI_LOST_PROCESSES'] == ('1' if resumed else '')"
    assert run(f"{lost}\n{code}", tmp_path) == (0, [going_on])
    with pytest.raises(TuiliError, match=r"^process 1 was killed by SIGKILL, after 0 restarts: add --resume to go on"):
        run(code, tmp_path, restarts=0)


def test_processes_that_notice_a_death_have_time_to_say_so(tmp_path: Path) -> None:
    """They are not ended by a signal first."""
    code = """
if rank == 1:
    number()
    os.kill(os.getpid(), signal.SIGKILL)
wait_for_end_of_other()
time.sleep(0.2)
flag.touch()
sys.exit(75)
"""
    with pytest.raises(TuiliError, match=r"^process 1 was killed by SIGKILL"):
        run(code, tmp_path, restarts=0, patience=Patience())
    assert (tmp_path / "flag").exists()


def test_a_failure_ends_the_run_however_long_another_process_takes_to_end(tmp_path: Path) -> None:
    """As with a checkpoint that is not written in time: what the launcher has killed was not killed by others."""
    code = 'deaf() if rank == 0 else (wait_for(folder / "deaf-0"), sys.exit(3))'
    status, told = run(code, tmp_path, patience=Patience(notice=0.2, saving=0.2))
    assert (status, told) == (3, ["process 0 has not ended within 0 s: killed"])


def test_a_process_that_cannot_be_killed_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that waits for a disk: no signal reaches it."""
    running = set[subprocess.Popen[bytes]]()
    monkeypatch.setattr("tuili.train.dist.processes.launch.KILLED_SECONDS", 0.2)
    monkeypatch.setattr(subprocess.Popen, "send_signal", lambda process, number: running.add(process))
    code = 'deaf() if rank == 0 else (wait_for(folder / "deaf-0"), sys.exit(3))'
    status, told = run(code, tmp_path, patience=Patience(notice=0.2, saving=0.2))
    assert (status, told) == (3, ["process 0 has not ended within 0 s: killed"])
    (process,) = running
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == KILL


def test_a_process_that_has_noticed_a_failure_may_end_before_the_one_that_failed(tmp_path: Path) -> None:
    """It is not ended then: it would die of that in place of its own reason."""
    code = """
if rank == 1:
    number()
    sys.exit(75)
wait_for_end_of_other()
sys.exit(1)
"""
    assert run(code, tmp_path) == (1, [])


@pytest.mark.parametrize(
    ("silent", "patience"),
    [(0, Patience(notice=600, reason=0.1, silence=0.1)), (1, Patience(notice=0.1, reason=0.1, silence=600))],
)
def test_a_process_that_hangs_is_killed_and_all_are_started_again(
    silent: int, patience: Patience, tmp_path: Path
) -> None:
    """Process 0 is given longer: it may be about to end a checkpoint that all have written."""
    code = f"""
if not resumed:
    deaf() if rank == {silent} else (wait_for(folder / "deaf-{silent}"), sys.exit(75))
"""
    status, told = run(code, tmp_path, patience=patience)
    assert status == 0
    assert told == [
        f"process {silent} has not ended within 0 s: killed",
        f"process {silent} did not answer any more: going on from the newest checkpoint, or from the start",
    ]


@pytest.mark.parametrize("status", [75, 130])
def test_a_process_that_is_stopped_ends_by_itself(status: int, tmp_path: Path) -> None:
    """It hears SIGTERM as soon as it goes on. Whatever it makes of that, all are started again."""
    code = f"""
if not resumed:
    if rank == 1:
        saves({status}, lambda: os.kill(os.getpid(), signal.SIGSTOP))
    wait_for(folder / "saves-1")
    sys.exit(75)
"""
    status, told = run(code, tmp_path, patience=Patience(notice=60, reason=0.1, silence=60))
    assert status == 0
    assert told == ["process 1 did not answer any more: going on from the newest checkpoint, or from the start"]


def test_a_process_that_hangs_while_it_ends_is_ended_behind_the_others(tmp_path: Path) -> None:
    code = 'deaf() if rank == 0 else wait_for(folder / "deaf-0")'
    status, told = run(code, tmp_path, patience=Patience(notice=0, reason=0, silence=0.2, saving=0.2))
    assert (status, told) == (1, ["process 0 has not ended within 0 s: killed"])


@pytest.fixture
def heard(number: signal.Signals) -> Iterator[None]:
    """The signal is not ignored, as where the tests have been begun by nohup."""
    before = signal.signal(number, signal.SIG_DFL)
    yield
    signal.signal(number, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_it_lets_the_processes_save(number: signal.Signals, tmp_path: Path) -> None:
    """They get SIGTERM in any case, which lets them save a checkpoint; a failure in that is told by the exit code."""
    code = f"""
if rank == 1:
    saves(130)
wait_for(folder / "saves-1")
saves(int(flag.read_text()), lambda: os.kill(os.getppid(), signal.{number.name}))
"""
    for status in (130, 1):
        (tmp_path / "flag").write_text(str(status))
        (tmp_path / "saves-1").unlink(missing_ok=True)
        assert run(code, tmp_path) == (status, [])


def test_interrupted_beside_one_that_hangs_nothing_is_saved_and_waited_for(tmp_path: Path) -> None:
    code = """
if rank == 1:
    deaf()
wait_for(folder / "deaf-1")
saves(75, lambda: os.kill(os.getppid(), signal.SIGINT))
"""
    assert run(code, tmp_path) == (1, ["process 1 has not ended within 0 s: killed"])


def test_interrupted_before_any_can_save_it_says_so_itself(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run("rank == 0 and os.kill(os.getppid(), signal.SIGINT); time.sleep(300)", tmp_path)


def test_the_second_interruption_is_passed_on(tmp_path: Path) -> None:
    code = """
if rank == 0:
    heard = []
    signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    os.kill(os.getppid(), signal.SIGINT)
    while not heard:
        time.sleep(0.01)
    os.kill(os.getppid(), signal.SIGINT)
    while len(heard) < 2:
        time.sleep(0.01)
    sys.exit(130)
"""
    assert run(code, tmp_path) == (130, [])


def test_processes_know_where_they_are(tmp_path: Path) -> None:
    code = '(folder / os.environ["LOCAL_RANK"]).write_text(os.environ["WORLD_SIZE"] + os.environ["TUILI_LAUNCHER"])'
    assert run(code, tmp_path) == (0, [])
    assert [(tmp_path / str(rank)).read_text() for rank in range(2)] == [f"2{os.getpid()}"] * 2


def test_files_of_the_working_folder_are_no_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitting_here.py").touch()
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "known_here.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*(place for place in sys.path if place), str(tmp_path / "found")])
    code = """
from importlib.util import find_spec
assert find_spec("sitting_here") is None and find_spec("known_here")
"""
    assert run(code, tmp_path) == (0, [])


TERM, KILL = -signal.SIGTERM, -signal.SIGKILL


@pytest.mark.parametrize(
    ("ends", "died", "code"),
    [
        ([End(1, KILL), End(0, 1, True)], "process 1 was killed by SIGKILL", None),
        ([End(1, -6), End(0, TERM, True)], "process 1 was killed by SIGABRT", None),
        ([End(0, 75), End(1, TERM, True)], "process 1 did not answer any more", None),
        ([End(0, 75), End(1, 75, True)], "process 1 did not answer any more", None),
        ([End(0, 75), End(1, 130, True)], "process 1 did not answer any more", None),
        ([End(2, 75), End(0, 75, True), End(1, KILL, True)], "process 1 did not answer any more", None),
        ([End(0, 75), End(1, 75)], "a process has gone", None),
        ([End(0, 75), End(1, 130)], None, 130),
        ([End(0, 75), End(1, KILL, True)], "process 1 did not answer any more", None),
        ([End(1, 1), End(0, KILL, True)], None, 1),
        ([End(0, 75), End(1, 1, True)], None, 1),
        ([End(0, 75), End(1, 1)], None, 1),
        ([End(0, 2), End(1, TERM, True)], None, 2),
        ([End(0, 130), End(1, 130)], None, 130),
        ([End(1, 130), End(0, 1)], None, 1),
        ([End(0, TERM), End(1, 75)], None, 1),
        ([End(0, 0), End(1, 0)], None, 0),
    ],
)
def test_the_first_reason_decides(ends: list[End], died: str | None, code: int | None) -> None:
    found = cause_of_death(ends)
    assert (found and found.why) == died
    assert found is None or found.rank == (1 if "1" in found.why else None)
    if code is not None:
        assert exit_code(ends, interrupted=False) == code


def test_a_checkpoint_that_was_cut_off_is_no_interruption_that_saved() -> None:
    assert exit_code([End(1, 130, True), End(0, KILL, True)], interrupted=True) == 1
    assert exit_code([End(1, -6), End(0, 75)], interrupted=True) == 1
    assert exit_code([End(1, TERM, True), End(0, 130, True)], interrupted=True) == 130


def test_a_run_that_was_interrupted_too_late_has_ended_well() -> None:
    assert exit_code([End(1, 0), End(0, 0)], interrupted=True) == 0
