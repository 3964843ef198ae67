"""What packed gradients have lost, in checkpoints: each process goes on with its own, which process 0 writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from tuili.errors import InputError
from tuili.train.dist.codec import PackedAverage
from tuili.train.dist.processes import TorchGroup

ERRORS = "errors"
"""The group of a checkpoint's tensors that holds this, as `rank/name`."""


def collect_errors(group: TorchGroup, average: PackedAverage | None) -> dict[str, dict[str, Tensor]]:
    """In process 0 what all processes have lost, as a group of tensors; nothing where that is not kept.

    All processes call this.
    """
    if average is None or average.settings.keep is None:
        return {}
    collected = group.collect(average.state())
    return {ERRORS: collected} if group.rank == 0 else {}


def load_errors(
    group: TorchGroup,
    average: PackedAverage | None,
    tensors: Mapping[str, Mapping[str, Tensor]],
    tell: Callable[[str], None],
) -> None:
    """Go on with what this process had lost when the tensors of a checkpoint were collected.

    `tell` is given a line where other processes had lost it: then it is forgotten.
    """
    of_ranks: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.get(ERRORS, {}).items():
        rank, _, name = key.partition("/")
        of_ranks.setdefault(rank, {})[name] = value
    if average is None or average.settings.keep is None or not of_ranks:
        return
    fits = len(of_ranks) == group.world_size
    if fits:
        try:
            average.load(of_ranks[str(group.rank)])
        except InputError:  # they were in other islands
            fits = False
    if not all(group.all_gather(fits)):
        average.forget()
        tell("what packed gradients had lost is forgotten: it was lost by other processes")
