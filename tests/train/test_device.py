"""A training on a device of its own, beside the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.other_device import other_device
from tests.train.conftest import go, small
from tuili.train import execution


@pytest.mark.usefixtures("few_samples")
def test_another_device_trains_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that it computes takes tensors of both devices; sums may be rounded in another order."""
    recipe = small("train.kernels=torch")
    go(recipe, tmp_path / "here")
    with other_device() as device:
        monkeypatch.setattr(execution, "find_device", lambda wanted, setting, *remedy: device)
        go(recipe, tmp_path / "there")
    here, there = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("here", "there"))
    assert here.keys() == there.keys()
    for name, weight in here.items():
        torch.testing.assert_close(there[name], weight, rtol=1e-3, atol=1e-5)
