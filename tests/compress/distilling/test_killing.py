"""A distillation that is interrupted or killed, also while a student writes, ends with the bytes of one left alone."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.compress.killing import Point, check_points, run_verb
from tuili.store import model_hash

pytestmark = pytest.mark.kills

GIVEN = (
    "distil.samples=4", "distil.healing.rows=1", "distil.healing.kernels=torch", "distil.healing.precision=fp32",
    "distil.healing.steps=5", "distil.healing.checkpoint.interval=2", "distil.writing.rounds=2",
    "distil.writing.chains=3", "--on-policy", "0.6", "--to", "num_groups=2", "--problems", "3",
)  # fmt: skip
LEARNING, STORE, CHAINS = "tuili.posttrain.learning", "tuili.store.folder", "tuili.compress.distilling.chains"
WRITING = "tuili.compress.distilling.writing"
KILLED = (
    Point(LEARNING, "adam_tensors", 1),  # steps on texts are done, and not saved
    Point(CHAINS, "write_chains", 1),  # the first round begins
    Point(WRITING, "refuted_end", 2),  # chains are written, and not kept
    Point(LEARNING, "adam_tensors", 1),  # they are kept, and what was learnt from them is not
    Point(CHAINS, "write_chains", 1),  # the second round begins
    Point(STORE, "flush_all", 1),  # the model is written, and not in its place
)
INTERRUPTED = (
    Point(CHAINS, "write_chains", 1),
    Point(WRITING, "load_scheduler", 1),
    Point(LEARNING, "adam_tensors", 1),
    Point("tuili.compress.own", "read_exits", 1),
)


@pytest.fixture(scope="module")
def whole(own: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The hash of the model of a run that was left alone."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert run_verb(["compress", "distil", str(own), *GIVEN, "--out", str(out)]) == 0
    return model_hash(out / "model")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_distillation_that_ends_at_many_points_ends_with_the_same_bytes(
    number: signal.Signals, own: Path, whole: str, tmp_path: Path
) -> None:
    points = KILLED if number is signal.SIGKILL else INTERRUPTED
    check_points(["compress", "distil", str(own), *GIVEN], tmp_path / "run", number, points, whole)
