from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from tests.model.conftest import tiny_config, tiny_model
from tuili.errors import InputError
from tuili.model.experts import Experts, Router, route_tokens
from tuili.model.grouped import PAD_GROUPS_TO_ROWS, Sorting, grouped_linear, grouped_mm, sort_rows, sum_choices


@pytest.mark.parametrize("product", [grouped_linear, grouped_mm])
@pytest.mark.parametrize("sizes", [[3, 0, 5, 2], [10, 0, 0, 0], [0, 0, 0, 10]])
def test_grouped_products_equal_separate_ones(
    product: Callable[[torch.Tensor, torch.Tensor, list[int]], torch.Tensor], sizes: list[int]
) -> None:
    torch.manual_seed(0)
    inputs, weights, target = torch.randn(10, 4), torch.randn(4, 8, 4), torch.randn(10, 8)
    results = []
    for fast in (True, False):
        x, w = inputs.clone().requires_grad_(), weights.clone().requires_grad_()
        if fast:
            y = product(x, w, sizes)
        else:
            y = torch.cat([F.linear(rows, matrix) for rows, matrix in zip(x.split(sizes), w, strict=True)])
        (y * target).sum().backward()
        results.append((y, x.grad, w.grad))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("tokens", [5, 200], ids=["few rows", "filled up"])
def test_sorting_puts_each_choice_among_the_rows_of_its_group(tokens: int) -> None:
    torch.manual_seed(0)
    group = torch.randint(0, 3, (tokens, 2))
    sorting = Sorting.by_group(group, 4)
    for number, part in enumerate(torch.arange(len(sorting.token_Y)).split(sorting.sizes)):
        token, choice = (group == number).nonzero(as_tuple=True)
        assert torch.isin(sorting.row_Nk[token, choice], part).all()
        assert torch.equal(sorting.token_Y[sorting.row_Nk[token, choice]], token)
        assert len(part) - len(token) < PAD_GROUPS_TO_ROWS
    value = torch.rand(tokens, 2)
    torch.testing.assert_close(sorting.sort(value)[sorting.row_Nk], value)
    torch.testing.assert_close(sorting.sort(value).sum(), value.sum())


@pytest.mark.parametrize("tokens", [5, 200], ids=["few rows", "filled up"])
def test_moving_rows_has_the_gradients_of_plain_indexing(tokens: int) -> None:
    torch.manual_seed(0)
    sorting = Sorting.by_group(torch.randint(0, 3, (tokens, 2)), 4)
    hidden, factor = torch.randn(tokens, 2), sorting.sort(torch.rand(tokens, 2))[:, None]
    gradients = []
    for fast in (True, False):
        h = hidden.clone().requires_grad_()
        rows = (sort_rows(h, sorting) if fast else h[sorting.token_Y]) * factor
        output = sum_choices(rows, sorting) if fast else rows[sorting.row_Nk].sum(1)
        torch.testing.assert_close(output, hidden * factor[sorting.row_Nk].sum(1))
        output.square().sum().backward()
        gradients.append(h.grad)
    torch.testing.assert_close(*gradients)


