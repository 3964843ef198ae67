"""Which runner computes, and in which numbers: what was asked for, or what this machine does best.

A choice that cannot be had is refused with its reason; only what was left open (`auto`) falls back. Loading is left to
`load`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tuili.errors import InputError

RunnerName = Literal["auto", "native", "torch"]
"""native: our own library, on a CPU. torch: the same layers by torch, also on accelerators. auto: native where the
library loads and the model is on a CPU, else torch."""
Numbers = Literal["auto", "fp32", "bf16", "int8", "int4"]
"""The format of weights and products. auto: int8 for native, and for torch the format that the model was loaded in."""
TORCH_NUMBERS: tuple[Numbers, ...] = ("auto", "fp32", "bf16", "int8")


@dataclass(frozen=True)
class Choice:
    """How a model is run. why: the reason that it is not the native runner, where the runner was left open."""

    runner: Literal["native", "torch"]
    numbers: Numbers
    why: str = ""


def choose(runner: RunnerName, numbers: Numbers, native_fault: Callable[[], str], device: str = "cpu") -> Choice:
    """The runner and the numbers for a model.

    Args:
        native_fault: why the native library cannot be used, empty where it can; asked only where that matters.
        device: where the model's weights are, in torch's words.
    Raises `InputError` for what cannot be had.
    """
    if runner == "torch":
        return _torch(numbers, "")
    fault = f"the model is on {device}, and it is for a CPU" if device != "cpu" else native_fault()
    if not fault:
        return Choice("native", "int8" if numbers == "auto" else numbers)
    if runner == "native":
        raise InputError(f"the native runner cannot be used: {fault}; put that right, or use the torch runner")
    return _torch(numbers, f"the native runner cannot be used: {fault}")


def _torch(numbers: Numbers, why: str) -> Choice:
    if numbers not in TORCH_NUMBERS:
        reason = why or "the torch runner was asked for"
        raise InputError(f"{numbers} is for the native runner alone, and {reason}; use fp32, bf16 or int8")
    return Choice("torch", numbers, why)
