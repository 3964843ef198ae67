"""Learning whole numbers that is killed, at whatever point, ends with the bytes of a run that was left alone."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.compress.killing import Point, check_points, run_verb
from tuili.store import model_hash, read_lineage

pytestmark = pytest.mark.kills

KILLED = (
    Point("tuili.posttrain.learning", "adam_tensors", 1),  # a step is done, and is not saved
    Point("tuili.train.checkpoint", "write_durably", 2),  # a checkpoint is half there
    Point("tuili.posttrain.learning", "adam_tensors", 3),  # the last step is not saved
    Point("tuili.compress.measuring", "right_answers", 2),  # the parent has answered
    Point("tuili.store.folder", "flush_all", 1),  # the model is written, and not in its place
)


@pytest.mark.parametrize("kind", ["own", "imported"])
def test_a_killed_run_ends_with_the_same_bytes(
    kind: str, wide: Path, half: Path, questions: Path, tmp_path: Path
) -> None:
    given = ["compress", "qat", str(wide if kind == "own" else half), "--steps", "4", "--problems", "3"]
    given += ["quantize.healing.rows=1", "quantize.healing.checkpoint.interval=1"]
    test = tmp_path / "test.jsonl"
    test.write_text('{"question": "Add 1 and 2.", "equation": "+ 1 2", "answer": "3"}\n')
    given += (
        ["--numbers", "w4a8", "--cache", "int8", "quantize.healing.kernels=torch"]
        if kind == "own"
        else ["--data", str(questions), "--test", str(test)]
    )
    assert run_verb([*given, "--out", str(tmp_path / "whole")]) == 0
    whole = model_hash(tmp_path / "whole" / "model")
    check_points(given, tmp_path / "part", signal.SIGKILL, KILLED, whole)
    figures = read_lineage(tmp_path / "part" / "model")[-1].figures
    assert {"right", "right_before", "agreement"} <= {*figures}
