"""`tuili compress` says what it is going to do, makes a model smaller, and refuses in one line what it cannot do."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import pytest

from benchmarks.harness.tiny import tiny_model
from tests.cli.refusals import refusal
from tests.store.dense_folders import save_dense
from tuili.cli.app import main
from tuili.model import save_model
from tuili.store import LineageEntry, model_hash, open_model

SMALL = [
    "prune.multiple=4", "prune.samples=4", "prune.healing.rows=1", "prune.healing.kernels=torch",
    "prune.healing.precision=fp32",
]  # fmt: skip
RECIPE = {
    "data": {"domains": ["arithmetic"], "levels": [1.0]}, "curriculum": {"kind": "uniform"}, "train": {"length": 320},
}  # fmt: skip


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose the threshold of exits on few documents."""
    monkeypatch.setattr("tuili.compress.own.THRESHOLD_DOCUMENTS", 6)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parent") / "model"
    save_model(folder, *tiny_model(), [LineageEntry("train", RECIPE, seeds={"train": 1}, tokens=100)])
    return folder


@pytest.fixture(scope="module")
def dense_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_dense(tmp_path_factory.mktemp("dense") / "model")


def test_a_plan_writes_nothing(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(["compress", "prune", str(model), *SMALL, "--out", str(out), "--plan"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("parameters: ")
    assert "neurons of an expert: 8 -> 4 (-50%)" in told
    assert "accuracy: on 960 problems, before and after" in told
    assert "recovery: 1,000 steps, about 320,000 tokens, from arithmetic" in told
    assert told[-1].startswith("time: about ")
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
    assert "3 rounds recover in 4 or more" in refusal(capsys, *given, "prune.healing.steps=3")
    assert "is the folder of MODEL" in refusal(capsys, "compress", "prune", str(model), *SMALL, "--out", str(model))
    assert not (model / "run.json").exists()
    (tmp_path / "file").write_text("")
    placed = ["compress", "prune", str(model), *SMALL, "--out", str(tmp_path / "file")]
    assert "is a file" in refusal(capsys, *placed)
    assert not out.exists()


def test_a_model_learns_whole_numbers_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parent, out = tmp_path / "parent", tmp_path / "run"
    wide = tiny_model(hidden_size=64, intermediate_size=64, moe_intermediate_size=32)
    save_model(parent, *wide, [LineageEntry("train", RECIPE, seeds={"train": 1}, tokens=100)])
    given = ["compress", "qat", str(parent), "quantize.healing.rows=1", "quantize.healing.kernels=torch"]
    learns = [*given, "--numbers", "w4a8", "--cache", "int8", "--steps", "2"]
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


TAUGHT = ["distil.healing.rows=1", "distil.healing.kernels=torch", "distil.healing.precision=fp32", "distil.samples=4"]


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
    quantised = tmp_path / "quantised"
    model, tokenizer = tiny_model(quantization={"numbers": "int8"})
    save_model(quantised, model, tokenizer, [LineageEntry("train", RECIPE, seeds={"train": 1}, tokens=100)])
    told = refusal(capsys, "compress", "prune", str(quantised), *SMALL, "--out", str(tmp_path / "run"))
    assert f"{quantised} was quantised (int8), which is the last step of all: give the model" in told
    assert not (tmp_path / "run").exists()


def test_a_full_disk_is_one_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is full when the checkpoint is written, and once more when the model is."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    out = tmp_path / "run"
    given = ["compress", "prune", str(model), *SMALL, "prune.healing.steps=1", "--rounds", "1", "--problems", "0"]
    given += ["--out", str(out)]
    for place in ("tuili.train.checkpoint.write_durably", "tuili.store.folder.flush_all"):
        with monkeypatch.context() as patch:
            patch.setattr(place, full)
            assert main([*given, *(["--resume"] if out.exists() else [])]) == 2
        told = capsys.readouterr().err.splitlines()[-1]
        assert told.startswith("tuili: error: ")
        assert "No space left on device" in told
        assert not (out / "model").exists()
    assert main([*given, "--resume"]) == 0
    open_model(out / "model")
