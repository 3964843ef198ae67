"""A model with factors is the model in which they are multiplied out, in fewer parameters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from benchmarks.harness.tiny import tiny_model
from tests.model.factors import RANKS, factorised, multiplied_out
from tuili.errors import InputError, ModelFolderError
from tuili.model import LowRankExperts, TuiliConfig, count_parameters, load_model, save_model
from tuili.model.grouped import grouped_linear
from tuili.store import LineageEntry, open_model
from tuili.store import count_parameters as count_shape

IDS = torch.tensor([[1, 20, 30, 40, 50, 60, 2, 70, 80, 90], [1, 21, 31, 41, 51, 61, 2, 71, 81, 91]])


def test_factors_compute_what_their_product_does() -> None:
    model, _ = factorised()
    model = model.double().eval()
    twin = multiplied_out(model).eval()
    with torch.inference_mode():
        for depth in model.config.exit_layers:
            given = {"use_cache": False, "depth": depth}
            for ids in (IDS, IDS[:1, :1]):  # a single token takes another way through the experts
                found, wanted = model(ids, **given).logits, twin(ids, **given).logits
                torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-5)  # norms compute in fp32


def test_bases_that_experts_share_read_and_write_a_token_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `active` counts them, however many experts it has."""
    model, _ = factorised()
    seen: list[tuple[int, ...]] = []

    def counting(rows: torch.Tensor, matrices: torch.Tensor, sizes: list[int]) -> torch.Tensor:
        seen.append((len(rows), *matrices.shape))
        return grouped_linear(rows, matrices, sizes)

    monkeypatch.setattr("tuili.model.low_rank.grouped_linear", counting)
    experts = model.model.reasoning[0].moe.experts
    assert isinstance(experts, LowRankExperts)
    inner, _, core, outer = (experts.gate_up_proj.factors[0], *experts.down_proj.factors)
    for tokens in (5, 1):
        seen.clear()
        chosen = torch.tensor([[0, 1], [2, 0], [1, 3], [3, 2], [0, 3]])[:tokens]
        experts(torch.randn(tokens, model.config.hidden_size), chosen, torch.full((tokens, 2), 0.5))
        assert (tokens, 1, *inner.shape) in seen
        assert (tokens, 1, *outer.shape) in seen
        assert (2 * tokens, 1, *outer.shape) not in seen
        assert tokens == 1 or (2 * tokens, *core.shape) in seen


def test_factors_get_the_gradients_of_their_product() -> None:
    model, _ = factorised()
    model = model.double().train()
    twin = multiplied_out(model).train()
    for each in (model, twin):
        each(IDS, labels=IDS, use_cache=False).loss.backward()
    whole = twin.model.reasoning[0].moe.experts.down_proj.grad
    experts = model.model.reasoning[0].moe.experts
    assert isinstance(experts, LowRankExperts)
    inner, core, outer = experts.down_proj.factors
    torch.testing.assert_close(core.grad, outer.detach().T @ whole @ inner.detach().T)
    torch.testing.assert_close(outer.grad, torch.einsum("eof,esr,rf->os", whole, core.detach(), inner.detach()))


def test_a_folder_with_factors_loads_everywhere(tmp_path: Path) -> None:
    model, tokenizer = factorised()
    save_model(tmp_path / "model", model, tokenizer, [LineageEntry("factorise")])
    assert json.loads((tmp_path / "model" / "config.json").read_text())["ranks"] == RANKS
    for loaded in (load_model(tmp_path / "model").model, AutoModelForCausalLM.from_pretrained(tmp_path / "model")):
        assert loaded.state_dict().keys() == model.state_dict().keys()
        for name, tensor in model.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], tensor), name
    shape = open_model(tmp_path / "model").shape
    assert shape == model.config.shape
    assert count_shape(shape) == count_parameters(model.config)
    whole, _ = tiny_model()
    assert count_shape(shape).total < count_shape(whole.config.shape).total
    assert count_shape(shape).active < count_shape(whole.config.shape).active


@pytest.mark.parametrize(
    ("ranks", "message"),
    [
        ({"trunk.0.attention.q_proj": 17}, r"ranks.trunk.0.attention.q_proj is 17: it must be 1 to 16"),
        ({"trunk.0.attention.q_proj": 0}, "it must be 1 to 16"),
        ({"trunk.0.attention.q_proj": [2, 2]}, "give one number, only experts can share bases"),
        ({"trunk.0.attention.gate_proj": 2}, "it is no matrix of the model that may be kept as factors"),
        ({"reasoning.0.moe.experts.down_proj": 9}, "it must be 1 to 8"),
        ({"reasoning.0.moe.experts.down_proj": [17, 8]}, "give two numbers, at most 16 and 8"),
        ({"reasoning.0.moe.experts.down_proj": [8]}, "give two numbers, at most 16 and 8"),
        ({"trunk.0.attention.q_proj": "4"}, "ranks"),
    ],
)
def test_ranks_that_no_network_can_have_are_refused(tmp_path: Path, ranks: Any, message: str) -> None:
    model, tokenizer = factorised()
    save_model(tmp_path / "model", model, tokenizer, [LineageEntry("factorise")])
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"ranks": ranks}))
    for opened in (load_model, open_model):
        with pytest.raises(ModelFolderError, match=message) as refused:
            opened(tmp_path / "model")
        assert "\n" not in str(refused.value)


def test_other_ranks_than_those_of_the_weights_are_refused(tmp_path: Path) -> None:
    model, tokenizer = factorised()
    save_model(tmp_path / "model", model, tokenizer, [LineageEntry("factorise")])
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"ranks": RANKS | {"trunk.0.mlp.down_proj": 7}}))
    for opened in (load_model, open_model):
        with pytest.raises(ModelFolderError, match=r"mismatched tensor model\.trunk\.0\.mlp\.down_proj\.inner\.weight"):
            opened(tmp_path / "model")


def test_experts_with_factors_run_by_one_implementation_alone() -> None:
    model, _ = factorised()
    with pytest.raises(InputError, match="experts kept as factors run by eager alone"):
        model.set_experts_implementation("grouped_mm")
    config = TuiliConfig.from_dict(model.config.to_dict())
    assert config.shape == model.config.shape
