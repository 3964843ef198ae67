"""An imported model that is factorised: in every family it loads, answers and goes on as its parent does."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.compress.running import config_of, factorised, pruned, quantised
from tests.compress.test_run import interrupted_at
from tests.engine.runtime.texts import Texts
from tests.store.dense_folders import KINDS, dense_model
from tuili.compress import Factorising, open_parent
from tuili.compress.dense import dense_moments
from tuili.compress.factorising.imported import dense_matrices, factorised_imported
from tuili.compress.factorising.whitened import WhitenedStack
from tuili.compress.imported import ImportedNetwork
from tuili.data.packing import Document, pack
from tuili.engine.runtime.choice import Choice
from tuili.engine.runtime.native.load import native_step
from tuili.engine.runtime.torch.load import torch_step
from tuili.errors import InputError
from tuili.posttrain import Backbone, round_backbone
from tuili.store import DenseShape, count_parameters, matrix_shapes, model_hash, open_model, read_lineage

IDS = [1, 50, 60, 70, 80, 90, 100]
BLOCK = pack([[Document((30, 31, 32, 33, 34, 35), 3), Document((40, 41, 42, 43), 2)]], 16, 0)
PREFIX = torch.tensor([5, 9])
NAMES = ("layers.0.self_attn.q_proj", "layers.1.self_attn.v_proj", "layers.2.mlp.up_proj", "layers.3.mlp.down_proj")


@torch.inference_mode()
def logits(model: Any) -> Tensor:
    found: Tensor = model(torch.tensor([IDS])).logits
    return found


def inputs_of(layer: torch.nn.Module, network: ImportedNetwork) -> Tensor:
    """What a layer gets of a block."""
    inputs: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    with torch.no_grad():
        network.read(BLOCK, 0)
    hook.remove()
    return inputs[0]


@pytest.mark.parametrize("kind", ["llama, tied", "llama, all biases", "llama, wide heads", "qwen2", "qwen3, biases"])
def test_factors_of_full_rank_change_nothing(kind: str) -> None:
    parent = dense_model(**KINDS[kind])
    weights = dense_matrices(parent, NAMES)
    factors = {}
    for name, weight in weights.items():
        stack = WhitenedStack(weight.detach()[None], torch.eye(weight.shape[1])[None])
        factors[name] = stack.factors(min(weight.shape))
    whole = factorised_imported(deepcopy(parent), factors).eval()
    torch.testing.assert_close(logits(whole), logits(parent), rtol=1e-4, atol=1e-4)
    assert {name.rpartition(".inner")[0] for name, _ in whole.named_parameters() if ".inner" in name} == {
        f"model.{name}" for name in NAMES
    }


def test_moments_are_those_of_the_inputs_of_real_tokens() -> None:
    """Neither the tokens in front of a row nor filler behind it count; layers with the same inputs have the same."""
    parent = dense_model("llama")
    network = ImportedNetwork(parent, PREFIX, learns=False)
    names = [f"layers.1.{name}" for name in ("self_attn.k_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")]
    found = dense_moments(parent, network, len(PREFIX), names, [BLOCK])
    for name in names:
        inputs_BTI = inputs_of(parent.model.get_submodule(name), network)
        real_NI = inputs_BTI[0, 2:12].double()
        torch.testing.assert_close(found[name][0], real_NI.T @ real_NI / 10)
    assert found["layers.1.mlp.gate_proj"] is found["layers.1.mlp.up_proj"]


@pytest.mark.parametrize("kind", ["llama, factors", "qwen2, factors", "qwen3, factors"])
def test_layers_beside_factors_and_factors_have_moments_of_their_own_inputs(kind: str) -> None:
    parent = dense_model(**KINDS[kind])
    network = ImportedNetwork(parent, PREFIX, learns=False)
    names = [name for name, module in parent.model.named_modules() if isinstance(module, torch.nn.Linear)]
    found = dense_moments(parent, network, len(PREFIX), names, [BLOCK])
    for name in names:
        inputs_BTI = inputs_of(parent.model.get_submodule(name), network)
        real_NI = inputs_BTI[0, 2:12].double()
        torch.testing.assert_close(found[name][0], real_NI.T @ real_NI / 10)


@pytest.fixture(scope="module")
def made(dense: Path, questions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has been factorised, with recovery."""
    result = factorised(dense, tmp_path_factory.mktemp("made") / "run", questions)
    assert result.model is not None
    return result.model


