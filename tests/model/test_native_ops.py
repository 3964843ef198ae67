"""Operators of the native library against their twins in torch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from tests.model.conftest import tiny_config
from tests.native.calling import library
from tuili.model import native_ops
from tuili.model.experts import Experts, Router
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


def layer(**changes: int) -> Experts:
    torch.manual_seed(0)
    made = Experts(tiny_config(experts_implementation="eager", **changes)).train()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made


def chosen(experts: Experts, tokens: int, allowed: int, choices: int = 2) -> tuple[Tensor, Tensor]:
    """Experts among the first few and their weights; a token in three gives its last choice no weight."""
    index = torch.stack([torch.randperm(allowed)[:choices] for _ in range(tokens)])
    weight = torch.rand(tokens, choices)
    weight[::3, -1] = 0
    return index, weight / weight.sum(-1, keepdim=True)


def results(
    experts: Experts, native: bool, dtype: torch.dtype, hidden: Tensor, index: Tensor, weight: Tensor
) -> list[Tensor]:
    """What a layer gives, and the gradients of all that goes in."""
    set_kernels(experts, fused=False, native=native)
    hidden, weight = (x.detach().clone().requires_grad_() for x in (hidden, weight))
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
        output = experts(hidden, index, weight)
    target = torch.linspace(-1, 1, output.numel()).view_as(output).to(output.dtype)
    return [output, *torch.autograd.grad(output, [hidden, weight, *experts.parameters()], target)]


@pytest.mark.parametrize("dtype", NEAR, ids=str)
@pytest.mark.parametrize(("tokens", "allowed"), [(1, 4), (7, 4), (150, 3), (1000, 2)], ids=str)
def test_experts_and_their_gradients_equal_the_twin(dtype: torch.dtype, tokens: int, allowed: int) -> None:
    """Of four experts some are idle; with two, each has more rows than a tile."""
    experts = layer()
    inputs = (torch.randn(tokens, experts.gate_up_proj.shape[2]), *chosen(experts, tokens, allowed))
    plain, native = (results(experts, native, dtype, *inputs) for native in (False, True))
    for wanted, found in zip(plain, native, strict=True):
        assert found.dtype is wanted.dtype
        assert (found - wanted).float().norm() <= NEAR[dtype] * wanted.float().norm()


@pytest.mark.parametrize("dtype", NEAR, ids=str)
@pytest.mark.parametrize(
    "sizes", [{"hidden_size": 40, "moe_intermediate_size": 18}, {"num_experts_per_tok": 3}], ids=str
)
def test_other_sizes_equal_the_twin(dtype: torch.dtype, sizes: dict[str, int]) -> None:
    experts = layer(**sizes)
    choices = sizes.get("num_experts_per_tok", 2)
    inputs = (torch.randn(90, experts.gate_up_proj.shape[2]), *chosen(experts, 90, 4, choices))
    plain, native = (results(experts, native, dtype, *inputs) for native in (False, True))
    for wanted, found in zip(plain, native, strict=True):
        assert (found - wanted).float().norm() <= NEAR[dtype] * wanted.float().norm()


@pytest.mark.parametrize("dtype", NEAR, ids=str)
def test_two_threads_give_the_bits_of_one(dtype: torch.dtype, two_threads: None) -> None:
    experts = layer()
    inputs = (torch.randn(300, experts.gate_up_proj.shape[2]), *chosen(experts, 300, 4))
    two = results(experts, True, dtype, *inputs)
    torch.set_num_threads(1)
    assert all(map(torch.equal, two, results(experts, True, dtype, *inputs)))


def test_what_needs_no_gradient_gets_none() -> None:
    experts, (index, weight) = layer(), chosen(layer(), 20, 4)
    hidden = torch.randn(20, experts.gate_up_proj.shape[2], requires_grad=True)
    set_kernels(experts, fused=False, native=True)
    (every,) = torch.autograd.grad(experts(hidden, index, weight).sum(), hidden)
    experts.requires_grad_(False)
    experts(hidden, index, weight).sum().backward()
    assert torch.equal(hidden.grad, every)
    assert experts.down_proj.grad is None
    experts.requires_grad_(True)
    experts(hidden.detach(), index, weight).sum().backward()
    assert experts.down_proj.grad.isfinite().all()


def test_only_what_the_library_takes_goes_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    experts, (index, weight) = layer(), chosen(layer(), 5, 4)
    hidden, asked = torch.randn(5, experts.gate_up_proj.shape[2]), []
    monkeypatch.setattr("tuili.model.experts.experts", lambda hidden, *_: asked.append(1) or hidden)
    experts(hidden, index, weight)
    set_kernels(experts, fused=False, native=True)
    experts.eval()(hidden, index, weight)
    experts.train().double()(hidden.double(), index, weight.double())
    odd = layer(moe_intermediate_size=17)
    set_kernels(odd, fused=False, native=True)
    odd(hidden, index, weight)
    assert not asked
    experts.float()(hidden, index, weight)
    assert asked


def test_the_operators_are_as_torch_wants_them() -> None:
    experts, (index, weight) = layer(), chosen(layer(), 9, 4)
    hidden = torch.randn(9, experts.gate_up_proj.shape[2], requires_grad=True)
    matrices = (experts.gate_up_proj, experts.down_proj)
    torch.library.opcheck(native_ops._experts, (hidden, index, weight.requires_grad_(), *matrices))
    matrix, random = torch.randn(4, hidden.shape[1], requires_grad=True), torch.rand(9, 4)
    options = (torch.zeros(4), 2, torch.ones(4, dtype=torch.bool), random[:, :1] < 0.5, random)
    torch.library.opcheck(native_ops._route, (hidden, matrix, *options))


@pytest.mark.parametrize("allowed", [None, torch.tensor([True, True, False, True])], ids=["all", "restricted"])
@pytest.mark.parametrize("exploration", [0.0, 0.5])
@pytest.mark.parametrize("dtype", NEAR, ids=str)
@pytest.mark.parametrize("tokens", [1, 500])
def test_a_router_and_its_gradients_equal_the_twin(
    tokens: int, dtype: torch.dtype, exploration: float, allowed: Tensor | None
) -> None:
    torch.manual_seed(0)
    router, hidden = Router(tiny_config()).train(), torch.randn(tokens, 48).to(dtype)
    torch.nn.init.normal_(router.weight, std=0.3)
    router.balance_bias += torch.tensor([0.1, 0.5, -0.5, -0.1])
    router.exploration, router.allowed_E = exploration, allowed
    found = []
    for native in (False, True):
        set_kernels(router, fused=False, native=native)
        torch.manual_seed(1)
        x = hidden.clone().requires_grad_()
        made = router(x)
        of_logits, of_weights = torch.randn(tokens, 4), torch.randn(tokens, 2)
        loss = (made.logits_NE * of_logits).mean() + (made.weight_Nk.float() * of_weights).sum()
        found.append((made, torch.autograd.grad(loss, [x, router.weight])))
    (plain, wanted), (native, gradients) = found
    assert torch.equal(native.expert_Nk, plain.expert_Nk)
    torch.testing.assert_close(native.logits_NE, plain.logits_NE)
    torch.testing.assert_close(native.weight_Nk, plain.weight_Nk)
    for actual, expected in zip(gradients, wanted, strict=True):
        assert actual.dtype is expected.dtype
        assert (actual - expected).float().norm() <= NEAR[dtype] * expected.float().norm() + 1e-6


def test_where_fewer_experts_are_allowed_than_are_chosen_the_rest_weigh_nothing() -> None:
    torch.manual_seed(0)
    router = Router(tiny_config()).train()
    torch.nn.init.normal_(router.weight)
    router.allowed_E = torch.tensor([False, False, True, False])
    set_kernels(router, fused=False, native=True)
    hidden = torch.randn(5, 48, requires_grad=True)
    made = router(hidden)
    assert made.expert_Nk[:, 0].tolist() == [2] * 5
    assert made.weight_Nk.tolist() == [[1.0, 0.0]] * 5
    assert not torch.autograd.grad(made.weight_Nk[:, 1].sum(), hidden)[0].any()


def test_routers_share_their_tokens_among_threads(two_threads: None) -> None:
    torch.manual_seed(0)
    router, hidden = Router(tiny_config()).train(), torch.randn(900, 48, requires_grad=True)
    torch.nn.init.normal_(router.weight)
    set_kernels(router, fused=False, native=True)
    found = []
    for threads in (2, 1):
        torch.set_num_threads(threads)
        made = router(hidden)
        found.append([*made, *torch.autograd.grad(made.weight_Nk[:, 0].sum(), [hidden, router.weight])])
    assert all(map(torch.equal, *found))
