"""How FSDP2 gathers weights in 8 bits per number, with a scale for each 256 of them, as in ZeRO++ (Wang et al. 2023,
arXiv 2306.10209).

Each process sends its shard of a unit as one message. All processes, the sender included, continue with what was sent,
so that they compute with the same bits. The shards themselves stay in fp32: they are what is updated and saved.
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
    """The all-gather of one unit for `FSDPModule.set_custom_all_gather`, with fp32 tensors on the CPU."""

    def __init__(self, codec: GradientCodec) -> None:
        self._codec, self.has_gathered = codec, False
        """Whether the unit has been gathered in this way."""

    def allocate(self, size: Sequence[int], *, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Memory for the gathered numbers."""
        return torch.empty(*size, dtype=dtype, device=device)

    def __call__(
        self, output_tensor: Tensor, input_tensor: Tensor, group: dist.ProcessGroup, async_op: bool = False
    ) -> None:
        """Fill the output with the numbers of all processes, in rank order. It is complete when this returns.

        The input may be a part of the output.
        """
        own = self._codec.encode(input_tensor.detach().numpy(), BITS)
        everyone = np.empty((group.size(), own.size), np.uint8)
        dist.all_gather_single(torch.from_numpy(everyone.reshape(-1)), torch.from_numpy(own), group=group)
        for message, numbers in zip(everyone, output_tensor.detach().view(group.size(), -1), strict=True):
            self._codec.decode(message, numbers.numpy())
        self.has_gathered = True
