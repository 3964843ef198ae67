"""The network of an exit: a low-rank adapter, and the head that estimates how sure the exit is.

The adapter turns a state in the middle of a model into one that the model's final norm and head can read. The
confidence head reads two numbers computed from the resulting logits: the state itself adds no information to these.
`adapters` and `confidence` train both, and `tuili.store` stores them.

Dimensions: M hidden size, R rank, C channels, X common tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tuili.store import CONFIDENCE_INPUTS


def plain_norm(hidden_M: Tensor, eps: float) -> Tensor:
    """RMS norm without a gain, computed in float32."""
    wide_M = hidden_M.float()
    return wide_M * torch.rsqrt(wide_M.square().mean(-1, keepdim=True) + eps)


def confidence_inputs(logit_NX: Tensor) -> Tensor:
    """The confidence head's inputs, [N, 2]: the log-probability of the exit's likeliest token, and its logit's lead."""
    first_N, second_N = logit_NX.float().topk(2, dim=-1).values.unbind(-1)
    return torch.stack([first_N - logit_NX.float().logsumexp(-1), first_N - second_N], dim=-1)


class ExitNetwork(nn.Module):
    """One exit. Its tensors have the names used in the file: `down`, `up`, `confidence.0`, `confidence.2`."""

    def __init__(self, hidden_size: int, rank: int, channels: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.down = nn.Linear(hidden_size, rank, bias=False)
        self.up = nn.Linear(rank, hidden_size, bias=False)
        self.confidence = nn.Sequential(nn.Linear(CONFIDENCE_INPUTS, channels), nn.SiLU(), nn.Linear(channels, 1))

    def adapted(self, hidden_NM: Tensor) -> Tensor:
        """The states that the final norm reads, in float32."""
        adapted: Tensor = hidden_NM.float() + self.up(self.down(plain_norm(hidden_NM, self.eps)))
        return adapted

    def confidence_logit(self, logit_NX: Tensor) -> Tensor:
        """How sure the exit is of its token, as the logit of a probability, [N]. logit_NX: of the common tokens."""
        logit: Tensor = self.confidence(confidence_inputs(logit_NX))[..., 0]
        return logit


class Exits(nn.ModuleDict):
    """The exits of a model by depth, without full depth.

    common_X: the tokens whose logits show how sure an exit is.
    """

    def __init__(
        self, depths: Sequence[int], hidden_size: int, rank: int, channels: int, eps: float, common_X: Tensor
    ) -> None:
        super().__init__({str(depth): ExitNetwork(hidden_size, rank, channels, eps) for depth in depths})
        self.common_X = common_X

    @property
    def depths(self) -> tuple[int, ...]:
        """The depths of the exits, rising."""
        return tuple(int(name) for name in self.keys())

    def at(self, depth: int) -> ExitNetwork:
        """The exit at a depth."""
        network = self[str(depth)]
        assert isinstance(network, ExitNetwork)
        return network

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """The tensors by their names in the file."""
        return {name: tensor.detach().float().numpy() for name, tensor in self.state_dict().items()}

    def load_arrays(self, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        """Load the tensors of a file that has been checked."""
        self.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
