"""How the steps of a run are executed: device, number format, kernels and number of processes, resolved once.

The optimizer state and the weights that the optimizer updates are always fp32. With `bf16`, matrix products run in bf16
under `torch.autocast`; with `fp16`, DeepSpeed computes with fp16 copies of the weights. `recipe` defines what a recipe
may say, `dist` how processes share a step.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any, Literal

import torch

from tuili.errors import InputError
from tuili.machine import multiplies_bf16, usable_cores
from tuili.native import Unavailable, load
from tuili.train.recipe import DeviceSetting, Recipe, TrainConfig

Precision = Literal["fp32", "bf16", "fp16"]
Kernels = Literal["native", "flex", "torch"]


FULL_GPU_REMEDY = "use fewer train.rows or train.device=cpu, in another --out where the run has begun"


@dataclass(frozen=True)
class ExecutionPlan:
    """The recipe's settings for executing steps, with a decision in place of every `auto`."""

    precision: Precision
    replicas: int
    """Processes that share a step."""
    device: torch.device
    compiled: bool
    """Whether chains of small operations are compiled."""
    kernels: Kernels
    """What runs the experts and the attention: the native library, torch with flex attention, or torch alone."""

    @classmethod
    def resolve(
        cls, settings: TrainConfig, begun_in: Path | None = None, tell: Callable[[str], None] = lambda line: None
    ) -> ExecutionPlan:
        """The plan for this machine. `begun_in` is the folder of the run being resumed, if `settings` come from it.

        `tell` receives a line if native kernels are unavailable but not required. Raises `InputError` if this machine
        lacks the GPU, the compiler or the library that the settings ask for.
        """
        remedy = (
            [f"{begun_in} began with it: resume it where there is one, or choose another --out"] if begun_in else []
        )
        device = find_device(settings.device, "train.device", *remedy)
        compiled = can_compile(settings.compile, device, *remedy)
        kernels = find_kernels(settings.kernels, device, compiled, tell, *remedy)
        precision = find_precision(settings.precision, device, compiled or kernels == "native", *remedy)
        replicas = find_replicas(settings.replicas, settings.accumulation, device)
        if settings.dist.backend == "replicas" and replicas > 1 and device.type != "cpu":
            raise InputError(
                f"train.replicas = {replicas}: replicas share a CPU's memory, and this runs on a GPU: use "
                "train.replicas=1, or train.dist.backend=ddp with a GPU for each process"
            )
        return cls(precision, replicas, device, compiled, kernels)

    def settings(self) -> dict[str, Any]:
        """The plan with the names and values of the recipe's section `train`, ready for JSON."""
        return {
            "precision": self.precision,
            "replicas": self.replicas,
            "device": self.device.type,
            "compile": "on" if self.compiled else "off",
            "kernels": self.kernels,
        }

    def applied_to(self, recipe: Recipe) -> Recipe:
        """The recipe with its execution settings replaced by this plan."""
        return recipe.model_copy(update={"train": recipe.train.model_copy(update=self.settings())})

    def autocast(self) -> AbstractContextManager[None]:
        """The context in which a forward pass runs."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")


def find_device(wanted: DeviceSetting, setting: str, remedy: str = "use cpu or auto") -> torch.device:
    """The device that a setting of a recipe selects; `auto` is a GPU if there is one.

    Raises `InputError`, which names the setting, if it asks for a GPU and torch finds none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError(f"{setting} = cuda: torch finds no GPU here; {remedy}")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


@contextmanager
def noticing_full_gpu(remedy: str) -> Iterator[None]:
    """Turn torch's error for a GPU that is out of memory into an `InputError` that states the remedy."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise InputError(f"the GPU has too little memory: {remedy}") from error


def can_compile(wanted: Literal["auto", "on", "off"], device: torch.device, remedy: str = "use off or auto") -> bool:
    """Whether to compile chains of small operations: as the recipe says, or for `auto` if a compiler is available.

    Raises `InputError` if the recipe asks for compilation and there is no compiler.
    """
    if wanted == "off":
        return False
    if device.type == "cuda":
        tool, is_there = "Triton", find_spec("triton") is not None
    else:
        compilers = (os.environ.get("CXX", "c++"), "g++", "clang++")
        tool, is_there = "C++ compiler", any(which(compiler) for compiler in compilers)
    if wanted == "on" and not is_there:
        raise InputError(f"train.compile = on: there is no {tool} here; {remedy}")
    return is_there


def find_kernels(
    wanted: Literal["auto"] | Kernels,
    device: torch.device,
    compiled: bool,
    tell: Callable[[str], None],
    remedy: str = "use torch or auto",
) -> Kernels:
    """What the recipe says; for `auto`, native kernels on a CPU if available, and flex attention on a GPU if compiled.

    `tell` receives a line if the recipe says `auto` and native kernels are unavailable on a CPU. Raises `InputError` if
    the recipe asks for kernels that this device cannot run.
    """
    if wanted == "torch":
        return "torch"
    on_cpu = device.type == "cpu"
    loaded = load() if on_cpu and wanted != "flex" else Unavailable("they run on a CPU alone")
    if wanted == "native" and isinstance(loaded, Unavailable):
        raise InputError(f"train.kernels = native: {loaded}; {remedy}")
    if wanted == "flex" and (on_cpu or not compiled):
        fault = "torch differentiates flex attention on a GPU alone" if on_cpu else "it needs train.compile = on"
        raise InputError(f"train.kernels = flex: {fault}; {remedy}")
    if not on_cpu:
        return "flex" if compiled else "torch"
    if isinstance(loaded, Unavailable):
        tell(f"trains without native kernels: {loaded}")
        return "torch"
    return "native"


def find_precision(
    wanted: Literal["auto"] | Precision, device: torch.device, fused: bool, remedy: str = "use fp32 or bf16"
) -> Precision:
    """What the recipe says; for `auto`, the faster format. Raises `InputError` if the recipe asks for fp16 on a CPU.

    bf16 is faster if the hardware multiplies it. On a CPU the operations around the products must also be fused, by a
    compiler or the native library, because they convert from bf16 and back.
    """
    if wanted == "fp16" and device.type == "cpu":
        raise InputError(f"train.precision = fp16: it is for GPUs, and this runs on a CPU; {remedy}")
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if fused and multiplies_bf16() else "fp32"


def find_replicas(wanted: Literal["auto"] | int, accumulation: int, device: torch.device) -> int:
    """How many processes share a step: what the recipe says; for `auto`, as many as its blocks and the cores allow.

    On a GPU `auto` is one, because a single process keeps a GPU busy.
    """
    if wanted != "auto":
        return wanted
    most = usable_cores() if device.type == "cpu" else 1
    return max(count for count in range(1, accumulation + 1) if accumulation % count == 0 and count <= most)


@contextmanager
def divided_cores(processes: int) -> Iterator[None]:
    """Inside the `with` block, torch uses one thread for each core in a process's share, but no more than before."""
    before = torch.get_num_threads()
    if processes > 1:
        torch.set_num_threads(max(1, min(before, usable_cores() // processes)))
    try:
        yield
    finally:
        if processes > 1:
            torch.set_num_threads(before)
