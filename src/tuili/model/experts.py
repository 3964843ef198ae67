"""Domain experts: a router that sends each token to two of the experts, and the experts as 3-D tensors.

A token's first choice is the expert with the best score. Its second choice is the expert with the largest logit plus
bias. After each step, the bias moves so that second choices spread the load equally (loss-free balancing, Wang et al.
2024, arXiv 2408.15664). Balancing therefore never pulls a token away from its domain's expert, and can reach its goal
for any mixture of domains. The bias is added to logits, because scores near 0 differ by less than one step of the bias.
Auxiliary losses are part of the training objective.

Dimensions: N tokens, E experts, k choices of each token, D hidden size, F expert size.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.integrations import use_experts_implementation

from tuili.model.config import TuiliConfig
from tuili.model.fake_quantization import Roundable, rounded_products
from tuili.model.grouped import Sorting, grouped_linear, sort_rows, sum_choices
from tuili.model.kernels import Fusable, gated_silu, output_dtype, weighted_gated_silu
from tuili.model.native_ops import Choosing, mixture, takes_layer


@dataclass
class Routing:
    """The number of tokens that chose each expert first, and that chose it at all. Filled during a recording."""

    first_E: Tensor
    all_E: Tensor


class Route(NamedTuple):
    """The output of a router: logits, the chosen experts and their weights."""

    logits_NE: Tensor
    expert_Nk: Tensor
    weight_Nk: Tensor


class Router(nn.Module):
    """Scores experts by a sigmoid in fp32. The scores of the chosen experts, divided by their sum, are the weights."""

    balance_bias: Tensor
    load: Tensor

    def __init__(self, config: TuiliConfig) -> None:
        super().__init__()
        self.top_k, self.exploration = config.num_experts_per_tok, config.router_exploration
        self.weight = nn.Parameter(torch.empty(config.num_experts, config.hidden_size))
        self.register_buffer("balance_bias", torch.zeros(config.num_experts))
        self.register_buffer("load", torch.zeros(config.num_experts, dtype=torch.long), persistent=False)
        self.allowed_E: Tensor | None = None
        self.recording: Routing | None = None

    def forward(self, hidden_ND: Tensor, real_N: Tensor | None = None) -> Route:
        """Chooses the experts of each token. `real_N` is False for fillers, which do not count towards the load."""
        chosen = self._choose(hidden_ND)
        if self.training:
            self.load += self._count(chosen.expert_Nk[:, 1:], real_N)
        self.record(chosen.expert_Nk, real_N)
        return chosen

    def explorers(self, hidden_ND: Tensor) -> tuple[Tensor, Tensor] | tuple[None, None]:
        """Which tokens explore [N, 1], and the random numbers that decide their choices [N, E]."""
        if not self.training or self.exploration <= 0:
            return None, None
        explores_N1 = torch.rand(len(hidden_ND), 1, device=hidden_ND.device) < self.exploration
        return explores_N1, torch.rand(len(hidden_ND), len(self.weight), device=hidden_ND.device)

    def _choose(self, hidden_ND: Tensor) -> Route:
        with torch.autocast(hidden_ND.device.type, enabled=False):
            logits_NE = F.linear(hidden_ND.float(), self.weight.float())
        score_NE = logits_NE.sigmoid()
        choice_NE = logits_NE.detach()
        if self.allowed_E is not None:
            choice_NE = choice_NE.masked_fill(~self.allowed_E, float("-inf"))
        first_N1 = choice_NE.argmax(-1, keepdim=True)
        rest_NE = choice_NE + self.balance_bias
        explores_N1, random_NE = self.explorers(hidden_ND)
        if explores_N1 is not None and random_NE is not None:
            rest_NE = torch.where(explores_N1 & rest_NE.isfinite(), random_NE, rest_NE)
        rest_NE = rest_NE.scatter(1, first_N1, float("-inf"))
        rest = rest_NE.topk(self.top_k - 1, dim=-1)
        expert_Nk = torch.cat([first_N1, rest.indices], dim=1)
        weight_Nk = score_NE.gather(1, expert_Nk)
        if self.allowed_E is not None:  # forbidden experts, chosen if too few are allowed, get weight 0
            weight_Nk[:, 1:] = weight_Nk[:, 1:] * rest.values.isfinite()
        weight_Nk = weight_Nk / weight_Nk.sum(-1, keepdim=True).clamp(min=1e-9)
        return Route(logits_NE, expert_Nk, weight_Nk.to(hidden_ND.dtype))

    @torch.no_grad()
    def _count(self, expert_Nk: Tensor, real_N: Tensor | None) -> Tensor:
        """The number of choices that each expert got from real tokens."""
        real_Nk = expert_Nk if real_N is None else expert_Nk[real_N]
        return torch.bincount(real_Nk.flatten(), minlength=len(self.weight))

    def record(self, expert_Nk: Tensor, real_N: Tensor | None) -> None:
        """Counts the choices of real tokens during a recording."""
        if self.recording is not None:
            self.recording.first_E += self._count(expert_Nk[:, :1], real_N)
            self.recording.all_E += self._count(expert_Nk, real_N)

    @torch.no_grad()
    def balance(self, rate: float) -> None:
        """Moves the bias of the second choice one step of size `rate` towards equal load, and resets the load."""
        load_E = self.load.float()
        self.move_bias(rate * (load_E.mean() - load_E).sign())
        self.load.zero_()

    @torch.no_grad()
    def move_bias(self, by_E: Tensor) -> None:
        """Adds to the bias of the second choice."""
        self.balance_bias += by_E
        self.balance_bias -= self.balance_bias.mean()  # a common offset changes no choice


def route_tokens(hidden_ND: Tensor, weight_ED: Tensor, balance_bias_E: Tensor, top_k: int) -> tuple[Tensor, Tensor]:
    """The chosen experts of each token and their weights [N, k], given the weight and the bias of a router.

    The fast form of `Router` for inference with all experts allowed: for a few tokens it takes fewer operations. It
    chooses the same experts, except perhaps among equal logits. The weights agree up to the rounding of a sigmoid.
    """
    logit_NE = F.linear(hidden_ND.float(), weight_ED.float())
    choices, rest_NE = [logit_NE.argmax(-1, keepdim=True)], logit_NE + balance_bias_E
    for _ in range(top_k - 1):
        rest_NE = rest_NE.scatter(1, choices[-1], float("-inf"))
        choices.append(rest_NE.argmax(-1, keepdim=True))
    expert_Nk = torch.cat(choices, dim=1)
    weight_Nk = logit_NE.gather(1, expert_Nk).sigmoid_()
    weight_Nk /= weight_Nk.sum(-1, keepdim=True).clamp_(min=1e-9)
    return expert_Nk, weight_Nk.to(hidden_ND.dtype)


@use_experts_implementation
class Experts(Roundable, Fusable):
    """E gated feed-forward networks, stored as `gate_up_proj` [E, 2F, D] and `down_proj` [E, D, F]."""

    def __init__(self, config: TuiliConfig) -> None:
        super().__init__()
        self.num_experts = config.num_experts
        size, hidden = config.moe_intermediate_size, config.hidden_size
        self.gate_up_proj = nn.Parameter(torch.empty(self.num_experts, 2 * size, hidden))
        self.down_proj = nn.Parameter(torch.empty(self.num_experts, hidden, size))
        self.act_fn = nn.SiLU()  # read by transformers' implementations of experts

    def forward(self, hidden_states: Tensor, top_k_index: Tensor, top_k_weights: Tensor) -> Tensor:
        """Sorts the tokens by expert and runs each expert over its own contiguous slice.

        Args: hidden_states [N, D], top_k_index [N, k], top_k_weights [N, k]. Returns [N, D].
        """
        if len(hidden_states) == 1 and self.rounding is None:
            return self._one_token(hidden_states, top_k_index, top_k_weights)
        sorting = Sorting.by_group(top_k_index, self.num_experts)
        inputs_YD = sort_rows(hidden_states.to(output_dtype(hidden_states)), sorting)
        gate_up_YF = self._products(inputs_YD, self.gate_up_proj, sorting.sizes)
        # A filler has weight 0, so neither its output nor its gradient counts.
        weight_Y1 = sorting.sort(top_k_weights)[:, None]
        active_YF = self.kernel(weighted_gated_silu)(gate_up_YF, weight_Y1)
        return sum_choices(self._products(active_YF, self.down_proj, sorting.sizes), sorting)

    def _products(self, input_YI: Tensor, weight_EOI: Tensor, sizes: list[int]) -> Tensor:
        if self.rounding is None:
            return grouped_linear(input_YI, weight_EOI, sizes)
        inputs = weight_EOI.shape[-1]
        rounding = self.rounding.bits(inputs), self.rounding.mixing(inputs)
        return rounded_products(input_YI, weight_EOI, sizes, *rounding)

    def _one_token(self, hidden_1D: Tensor, index_1k: Tensor, weight_1k: Tensor) -> Tensor:
        """The experts of a single token, without sorting."""
        outputs = []
        for expert, weight in zip(index_1k[0].tolist(), weight_1k[0], strict=True):
            active_1F = gated_silu(F.linear(hidden_1D, self.gate_up_proj[expert])) * weight
            outputs.append(F.linear(active_1F, self.down_proj[expert]))
        return torch.stack(outputs).sum(0)


class MixtureOfExperts(Fusable):
    """A router and its experts. Also returns the route, for the auxiliary losses of a training objective."""

    def __init__(self, config: TuiliConfig) -> None:
        super().__init__()
        self.router = Router(config)
        self.experts = Experts(config)

    def forward(self, hidden_BTD: Tensor, real_BT: Tensor | None = None) -> tuple[Tensor, Route]:
        hidden_ND = hidden_BTD.flatten(0, -2)
        real_N = None if real_BT is None else real_BT.flatten().contiguous()
        by_library = self.native and isinstance(self.experts, Experts) and self.experts.rounding is None
        if by_library and takes_layer(hidden_ND := hidden_ND.to(output_dtype(hidden_ND)), *self._matrices()):
            output_ND, route = self._by_library(hidden_ND, real_N)
        else:
            route = self.router(hidden_ND, real_N)
            output_ND = self.experts(hidden_ND, route.expert_Nk, route.weight_Nk)
        return output_ND.view_as(hidden_BTD), route

    def _matrices(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.router.weight, self.experts.gate_up_proj, self.experts.down_proj

    def _by_library(self, hidden_ND: Tensor, real_N: Tensor | None) -> tuple[Tensor, Route]:
        router = self.router
        options = (router.allowed_E, *router.explorers(hidden_ND), real_N)
        choosing = Choosing(router.top_k, router.balance_bias, router.load, *options)
        output_ND, *route = mixture(hidden_ND, *self._matrices(), choosing)
        router.record(route[1], real_N)
        return output_ND, Route(*route)


@dataclass
class RoutingRecord:
    """The number of tokens that chose each expert in each reasoning layer during a recording."""

    layers: list[Routing] = field(default_factory=list)


@contextmanager
def record_routing(routers: list[Router]) -> Iterator[RoutingRecord]:
    """Counts how many tokens each router sends to each expert while the `with` block runs."""
    record = RoutingRecord()
    for router in routers:
        zeros_E = torch.zeros(router.weight.shape[0], dtype=torch.long, device=router.weight.device)
        router.recording = Routing(zeros_E.clone(), zeros_E.clone())
        record.layers.append(router.recording)
    try:
        yield record
    finally:
        for router in routers:
            router.recording = None
