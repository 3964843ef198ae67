"""Folders of models that were trained for whole numbers: what any reader finds in them, and what loads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from benchmarks.harness.tiny import tiny_model
from tests.model.conftest import logits, tokens
from tuili.errors import InputError, ModelFolderError
from tuili.model import TuiliForCausalLM, load_model, mixed, round_weight, save_model
from tuili.model.stored_numbers import network_state, stored_state
from tuili.store import LineageEntry, Quantization, open_model, open_tensors

WEIGHTS = "model.safetensors"
TRAINED = [Quantization(), Quantization("w4a8", "int8")]
WIDE = {"hidden_size": 64, "intermediate_size": 32, "moe_intermediate_size": 32}
EXPERTS = "model.reasoning.0.moe.experts.gate_up_proj"


def learnt(trained: Quantization, path: Path) -> tuple[TuiliForCausalLM, Path]:
    """A model that computes in whole numbers, in memory with its full weights, and its folder."""
    model, tokenizer = tiny_model(**WIDE)
    model.quantize(trained)
    save_model(path, model.eval(), tokenizer, [LineageEntry("train")])
    return model, path


@pytest.fixture(params=TRAINED, ids=lambda trained: trained.numbers)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[TuiliForCausalLM, Path]:
    return learnt(request.param, tmp_path / "model")


def test_any_reader_finds_whole_numbers_and_scales(tmp_path: Path) -> None:
    """Only numpy and safetensors here, as docs/models.md says it."""
    model, folder = learnt(Quantization("w4a8"), tmp_path / "model")
    assert json.loads((folder / "config.json").read_bytes())["quantization"] == {"numbers": "w4a8", "cache": None}
    with safe_open(folder / WEIGHTS, "np") as file:
        name = "model.embed_tokens.weight"
        number, scale = file.get_tensor(name), file.get_tensor(f"{name}_scale")
        assert number.dtype == np.int8 and np.abs(number).max() == 127
        rounded = round_weight(model.state_dict()[name], 8).value
        assert np.array_equal(number * scale, rounded.numpy())

        byte, scale = file.get_tensor(EXPERTS), file.get_tensor(f"{EXPERTS}_scale").astype(np.float32)
        number = np.stack([byte & 15, byte >> 4], axis=-1).reshape(*byte.shape[:-1], -1).astype(np.float32) - 8
        value = (number.reshape(*scale.shape, 32) * scale[..., None]).reshape(number.shape)
        assert np.array_equal(value, round_weight(mixed(model.state_dict()[EXPERTS] / 64, 64), 4).value.numpy())
        hadamard = np.ones((1, 1), np.float32)
        while len(hadamard) < 64:
            hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
        weight = (value.reshape(-1, 64) @ hadamard).reshape(value.shape)
        full = model.state_dict()[EXPERTS].numpy()
        assert np.abs(weight - full).max() < 0.15 * np.abs(full).max()
        assert file.get_tensor("model.reasoning.0.moe.router.weight").dtype == np.float32


def test_what_is_loaded_computes_as_what_was_saved(saved: tuple[TuiliForCausalLM, Path]) -> None:
    model, folder = saved
    ids_BT = tokens(2, 40)
    expected = logits(model, ids_BT)
    for loaded in (load_model(folder).model, AutoModelForCausalLM.from_pretrained(folder)):
        assert loaded.config.shape.quantization == model.config.shape.quantization
        assert torch.equal(logits(loaded, ids_BT), expected)
    texts = [each.generate(ids_BT, max_new_tokens=8, do_sample=False) for each in (model, loaded)]
    assert torch.equal(*texts)


def test_it_is_saved_again_to_the_same_bytes(saved: tuple[TuiliForCausalLM, Path], tmp_path: Path) -> None:
    _, folder = saved
    AutoModelForCausalLM.from_pretrained(folder).save_pretrained(tmp_path / "again")
    assert (tmp_path / "again" / WEIGHTS).read_bytes() == (folder / WEIGHTS).read_bytes()
    (loaded := load_model(folder).model).quantize(None)
    loaded.save_pretrained(tmp_path / "full")
    full = AutoModelForCausalLM.from_pretrained(tmp_path / "full")
    assert full.config.quantization is None
    assert {tensor.dtype for tensor in load_file(tmp_path / "full" / WEIGHTS).values()} == {torch.float32}


def test_the_weights_of_a_folder_go_on_in_full_numbers(saved: tuple[TuiliForCausalLM, Path]) -> None:
    model, folder = saved
    config = type(model.config)(**model.config.to_dict() | {"quantization": None})
    loaded = load_model(folder, config=config).model
    assert loaded.config.quantization is None
    expected = network_state(load_file(folder / WEIGHTS))
    assert all(torch.equal(loaded.state_dict()[name], tensor) for name, tensor in expected.items())


def test_a_folder_is_smaller_by_what_it_says(saved: tuple[TuiliForCausalLM, Path], tmp_path: Path) -> None:
    model, folder = saved
    model.quantize(None)
    model.save_pretrained(tmp_path / "full")
    small, full = ((path / WEIGHTS).stat().st_size for path in (folder, tmp_path / "full"))
    assert small < 0.45 * full


def test_the_store_reads_the_numbers_as_they_are(saved: tuple[TuiliForCausalLM, Path]) -> None:
    model, folder = saved
    stored = open_model(folder)
    assert stored.shape == model.config.shape
    with open_tensors(folder, stored.shape) as tensors:
        for name, tensor in load_file(folder / WEIGHTS).items():
            array = tensors[name]
            assert array.dtype == (np.float32 if tensor.is_floating_point() else tensor.numpy().dtype)
            assert np.array_equal(array, tensor.float().numpy() if tensor.is_floating_point() else tensor.numpy())


def rewritten(folder: Path, **changes: torch.Tensor | None) -> None:
    tensors = load_file(folder / WEIGHTS) | {name.replace("__", "."): tensor for name, tensor in changes.items()}
    save_file({name: tensor for name, tensor in tensors.items() if tensor is not None}, folder / WEIGHTS)
    shutil.rmtree(folder / "tuili")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model__embed_tokens__weight_scale": None}, r"missing tensor model.embed_tokens.weight_scale"),
        (
            {"model__embed_tokens__weight": torch.zeros(1, 64, dtype=torch.int8)},
            r"mismatched tensor model.embed_tokens",
        ),
        ({"model__norm__weight": torch.ones(64, dtype=torch.int8)}, r"number format I8: use BF16 or F32"),
    ],
)
def test_other_tensors_are_refused_by_name(tmp_path: Path, changes: dict[str, torch.Tensor], reason: str) -> None:
    _, folder = learnt(Quantization(), tmp_path / "model")
    rewritten(folder, **changes)
    with pytest.raises(ModelFolderError, match=reason):
        open_model(folder)


def test_full_numbers_where_whole_ones_are_said_are_refused(tmp_path: Path) -> None:
    _, folder = learnt(Quantization(), tmp_path / "model")
    name = "model.embed_tokens.weight"
    rewritten(folder, **{name.replace(".", "__"): load_file(folder / WEIGHTS)[name].float()})
    with pytest.raises(ModelFolderError, match=r"embed_tokens.weight has the number format F32: use I8"):
        open_model(folder)


@pytest.mark.parametrize(("weight", "bits"), [(float("nan"), 8), (float("inf"), 8), (1e6, 4)])
def test_weights_that_whole_numbers_cannot_hold_are_refused(weight: float, bits: int) -> None:
    state = {"q_proj.weight": torch.full((4, 32), weight)}
    with pytest.raises(
        InputError, match=rf"q_proj.weight has weights that are not finite, or too large for {bits} bits"
    ):
        stored_state(state, Quantization("int8" if bits == 8 else "w4a8"))


def test_in_bf16_the_numbers_are_nearly_the_same(tmp_path: Path) -> None:
    model, folder = learnt(Quantization(), tmp_path / "model")
    half = load_model(folder, torch.bfloat16).model
    weight, exact = half.model.trunk[0].mlp.down_proj.weight, model.model.trunk[0].mlp.down_proj.weight
    assert (round_weight(weight.float(), 8).number - round_weight(exact, 8).number).abs().max() <= 1
    difference = logits(half, tokens(1, 9)).float() - logits(model, tokens(1, 9))
    assert difference.norm() < 0.05 * logits(model, tokens(1, 9)).norm()
