"""Opens the backend that a recipe names, over the group that its processes have formed."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from tuili.train.checkpoint import Tensors
from tuili.train.dist.backend import Backend, Replicas
from tuili.train.dist.group import Group, ReplicaGroup
from tuili.train.dist.torch_group import TorchGroup
from tuili.train.setup import TrainingSetup


def open_backend(
    setup: TrainingSetup, group: Group, tensors: Tensors | None, tell: Callable[[str], None] = lambda line: None
) -> Backend:
    """The backend that a recipe names, starting from a checkpoint's tensors or from the model's weights.

    `tell` receives a line that describes what torch or DeepSpeed has made of the model. Raises `TuiliError` if that is
    not what was asked for.
    """
    name = setup.recipe.train.dist.backend
    if name == "replicas":
        return Replicas(setup, cast(ReplicaGroup, group), tensors, tell)
    assert isinstance(group, TorchGroup)
    if name == "ddp":  # torch's wrappers take a while to import
        from tuili.train.dist.ddp import Ddp

        return Ddp(setup, group, tensors, tell)
    if name == "zero3":
        from tuili.train.dist.zero3 import Zero3

        return Zero3(setup, group, tensors, tell)
    from tuili.train.dist.fsdp2 import Fsdp2

    return Fsdp2(setup, group, tensors, tell)
