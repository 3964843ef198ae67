"""What DeepSpeed is given: its settings, derived from a recipe, and the processes that share a model.

How they are used is left to `zero3`.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

import torch
import torch.distributed as dist

from tuili.train.execution import ExecutionPlan
from tuili.train.recipe import Recipe

LOSS_SCALING = {
    "loss_scale": 0,  # dynamic
    "initial_scale_power": 16,
    "loss_scale_window": 1000,
    "hysteresis": 1,
    "min_loss_scale": 1,
}
"""In fp16 the loss is multiplied by 2^16 at first; by half as much after each step that overflows, which is skipped,
and by twice as much after every 1,000 steps without an overflow."""
LARGEST_BUCKET = 500_000_000
"""The most gradient values that are sent together, DeepSpeed's own default: it allocates room for as many."""


def load_deepspeed(device: torch.device) -> Any:
    """The package, for a device. It logs only errors, and compiles nothing at run time.

    On a CPU it would spend minutes compiling its own communication extension; if that is killed, it leaves a lock for
    which all later runs wait.
    """
    os.environ.setdefault("DS_ACCELERATOR", device.type)
    os.environ.setdefault("LOCAL_RANK", "0")  # DeepSpeed refuses to start without it
    import deepspeed

    deepspeed.utils.logger.setLevel("ERROR")
    warnings.filterwarnings("ignore", r"`torch\.distributed\.\w+` is deprecated", FutureWarning)  # DeepSpeed's calls
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    return deepspeed


def deepspeed_settings(recipe: Recipe, plan: ExecutionPlan, processes: int, layer: int) -> dict[str, Any]:
    """The settings for a training that so many processes share. layer: the number of weights of the largest layer."""
    train = recipe.train
    return {
        "train_micro_batch_size_per_gpu": train.rows,
        "gradient_accumulation_steps": train.accumulation // processes,
        "gradient_clipping": train.clip or 0.0,
        "zero_optimization": {
            "stage": 3,
            "stage3_param_persistence_threshold": 0,
            "reduce_bucket_size": min(LARGEST_BUCKET, layer),
            "contiguous_gradients": True,
            "overlap_comm": plan.device.type == "cuda",
        },
        "fp16": {"enabled": plan.precision == "fp16"} | LOSS_SCALING,
    }


class Processes:
    """The processes among which DeepSpeed divides a model, through the interface that it expects."""

    def __init__(self, group: dist.ProcessGroup) -> None:
        self._group = group

    def get_data_parallel_group(self) -> dist.ProcessGroup:
        """All processes."""
        return self._group

    def get_data_parallel_world_size(self) -> int:
        """The number of processes."""
        return self._group.size()

    def get_data_parallel_rank(self) -> int:
        """The rank of this process among them."""
        return self._group.rank()

    def get_model_parallel_group(self) -> None:
        """None: the computation of a layer is not divided."""

    def get_model_parallel_world_size(self) -> int:
        """One process computes a layer."""
        return 1

    def get_model_parallel_rank(self) -> int:
        """The rank of this process among that one: 0."""
        return 0
