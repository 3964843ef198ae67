"""A verb that is interrupted or killed, at whatever point, ends with the bytes of one that was left alone."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.compress.killing import Point, check_points, run_verb
from tuili.store import model_hash

pytestmark = pytest.mark.kills

GIVEN = (
    "prune.multiple=4", "prune.samples=4", "prune.healing.rows=1", "prune.healing.kernels=torch",
    "prune.healing.precision=fp32", "prune.healing.steps=5", "prune.healing.checkpoint.interval=1",
    "--rounds", "2", "--experts", "3", "--problems", "3",
)  # fmt: skip
PRUNE, LEARNING, STORE = "tuili.compress.pruning.prune", "tuili.posttrain.learning", "tuili.store.folder"
KILLED = (
    Point(PRUNE, "choose", 1),  # scores of the first round are taken, and nothing is saved
    Point(LEARNING, "adam_tensors", 1),  # a step is done, and is not saved
    Point("tuili.train.checkpoint", "write_durably", 2),  # a checkpoint is half there
    Point(PRUNE, "choose", 1),  # the second round begins
    Point(LEARNING, "adam_tensors", 3),  # the last step is not saved
    Point("tuili.compress.own", "choose_threshold", 1),
    Point("tuili.compress.measuring", "right_answers", 2),  # the parent has answered
    Point(STORE, "flush_all", 1),  # the model is written, and not in its place
)
INTERRUPTED = (
    Point(PRUNE, "choose", 1),
    Point(PRUNE, "choose", 1),  # of the second round: the session goes on behind the first step
    Point(LEARNING, "adam_tensors", 1),
    Point("tuili.compress.own", "read_exits", 1),
    Point("tuili.compress.measuring", "right_answers", 1),
)


@pytest.fixture(scope="module")
def whole(own: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The hash of the model of a run that was left alone."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert run_verb(["compress", "prune", str(own), *GIVEN, "--out", str(out)]) == 0
    return model_hash(out / "model")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_ends_at_many_points_ends_with_the_same_bytes(
    number: signal.Signals, own: Path, whole: str, tmp_path: Path
) -> None:
    points = KILLED if number is signal.SIGKILL else INTERRUPTED
    check_points(["compress", "prune", str(own), *GIVEN], tmp_path / "run", number, points, whole)
