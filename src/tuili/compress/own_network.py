"""A model of Tuili's own kind as a learner or teacher: how it is read at each of its exits.

Dimensions: N learnt tokens.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from tuili.compress.network import TokenStates
from tuili.data import Block
from tuili.model import TuiliForCausalLM, set_kernels
from tuili.train import ExecutionPlan, router_losses, walk_exits

ROUTER_Z = 1e-4
"""Weight of the router z-loss, as in a training."""


class OwnNetwork:
    """A model with exits. Tokens leave at each in these shares; a model that learns does so at all exits.

    domain_prior: the weight of the loss that guides tokens to the expert of their domain.
    """

    def __init__(
        self, model: TuiliForCausalLM, plan: ExecutionPlan, shares: Sequence[float], seed: int, learns: bool,
        domain_prior: float = 0.0,
    ) -> None:  # fmt: skip
        self.model, self._plan, self._seed, self._learns = model, plan, seed, learns
        self._beyond = [sum(shares[exit + 1 :]) for exit in range(len(shares) - 1)]
        self._domain_prior = domain_prior
        nn.Module.to(model, plan.device)  # transformers' own `to` has another type
        set_kernels(model, fused=False, native=plan.kernels == "native")
        model.train().requires_grad_(learns)  # teachers too, because they use the training kernels
        for router in model.routers():
            router.exploration = 0.0  # exploration would hide what the parent does
        self.parameters: Mapping[str, nn.Parameter] = dict(model.named_parameters()) if learns else {}
        """The trained parameters, by name."""

    def read(self, block: Block, step: int) -> TokenStates:
        """See `Network`."""
        seed = random.Random(f"exits/{self._seed}/{step}").getrandbits(32)
        generator = torch.Generator(self._plan.device).manual_seed(seed)
        with self._plan.autocast():
            walk = walk_exits(self.model, block.to(self._plan.device), self._beyond, generator)
            order_N = walk.place_N.argsort()  # the same token order even for models with other exits
            hidden_NM = self.model.model.norm(walk.hidden_NM[order_N])
            penalty: Tensor | float = 0.0
            if self._learns:
                z_loss, domain_loss = router_losses(walk)
                penalty = ROUTER_Z * z_loss + self._domain_prior * domain_loss
        head = self.model.lm_head
        rounded = None if head.rounding is None else head
        return TokenStates(hidden_NM, cast(Tensor, head.weight), walk.target_N[order_N], penalty, rounded)

    def take_gradients(self) -> None:
        """See `Network`: a parameter that no token has used gets a gradient of zero."""
        for parameter in self.parameters.values():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)

    def follow(self, scale: float) -> None:
        """See `Network`."""
        self.model.after_step(scale)

    def tensors(self) -> Mapping[str, Tensor]:
        """See `Network`."""
        return self.model.state_dict()

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """See `Network`."""
        self.model.load_state_dict(dict(tensors))
