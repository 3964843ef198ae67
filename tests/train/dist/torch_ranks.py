"""What the processes of a test do: each trains its part of a run, as if torchrun had started it."""

from __future__ import annotations

import io
import os
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn
from torch.distributed.fsdp import FSDPModule

from tests.processes import quick_context
from tests.train.faulty import FEW_SAMPLES
from tests.waiting import GUARD_SECONDS, eventually
from tuili.data import sources
from tuili.errors import TuiliError
from tuili.train.dist.ddp import Ddp
from tuili.train.dist.fsdp2 import Fsdp2
from tuili.train.log import TrainingLog
from tuili.train.recipe import Recipe
from tuili.train.run import train


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def place(rank: int, world_size: int, port: int) -> dict[str, str]:
    """The environment of a process."""
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return address | {name: str(world_size) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE")} | {"RANK": str(rank)}


def train_in_processes(
    recipes: list[Recipe], out: Path, *, resume: bool = False, before: Callable[[int], None] | None = None
) -> tuple[list[int], list[str]]:
    """Train by a recipe in each process. Returns the exit codes, and what each has shown, its error included.

    before: what each calls with its rank first.
    """
    context, port, world_size = quick_context("spawn"), free_port(), len(recipes)
    out.mkdir(exist_ok=True)
    processes = [
        context.Process(
            target=train_as, args=(place(rank, world_size, port), recipe, out, resume, before), name=f"rank-{rank}"
        )
        for rank, recipe in enumerate(recipes)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(GUARD_SECONDS)
        process.kill()
    shown = [out / f"shown-{rank}.txt" for rank in range(world_size)]
    texts = [file.read_text() if file.is_file() else "" for file in shown]
    return [process.exitcode or 0 for process in processes], texts


def train_as(
    environment: Mapping[str, str], recipe: Recipe, out: Path, resume: bool, before: Callable[[int], None] | None
) -> None:
    os.environ.update(environment)
    torch.set_num_threads(1)
    sources.TOKENIZER_SAMPLE_RECORDS, sources.CHECKED_PROBLEMS = FEW_SAMPLES, 3
    rank, screen = int(environment["RANK"]), io.StringIO()
    if before is not None:
        before(rank)
    try:
        train(recipe, out, resume=resume, console=Console(file=screen))
    except TuiliError as error:
        screen.write(f"failed: {error}")
    (out / f"shown-{rank}.txt").write_text(screen.getvalue())


def signal_after(step: int, number: signal.Signals, rank: int) -> None:
    """Process 0 gets a signal behind a step."""
    write = TrainingLog.step

    def write_and_signal(self: TrainingLog, at: int, *figures: Any, **more: Any) -> None:
        write(self, at, *figures, **more)
        if at == step:
            os.kill(os.getpid(), number)

    TrainingLog.step = write_and_signal  # type: ignore[method-assign]


def hang_after(step: int, out: Path, rank: int) -> None:
    """Process 1 waits behind a step until process 0 has ended."""
    learn, done = Ddp.learn, list[int]()

    def learn_and_hang(self: Ddp, *arguments: Any) -> Any:
        done.append(rank)
        if rank == 1 and len(done) > step:
            eventually((out / "shown-0.txt").is_file, "process 0 waits for ever")
        return learn(self, *arguments)

    Ddp.learn = learn_and_hang  # type: ignore[method-assign]


def watch_units(rank: int) -> None:
    """Each pass has to call everything that FSDP2 gathers, and to give every share a gradient."""
    called = set[nn.Module]()
    nn.modules.module.register_module_forward_hook(lambda module, inputs, outputs: called.add(module))
    learn = Fsdp2.learn

    def watched(self: Fsdp2, *arguments: Any) -> Any:
        called.clear()
        result = learn(self, *arguments)
        model = self._setup.model
        units = {module for module in model.modules() if isinstance(module, FSDPModule)}
        assert len(units) == len(model.model.trunk) + len(model.model.reasoning)
        assert units <= called
        assert all(parameter.grad is not None for parameter in model.parameters())
        return result

    Fsdp2.learn = watched  # type: ignore[method-assign]
