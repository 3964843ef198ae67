"""What a form of gradients carries from step to step, in checkpoints: each process goes on with its own.

What that is, such as what packed gradients have lost, is left to `codec` and `baselines`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

from torch import Tensor

from tuili.errors import InputError
from tuili.train.dist.group import Group

ERRORS = "errors"
"""The group of a checkpoint's tensors that holds this, as `rank/way kind/name`."""
OTHERS = "it was lost by other processes"


class GradientForm(Protocol):
    """A form in which gradients travel between processes."""

    @property
    def kind(self) -> str:
        """Forms of one kind can go on from one another's state."""

    @property
    def carries(self) -> bool:
        """Whether a step depends on what earlier ones have left."""

    @property
    def names(self) -> AbstractSet[str]:
        """The parts of the gradients that have travelled so far."""

    def state(self) -> dict[str, Tensor]:
        """What this process carries, by name; `errors` is the end of the names of what was lost."""

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave. Raises `InputError` for that of another process."""

    def forget(self) -> None:
        """Begin anew."""

    def close(self) -> None:
        """End what works beside the training."""


def collect_errors(group: Group, way: str, form: GradientForm | None) -> dict[str, dict[str, Tensor]]:
    """What this process carries, as a group of tensors; nothing where its form carries nothing.

    way: the backend, and what else the names of the parts depend on.
    """
    if form is None or not form.carries:
        return {}
    return {ERRORS: {f"{group.rank}/{way} {form.kind}/{name}": value for name, value in form.state().items()}}


def load_errors(
    group: Group,
    way: str,
    form: GradientForm | None,
    tensors: Mapping[str, Mapping[str, Tensor]],
    tell: Callable[[str], None],
) -> None:
    """Go on with what this process carried when the tensors of a checkpoint were collected.

    `tell` is given a line where something was lost then that is not added to gradients any more.
    """
    saved = tensors.get(ERRORS, {})
    ranks = sorted({int(key.partition("/")[0]) for key in saved})
    if not ranks:
        return
    rank = group.rank if group.rank in ranks else ranks[0]
    keys = [key.split("/", 2) for key in saved if key.startswith(f"{rank}/")]
    saved_as, held = keys[0][1], {key[2]: saved["/".join(key)] for key in keys}
    obstacle = None
    if form is None or not form.carries:
        obstacle = "it is not kept any more"
    elif saved_as != f"{way} {form.kind}":
        obstacle = f"it was lost by {saved_as} gradients"
    elif len(ranks) != group.world_size:
        obstacle = OTHERS
    else:
        try:
            form.load(held)
        except InputError:  # they were in other islands
            obstacle = OTHERS
    if form and (obstacle := next(filter(None, group.all_gather(obstacle)), None)):
        form.forget()
    now = form.state() if form else {}
    if _holds_errors(held) and not _holds_errors(now):
        tell(f"what gradients had lost is forgotten: {obstacle or 'it is not kept any more'}")


def _holds_errors(tensors: Mapping[str, Tensor]) -> bool:
    return any(name.endswith("errors") and bool(value.any()) for name, value in tensors.items())
