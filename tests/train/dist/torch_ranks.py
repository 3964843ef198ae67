"""Processes that train their parts of runs, one run after another, each as if torchrun had started them for that."""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from rich.console import Console
from torch import nn
from torch.distributed.fsdp import FSDPModule

from tests.processes import quick_context
from tests.train.faulty import FEW_SAMPLES
from tests.waiting import GUARD_SECONDS, eventually
from tuili.data import sources
from tuili.errors import TuiliError
from tuili.train import execution
from tuili.train.checkpoint.reading import StoredTensors
from tuili.train.dist import ddp, zero3, zero3_settings
from tuili.train.dist.ddp import Ddp
from tuili.train.dist.fsdp2 import Fsdp2
from tuili.train.dist.gradients.codec import PackedAverage
from tuili.train.dist.overlap.updates import BucketOptimizers
from tuili.train.dist.processes import rendezvous
from tuili.train.dist.torch_group import TorchGroup
from tuili.train.dist.zero3 import Zero3
from tuili.train.log import TrainingLog
from tuili.train.recipe import Recipe
from tuili.train.run import train


def place(rank: int, world_size: int, port: int) -> dict[str, str]:
    """The environment of a process."""
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return address | {name: str(world_size) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE")} | {"RANK": str(rank)}


Preparation = Callable[[int, pytest.MonkeyPatch], None]
"""What a process does before a run, with its rank and what undoes its changes behind the run."""


@dataclass(frozen=True)
class Job:
    """The part of one process in a run."""

    environment: Mapping[str, str]
    recipe: Recipe
    out: Path
    resume: bool
    before: Preparation | None


class Ranks:
    """Processes that wait for runs. Starting some, and what they do first, takes longer than a short run."""

    def __init__(self) -> None:
        self._processes: list[tuple[Connection, BaseProcess]] = []

    def train(
        self, recipes: list[Recipe], out: Path, *, resume: bool = False, before: Preparation | None = None
    ) -> list[str]:
        """Train by a recipe in each process. Returns what each has shown, its error included."""
        out.mkdir(exist_ok=True)
        for _ in range(len(self._processes), len(recipes)):
            self._start()
        store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        for rank, recipe in enumerate(recipes):
            environment = place(rank, len(recipes), store.port) | {"TORCHELASTIC_USE_AGENT_STORE": "True"}
            self._processes[rank][0].send(Job(environment, recipe, out, resume, before))
        return [self._shown(channel) for channel, _ in self._processes[: len(recipes)]]

    def close(self) -> list[int]:
        """End those that have not ended, and return the exit codes of all."""
        for channel, _ in self._processes:
            channel.close()
        for _, process in self._processes:
            process.join(GUARD_SECONDS)
            process.kill()
        return [process.exitcode or 0 for _, process in self._processes]

    def _start(self) -> None:
        context = quick_context("spawn")
        channel, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs,))
        process.start()
        theirs.close()
        self._processes.append((channel, process))

    def _shown(self, channel: Connection) -> str:
        assert channel.poll(GUARD_SECONDS), "a process hangs"
        try:
            return str(channel.recv())
        except EOFError:  # it has ended
            return ""


def train_once(recipes: list[Recipe], out: Path, **options: Any) -> tuple[list[int], list[str]]:
    """The exit codes of processes that train once, and what each has shown."""
    ranks = Ranks()
    shown = ranks.train(recipes, out, **options)
    return ranks.close(), shown


def serve(channel: Connection) -> None:
    """Train until there is nothing to train any more. Processes meet a little sooner than users' do."""
    torch.set_num_threads(1)
    rendezvous.LOOK_SECONDS = 0.005
    sources.TOKENIZER_SAMPLE_RECORDS, sources.CHECKED_PROBLEMS = FEW_SAMPLES, 3
    with suppress(EOFError):
        while True:
            channel.send(train_as(channel.recv()))


def train_as(job: Job) -> str:
    """What a process shows of a run, its error included."""
    screen = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in job.environment.items():
            patch.setenv(name, value)
        if job.before is not None:
            job.before(int(job.environment["RANK"]), patch)
        try:
            train(job.recipe, job.out, resume=job.resume, console=Console(file=screen))
        except (TuiliError, AssertionError) as error:
            screen.write(f"failed: {error}")
        except SystemExit as error:
            screen.write(f"ended with {error.code}")
        if any(thread.name == "updates" for thread in threading.enumerate()):
            screen.write(", and updates go on")
    shown = screen.getvalue()
    (job.out / f"shown-{job.environment['RANK']}.txt").write_text(shown)
    return shown


