"""Ways in which gradients travel between processes: hooks for DDP and FSDP2.

How they are averaged is left to `codec` and `baselines`. DDP's buckets go through one thread, in their order: each
is encoded and sent while the gradients of the next are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from threading import Thread

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import powerSGD_hook
from torch.distributed.fsdp import FSDPModule
from torch.nn.parallel import DistributedDataParallel

from tuili.errors import InputError
from tuili.native import GradientCodec, Unavailable, load
from tuili.train.dist.baselines import HalfAverage, PowerSgd
from tuili.train.dist.codec import PackedAverage, PackedSettings
from tuili.train.dist.config import GradientConfig
from tuili.train.dist.lost import GradientForm

Averaged = torch.futures.Future[torch.Tensor]


def packed_average(config: GradientConfig, group: dist.ProcessGroup, device: torch.device) -> PackedAverage:
    """The mean of packed gradients over a group.

    Raises `InputError` where the native library is not to be had, and for gradients on another device than the CPU.
    """
    assert config.bits, "these gradients are not packed"
    if device.type != "cpu":
        raise InputError(f"gradients = {config.form}: only those on the CPU can be packed: use fp16 or fp32")
    library = load()
    if isinstance(library, Unavailable):
        raise InputError(f"gradients = {config.form}: {library}; use fp32 or fp16")
    settings = PackedSettings(config.bits, config.rotate, config.clip, config.keep_errors, config.reset_errors)
    return PackedAverage(group, GradientCodec(library, threads=1), settings)


def hook_ddp(model: DistributedDataParallel, config: GradientConfig, group: dist.ProcessGroup) -> Hook:
    """Let the gradients of a model travel in another form than fp32 over a group that nothing else is sent on.

    DDP divides the gradients into other buckets after its first step, unless `find_unused_parameters` is set; errors
    begin anew then. On gloo, PowerSGD needs all of them in one bucket. Raises `InputError` where the form is not to be
    had.
    """
    device = next(model.parameters()).device
    if config.form == "powersgd":
        form = PowerSgd(group, config.rank, device)
        model.register_comm_hook(form.of_torch, powerSGD_hook)
        return Hook(form)
    hook = OrderedHook(model, packed_average(config, group, device) if config.bits else HalfAverage(group))
    model.register_comm_hook(None, hook.start)
    return hook


def hook_fsdp(model: nn.Module, average: PackedAverage) -> IslandHook:
    """Average the sharded gradients of FSDP2 over a further group: between islands that each shard a model.

    Each shard of gradients is first summed inside its island, by FSDP2, and then averaged between islands.
    """
    hook = IslandHook(average)
    for name, module in model.named_modules():
        if isinstance(module, FSDPModule):
            module.set_all_reduce_hook(partial(hook, name=name or "(root)"))  # a part may have any other name
    return hook


class IslandHook:
    """Averages shards of gradients behind the last block of a step; the sums of earlier blocks wait for that."""

    def __init__(self, average: PackedAverage) -> None:
        self._average, self._sums = average, dict[str, Tensor]()
        self.is_last = True
        """Whether the next backward pass is that of a step's last block."""

    def __call__(self, shard: Tensor, *, name: str) -> None:
        """What FSDP2 calls with each shard, which it adds to the gradients as it then is."""
        if name in self._sums:
            shard += self._sums.pop(name)
        if self.is_last:
            self._average.average(shard, name)
        else:
            self._sums[name] = shard.clone()
            shard.zero_()


class Hook:
    """The form in which the gradients of a DDP model travel."""

    def __init__(self, form: GradientForm) -> None:
        self.form = form

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Around a backward pass: what went wrong in a thread is raised as it was, not as DDP tells it."""
        yield

    def close(self) -> None:
        """End what works beside the training. Waits for buckets that are on their way: at most the group's timeout."""
        self.form.close()


class OrderedHook(Hook):
    """Averages DDP's buckets in a thread, one after another. Their names are made of their places and parameters."""

    def __init__(self, model: DistributedDataParallel, average: PackedAverage | HalfAverage) -> None:
        super().__init__(average)
        self._average = average
        self._of_parameter = {id(parameter): name for name, parameter in model.module.named_parameters()}
        self._names = dict[int, str]()
        self._failure: Exception | None = None
        self._work = SimpleQueue[Callable[[], None] | None]()
        # a process that ends does not wait for such a thread, which may wait for a process that is no more
        self._thread = Thread(target=self._run, name="gradients", daemon=True)
        self._thread.start()

    def start(self, _, bucket):  # type: ignore[no-untyped-def]  # DDP refuses types that are written as text
        """Begin to average a bucket. Returns the future of its mean."""
        numbers, done = bucket.buffer(), Averaged()
        first, last = (self._of_parameter[id(bucket.parameters()[place])] for place in (0, -1))
        name = f"{bucket.index()}/{first}/{last}/{numbers.numel()}"
        if self._names.get(bucket.index(), name) != name:  # other buckets, and perhaps fewer
            self._names.clear()
            self._work.put(self.form.forget)
        self._names[bucket.index()] = name

        def work() -> None:
            try:
                self._average.average(numbers, name)
                done.set_result(numbers)
            except Exception as error:
                self._failure = error
                done.set_exception(error)  # type: ignore[arg-type]  # DDP raises one of its own for it

        self._work.put(work)
        return done

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Around a backward pass."""
        try:
            yield
        except RuntimeError as error:
            if self._failure:
                raise self._failure from error
            raise

    def close(self) -> None:
        """End the threads."""
        self._work.put(None)
        self._thread.join()
        super().close()

    def _run(self) -> None:
        while work := self._work.get():
            work()
