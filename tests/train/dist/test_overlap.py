"""What runs beside the backward pass changes nothing of what is learnt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.native.calling import library
from tests.train.conftest import assert_same_checkpoint
from tests.train.dist import torch_ranks as ranks
from tests.train.dist.test_backends import losses, recipe, weights
from tuili.train.log import read_log

pytestmark = pytest.mark.usefixtures("as_in_faulty_runs")

STEPS = ("train.clip=null", "train.accumulation=4", "optimizer.learning_rate=1.0e-3")


@pytest.fixture(scope="module")
def processes() -> Iterator[ranks.Ranks]:
    """Processes that all tests share."""
    started = ranks.Ranks()
    yield started
    assert not any(started.close())


@pytest.fixture
def train(processes: ranks.Ranks) -> Callable[..., str]:
    """Trains in two processes, with an overlap and a form of gradients, in many buckets; returns what is shown."""

    def run(
        out: Path, overlap: str, form: str, *more: str, resume: bool = False, before: ranks.Preparation | None = None
    ) -> str:
        settings = f"train.dist={{backend: ddp, overlap: {overlap}, bucket_mb: 0.02, gradients: {form}}}"
        first, other = processes.train([recipe(settings, *STEPS, *more)] * 2, out, resume=resume, before=before)
        assert not other
        assert "failed: " not in first
        return first

    return run


@pytest.mark.parametrize("form", ["{form: fp32}", "{form: fp16}", "{form: 3bit, keep_errors: 0.8}"])
def test_all_ways_learn_the_same_bits(train: Callable[..., str], form: str, tmp_path: Path) -> None:
    library()
    told = {
        "off": "and hold the backward pass up\n",
        "communication": "beside the backward pass\n",
        "update": "beside the backward pass, and so does each update\n",
    }
    for overlap, beside in told.items():
        assert f" {beside}" in train(tmp_path / overlap, overlap, form)
    for overlap in ("communication", "update"):
        ours, theirs = (weights(tmp_path / way) for way in (overlap, "off"))
        assert all(torch.equal(ours[name], value) for name, value in theirs.items())
        assert losses(tmp_path / overlap) == losses(tmp_path / "off")
        norms = ([line["gradient_norm"] for line in read_log(tmp_path / way)] for way in (overlap, "off"))
        assert next(norms) == next(norms)
        assert_same_checkpoint(tmp_path / overlap, tmp_path / "off", 6)
