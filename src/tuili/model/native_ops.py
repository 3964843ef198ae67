"""An expert layer with its router as calls of the native library, forward and backward.

Its twin in plain torch is `MixtureOfExperts`, which uses this form when it can. The layer is one plain autograd
function: dispatching a registered operator takes longer than some of the passes, and the library's calls themselves sum
the gradient of the tokens. It works in fp32, or in bf16 with fp32 weights.

Dimensions: N tokens, k choices of each token, X = N * k, E experts, D hidden size, F expert size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tuili.native import Training, Unavailable, training
from tuili.native.training import ExpertsRecord, RouteRecord

NUMBERS = (torch.float32, torch.bfloat16)


def calls() -> Training:
    """The library, with as many threads as torch uses."""
    found = training(torch.get_num_threads())
    assert not isinstance(found, Unavailable), found.reason
    return found


@dataclass(frozen=True)
class Choosing:
    """What decides a token's choices, besides its logits.

    The bias affects the choices after the first. allowed_E: None for all experts. A token that explores makes the
    choices after the first by the random numbers instead of the logits. real_N: None if all tokens are real. The
    choices of real tokens after the first are added to `load_E`.
    """

    choices: int
    bias_E: Tensor
    load_E: Tensor
    allowed_E: Tensor | None = None
    explores_N1: Tensor | None = None
    random_NE: Tensor | None = None
    real_N: Tensor | None = None


def takes_layer(hidden_ND: Tensor, router_ED: Tensor, gate_up_E2FD: Tensor, down_EDF: Tensor) -> bool:
    """Whether `mixture` can compute a layer with these tensors."""
    matrices_fp32 = router_ED.dtype is gate_up_E2FD.dtype is down_EDF.dtype is torch.float32
    even = hidden_ND.shape[1] % 2 == 0 and down_EDF.shape[2] % 2 == 0  # a row of bf16 is read in pairs
    return hidden_ND.is_cpu and hidden_ND.dtype in NUMBERS and matrices_fp32 and even


def mixture(
    hidden_ND: Tensor, router_ED: Tensor, gate_up_E2FD: Tensor, down_EDF: Tensor, choosing: Choosing
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Each token's weighted sum of its experts' outputs; the logits of all experts, the choices and their weights.

    Logits are fp32; sums and weights have the number format of the tokens.
    """
    given = (hidden_ND.contiguous(), router_ED, gate_up_E2FD, down_EDF, choosing)
    found: tuple[Tensor, Tensor, Tensor, Tensor] = _Mixture.apply(*given)
    return found


class _Mixture(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x_ND: Tensor, router_ED: Tensor, gate_up_E2FD: Tensor, down_EDF: Tensor, choosing: Choosing
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        N, E, k = len(x_ND), len(router_ED), choosing.choices
        expert_Nk, weight_Nk = x_ND.new_empty(N, k, dtype=torch.int64), x_ND.new_empty(N, k)
        logits_NE, gate_up_X2F = router_ED.new_empty(N, E), x_ND.new_empty(N * k, gate_up_E2FD.shape[1])
        out_ND, sorting = torch.empty_like(x_ND), x_ND.new_empty(E + 1 + 2 * N * k, dtype=torch.int32)
        kept = (x_ND, router_ED, gate_up_E2FD, down_EDF, logits_NE, expert_Nk, weight_Nk, gate_up_X2F, sorting)
        routing, products = _records(*kept, choosing.allowed_E)
        routing.bias, routing.load = _place(choosing.bias_E), _place(choosing.load_E)
        routing.explores, routing.random = _place(choosing.explores_N1), _place(choosing.random_NE)
        routing.real, products.out = _place(choosing.real_N), _place(out_ND)
        library = calls()
        library.run("route", routing, backward=False)
        library.run("experts", products, backward=False)
        ctx.save_for_backward(*kept, choosing.allowed_E)
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(expert_Nk)
        return out_ND, logits_NE, expert_Nk, weight_Nk

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, dout_ND: Tensor | None, dlogits_NE: Tensor | None, _: None, dweight_Nk: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        x_ND, router_ED, gate_up_E2FD, down_EDF, *_, weight_Nk, _, _, _ = saved = ctx.saved_tensors
        of_x, _, *of_matrices, _ = ctx.needs_input_grad
        routing, products = _records(*saved)
        dx_ND = dgate_up_E2FD = ddown_EDF = None
        if of_x:
            dx_ND = torch.zeros_like(x_ND) if dout_ND is None else torch.empty_like(x_ND)
        if dout_ND is not None:
            given_Nk, dweight_Nk = dweight_Nk, torch.empty_like(weight_Nk)
            if any(of_matrices):
                dgate_up_E2FD, ddown_EDF = torch.empty_like(gate_up_E2FD), torch.empty_like(down_EDF)
            products.dx, products.dgate_up, products.ddown = map(_place, (dx_ND, dgate_up_E2FD, ddown_EDF))
            products.dout, products.dweight = _place(dout_ND := dout_ND.contiguous()), _place(dweight_Nk)
            calls().run("experts", products, backward=True)
            dweight_Nk = dweight_Nk if given_Nk is None else dweight_Nk + given_Nk
        drouter_ED = torch.zeros_like(router_ED)  # the library writes nothing if there are no tokens
        dlogits_NE, dweight_Nk = (None if grad is None else grad.contiguous() for grad in (dlogits_NE, dweight_Nk))
        routing.dlogits, routing.dweight = _place(dlogits_NE), _place(dweight_Nk)
        routing.dx, routing.dmatrix = _place(dx_ND), _place(drouter_ED)
        calls().run("route", routing, backward=True)
        return dx_ND, drouter_ED, dgate_up_E2FD, ddown_EDF, None


def _place(tensor: Tensor | None) -> int | None:
    assert tensor is None or tensor.is_contiguous()
    return None if tensor is None else tensor.data_ptr()


def _records(
    x_ND: Tensor,
    router_ED: Tensor,
    gate_up_E2FD: Tensor,
    down_EDF: Tensor,
    logits_NE: Tensor,
    expert_Nk: Tensor,
    weight_Nk: Tensor,
    gate_up_X2F: Tensor,
    sorting: Tensor,
    allowed_E: Tensor | None,
) -> tuple[RouteRecord, ExpertsRecord]:
    """The records of the router's and the experts' calls, without the fields that only one direction uses."""
    N, k = expert_Nk.shape
    E, D, F = down_EDF.shape
    x, expert, weight, bf16 = _place(x_ND), _place(expert_Nk), _place(weight_Nk), x_ND.dtype is torch.bfloat16
    return RouteRecord(
        x=x, matrix=_place(router_ED), allowed=_place(allowed_E), logits=_place(logits_NE), expert=expert,
        weight=weight, tokens=N, choices=k, experts=E, hidden=D, bf16=bf16,
    ), ExpertsRecord(
        x=x, expert=expert, weight=weight, gate_up=_place(gate_up_E2FD), down=_place(down_EDF),
        gate_up_sorted=_place(gate_up_X2F), sorting=_place(sorting),
        tokens=N, choices=k, experts=E, hidden=D, size=F, bf16=bf16,
    )  # fmt: skip
