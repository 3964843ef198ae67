"""What a form of gradients carries from step to step, in checkpoints: each process continues with its own state.

What that is, such as the errors of packed gradients, is left to `codec` and `baselines`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

from torch import Tensor

from tuili.errors import InputError
from tuili.train.dist.group import Group

ERRORS = "errors"
"""The group of a checkpoint's tensors that holds this state, as `rank/way kind/name`."""
OTHERS = "it was lost by other processes"


class GradientForm(Protocol):
    """A form in which gradients travel between processes."""

    @property
    def kind(self) -> str:
        """Forms of the same kind can continue from each other's state."""

    @property
    def carries(self) -> bool:
        """Whether a step depends on state that earlier steps left."""

    @property
    def names(self) -> AbstractSet[str]:
        """The parts of the gradients that have been sent so far."""

    def state(self) -> dict[str, Tensor]:
        """What this process carries, by name; the names of errors end in `errors`."""

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from what `state` gave. Raises `InputError` for the state of another process."""

    def forget(self) -> None:
        """Drop the state and start again."""

    def close(self) -> None:
        """End background work."""


def collect_errors(group: Group, way: str, form: GradientForm | None) -> dict[str, dict[str, Tensor]]:
    """What this process carries, as a group of tensors; nothing if its form carries nothing.

    way: the backend, and whatever else the names of the parts depend on.
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
    """Continue with what this process carried when the tensors of a checkpoint were collected.

    `tell` receives a line if errors of that time are no longer added to gradients.
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
        except InputError:  # the processes were in other islands
            obstacle = OTHERS
    if form and (obstacle := next(filter(None, group.all_gather(obstacle)), None)):
        form.forget()
    now = form.state() if form else {}
    if _holds_errors(held) and not _holds_errors(now):
        tell(f"what gradients had lost is forgotten: {obstacle or 'it is not kept any more'}")


def _holds_errors(tensors: Mapping[str, Tensor]) -> bool:
    return any(name.endswith("errors") and bool(value.any()) for name, value in tensors.items())
