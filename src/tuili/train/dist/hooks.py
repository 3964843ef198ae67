"""Ways in which gradients travel between processes: hooks for DDP and FSDP2, packed ones and those of torch.

How packed gradients are averaged is left to `codec`. DDP's packed buckets go through one thread, in their order: each
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
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import fp16_compress_hook
from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import PowerSGDState, powerSGD_hook
from torch.distributed.fsdp import FSDPModule
from torch.nn.parallel import DistributedDataParallel

from tuili.errors import InputError
from tuili.native import GradientCodec, Unavailable, load
from tuili.train.dist.codec import PackedAverage, PackedSettings
from tuili.train.dist.config import GradientConfig

POWERSGD_START = 10
"""Steps with plain sums before the first one with PowerSGD, which starts from their errors."""

Averaged = torch.futures.Future[torch.Tensor]


def packed_average(config: GradientConfig, group: dist.ProcessGroup, threads: int = 1) -> PackedAverage:
    """The mean of packed gradients over a group. Raises `InputError` where the native library is not to be had."""
    assert config.bits, "these gradients are not packed"
    library = load()
    if isinstance(library, Unavailable):
        raise InputError(f"gradients = {config.form}: {library}; use fp32 or fp16")
    settings = PackedSettings(config.bits, config.rotate, config.clip, config.keep_errors, config.reset_errors)
    return PackedAverage(group, GradientCodec(library, threads), settings)


def hook_ddp(model: DistributedDataParallel, config: GradientConfig, group: dist.ProcessGroup) -> PackedHook | None:
    """Let the gradients of a model travel in a form over a group. Returns what packs them, if anything does.

    DDP divides the gradients into other buckets after its first step, unless `find_unused_parameters` is set; errors
    begin anew then. Raises `InputError` where the form is not to be had, as PowerSGD with more than one bucket on gloo,
    for a group of other processes than DDP's, and for packed ones on DDP's own group.
    """
    if group.size() != model.process_group.size():
        sizes = f"{group.size()} processes, and DDP's has {model.process_group.size()}"
        raise InputError(f"gradients = {config.form}: the group has {sizes}: give one of the same")
    match config.form:
        case "fp32":
            return None
        case "fp16":
            model.register_comm_hook(group, fp16_compress_hook)
            return None
        case "powersgd":
            size = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
            room = 0 if model.bucket_bytes_cap_default else model.bucket_bytes_cap  # by default the first one is small
            if dist.get_backend(group) == "gloo" and size > room:
                raise InputError(
                    f"gradients = powersgd: on gloo the {size:,} bytes of all gradients must be one bucket: "
                    f"give DDP a bucket_cap_mb of {-(-size // 2**20)} or more"
                )
            state = PowerSGDState(group, matrix_approximation_rank=config.rank, start_powerSGD_iter=POWERSGD_START)
            model.register_comm_hook(state, powerSGD_hook)
            return None
        case _:
            if group is model.process_group:  # DDP sends on it meanwhile, in an order that differs between processes
                raise InputError(
                    f"gradients = {config.form}: give a group of their own, dist.new_group(), not that of DDP"
                )
            for name, parameter in model.module.named_parameters():
                if parameter.dtype != torch.float32 or parameter.device.type != "cpu":
                    given = f"{name} is {parameter.dtype} on {parameter.device.type}"
                    raise InputError(
                        f"gradients = {config.form}: {given}; fp32 on the CPU can be packed, use fp16 or fp32"
                    )
            hook = PackedHook(model, packed_average(config, group))
            model.register_comm_hook(hook.average, hook.start)
            return hook


def hook_fsdp(model: nn.Module, average: PackedAverage) -> None:
    """Average the sharded gradients of FSDP2 over a further group: between islands that each shard a model.

    Each shard of gradients is first summed inside its island, by FSDP2, and then averaged between islands. Raises
    `InputError` for a model without sharded modules.
    """
    sharded = {name: module for name, module in model.named_modules() if isinstance(module, FSDPModule)}
    if not sharded:
        raise InputError("packed gradients: no module of the model is sharded by FSDP2: call fully_shard before")
    for name, module in sharded.items():
        module.set_all_reduce_hook(partial(average.average, name=name or "(root)"))  # a part may have any other name


class PackedHook:
    """Averages DDP's buckets in a thread, one after another. Their names are made of their places and parameters."""

    def __init__(self, model: DistributedDataParallel, average: PackedAverage) -> None:
        self.average = average
        self._of_parameter = {id(parameter): name for name, parameter in model.module.named_parameters()}
        self._names = dict[int, str]()
        self._failure: Exception | None = None
        self._work = SimpleQueue[Callable[[], None] | None]()
        # a process that ends does not wait for such a thread, which may wait for a process that is no more
        self._thread = Thread(target=self._run, name="gradients", daemon=True)
        self._thread.start()

    def start(self, average, bucket):  # type: ignore[no-untyped-def]  # DDP refuses types that are written as text
        """Begin to average a bucket. Returns the future of its mean."""
        numbers, done = bucket.buffer(), Averaged()
        first, last = (self._of_parameter[id(bucket.parameters()[place])] for place in (0, -1))
        name = f"{bucket.index()}/{first}/{last}/{numbers.numel()}"
        if self._names.get(bucket.index(), name) != name:  # other buckets, and perhaps fewer
            self._names.clear()
            self._work.put(average.forget)
        self._names[bucket.index()] = name

        def work() -> None:
            try:
                average.average(numbers, name)
                done.set_result(numbers)
            except Exception as error:
                self._failure = error
                done.set_exception(error)  # type: ignore[arg-type]  # DDP raises one of its own for it

        self._work.put(work)
        return done

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Around a backward pass: what went wrong in the thread is raised as it was, not as DDP tells it."""
        try:
            yield
        except RuntimeError as error:
            if self._failure:
                raise self._failure from error
            raise

    def close(self) -> None:
        """End the threads. Waits for buckets that are on their way: at most the timeout of the group."""
        self._work.put(None)
        self._thread.join()
        self.average.close()

    def _run(self) -> None:
        while work := self._work.get():
            work()
