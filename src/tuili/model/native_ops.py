"""Parts of a training step as calls of the native library: torch operators with gradients.

Each has a twin in plain torch, which its caller takes where the library or a number format is not to be had. Operators
work in fp32, or in bf16 with fp32 weights.

Dimensions: N tokens, k choices of each token, X = N * k, E experts, D hidden size, F expert size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tuili.native import Training, Unavailable, training
from tuili.native.training import ExpertsRecord, RouteRecord

NUMBERS = (torch.float32, torch.bfloat16)


def calls() -> Training:
    """The library with as many threads as torch has."""
    found = training(torch.get_num_threads())
    assert not isinstance(found, Unavailable), found.reason
    return found


def takes_experts(hidden_ND: Tensor, gate_up_E2FD: Tensor, down_EDF: Tensor) -> bool:
    """Whether `experts` can stand for the products of these tensors."""
    weights_fp32 = gate_up_E2FD.dtype is down_EDF.dtype is torch.float32
    even = hidden_ND.shape[1] % 2 == 0 and down_EDF.shape[2] % 2 == 0  # a row of bf16 is read in pairs
    return hidden_ND.is_cpu and hidden_ND.dtype in NUMBERS and weights_fp32 and even


def experts(hidden_ND: Tensor, expert_Nk: Tensor, weight_Nk: Tensor, gate_up_E2FD: Tensor, down_EDF: Tensor) -> Tensor:
    """Each token's weighted sum of its experts, in the number format of the tokens."""
    tensors = (hidden_ND, expert_Nk, weight_Nk.to(hidden_ND.dtype), gate_up_E2FD, down_EDF)
    out_ND: Tensor = _experts(*(tensor.contiguous() for tensor in tensors))[0]
    return out_ND


