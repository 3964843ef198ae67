"""A teaching on a device of its own, beside the CPU."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.other_device import other_device
from tests.posttrain.teaching.running import run, told
from tests.posttrain.teaching.test_sessions import at_step
from tuili.errors import InputError
from tuili.posttrain.document_groups import PackedDocuments
from tuili.posttrain.packed_rows import seen_bias
from tuili.posttrain.teaching import run as run_module
from tuili.store import model_hash


@pytest.mark.parametrize(("way", "first_layer"), [("lora", None), ("full", 0)])
def test_another_device_teaches_the_same(
    folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, first_layer: int | None
) -> None:
    """Nothing that it computes takes tensors of both devices, and checkpoints of one are for the other. Attention is
    that of whole rows on both, so that nothing is rounded otherwise."""
    monkeypatch.setattr(PackedDocuments, "of", seen_bias)
    few = tmp_path / "few.jsonl"
    few.write_text("".join(data.read_text().splitlines(keepends=True)[:8]))
    recipe: dict[str, Any] = {"way": way, "first_layer": first_layer, "steps": 4}
    recipe |= {"validation": [str(few)], "validation_interval": 2}
    here = run(folder, data, tmp_path / "here", **recipe)
    with monkeypatch.context() as patch, other_device() as device:
        patch.setattr(run_module, "find_device", lambda wanted, setting: device)
        at_step(1, lambda: signal.raise_signal(signal.SIGINT), patch)
        assert run(folder, data, tmp_path / "there", **recipe).step == 1
        at_step(3, lambda: signal.raise_signal(signal.SIGINT), patch)
        assert run(folder, data, tmp_path / "there", resume=True, **recipe).step == 3
    assert "changed since the run began: device from meta to cpu; the weights may differ\n" in told(
        folder, data, tmp_path / "there", resume=True, device="cpu", **recipe
    )
    assert here.model is not None
    assert model_hash(tmp_path / "there" / "model") == model_hash(here.model)


def test_a_gpu_that_is_missing_is_named(
    folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match=r"^teach\.device = cuda: torch finds no GPU here; use cpu or auto$"):
        run(folder, data, tmp_path / "out", device="cuda")


@pytest.mark.parametrize("place", ["Backbone.load", "TaughtNetwork.loss"])
def test_a_gpu_that_is_too_small_is_told(
    folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Where the model comes there, and in the first step."""

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(f"tuili.posttrain.teaching.run.{place}", full)
    told = "^the GPU has too little memory: use teach.device=cpu, fewer teach.rows or a shorter teach.length$"
    with pytest.raises(InputError, match=told):
        run(folder, data, tmp_path / "out")
