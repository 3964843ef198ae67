"""The processes that share the steps of a run, as the training loop sees them, and the group of a single process.

Every process of a group holds a model and learns from some blocks of each step. The processes sum their gradients, so
that all make the same step. How several processes do that is left to the other modules of this package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from torch import Tensor

from tuili.errors import InputError, TuiliError

MAX_RESTARTS = 5
"""How often a run restarts by itself after one of its processes was killed, unless the user says otherwise."""
EXIT_FAILED, EXIT_REFUSED, EXIT_ALONE = 1, 2, 75
"""The exit codes of a process that has failed, of one that was not given what it needs, and of one that could not
continue because another one was gone."""

MEETING_SECONDS = 600
"""How long processes wait for those that have not started yet; torchrun waits as long for machines. Processes also wait
this long for each other in a step of unknown duration, and for process 0 between two steps."""
PREPARATION_SECONDS = 3600
"""How long processes wait for process 0 while it prepares the run, reads data, or writes the model."""

SHARING_SECONDS = 90.0
"""If this process does not see what another one has written after this time, it takes that to be on another disk. An
NFS client may take a minute to see it."""


class ReplicaDied(TuiliError):
    """Another process of the group was killed by a signal while it worked, or no longer answers."""

    first_tells = True
    """Whether process 0 reports that; it does not if it is the lost process itself."""

    def __init__(self, message: str, lost: int | None = None) -> None:
        """lost: the rank of that process, if known."""
        super().__init__(message)
        self.lost = lost


class Group(Protocol):
    """One process's view of its group: its own rank, and what it communicates to the others.

    All processes of a group call the methods below `world_size` equally often and in the same order. Each call except
    `scatter` waits for all of them.
    """

    @property
    def rank(self) -> int:
        """The number of this process, counted from 0. Process 0 writes the log and the checkpoints."""

    @property
    def world_size(self) -> int:
        """How many processes the group has."""

    def all_gather(self, value: Any) -> list[Any]:
        """The values that all processes passed to this call, in rank order; JSON must be able to represent them.

        Raises `TuiliError` in process 0 if another process has failed, and `ReplicaDied` if it was killed; the others
        end once process 0 has ended. Groups over torch raise torch's errors, which `processes.joined` turns into
        `ReplicaDied`.
        """

    def anyone(self, value: bool) -> bool:
        """Whether any process passed a true value. The others wait for process 0 as long as it may need to write the
        log.

        Raises what `all_gather` raises.
        """

    def scatter(self, parts: Sequence[bytes]) -> bytes:
        """What process 0 sends to this process: the part whose index is this process's rank. Only process 0's `parts`
        count.

        The others wait for process 0 as long as it may need to read data. Raises what `all_gather` raises.
        """

    def pace(self, seconds: float | None) -> None:
        """Announce a step. seconds: how long the last one took; None if that says nothing about this one.

        In this step, processes wait for each other that much longer.
        """

    def pause(self) -> None:
        """Announce work of unknown duration before the next step, which may keep processes from showing signs of life.
        All processes call this."""

    def watched(self) -> AbstractContextManager[None]:
        """While the `with` block lasts, a process that shows no sign of life is taken to hang, even if this process
        waits in something that cannot be interrupted. The consequences are those of a process that was killed."""


class ReplicaGroup(Group, Protocol):
    """A group that sums gradients and distributes weights by itself."""

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Give all processes the tensors of process 0, so that, if possible, they need no more copying afterwards.

        All processes call this once, with tensors of the same shapes. What a process writes into a tensor that it owns
        must reach the others by the next `exchange`, and must not be read earlier. Raises what `all_gather` raises.
        """

    def reduce(self, tensors: Sequence[Tensor], owners: Sequence[int]) -> None:
        """Replace each tensor, in the process that owns it, by its sum over all processes; the others keep theirs.

        All processes call this with tensors of the same shapes and the same owners. Raises what `all_gather` raises.
        """

    def exchange(self, tensors: Sequence[Tensor], owners: Sequence[int]) -> None:
        """Replace each tensor by its owner's version of it.

        All processes call this with tensors of the same shapes and the same owners. Raises what `all_gather` raises.
        """


class SingleProcess:
    """A group of one process, which has no other process to communicate with."""

    rank = 0
    world_size = 1

    def all_gather(self, value: Any) -> list[Any]:
        """A list of this value alone."""
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
        """Does nothing: this process waits for no other."""

    def pause(self) -> None:
        """Does nothing: no other process waits for this one."""

    def watched(self) -> AbstractContextManager[None]:
        """There is no process to watch."""
        return nullcontext()


def as_word(error: TuiliError) -> dict[str, Any]:
    """An error in the form in which one process reports it to others."""
    return {"fault": str(error), "refused": isinstance(error, InputError)}


def from_word(word: Mapping[str, Any], who: str) -> TuiliError:
    """The error that such a word reports, prefixed with the name of its sender."""
    return (InputError if word["refused"] else TuiliError)(f"{who}: {word['fault']}")


def told_once(group: Group, error: TuiliError) -> TuiliError | SystemExit:
    """What a process raises if all meet the same error: process 0 reports it, the others exit silently."""
    if group.rank == 0:
        return error
    return SystemExit(EXIT_REFUSED if isinstance(error, InputError) else EXIT_FAILED)
