"""Whatever ends processes that share a run's steps: they go on to the same bits, and nothing is left behind."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.processes import start_command
from tests.train.conftest import assert_same_checkpoint
from tests.train.dist.test_replicas import OVERRIDES, ROOT, STEPS, go
from tests.train.faulty import run_copied
from tests.waiting import GUARD_SECONDS, eventually
from tuili.train.log import TrainingLog, read_log

pytestmark = pytest.mark.usefixtures("as_in_faulty_runs")

DIED = "replica 1 was killed by SIGKILL: going on from the newest checkpoint, or from the start\n"


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("uninterrupted") / "run"
    go(out)
    return out


@contextmanager
def nothing_left() -> Iterator[None]:
    """No more shared memory is there behind the block than before it."""
    before = set(Path("/dev/shm").glob("pym-*"))  # as multiprocessing names it
    yield
    assert set(Path("/dev/shm").glob("pym-*")) <= before


def end(out: Path, faults: str) -> tuple[int, str, str]:
    """The exit status, output and errors of the command, in a process group of its own; for faults see `faulty`."""
    command = [sys.executable, "-m", "tests.train.faulty", faults, *arguments(out)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )
    try:
        output, errors = process.communicate(timeout=GUARD_SECONDS)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    check_end(process.pid, errors)
    return process.returncode, output, errors


def end_copied(out: Path, faults: str) -> tuple[int, str, str]:
    """The same of a command that starts at once, as do its replicas."""
    process = start_command(partial(run_copied, faults), arguments(out), out.parent, environment())
    process.join(GUARD_SECONDS)
    if process.exitcode is None:
        os.killpg(process.pid or 0, signal.SIGKILL)
    output, errors = ((out.parent / name).read_text() for name in ("output", "errors"))
    check_end(process.pid or 0, errors)
    return process.exitcode or 0, output, errors


def arguments(out: Path) -> list[str]:
    return ["train", "base", *OVERRIDES, "--out", str(out), *(["--resume"] if (out / "run.json").is_file() else [])]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}


def check_end(leader: int, errors: str) -> None:
    eventually(lambda: not process_group(leader), "processes are left behind")
    assert "Traceback" not in errors


def process_group(leader: int) -> dict[int, str]:
    """The processes of a group that have not ended, with their command lines. One whose first thread has ended may have
    others, which hold its files."""
    processes = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "stat").read_text().rpartition(")")[2].split()
            state, of_group, threads = told[0], int(told[2]), int(told[17])
            if of_group == leader and (state != "Z" or threads > 1):
                processes[int(folder.name)] = (folder / "cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):  # it ended just now
            continue
    return processes


def check_same(out: Path, expected: Path) -> None:
    file = "model/model.safetensors"
    assert (out / file).read_bytes() == (expected / file).read_bytes()
    assert_same_checkpoint(out, expected, STEPS)
    losses = [[(line["step"], line["loss"]) for line in read_log(folder)] for folder in (out, expected)]
    assert losses[0] == losses[1]


def test_interrupted_killed_and_bereaved_they_go_on_to_the_same_bits(
    uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first two faults happen to one process of the command; the third to the replica of this one."""
    out = tmp_path / "run"
    with nothing_left():
        status, output, errors = end_copied(out, "4 0.02 Ctrl-C, 9 0.03 SIGKILL")
        assert status == -signal.SIGKILL, errors
        (step,) = re.findall(r"interrupted: step (\d+) is saved", output)
        assert f"going on from step {step}\n" in errors
        last = read_log(out)[-1]["step"]
        assert last < STEPS - 5, "it came too far for the next fault"
        write = TrainingLog.step

        def write_and_kill(self: TrainingLog, at: int, *figures: Any, **more: Any) -> None:
            write(self, at, *figures, **more)
            if at == last + 2:
                monkeypatch.setattr(TrainingLog, "step", write)
                for other in multiprocessing.active_children():
                    other.kill()

        monkeypatch.setattr(TrainingLog, "step", write_and_kill)
        shown = go(out, resume=True)
        assert DIED in shown
        check_same(out, uninterrupted)


def test_where_one_stands_still_they_go_on_without_it(
    uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, saved = TrainingLog.step, tmp_path / "run" / "checkpoints" / "step-00000003"

    def write_and_stop(self: TrainingLog, at: int, *figures: Any, **more: Any) -> None:
        write(self, at, *figures, **more)
        if at == 4:
            eventually(saved.exists, "step 3 is not saved")
            monkeypatch.setattr(TrainingLog, "step", write)
            for other in multiprocessing.active_children():
                os.kill(other.pid or 0, signal.SIGSTOP)

    monkeypatch.setattr(TrainingLog, "step", write_and_stop)
    with nothing_left():
        shown = go(tmp_path / "run", "train.dist.timeout=3")
        assert re.search(r"^replica 1 has not answered for \d+ s: going on from the newest checkpoint, or", shown, re.M)
        assert "going on from step 3\n" in shown
    check_same(tmp_path / "run", uninterrupted)


def test_where_the_command_alone_stands_still_the_others_end_and_it_goes_on(
    uninterrupted: Path, tmp_path: Path
) -> None:
    out, told = tmp_path / "run", tmp_path / "errors"
    line = [*arguments(out), "train.dist.timeout=5"]
    process = start_command(partial(run_copied, "4 0 SIGSTOP"), line, tmp_path, environment())
    try:
        state = Path(f"/proc/{process.pid}/stat")
        eventually(lambda: state.read_text().rpartition(")")[2].split()[0] == "T", "it has not stopped itself")
        silent = "tuili: error: replica 1: another process has ended or does not answer (process 0 has not shown any s"
        assert silent not in told.read_text()
        eventually(lambda: silent in told.read_text(), "the other waits for ever")
        os.kill(process.pid or 0, signal.SIGCONT)
        process.join(GUARD_SECONDS)
    finally:
        if process.exitcode is None:
            os.killpg(process.pid or 0, signal.SIGKILL)
    assert process.exitcode == 0, told.read_text()
    check_end(process.pid or 0, told.read_text())
    again = "replica 1 has ended, as process 0 stood still: going on from the newest checkpoint, or from the start\n"
    assert told.read_text().count(again) == 1
    check_same(out, uninterrupted)


def test_where_a_disk_does_not_answer_the_command_ends(tmp_path: Path) -> None:
    with nothing_left():
        status, _, errors = end_copied(tmp_path / "run", "4 0 the disk hangs")
    assert status == 1
    told = r"^tuili: error: checkpoint \S+/step-0000000[36] was not written: process 0: the disk does not answer, "
    assert len(re.findall(told, errors, re.M)) == 1


@pytest.mark.kills
def test_whatever_ends_them_they_go_on_to_the_same_bits(uninterrupted: Path, tmp_path: Path) -> None:
    """Each fault happens to a command of its own, at any moment."""
    out, rng, step = tmp_path / "run", random.Random(8), 0
    with nothing_left():
        for fault in ("Ctrl-C", "SIGKILL", "the other is killed"):
            step += rng.randint(2, 5)
            status, output, errors = end(out, f"{step} {rng.random() * 0.05} {fault}")
            step = read_log(out)[-1]["step"]
            assert step < STEPS - 5 or fault == "the other is killed", "it came too far for the next fault"
            if fault == "Ctrl-C":
                assert status == 130
                assert f"interrupted: step {step} is saved" in output
            elif fault == "SIGKILL":
                assert status == -signal.SIGKILL
            else:
                assert status == 0, errors  # it went on by itself
                assert f"\n{DIED}" in errors
                assert step == STEPS
        check_same(out, uninterrupted)
