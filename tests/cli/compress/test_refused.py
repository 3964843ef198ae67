"""What every verb refuses in one line with exit code 2, with no model left: damage, a full disk, what cannot be."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from tests.cli.compress.parents import RECIPE
from tests.cli.refusals import refusal
from tests.compress.auto.test_run import CHANGES
from tests.store.dense_folders import KINDS, save_dense
from tuili.cli.app import main
from tuili.compress import imported
from tuili.data import train_tokenizer
from tuili.model import load_model, save_model
from tuili.posttrain import Backbone
from tuili.store import LineageEntry, open_model

SHORT = ["healing.rows=1", "healing.kernels=torch", "healing.precision=fp32", "healing.steps=1"]
VERBS = {
    "prune": ["prune.multiple=4", "prune.samples=4", "--rounds", "1"],
    "factorise": ["factorise.multiple=1", "factorise.samples=4", "factorise.probes=2", "--keep", "0.8"],
    "distil": ["distil.samples=4", "distil.on_policy=0", "distil.source=texts", "--to", "num_groups=1"],
    "qat": [],
}
"""The verbs with what makes each short."""
SECTIONS = {verb: "quantize" if verb == "qat" else verb for verb in VERBS}


def command(verb: str, model: Path, out: Path) -> list[str]:
    """A command line of a verb that takes a step and measures nothing."""
    if verb == "auto":
        return ["compress", verb, str(model), *CHANGES, "--size", "-10%", "--problems", "2", "--out", str(out)]
    healing = [f"{SECTIONS[verb]}.{change}" for change in SHORT]
    return ["compress", verb, str(model), *VERBS[verb], *healing, "--problems", "0", "--out", str(out)]


@pytest.mark.parametrize("verb", [*VERBS, "auto"])
def test_weights_that_were_changed_are_refused_by_the_folders_name(
    verb: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoilt = tmp_path / "spoilt"
    shutil.copytree(model, spoilt)
    weights = bytearray((spoilt / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (spoilt / "model.safetensors").write_bytes(weights)
    told = refusal(capsys, *command(verb, spoilt, tmp_path / "run"))
    assert f"{spoilt}: model.safetensors or config.json is damaged or was changed" in told
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "prune"])  # which `test_prune` does
def test_a_full_disk_leaves_no_model_and_room_lets_it_go_on(
    verb: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("tuili.store.folder.flush_all", full)
        assert main(command(verb, model, out)) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("tuili: error: ")
    assert "No space left on device" in told
    assert not [path for path in out.iterdir() if "model" in path.name]
    assert main([*command(verb, model, out), "--resume"]) == 0
    open_model(out / "model")


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
