"""A run that is killed, interrupted or damaged and goes on must equal one that was left alone.

What ends a run happens to the command, in a process of its own; the others are trained in the process of the tests.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest

from tests.processes import start_command
from tests.train.conftest import SMALL, assert_same_checkpoint, go
from tests.train.faulty import run
from tests.waiting import GUARD_SECONDS
from tuili.config import load_recipe
from tuili.train.log import read_log
from tuili.train.recipe import Recipe

pytestmark = pytest.mark.usefixtures("as_in_faulty_runs")

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
STEPS = 18
OVERRIDES = [
    f"model.overrides={SMALL}",
    f"train.steps={STEPS}",
    "train.rows=2",
    "train.length=192",
    "train.accumulation=2",
    "train.replicas=1",
    "train.precision=fp32",
    "train.compile=off",  # each session would compile for a while; test_run.py resumes compiled
    "data.domains=[propositional, relations, arithmetic, geometry]",
    "data.levels=[1]",
    "schedule.warmup=5",
    "checkpoint.interval=3",
    "log.interval=1",
]
WEIGHED = ("data.weights={relations: 1.6, geometry: 0.5}", "optimizer.kind=muon", "train.precision=bf16")
OTHER = (*WEIGHED, "train.accumulation=1")
SHARED = (*WEIGHED, "train.replicas=2", "train.device=cpu")


def end(out: Path, *more: str, faults: str) -> str:
    """What the command writes until the last one of some faults kills it; see `faulty`."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.train.faulty", faults, *arguments(out, *more)],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=GUARD_SECONDS,
        check=False,
    )
    return killed(out, done.returncode, done.stdout + done.stderr)


def end_copied(out: Path, *more: str, faults: str) -> str:
    """The same of a command that starts at once."""
    process = start_command(partial(run, faults), arguments(out, *more), out.parent, ENVIRONMENT)
    process.join(GUARD_SECONDS)
    return killed(out, process.exitcode, "".join((out.parent / name).read_text() for name in ("output", "errors")))


def arguments(out: Path, *more: str) -> list[str]:
    return ["train", "base", *OVERRIDES, *more, "--out", str(out)]


def killed(out: Path, status: int | None, shown: str) -> str:
    assert status == -signal.SIGKILL, shown
    assert not (out / "model").exists()
    return shown


def run_train(out: Path, *more: str, resume: bool = False) -> str:
    """Train to the end, and return what was shown."""
    return go(load_recipe("base", [*OVERRIDES, *more], Recipe), out, resume)[1]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a run with more overrides that is left alone, once for all tests."""

    @cache
    def run(*more: str) -> Path:
        out: Path = tmp_path_factory.mktemp("uninterrupted") / "run"
        run_train(out, *more)
        return out

    return run


def assert_same_run(out: Path, expected: Path) -> None:
    last, file = f"checkpoints/step-{STEPS:08d}", "model/model.safetensors"
    assert (out / file).read_bytes() == (expected / file).read_bytes()
    assert_same_checkpoint(out, expected, STEPS)
    states = [json.loads((folder / last / "state.json").read_text()) for folder in (out, expected)]
    assert states[0]["stream"] == states[1]["stream"]
    losses = [[(line["step"], line["loss"]) for line in read_log(folder)] for folder in (out, expected)]
    assert losses[0] == losses[1]
    assert [step for step, _ in losses[0]] == list(range(1, STEPS + 1))


@pytest.mark.kills
def test_killed_it_ends_with_the_same_bits(uninterrupted: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    end(out, *SHARED, faults="13 0.03 SIGKILL")
    run_train(out, *SHARED, resume=True)
    assert_same_run(out, uninterrupted(*SHARED))


@pytest.mark.parametrize(
    ("more", "end"),
    [(OTHER, end_copied), pytest.param((), end, marks=pytest.mark.kills)],
    ids=["muon, bf16", "as usual"],
)
def test_interrupted_killed_and_damaged_it_goes_on_to_the_same_bits(
    more: tuple[str, ...], end: Callable[..., str], uninterrupted: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    output = end(out, *more, faults="4 0 SIGINT, 8 0 SIGTERM, 11 0.01 SIGKILL")
    steps = re.findall(r"interrupted: step (\d+) is saved, add --resume", output)
    assert len(steps) == 2
    assert all(f"going on from step {step}\n" in output for step in steps)
    newest = max((out / "checkpoints").glob("step-*"))
    weights = newest / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    shown = run_train(out, *more, resume=True)
    assert f"{newest.name} is damaged (the checksum of model.safetensors is wrong)" in shown
    assert_same_run(out, uninterrupted(*more))
