"""Pruning a model of Tuili's own kind: the scores of its parts, and the smaller model that keeps the best.

The reasoning layers share one set of keys and values, so all of them lose the same heads; experts, and the neurons of
each, are chosen layer by layer.

Dimensions: B rows, T tokens, E experts, F neurons, K heads of keys and values, M hidden size.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor

from tuili.compress.moments import ExpertMoments, InputMoments, squares
from tuili.compress.pruning.kept import Kept, Scores, rows_of
from tuili.compress.pruning.recipe import PruneConfig
from tuili.compress.pruning.sizes import Sizes
from tuili.compress.reading import read_samples
from tuili.data import Block
from tuili.model import ReasoningLayer, TrunkLayer, TuiliConfig, TuiliForCausalLM


def blank_own(model_config: TuiliConfig, sizes: Sizes) -> TuiliForCausalLM:
    """A model of these sizes in place of those of a configuration, its weights new."""
    group = model_config.num_attention_heads // model_config.num_key_value_heads
    changes: dict[str, Any] = {
        "intermediate_size": sizes.feed_forward,
        "moe_intermediate_size": sizes.expert,
        "num_attention_heads": group * sizes.heads,
        "num_key_value_heads": sizes.heads,
        "num_experts": sizes.experts,
    }
    if sizes.experts != model_config.num_experts:
        changes["domains"] = None  # each layer keeps others, so that none is a domain's any more
    config: TuiliConfig = TuiliConfig.from_dict(model_config.to_dict() | changes)
    return TuiliForCausalLM(config)


def own_scores(model: TuiliForCausalLM, config: PruneConfig, blocks: Iterable[Block]) -> Scores:
    """The scores of all parts. The blocks are read only where a score is taken on them."""
    network = model.model
    trunk, reasoning = cast(list[TrunkLayer], [*network.trunk]), cast(list[ReasoningLayer], [*network.reasoning])
    of_moe, depth = [layer.moe for layer in reasoning], len(trunk)
    attentions = [layer.attention for layer in trunk] + [layer.attention for layer in reasoning]
    outputs = [InputMoments(attention.o_proj, squares) for attention in attentions]
    inner = [InputMoments(layer.mlp.down_proj, squares) for layer in trunk]
    experts = [ExpertMoments(moe, squares) for moe in of_moe]
    if _needs_samples(config):
        read_samples(model, [*outputs[:depth], *inner], outputs[depth:], experts, blocks)
    heads = model.config.num_key_value_heads
    if config.by == "activation":
        neurons = [moments.added for moments in inner]
        added = [moments.added.view(heads, -1).sum(1) for moments in outputs]
    else:
        neurons = [_norms(layer.mlp.gate_up_proj.weight, layer.mlp.down_proj.weight) for layer in trunk]
        added = [_head_squares(attention.o_proj.weight.mT, heads) for attention in attentions]
        for number, key_value in enumerate([*(layer.key_value for layer in trunk), network.shared_key_value]):
            added[number] = added[number] + _head_squares(key_value.v_proj.weight, heads)
    shared = torch.stack(added[depth:]).sum(0)
    expert_neurons = [_norms(moe.experts.gate_up_proj, moe.experts.down_proj) for moe in of_moe]
    if config.by == "activation":  # an expert that no sample has chosen has the weights alone to tell by
        seen = [moments.chosen_E[:, None] > 0 for moments in experts]
        pairs = zip(seen, experts, expert_neurons, strict=True)
        expert_neurons = [torch.where(was_E1, moments.added, norms) for was_E1, moments, norms in pairs]
    worth = [moments.norms if config.experts_by == "reap" else moments.chosen_E for moments in experts]
    return Scores(neurons, [*added[:depth], shared], worth, expert_neurons)


def _needs_samples(config: PruneConfig) -> bool:
    """Whether a score is taken on samples."""
    return config.by == "activation" or config.experts is not None


def cut_own(model: TuiliForCausalLM, kept: Kept, sizes: Sizes) -> TuiliForCausalLM:
    """The model with what is kept alone; its weights are copies."""
    config, network = model.config, model.model
    group, size = config.num_attention_heads // config.num_key_value_heads, config.head_dim
    tensors = dict(model.state_dict())

    def take(name: str, *index: Any) -> None:
        tensors[name] = tensors[name][index]

    def cut_attention(place: str, kept_K: Tensor) -> None:
        queries, every = rows_of(kept_K, group * size), slice(None)
        take(f"{place}.q_proj.weight", queries)
        take(f"{place}.o_proj.weight", every, queries)
        if config.layered:
            take(f"{place}.gate_proj.weight", rows_of(kept_K, group * 3))

    def cut_key_value(place: str, kept_K: Tensor) -> None:
        for name in ("k_proj", "v_proj"):
            take(f"{place}.{name}.weight", rows_of(kept_K, size))

    *of_trunk, shared_K = kept.heads
    for number, (kept_K, kept_F) in enumerate(zip(of_trunk, kept.neurons, strict=True)):
        place = f"model.trunk.{number}"
        cut_attention(f"{place}.attention", kept_K)
        cut_key_value(f"{place}.key_value", kept_K)
        take(f"{place}.mlp.gate_up_proj.weight", torch.cat([kept_F, kept_F + config.intermediate_size]))
        take(f"{place}.mlp.down_proj.weight", slice(None), kept_F)
    cut_key_value("model.shared_key_value", shared_K)
    hidden_M = torch.arange(config.hidden_size)
    for number, (kept_E, kept_EF) in enumerate(zip(kept.experts, kept.expert_neurons, strict=True)):
        place = f"model.reasoning.{number}"
        cut_attention(f"{place}.attention", shared_K)
        both_EF = torch.cat([kept_EF, kept_EF + config.moe_intermediate_size], dim=1)
        take(f"{place}.moe.experts.gate_up_proj", kept_E[:, None], both_EF)
        take(f"{place}.moe.experts.down_proj", kept_E[:, None, None], hidden_M[:, None], kept_EF[:, None])
        take(f"{place}.moe.router.weight", kept_E)
        take(f"{place}.moe.router.balance_bias", kept_E)
    assert len(network.reasoning) == len(kept.experts)
    smaller = blank_own(config, sizes)
    smaller.load_state_dict(tensors)
    return smaller


def _norms(gate_up: Tensor, down: Tensor) -> Tensor:
    """The sum of the squares of all weights of a neuron, [F], or [E, F] of experts."""
    gate, up = gate_up.detach().double().square().sum(-1).chunk(2, dim=-1)
    return gate + up + down.detach().double().square().sum(-2)


def _head_squares(weight: Tensor, heads: int) -> Tensor:
    """The sum of the squares of the weights of each head, [K]: of its values, or of what its queries put out. Those of
    queries and keys are not among them, because both are normed: their size has no effect."""
    return weight.detach().double().square().sum(1).view(heads, -1).sum(1)
