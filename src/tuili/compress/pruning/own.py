"""Pruning of a model of Tuili's own kind: scores its parts or chooses them by reconstruction, and makes the smaller
model.

The reasoning layers share one set of keys and values, so all of them lose the same heads; experts, and the neurons of
each, are chosen layer by layer.

Dimensions: B rows, T tokens, E experts, F neurons, K heads of keys and values, M hidden size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from tuili.compress.moments import ExpertMoments, InputMoments, Moment, products, squares
from tuili.compress.pruning.kept import Kept, Scores, best
from tuili.compress.pruning.recipe import PruneConfig
from tuili.compress.pruning.reconstruction import Spared, inputs_of, reconstruct_experts, reconstruct_layers
from tuili.compress.pruning.sizes import Sizes
from tuili.compress.reading import read_samples
from tuili.compress.trial import Part, sampled
from tuili.compress.watch import Watch
from tuili.data import Block
from tuili.model import ReasoningLayer, TrunkLayer, TuiliConfig, TuiliForCausalLM


def blank_own(model_config: TuiliConfig, sizes: Sizes) -> TuiliForCausalLM:
    """A model with new weights, from a configuration with its sizes replaced by these."""
    group = model_config.num_attention_heads // model_config.num_key_value_heads
    changes: dict[str, Any] = {
        "intermediate_size": sizes.feed_forward,
        "moe_intermediate_size": sizes.expert,
        "num_attention_heads": group * sizes.heads,
        "num_key_value_heads": sizes.heads,
        "num_experts": sizes.experts,
    }
    if sizes.experts != model_config.num_experts:
        changes["domains"] = None  # each layer keeps other experts, so none belongs to a domain any more
    config: TuiliConfig = TuiliConfig.from_dict(model_config.to_dict() | changes)
    return TuiliForCausalLM(config)


class _OwnMoments:
    """Moments of the contributions of a model's parts, on samples.

    trunk, reasoning: of the layers' attention. inner: of the trunk's neurons. experts: of the other layers' experts.
    """

    def __init__(self, model: TuiliForCausalLM, of_heads: Moment, of_neurons: Moment) -> None:
        self._model, network = model, model.model
        trunk, reasoning = cast(list[TrunkLayer], [*network.trunk]), cast(list[ReasoningLayer], [*network.reasoning])
        self.trunk, self.reasoning = (
            [InputMoments(layer.attention.o_proj, of_heads) for layer in layers] for layers in (trunk, reasoning)
        )
        self.inner = [InputMoments(layer.mlp.down_proj, of_neurons) for layer in trunk]
        self.experts = [ExpertMoments(layer.moe, of_neurons, of_inputs=squares) for layer in reasoning]

    def read(self, blocks: Iterable[Block]) -> None:
        """Record what passes through these parts."""
        read_samples(self._model, [*self.trunk, *self.inner], self.reasoning, self.experts, blocks)

    def expert_scores(self, config: PruneConfig) -> list[Tensor]:
        """The scores of the experts of each layer, [E]."""
        return [moments.norms if config.experts_by == "reap" else moments.chosen_E for moments in self.experts]


def own_scores(model: TuiliForCausalLM, config: PruneConfig, blocks: Iterable[Block]) -> Scores:
    """The scores of all parts. The blocks are read only if a score needs them."""
    moments = _OwnMoments(model, squares, squares)
    if _needs_samples(config):
        moments.read(blocks)
    heads, network = model.config.num_key_value_heads, model.model
    stacks = [one.layer.experts for one in moments.experts]
    expert_neurons = [_neuron_squares(experts.gate_up_proj, experts.down_proj) for experts in stacks]
    outputs = [*moments.trunk, *moments.reasoning]
    if config.by == "activation":
        neurons = [one.added for one in moments.inner]
        added = [one.added.view(heads, -1).sum(1) for one in outputs]
        # an expert that no sample has chosen can only be scored by its weights
        pairs = zip(moments.experts, expert_neurons, strict=True)
        expert_neurons = [torch.where(one.chosen_E[:, None] > 0, one.added, squares_EF) for one, squares_EF in pairs]
    else:
        trunk = cast(list[TrunkLayer], [*network.trunk])
        neurons = [_neuron_squares(layer.mlp.gate_up_proj.weight, layer.mlp.down_proj.weight) for layer in trunk]
        added = [_head_squares(one.layer.weight.mT, heads) for one in outputs]
        for number, key_value in enumerate([*(layer.key_value for layer in trunk), network.shared_key_value]):
            added[number] = added[number] + _head_squares(key_value.v_proj.weight, heads)
    depth = len(moments.trunk)
    shared = torch.stack(added[depth:]).sum(0)
    return Scores(neurons, [*added[:depth], shared], moments.expert_scores(config), expert_neurons)


def reconstruct_own(
    model: TuiliForCausalLM, config: PruneConfig, sizes: Sizes, blocks: Iterable[Block], watch: Watch
) -> Kept:
    """What stays, with the weights after neurons and heads changed to compensate for what is removed."""
    moments = _moments_for(model, sizes)
    moments.read(blocks)
    experts = [best(score_E, sizes.experts) for score_E in moments.expert_scores(config)]
    neurons, kept_of_all, trunk, reasoning = (each.found(watch) for each in _spared(model, moments, sizes))
    return Kept(
        neurons=neurons,
        heads=[*trunk, *reasoning],
        experts=experts,
        expert_neurons=[kept_EF[kept_E] for kept_EF, kept_E in zip(kept_of_all, experts, strict=True)],
    )


def own_parts(
    model: TuiliForCausalLM, config: PruneConfig, sizes: Sizes, block: Block, reconstructs: bool
) -> Iterator[Part]:
    """The time trial of either way of choosing, with the samples of one block. The model may be changed."""
    if not reconstructs:
        if _needs_samples(config):
            yield sampled(config.samples, block, partial(own_scores, model, config))
        return
    moments = _moments_for(model, sizes)
    yield sampled(config.samples, block, moments.read)
    yield from (each.part for each in _spared(model, moments, sizes))


def _moments_for(model: TuiliForCausalLM, sizes: Sizes) -> _OwnMoments:
    """The moments that a reconstruction to these sizes needs."""
    heads, config = model.config.num_key_value_heads, model.config
    narrower = (sizes.feed_forward, sizes.expert) != (config.intermediate_size, config.moe_intermediate_size)
    of_heads, of_neurons = (products if fewer else squares for fewer in (sizes.heads < heads, narrower))
    return _OwnMoments(model, of_heads, of_neurons)


def _spared(model: TuiliForCausalLM, moments: _OwnMoments, sizes: Sizes) -> Sequence[Spared]:
    """Neurons of the trunk and of experts, heads of each trunk layer, and heads of all other layers together."""
    heads, neurons = model.config.num_key_value_heads, model.config.intermediate_size
    return (
        Spared(
            "neurons of the trunk", moments.inner, lambda one: reconstruct_layers([one], neurons, sizes.feed_forward)
        ),
        Spared("neurons of experts", moments.experts, lambda one: reconstruct_experts(one, sizes.expert)),
        Spared("heads of the trunk", moments.trunk, lambda one: reconstruct_layers([one], heads, sizes.heads)),
        Spared("heads", [moments.reasoning], lambda every: reconstruct_layers(every, heads, sizes.heads)),
    )


def _needs_samples(config: PruneConfig) -> bool:
    """Whether a score is taken on samples."""
    return config.by == "activation" or config.experts is not None


def cut_own(model: TuiliForCausalLM, kept: Kept, sizes: Sizes) -> TuiliForCausalLM:
    """The model reduced to what is kept; its weights are copies."""
    config, network = model.config, model.model
    group, size = config.num_attention_heads // config.num_key_value_heads, config.head_dim
    tensors = dict(model.state_dict())

    def take(name: str, *index: Any) -> None:
        tensors[name] = tensors[name][index]

    def cut_attention(place: str, kept_K: Tensor) -> None:
        queries, every = inputs_of(kept_K, group * size), slice(None)
        take(f"{place}.q_proj.weight", queries)
        take(f"{place}.o_proj.weight", every, queries)
        if config.layered:
            take(f"{place}.gate_proj.weight", inputs_of(kept_K, group * 3))

    def cut_key_value(place: str, kept_K: Tensor) -> None:
        for name in ("k_proj", "v_proj"):
            take(f"{place}.{name}.weight", inputs_of(kept_K, size))

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


def _neuron_squares(gate_up: Tensor, down: Tensor) -> Tensor:
    """The sum of squares of all weights of each neuron, [F], or [E, F] for experts."""
    gate, up = gate_up.detach().double().square().sum(-1).chunk(2, dim=-1)
    return (gate + up + down.detach().double().square().sum(-2)).cpu()


def _head_squares(weight: Tensor, heads: int) -> Tensor:
    """The sum of squares of the weights of each head, [K]: of its values, or of its output projection. Query and key
    weights are excluded, because both are normalised and their scale has no effect."""
    return weight.detach().double().square().sum(1).view(heads, -1).sum(1).cpu()
