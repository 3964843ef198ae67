"""What DeepSpeed is told: its settings as a recipe has them, and which processes share a model.

What is done with it is left to `zero3`.
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
"""In fp16 the loss is multiplied by 2^16 at first; half of it after each step that overflows, which is left out, and
twice as much behind every 1,000 steps without one."""
LARGEST_BUCKET = 500_000_000
"""Numbers of the gradients that are sent together at most, DeepSpeed's own default: it has room for as many."""


def load_deepspeed(device: torch.device) -> Any:
    """The package, for a device. It tells errors alone, and compiles nothing at run time.

    On a CPU it would compile an exchange of its own, for minutes; where that is killed, a lock stays behind, for which
    all later runs wait.
    """
    os.environ.setdefault("DS_ACCELERATOR", device.type)
    os.environ.setdefault("LOCAL_RANK", "0")  # DeepSpeed refuses to start without it
    import deepspeed

    deepspeed.utils.logger.setLevel("ERROR")
    warnings.filterwarnings("ignore", r"`torch\.distributed\.\w+` is deprecated", FutureWarning)  # it calls them so
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    return deepspeed


def deepspeed_settings(recipe: Recipe, plan: ExecutionPlan, processes: int, layer: int) -> dict[str, Any]:
    """The settings for a training that so many processes share. layer: the weights of the largest layer."""
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
    """The processes among which DeepSpeed divides a model, in the form in which it asks for them."""

    def __init__(self, group: dist.ProcessGroup) -> None:
        self._group = group

    def get_data_parallel_group(self) -> dist.ProcessGroup:
        """All."""
        return self._group

    def get_data_parallel_world_size(self) -> int:
        """How many there are."""
        return self._group.size()

    def get_data_parallel_rank(self) -> int:
        """Which of them this one is."""
        return self._group.rank()

    def get_model_parallel_group(self) -> None:
        """No layer is divided in its computation."""

    def get_model_parallel_world_size(self) -> int:
        """One computes a layer."""
        return 1

    def get_model_parallel_rank(self) -> int:
        """The first of one."""
        return 0
