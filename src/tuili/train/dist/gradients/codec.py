"""The mean of gradients over processes that send them in a few bits: an all-reduce of packed bytes.

Each process owns one part of a tensor. It receives that part from all processes as messages (all-to-all), averages
their contents, encodes the mean, and sends that to all (all-gather). Every process, the owner included, continues with
what was sent, so that all have the same bits. What rounding loses, both times, goes into a moving average that is added
the next time: LoCo (Xie et al. 2024, arXiv 2407.04480). How gradients are encoded is left to `native/codec.py`, and
calling this to `hooks.py`.

N: numbers of a tensor, P: those of a part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from tuili.errors import InputError
from tuili.native import CODEC_BLOCK, CodeBits, GradientCodec, message_bytes


@dataclass(frozen=True)
class PackedSettings:
    """How gradients are packed. bits: per number, in addition to 2 bytes for each 256 numbers."""

    bits: CodeBits = 3
    rotate: bool = False
    """First rotate each block by random signs and a Hadamard matrix."""
    clip: float = 1.0
    """The fraction of a block's largest number that the codes reach."""
    keep: float | None = None
    """Weight of the errors so far in their moving average; None drops errors."""
    reset: int = 1024
    """Rounds after which the averages start again."""


@dataclass
class _Errors:
    """The average errors of a tensor: from encoding its numbers, and from encoding the mean of this process's part."""

    number_N: Tensor
    mean_P: Tensor
    rounds: int = 0


