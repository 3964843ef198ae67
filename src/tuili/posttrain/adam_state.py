"""What AdamW has made of parameters so far, as named tensors: for checkpoints of trainings on top of a model."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.optim import AdamW

from tuili.train import Checkpoint


def adam_tensors(parameters: Mapping[str, Tensor], optimizer: AdamW) -> dict[str, dict[str, Tensor]]:
    """The parameters and the two moments of each, by name, once a step has been taken."""
    states = {name: optimizer.state[parameter] for name, parameter in parameters.items()}
    return {
        "parameters": {name: parameter.detach() for name, parameter in parameters.items()},
        "first": {name: state["exp_avg"] for name, state in states.items()},
        "second": {name: state["exp_avg_sq"] for name, state in states.items()},
    }


@torch.no_grad()
def restore_adam(parameters: Mapping[str, Tensor], optimizer: AdamW, checkpoint: Checkpoint) -> None:
    """Set parameters and moments to what `adam_tensors` gave for a checkpoint."""
    for name, parameter in parameters.items():
        parameter.copy_(checkpoint.tensors["parameters"][name])
        optimizer.state[parameter] = {
            "step": torch.tensor(float(checkpoint.step)),
            "exp_avg": checkpoint.tensors["first"][name].to(parameter.device),
            "exp_avg_sq": checkpoint.tensors["second"][name].to(parameter.device),
        }
