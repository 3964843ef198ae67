"""Selects the runner, its number format and its cache format: what was requested, or what suits this machine best.

A choice that is not available is refused with the reason; only what was left open (`auto`) falls back. `load` does the
loading.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

from tuili.errors import InputError
from tuili.store import Quantization, WholeNumbers

RunnerName = Literal["auto", "native", "torch"]
"""native: our own library, on a CPU. torch: the same layers in torch, also on accelerators. auto: native if the library
loads and the model is on a CPU, otherwise torch."""
Numbers = Literal["auto", "fp32", "bf16", "int8", "int4"]
"""The format of weights and products. auto: the one that the model was trained for; otherwise int8 for native, and for
torch the format in which the model was loaded."""
CacheNumbers = Literal["auto", "fp32", "bf16", "int8"]
"""The format of keys and values. auto: for native, int8 if the model was trained for it, fp32 if the numbers are fp32,
otherwise bf16; for torch, the format of the weights."""
DeviceName = Literal["cpu", "cuda"]
OF_TRAINED: Mapping[WholeNumbers, Literal["int8", "int4"]] = {"int8": "int8", "w4a8": "int4"}
"""The names used here for the formats that a model may be trained for."""
_OF_TORCH = {"numbers": ("auto", "fp32", "bf16", "int8"), "cache": ("auto", "fp32", "bf16")}


class RunOptions(TypedDict, total=False):
    """How a model should be run; omitted options are left open.

    device: for a model in a folder, the CPU by default; a model in memory runs where it is. threads: threads of each
    step, by default as many as speed it up.
    """

    runner: RunnerName
    device: DeviceName | None
    numbers: Numbers
    cache: CacheNumbers
    threads: int | None


@dataclass(frozen=True)
class Choice:
    """How a model is run.

    why: why the native runner is not used, if the runner was left open. device: as torch names it.
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
    """Choose the runner, the number format and the cache format for a model.

    Args:
        native_fault: returns why the native library cannot be used, empty if it can; called only if that matters.
        device: where the model should run, as torch names it.
        trained: the integer format that the model was trained for. It runs in that format, or in fp32 or bf16 with the
            weights that the integers represent.
    Raises `InputError` for a combination that is not available.
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
    # Of the formats that torch lacks, a model can only be asked for the one that it was trained for.
    for what, asked in (("numbers", numbers), ("cache", cache)):
        if asked not in _OF_TORCH[what] and not (what == "numbers" and trained is not None):
            reason = why or "the torch runner was asked for"
            others = ", ".join(_OF_TORCH[what])
            raise InputError(f"{what} {asked} is for the native runner alone, and {reason}; use one of {others}")
    return Choice("torch", numbers, cache, why, device)
