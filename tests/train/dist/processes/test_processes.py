"""Real processes of torchrun and of the launcher: they learn, they end together, and they go on where one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.processes import start_command
from tests.train.conftest import SMALL
from tests.waiting import GUARD_SECONDS, eventually
from tuili.cli.app import main
from tuili.errors import TuiliError
from tuili.parent import LAUNCHER_VARIABLE
from tuili.train.dist.processes.launch import launch
from tuili.train.log import read_log

ROOT = Path(__file__).parents[4]
SHORT = [
    "train",
    "base",
    f"model.overrides={SMALL}",
    "train.steps=4",
    "train.rows=1",
    "train.length=128",
    "train.accumulation=2",
    "train.compile=off",
    "data.domains=[propositional]",
    "data.levels=[1]",
    "checkpoint.interval=2",
    "log.interval=1",
]
TOLD = "ddp: 2 processes on cpu, each with the whole model; gradients travel as fp32 beside the backward pass\n"
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def start(
    out: Path,
    *more: str,
    by: tuple[str, ...] = (),
    what: tuple[str, ...] = ("tuili",),
    line: tuple[str, ...] = tuple(SHORT),
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *by, "-m", *what, *line, *more, "--out", str(out)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Copy:
    """What the launcher starts, in place of `subprocess.Popen`: it starts at once, and writes to files of `shown`."""

    def __init__(self, shown: Path, command: list[str], env: dict[str, str], start_new_session: bool) -> None:
        assert command[:3] == [sys.executable, "-m", "tuili"]
        assert start_new_session
        assert env["TORCH_CPP_LOG_LEVEL"] == "ERROR"  # torch reads it when it is imported, before a copy is made
        self._process = start_command(main, command[3:], shown, env)

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self._process.pid or 0, number)


def test_the_command_starts_as_many_processes_as_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("tuili.train.dist.processes.launch.subprocess", SimpleNamespace(Popen=partial(Copy, tmp_path)))
    command = [*SHORT, "train.dist.backend=ddp", "--nproc", "2", "--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as ended:
        main(command)
    errors = (tmp_path / "errors").read_text()
    assert ended.value.code == 0, errors
    assert (tmp_path / "output").read_text().startswith(f"{tmp_path}/run/model: 4 steps, ")
    assert errors.count(TOLD) == 1
    capsys.readouterr()
    assert main(command) == 2
    assert capsys.readouterr().err == (
        f"tuili: error: {tmp_path}/run already holds a run: add --resume to go on, or choose another --out\n"
    )


@pytest.mark.kills
def test_so_it_does_from_a_shell(tmp_path: Path) -> None:
    output, errors = start(tmp_path, "train.dist.backend=ddp", "--nproc", "2").communicate(timeout=GUARD_SECONDS)
    assert output.startswith(f"{tmp_path}/model: 4 steps, ")
    assert errors.count(TOLD) == 1
    assert "Warning" not in errors


@pytest.mark.kills
@pytest.mark.parametrize("backend", ["replicas", "ddp", "fsdp2"])
def test_torchrun_s_go_on_where_one_is_killed(backend: str, tmp_path: Path) -> None:
    """From the newest checkpoint, without `--resume`, and to the bits of a run that was left alone."""
    ends, files = list[str](), list[bytes]()
    alone = () if backend == "replicas" else TORCHRUN
    for name, fault, by in (("killed", "once 3 0 SIGKILL", (*TORCHRUN, "--max-restarts", "1")), ("alone", "", alone)):
        more, what = () if by else ("--nproc", "2"), ("tests.train.faulty", fault)
        run = start(tmp_path / name, f"train.dist.backend={backend}", *more, by=by, what=what)
        output, errors = run.communicate(timeout=GUARD_SECONDS)
        assert run.returncode == 0, errors
        assert output.startswith(f"{tmp_path / name}/model: 4 steps, ")
        shown = "2 replicas share the blocks of a step" if backend == "replicas" else f"{backend}: 2 processes on cpu"
        assert shown in errors
        ends.append(errors)
        files.append((tmp_path / name / "model" / "model.safetensors").read_bytes())
    assert ["going on from step 2\n" in errors for errors in ends] == [True, False]
    assert [line["step"] for line in read_log(tmp_path / "killed")] == [1, 2, 3, 4]
    assert files[0] == files[1]


@pytest.mark.kills
def test_it_goes_on_where_a_process_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Process 0, which writes the log, kills itself whenever it has made step 3."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(ROOT)
    told = list[str]()
    command = [
        "-m",
        "tests.train.faulty",
        "saved 3 0 SIGKILL",
        *SHORT,
        "train.dist.backend=ddp",
        "--out",
        str(tmp_path),
    ]
    with pytest.raises(TuiliError, match=r"^process 0 was killed by SIGKILL, after 1 restarts: add --resume to go on"):
        launch(command, 2, 1, (tmp_path / "run.json").is_file, told.append)
    assert told == ["process 0 was killed by SIGKILL: going on from the newest checkpoint, or from the start"]
    errors = capfd.readouterr().err
    assert errors.count("going on from step 2\n") == 1
    assert "interrupted" not in errors
    told = "tuili: error: process 1: another process has ended or does not answer ("
    assert errors.count(told) == 2, "nobody says that process 0 has gone"
    assert [line["step"] for line in read_log(tmp_path)] == [1, 2, 3]


@pytest.mark.kills
def test_interrupted_it_saves_and_ends(tmp_path: Path) -> None:
    run, _ = begun(tmp_path)
    os.kill(run.pid, signal.SIGINT)
    output, errors = run.communicate(timeout=GUARD_SECONDS)
    assert run.returncode == 130
    assert "is saved, add --resume to the same command to go on" in output
    assert errors.endswith("tuili: interrupted\n")


@pytest.mark.kills
def test_processes_end_with_what_started_them(tmp_path: Path) -> None:
    run, children = begun(tmp_path)
    run.kill()
    run.communicate(timeout=GUARD_SECONDS)
    eventually(lambda: not any(is_alive(child) for child in children), "processes go on by themselves")
    assert not (tmp_path / "model").exists()


def begun(out: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A run without end in sight that has made a step, and its processes."""
    run = start(out, "train.steps=1000000", "train.dist.backend=ddp", "--nproc", "2")
    eventually(lambda: read_log(out), "no step was made")
    return run, [int(child) for child in Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()]


def is_alive(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_process_whose_launcher_is_gone_already_ends() -> None:
    code = "import time; from tuili.parent import end_with_launcher; end_with_launcher(); time.sleep(300)"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), LAUNCHER_VARIABLE: "1"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 1
