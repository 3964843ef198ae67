"""A search that is killed, at whatever point, ends with the model of one left alone, and makes nothing twice."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.compress.auto.test_run import SHORT, search
from tests.compress.killing import Point, end_at, in_process
from tuili.store import model_hash

pytestmark = pytest.mark.kills

AUTO = "tuili.compress.auto"
KILLED = (
    Point(f"{AUTO}.kept", "write_durably", 2),  # the schedule is fixed, and the parent is measured and not kept
    Point("tuili.posttrain.learning", "adam_tensors", 1),  # a step of the first candidate is done, and is not saved
    Point(f"{AUTO}.making", "measure_latency", 1),  # the first candidate is made, and not measured
    Point(f"{AUTO}.making", "compress", 2),  # the first rung is done
    Point(f"{AUTO}.run", "compared", 1),  # all are made, and the chosen one has answered other problems
    Point("tuili.store.folder", "flush_all", 1),  # the chosen model is written, and not in its place
)


def run_search(model: Path, out: Path, resume: bool, point: Point | None = None) -> None:
    import tuili.compress.auto.making as making
    import tuili.compress.own as own

    own.THRESHOLD_DOCUMENTS, making.TURNS = 6, SHORT
    if point is not None:
        end_at(point, signal.SIGKILL)
    search(model).run(out, resume)


def test_a_search_that_is_killed_at_many_points_ends_with_the_same_model(own: Path, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    assert in_process(run_search, own, whole, False) == 0
    made: dict[Path, int] = {}
    for session, point in enumerate(KILLED):
        assert in_process(run_search, own, part, session > 0, point) == -signal.SIGKILL, point
        assert not (part / "model").exists(), point
        now = {model: model.stat().st_mtime_ns for model in (part / "candidates").glob("*/model")}
        assert made.items() <= now.items(), point
        made = now
    assert in_process(run_search, own, part, True) == 0
    assert model_hash(part / "model") == model_hash(whole / "model")
