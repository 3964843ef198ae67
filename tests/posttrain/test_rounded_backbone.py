"""An imported model that learns in 8 bits computes as the native step does with the weights of its folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.engine.runtime.texts import Texts
from tests.native.calling import library
from tests.store.dense_folders import KINDS, dense_model, dense_tokenizer, save_dense
from tuili.engine.runtime.choice import Choice
from tuili.engine.runtime.native.load import native_step
from tuili.errors import InputError
from tuili.model import mixed, round_weight
from tuili.native import mixing_of, pack
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.rounded_backbone import round_backbone
from tuili.store import open_model

IDS = [1, *range(20, 60), *range(100, 130)]


def saved(folder: Path, kind: str) -> Path:
    """A folder whose weights are stored in bf16."""
    dense_model(**KINDS[kind]).bfloat16().save_pretrained(folder)
    dense_tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", ["llama, tied", "qwen2", "qwen3, tied"])
def test_logits_are_those_of_the_native_step(tmp_path: Path, kind: str) -> None:
    library()
    folder = saved(tmp_path / "model", kind)
    step = native_step(open_model(folder), Choice("native", "int8", "fp32"), 1, 1, verifies=False)
    native_TV = Texts(step).read(0, IDS)[-1]
    backbone = Backbone.load(folder, torch.float32)
    with torch.inference_mode():
        plain_TV = backbone.model(torch.tensor([IDS])).logits[0].numpy()
        round_backbone(backbone)
        rounded_TV = backbone.model(torch.tensor([IDS])).logits[0].numpy()
    far = np.linalg.norm(plain_TV - rounded_TV)
    assert far > 1e-3 * np.linalg.norm(plain_TV)
    assert np.linalg.norm(native_TV - rounded_TV) < 0.2 * far


def test_the_folder_gives_exactly_the_numbers_that_were_learnt(tmp_path: Path) -> None:
    """Its weights are in bf16, as those that were rounded while it learnt."""
    folder = saved(tmp_path / "model", "llama, tied")
    learnt = Backbone.load(folder, torch.bfloat16).model.state_dict()
    for name, stored in load_file(folder / "model.safetensors").items():
        if stored.ndim == 2:
            block = mixing_of(stored.shape[1])
            rounded = round_weight(mixed(learnt[name].float() / block, block), 8)
            packed = pack(stored.float().numpy(), "int8", foreign=True)
            assert np.array_equal(packed.scale_N[: len(stored)], rounded.scale[:, 0].numpy())
            assert np.array_equal(packed.sum_N[: len(stored)], rounded.number.sum(1).int().numpy())


def test_it_learns_through_its_rounding(tmp_path: Path) -> None:
    backbone = Backbone.load(save_dense(tmp_path / "model"), torch.bfloat16)
    round_backbone(backbone)
    backbone.model.requires_grad_(True)
    ids_BT = torch.tensor([IDS])
    backbone.model(ids_BT, labels=ids_BT).loss.backward()
    assert all(parameter.grad is not None for parameter in backbone.model.parameters())


def test_a_layer_that_cannot_be_rounded_is_refused(tmp_path: Path) -> None:
    backbone = Backbone.load(save_dense(tmp_path / "model"), torch.float32)
    backbone.layers[1].mlp.down_proj = torch.nn.Conv1d(96, 64, 1)
    with pytest.raises(
        InputError, match=r"model.layers.1.mlp.down_proj is a Conv1d, which cannot be computed in 8 bits"
    ):
        round_backbone(backbone)
