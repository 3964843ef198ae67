"""`tuili compress distil` says what it is going to do, and teaches a student."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.refusals import refusal
from tuili.cli.app import main
from tuili.store import open_model

TAUGHT = [
    "distil.healing.rows=1",
    "distil.healing.kernels=torch",
    "distil.healing.precision=fp32",
    "distil.samples=4",
    "distil.writing.chains=8",
]


def test_a_student_is_distilled_and_says_so(
    model: Path, dense_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    given = ["compress", "distil", str(model), *TAUGHT, "--out", str(out)]
    sized = [*given, "--to", "num_groups=1,moe_intermediate_size=4", "--steps", "2", "--problems", "3"]
    assert main([*sized, "--plan"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "num_groups: 3 -> 1" in told
    assert "learns: what its teacher predicts" in told
    assert told[-1].startswith("time: about ")
    assert "writing " in told[-1] and "answers " in told[-1]
    assert not out.exists()
    assert "would be larger than its teacher" in refusal(capsys, *given, "--to", "nano")
    assert "names no size: give --to" in refusal(capsys, *given)
    assert "distil.to.preset" in refusal(capsys, *given, "--to", "huge")
    assert "unknown model field 'hidden_sise'" in refusal(capsys, *given, "--to", "hidden_sise=8")
    assert "vocab_size follows from the teacher" in refusal(capsys, *given, "--to", "vocab_size=8")
    assert "leave preset and overrides out" in refusal(capsys, *sized, "--start", str(model))
    assert "is imported" in refusal(capsys, "compress", "distil", str(dense_model), "--to", "nano", "--out", str(out))
    assert not out.exists()
    assert main(sized) == 0
    captured = capsys.readouterr()
    assert "parameters begin as the teacher's" in captured.err
    assert "it predicts the parent's next token" in captured.out
    assert "right answers: 0.0% -> 0.0% of 3 problems" in captured.out
    assert open_model(out / "model").shape.exit_layers == (1, 2)
    assert main(["info", str(out / "model")]) == 0
    assert "● distil" in capsys.readouterr().out
