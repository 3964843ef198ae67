"""`tuili data build` is killed at random calls of functions, and goes on to the bytes of a build that was not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.data.pipeline.conftest import ROOT, prose
from tests.data.pipeline.killing import Plan

FEW = Plan(["--workers", "0"], "", points=2, chained=2)
RECORDS = (
    "build.blocks=[{block: quality, thresholds: {prose: 0.0}}, {block: dedup}, {block: decontaminate}, {block: route}]"
)
MANY = (
    Plan(["--workers", "0"], "", points=16, chained=20, seed=1),
    Plan(["--workers", "2"], "", points=6, chained=6, seed=2),
    Plan(["--workers", "1", RECORDS, "build.output.form=records"], "", points=6, chained=2, seed=4),
    Plan(["--workers", "1", "build.output.format=parquet", "--input", "more"], "", points=8, chained=8, seed=3),
)
RECIPE = """
build:
  inputs: [{path: pages}]
  blocks: [{block: basic}, {block: dedup}, {block: mask}]
  output: {shard_documents: 40}
"""


@pytest.mark.parametrize("plan", [FEW, *(pytest.param(plan, marks=pytest.mark.kills) for plan in MANY)])
def test_wherever_a_build_is_killed_it_goes_on_to_the_same_bytes(corpus: Path, tmp_path: Path, plan: Plan) -> None:
    (corpus / "again.jsonl").write_text("".join(json.dumps({"text": prose(number)}) + "\n" for number in range(30)))
    asked = [f"Question: What is {number} and one more?\nAnswer: {number} + 1 = {number + 1}" for number in range(200)]
    (corpus / "asked.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in asked))
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "more").mkdir()
    for number in range(20):
        (tmp_path / "more" / f"{number}.html").write_text(f"<html><body><p>{prose(5000 + number)}</p></body></html>")
    given = msgspec.structs.replace(plan, arguments=["recipe.yaml", *plan.arguments], folder=str(tmp_path))
    (tmp_path / "plan.json").write_bytes(msgspec.json.encode(given))
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "tests.data.pipeline.killing", "plan.json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
