"""A model learns whole numbers, is written in them, goes on where it was, and is refused where it cannot learn them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM

from tests.cli.compress.parents import save_trained
from tests.compress.running import LEARNING, quantised
from tests.engine.runtime.texts import Texts
from tests.native.calling import library
from tests.store.dense_folders import KINDS, dense_model, dense_tokenizer
from tuili.compress import (
    HealedNetwork,
    QuantizeConfig,
    QuantizeRecipe,
    Quantizing,
    make_plan,
    measuring,
    open_parent,
)
from tuili.compress.dense import dense_moments
from tuili.compress.factorising.whitened import error_of
from tuili.compress.imported import ImportedParent
from tuili.compress.quantizing.compensation import compensated, inverse_factors
from tuili.compress.quantizing.quantize import rounded_matrices, stored_bytes
from tuili.compress.reading import moments_of
from tuili.data import Document, StreamState, pack
from tuili.engine.runtime.choice import Choice, choose
from tuili.engine.runtime.native.load import native_step
from tuili.model import TuiliForCausalLM, mixed, round_weight
from tuili.native import mixing_of
from tuili.posttrain import Backbone, pack_attention, packed_states, round_backbone
from tuili.store import Quantization, matrix_shapes, model_hash, open_model, read_lineage, weight_bytes
from tuili.tasks import Problem

WEIGHTS = "model.safetensors"
EMBEDDING = "model.embed_tokens.weight"
IDS = [1, *range(20, 60)]


def native_logits(folder: Path, numbers: Any = "auto") -> np.ndarray:
    """Of a text, at full depth."""
    (logits,) = native_logits_of([IDS], folder, numbers)
    return logits


def native_logits_of(
    texts: Sequence[list[int]], folder: Path, numbers: Any = "auto", cache: Any = "fp32"
) -> list[np.ndarray]:
    """Of each text alone."""
    library()
    stored = open_model(folder)
    choice = choose("native", numbers, cache, lambda: "", trained=stored.shape.quantization)
    step, found = Texts(native_step(stored, choice, 1, 1, verifies=False)), list[np.ndarray]()
    for ids in texts:
        step.cut(0, 0)
        found.append(np.array(step.read(0, ids)[-1]))
    return found


@pytest.mark.parametrize(("numbers", "cache"), [("int8", None), ("w4a8", None), ("w4a8", "int8")])
def test_an_own_model_learns_and_is_written_in_whole_numbers(
    numbers: str, cache: str | None, wide: Path, tmp_path: Path
) -> None:
    result = quantised(wide, tmp_path / "run", healing={"steps": 2}, numbers=numbers, cache=cache)
    assert result.model is not None
    stored = open_model(result.model)
    assert stored.shape.quantization == Quantization(numbers, cache)
    assert {tensor.dtype for tensor in load_file(result.model / WEIGHTS).values()} == (
        {torch.int8, torch.float32} | ({torch.uint8, torch.float16} if numbers == "w4a8" else set())
    )
    parent, entry = read_lineage(result.model)
    assert (parent.step, entry.step, entry.parent) == ("train", "quantize", model_hash(wide))
    assert entry.recipe["quantize"]["numbers"] == numbers
    assert entry.figures["parameters"] == entry.figures["parameters_before"]
    network = AutoModelForCausalLM.from_pretrained(result.model)
    with torch.inference_mode():
        logits = network(torch.tensor([IDS]), use_cache=False, depth=4).logits[0].numpy()
    native = native_logits(result.model)
    if cache is None:
        assert np.linalg.norm(native - logits) < 0.02 * np.linalg.norm(logits)


def test_the_numbers_and_scales_are_read_with_safetensors_alone(wide: Path, tmp_path: Path) -> None:
    """As they were learnt: rounding the parent, which has learnt nothing, gives the nearest numbers to its weights."""
    result = quantised(wide, tmp_path / "run", healing={"steps": 0})
    assert result.model is not None
    with safe_open(result.model / WEIGHTS, "np") as rounded, safe_open(wide / WEIGHTS, "np") as full:
        for name in (EMBEDDING, "model.reasoning.0.moe.experts.gate_up_proj", "model.trunk.0.mlp.down_proj.weight"):
            number, scale, weight = rounded.get_tensor(name), rounded.get_tensor(f"{name}_scale"), full.get_tensor(name)
            assert number.dtype == np.int8
            assert scale.shape == (*weight.shape[:-1], 1)
            assert (np.abs(number * scale - weight) <= 0.501 * scale).all()


def test_learning_comes_nearer_to_the_parent_than_rounding(wide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one block, and by the parent's predictions alone."""
    monkeypatch.setattr("tuili.compress.own.DOMAIN_PRIOR", 0.0)
    tree = {"numbers": "w4a8", "healing": LEARNING | {"kernels": "torch", "precision": "fp32"}}
    config = QuantizeRecipe.model_validate_json(json.dumps({"quantize": tree})).quantize
    parent = open_parent(wide, config.healing)
    student = parent.network(Quantizing(parent, config).blank(0), learns=True)
    student.load(parent.load().state_dict())
    healed = HealedNetwork(student, parent.network(parent.load(), learns=False))
    optimizer = torch.optim.AdamW(healed.parameters.values(), 1e-4)
    with parent.data(None, print).open_blocks(StreamState()) as blocks:
        block, _ = next(blocks)
    losses = []
    for _ in range(6):
        losses.append(healed.learn(block, 0)["loss"])
        optimizer.step()
        optimizer.zero_grad()
    assert losses[0] > 1e-4
    assert losses[-1] < 0.7 * losses[0]