def signal_after(step: int, number: signal.Signals, rank: int, patch: pytest.MonkeyPatch) -> None:
    """Process 0 gets a signal behind a step."""
    write = TrainingLog.step

    def write_and_signal(self: TrainingLog, at: int, *figures: Any, **more: Any) -> None:
        write(self, at, *figures, **more)
        if at == step:
            os.kill(os.getpid(), number)

    patch.setattr(TrainingLog, "step", write_and_signal)


def hang_after(step: int, out: Path, rank: int, patch: pytest.MonkeyPatch) -> None:
    """Process 1 waits behind a step until process 0 has ended."""
    done = list[int]()

    def hanging(learn: Callable[..., Any]) -> Callable[..., Any]:
        def learn_and_hang(*arguments: Any) -> Any:
            done.append(rank)
            if rank == 1 and len(done) > step:
                eventually((out / "shown-0.txt").is_file, "process 0 waits for ever")
            return learn(*arguments)

        return learn_and_hang

    for backend in (Ddp, Fsdp2, Zero3):
        patch.setattr(backend, "learn", hanging(backend.learn))


def stop_after(step: int, out: Path, rank: int, patch: pytest.MonkeyPatch) -> None:
    """Process 0 stands still behind a step, while the others wait for it to read data, until process 1 has ended."""
    if rank == 0:
        signal_after(step, signal.SIGSTOP, rank, patch)
        shown = shlex.quote(str(out / "shown-1.txt"))
        waits = f"n=0; until test -f {shown} || test $n = {10 * GUARD_SECONDS:.0f}; do n=$((n + 1)); sleep 0.1; done"
        subprocess.Popen(["sh", "-c", f"{waits}; kill -CONT {os.getpid()}"])


def stand_still(of: int, when: str, count: int, out: Path, rank: int, patch: pytest.MonkeyPatch) -> None:
    """One of so many processes stands still, before the first step or in it, until the others have ended."""
    (out / f"process-{rank}.txt").write_text(str(os.getpid()))
    patch.setattr(sys, "stderr", (out / f"errors-{rank}.txt").open("w"))
    if rank != of:
        return

    def stop(call: Callable[..., Any]) -> Callable[..., Any]:
        def stop_and_call(*arguments: Any, **more: Any) -> Any:
            others = [(out / f"process-{other}.txt").read_text() for other in range(count) if other != rank]
            ended = " && ".join(f"test ! -d /proc/{other}" for other in others)
            waits = f"n=0; until {ended} || test $n = {10 * GUARD_SECONDS:.0f}; do n=$((n + 1)); sleep 0.1; done"
            subprocess.Popen(["sh", "-c", f"{waits}; kill -CONT {os.getpid()}"])
            os.kill(os.getpid(), signal.SIGSTOP)
            return call(*arguments, **more)

        return stop_and_call

    if when == "before":
        patch.setattr(ddp, "DistributedDataParallel", stop(ddp.DistributedDataParallel))
    else:
        for backend in (Ddp, Fsdp2):
            patch.setattr(backend, "learn", stop(backend.learn))


def watch_reading(rank: int, patch: pytest.MonkeyPatch) -> None:
    """No weights are read while others that were are in memory; what is kept of the optimizer has names with `:`."""
    read, before = StoredTensors.__getitem__, list[Callable[[], torch.Tensor | None]]()

    def watched(self: StoredTensors, name: str) -> torch.Tensor:
        value = read(self, name)
        if ":" not in name:
            assert all(other() is None for other in before), f"{name} is read beside another tensor"
            before.append(weakref.ref(value))
        return value

    patch.setattr(StoredTensors, "__getitem__", watched)


def watch_units(rank: int, patch: pytest.MonkeyPatch) -> None:
    """Each pass has to call everything that FSDP2 gathers, and to give every share a gradient."""
    called = set[nn.Module]()
    learn = Fsdp2.learn

    def watched(self: Fsdp2, *arguments: Any) -> Any:
        called.clear()
        watching = nn.modules.module.register_module_forward_hook(lambda module, *_: called.add(module))
        try:
            result = learn(self, *arguments)
        finally:
            watching.remove()
        model = self._setup.model
        units = {module for module in model.modules() if isinstance(module, FSDPModule)}
        assert len(units) == len(model.model.trunk) + len(model.model.reasoning)
        assert units <= called
        assert all(parameter.grad is not None for parameter in model.parameters())
        return result

    patch.setattr(Fsdp2, "learn", watched)


