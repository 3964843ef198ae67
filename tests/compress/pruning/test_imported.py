"""An imported model that is cut is its parent in which what was removed adds nothing, in every family."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor

from tests.store.dense_folders import KINDS, dense_model
from tuili.compress.dense import dense_moments
from tuili.compress.imported import ImportedNetwork
from tuili.compress.pruning.imported import cut_dense, dense_scores, reconstruct_dense
from tuili.compress.pruning.kept import choose
from tuili.compress.pruning.recipe import PruneConfig
from tuili.compress.pruning.reconstruction import reconstruct
from tuili.compress.pruning.sizes import Sizes
from tuili.compress.watch import Watch
from tuili.data.packing import Document, pack

SIZES = Sizes(feed_forward=64, expert=0, experts=0, heads=1)
IDS = torch.tensor([[1, 50, 60, 70, 80, 90, 100]])
BLOCK = pack([[Document((30, 31, 32, 33, 34, 35), 3), Document((40, 41, 42, 43), 2)]], 16, 0)
PREFIX = torch.tensor([5, 9])


def logits(model: torch.nn.Module) -> Tensor:
    with torch.inference_mode():
        return model(IDS).logits


@pytest.mark.parametrize("by", ["magnitude", "activation", "reconstruction"])
@pytest.mark.parametrize("kind", ["llama, tied", "llama, all biases", "llama, wide heads", "qwen2", "qwen3, biases"])
def test_a_cut_model_is_its_parent_without_what_was_removed(kind: str, by: str) -> None:
    parent = dense_model(**KINDS[kind])
    size, group = parent.config.head_dim, 2
    network = ImportedNetwork(deepcopy(parent), PREFIX, learns=False)
    config = PruneConfig(by=by)  # type: ignore[arg-type]
    if by == "reconstruction":
        kept = reconstruct_dense(network.model, network, len(PREFIX), SIZES, [BLOCK], Watch(print))
    else:
        kept = choose(dense_scores(network.model, network, len(PREFIX), config, [BLOCK]), SIZES)
    twin = deepcopy(parent)
    twin.load_state_dict(network.model.state_dict())  # whose weights may make up for what goes
    cut = cut_dense(twin, kept, SIZES).eval()
    with torch.no_grad():
        for layer, kept_F, kept_K in zip(twin.model.layers, kept.neurons, kept.heads, strict=True):
            gone_F = torch.ones(96, dtype=torch.bool)
            gone_F[kept_F] = False
            layer.mlp.down_proj.weight[:, gone_F] = 0
            gone = 1 - int(kept_K)
            layer.self_attn.o_proj.weight[:, gone * group * size : (gone + 1) * group * size] = 0
    torch.testing.assert_close(logits(cut), logits(twin), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(logits(cut), logits(parent), atol=1e-3)
    assert (cut.config.num_attention_heads, cut.config.head_dim) == (2, size)


def test_scores_are_those_of_real_tokens_alone() -> None:
    """Neither the tokens in front of a row nor filler behind it count."""
    parent = dense_model("llama")
    network = ImportedNetwork(parent, PREFIX, learns=False)
    scores = dense_scores(parent, network, len(PREFIX), PruneConfig(by="activation"), [BLOCK])
    inputs: list[Tensor] = []
    layer = parent.model.layers[0].mlp.down_proj
    hook = layer.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    with torch.no_grad():
        network.read(BLOCK, 0)
    hook.remove()
    real_NF = inputs[0][0, 2:12].double()
    wanted_F = real_NF.square().mean(0) * layer.weight.detach().double().square().sum(0)
    torch.testing.assert_close(scores.neurons[0], wanted_F)


@pytest.mark.parametrize(("kind", "normed"), [("llama", False), ("qwen3, biases", True)])
def test_heads_by_magnitude_count_queries_and_keys_unless_they_are_normed(kind: str, normed: bool) -> None:
    parent = dense_model(**KINDS[kind]) if kind in KINDS else dense_model(kind)
    network = ImportedNetwork(parent, PREFIX, learns=False)
    attention, size = parent.model.layers[0].self_attn, parent.config.head_dim
    scores = dense_scores(parent, network, len(PREFIX), PruneConfig(by="magnitude"), [])
    for head in (0, 1):
        keys, queries = slice(head * size, (head + 1) * size), slice(2 * head * size, 2 * (head + 1) * size)
        wanted = attention.v_proj.weight[keys].square().sum() + attention.o_proj.weight[:, queries].square().sum()
        if not normed:
            wanted += attention.q_proj.weight[queries].square().sum() + attention.k_proj.weight[keys].square().sum()
        assert scores.heads[0][head].item() == pytest.approx(wanted.item(), rel=1e-5)


def test_the_weights_behind_what_stays_are_fitted_to_what_the_layers_get() -> None:
    parent = dense_model(**KINDS["qwen2"])
    network = ImportedNetwork(parent, PREFIX, learns=False)
    names = ["layers.1.mlp.down_proj", "layers.1.self_attn.o_proj"]
    moments = dense_moments(parent, network, len(PREFIX), names, [BLOCK])
    before = {name: parent.model.get_submodule(name).weight.detach().clone() for name in names}
    kept = reconstruct_dense(parent, network, len(PREFIX), SIZES, [BLOCK], Watch(print))
    for name, groups, keep, stays in ((names[0], 96, 64, kept.neurons[1]), (names[1], 2, 1, kept.heads[1])):
        wanted_1G, fitted_1OI = reconstruct(before[name][None], moments[name], groups, keep)
        assert torch.equal(stays, wanted_1G[0])
        found = parent.model.get_submodule(name).weight.detach()
        torch.testing.assert_close(found.double(), fitted_1OI[0], rtol=1e-4, atol=1e-5)
        assert not torch.allclose(found, before[name])
