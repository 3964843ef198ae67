"""How large a model is: all its parameters, and those that one token actually uses."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tuili.model.config import TuiliConfig
from tuili.model.modeling import TuiliForCausalLM


@dataclass(frozen=True)
class Parameters:
    """Numbers of parameters; a matrix that is used twice counts once, such as the input embedding, which is the head.

    total: all. active: those that a token uses at full depth. active_trunk: those that it uses where it exits after the
    trunk.
    """

    total: int
    active: int
    active_trunk: int


def count_parameters(config: TuiliConfig) -> Parameters:
    """Count the parameters of a network on the meta device, which takes no memory, whatever the size."""
    with torch.device("meta"):
        model = TuiliForCausalLM(config)
    total = sum(parameter.numel() for parameter in model.parameters())
    reasoning = sum(parameter.numel() for parameter in model.model.reasoning.parameters())
    experts = sum(p.numel() for name, p in model.named_parameters() if ".experts." in name)
    idle = experts * (config.num_experts - config.num_experts_per_tok) // config.num_experts
    return Parameters(total=total, active=total - idle, active_trunk=total - reasoning)
