"""A search that ends at whatever point, by a kill or a Ctrl-C, goes on to the model of one left alone, and makes
nothing twice."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.compress.auto.test_run import SHORT, search
from tests.compress.killing import Point, check_points, end_at, in_process
from tuili.cli.app import EXIT_INTERRUPTED
from tuili.compress import Interrupted
from tuili.store import model_hash

pytestmark = pytest.mark.kills

AUTO = "tuili.compress.auto"
STEP = Point("tuili.posttrain.learning", "optimizer_tensors", 1)
"""A step of a candidate is done, and is not saved."""
MEASURED = Point(f"{AUTO}.making", "measure_latency", 1)
"""The parent is to be measured; in a later session, a candidate that is made."""
RUNG = Point(f"{AUTO}.making", "compress", 2)
"""The first rung is done."""
CHECKED = Point(f"{AUTO}.run", "compared", 1)
"""All are made, and the chosen one has answered other problems."""
POINTS = {
    signal.SIGKILL: (
        Point(f"{AUTO}.kept", "write_durably", 2),  # the schedule is fixed, and the parent is measured and not kept
        STEP,
        MEASURED,
        RUNG,
        CHECKED,
        Point("tuili.store.folder", "flush_all", 1),  # the chosen model is written, and not in its place
    ),
    signal.SIGINT: (MEASURED, STEP, MEASURED, RUNG, CHECKED),
}


def run_search(
    model: Path, out: Path, resume: bool, number: signal.Signals | None = None, point: Point | None = None
) -> None:
    import tuili.compress.auto.making as making
    import tuili.compress.own as own

    own.THRESHOLD_DOCUMENTS, making.TURNS = 6, SHORT
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if point is not None:
        assert number is not None
        end_at(point, number)
    try:
        search(model).run(out, resume)
    except (Interrupted, KeyboardInterrupt):
        sys.exit(EXIT_INTERRUPTED)


@pytest.mark.parametrize("number", POINTS)
def test_a_search_that_ends_at_many_points_ends_with_the_same_model(
    number: signal.Signals, own: Path, tmp_path: Path
) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    assert in_process(run_search, own, whole, False) == 0
    made: dict[Path, int] = {}

    def run(resume: bool, *ends: object) -> int:
        nonlocal made
        ended = in_process(run_search, own, part, resume, *ends)
        now = {model: model.stat().st_mtime_ns for model in (part / "candidates").glob("*/model")}
        assert made.items() <= now.items(), "what is made is not made again"
        made = now
        return ended

    check_points(run, part, number, POINTS[number], model_hash(whole / "model"))
