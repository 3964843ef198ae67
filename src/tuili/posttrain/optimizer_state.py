"""The optimizers of trainings on top of a model, and their parameters and moments as named tensors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from tuili.errors import CheckpointError
from tuili.train import Checkpoint, StackedMuon

BETAS = 0.9, 0.95
FIRST, SECOND = ("exp_avg", "momentum_buffer"), "exp_avg_sq"
"""The optimizers' names for their moments. Muon has no second one."""


def build_optimizers(
    parameters: Mapping[str, nn.Parameter], rate: float, weight_decay: float, hidden: Collection[str] = ()
) -> list[Optimizer]:
    """AdamW for parameters; if some of them are hidden matrices, Muon for these, with updates of AdamW's size."""
    matrices = [parameter for name, parameter in parameters.items() if name in hidden]
    others = [parameter for name, parameter in parameters.items() if name not in hidden]
    optimizers: list[Optimizer] = [AdamW(others, rate, BETAS, weight_decay=weight_decay)] if others else []
    return optimizers + ([StackedMuon(matrices, rate, weight_decay)] if matrices else [])


def optimizer_tensors(
    parameters: Mapping[str, Tensor], optimizers: Sequence[Optimizer]
) -> dict[str, dict[str, Tensor]]:
    """The parameters and their moments, by name, once a step has been taken."""
    states = {parameter: state for optimizer in optimizers for parameter, state in optimizer.state.items()}
    moments = {name: states[parameter] for name, parameter in parameters.items()}
    return {
        "parameters": {name: parameter.detach() for name, parameter in parameters.items()},
        "first": {name: state[key] for name, state in moments.items() for key in FIRST if key in state},
        "second": {name: state[SECOND] for name, state in moments.items() if SECOND in state},
    }


def refuse_other_shapes(parameters: Mapping[str, Tensor], kept: Mapping[str, Tensor], where: Path) -> None:
    """Raise `CheckpointError` for a parameter that a checkpoint lacks, or has in another shape."""
    for name, parameter in parameters.items():
        now, then = [*parameter.shape], [*kept[name].shape] if name in kept else "missing"
        if now != then:
            raise CheckpointError(f"{where}: {name} is {then}, and {now} in this run: begin another one")


@torch.no_grad()
def restore_optimizers(
    parameters: Mapping[str, Tensor], optimizers: Sequence[Optimizer], checkpoint: Checkpoint
) -> None:
    """Set parameters and moments to what `optimizer_tensors` returned for a checkpoint."""
    names = {parameter: name for name, parameter in parameters.items()}
    for optimizer in optimizers:
        for parameter in (parameter for group in optimizer.param_groups for parameter in group["params"]):
            name = names[parameter]
            parameter.copy_(checkpoint.tensors["parameters"][name])
            first = checkpoint.tensors["first"][name].to(parameter.device)
            if isinstance(optimizer, AdamW):
                second = checkpoint.tensors["second"][name].to(parameter.device)
                step = torch.tensor(float(checkpoint.step))
                optimizer.state[parameter] = {"step": step, "exp_avg": first, "exp_avg_sq": second}
            else:
                optimizer.state[parameter] = {"momentum_buffer": first}
