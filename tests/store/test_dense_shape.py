"""The shape of an imported model is what transformers makes of its folder; what is not supported is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from tests.store.dense_folders import KINDS, LINEAR, LLAMA3, YARN, dense_model, dense_tokenizer, save_dense
from tuili.errors import ModelFolderError
from tuili.store import (
    DenseShape,
    ImportedModel,
    RopeScaling,
    StoredModel,
    count_parameters,
    dense_tensor_shapes,
    open_model,
    open_own_model,
    open_tensors,
    read_dense_shape,
    rotary_frequencies,
)


@pytest.fixture(scope="module", params=KINDS)
def of_kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_dense(tmp_path_factory.mktemp("dense") / "model", **KINDS[request.param])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_dense(tmp_path / "model", num_hidden_layers=2)


def change(folder: Path, **fields: Any) -> Path:
    """Write other fields into config.json; None removes one."""
    file = folder / "config.json"
    document = json.loads(file.read_text()) | fields
    file.write_text(json.dumps({name: value for name, value in document.items() if value is not None}))
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(ModelFolderError) as caught:
        open_model(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_kind_opens_with_the_tensors_that_transformers_has(of_kind: Path) -> None:
    stored = open_model(of_kind)
    assert isinstance(stored, ImportedModel)
    model = AutoModelForCausalLM.from_pretrained(of_kind)
    parameters = {name: tuple(tensor.shape) for name, tensor in model.named_parameters()}
    assert dense_tensor_shapes(stored.shape) == parameters
    assert count_parameters(stored.shape).total == model.num_parameters()
    with open_tensors(of_kind, stored.shape) as tensors:
        for name, parameter in model.named_parameters():
            assert np.array_equal(tensors[name], parameter.detach().numpy())
    stored.check_unchanged()


def test_frequencies_are_those_of_transformers(of_kind: Path) -> None:
    rotary = AutoModelForCausalLM.from_pretrained(of_kind).model.rotary_emb
    frequencies, attention = rotary_frequencies(read_dense_shape(of_kind))
    assert frequencies.dtype == np.float32
    np.testing.assert_allclose(frequencies, rotary.inv_freq.numpy(), rtol=5e-7)
    assert attention == pytest.approx(rotary.attention_scaling, rel=1e-12)


@pytest.mark.parametrize(
    "positions",
    [
        YARN | {"beta_fast": 16, "beta_slow": 2, "truncate": False},
        YARN | {"mscale": 0.7, "mscale_all_dim": 1.2},
        YARN | {"attention_factor": 1.3, "rope_theta": 1_000_000.0},
        LLAMA3 | {"low_freq_factor": 2.0, "high_freq_factor": 3.0, "rope_theta": 500_000.0},
        LINEAR,
    ],
)
def test_both_ways_of_writing_positions_are_read_alike(folder: Path, positions: dict[str, Any]) -> None:
    new = read_dense_shape(change(folder, rope_parameters=positions, head_dim=64))
    old = {name: value for name, value in positions.items() if name not in ("rope_type", "rope_theta")}
    change(folder, rope_parameters=None, rope_theta=positions["rope_theta"])
    assert read_dense_shape(change(folder, rope_scaling=old | {"type": positions["rope_type"]})) == new
    frequencies, attention = rotary_frequencies(new)
    reference = type(dense_model("llama").model.rotary_emb)(AutoConfig.from_pretrained(folder))
    np.testing.assert_allclose(frequencies, reference.inv_freq.numpy(), rtol=5e-7)
    assert attention == pytest.approx(reference.attention_scaling, rel=1e-12)


def test_what_a_shape_says_to_the_engine(folder: Path) -> None:
    (folder / "tuili").mkdir()
    (folder / "tuili" / "exits.json").write_text(
        json.dumps({"layers": [1, 2], "threshold": 0.9, "rank": 8, "channels": 4})
    )
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 0]}))
    shape = read_dense_shape(folder)
    assert (shape.exit_layers, shape.num_groups, shape.exit_threshold) == ((1, 2), 1, 0.9)
    assert (shape.eos_token_ids, shape.bos_token_id, shape.pad_token_id) == ((2, 0), 1, 0)
    assert (shape.per_layer_kv, shape.convolution_width, shape.domains, shape.conversation) == (True, 1, None, "multi")
    assert (shape.separator_token_ids, shape.max_unit) == (None, 2**31 - 1)
    counted = count_parameters(shape)
    assert counted.active == counted.total - 400 * 64  # the rows of the embedding, of which a token uses one
    layer = sum(p.numel() for p in dense_model("llama", num_hidden_layers=1).model.layers.parameters())
    assert counted.active_trunk == counted.active - layer


def test_a_tokenizer_is_that_of_transformers(folder: Path) -> None:
    tokenizer, reference = open_model(folder).tokenizer, dense_tokenizer()
    for text in ("What is 12 + 30?", "naïve 世界 \n\t x", ""):
        ids = tokenizer.encode_text(text)
        assert ids == reference.encode(text)
        assert tokenizer.decode(ids) == text
        assert b"".join(map(tokenizer.token_bytes, ids)).decode() == text
    assert (tokenizer.end_id, tokenizer.size) == (2, len(reference))
    assert tokenizer.token_bytes(399) == b""
    assert 2 not in tokenizer.encode_text("<|im_end|>")


def test_only_callers_that_know_other_houses_get_their_models(folder: Path) -> None:
    assert isinstance(open_model("nano"), StoredModel)
    with pytest.raises(ModelFolderError, match="model_type is 'llama', it must be 'tuili'"):
        open_own_model(folder)
    change(folder, model_type="gemma2")
    assert refusal(folder).endswith("model_type is 'gemma2', it must be 'tuili' or 'llama' or 'qwen2' or 'qwen3'")


FACTORS = {"model_type": "tuili_llama", "architectures": ["TuiliLlamaForCausalLM"]}
UNSUPPORTED: dict[str, tuple[dict[str, Any], str]] = {
    "custom code": ({"auto_map": {"AutoModelForCausalLM": "modeling.Net"}}, "custom code, which is never run"),
    "quantised": ({"quantization_config": {"quant_method": "gptq"}}, "quantization_config says"),
    "another class": ({"architectures": ["LlamaForSequenceClassification"]}, "it must be LlamaForCausalLM"),
    "window": ({"use_sliding_window": True}, "sliding window, which is not supported"),
    "window in a layer": ({"layer_types": ["full_attention", "sliding_attention"]}, "sliding window"),
    "other layers": ({"layer_types": ["linear_attention"]}, "only full_attention is supported"),
    "gelu": ({"hidden_act": "gelu"}, "hidden_act is 'gelu': only silu"),
    "dynamic": ({"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}}, "rope_type is 'dynamic', which is not"),
    "longrope": ({"rope_parameters": {"rope_type": "longrope"}}, "rope_type is 'longrope', which is not supported"),
    "part of a head": ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "only whole heads"),
    "heads": ({"num_key_value_heads": 3}, "it must be a multiple of num_key_value_heads, 3"),
    "no layers": ({"num_hidden_layers": 0}, "num_hidden_layers is 0: it must be from 1 to 1000"),
    "too many layers": ({"num_hidden_layers": 10**9}, "it must be from 1 to 1000"),
    "more parameters than bytes": ({"vocab_size": 2**24}, "parameters, the weights have"),
    "a text": ({"hidden_size": "64"}, "hidden_size: Input should be a valid integer"),
    "eos": ({"eos_token_id": 400}, "eos_token_id is 400: the vocabulary goes from 0 to 399"),
    "factor": ({"rope_parameters": LINEAR | {"factor": 0.0}}, "factor of rope scaling is 0.0"),
    "yarn of nothing": ({"rope_parameters": {"rope_type": "yarn", "original_max_position_embeddings": 0}}, "factor"),
    "theta": ({"rope_parameters": {"rope_theta": "big"}}, "rope_theta is 'big'"),
    "eps": ({"rms_norm_eps": -1.0}, "rms_norm_eps is -1.0"),
    "small vocabulary": ({"vocab_size": 300}, "tensor"),
    "other whole numbers": ({**FACTORS, "quantization": {"numbers": "int3"}}, "should be 'int8' or 'w4a8'"),
    "whole numbers of a plain type": ({"quantization": {"numbers": "int8"}}, "it has quantization, which only a model"),
    "factors of a plain model": (
        {"ranks": {"layers.0.mlp.up_proj": 8}},
        "it has ranks, which only a model with",
    ),
    "no factors": (
        {"model_type": "tuili_llama", "architectures": None},
        "neither ranks nor quantization, of which a model with factors or in whole numbers has",
    ),
    "rank": (
        {**FACTORS, "ranks": {"layers.0.mlp.up_proj": 65}},
        "mlp.up_proj is 65: it must be 1 to 64",
    ),
    "no matrix": ({**FACTORS, "ranks": {"lm_head": 8}}, "ranks names 'lm_head': it is no matrix of the model"),
    "shared bases": (
        {**FACTORS, "ranks": {"layers.0.mlp.up_proj": [8, 8]}},
        "ranks.layers.0.mlp.up_proj: Input",
    ),
    "matrices for factors": ({**FACTORS, "ranks": {"layers.0.mlp.up_proj": 8}}, "missing tensor"),
    "no size": ({"intermediate_size": None}, "intermediate_size: Field required"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_not_supported_is_refused_by_name(folder: Path, name: str) -> None:
    fields, reason = UNSUPPORTED[name]
    (folder / "generation_config.json").unlink()
    assert reason in refusal(change(folder, **fields))


def test_exits_of_another_depth_are_refused(folder: Path) -> None:
    (folder / "tuili").mkdir()
    settings = {"layers": [1, 3], "threshold": 0.9, "rank": 8, "channels": 4}
    (folder / "tuili" / "exits.json").write_text(json.dumps(settings))
    assert "must be the model's full depth, 2" in refusal(folder)
    with pytest.raises(ValueError, match="exits rise from 1 on, and the last is 2"):
        replace(read_dense_shape(change(folder, num_hidden_layers=3)), num_hidden_layers=2)


def test_a_tokenizer_larger_than_the_model_is_refused(tmp_path: Path) -> None:
    assert "the tokenizer has 384 entries and the model 300" in refusal(save_dense(tmp_path / "m", vocab_size=300))


def test_a_tokenizer_of_words_is_refused(folder: Path) -> None:
    state = json.loads((folder / "tokenizer.json").read_text())
    state |= {"pre_tokenizer": {"type": "Whitespace"}, "decoder": None}
    (folder / "tokenizer.json").write_text(json.dumps(state))
    assert "its entries stand for no bytes" in refusal(folder)


def test_what_ends_a_text_may_stand_in_the_tokenizer_alone(folder: Path) -> None:
    (folder / "generation_config.json").unlink()
    change(folder, eos_token_id=None)
    assert open_model(folder).tokenizer.end_id == 2
    (folder / "tokenizer_config.json").unlink()
    assert "names no token that ends a text" in refusal(folder)


def test_what_either_file_names_ends_a_text(folder: Path) -> None:
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [7, 0]}))
    change(folder, eos_token_id=[0, 5])
    assert read_dense_shape(folder).eos_token_ids == (7, 0, 5)
    assert open_model(folder).tokenizer.end_ids == (7, 0, 5, 2)  # the last is the tokenizer's


def test_a_copy_of_a_tied_head_must_be_one(tmp_path: Path) -> None:
    folder = save_dense(tmp_path / "model", tie_word_embeddings=True)
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(8)  # as older folders hold it
    save_file(tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}, weights, {"format": "pt"})
    with open_tensors(folder, open_model(folder).shape) as found:
        assert found.keys() == dense_tensor_shapes(read_dense_shape(folder)).keys()
    for other in (tensors["model.embed_tokens.weight"] + 1e-3, torch.zeros(3)):
        save_file(tensors | {"lm_head.weight": other}, weights, {"format": "pt"})
        assert "lm_head.weight is not model.embed_tokens.weight, to which config.json ties it" in refusal(folder)


def test_half_precision_is_read_exactly(folder: Path) -> None:
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    halved = {name: tensor.half() if "mlp" in name else tensor.bfloat16() for name, tensor in tensors.items()}
    save_file(halved, weights, {"format": "pt"})
    with open_tensors(folder, read_dense_shape(folder)) as found:
        for name, tensor in halved.items():
            if tensor.dtype == torch.half:
                assert np.array_equal(found[name], tensor.float().numpy())
            else:
                assert np.array_equal(found[name].view(np.int16), tensor.view(torch.int16).numpy())


def test_values_that_no_network_can_have_are_refused_without_a_folder() -> None:
    with pytest.raises(ValueError, match="rope_type is 'dynamic'"):
        RopeScaling("dynamic", 2.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="head_dim is 15: it must be even"):
        DenseShape("llama", 9, 30, 8, 1, 2, 1, 15, 64, 1e4, 1e-5)
