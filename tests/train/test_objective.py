"""The objective against its slow twin: the model's own forward pass at the exit that each token draws."""

from __future__ import annotations

import math
import random
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.harness.tiny import tiny_model
from tests.model.flex_on_cpu import differentiable
from tests.native.calling import library
from tuili.data.packing import IGNORE_INDEX, Block, Document, pack
from tuili.model import TuiliForCausalLM, set_kernels
from tuili.model.flex import MIN_HEAD_SIZE
from tuili.train.exit_walk import DOMAIN_LOGIT_MARGIN
from tuili.train.objective import Objective, ObjectiveConfig, ObjectiveResult

CONFIG = ObjectiveConfig(
    exits=((0.1, 0.2, 0.3, 0.4), (0.4, 0.3, 0.2, 0.1)),
    router_z=0.5,
    domain_prior=(0.3, 0.7),
)
UNKNOWN = 9
"""The expert of a domain for which the tiny model has none."""

at_any_progress = pytest.mark.parametrize("progress", [0.0, 0.37, 1.0])


@pytest.fixture(scope="module")
def model() -> TuiliForCausalLM:
    """Its routers are sure enough that their losses tell one expert from another; flex attention takes its heads."""
    model, _ = tiny_model(head_dim=MIN_HEAD_SIZE)
    for router in model.routers():
        nn.init.normal_(router.weight, std=0.5)
    return model


@pytest.fixture
def block(model: TuiliForCausalLM) -> Block:
    """Rows of one, two and two documents, with filler behind them; 17, 23 and 19 tokens are learnt."""
    rng = random.Random(4)

    def document(prompt: int, response: int, expert: int) -> Document:
        return Document(
            tuple(rng.randrange(5, model.config.vocab_size) for _ in range(prompt + response)), prompt, expert
        )

    rows = [[document(9, 17, 2)], [document(4, 12, 0), document(6, 11, -1)]]
    return pack([*rows, [document(5, 12, 3), document(3, 7, UNKNOWN)]], 48, 0)


def result(model: TuiliForCausalLM, block: Block, progress: float) -> ObjectiveResult:
    return Objective(CONFIG, model)(block, progress, torch.Generator().manual_seed(5))


def drawn_exits(block: Block, progress: float) -> Tensor:
    """The exit of every learnt token, -1 elsewhere: the tokens of a row that draw least go deepest."""
    key_BT = torch.rand(block.targets_BT.shape, generator=torch.Generator().manual_seed(5))
    exit_BT = torch.full_like(block.targets_BT, -1)
    shares = [start * (1 - progress) + end * progress for start, end in zip(*CONFIG.exits, strict=True)]
    for target_T, key_T, exit_T in zip(block.targets_BT, key_BT, exit_BT, strict=True):
        columns = (target_T != IGNORE_INDEX).nonzero().flatten().tolist()
        by_key = sorted(columns, key=key_T.tolist().__getitem__)
        for exit in range(len(shares)):
            exit_T[by_key[: math.ceil(len(columns) * sum(shares[exit:]) - 1e-9)]] = exit
    return exit_BT


@torch.no_grad()
def forward(model: TuiliForCausalLM, block: Block, depth: int) -> Tensor:
    """Logits [B, T, V] of all tokens at one depth."""
    logits_BTV: Tensor = model(
        block.tokens_BT,
        attention_mask=block.documents_BT >= 0,
        position_ids=block.positions_BT,
        use_cache=False,
        depth=depth,
    ).logits
    return logits_BTV


@at_any_progress
def test_each_token_is_learnt_at_the_exit_that_it_draws(model: TuiliForCausalLM, block: Block, progress: float) -> None:
    exit_BT = drawn_exits(block, progress)
    learnt_BT, exit_N = exit_BT >= 0, exit_BT[exit_BT >= 0]
    logits_XNV = torch.stack([forward(model, block, depth)[learnt_BT] for depth in model.config.exit_layers])
    assert (logits_XNV[1:] - logits_XNV[:-1]).abs().amax(-1).min() > 0.01, "the depths do not differ"
    logits_NV = logits_XNV[exit_N, torch.arange(len(exit_N))]
    target_N = block.targets_BT[learnt_BT]
    target_N[::2] = logits_NV[::2].argmax(-1)  # so that half of the tokens are foreseen
    right_N = (logits_NV.argmax(-1) == target_N).float()

    targets_BT = block.targets_BT.masked_scatter(learnt_BT, target_N)
    metrics = result(model, replace(block, targets_BT=targets_BT), progress).metrics
    assert float(metrics["cross_entropy"]) == pytest.approx(float(F.cross_entropy(logits_NV, target_N)), abs=1e-5)
    assert float(metrics["accuracy"]) == pytest.approx(float(right_N.mean()))
    for exit, depth in enumerate(model.config.exit_layers):
        assert float(metrics[f"accuracy_{depth}"]) == pytest.approx(float(right_N[exit_N == exit].mean()))


@at_any_progress
def test_routers_are_led_to_the_domain_s_expert_and_kept_small(
    model: TuiliForCausalLM, block: Block, progress: float
) -> None:
    routes: list[Tensor] = []
    hooks = [
        router.register_forward_hook(lambda *call: routes.append(call[-1].logits_NE)) for router in model.routers()
    ]
    forward(model, block, model.config.exit_layers[-1])
    for hook in hooks:
        hook.remove()
    z_losses, domain_losses = [], []
    exit_N, expert_N = drawn_exits(block, progress).flatten(), block.domains_BT.flatten()
    for group, logits_NE in enumerate(routes):  # each group has one layer
        beyond_N = exit_N > group
        known_N = beyond_N & (expert_N >= 0) & (expert_N != UNKNOWN)
        z_losses.append(logits_NE[beyond_N].logsumexp(-1).square().mean())
        own_N1 = logits_NE[known_N].gather(1, expert_N[known_N, None])
        short_NE = (
            (DOMAIN_LOGIT_MARGIN - own_N1 + logits_NE[known_N]).clamp(min=0).scatter(1, expert_N[known_N, None], 0)
        )
        domain_losses.append(short_NE.mean())
    z_loss, domain_loss = float(sum(z_losses) / 3), float(sum(domain_losses) / 3)

    got = result(model, block, progress)
    assert float(got.metrics["domain_loss"]) == pytest.approx(domain_loss, abs=1e-5)
    weight = 0.3 + 0.4 * progress
    expected = float(got.metrics["cross_entropy"]) + 0.5 * z_loss + weight * domain_loss
    assert got.loss.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kernels", ["native", "flex"])
def test_it_learns_alike_by_other_kernels(
    model: TuiliForCausalLM, block: Block, kernels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loss and gradients of tokens that are drawn at random, in any order, with fillers beside them."""
    library()
    monkeypatch.setattr("tuili.model.flex.flex_attention", differentiable)
    found = []
    for form in ({}, {kernels: True}):
        copy = deepcopy(model).train()
        set_kernels(copy, fused=False, **form)
        torch.manual_seed(0)
        loss = result(copy, block, 0.37).loss
        loss.backward()
        found.append({"loss": loss.detach()} | {name: weight.grad for name, weight in copy.named_parameters()})
    for name, slow in found[0].items():
        torch.testing.assert_close(
            found[1][name], slow, rtol=1e-4, atol=1e-5, msg=lambda text, of=name: f"{of}: {text}"
        )
