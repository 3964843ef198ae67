"""What every verb refuses in one line with exit code 2, with no model left: damage, and what cannot be."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from tests.cli.compress.commands import VERBS, command
from tests.cli.compress.parents import RECIPE
from tests.cli.refusals import refusal
from tests.store.dense_folders import KINDS, save_dense
from tuili.cli.app import main
from tuili.compress import imported
from tuili.data import train_tokenizer
from tuili.model import load_model, save_model
from tuili.posttrain import Backbone
from tuili.store import LineageEntry, open_model, read_lineage, write_lineage


def flipped(file: Path) -> None:
    """Change the last byte of the weights."""
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def reworded(file: Path) -> None:
    """Let the names of the special tokens have other tokens."""
    file.write_text(file.read_text().replace("<|user|>", "<|u|>").replace("<|assistant|>", "<|user|>").replace(
        "<|u|>", "<|assistant|>"
    ))  # fmt: skip


def promoted(file: Path) -> None:
    """Let an earlier step have read more."""
    entries = json.loads(file.read_text())
    file.write_text(json.dumps([entries[0] | {"tokens": 10**9}, *entries[1:]]))


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "model.safetensors": (flipped, ": model.safetensors or config.json is damaged or was changed"),
    "tokenizer.json": (reworded, "/tokenizer.json is damaged or was changed: entry 2 (prune) of tuili/lineage.json"),
    "tuili/lineage.json": (promoted, "/tuili/lineage.json: entry 1 (train) is damaged or was changed"),
}


@pytest.mark.parametrize("verb", [*VERBS, "auto"])
@pytest.mark.parametrize("name", DAMAGE)
def test_a_parent_that_was_changed_is_refused_by_name(
    name: str, verb: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoilt, (change, reason) = tmp_path / "spoilt", DAMAGE[name]
    shutil.copytree(model, spoilt)
    (trained,) = read_lineage(spoilt)
    write_lineage(spoilt, (trained, LineageEntry("prune", trained.recipe, parent=trained.hash, hash=trained.hash)))
    open_model(spoilt)
    change(spoilt / name)
    assert f"{spoilt}{reason}" in refusal(capsys, *command(verb, spoilt, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("verb", [*VERBS, "auto"])
def test_a_pipe_is_refused_as_files_are_read_more_than_once(
    verb: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    for option in ("--data", "--test"):
        told = refusal(capsys, *command(verb, model, tmp_path / "run"), option, str(pipe))
        assert told.endswith("pipe is a pipe or a device, and is read more than once: give a file")
    assert not (tmp_path / "run").exists()


def test_a_rank_over_the_full_one_is_refused(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    given = ["compress", "factorise", str(model), "factorise.multiple=1000", "--keep", "0.8", "--out", str(out)]
    told = refusal(capsys, *given)
    assert "with ranks of 1000 1.000 is the least: raise it, or lower factorise.multiple" in told
    factors = save_dense(tmp_path / "factors", **KINDS["llama, factors"])
    config = json.loads((factors / "config.json").read_text())
    name = next(iter(config["ranks"]))
    config["ranks"][name] = 10_000
    (factors / "config.json").write_text(json.dumps(config))
    assert name in refusal(capsys, *command("qat", factors, out))
    assert not out.exists()


def test_a_layer_that_has_no_whole_numbers_is_refused(
    dense_model: Path, questions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def with_convolution(load: Callable[..., Backbone]) -> Callable[..., Backbone]:
        def loaded(*given: Any, **more: Any) -> Backbone:
            backbone = load(*given, **more)
            backbone.layers[0].mlp.down_proj = nn.Conv1d(4, 4, 1)
            return backbone

        return loaded

    monkeypatch.setattr(imported.Backbone, "load", with_convolution(Backbone.load))
    out = tmp_path / "run"
    assert main([*command("qat", dense_model, out), "--data", str(questions)]) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.endswith("mlp.down_proj is a Conv1d, which cannot be computed in 8 bits")
    assert not (out / "model").exists()


def test_a_model_that_is_too_narrow_for_4_bits_is_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refusal(capsys, *command("qat", model, tmp_path / "run"), "--numbers", "w4a8")
    assert told.endswith(": use int8")
    assert not (tmp_path / "run").exists()


def test_a_student_that_does_not_suit_its_teacher_is_refused(
    model: Path, dense_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, other = tmp_path / "run", tmp_path / "other"
    tokenizer = train_tokenizer(["Who is 2 * 2?", "2 * 2 = 4"], vocabulary=300)
    save_model(other, load_model(model).model, tokenizer, [LineageEntry("train", RECIPE)])
    begun = refusal(capsys, "compress", "distil", str(model), "--start", str(other), "--out", str(out))
    assert "other has another tokenizer than its teacher" in begun
    assert "would be larger than its teacher" in refusal(
        capsys, "compress", "distil", str(model), "--to", "hidden_size=64", "--out", str(out)
    )
    layers = open_model(dense_model).shape.num_hidden_layers
    deeper = ["compress", "distil", str(dense_model), "--to", f"num_hidden_layers={layers + 1}", "--out", str(out)]
    assert f"give its student fewer than {layers} layers" in refusal(capsys, *deeper)
    assert not out.exists()