def token_by_token(experts: Experts, hidden: torch.Tensor, index: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The definition: the weighted sum of the chosen experts."""
    outputs = []
    for token in range(len(hidden)):
        for choice in range(index.shape[1]):
            expert = int(index[token, choice])
            gate, up = (experts.gate_up_proj[expert] @ hidden[token]).chunk(2)
            outputs.append(weight[token, choice] * (experts.down_proj[expert] @ (F.silu(gate) * up)))
    return torch.stack(outputs).view(len(hidden), index.shape[1], -1).sum(1)


@pytest.mark.parametrize("tokens", [1, 7, 150], ids=["one", "few rows", "filled up"])
def test_experts_and_their_gradients_equal_the_token_by_token_form(tokens: int) -> None:
    """`test_kernels` has the compiled form."""
    torch.manual_seed(0)
    config = tiny_config(experts_implementation="eager")
    experts = Experts(config).train().double()
    for parameter in experts.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    hidden = torch.randn(tokens, config.hidden_size, dtype=torch.double, requires_grad=True)
    index = torch.stack([torch.randperm(config.num_experts - 1)[:2] for _ in range(tokens)])  # one stays idle
    weight = torch.rand(tokens, 2, dtype=torch.double, requires_grad=True)
    inputs = [hidden, weight, *experts.parameters()]
    results = []
    for form in (experts, lambda *given: token_by_token(experts, *given)):
        output = form(hidden, index, weight)
        results.append([output, *torch.autograd.grad(output.square().sum(), inputs)])
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("implementation", ["grouped_mm", "batched_mm"])
def test_transformers_implementations_agree(implementation: str) -> None:
    model = tiny_model()
    ids = torch.arange(5, 45)[None]
    with torch.inference_mode():
        eager = model(ids).logits
        model.set_experts_implementation(implementation)
        torch.testing.assert_close(model(ids).logits, eager, rtol=1e-4, atol=1e-4)


def router(seed: int = 0) -> Router:
    torch.manual_seed(seed)
    made = Router(tiny_config())
    torch.nn.init.normal_(made.weight)
    return made


def test_the_first_choice_ignores_the_balance_bias() -> None:
    made, hidden = router(), torch.randn(100, 48)
    before = made(hidden).expert_Nk
    made.balance_bias += torch.tensor([5.0, -5.0, 5.0, -5.0])
    after = made(hidden).expert_Nk
    assert torch.equal(before[:, 0], after[:, 0])
    assert not torch.equal(before[:, 1], after[:, 1])
    assert (after[:, 0] != after[:, 1]).all()


def test_weights_are_the_normalised_scores() -> None:
    route = router()(torch.randn(20, 48))
    torch.testing.assert_close(route.weight_Nk.sum(-1), torch.ones(20))
    score = route.logits_NE.sigmoid().gather(1, route.expert_Nk)
    torch.testing.assert_close(route.weight_Nk, score / score.sum(-1, keepdim=True))


@pytest.mark.parametrize("offset", [0.0, -20.0], ids=["any scores", "scores next to nothing"])
def test_balancing_evens_the_second_choices_out(offset: float) -> None:
    """Three of four tokens take one expert first, which nothing can change; the second choice leans to another.

    With the offset all other scores lie below a millionth, far closer together than a step of the bias.
    """
    made = router()
    hidden = torch.randn(2000, 48) / 4
    with torch.no_grad():
        made.weight[:, 0] = torch.tensor([offset + 2, offset, offset, 3.0])
        made.weight[3, 1:] = 0
    hidden[:1500, 0] = 1.0
    hidden[1500:, 0] = 0.0

    def violation() -> float:
        load = torch.bincount(made(hidden).expert_Nk[:, 1], minlength=4).float()
        return float(load.max() / load.mean() - 1)

    before = violation()
    for _ in range(1000):
        made.train()
        made(hidden)
        made.balance(1e-2)
    assert made.load.sum() == 0
    assert violation() < before / 2


def test_fillers_do_not_count_as_load() -> None:
    made = router().train()
    made(torch.randn(6, 48), torch.tensor([True, False, True, False, False, False]))
    assert made.load.sum() == 2


def test_restriction_leaves_only_the_allowed_experts() -> None:
    made = router()
    made.allowed_E = torch.tensor([False, True, True, False])
    assert set(made(torch.randn(50, 48)).expert_Nk.flatten().tolist()) == {1, 2}
    made.allowed_E = torch.tensor([False, False, True, False])
    route = made(torch.randn(50, 48))
    torch.testing.assert_close(route.weight_Nk, torch.tensor([[1.0, 0.0]]).expand(50, 2))


def test_a_restriction_names_every_expert_and_leaves_one() -> None:
    model = tiny_model()
    for allowed in (torch.ones(3, dtype=torch.bool), torch.ones(4)):
        with pytest.raises(InputError, match="give 4 booleans"):
            model.restrict_experts(allowed)
    with pytest.raises(InputError, match="leave at least one"):
        model.restrict_experts(torch.zeros(4, dtype=torch.bool))
    assert all(made.allowed_E is None for made in model.routers())


@pytest.mark.parametrize("allowed", [None, torch.tensor([True, True, False, True])])
def test_exploration_draws_the_second_expert_of_some_tokens_while_training(allowed: torch.Tensor | None) -> None:
    made, hidden = router().eval(), torch.randn(4000, 48)
    made.allowed_E = allowed
    expected = made(hidden).expert_Nk
    made.exploration = 0.5
    assert torch.equal(made(hidden).expert_Nk, expected)
    explored = made.train()(hidden).expert_Nk
    assert torch.equal(explored[:, 0], expected[:, 0])
    assert (explored[:, 0] != explored[:, 1]).all()
    others = 3 if allowed is None else 2  # a random one of them is often the best one
    changed = (explored[:, 1] != expected[:, 1]).float().mean().item()
    assert changed == pytest.approx(0.5 * (1 - 1 / others), abs=0.05)
    assert allowed is None or not (explored == 2).any()


def test_a_recording_counts_both_choices_of_every_layer() -> None:
    model = tiny_model()
    with torch.inference_mode(), model.record_routing() as record:
        model(torch.arange(5, 25)[None])
    assert len(record.layers) == len(model.model.reasoning)
    for layer in record.layers:
        assert layer.first_E.sum() == 20
        assert layer.all_E.sum() == 40
    assert all(made.recording is None for made in model.routers())


@pytest.mark.parametrize("tokens", [1, 100])
@torch.inference_mode()
def test_the_fast_form_of_the_routing_rule_decides_as_the_router(tokens: int) -> None:
    made, hidden = router().eval(), torch.randn(tokens, 48)
    made.balance_bias += torch.tensor([1.0, -1.0, 2.0, -2.0])
    route = made(hidden)
    expert, weight = route_tokens(hidden, made.weight, made.balance_bias, 2)
    assert torch.equal(expert, route.expert_Nk)
    torch.testing.assert_close(weight, route.weight_Nk)


def test_the_fast_form_gives_the_format_of_its_input() -> None:
    made, hidden = router().eval(), torch.randn(5, 48, dtype=torch.bfloat16)
    assert route_tokens(hidden, made.weight, made.balance_bias, 3)[1].dtype is torch.bfloat16
