"""`tuili compress qat` says what it is going to do, and lets a model learn whole numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.compress.parents import save_trained
from tests.cli.refusals import refusal
from tuili.cli.app import main


def test_a_model_learns_whole_numbers_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    parent = save_trained(tmp_path / "parent", hidden_size=64, intermediate_size=64, moe_intermediate_size=32)
    given = ["compress", "qat", str(parent), "quantize.healing.rows=1", "quantize.healing.kernels=torch"]
    learns = [*given, "--numbers", "w4a8", "--cache", "int8", "--rounding", "compensated", "quantize.samples=6"]
    learns += ["--steps", "2", "--problems", "3"]
    assert main([*learns, "--out", str(out), "--plan"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "numbers: w4a8, keys and values int8" in told
    assert any(line.startswith("weights in the folder: ") for line in told)
    assert not out.exists()
    assert main([*learns, "--out", str(out)]) == 0
    assert "it predicts the parent's next token" in capsys.readouterr().out
    assert main(["info", str(out / "model")]) == 0
    shown = capsys.readouterr().out
    assert "w4a8, keys and values int8" in shown
    assert "● quantize" in shown
    assert "was quantised (w4a8)" in refusal(
        capsys, "compress", "qat", str(out / "model"), "--out", str(tmp_path / "again")
    )
    assert "quantize.healing.steps" in refusal(capsys, *given, "--steps", "-1", "--out", str(tmp_path / "again"))
    assert not (tmp_path / "again").exists()
