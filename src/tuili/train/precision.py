"""The device, the number format and the replicas of a run: what the recipe says, or what suits this machine.

Weights and optimizer state are always fp32; `bf16` means that matrix products run in it under
`torch.autocast`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from shutil import which
from typing import Literal

import torch
from torch import nn

from tuili.errors import InputError
from tuili.machine import multiplies_bf16, usable_cores

Precision = Literal["fp32", "bf16"]


def find_device(wanted: Literal["auto", "cpu", "cuda"], remedy: str = "use cpu or auto") -> torch.device:
    """The device that a recipe means. Raises `InputError` where it asks for a GPU that torch does not see."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError(f"train.device = cuda: torch finds no GPU here; {remedy}")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def can_compile(wanted: Literal["auto", "on", "off"], device: torch.device, remedy: str = "use off or auto") -> bool:
    """Whether to compile chains of small operations: what the recipe says, or whether a tool for it is at hand.

    Raises `InputError` where the recipe asks for it and there is none.
    """
    if wanted == "off":
        return False
    if device.type == "cuda":
        tool, found = "Triton", find_spec("triton") is not None
    else:
        compilers = (os.environ.get("CXX", "c++"), "g++", "clang++")
        tool, found = "C++ compiler", any(which(compiler) for compiler in compilers)
    if wanted == "on" and not found:
        raise InputError(f"train.compile = on: there is no {tool} here; {remedy}")
    return found


def find_precision(wanted: Literal["auto"] | Precision, device: torch.device, fused: bool) -> Precision:
    """What the recipe says, or the faster format: bf16 where the hardware multiplies it, unless the chains of small
    operations around the products, which cast from and to it, are not fused.
    """
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if fused and multiplies_bf16() else "fp32"


def find_replicas(wanted: Literal["auto"] | int, accumulation: int, device: torch.device) -> int:
    """How many processes share a step: what the recipe says, or as many as its blocks and the cores allow.

    One on a GPU, which a single process keeps busy.
    """
    if wanted != "auto":
        return wanted
    most = usable_cores() if device.type == "cpu" else 1
    return max(count for count in range(1, accumulation + 1) if accumulation % count == 0 and count <= most)


@contextmanager
def divided_cores(count: int) -> Iterator[None]:
    """Inside, torch uses as many threads as each of `count` processes has cores, and never more than before."""
    before = torch.get_num_threads()
    if count > 1:
        torch.set_num_threads(max(1, min(before, usable_cores() // count)))
    try:
        yield
    finally:
        if count > 1:
            torch.set_num_threads(before)


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[None]:
    """The context in which a forward pass runs."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Clears the gradients and restores the buffers afterwards, so that passes inside leave the model as it was."""
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    yield
    model.zero_grad()
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])
