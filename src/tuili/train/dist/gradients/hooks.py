"""How gradients travel between processes: hooks for DDP and FSDP2.

How they are averaged is left to `codec` and `baselines`. DDP's buckets go through one lane, in order: each is encoded
and sent while the gradients of the next one are computed. How weights are then updated is left to `updates`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import powerSGD_hook
from torch.distributed.fsdp import FSDPModule
from torch.nn.parallel import DistributedDataParallel
from torch.profiler import record_function

from tuili.errors import InputError
from tuili.native import GradientCodec, Unavailable, load
from tuili.train.dist.config import GradientConfig
from tuili.train.dist.gradients.baselines import HalfAverage, PlainAverage, PowerSgd
from tuili.train.dist.gradients.codec import PackedAverage, PackedSettings
from tuili.train.dist.gradients.error_feedback import GradientForm
from tuili.train.dist.gradients.preconditioning import Moments, preconditioned
from tuili.train.dist.overlap.lanes import Lane, Work
from tuili.train.dist.overlap.spans import Span
from tuili.train.dist.overlap.updates import BucketUpdates

Averaged = torch.futures.Future[torch.Tensor]


def packed_average(config: GradientConfig, group: dist.ProcessGroup, device: torch.device) -> PackedAverage:
    """The mean of packed gradients over a group.

    Raises `InputError` if the native library is not available, and for gradients on another device than the CPU.
    """
    assert config.bits, "these gradients are not packed"
    codec = open_codec(f"train.dist.gradients.form = {config.form}", device, "fp32")
    settings = PackedSettings(config.bits, config.rotate, config.clip, config.keep_errors, config.reset_errors)
    return PackedAverage(group, codec, settings)


def open_codec(setting: str, device: torch.device, remedy: str) -> GradientCodec:
    """The codec that packs numbers because `setting` asks for it.

    Raises `InputError` if the native library is not available, and for numbers on another device than the CPU.
    """
    if device.type != "cpu":
        raise InputError(f"{setting}: only numbers on the CPU can be packed: use {remedy}")
    library = load()
    if isinstance(library, Unavailable):
        raise InputError(f"{setting}: {library}; use {remedy}")
    return GradientCodec(library, threads=1)


def hook_ddp(
    model: DistributedDataParallel,
    config: GradientConfig,
    group: dist.ProcessGroup,
    *,
    beside: bool = True,
    updates: BucketUpdates | None = None,
    moments: Moments | None = None,
) -> Hook:
    """Send the gradients of a model in the form that `config` asks for, over a group that carries nothing else.

    beside: whether this runs alongside the backward pass or blocks it. updates: what applies the means, if the
    optimizer does not wait for all of them. moments: what gradients are preconditioned by, if they are.

    After its first step, DDP divides the gradients into other buckets, unless `find_unused_parameters` is set; errors
    then start again. On gloo, PowerSGD needs all gradients in one bucket. Raises `InputError` if the form is not
    available.
    """
    device = next(model.parameters()).device
    if config.form == "powersgd":
        form = PowerSgd(group, config.rank, config.start, device)
        model.register_comm_hook(form.of_torch, powerSGD_hook)
        return Hook(form)
    plain = HalfAverage(group) if config.form == "fp16" else PlainAverage(group)
    average = packed_average(config, group, device) if config.bits else plain
    hook = OrderedHook(model, average, Lane("gradients", device) if beside else None, updates, moments)
    model.register_comm_hook(None, hook.start)
    return hook


def hook_fsdp(model: nn.Module, average: PackedAverage) -> IslandHook:
    """Average FSDP2's sharded gradients over a further group: between islands that each shard a model.

    FSDP2 first sums each shard of gradients inside its island; then this averages it between islands.
    """
    hook = IslandHook(average)
    for name, module in model.named_modules():
        if isinstance(module, FSDPModule):
            module.set_all_reduce_hook(partial(hook, name=name or "(root)"))  # the parts may have any other name
    return hook


class IslandHook:
    """Averages shards of gradients after the last block of a step; until then it sums those of earlier blocks."""

    def __init__(self, average: PackedAverage) -> None:
        self._average, self._sums = average, dict[str, Tensor]()
        self.is_last = True
        """Whether the next backward pass is that of a step's last block."""

    def __call__(self, shard: Tensor, *, name: str) -> None:
        """FSDP2 calls this with each shard, and then adds the shard, as changed here, to the gradients."""
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
        """Around a backward pass: an error in a thread is raised as it was, not as DDP reports it."""
        yield

    def close(self) -> None:
        """End background work. Waits for buckets in flight, at most for the group's timeout."""
        self.form.close()


class OrderedHook(Hook):
    """Averages DDP's buckets in a lane, one after another. Their names consist of their indices and parameters."""

    def __init__(
        self,
        model: DistributedDataParallel,
        average: PackedAverage | PlainAverage,
        lane: Lane | None,
        updates: BucketUpdates | None,
        moments: Moments | None = None,
    ) -> None:
        super().__init__(average)
        self._average, self._lane, self._updates, self._moments = average, lane, updates, moments
        self._of_parameter = {id(parameter): name for name, parameter in model.module.named_parameters()}
        self._names = dict[int, str]()
        self._failure: Exception | None = None

    def start(self, _, bucket):  # type: ignore[no-untyped-def]  # DDP refuses annotations given as strings
        """Start to average a bucket. Returns the future of its mean."""
        numbers, parameters, gradients = bucket.buffer(), bucket.parameters(), bucket.gradients()
        done = Averaged(devices=[numbers.device] if numbers.is_cuda else [])
        names = [self._of_parameter[id(parameter)] for parameter in parameters]
        name = f"{bucket.index()}/{names[0]}/{names[-1]}/{numbers.numel()}"
        if self._names.get(bucket.index(), name) != name:  # DDP has made other buckets, perhaps fewer
            self._names.clear()
            self._do(self.form.forget)
        self._names[bucket.index()] = name

        def work() -> None:
            try:
                if self._failure is not None:  # other processes may still be exchanging the bucket that failed
                    raise self._failure
                with record_function(Span.AVERAGE), self._preconditioned(dict(zip(names, gradients, strict=True))):
                    self._average.average(numbers, name)
                if self._updates is not None:
                    self._updates.start(parameters, gradients)
                done.set_result(numbers)
            except Exception as error:
                self._failure = error
                done.set_exception(error)  # type: ignore[arg-type]  # DDP raises its own error for it

        with record_function(Span.BUCKET):
            self._do(work)
        return done

    @property
    def threads(self) -> list[str]:
        """The threads that run alongside the backward pass."""
        lanes = [self._lane, None if self._updates is None else self._updates.lane]
        return [lane.name for lane in lanes if lane is not None and lane.is_alive]

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
        if self._lane is not None:
            self._lane.close()
        if self._updates is not None:
            self._updates.close()
        super().close()

    def _preconditioned(self, gradients: Mapping[str, Tensor]) -> AbstractContextManager[None]:
        return nullcontext() if self._moments is None else preconditioned(gradients, self._moments)

    def _do(self, work: Work) -> None:
        if self._lane is None:
            work()
        else:
            self._lane.put(work)
