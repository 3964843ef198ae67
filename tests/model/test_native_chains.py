"""Chains of small operations by the native library equal their twins in plain torch, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.harness.tiny import tiny_model
from tuili.model import kernels, native_chains, set_kernels
from tuili.model.rotary import rotary
from tuili.native import Unavailable, load

pytestmark = pytest.mark.skipif(isinstance(load(), Unavailable), reason="there is no native library")

both_formats = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 1e-2}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def results(function: Callable[..., Any], *inputs: Any) -> list[Tensor]:
    """What a function gives, and the gradients of its inputs for a random gradient of its first result."""
    own = [x.detach().clone().requires_grad_() if torch.is_tensor(x) and x.is_floating_point() else x for x in inputs]
    given = function(*own)
    every = list(given) if isinstance(given, tuple) else [given]
    every[0].backward(torch.randn(every[0].shape, generator=torch.Generator().manual_seed(1)).to(every[0].dtype))
    return [*(one.detach() for one in every), *(x.grad for x in own if torch.is_tensor(x) and x.grad is not None)]


def check(name: str, dtype: torch.dtype, *inputs: Any) -> None:
    expected, got = (results(getattr(module, name), *inputs) for module in (kernels, native_chains))
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        distance = (one.float() - other.float()).norm() / other.float().norm().clamp(min=1e-6)
        assert distance < TOLERANCE[dtype], name


def draw(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)


@both_formats
@pytest.mark.parametrize("shape", [(2, 5, 192), (1, 7), (130, 33), (3, 1, 16)])
def test_a_norm(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    for of_x in (torch.float32, torch.bfloat16):
        check("rms_norm", dtype, draw(*shape, dtype=of_x), 1 + 0.1 * draw(shape[-1]), 1e-6, dtype)


@both_formats
@pytest.mark.parametrize("shape", [(2, 40, 3, 32), (1, 3, 1, 8), (2, 3, 2, 72)])
def test_a_norm_of_heads_that_are_turned(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    B, T, _, D = shape
    cos_BTD, sin_BTD = rotary(torch.arange(B * T).view(B, T), D, 100.0)

    def turned(function: Callable[..., Tensor]) -> list[Tensor]:
        return results(
            lambda x, gain: function(x, gain, cos_BTD, sin_BTD, 1e-6), draw(*shape, dtype=dtype), 1 + draw(D)
        )

    for got, expected in zip(*map(turned, (native_chains.norm_and_rotate, kernels.norm_and_rotate)), strict=True):
        assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
        assert (got.float() - expected.float()).norm() < TOLERANCE[dtype] * expected.float().norm()


@both_formats
@pytest.mark.parametrize("shape", [(2, 9, 512), (5, 22)])
def test_a_gated_unit(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    check("gated_silu", dtype, draw(*shape, dtype=dtype))


@pytest.mark.parametrize(("rows", "tokens", "hidden"), [(2, 70, 48), (1, 3, 7), (3, 1, 16)])
def test_a_short_convolution(rows: int, tokens: int, hidden: int) -> None:
    reach_BT = torch.arange(tokens).repeat(rows, 1) % 5  # documents of five tokens
    check("convolve", torch.float32, draw(rows, tokens, hidden), draw(3, hidden), reach_BT)


@pytest.mark.parametrize(("tokens", "distances"), [(9, 0), (0, 3)])
def test_a_convolution_over_nothing_changes_nothing(tokens: int, distances: int) -> None:
    embeds_BTM, weight_WM = draw(1, tokens, 16).requires_grad_(), draw(distances, 16).requires_grad_()
    convolved_BTM = native_chains.convolve(embeds_BTM, weight_WM, torch.arange(tokens)[None])
    convolved_BTM.sum().backward()
    assert torch.equal(convolved_BTM, embeds_BTM)
    assert torch.equal(embeds_BTM.grad, torch.ones_like(embeds_BTM))
    assert weight_WM.grad is not None and not weight_WM.grad.any()


def test_a_format_that_the_library_does_not_write_is_refused() -> None:
    """It would write beyond the end of the result."""
    with pytest.raises(AssertionError):
        native_chains.rms_norm(draw(2, 8), torch.ones(8), 1e-6, torch.float16)


@both_formats
@pytest.mark.parametrize("vocabulary", [5, 64, 203])
def test_the_loss_of_tokens(dtype: torch.dtype, vocabulary: int) -> None:
    logits_NV = 3 * draw(90, vocabulary, dtype=dtype)
    target_N = torch.where(torch.arange(90) % 2 > 0, logits_NV.argmax(-1), torch.arange(90) % vocabulary)
    check("token_loss", dtype, logits_NV, target_N)


def test_of_equal_logits_the_first_counts_as_the_largest() -> None:
    logits_NV = torch.tensor([[1.0, 2, 2, 0], [1, 2, 2, 0]])
    assert native_chains.token_loss(logits_NV, torch.tensor([1, 2]))[1].tolist() == [1, 0]


def test_results_are_the_same_bits_for_any_number_of_threads() -> None:
    x, gain = draw(200, 48), draw(48)
    of_threads = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        of_threads.append(results(native_chains.rms_norm, x, gain, 1e-6, torch.bfloat16))
    assert all(map(torch.equal, *of_threads))


def test_a_module_that_trains_by_the_library_takes_them() -> None:
    model, _ = tiny_model()
    set_kernels(model, fused=True, native=True)
    norm = model.train().model.norm
    assert norm.kernel(kernels.rms_norm) is native_chains.rms_norm
    assert norm.kernel(kernels.weighted_gated_silu) is not kernels.weighted_gated_silu  # compiled
    assert norm.eval().kernel(kernels.rms_norm) is kernels.rms_norm
