"""How FSDP2 gathers weights in 8 bits a number, with a scale for each 256 of them, as ZeRO++ has it (Wang et al. 2023,
arXiv 2306.10209).

Each process sends what it holds of a unit as one message. All go on with what was sent, its sender too, so that they
compute with the same bits. What is updated and saved are the shares, which stay in fp32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from tuili.native import GradientCodec

BITS: Final = 8


class PackedGather:
    """What `FSDPModule.set_custom_all_gather` takes of a unit, with fp32 tensors on the CPU."""

    def __init__(self, codec: GradientCodec) -> None:
        self._codec, self.has_gathered = codec, False
        """Whether the unit has been gathered so."""

    def allocate(self, size: Sequence[int], *, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Memory for what is gathered."""
        return torch.empty(*size, dtype=dtype, device=device)

    def __call__(
        self, output_tensor: Tensor, input_tensor: Tensor, group: dist.ProcessGroup, async_op: bool = False
    ) -> None:
        """Fill the output with the numbers of all processes, in the order of their ranks. It is done when this ends.

        The input may be a part of the output.
        """
        own = self._codec.encode(input_tensor.detach().numpy(), BITS)
        everyone = np.empty((group.size(), own.size), np.uint8)
        dist.all_gather_single(torch.from_numpy(everyone.reshape(-1)), torch.from_numpy(own), group=group)
        for message, numbers in zip(everyone, output_tensor.detach().view(group.size(), -1), strict=True):
            self._codec.decode(message, numbers.numpy())
        self.has_gathered = True