def watch_shares(rank: int, patch: pytest.MonkeyPatch) -> None:
    """Each pass has to call every layer, and to give every share that ZeRO-3 divides a gradient of its own."""
    called = set[nn.Module]()
    learn = Zero3.learn

    def watched(self: Zero3, *arguments: Any) -> Any:
        called.clear()
        averaged = self._zero.averaged_gradients
        for gradient in (gradient for group in averaged.values() for gradient in group or ()):
            gradient.fill_(torch.nan)  # what is not written anew stays
        watching = nn.modules.module.register_module_forward_hook(lambda module, *_: called.add(module))
        try:
            result = learn(self, *arguments)
        finally:
            watching.remove()
        network = self._setup.model.model
        assert {*network.trunk, *network.reasoning} <= called
        gradients = [gradient for group in averaged.values() for gradient in group]
        assert len(gradients) == len(list(self._setup.model.parameters()))
        assert all(bool(gradient.isfinite().all()) for gradient in gradients)
        return result

    patch.setattr(Zero3, "learn", watched)


def use_second_stage(rank: int, patch: pytest.MonkeyPatch) -> None:
    """DeepSpeed divides the gradients and the optimizer's state alone."""

    def second(*arguments: Any) -> dict[str, Any]:
        settings = zero3_settings.deepspeed_settings(*arguments)
        settings["zero_optimization"]["stage"] = 2
        return settings

    patch.setattr(zero3, "deepspeed_settings", second)


def lose_shares(step: int, rank: int, patch: pytest.MonkeyPatch) -> None:
    """No number of a step is finite."""
    update, done = Zero3.update, list[int]()

    def fail(self: Zero3) -> float:
        done.append(rank)
        if len(done) == step:
            for gradient in (gradient for group in self._zero.averaged_gradients.values() for gradient in group):
                gradient.fill_(torch.nan)
        return update(self)

    patch.setattr(Zero3, "update", fail)


def compute_in_fp16(end: int | None, rank: int, patch: pytest.MonkeyPatch) -> None:
    """As on a GPU, with a loss scale that soon overflows and soon rises; process 0 is interrupted behind a step."""
    zero3_settings.load_deepspeed(torch.device("cpu"))
    from deepspeed.accelerator import get_accelerator

    patch.setattr(type(get_accelerator()), "is_fp16_supported", lambda self: True)
    patch.setattr(execution, "find_precision", lambda wanted, *more: wanted)
    patch.setitem(zero3_settings.LOSS_SCALING, "initial_scale_power", 18)
    patch.setitem(zero3_settings.LOSS_SCALING, "loss_scale_window", 2)
    if end is not None:
        signal_after(end, signal.SIGINT, rank, patch)


def fail_in_step(step: int, rank: int, patch: pytest.MonkeyPatch) -> None:
    """No number of a step is finite."""
    learn = Ddp.learn

    def fail(self: Ddp, *arguments: Any) -> Any:
        result = learn(self, *arguments)
        if len(seen) == step - 1:
            for parameter in self._setup.model.parameters():
                parameter.grad = torch.full_like(parameter, torch.nan)
        seen.append(rank)
        return result

    seen = list[int]()
    patch.setattr(Ddp, "learn", fail)


def update_slowly(rank: int, patch: pytest.MonkeyPatch) -> None:
    """Beside the training, so that whoever does not wait for an update sees weights without it."""
    update = BucketOptimizers.step_of

    def slow(self: BucketOptimizers, *arguments: Any) -> None:
        time.sleep(0.005)
        update(self, *arguments)

    patch.setattr(BucketOptimizers, "step_of", slow)


def update_when_failing(step: int, rank: int, patch: pytest.MonkeyPatch) -> None:
    """No number of a step is finite, and its updates are under way when that is seen."""
    fail_in_step(step, rank, patch)
    update_slowly(rank, patch)


def leave_hooks_out(rank: int, patch: pytest.MonkeyPatch) -> None:
    """Islands never meet."""
    patch.setattr(FSDPModule, "set_all_reduce_hook", lambda self, hook: None)


def be_alone(rank: int, patch: pytest.MonkeyPatch) -> None:
    """Each process averages gradients with itself alone."""
    groups = TorchGroup.of_gradients
    patch.setattr(TorchGroup, "of_gradients", lambda self: groups(self, [[0], [1]]))


def let_islands_drift(rank: int, patch: pytest.MonkeyPatch) -> None:
    """Each has gradients of its own, though it has met the other."""
    average = PackedAverage.average

    def drift(self: PackedAverage, tensor: torch.Tensor, name: str) -> None:
        average(self, tensor, name)
        tensor += rank

    patch.setattr(PackedAverage, "average", drift)


def die_when_wrapped(rank: int, patch: pytest.MonkeyPatch) -> None:
    """Process 0 is killed while DDP wraps the model, for which it meets the others."""
    if rank == 0:
        patch.setattr(ddp, "DistributedDataParallel", lambda *module, **options: os.kill(os.getpid(), signal.SIGKILL))
