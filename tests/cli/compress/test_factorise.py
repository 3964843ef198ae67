"""`tuili compress factorise` says what it is going to do, and makes a model smaller."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.refusals import refusal
from tuili.cli.app import main
from tuili.store import open_model

FACTORS = [
    "factorise.multiple=1", "factorise.samples=4", "factorise.probes=2", "factorise.healing.rows=1",
    "factorise.healing.kernels=torch", "factorise.healing.precision=fp32", "--problems", "0",
]  # fmt: skip


def test_a_plan_of_a_factorisation_says_what_stays(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["compress", "factorise", str(model), *FACTORS, "--keep", "0.8", "--out", str(tmp_path / "run")]
    assert main([*given, "--plan"]) == 0
    first, second, third, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("parameters: ")
    assert "-2" in first
    assert second.startswith("factors: at most ")
    assert third == "ranks: dynamic, multiples of 1"
    assert last.startswith("time: about ")
    assert "decompositions " in last and "sensitivities " in last
    assert not (tmp_path / "run").exists()


def test_a_model_is_factorised_and_answers(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    given = ["compress", "factorise", str(model), *FACTORS, "factorise.healing.steps=2", "--keep", "0.8"]
    assert main([*given, "--bases", "separate", "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert "matrices become factors; the experts of 0 of 6 stacks share bases" in captured.err
    assert f"{out}/model: 2 steps" in captured.out
    ranks = open_model(out / "model").shape.ranks
    assert ranks
    assert main(["info", str(out / "model")]) == 0
    shown = capsys.readouterr().out
    assert "● factorise" in shown
    assert f"in place of {len(ranks)} matrices, 0 of them with bases that experts share" in " ".join(shown.split())
    assert main(["ask", "What is 1 + 1?", "--model", str(out / "model")]) in (0, 3)  # 3: it abstained


def test_a_factorisation_that_cannot_be_is_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["compress", "factorise", str(model), *FACTORS, "--out", str(tmp_path / "run")]
    assert "factorise.keep" in refusal(capsys, *given, "--keep", "0")
    assert "factorise.keep" in refusal(capsys, *given, "--keep", "1.2")
    assert "is the least: raise it" in refusal(capsys, *given, "--keep", "0.1")
    assert "factorise.multiple" in refusal(capsys, *given, "factorise.multiple=0")
    assert not (tmp_path / "run").exists()
