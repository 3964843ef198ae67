"""`tuili compress prune` says what it will do, makes a model smaller, and refuses in one line what it cannot do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.compress.parents import save_trained
from tests.cli.refusals import refusal
from tuili.cli.app import main
from tuili.store import model_hash, open_model

SMALL = [
    "prune.multiple=4", "prune.samples=4", "prune.healing.rows=1", "prune.healing.kernels=torch",
    "prune.healing.precision=fp32",
]  # fmt: skip


def test_a_plan_writes_nothing(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(["compress", "prune", str(model), *SMALL, "--out", str(out), "--plan"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("parameters: ")
    assert "neurons of an expert: 8 -> 4 (-50%)" in told
    assert "accuracy: on 960 problems, before and after" in told
    assert "recovery: 1,000 steps, about 320,000 tokens, from arithmetic" in told
    assert told[-1].startswith("time: about ")
    both = ["compress", "prune", str(model), *SMALL, "--out", str(out), "--plan", "--resume"]
    assert "--plan begins nothing" in refusal(capsys, *both)
    assert not out.exists()


def test_a_model_is_pruned_and_its_chain_is_drawn(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    given = ["compress", "prune", str(model), *SMALL, "prune.healing.steps=2", "--share", "0.4", "--by", "magnitude"]
    given += ["--rounds", "2", "--experts", "3", "--problems", "3"]
    assert main([*given, "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert "experts of a layer: 4 -> 3 (-25%)" in captured.err
    assert "round 2 of 2: scores by magnitude" in captured.err
    assert f"{out}/model: 2 steps" in captured.out
    assert "it predicts the parent's next token" in captured.out
    assert "accuracy: on 3 problems, before and after" in captured.err
    assert "the smaller model answers 3 problems" in captured.err
    assert "right answers: 0.0% -> 0.0% of 3 problems, +0.0 points (95%: " in captured.out
    assert "level 2: 0.0% -> 0.0%" in captured.out
    assert open_model(out / "model").shape.intermediate_size == 8
    assert main(["info", str(out / "model")]) == 0
    shown = capsys.readouterr().out
    assert "● train" in shown
    assert f"hash {model_hash(out / 'model')[:8]}, parent {model_hash(model)[:8]}: train" in shown
    assert "● prune" in shown
    assert "right answers 0.0% -> 0.0%" in shown
    assert " parameters" in shown
    assert "add --resume to go on" in refusal(capsys, *given, "--out", str(out))


def test_what_cannot_be_is_refused(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    given = ["compress", "prune", str(model), *SMALL, "--out", str(out)]
    assert "prune.share" in refusal(capsys, *given, "--share", "1")
    assert "would stay" in refusal(capsys, *given, "--share", "0.9")
    assert "the model has 4" in refusal(capsys, *given, "--experts", "5")
    assert "nosuch" in refusal(capsys, "compress", "prune", "nosuch", "--out", str(out))
    assert "cannot be read" in refusal(capsys, *given, "--data", str(tmp_path / "nosuch.jsonl"))
    assert "healing.setps" in refusal(capsys, *given, "prune.healing.setps=3")
    assert "cannot be read" in refusal(capsys, *given, "--test", str(tmp_path / "nosuch.jsonl"))
    assert "--problems is -1" in refusal(capsys, *given, "--problems", "-1")
    assert "prune.key_value_heads" in refusal(capsys, *given, "--heads", "0")
    assert "prune.rounds" in refusal(capsys, *given, "--rounds", "0")
    assert "3 rounds recover in 4 or more" in refusal(capsys, *given, "--rounds", "3", "prune.healing.steps=3")
    assert "is in the folder of MODEL" in refusal(capsys, "compress", "prune", str(model), *SMALL, "--out", str(model))
    assert not (model / "run.json").exists()
    (tmp_path / "file").write_text("")
    placed = ["compress", "prune", str(model), *SMALL, "--out", str(tmp_path / "file")]
    assert "is a file" in refusal(capsys, *placed)
    assert not out.exists()


def test_a_tampered_folder_is_refused_by_its_name(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoilt = tmp_path / "spoilt"
    shutil.copytree(model, spoilt)
    config = json.loads((spoilt / "config.json").read_text())
    (spoilt / "config.json").write_text(json.dumps(config | {"exit_threshold": 0.5}))
    told = refusal(capsys, "compress", "prune", str(spoilt), *SMALL, "--out", str(tmp_path / "run"))
    assert f"{spoilt}: model.safetensors or config.json is damaged or was changed" in told
    assert not (tmp_path / "run").exists()


def test_a_quantised_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quantised = save_trained(tmp_path / "quantised", quantization={"numbers": "int8"})
    told = refusal(capsys, "compress", "prune", str(quantised), *SMALL, "--out", str(tmp_path / "run"))
    assert f"{quantised} was quantised (int8), which is the last step of all: give the model" in told
    assert not (tmp_path / "run").exists()
