"""Which runner computes, in which numbers and with which cache: what was asked for, or what this machine does best.

A choice that cannot be had is refused with its reason; only what was left open (`auto`) falls back. Loading is left to
`load`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

from tuili.errors import InputError
from tuili.store import Quantization, WholeNumbers

RunnerName = Literal["auto", "native", "torch"]
"""native: our own library, on a CPU. torch: the same layers by torch, also on accelerators. auto: native where the
library loads and the model is on a CPU, else torch."""
Numbers = Literal["auto", "fp32", "bf16", "int8", "int4"]
"""The format of weights and products. auto: that which the model was trained for; else int8 for native, and for torch
the format that the model was loaded in."""
CacheNumbers = Literal["auto", "fp32", "bf16", "int8"]
"""The format of keys and values. auto: for native int8 where the model was trained for it, fp32 where its numbers are,
else bf16; for torch that of the weights."""
DeviceName = Literal["cpu", "cuda"]
OF_TRAINED: Mapping[WholeNumbers, Literal["int8", "int4"]] = {"int8": "int8", "w4a8": "int4"}
"""What the numbers that a model was trained for are called here."""
_OF_TORCH = {"numbers": ("auto", "fp32", "bf16", "int8"), "cache": ("auto", "fp32", "bf16")}


class RunOptions(TypedDict, total=False):
    """How a model is to be run; what is left out is open.

    device: for a model in its folder the CPU by default; one in memory is run where it is. threads: of each step, by
    default as many as are faster.
    """

    runner: RunnerName
    device: DeviceName | None
    numbers: Numbers
    cache: CacheNumbers
    threads: int | None


@dataclass(frozen=True)
class Choice:
    """How a model is run.

    why: the reason that it is not the native runner, where the runner was left open. device: in torch's words.
    """

    runner: Literal["native", "torch"]
    numbers: Numbers
    cache: CacheNumbers
    why: str = ""
    device: str = "cpu"


def choose(
    runner: RunnerName,
    numbers: Numbers,
    cache: CacheNumbers,
    native_fault: Callable[[], str],
    device: str = "cpu",
    trained: Quantization | None = None,
) -> Choice:
    """The runner, the numbers and the cache for a model.

    Args:
        native_fault: why the native library cannot be used, empty where it can; asked only where that matters.
        device: where the model is to be run, in torch's words.
        trained: the whole numbers that the model was trained for. It runs in them, or as fp32 or bf16 with the weights
            that they stand for.
    Raises `InputError` for what cannot be had.
    """
    if trained is not None:
        own = OF_TRAINED[trained.numbers]
        if numbers in ("int8", "int4") and numbers != own:
            raise InputError(
                f"the model was trained for {own}, and {numbers} would round it again: leave numbers at auto"
            )
        numbers = own if numbers == "auto" else numbers
    if runner == "torch":
        return _torch(numbers, cache, "", device, trained)
    fault = f"the model is to run on {device}, and it is for a CPU" if device != "cpu" else native_fault()
    if not fault:
        best: CacheNumbers = "fp32" if numbers == "fp32" else "bf16"
        if trained is not None and trained.cache is not None:
            best = trained.cache
        return Choice("native", "int8" if numbers == "auto" else numbers, best if cache == "auto" else cache)
    if runner == "native":
        raise InputError(f"the native runner cannot be used: {fault}; put that right, or use the torch runner")
    return _torch(numbers, cache, f"the native runner cannot be used: {fault}", device, trained)


def _torch(numbers: Numbers, cache: CacheNumbers, why: str, device: str, trained: Quantization | None) -> Choice:
    # Of formats that torch does not have, a model that was trained for one can be asked for that one alone.
    for what, asked in (("numbers", numbers), ("cache", cache)):
        if asked not in _OF_TORCH[what] and not (what == "numbers" and trained is not None):
            reason = why or "the torch runner was asked for"
            others = ", ".join(_OF_TORCH[what])
            raise InputError(f"{what} {asked} is for the native runner alone, and {reason}; use one of {others}")
    return Choice("torch", numbers, cache, why, device)
