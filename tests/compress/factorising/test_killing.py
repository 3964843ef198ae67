"""A factorisation that is interrupted or killed, at whatever point, ends with the bytes of one that was left alone."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.compress.killing import Point, check_points, run_verb
from tuili.store import model_hash

pytestmark = pytest.mark.kills

GIVEN = (
    "factorise.multiple=2", "factorise.samples=4", "factorise.probes=2", "factorise.healing.rows=1",
    "factorise.healing.kernels=torch", "factorise.healing.precision=fp32", "factorise.healing.steps=4",
    "factorise.healing.checkpoint.interval=1", "--keep", "0.8", "--bases", "separate", "--problems", "3",
)  # fmt: skip
FACTORISE, LEARNING = "tuili.compress.factorising.factorise", "tuili.posttrain.learning"
KILLED = (
    Point(FACTORISE, "damped", 1),  # moments are taken
    Point(FACTORISE, "divergences", 1),
    Point("tuili.compress.decisions", "write_durably", 1),  # ranks are chosen, and not kept
    Point("tuili.train.checkpoint", "write_durably", 2),  # a checkpoint is half there
    Point(LEARNING, "adam_tensors", 2),
    Point("tuili.compress.own", "choose_threshold", 1),
    Point("tuili.compress.measuring", "right_answers", 2),
    Point("tuili.store.folder", "flush_all", 1),  # the model is written, and not in its place
)
INTERRUPTED = (
    Point(FACTORISE, "damped", 1),
    Point(FACTORISE, "divergences", 1),
    Point(LEARNING, "adam_tensors", 2),
    Point("tuili.compress.own", "read_exits", 1),
    Point("tuili.compress.measuring", "right_answers", 1),
)


OF_IMPORTED = (
    Point("tuili.compress.factorising.imported", "InputMoments", 3),
    Point(FACTORISE, "divergences", 1),
    Point("tuili.compress.decisions", "write_durably", 1),
    Point(LEARNING, "adam_tensors", 2),
    Point("tuili.compress.imported", "save_file", 1),
    Point("tuili.store.folder", "flush_all", 1),
)


@pytest.fixture(scope="module")
def whole(own: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The hash of the model of a run that was left alone."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert run_verb(["compress", "factorise", str(own), *GIVEN, "--out", str(out)]) == 0
    return model_hash(out / "model")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_ends_at_many_points_ends_with_the_same_bytes(
    number: signal.Signals, own: Path, whole: str, tmp_path: Path
) -> None:
    points = KILLED if number is signal.SIGKILL else INTERRUPTED
    check_points(["compress", "factorise", str(own), *GIVEN], tmp_path / "run", number, points, whole)


def test_the_same_of_an_imported_model(dense: Path, questions: Path, tmp_path: Path) -> None:
    others = [one for one in GIVEN[:-2] if "kernels" not in one]
    given = ["compress", "factorise", str(dense), *others, "--data", str(questions)]
    out = tmp_path / "whole" / "run"
    assert run_verb([*given, "--out", str(out)]) == 0
    check_points(given, tmp_path / "run", signal.SIGKILL, OF_IMPORTED, model_hash(out / "model"))
