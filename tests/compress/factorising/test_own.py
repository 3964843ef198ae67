"""A model with factors is its parent with their products; moments say what an approximation changes."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tests.model.factors import multiplied_out
from tuili.compress.factorising.own import factorised_own, matrices_of
from tuili.compress.factorising.shared import SharedStack
from tuili.compress.factorising.whitened import WhitenedStack, error_of
from tuili.compress.moments import damped
from tuili.compress.reading import moments_of
from tuili.data.packing import Block, Document, pack
from tuili.model import TuiliForCausalLM
from tuili.train import walk_exits

DENSE = ["trunk.0.attention.o_proj", "trunk.0.mlp.down_proj", "shared_key_value.v_proj", "reasoning.0.attention.q_proj"]


def model(**sizes: int) -> TuiliForCausalLM:
    made, _ = tiny_model(**sizes)
    return randomize_weights(made, 0.4).double().eval()


def block() -> Block:
    generator = random.Random(5)
    ids = [[generator.randrange(5, 260) for _ in range(length)] for length in (20, 25, 18)]
    documents = [Document(tuple(tokens), 8) for tokens in ids]
    return pack([documents[:2], documents[2:]], 48, 0)


def outputs_of(model: TuiliForCausalLM, name: str) -> Tensor:
    """What a module gives for the tokens of the block that count, one behind the other."""
    seen, given = [], block()
    module = model.model.get_submodule(name)

    def take(module: torch.nn.Module, inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
        seen.append(output[0] if isinstance(output, tuple) else output)

    hook = module.register_forward_hook(take)
    with torch.inference_mode():
        walk_exits(model, given, [1.0] * model.config.num_groups, torch.Generator().manual_seed(0))
    hook.remove()
    (found,) = seen
    counted = given.documents_BT >= 0
    if name.startswith("reasoning"):
        learnt = (given.targets_BT >= 0).sum(1, keepdim=True)
        counted = torch.arange(found.shape[1]) < learnt
    return found[counted]


@pytest.mark.parametrize("name", DENSE)
def test_moments_say_how_much_the_output_of_a_layer_changes(name: str) -> None:
    parent = model()
    moment = moments_of(parent, matrices_of(parent), [block()])[name]
    weight = matrices_of(parent)[name]
    before = outputs_of(parent, name)
    approximation = WhitenedStack(weight.detach()[None], moment).factors(3).product_EOI
    expected = error_of(weight.detach()[None], approximation, moment)
    with torch.no_grad():
        weight.copy_(approximation[0])
    measured = (outputs_of(parent, name) - before).square().sum(1).mean()
    assert float(measured) == pytest.approx(expected, rel=1e-4)
    assert expected > 0


def test_moments_say_how_much_the_output_of_experts_changes() -> None:
    """With one expert a token, so that the errors of two do not mix."""
    parent = model(num_experts_per_tok=1)
    name = "reasoning.0.moe.experts.down_proj"
    moment = moments_of(parent, matrices_of(parent), [block()])[name]
    weight = matrices_of(parent)[name]
    before = outputs_of(parent, "reasoning.0.moe")
    approximation = WhitenedStack(weight.detach(), damped(moment, 1e-3)).factors(3).product_EOI
    expected = error_of(weight.detach(), approximation, moment)
    with torch.no_grad():
        weight.copy_(approximation)
    measured = (outputs_of(parent, "reasoning.0.moe") - before).square().sum(1).mean()
    assert float(measured) == pytest.approx(expected, rel=1e-4)
    assert expected > 0


def test_inputs_of_experts_count_by_the_routers_weight() -> None:
    parent = model()
    whole = moments_of(parent, matrices_of(parent), [block()])["reasoning.0.moe.experts.gate_up_proj"]
    routes = []
    hook = parent.model.reasoning[0].moe.router.register_forward_hook(lambda module, given, route: routes.append(route))
    outputs_of(parent, "reasoning.0.moe")
    hook.remove()
    (route,) = routes
    learnt = (block().targets_BT >= 0).sum(1, keepdim=True)
    counted = (torch.arange(route.expert_Nk.shape[0] // 2) < learnt).flatten()
    share = route.weight_Nk[counted].square().sum() / counted.sum()
    size = parent.config.hidden_size  # of a normed state the mean square is 1
    assert float(whole.diagonal(dim1=1, dim2=2).sum()) == pytest.approx(float(share) * size, rel=1e-3)


def test_a_model_with_factors_is_its_parent_with_their_products() -> None:
    parent = model()
    weights = matrices_of(parent)
    moments = {name: damped(moment, 1e-3) for name, moment in moments_of(parent, weights, [block()]).items()}
    factors = {name: WhitenedStack(weights[name].detach()[None], moments[name]).factors(3) for name in DENSE}
    gate_up, down = (f"reasoning.1.moe.experts.{name}_proj" for name in ("gate_up", "down"))
    made = factorised_own(
        parent,
        factors
        | {gate_up: WhitenedStack(weights[gate_up].detach(), moments[gate_up]).factors(4)}
        | {down: SharedStack(weights[down].detach(), moments[down]).factors(5, 4)},
    ).double()
    assert made.config.ranks == dict.fromkeys(DENSE, 3) | {gate_up: 4, down: [5, 4]}
    twin = multiplied_out(made)
    for name, weight in matrices_of(twin).items():
        if name in factors:
            torch.testing.assert_close(weight, factors[name].product_EOI[0], rtol=1e-5, atol=1e-6)
        elif name not in (gate_up, down):
            torch.testing.assert_close(weight, weights[name], rtol=1e-6, atol=1e-6)
    whole = {name: WhitenedStack(weights[name].detach()[None], moments[name]).factors(8) for name in DENSE[2:3]}
    ids = torch.tensor([[1, 20, 30, 40, 50]])
    with torch.inference_mode():
        same = factorised_own(parent, whole).double()(ids, use_cache=False).logits
        torch.testing.assert_close(same, parent(ids, use_cache=False).logits, rtol=1e-3, atol=1e-3)