@dataclass
class PackedAverage:
    """An all-reduce of fp32 tensors on the CPU, over a group that can send bytes, such as gloo's.

    All processes call it with the same names and sizes in the same order.
    """

    group: dist.ProcessGroup
    codec: GradientCodec
    settings: PackedSettings
    names: set[str] = field(default_factory=set)
    """The names of the tensors that have been averaged here so far."""
    kind: ClassVar[str] = "packed"
    _errors: dict[str, _Errors] = field(default_factory=dict)

    @property
    def carries(self) -> bool:
        """Whether later means depend on earlier ones: on their errors, or on how many there were."""
        return self.settings.keep is not None or self.settings.rotate

    def average(self, tensor: Tensor, name: str) -> None:
        """Replace a tensor by its mean as all processes receive it. `name` keeps its errors apart from those of others.

        A block of 256 in which a number of any process is not finite, or above 1e30, becomes NaN in all processes.
        Raises `InputError` for a tensor that is not fp32, contiguous and on the CPU.
        """
        if tensor.dtype != torch.float32 or tensor.device.type != "cpu" or not tensor.is_contiguous():
            given = f"{tensor.dtype} on {tensor.device.type}"
            raise InputError(f"gradients of {name}: {given}, and only contiguous fp32 on the CPU can be packed")
        world, rank = self.group.size(), self.group.rank()
        if world == 1:
            return
        number_N = tensor.detach().view(-1).numpy()
        parts = parts_of(number_N.size, world)
        sizes = [message_bytes(part.stop - part.start, self.settings.bits) for part in parts]
        errors = self._errors_of(name, number_N.size, parts[rank])

        sent = np.empty(sum(sizes), np.uint8)
        for part, message in zip(parts, np.split(sent, np.cumsum(sizes)[:-1]), strict=True):
            self._encode(number_N[part], message, errors, errors.number_N[part], rank)
        received = np.empty(world * sizes[rank], np.uint8)
        dist.all_to_all_single(_torch(received), _torch(sent), [sizes[rank]] * world, sizes, self.group)

        mean_P = np.empty(parts[rank].stop - parts[rank].start, np.float32)
        for source, message in enumerate(received.reshape(world, -1)):
            self.codec.decode(message, mean_P, add=source > 0, weight=1 / world)

        room = max(sizes)  # parts differ in size by one block at most
        own, everyone = np.zeros(room, np.uint8), np.empty((world, room), np.uint8)
        self._encode(mean_P, own[: sizes[rank]], errors, errors.mean_P, world)
        dist.all_gather_single(_torch(everyone.reshape(-1)), _torch(own), self.group)
        for part, message, size in zip(parts, everyone, sizes, strict=True):
            self.codec.decode(message[:size], number_N[part])
        errors.rounds += 1
        self.names.add(name)

    def forget(self) -> None:
        """Drop all errors: those of names that are not used again would stay in memory."""
        self._errors.clear()

    def close(self) -> None:
        """End the codec's threads. No more can be averaged afterwards."""
        self.codec.close()

    def state(self) -> dict[str, Tensor]:
        """This process's errors under `name:quantity`, and its rounds so far; each process has its own."""
        return {
            f"{name}:{quantity}": value
            for name, errors in self._errors.items()
            for quantity, value in {
                "place": self._place,
                "errors": errors.number_N,
                "mean_errors": errors.mean_P,
                "rounds": torch.tensor(errors.rounds),
            }.items()
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from what `state` gave, without its errors if they are no longer kept.

        Raises `InputError` for the state of another rank or of a group of another size.
        """
        names = {key.rpartition(":")[0] for key in tensors}
        for name in sorted(names):
            if not torch.equal(place := tensors[f"{name}:place"], self._place):
                rank, size, here, now = (*place.tolist(), *self._place.tolist())
                raise InputError(
                    f"errors of {name}: they are those of process {rank} of {size}, this is {here} of {now}: "
                    "each process goes on with its own"
                )
        kept = slice(None if self.settings.keep is not None else 0)
        self._errors = {
            name: _Errors(
                tensors[f"{name}:errors"][kept].clone(),
                tensors[f"{name}:mean_errors"][kept].clone(),
                int(tensors[f"{name}:rounds"]),
            )
            for name in sorted(names)
        }

    @property
    def _place(self) -> Tensor:
        return torch.tensor([self.group.rank(), self.group.size()])

    def _errors_of(self, name: str, count: int, part: slice) -> _Errors:
        """Raises `InputError` if the loaded errors are those of another tensor or another group."""
        with_errors = self.settings.keep is not None
        sizes = (count, part.stop - part.start) if with_errors else (0, 0)
        if name not in self._errors:
            self._errors[name] = _Errors(torch.zeros(sizes[0]), torch.zeros(sizes[1]))
        errors = self._errors[name]
        if with_errors and not errors.number_N.numel():  # errors were not kept so far
            errors.number_N, errors.mean_P = torch.zeros(sizes[0]), torch.zeros(sizes[1])
        if (found := (errors.number_N.numel(), errors.mean_P.numel())) != sizes:
            raise InputError(
                f"errors of {name}: {found} in place of {sizes}: go on with the same processes, model and settings"
            )
        if with_errors and errors.rounds % self.settings.reset == 0:
            errors.number_N.zero_()
            errors.mean_P.zero_()
        return errors

    def _encode(
        self, number_P: NDArray[np.float32], out: NDArray[np.uint8], errors: _Errors, error_P: Tensor, place: int
    ) -> None:
        """place: whose numbers these are: a rank's, or, after the last rank, the mean's. Each has random signs of its
        own."""
        settings = self.settings
        self.codec.encode(
            number_P,
            settings.bits,
            seed=(errors.rounds * (self.group.size() + 1) + place) % 2**32 if settings.rotate else None,
            clip=settings.clip,
            error_N=None if settings.keep is None else error_P.numpy(),
            keep=settings.keep or 0.0,
            out=out,
        )


def parts_of(count: int, world_size: int) -> list[slice]:
    """The part of each process: about the same number of whole blocks."""
    blocks = -(-count // CODEC_BLOCK)
    places = [min(count, CODEC_BLOCK * (blocks * rank // world_size)) for rank in range(world_size + 1)]
    return [slice(begin, end) for begin, end in pairwise(places)]


def _torch(array: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(array)
