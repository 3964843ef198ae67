"""What the processes of a test do: they average made-up gradients, or train a small model on data of their own."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from tests.processes import quick_context
from tests.waiting import GUARD_SECONDS
from tuili.errors import InputError, one_line
from tuili.native import GradientCodec
from tuili.train.dist.gradients.baselines import HalfAverage
from tuili.train.dist.gradients.codec import PackedAverage, PackedSettings
from tuili.train.dist.gradients.hooks import GradientConfig, hook_ddp, hook_fsdp, open_codec, packed_average
from tuili.train.dist.packed_weights import PackedGather

COUNTS = (1500, 100, 4096)
"""Numbers of the tensors that are averaged. In the second one are fewer blocks than processes."""
ROUNDS, SAVED_AFTER = 5, 2
STEPS = 4


def run_ranks(folder: Path, world_size: int, work: Callable[..., Any], *arguments: Any) -> list[dict[str, Tensor]]:
    """The tensors that `work(rank, *arguments)` returns in each of several processes with a group."""
    context = quick_context("spawn")
    processes = [
        context.Process(target=in_group, args=(folder, rank, world_size, work, arguments)) for rank in range(world_size)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(GUARD_SECONDS)
        process.kill()
    assert [process.exitcode for process in processes] == [0] * world_size
    return [load_file(folder / f"{rank}.safetensors") for rank in range(world_size)]


def in_group(folder: Path, rank: int, world_size: int, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", f"file://{folder}/meeting", timedelta(seconds=GUARD_SECONDS), rank=rank, world_size=world_size
    )
    tensors = work(rank, *arguments)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / f"{rank}.safetensors")
    dist.destroy_process_group()


def gradients_of(rank: int, round_number: int, count: int) -> Tensor:
    """What a process brings to a round; in round 3, process 1 has a number that is none."""
    gradients = torch.randn(count, generator=torch.Generator().manual_seed(100 * rank + round_number + count))
    if rank == 1 and round_number == 3:
        gradients[700:701] = torch.nan
    return gradients


def average_rounds(rank: int, settings: PackedSettings) -> dict[str, Tensor]:
    """The means of all rounds, by one that averages all and by one that goes on from what it saved."""
    whole, results = average_of(settings), {}
    for round_number in range(ROUNDS):
        if round_number == SAVED_AFTER:
            resumed = average_of(settings)
            resumed.load({name: tensor.clone() for name, tensor in whole.state().items()})
        for count in COUNTS:
            mean = gradients_of(rank, round_number, count)
            whole.average(mean, str(count))
            results[f"{round_number}/{count}"] = mean
            if round_number >= SAVED_AFTER:
                again = gradients_of(rank, round_number, count)
                resumed.average(again, str(count))
                assert torch.equal(again.nan_to_num(9e9), mean.nan_to_num(9e9))
    return results


def average_of(settings: PackedSettings) -> PackedAverage:
    config = GradientConfig(form="3bit")
    made = packed_average(config, dist.group.WORLD, torch.device("cpu"))
    assert isinstance(made.codec, GradientCodec)
    return PackedAverage(made.group, made.codec, settings)


def small_model() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(24, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 3))


def loss_of(model: nn.Module, rank: int, step: int) -> Tensor:
    x = torch.randn(16, 24, generator=torch.Generator().manual_seed(1000 * rank + step))
    loss: Tensor = (model(x) - x[:, :3]).square().mean()
    return loss


def train_ddp(rank: int, config: GradientConfig, bucket_mb: float, find_unused: bool) -> dict[str, Tensor]:
    """The weights behind some steps, and the gradients of the last one."""
    bare = small_model()
    model = DistributedDataParallel(bare, bucket_cap_mb=bucket_mb, find_unused_parameters=find_unused)
    hook = None if config.form == "fp32" else hook_ddp(model, config, dist.new_group())
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    for step in range(STEPS):
        optimizer.zero_grad()
        loss_of(model, rank, step).backward()
        optimizer.step()
    errors = hook.form.state() if hook else {}
    if hook:
        hook.close()
    gradients = {f"gradient/{name}": p.grad for name, p in bare.named_parameters() if p.grad is not None}
    return dict(bare.state_dict()) | gradients | {f"state/{name}": tensor for name, tensor in errors.items()}


def train_each(rank: int, mixtures: list[tuple[GradientConfig, float, bool]]) -> dict[str, Tensor]:
    """What `train_ddp` gives for each of several settings, by `place/name`."""
    results = [train_ddp(rank, *mixture) for mixture in mixtures]
    return {f"{place}/{name}": value for place, result in enumerate(results) for name, value in result.items()}


def train_islands(rank: int, config: GradientConfig) -> dict[str, Tensor]:
    """Two islands that each shard the model over two processes by FSDP2."""
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("islands", "shards"))
    model = small_model()
    for module in (model[0], model[2], model):
        fully_shard(module, mesh=mesh["shards"])
    if config.bits:
        hook_fsdp(model, packed_average(config, mesh["islands"].get_group(), torch.device("cpu")))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for step in range(STEPS):
        optimizer.zero_grad()
        loss_of(model, rank, step).backward()
        optimizer.step()
    return {name: parameter.full_tensor().detach() for name, parameter in model.named_parameters()}


def refuse(rank: int, folder: str) -> dict[str, Tensor]:
    """Whatever cannot be packed is refused in one line."""
    average = average_of(PackedSettings())
    refusals = []
    for call in (
        lambda: average.average(torch.zeros(9, dtype=torch.bfloat16), "a"),
        lambda: average.average(torch.zeros(9, 2).t(), "b"),
        lambda: packed_average(GradientConfig(form="3bit"), dist.group.WORLD, torch.device("cuda")),
        lambda: go_on_with_errors_of_another(rank),
        lambda: fail_while_packing(rank),
    ):
        try:
            call()
        except InputError as error:
            refusals.append(one_line(error))
    Path(folder, f"{rank}.txt").write_text("\n".join(refusals))
    return {}


def go_on_with_errors_of_another(rank: int) -> None:
    average = average_of(PackedSettings(keep=0.8))
    average.average(torch.ones(600), "a")
    of_another = {name: 1 - tensor if name == "a:place" else tensor for name, tensor in average.state().items()}
    with pytest.raises(InputError, match=f"errors of a: they are those of process {1 - rank} of -1, this is"):
        average.load(of_another)
    average.average(torch.ones(700), "a")


def fail_while_packing(rank: int) -> None:
    model = DistributedDataParallel(small_model())
    hook = hook_ddp(model, GradientConfig(form="3bit"), dist.new_group())
    hook.form.settings = PackedSettings(5)
    with hook.raising():
        loss_of(model, rank, 0).backward()


def gather_weights(rank: int) -> dict[str, Tensor]:
    """What each unit is computed with, and what this process holds of it."""
    model = small_model()
    codec = open_codec("weights", torch.device("cpu"), "fp32")
    units = [layer for layer in model if isinstance(layer, nn.Linear)]
    gathers = [PackedGather(codec) for _ in units]
    for layer, gather in zip(units, gathers, strict=True):
        cast(FSDPModule, fully_shard(layer)).set_custom_all_gather(cast(Any, gather))
    found = dict[str, Tensor]()
    for number, layer in enumerate(units):
        for name, value in layer.named_parameters():
            found[f"{number}/{name}/share"] = cast(DTensor, value).to_local().clone()
        unit = cast(FSDPModule, layer)
        unit.unshard()
        found |= {f"{number}/{name}/whole": value.detach().clone() for name, value in layer.named_parameters()}
        unit.reshard()
    assert all(gather.has_gathered for gather in gathers)
    codec.close()
    return found


def average_halves(rank: int) -> dict[str, Tensor]:
    """The mean of numbers of all sizes, and of some that are none."""
    average, numbers = HalfAverage(dist.group.WORLD), torch.tensor([1e-8 * (rank + 1), 1e-3, 1.0, 0.0])
    large, spoilt, nothing = numbers * 1e30, numbers.clone(), torch.zeros(3)
    spoilt[rank] = (torch.inf, torch.nan)[rank]
    for tensor in (numbers, large, spoilt, nothing):
        average.average(tensor, "a")
    return {"numbers": numbers, "large": large, "spoilt": spoilt, "nothing": nothing}
