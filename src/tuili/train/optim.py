"""The optimizers of a run, behind one step and one set of named state tensors.

With `adamw`, AdamW updates all parameters. With `muon`, Muon updates the matrices of the hidden linear layers, and
AdamW the rest: the embedding, the head, the routers, the 3-D experts and all vectors. The rate over time is left to
`schedule`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer

from tuili.config import Config

Beta = Annotated[float, Field(ge=0, lt=1)]


class OptimizerConfig(Config):
    """AdamW for all parameters, or Muon for the hidden matrices and AdamW for the rest."""

    kind: Literal["adamw", "muon"] = "adamw"
    learning_rate: PositiveFloat = 3e-3
    """Peak rate. Muon's updates are scaled to AdamW's size, so that both use the same."""
    betas: tuple[Beta, Beta] = (0.9, 0.95)
    weight_decay: NonNegativeFloat = 0.1
    """Weight decay of matrices; vectors (norms, biases) have none."""


class Optimizers:
    """One or two torch optimizers over the named parameters of a model.

    Muon: Jordan et al. 2024; scaled to AdamW's update size as in Liu et al. 2025, arXiv 2502.16982.
    """

    def __init__(self, config: OptimizerConfig, model: nn.Module) -> None:
        named = dict(model.named_parameters())
        matrices = _hidden_matrices(model) if config.kind == "muon" else set()
        hidden = {name for name, parameter in named.items() if id(parameter) in matrices}
        rest = named.keys() - hidden
        decayed = [name for name in named if name in rest and named[name].ndim >= 2]
        free = [name for name in named if name in rest and named[name].ndim < 2]
        self._rate = config.learning_rate
        self._optimizers: list[tuple[Optimizer, list[str]]] = [
            (
                AdamW(
                    [
                        {"params": [named[name] for name in decayed], "weight_decay": config.weight_decay},
                        {"params": [named[name] for name in free], "weight_decay": 0.0},
                    ],
                    lr=config.learning_rate,
                    betas=config.betas,
                    fused=True,
                ),
                decayed + free,
            )
        ]
        if hidden:
            names = [name for name in named if name in hidden]
            muon = Muon(
                [named[name] for name in names],
                lr=config.learning_rate,
                weight_decay=config.weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
            self._optimizers.append((muon, names))

    def step(self, scale: float) -> None:
        """One update with the learning rate at `scale` of its peak; clears the gradients."""
        for optimizer, _ in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self._rate * scale
            optimizer.step()
            optimizer.zero_grad()

    def tensors(self) -> dict[str, Tensor]:
        """The state as `parameter:quantity`, for parameters that have had a gradient."""
        return {
            f"{name}:{quantity}": value
            for optimizer, names in self._optimizers
            for name, parameter in zip(names, _parameters(optimizer), strict=True)
            for quantity, value in optimizer.state.get(parameter, {}).items()
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from a state that `tensors` gave for the same model and configuration."""
        by_name: dict[str, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            name, _, quantity = key.rpartition(":")
            by_name.setdefault(name, {})[quantity] = value
        for optimizer, names in self._optimizers:
            state = {index: by_name[name] for index, name in enumerate(names) if name in by_name}
            optimizer.load_state_dict(optimizer.state_dict() | {"state": state})


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _hidden_matrices(model: nn.Module) -> set[int]:
    """Identities of the weights of linear layers, without those of the head and of embeddings tied to it."""
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    output = getattr(model, "get_output_embeddings", lambda: None)()
    if isinstance(output, nn.Linear):
        tables.add(id(output.weight))
    return {id(module.weight) for module in model.modules() if isinstance(module, nn.Linear)} - tables
