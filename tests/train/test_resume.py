"""A run that is killed, interrupted or damaged and goes on must equal one that was left alone."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.train.conftest import SMALL
from tuili.train.log import read_log

ROOT = Path(__file__).parents[2]
STEPS = 24
RECIPE = [
    "base",
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
OTHER = ("optimizer.kind=muon", "train.precision=bf16", "train.replicas=2")


def start(out: Path, *more: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tuili", "train", *RECIPE, *more, "--out", str(out)]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_step(process: subprocess.Popen[str], out: Path, step: int) -> None:
    while process.poll() is None and not any(line["step"] >= step for line in read_log(out)):
        time.sleep(0.005)
    assert process.poll() is None, f"ended before step {step}: {process.stderr.read() if process.stderr else ''}"


def finish(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return out + errors


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a run with more overrides that is left alone, once for all tests."""

    @cache
    def run(*more: str) -> Path:
        out: Path = tmp_path_factory.mktemp("uninterrupted") / "run"
        finish(start(out, *more))
        return out

    return run


def assert_same_run(out: Path, expected: Path) -> None:
    last = f"checkpoints/step-{STEPS:08d}"
    for file in ("model/model.safetensors", f"{last}/model.safetensors", f"{last}/optimizer.safetensors"):
        assert (out / file).read_bytes() == (expected / file).read_bytes(), file
    states = [json.loads((folder / last / "state.json").read_text()) for folder in (out, expected)]
    assert states[0]["stream"] == states[1]["stream"]
    losses = [[(line["step"], line["loss"]) for line in read_log(folder)] for folder in (out, expected)]
    assert losses[0] == losses[1]
    assert [step for step, _ in losses[0]] == list(range(1, STEPS + 1))


@pytest.mark.parametrize(("kills", "more"), [(3, ()), (1, OTHER)], ids=["adamw", "muon, bf16, two replicas"])
def test_killed_at_random_steps_it_ends_with_the_same_bits(
    kills: int, more: tuple[str, ...], uninterrupted: Callable[..., Path], tmp_path: Path
) -> None:
    out, rng = tmp_path / "run", random.Random(6)
    for step in sorted(rng.sample(range(1, STEPS - 10), kills)):
        process = start(out, *more, *(["--resume"] if (out / "run.json").is_file() else []))
        wait_for_step(process, out, step)
        time.sleep(rng.random() * 0.05)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    finish(start(out, *more, "--resume"))
    assert_same_run(out, uninterrupted(*more))


def test_interrupted_and_damaged_it_goes_on_to_the_same_bits(
    uninterrupted: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    for number, at in ((signal.SIGINT, 4), (signal.SIGTERM, 12)):
        process = start(out, "--resume")
        wait_for_step(process, out, at)
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 130
        step = read_log(out)[-1]["step"]
        assert f"interrupted: step {step} is saved, add --resume" in output
        assert not (out / "model").exists()
    newest = out / "checkpoints" / f"step-{step:08d}" / "model.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    output = finish(start(out, "--resume"))
    assert f"step-{step:08d} is damaged (the checksum of model.safetensors is wrong)" in output
    assert_same_run(out, uninterrupted())
