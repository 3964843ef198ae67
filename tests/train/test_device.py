"""A training on a device of its own, beside the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from safetensors.torch import load_file

from tests.other_device import other_device
from tests.train.conftest import go, small
from tuili.errors import InputError
from tuili.train import execution
from tuili.train.dist.group import SingleProcess
from tuili.train.worker import run_worker


def full(*_: Any, **__: Any) -> NoReturn:
    raise torch.OutOfMemoryError("CUDA out of memory")


TOO_SMALL = "^the GPU has too little memory: use fewer train.rows or train.device=cpu, in another --out where the run"


@pytest.mark.usefixtures("few_samples")
@pytest.mark.parametrize("place", ["run.build_training", "dist.backend.Replicas.learn"])
def test_a_gpu_that_is_too_small_is_told(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the model comes there, and in the first step."""
    monkeypatch.setattr(f"tuili.train.{place}", full)
    with pytest.raises(InputError, match=TOO_SMALL):
        go(small(), tmp_path)


def test_so_is_that_of_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.train.worker.build_training", full)
    monkeypatch.setattr("tuili.train.worker.Tokenizer.load", lambda folder: None)
    recipe = small()
    with pytest.raises(InputError, match=TOO_SMALL):
        run_worker(SingleProcess(), recipe, execution.ExecutionPlan.resolve(recipe.train), tmp_path, None)


@pytest.mark.usefixtures("few_samples")
def test_another_device_trains_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that it computes takes tensors of both devices; sums may be rounded in another order."""
    recipe = small("train.kernels=torch", steps=2)
    go(recipe, tmp_path / "here")
    with other_device() as device:
        monkeypatch.setattr(execution, "find_device", lambda wanted, setting, *remedy: device)
        go(recipe, tmp_path / "there")
    here, there = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("here", "there"))
    assert here.keys() == there.keys()
    for name, weight in here.items():
        torch.testing.assert_close(there[name], weight, rtol=1e-3, atol=1e-5)
