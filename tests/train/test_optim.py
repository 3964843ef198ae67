from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmarks.harness.tiny import tiny_model
from tuili.train.optim import OptimizerConfig, Optimizers


def random_step(optimizers: Optimizers, model: nn.Module, seed: int, scale: float = 1.0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimizers.step(scale)


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_an_optimizer_goes_on_exactly_from_its_tensors(kind: str) -> None:
    config = OptimizerConfig(kind=kind)
    model, _ = tiny_model()
    optimizers = Optimizers(config, model)
    for seed in range(3):
        random_step(optimizers, model, seed)
    saved = {name: value.clone() for name, value in optimizers.tensors().items()}
    twin, _ = tiny_model()
    twin.load_state_dict(weights(model))
    restored = Optimizers(config, twin)
    restored.load(saved)
    for seed in range(3, 6):
        random_step(optimizers, model, seed)
        random_step(restored, twin, seed)
    assert all(torch.equal(value, weights(twin)[name]) for name, value in weights(model).items())


def test_muon_takes_the_hidden_matrices_and_nothing_else() -> None:
    model, _ = tiny_model()
    optimizers = Optimizers(OptimizerConfig(kind="muon"), model)
    random_step(optimizers, model, seed=0)
    muon = {name.rpartition(":")[0] for name in optimizers.tensors() if name.endswith(":momentum_buffer")}
    adam = {name.rpartition(":")[0] for name in optimizers.tensors() if name.endswith(":exp_avg")}
    assert muon | adam == {name for name, _ in model.named_parameters()}
    assert not muon & adam
    assert all(name.endswith("proj.weight") for name in muon)
    for part in ("embed_tokens", "router", "experts", "norm"):
        assert any(part in name for name in adam), part
        assert not any(part in name for name in muon), part


def test_an_untied_head_is_no_hidden_matrix() -> None:
    model, _ = tiny_model(tie_word_embeddings=False)
    optimizers = Optimizers(OptimizerConfig(kind="muon"), model)
    random_step(optimizers, model, seed=0)
    assert "lm_head.weight:exp_avg" in optimizers.tensors()


def test_only_matrices_decay_and_the_scale_sets_the_rate() -> None:
    model = nn.Linear(4, 4)
    nn.init.ones_(model.weight)
    nn.init.ones_(model.bias)
    optimizers = Optimizers(OptimizerConfig(learning_rate=0.1, weight_decay=0.5), model)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizers.step(scale=0.5)
    assert torch.allclose(model.weight, torch.full((4, 4), 1 - 0.1 * 0.5 * 0.5))
    assert torch.equal(model.bias, torch.ones(4))
    assert model.weight.grad is None
