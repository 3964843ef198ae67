from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from benchmarks.harness.tiny import tiny_model
from tests.train.members import Member
from tuili.train.dist.group import SingleProcess
from tuili.train.optim import OptimizerConfig, Optimizers


def draw_gradients(model: nn.Module, seed: int, share: float = 1.0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = share * torch.randn(parameter.shape, generator=generator)


def random_step(optimizers: Optimizers, model: nn.Module, seed: int, scale: float = 1.0) -> None:
    draw_gradients(model, seed)
    optimizers.step(scale)


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_an_optimizer_goes_on_exactly_from_its_tensors(kind: str) -> None:
    config = OptimizerConfig(kind=kind)
    model, _ = tiny_model()
    optimizers = Optimizers(config, model, SingleProcess())
    for seed in range(3):
        random_step(optimizers, model, seed)
    saved = {name: value.clone() for name, value in optimizers.collect().items()}
    twin, _ = tiny_model()
    twin.load_state_dict(weights(model))
    restored = Optimizers(config, twin, SingleProcess())
    restored.load(saved)
    for seed in range(3, 6):
        random_step(optimizers, model, seed)
        random_step(restored, twin, seed)
    assert all(torch.equal(value, weights(twin)[name]) for name, value in weights(model).items())


def test_muon_takes_the_hidden_matrices_and_nothing_else() -> None:
    model, _ = tiny_model()
    optimizers = Optimizers(OptimizerConfig(kind="muon"), model, SingleProcess())
    random_step(optimizers, model, seed=0)
    muon = {name.rpartition(":")[0] for name in optimizers.collect() if name.endswith(":momentum_buffer")}
    adam = {name.rpartition(":")[0] for name in optimizers.collect() if name.endswith(":exp_avg")}
    assert muon | adam == {name for name, _ in model.named_parameters()}
    assert not muon & adam
    assert all(name.endswith("proj.weight") for name in muon)
    for part in ("embed_tokens", "router", "experts", "norm"):
        assert any(part in name for name in adam), part
        assert not any(part in name for name in muon), part


def test_an_untied_head_is_no_hidden_matrix() -> None:
    model, _ = tiny_model(tie_word_embeddings=False)
    optimizers = Optimizers(OptimizerConfig(kind="muon"), model, SingleProcess())
    random_step(optimizers, model, seed=0)
    assert "lm_head.weight:exp_avg" in optimizers.collect()


def test_only_matrices_decay_and_the_scale_sets_the_rate() -> None:
    model = nn.Linear(4, 4)
    nn.init.ones_(model.weight)
    nn.init.ones_(model.bias)
    optimizers = Optimizers(OptimizerConfig(learning_rate=0.1, weight_decay=0.5), model, SingleProcess())
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizers.step(scale=0.5)
    assert torch.allclose(model.weight, torch.full((4, 4), 1 - 0.1 * 0.5 * 0.5))
    assert torch.equal(model.bias, torch.ones(4))
    assert model.weight.grad is None


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_members_of_a_group_share_the_work_and_hold_the_same_bits(kind: str) -> None:
    """Each has a part of the gradients, of which one alone has the sum."""
    config, members, steps = OptimizerConfig(kind=kind), 2, range(4)
    models = [tiny_model()[0] for _ in range(members)]
    barrier, shared = Barrier(members), dict[int, Any]()

    def work(rank: int) -> tuple[list[float], dict[str, torch.Tensor]]:
        torch.set_num_threads(1)
        model, norms = models[rank], list[float]()
        optimizers = Optimizers(config, model, Member(rank, barrier, shared))
        for seed in steps:
            draw_gradients(model, seed, share=(rank + 1) / 3)  # both parts together are those of one process
            if rank == 0:
                model.lm_head.weight.grad = None  # as where one of them has had no use for a parameter
            optimizers.reduce_gradients()
            norms.append(optimizers.clip(10.0))
            optimizers.step(1.0)
        return norms, optimizers.collect()

    with ThreadPoolExecutor(members) as threads:
        (norms, state), (norms_too, state_too) = threads.map(work, range(members))
    alone, _ = tiny_model()
    optimizers, clipped = Optimizers(config, alone, SingleProcess()), list[float]()
    for seed in steps:
        draw_gradients(alone, seed)
        assert alone.lm_head.weight.grad is not None
        alone.lm_head.weight.grad *= 2 / 3
        optimizers.reduce_gradients()
        clipped.append(optimizers.clip(10.0))
        optimizers.step(1.0)
    assert norms == norms_too == pytest.approx(clipped)
    first, second = map(weights, models)
    for name, value in weights(alone).items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], value, rtol=0, atol=2e-4)
    expected = optimizers.collect()
    assert not state.keys() & state_too.keys()
    assert state.keys() | state_too.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close((state | state_too)[name], value, rtol=1e-4, atol=1e-5)


def test_clipping_is_that_of_torch() -> None:
    model, twin = tiny_model()[0], tiny_model()[0]
    optimizers = Optimizers(OptimizerConfig(), model, SingleProcess())
    for seed, largest in ((0, 5.0), (1, 1e6)):
        draw_gradients(model, seed)
        draw_gradients(twin, seed)
        assert optimizers.clip(largest) == pytest.approx(float(clip_grad_norm_(twin.parameters(), largest)))
        for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
            torch.testing.assert_close(ours.grad, theirs.grad)


def test_shares_are_even() -> None:
    model, _ = tiny_model()
    shared: dict[int, Any] = {}
    names = [
        {name for _, names in Optimizers(OptimizerConfig(kind="muon"), model, member)._optimizers for name in names}
        for member in (Member(rank, Barrier(2), shared) for rank in range(2))
    ]
    assert names[0] | names[1] == {name for name, _ in model.named_parameters()}
    assert not names[0] & names[1]
    sizes = [sum(dict(model.named_parameters())[name].numel() for name in own) for own in names]
    assert max(sizes) < 1.2 * min(sizes)
