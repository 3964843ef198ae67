"""What happens to a run whose processes have ended: whether it restarts, and its exit code if not. Also how a process
ends that has noticed the loss of another one."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tuili.parent import LAUNCHER_VARIABLE
from tuili.train.dist.group import EXIT_ALONE, EXIT_FAILED, ReplicaDied
from tuili.train.dist.processes.place import Place

EXIT_INTERRUPTED = 130
CONSEQUENCES = (0, EXIT_ALONE, EXIT_INTERRUPTED)
"""Exit codes that say nothing about why another process has failed."""
REQUESTS = (-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
"""Whoever sends these signals wants a process to end, and not to restart."""


@dataclass(frozen=True)
class End:
    """How a process has ended: `status` is its exit code, or the negated number of the signal that killed it."""

    rank: int
    status: int
    asked: bool = False
    """Whether the launcher had already sent it a signal."""


class Death(NamedTuple):
    """Why a run is to restart, and which process was lost, if known."""

    why: str
    rank: int | None = None


def cause_of_death(ends: Sequence[End]) -> Death | None:
    """Why a run whose processes have ended like this, in this order, is to restart; None if it is not.

    The first process that has ended for a reason of its own decides. If none has, the lost processes are others
    than those that noticed the loss: they are gone, or did not answer until the launcher signalled them.
    """
    if first := first_reason(ends):
        if first.status > 0 or first.status in REQUESTS:
            return None
        return Death(f"process {first.rank} was killed by {signal.Signals(-first.status).name}", first.rank)
    by_themselves = [end.status for end in ends if not end.asked]
    if EXIT_ALONE not in by_themselves or EXIT_INTERRUPTED in by_themselves or _reasons(ends):
        return None
    silent = min((end for end in ends if end.asked), key=lambda end: end.status != -signal.SIGKILL, default=None)
    if silent is None:
        return Death("a process has gone")
    return Death(f"process {silent.rank} did not answer any more", silent.rank)


def first_reason(ends: Sequence[End]) -> End | None:
    """The first process that has ended for a reason of its own, as far as that is known."""
    return next((end for end in ends if not end.asked and end.status not in CONSEQUENCES), None)


def exit_code(ends: Sequence[End], interrupted: bool) -> int:
    """The exit code of a run that does not restart: the first reason that any process had, even if it was asked to end.

    interrupted: whether the launcher was interrupted.
    """
    if reasons := _reasons(ends):
        return reasons[0]
    statuses = {end.status for end in ends}
    if statuses == {0}:  # also if it was interrupted too late
        return 0
    if any(status < 0 and status not in REQUESTS for status in statuses):  # perhaps while saving
        return EXIT_FAILED
    return EXIT_INTERRUPTED if interrupted or EXIT_INTERRUPTED in statuses else EXIT_FAILED


def _reasons(ends: Sequence[End]) -> list[int]:
    return [end.status for end in ends if end.status > 0 and end.status not in CONSEQUENCES]


def tell_loss(place: Place | None, error: ReplicaDied) -> None:
    """Print why this process ends, unless another one reports it: process 0 does, or one that stands in for it."""
    is_first = place is None or place.rank == 0
    if is_first or (place is not None and place.stands_in and not error.first_tells):
        who = "" if is_first or place is None else f"process {place.rank}: "
        remedy = "" if LAUNCHER_VARIABLE in os.environ else ": add --resume to go on"  # the launcher may restart it
        sys.stderr.write(f"tuili: error: {who}{error}{remedy}\n")
        sys.stderr.flush()


def end_beside_silent(place: Place, error: ReplicaDied) -> None:
    """End this process because another one hangs or is gone. Process 0 reports it, unless process 0 is that one."""
    try:
        tell_loss(place, error)
    finally:  # perhaps nobody reads stderr any more
        os._exit(EXIT_ALONE)
