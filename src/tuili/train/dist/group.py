"""The processes that share the steps of a run, as the training loop sees them, and the group of one process alone.

Every process of a group holds a model, learns from some blocks of each step, and adds up its gradients with those of
the others, so that all make the same step. How several processes do that is left to the other modules of this package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from torch import Tensor

from tuili.errors import InputError, TuiliError

MAX_RESTARTS = 5
"""How often a run goes on by itself after a process of it was killed, unless the user says otherwise."""
EXIT_FAILED, EXIT_REFUSED, EXIT_ALONE = 1, 2, 75
"""The exit codes of a process that has failed, of one that was not given what it needs, and of one that could not go on
because another one had gone."""

MEETING_SECONDS = 600
"""How long processes wait for those that have not been started yet; torchrun waits as long for machines. They wait as
long for one another in a step of which nobody knows how long it takes, and for process 0 between two steps."""
PREPARATION_SECONDS = 3600
"""How long processes wait for process 0 where it prepares the run, reads data, or writes the model."""

SHARING_SECONDS = 90.0
"""After which what another process has written, and this one does not see, is taken to be on another disk. A client of
NFS may take a minute to see it."""


class ReplicaDied(TuiliError):
    """Another process of the group was killed by a signal while it worked, or does not answer any more."""

    first_tells = True
    """Whether process 0 tells that; it does not where it is the one that has gone."""

    def __init__(self, message: str, lost: int | None = None) -> None:
        """lost: the rank of that process, where it is known."""
        super().__init__(message)
        self.lost = lost


class Group(Protocol):
    """One process's view of its group: who it is, and what it tells the others.

    All processes of a group call the methods below `world_size` equally often and in the same order. Each call but
    `scatter` waits for all of them.
    """

    @property
    def rank(self) -> int:
        """The number of this process, from 0 on. Process 0 writes the log and the checkpoints."""

    @property
    def world_size(self) -> int:
        """How many processes the group has."""

    def all_gather(self, value: Any) -> list[Any]:
        """The values with which all processes called this, in the order of their ranks; JSON must be able to hold them.

        Raises `TuiliError` in process 0 when another process has failed, and `ReplicaDied` when it was killed; the
        others end when process 0 has ended. Processes of torch's raise errors of torch, of which `processes.joined`
        makes `ReplicaDied`.
        """

    def anyone(self, value: bool) -> bool:
        """Whether any process has called this with a true value. Others wait for process 0 as long as it may need to
        write the log.

        Raises what `all_gather` raises.
        """

    def scatter(self, parts: Sequence[bytes]) -> bytes:
        """What process 0 has for this process: the part at the place of its rank. Only process 0's parts count.

        Others wait for process 0 as long as it may need to read data. Raises what `all_gather` raises.
        """

    def pace(self, seconds: float | None) -> None:
        """A step begins, and the last one has taken so many seconds; None where it tells nothing of this one.

        So much longer they wait for one another in it.
        """

    def pause(self) -> None:
        """What comes before the next step takes nobody knows how long, and may keep processes from showing that they
        live. All processes call this."""

    def watched(self) -> AbstractContextManager[None]:
        """While the `with` block lasts, whoever shows no sign of life is taken to hang, also where this process waits
        in something that cannot be interrupted. What comes of it is that of a process that was killed."""


class ReplicaGroup(Group, Protocol):
    """A group that adds up gradients and hands on weights by itself."""

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Let all processes have the tensors of process 0, which need no more copying then, if that is possible.

        All processes call this once, with tensors of the same shapes. What a process writes into a tensor that it owns,
        the others have to have after the next `exchange`, and may not read before it. Raises what `all_gather` raises.
        """

    def reduce(self, tensors: Sequence[Tensor], owners: Sequence[int]) -> None:
        """Replace each tensor by its sum over all processes in the one that owns it; the others keep theirs.

        All processes call this with tensors of the same shapes and the same owners. Raises what `all_gather` raises.
        """

    def exchange(self, tensors: Sequence[Tensor], owners: Sequence[int]) -> None:
        """Replace each tensor by that of the process that owns it.

        All processes call this with tensors of the same shapes and the same owners. Raises what `all_gather` raises.
        """


class SingleProcess:
    """A group of one process, which has nobody to exchange anything with."""

    rank = 0
    world_size = 1

    def all_gather(self, value: Any) -> list[Any]:
        """The value alone."""
        return [value]

    def anyone(self, value: bool) -> bool:
        """The value."""
        return value

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Leaves the tensors as they are."""

    def reduce(self, tensors: Sequence[Tensor], owners: Sequence[int]) -> None:
        """Leaves the tensors as they are."""

    def exchange(self, tensors: Sequence[Tensor], owners: Sequence[int]) -> None:
        """Leaves the tensors as they are."""

    def scatter(self, parts: Sequence[bytes]) -> bytes:
        """The only part."""
        (part,) = parts
        return part

    def pace(self, seconds: float | None) -> None:
        """It waits for nobody."""

    def pause(self) -> None:
        """Nor does anybody wait for it."""

    def watched(self) -> AbstractContextManager[None]:
        """There is nobody to be watched."""
        return nullcontext()


def as_word(error: TuiliError) -> dict[str, Any]:
    """An error as one process tells it to others."""
    return {"fault": str(error), "refused": isinstance(error, InputError)}


def from_word(word: Mapping[str, Any], who: str) -> TuiliError:
    """The error that such a word tells, with the name of whom it comes from."""
    return (InputError if word["refused"] else TuiliError)(f"{who}: {word['fault']}")


def told_once(group: Group, error: TuiliError) -> TuiliError | SystemExit:
    """What a process raises where all meet the same error: process 0 tells it, the others end without a word."""
    if group.rank == 0:
        return error
    return SystemExit(EXIT_REFUSED if isinstance(error, InputError) else EXIT_FAILED)