@torch.library.custom_op("tuili::experts", mutates_args=(), device_types="cpu")
def _experts(
    x_ND: Tensor, expert_Nk: Tensor, weight_Nk: Tensor, gate_up_E2FD: Tensor, down_EDF: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gives also what backward needs: the gates and inputs of each sorted pair, and the order of the pairs."""
    out_ND, gate_up_X2F, sorting = _experts_results(x_ND, expert_Nk, weight_Nk, gate_up_E2FD, down_EDF)
    record = _record(x_ND, expert_Nk, weight_Nk, gate_up_E2FD, down_EDF, gate_up_X2F, sorting)
    record.out = out_ND.data_ptr()
    calls().run("experts", record, backward=False)
    return out_ND, gate_up_X2F, sorting


@_experts.register_fake
def _experts_results(
    x_ND: Tensor, expert_Nk: Tensor, weight_Nk: Tensor, gate_up_E2FD: Tensor, down_EDF: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    X, E = expert_Nk.numel(), len(down_EDF)
    sorting = expert_Nk.new_empty(E + 1 + 2 * X, dtype=torch.int32)
    return torch.empty_like(x_ND), x_ND.new_empty(X, gate_up_E2FD.shape[1]), sorting


@torch.library.custom_op("tuili::experts_backward", mutates_args=(), device_types="cpu")
def _experts_backward(
    dout_ND: Tensor,
    x_ND: Tensor,
    expert_Nk: Tensor,
    weight_Nk: Tensor,
    gate_up_E2FD: Tensor,
    down_EDF: Tensor,
    gate_up_X2F: Tensor,
    sorting: Tensor,
    wants: list[bool],
) -> list[Tensor]:
    """The gradients of tokens, weights of choices, and both matrices; empty where they are not wanted."""
    tensors = (x_ND, expert_Nk, weight_Nk, gate_up_E2FD, down_EDF, gate_up_X2F, sorting)
    gradients: list[Tensor] = _gradients(dout_ND, *tensors, wants)
    record = _record(*tensors)
    record.dout = dout_ND.data_ptr()
    record.dx, record.dweight, record.dgate_up, record.ddown = (grad.data_ptr() or None for grad in gradients)
    calls().run("experts", record, backward=True)
    return gradients


@_experts_backward.register_fake
def _gradients(
    dout_ND: Tensor,
    x_ND: Tensor,
    expert_Nk: Tensor,
    weight_Nk: Tensor,
    gate_up_E2FD: Tensor,
    down_EDF: Tensor,
    gate_up_X2F: Tensor,
    sorting: Tensor,
    wants: list[bool],
) -> list[Tensor]:
    of = (x_ND, weight_Nk, gate_up_E2FD, down_EDF)
    return [torch.empty_like(t) if wanted else t.new_empty(0) for t, wanted in zip(of, wants, strict=True)]


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*inputs, *output[1:])


def _differentiate(ctx: Any, dout_ND: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    if dout_ND is None:
        return (None,) * 5
    of_x, _, of_weight, *of_matrices = ctx.needs_input_grad
    wants = [of_x, of_weight, any(of_matrices), any(of_matrices)]
    found = _experts_backward(dout_ND.contiguous(), *ctx.saved_tensors, wants)
    dx, dweight, dgate_up, ddown = (grad if wanted else None for grad, wanted in zip(found, wants, strict=True))
    return dx, None, dweight, dgate_up, ddown


_experts.register_autograd(_differentiate, setup_context=_keep)


def _record(
    x_ND: Tensor,
    expert_Nk: Tensor,
    weight_Nk: Tensor,
    gate_up_E2FD: Tensor,
    down_EDF: Tensor,
    gate_up_X2F: Tensor,
    sorting: Tensor,
) -> ExpertsRecord:
    """A call without its results."""
    places = (x_ND, expert_Nk, weight_Nk, gate_up_E2FD, down_EDF)
    assert all(tensor.is_contiguous() for tensor in places)
    assert expert_Nk.dtype is torch.int64
    N, k = expert_Nk.shape
    E, D, F = down_EDF.shape
    return ExpertsRecord(
        *(tensor.data_ptr() for tensor in places), gate_up_sorted=gate_up_X2F.data_ptr(), sorting=sorting.data_ptr(),
        tokens=N, choices=k, experts=E, hidden=D, size=F, bf16=x_ND.dtype is torch.bfloat16,
    )  # fmt: skip


def takes_route(hidden_ND: Tensor, matrix_ED: Tensor) -> bool:
    """Whether `route` can stand for a router with these tensors."""
    return hidden_ND.is_cpu and hidden_ND.dtype in NUMBERS and matrix_ED.dtype is torch.float32


def route(
    hidden_ND: Tensor,
    matrix_ED: Tensor,
    bias_E: Tensor,
    choices: int,
    allowed_E: Tensor | None,
    explores_N: Tensor | None,
    random_NE: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """The logits of all experts, the choices of each token and their weights, in the number format of the tokens.

    A token that explores takes its choices behind the first by the random numbers in place of the logits.
    """
    options = (allowed_E, explores_N, random_NE)
    logits_NE, expert_Nk, weight_Nk = _route(hidden_ND.contiguous(), matrix_ED, bias_E, choices, *options)
    return logits_NE, expert_Nk, weight_Nk


@torch.library.custom_op("tuili::route", mutates_args=(), device_types="cpu")
def _route(
    x_ND: Tensor,
    matrix_ED: Tensor,
    bias_E: Tensor,
    choices: int,
    allowed_E: Tensor | None,
    explores_N: Tensor | None,
    random_NE: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    results: tuple[Tensor, Tensor, Tensor]
    results = _route_results(x_ND, matrix_ED, bias_E, choices, allowed_E, explores_N, random_NE)
    record = _route_record(x_ND, matrix_ED, *results, allowed_E)
    record.bias, record.explores, record.random = map(_place, (bias_E, explores_N, random_NE))
    calls().run("route", record, backward=False)
    return results


@_route.register_fake
def _route_results(
    x_ND: Tensor,
    matrix_ED: Tensor,
    bias_E: Tensor,
    choices: int,
    allowed_E: Tensor | None,
    explores_N: Tensor | None,
    random_NE: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    N = len(x_ND)
    expert_Nk = x_ND.new_empty(N, choices, dtype=torch.int64)
    return matrix_ED.new_empty(N, len(matrix_ED)), expert_Nk, x_ND.new_empty(N, choices)


@torch.library.custom_op("tuili::route_backward", mutates_args=(), device_types="cpu")
def _route_backward(
    dlogits_NE: Tensor | None,
    dweight_Nk: Tensor | None,
    x_ND: Tensor,
    matrix_ED: Tensor,
    logits_NE: Tensor,
    expert_Nk: Tensor,
    weight_Nk: Tensor,
    allowed_E: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """The gradients of tokens and of the router's matrix."""
    dx_ND, dmatrix_ED = torch.empty_like(x_ND), torch.empty_like(matrix_ED)
    record = _route_record(x_ND, matrix_ED, logits_NE, expert_Nk, weight_Nk, allowed_E)
    record.dlogits, record.dweight, record.dx, record.dmatrix = map(_place, (dlogits_NE, dweight_Nk, dx_ND, dmatrix_ED))
    calls().run("route", record, backward=True)
    return dx_ND, dmatrix_ED


@_route_backward.register_fake
def _(dlogits_NE: Any, dweight_Nk: Any, x_ND: Tensor, matrix_ED: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x_ND), torch.empty_like(matrix_ED)


def _keep_route(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(output[1])
    x_ND, matrix_ED, _, _, allowed_E, _, _ = inputs
    ctx.save_for_backward(x_ND, matrix_ED, *output, allowed_E)


def _differentiate_route(ctx: Any, dlogits_NE: Tensor | None, _: None, dweight_Nk: Tensor | None) -> tuple[Any, ...]:
    if dlogits_NE is None and dweight_Nk is None:
        return (None,) * 7
    given = (None if grad is None else grad.contiguous() for grad in (dlogits_NE, dweight_Nk))
    return *_route_backward(*given, *ctx.saved_tensors), *(None,) * 5


_route.register_autograd(_differentiate_route, setup_context=_keep_route)


def _place(tensor: Tensor | None) -> int | None:
    assert tensor is None or tensor.is_contiguous()
    return None if tensor is None else tensor.data_ptr()


def _route_record(
    x_ND: Tensor,
    matrix_ED: Tensor,
    logits_NE: Tensor,
    expert_Nk: Tensor,
    weight_Nk: Tensor,
    allowed_E: Tensor | None,
) -> RouteRecord:
    """A call without its inputs and results of one direction."""
    (N, D), E = x_ND.shape, len(matrix_ED)
    return RouteRecord(
        x=_place(x_ND), matrix=_place(matrix_ED), allowed=_place(allowed_E), logits=_place(logits_NE),
        expert=_place(expert_Nk), weight=_place(weight_Nk),
        tokens=N, choices=expert_Nk.shape[1], experts=E, hidden=D, bf16=x_ND.dtype is torch.bfloat16,
    )  # fmt: skip
