"""A layer of experts by the native library against its twin in torch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from tests.model.conftest import tiny_config
from tests.native.calling import library
from tuili.model import MixtureOfExperts
from tuili.model.kernels import set_kernels

NEAR = {torch.float32: 1e-5, torch.bfloat16: 1e-2}
"""The norm of the difference over the twin's norm."""


@pytest.fixture(autouse=True)
def with_library() -> None:
    library()


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def layer(allowed: int = 4, **changes: int) -> MixtureOfExperts:
    """A layer of four experts, of which the first few are allowed."""
    torch.manual_seed(0)
    made = MixtureOfExperts(tiny_config(experts_implementation="eager", **changes)).train()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    made.router.balance_bias += torch.tensor([0.1, 0.5, -0.5, -0.1])
    if allowed < 4:
        made.router.allowed_E = torch.arange(4) < allowed
    return made


def tokens(experts: MixtureOfExperts, count: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random ones, which are exact in a number format, so that both forms take the same experts."""
    return torch.randn(count, experts.router.weight.shape[1]).to(dtype)


def results(experts: MixtureOfExperts, native: bool, hidden: Tensor) -> list[Tensor]:
    """What a layer gives, and the gradients of all that goes in: of the sums, the logits and the weights of choices."""
    set_kernels(experts, fused=False, native=native)
    torch.manual_seed(1)
    hidden = hidden.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=hidden.dtype is torch.bfloat16):
        output, route = experts(hidden)
    of_output, of_logits, of_weights = (torch.randn_like(x, dtype=torch.float32) for x in (output, *route[::2]))
    loss = (output.float() * of_output).sum() + (route.logits_NE * of_logits).mean()
    loss = loss + (route.weight_Nk.float() * of_weights).sum()
    return [output, *route, *torch.autograd.grad(loss, [hidden, *experts.parameters()])]


def assert_near(found: list[Tensor], wanted: list[Tensor], near: float) -> None:
    for actual, expected in zip(found, wanted, strict=True):
        assert actual.dtype is expected.dtype
        assert (actual - expected).float().norm() <= near * expected.float().norm()


@pytest.mark.parametrize("exploration", [0.0, 0.5])
@pytest.mark.parametrize("dtype", NEAR, ids=str)
@pytest.mark.parametrize(("count", "allowed"), [(1, 4), (7, 4), (150, 3), (1300, 2)], ids=str)
def test_a_layer_and_its_gradients_equal_the_twin(
    count: int, allowed: int, dtype: torch.dtype, exploration: float
) -> None:
    """Of four experts some are idle; with two, each has more rows than a tile."""
    experts = layer(allowed)
    experts.router.exploration = exploration
    hidden = tokens(experts, count, dtype)
    plain, native = (results(experts, native, hidden) for native in (False, True))
    assert torch.equal(native[2], plain[2])
    assert_near(native, plain, NEAR[dtype])


@pytest.mark.parametrize("dtype", NEAR, ids=str)
@pytest.mark.parametrize(
    "sizes", [{"hidden_size": 40, "moe_intermediate_size": 18}, {"num_experts_per_tok": 3}], ids=str
)
def test_other_sizes_equal_the_twin(dtype: torch.dtype, sizes: dict[str, int]) -> None:
    experts = layer(**sizes)
    hidden = tokens(experts, 90, dtype)
    plain, native = (results(experts, native, hidden) for native in (False, True))
    assert_near(native, plain, NEAR[dtype])


@pytest.mark.parametrize("dtype", NEAR, ids=str)
def test_two_threads_give_the_bits_of_one(dtype: torch.dtype, two_threads: None) -> None:
    experts = layer()
    hidden = tokens(experts, 900, dtype)
    two = results(experts, True, hidden)
    torch.set_num_threads(1)
    assert all(map(torch.equal, two, results(experts, True, hidden)))


def test_what_needs_no_gradient_gets_none() -> None:
    experts = layer()
    hidden = tokens(experts, 20).requires_grad_()
    set_kernels(experts, fused=False, native=True)
    (every,) = torch.autograd.grad(experts(hidden)[0].sum(), hidden)
    experts.requires_grad_(False)
    experts(hidden)[0].sum().backward()
    assert torch.equal(hidden.grad, every)
    assert experts.experts.down_proj.grad is None
    experts.requires_grad_(True)
    experts(hidden.detach())[0].sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in experts.parameters())


def test_without_tokens_all_gradients_are_zero() -> None:
    experts = layer()
    set_kernels(experts, fused=False, native=True)
    experts(tokens(experts, 0).requires_grad_())[0].sum().backward()
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in experts.parameters())


def test_a_loss_of_logits_alone_has_the_gradients_of_the_router() -> None:
    experts, found = layer(), []
    hidden = tokens(experts, 20).requires_grad_()
    for native in (False, True):
        set_kernels(experts, fused=False, native=native)
        loss = experts(hidden)[1].logits_NE.square().sum()
        found.append(torch.autograd.grad(loss, [hidden, experts.router.weight]))
    assert_near(found[1], found[0], 1e-5)


def test_where_fewer_experts_are_allowed_than_are_chosen_the_rest_weigh_nothing() -> None:
    experts = layer()
    experts.router.allowed_E = torch.tensor([False, False, True, False])
    set_kernels(experts, fused=False, native=True)
    hidden = tokens(experts, 5).requires_grad_()
    route = experts(hidden)[1]
    assert route.expert_Nk[:, 0].tolist() == [2] * 5
    assert route.weight_Nk.tolist() == [[1.0, 0.0]] * 5
    assert not torch.autograd.grad(route.weight_Nk[:, 1].sum(), hidden)[0].any()


@pytest.mark.parametrize("real", [None, torch.arange(60)[None] % 3 > 0], ids=["all", "fillers"])
def test_the_load_is_counted_as_the_twin_counts_it(real: Tensor | None) -> None:
    experts, loads = layer(), []
    hidden = tokens(experts, 60)[None]
    for native in (False, True):
        set_kernels(experts, fused=False, native=native)
        experts.router.load.zero_()
        for _ in range(2):
            experts(hidden, real)
        loads.append(experts.router.load.tolist())
    assert loads[0] == loads[1]
    assert sum(loads[0]) == 2 * (60 if real is None else int(real.sum()))


def test_only_what_the_library_takes_goes_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("tuili.model.experts.mixture", lambda hidden, *_: asked.append(1) or [hidden] * 4)
    experts, odd = layer(), layer(moe_intermediate_size=17)
    hidden = tokens(experts, 5)
    experts(hidden)
    for some in (experts, odd):
        set_kernels(some, fused=False, native=True)
    experts.eval()(hidden)
    experts.train().double()(hidden.double())
    odd(hidden)
    assert not asked
    experts.float()(hidden)
    assert asked