def test_an_imported_model_learns_the_numbers_that_the_engine_makes_of_its_folder(
    half: Path, questions: Path, tmp_path: Path
) -> None:
    result = quantised(half, tmp_path / "run", questions)
    assert result.model is not None
    assert open_model(result.model).shape.quantization == Quantization()
    tensors, before = load_file(result.model / WEIGHTS), load_file(half / WEIGHTS)
    whole = {name for name, tensor in before.items() if tensor.dim() == 2}
    assert {*tensors} == {*before} | {f"{name}_scale" for name in whole}
    assert {tensors[name].dtype for name in whole} == {torch.int8}
    assert {tensors[f"{name}_scale"].dtype for name in whole} == {torch.float32}
    assert {tensors[name].dtype for name in {*before} - whole} == {torch.bfloat16}
    assert weight_bytes(result.model) < 0.7 * weight_bytes(half)
    assert read_lineage(result.model)[-1].figures["agreement"] > 0
    library()
    stored = open_model(result.model)
    assert choose("native", "auto", "auto", lambda: "", trained=stored.shape.quantization) == Choice(
        "native", "int8", "bf16"
    )
    network = AutoModelForCausalLM.from_pretrained(result.model, dtype=torch.float32)
    twin = {name: unmixed(tensors, name) for name in whole}
    assert all(torch.allclose(network.get_parameter(name), weight, atol=1e-6) for name, weight in twin.items())
    assert not torch.allclose(twin[EMBEDDING], before[EMBEDDING].float(), atol=1e-4), "it has learnt something"
    with torch.inference_mode():
        plain = network(torch.tensor([IDS])).logits[0].numpy()
    native = native_logits(result.model)
    assert 0 < np.linalg.norm(native - plain) < 0.1 * np.linalg.norm(plain)


@pytest.mark.parametrize(
    ("kind", "numbers", "cache"),
    [("qwen2", "int8", "int8"), ("qwen2", "w4a8", None), ("qwen3, tied", "w4a8", "int8")],
)
def test_an_imported_model_runs_in_the_numbers_that_it_has_learnt(
    kind: str, numbers: str, cache: str | None, questions: Path, tmp_path: Path
) -> None:
    parent = tmp_path / "parent"
    dense_model(**KINDS[kind]).bfloat16().save_pretrained(parent)
    dense_tokenizer().save_pretrained(parent)
    result = quantised(parent, tmp_path / "run", questions, healing={"steps": 2}, numbers=numbers, cache=cache)
    assert result.model is not None
    stored, plain = open_model(result.model), Backbone.load(result.model, torch.float32)
    assert stored.shape.quantization == Quantization(numbers, cache)
    assert choose("native", "auto", "auto", lambda: "", trained=stored.shape.quantization) == Choice(
        "native", "int8" if numbers == "int8" else "int4", cache or "bf16"
    )
    kinds = {tensor.dtype for tensor in load_file(result.model / WEIGHTS).values()}
    assert (torch.uint8 in kinds) == (numbers == "w4a8")
    assert torch.int8 in kinds, "the head keeps 8 bits"
    pack_attention(plain)
    texts = [IDS[start : start + 4] for start in range(0, 40, 4)]
    in_full = [packed_logits(plain, ids) for ids in texts]
    round_backbone(plain, Quantization(numbers))
    whole = [packed_logits(plain, ids) for ids in texts]
    round_backbone(plain, stored.shape.quantization)
    learnt = [packed_logits(plain, ids) for ids in texts]
    native = native_logits_of(texts, result.model, cache="auto" if cache else "fp32")
    far = distance(learnt, in_full)
    assert far > 1e-3 * np.linalg.norm(learnt[0])
    assert distance(native, learnt) < 0.2 * far
    if cache:
        assert distance(native, learnt) < 0.5 * distance(whole, learnt), "keys and values are rounded"


