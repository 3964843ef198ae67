"""The size of a model, counted from the network itself; `tuili.store` counts the same from the shape only."""

from __future__ import annotations

import json
from functools import lru_cache

import torch

from tuili.model.config import TuiliConfig
from tuili.model.modeling import TuiliForCausalLM
from tuili.store import Parameters


def count_parameters(config: TuiliConfig) -> Parameters:
    """Count the parameters of a network on the meta device, which takes no memory at any size."""
    return _counted(config.to_json_string(use_diff=False))


@lru_cache(maxsize=16)  # one process checks a folder several times, and building the network is the slowest part
def _counted(document: str) -> Parameters:
    config = TuiliConfig.from_dict(json.loads(document))
    with torch.device("meta"):
        model = TuiliForCausalLM(config)
    total = sum(parameter.numel() for parameter in model.parameters())
    reasoning = sum(parameter.numel() for parameter in model.model.reasoning.parameters())
    experts = sum(parameter.numel() for parameter in model.parameters() if parameter.dim() == 3)
    idle = experts * (config.num_experts - config.num_experts_per_tok) // config.num_experts
    return Parameters(total=total, active=total - idle, active_trunk=total - reasoning)
