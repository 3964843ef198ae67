"""A model that is cut is its parent in which what was removed adds nothing. Norms compute in fp32."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks.harness.tiny import tiny_model
from tuili.compress.factorising.own import matrices_of
from tuili.compress.pruning.kept import Kept, Scores, choose
from tuili.compress.pruning.own import cut_own, own_scores, reconstruct_own
from tuili.compress.pruning.recipe import PruneConfig
from tuili.compress.pruning.reconstruction import reconstruct
from tuili.compress.pruning.sizes import Sizes
from tuili.compress.reading import moments_of
from tuili.compress.watch import Watch
from tuili.data.packing import Block, Document, pack
from tuili.model import TuiliForCausalLM
from tuili.train import walk_exits

IDS = torch.tensor([[1, 20, 30, 40, 50, 60, 2, 70, 80, 90]])


def model(**sizes: int) -> TuiliForCausalLM:
    made, _ = tiny_model(num_attention_heads=4, num_key_value_heads=2, head_dim=4, **sizes)
    torch.manual_seed(3)
    for router in made.routers():
        torch.nn.init.normal_(router.weight, std=0.5)
        router.balance_bias.normal_()
    return made.double().eval()


def block() -> Block:
    generator = torch.Generator().manual_seed(5)
    ids = [torch.randint(5, 260, (length,), generator=generator).tolist() for length in (20, 25, 18)]
    documents = [Document(tuple(tokens), 8) for tokens in ids]
    return pack([documents[:2], documents[2:]], 48, 0)


def logits(model: TuiliForCausalLM, depth: int) -> Tensor:
    with torch.inference_mode():
        return model(IDS, use_cache=False, depth=depth).logits


def zeroed(parent: TuiliForCausalLM, kept: Kept) -> TuiliForCausalLM:
    """The parent with all that is not kept put to zero where it adds to the stream."""
    twin = deepcopy(parent)
    config, network = twin.config, twin.model
    group, size = config.num_attention_heads // config.num_key_value_heads, config.head_dim

    def zero_heads(attention: torch.nn.Module, kept_K: Tensor) -> None:
        for head in set(range(config.num_key_value_heads)) - set(kept_K.tolist()):
            attention.o_proj.weight[:, head * group * size : (head + 1) * group * size] = 0

    with torch.no_grad():
        *of_trunk, shared = kept.heads
        for layer, kept_K, kept_F in zip(network.trunk, of_trunk, kept.neurons, strict=True):
            zero_heads(layer.attention, kept_K)
            gone_F = torch.ones(config.intermediate_size, dtype=torch.bool)
            gone_F[kept_F] = False
            layer.mlp.down_proj.weight[:, gone_F] = 0
        for layer, kept_E, kept_EF in zip(network.reasoning, kept.experts, kept.expert_neurons, strict=True):
            zero_heads(layer.attention, shared)
            for expert, kept_F in zip(kept_E.tolist(), kept_EF, strict=True):
                gone_F = torch.ones(config.moe_intermediate_size, dtype=torch.bool)
                gone_F[kept_F] = False
                layer.moe.experts.down_proj[expert][:, gone_F] = 0
            layer.moe.router.allowed_E = torch.zeros(config.num_experts, dtype=torch.bool)
            layer.moe.router.allowed_E[kept_E] = True
    return twin


@pytest.mark.parametrize("by", ["magnitude", "activation", "reconstruction"])
@pytest.mark.parametrize("layered", [True, False])
def test_a_cut_model_is_its_parent_without_what_was_removed(by: str, layered: bool) -> None:
    parent, sizes = model(layered=layered), Sizes(feed_forward=12, expert=5, experts=3, heads=1)
    config = PruneConfig(by=by, experts=3)  # type: ignore[arg-type]
    whole = deepcopy(parent)
    if by == "reconstruction":
        kept = reconstruct_own(parent, config, sizes, [block()], Watch(print))  # which changes the weights
    else:
        kept = choose(own_scores(parent, config, [block()]), sizes)
    cut, twin = cut_own(parent, kept, sizes).double().eval(), zeroed(parent, kept)
    assert cut.config.num_experts == 3
    assert cut.config.domains is None
    assert {len({*kept_E.tolist()}) for kept_E in kept.experts} == {3}
    for depth in parent.config.exit_layers:
        torch.testing.assert_close(logits(cut, depth), logits(twin, depth), rtol=1e-4, atol=1e-5)
        assert not torch.allclose(logits(cut, depth), logits(whole, depth), atol=1e-4)


def test_what_is_kept_is_exactly_the_parent_s() -> None:
    parent, sizes = model(), Sizes(feed_forward=12, expert=5, experts=4, heads=2)
    kept = choose(own_scores(parent, PruneConfig(by="magnitude"), []), sizes)
    cut = cut_own(parent, kept, sizes)
    assert cut.config.domains == parent.config.domains
    before, after = parent.model.reasoning[1].moe.experts, cut.model.reasoning[1].moe.experts
    for expert, kept_F in enumerate(kept.expert_neurons[1]):
        assert torch.equal(after.down_proj[expert], before.down_proj[expert][:, kept_F].float())
        both_F = torch.cat([kept_F, kept_F + 8])
        assert torch.equal(after.gate_up_proj[expert], before.gate_up_proj[expert][both_F].float())


def test_scores_are_the_mean_squares_of_what_parts_add() -> None:
    """Of each part on its own: what the stream loses when it alone is put to zero."""
    parent, read = model(), block()
    scores = own_scores(parent, PruneConfig(by="activation", experts=3), [read])
    inputs: list[Tensor] = []
    layer = parent.model.trunk[0]
    hook = layer.mlp.down_proj.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    with torch.inference_mode():
        parent.model.encode(read.tokens_BT, read.documents_BT >= 0, read.positions_BT)
    hook.remove()
    real_NF = inputs[0][read.documents_BT >= 0]
    for neuron in (0, 7, 15):
        added_NM = real_NF[:, neuron, None] * layer.mlp.down_proj.weight[:, neuron]
        assert scores.neurons[0][neuron].item() == pytest.approx(added_NM.square().sum(1).mean().item())


def test_an_expert_is_worth_the_norm_of_what_the_router_lets_it_add() -> None:
    parent, read = model(), block()
    scores = own_scores(parent, PruneConfig(share=0, experts=3), [read])
    by_frequency = own_scores(parent, PruneConfig(share=0, experts=3, experts_by="frequency"), [read])
    calls: list[tuple[Tensor, Tensor, Tensor]] = []
    moe = parent.model.reasoning[0].moe
    hook = moe.experts.register_forward_pre_hook(lambda _, given: calls.append(given))
    learnt = read.targets_BT >= 0
    with torch.no_grad():
        hidden, shared, frame = parent.model.encode(read.tokens_BT, read.documents_BT >= 0, read.positions_BT)
        parent.model.reason(hidden, shared, frame, 0)
    hook.remove()
    (hidden_ND, expert_Nk, weight_Nk), norms, counts = calls[0], [0.0] * 4, [0] * 4
    for token in learnt.flatten().nonzero().flatten().tolist():
        for expert, weight in zip(expert_Nk[token].tolist(), weight_Nk[token].tolist(), strict=True):
            gate, up = (moe.experts.gate_up_proj[expert].detach() @ hidden_ND[token]).chunk(2)
            added = weight * (moe.experts.down_proj[expert].detach() @ (torch.nn.functional.silu(gate) * up))
            norms[expert] += added.norm().item()
            counts[expert] += 1
    wanted = [norm / max(1, count) for norm, count in zip(norms, counts, strict=True)]
    assert scores.experts[0].tolist() == pytest.approx(wanted, rel=1e-6)
    assert by_frequency.experts[0].tolist() == counts != wanted
    assert sum(counts) == 2 * int(learnt.sum())


def test_heads_by_magnitude_are_worth_their_values_and_outputs_in_all_layers_that_share_them() -> None:
    """Queries and keys are normed: a model in which theirs are larger says the same, and keeps the same heads."""
    parent = model()
    scores = own_scores(parent, PruneConfig(by="magnitude"), [])
    network, size, group = parent.model, 4, 2
    for head in (0, 1):
        values, outputs = slice(head * size, (head + 1) * size), slice(head * group * size, (head + 1) * group * size)
        of_trunk = network.trunk[0].key_value.v_proj.weight[values].square().sum().item()
        of_trunk += network.trunk[0].attention.o_proj.weight[:, outputs].square().sum().item()
        shared = network.shared_key_value.v_proj.weight[values].square().sum().item()
        for layer in network.reasoning:
            shared += layer.attention.o_proj.weight[:, outputs].square().sum().item()
        assert scores.heads[0][head].item() == pytest.approx(of_trunk)
        assert scores.heads[-1][head].item() == pytest.approx(shared)
    with torch.no_grad():
        network.trunk[0].attention.q_proj.weight[:8] *= 10
        network.shared_key_value.k_proj.weight[4:] *= 10
    louder = own_scores(parent, PruneConfig(by="magnitude"), [])
    assert all(torch.equal(one, other) for one, other in zip(scores.heads, louder.heads, strict=True))


def test_heads_by_activation_are_those_of_all_layers_that_share_them() -> None:
    parent, read = model(), block()
    scores = own_scores(parent, PruneConfig(by="activation"), [read])
    added = torch.zeros(2, dtype=torch.float64)
    learnt = (read.targets_BT >= 0).sum(1, keepdim=True)
    for layer in parent.model.reasoning:
        seen: list[Tensor] = []
        hook = layer.attention.o_proj.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        with torch.inference_mode():
            walk_exits(parent, read, [1.0] * parent.config.num_groups, torch.Generator().manual_seed(0))
        hook.remove()
        real_NI = seen[0][torch.arange(seen[0].shape[1]) < learnt]
        mean_I = real_NI.square().mean(0) * layer.attention.o_proj.weight.detach().square().sum(0)
        added += mean_I.view(2, -1).sum(1)
    torch.testing.assert_close(scores.heads[-1], added, rtol=1e-6, atol=0)


def test_what_is_kept_by_its_score_says_more_of_the_parent_than_the_rest() -> None:
    """Heads and neurons of the highest scores against those of the lowest, as many of each."""
    parent, read = model(), block()
    torch.manual_seed(7)
    with torch.no_grad():  # some neurons of the trunk and some heads do much more than others
        for layer in parent.model.trunk:
            layer.mlp.down_proj.weight *= torch.rand(16).double() ** 3 * 4
        for layer in parent.model.reasoning:
            layer.attention.o_proj.weight[:, :8] *= 3
    sizes = Sizes(feed_forward=8, expert=4, experts=4, heads=1)
    scores = own_scores(parent, PruneConfig(by="activation"), [read])
    worst = Scores(*([-one for one in of_kind] for of_kind in (scores.neurons, scores.heads)), scores.experts, [
        -one for one in scores.expert_neurons
    ])  # fmt: skip
    depth, lost = parent.config.exit_layers[-1], []
    for one in (scores, worst):
        cut = cut_own(parent, choose(one, sizes), sizes).double().eval()
        aim, own = (logits(each, depth).log_softmax(-1) for each in (parent, cut))
        lost.append(torch.nn.functional.kl_div(own, aim, reduction="batchmean", log_target=True).item())
    assert lost[0] < 0.7 * lost[1]


def test_a_saved_cut_model_opens(tmp_path: Path) -> None:
    parent, sizes = model(), Sizes(feed_forward=8, expert=4, experts=2, heads=1)
    cut = cut_own(parent, choose(own_scores(parent, PruneConfig(by="magnitude"), []), sizes), sizes)
    cut.save_pretrained(tmp_path)
    again = TuiliForCausalLM.from_pretrained(tmp_path)
    assert (again.config.intermediate_size, again.config.num_experts) == (8, 2)


def test_the_weights_behind_what_stays_are_fitted_to_what_the_layers_get() -> None:
    parent, read, sizes = model(), block(), Sizes(feed_forward=12, expert=5, experts=4, heads=1)
    names = [
        "trunk.0.mlp.down_proj", "trunk.0.attention.o_proj", "reasoning.1.moe.experts.down_proj",
        *(f"reasoning.{layer}.attention.o_proj" for layer in range(len(parent.model.reasoning))),
    ]  # fmt: skip
    moments, matrices, before = moments_of(parent, names, [read]), matrices_of(parent), deepcopy(parent)
    kept = reconstruct_own(parent, PruneConfig(), sizes, [read], Watch(print))

    def expected(*names: str, groups: int, keep: int) -> tuple[Tensor, Tensor]:
        weights = torch.stack([matrices_of(before)[name].detach() for name in names])
        together = len(names) > 1
        weights = weights if weights.dim() == 3 else weights[0]
        return reconstruct(weights, torch.cat([moments[name] for name in names]), groups, keep, together=together)

    cases = (
        (("trunk.0.mlp.down_proj",), 16, 12, kept.neurons[0][None]),
        (("trunk.0.attention.o_proj",), 2, 1, kept.heads[0][None]),
        (("reasoning.1.moe.experts.down_proj",), 8, 5, kept.expert_neurons[1]),
        (tuple(names[3:]), 2, 1, kept.heads[-1].expand(len(names) - 3, -1)),
    )
    for of, groups, keep, kept_EG in cases:
        wanted_EG, fitted_EOI = expected(*of, groups=groups, keep=keep)
        assert torch.equal(kept_EG, wanted_EG)
        found = torch.stack([matrices[name].detach() for name in of])
        torch.testing.assert_close(found.view_as(fitted_EOI), fitted_EOI)
        assert not torch.allclose(found, torch.stack([matrices_of(before)[name].detach() for name in of]))