def test_it_keeps_within_its_share_and_says_what_it_is(dense: Path, made: Path) -> None:
    stored = open_model(made)
    assert isinstance(stored.shape, DenseShape)
    before, after = count_parameters(open_model(dense).shape), count_parameters(stored.shape)
    assert 0.7 * before.total < after.total <= 0.8 * before.total
    assert stored.shape.ranks
    assert stored.shape.ranks.keys() <= matrix_shapes(stored.shape).keys()
    (entry,) = read_lineage(made)
    assert (entry.step, entry.parent, entry.hash) == ("factorise", model_hash(dense), model_hash(made))
    assert entry.figures["parameters"] == after.total
    assert entry.figures["factors"] == len(stored.shape.ranks)
    config, parent = (json.loads((folder / "config.json").read_text()) for folder in (made, dense))
    changed = {"model_type": "tuili_llama", "architectures": ["TuiliLlamaForCausalLM"], "ranks": stored.shape.ranks}
    assert config == parent | changed


def test_transformers_loads_it_and_it_writes_natively_what_transformers_does(made: Path) -> None:
    network: Any = AutoModelForCausalLM.from_pretrained(made).eval()
    assert network.num_parameters() == count_parameters(open_model(made).shape).total
    prompt = AutoTokenizer.from_pretrained(made)("Add 7 and 10.", return_tensors="pt")
    texts = network.generate(**prompt, max_new_tokens=12, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    ids = prompt["input_ids"][0].tolist()
    stored = open_model(made)
    wanted_TV = network(torch.tensor([[*ids, *texts.tolist()]])).logits[0].detach().numpy()
    steps = (native_step(stored, Choice("native", "fp32", "fp32"), 1, 1, verifies=False),
             torch_step(stored, Choice("torch", "fp32", "fp32"), None, 1, False))  # fmt: skip
    for step in steps:
        got_TV = Texts(step).read(0, [*ids, *texts.tolist()])[-1]
        assert np.abs(got_TV - wanted_TV).max() <= 1e-4 * max(1, np.abs(wanted_TV).max())


def test_whole_numbers_of_factors_are_those_of_the_native_step(made: Path, questions: Path, tmp_path: Path) -> None:
    native = native_step(open_model(made), Choice("native", "int8", "fp32"), 1, 1, verifies=False)
    native_TV = Texts(native).read(0, IDS)[-1]
    backbone = Backbone.load(made, torch.float32)
    plain_TV = logits(backbone.model)[0].numpy()
    round_backbone(backbone)
    rounded_TV = logits(backbone.model)[0].numpy()
    far = np.linalg.norm(plain_TV - rounded_TV)
    assert np.linalg.norm(native_TV - rounded_TV) < 0.5 * far  # sums in another order round a few inputs otherwise
    result = quantised(made, tmp_path / "whole", questions, healing={"steps": 1})
    assert result.model is not None
    learnt = open_model(result.model).shape
    assert learnt.quantization is not None
    assert learnt.ranks == open_model(made).shape.ranks


def test_an_interrupted_factorisation_ends_with_the_same_bytes(
    dense: Path, questions: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is interrupted between two checkpoints, at one, and in the last step."""
    for number, step in enumerate((1, 4, 6)):
        with monkeypatch.context() as patch:
            interrupted_at(step, patch)
            factorised(dense, tmp_path / "part", questions, resume=number > 0)
    again = factorised(dense, tmp_path / "part", questions, resume=True)
    assert again.model is not None
    assert model_hash(again.model) == model_hash(made)


def test_recovery_begins_closer_where_factors_are_whitened(dense: Path, questions: Path, tmp_path: Path) -> None:
    """At the same number of parameters."""
    lost = {}
    for by, samples in (("whitened", {"samples": 12}), ("plain", {})):
        changes = {"by": by, "ranks": "uniform", **samples}
        lost[by] = factorised(dense, tmp_path / by, questions, steps=0, keep=0.7, **changes).figures["loss"]
    assert lost["whitened"] < lost["plain"]


def test_what_cannot_be_is_refused(dense: Path, made: Path, questions: Path, tmp_path: Path) -> None:
    config = config_of(bases="shared")
    with pytest.raises(InputError, match=r"bases = shared: .* is imported and has no experts: leave bases out"):
        Factorising(open_parent(dense, config.healing), config)
    with pytest.raises(InputError, match="is factorised already: factorise its parent"):
        factorised(made, tmp_path / "again", questions)
    with pytest.raises(InputError, match="is factorised: prune its parent"):
        pruned(made, tmp_path / "pruned", questions)