def distance(ones: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> float:
    """Between the logits of a text, the median of all: where a sum ends between two whole numbers, its text is rounded
    otherwise from there on."""
    return float(np.median([np.linalg.norm(one - other) for one, other in zip(ones, others, strict=True)]))


def packed_logits(backbone: Backbone, ids: Sequence[int]) -> np.ndarray:
    """Of a text alone in a row, as the model learns, [T, V]."""
    block = pack([[Document(tuple(ids), 1)]], len(ids), 0)
    with torch.inference_mode():
        states = packed_states(backbone, torch.empty(0, dtype=torch.long), block)
        logits: np.ndarray = backbone.model.lm_head(backbone.final_norm(states))[0].numpy()
    return logits


def unmixed(tensors: Mapping[str, torch.Tensor], name: str) -> torch.Tensor:
    """The weights that whole numbers stand for, by the code that `docs/models.md` shows."""
    mixed = (tensors[name] * tensors[f"{name}_scale"]).numpy()
    block, hadamard = min(mixed.shape[1] & -mixed.shape[1], 64), np.ones((1, 1))
    while len(hadamard) < block:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    return torch.from_numpy((mixed.reshape(len(mixed), -1, block) @ hadamard).reshape(mixed.shape)).float()


@pytest.mark.parametrize("kind", ["llama, all biases", "qwen2, tied", "qwen3, tied", "llama, factors"])
def test_whole_numbers_of_a_folder_are_those_that_the_engine_makes_of_the_weights(
    kind: str, questions: Path, tmp_path: Path
) -> None:
    """To the bit, of all families, with heads that are tied and not: rounded as it is, and loaded in 8 bits."""
    parent = tmp_path / "parent"
    dense_model(**KINDS[kind]).bfloat16().save_pretrained(parent)
    dense_tokenizer().save_pretrained(parent)
    result = quantised(parent, tmp_path / "run", questions, healing={"steps": 0})
    assert result.model is not None
    assert np.array_equal(native_logits(result.model), native_logits(parent, "int8"))
    network = AutoModelForCausalLM.from_pretrained(result.model, dtype=torch.float32)
    network.save_pretrained(tmp_path / "saved")
    again, first = load_file(tmp_path / "saved" / WEIGHTS), load_file(result.model / WEIGHTS)
    assert all(torch.equal(again[name], tensor) for name, tensor in first.items() if tensor.dtype is torch.int8)


def test_a_plan_says_how_large_the_folder_will_be(wide: Path, half: Path, questions: Path, tmp_path: Path) -> None:
    result = quantised(wide, tmp_path / "run", healing={"steps": 0}, numbers="w4a8")
    assert result.model is not None
    shape = open_model(wide).shape
    head = (result.model / WEIGHTS).stat().st_size - stored_bytes(shape, Quantization("w4a8"))
    assert 0 < head < 60_000  # names and places of the tensors
    config = QuantizeRecipe().quantize
    for model, file in ((wide, None), (half, questions)):
        compression = Quantizing(open_parent(model, config.healing), config)
        lines = make_plan(compression, config.healing, compression.parent.data(file, print)).lines
        assert "(+0.0%)" in lines[0]
        assert "numbers: int8" in lines
        assert lines[2].startswith("weights in the folder: ")
        assert " -> " in lines[2]
        assert not any("by samples" in line for line in lines)
    config = QuantizeRecipe.model_validate({"quantize": {"numbers": "w4a8", "healing": {"steps": 0}}}).quantize
    compression = Quantizing(open_parent(wide, config.healing), config)
    plan = make_plan(compression, config.healing, compression.parent.data(None, print))
    matrices = matrix_shapes(open_model(wide).shape).values()
    moments = [8 * prod(sizes[:-2]) * sizes[-1] ** 2 for sizes in matrices if not sizes[-1] % 32]
    assert moments and plan.sampling == 8 * plan.before.total + sum(moments)
    assert plan.lines[-2] == "memory before it: about 0.0 GB, for both models and what is found by samples"


def test_the_parent_answers_in_full_numbers(
    wide: Path, half: Path, questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is what the rounded model is compared with; the engine would round it, too."""
    asked = list[tuple[bool, str]]()

    def answers(model: Path, problems: Sequence[Problem], progress: object, numbers: str) -> list[bool]:
        asked.append((open_model(model).shape.quantization is None, numbers))
        return [True] * len(problems)

    monkeypatch.setattr(measuring, "right_answers", answers)
    (tmp_path / "test.jsonl").write_text('{"question": "Add 1 and 2.", "equation": "+ 1 2", "answer": "3"}\n')
    quantised(wide, tmp_path / "own", healing={"steps": 0}, problems=6)
    quantised(half, tmp_path / "imported", questions, healing={"steps": 0}, problems=6, test=tmp_path / "test.jsonl")
    assert asked == [(True, "fp32"), (False, "auto"), (True, "bf16"), (False, "auto")]


def test_a_plan_and_a_lineage_say_which_weights_have_4_bits(tmp_path: Path) -> None:
    """Those of a matrix whose inputs 32 does not divide have 8."""
    parent = save_trained(tmp_path / "parent", hidden_size=64, intermediate_size=64, moe_intermediate_size=40)
    result = quantised(parent, tmp_path / "run", numbers="w4a8", healing={"steps": 0})
    assert result.model is not None
    tensors = load_file(result.model / WEIGHTS)
    of_four = sum(2 * tensor.numel() for tensor in tensors.values() if tensor.dtype is torch.uint8)
    of_eight = sum(one.numel() for name, one in tensors.items() if one.dtype is torch.int8 and name != EMBEDDING)
    share = of_four / (of_four + of_eight)
    assert 0.1 < share < 0.9
    assert result.figures["four_bits"] == pytest.approx(share)
    config = QuantizeConfig(numbers="w4a8")
    told = Quantizing(open_parent(parent, config.healing), config).changes["weights of 4 bits"]
    assert told.startswith(f"{share:.0%} of those of all matrices but the embedding, {1 - share:.0%} have 8: 32 does")
    assert "four_bits" not in quantised(parent, tmp_path / "int8", healing={"steps": 0}).figures


@pytest.mark.parametrize("kind", ["own", "imported"])
def test_weights_of_4_bits_are_those_that_make_up_for_rounding(
    kind: str, wide: Path, half: Path, questions: Path, tmp_path: Path
) -> None:
    """By the moments of the inputs that the same samples give; to the nearest they are what they were."""
    parent_path, file = (wide, None) if kind == "own" else (half, questions)
    healing = LEARNING | {"kernels": "torch" if file is None else "auto", "steps": 0}
    config = QuantizeConfig.model_validate_json(json.dumps({"numbers": "w4a8", "healing": healing}))
    parent = open_parent(parent_path, config.healing, config.rounded)
    model, found = parent.load(), dict[str, dict[str, Tensor]]()
    for rounding in ("compensated", "nearest"):
        how = {"healing": {"steps": 0}, "numbers": "w4a8", "rounding": rounding}
        result = quantised(parent_path, tmp_path / rounding, file, **how)
        assert result.model is not None
        loaded = AutoModelForCausalLM.from_pretrained(result.model, dtype=torch.float32)
        found[rounding] = {name: weight.detach() for name, weight in rounded_matrices(loaded).items()}
    names = [name for name, weight in rounded_matrices(model).items() if weight.shape[-1] % 32 == 0]
    samples = parent.data(file, print).samples(6)
    if isinstance(model, TuiliForCausalLM):
        moments, mixing = moments_of(model, names, samples), Quantization("w4a8").mixing
    else:
        assert isinstance(parent, ImportedParent)
        network = parent.network(model, learns=False)
        moments, mixing = dense_moments(model, network, parent.prefix, names, samples), mixing_of
    for name in names[::3]:
        weight = rounded_matrices(model)[name].detach()
        stack, block = weight.float().reshape(-1, *weight.shape[-2:]), mixing(weight.shape[-1])
        wanted = compensated(stack, inverse_factors(moments[name], block), block)
        if kind == "imported":
            wanted = wanted.bfloat16().float()  # as its weights are kept until they are written
        nearest, made = (
            mixed(round_weight(mixed(each.float() / max(1, block), block), 4).value, block) for each in (stack, wanted)
        )
        torch.testing.assert_close(found["compensated"][name].view_as(made), made, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found["nearest"][name].view_as(nearest), nearest, rtol=1e-4, atol=1e-5)
        ours, theirs = (
            error_of(stack, found[how][name].view_as(stack), moments[name]) for how in ("compensated", "nearest")
        )
        assert ours < theirs
