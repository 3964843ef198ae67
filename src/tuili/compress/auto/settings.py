"""The settings of a search, and the plan made from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tuili.compress.auto.halving import Rung, total_steps
from tuili.compress.auto.making import refuse_others
from tuili.compress.auto.pace import Pace
from tuili.compress.auto.space import Candidate, Left
from tuili.compress.auto.targets import Targets
from tuili.errors import InputError

MOST_CANDIDATES = 27
CHECKED_MODELS = 3
"""Measured besides the candidates: the parent, and at the end the parent and the chosen model on other problems."""


@dataclass(frozen=True)
class AutoSettings:
    """minutes: for all sessions together. data, test: files in place of the parent's own. problems: the number on which
    the search chooses; the check uses as many others. first: steps of the shortest recovery. most: the most
    candidates. changes: to the recipes of the methods.

    Raises `InputError` for numbers that no search can have, and for changes that belong to no method.
    """

    targets: Targets
    minutes: float
    data: Path | None = None
    test: Path | None = None
    problems: int = 240
    first: int = 50
    most: int = MOST_CANDIDATES
    changes: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        given = {"minutes": (self.minutes, 0), "problems": (self.problems, 1), "first": (self.first, 0)}
        for option, (value, least) in (given | {"candidates": (self.most, 0)}).items():
            if not least < value < 1e9:
                raise InputError(f"--{option} is {value:g}: give more than {least} and less than 1e9")
        refuse_others(self.changes)

    def fixed(self) -> dict[str, Any]:
        """What must be the same in all sessions, as JSON-compatible values. Files are identified by content elsewhere,
        and a later session may take longer."""
        numbers = {"problems": self.problems, "first": self.first, "candidates": self.most}
        return asdict(self.targets) | numbers | {"changes": list(self.changes)}


@dataclass(frozen=True)
class AutoPlan:
    """What would be tried: the candidates, of which each rung keeps the best, and the pace of this machine. parent:
    bytes of its weights."""

    tried: Sequence[Candidate]
    planned: Sequence[Rung]
    pace: Pace
    parent: int

    @property
    def seconds(self) -> float:
        """About how many seconds the search takes."""
        models = sum(rung.count for rung in self.planned) + CHECKED_MODELS
        return self.pace.seconds_for(total_steps(self.planned), models)

    @property
    def disk(self) -> int:
        """Bytes of all models that are kept, if none is larger than the parent."""
        links = sorted((len(one.chain) for one in self.tried), reverse=True)
        return self.parent * sum(sum(links[: rung.count]) for rung in self.planned)

    @property
    def lines(self) -> list[str]:
        """The plan as lines for readers."""
        names = [f"  {one.name}: about {_told(one.left)}" for one in self.tried]
        rungs = [f"  {rung.count} of {rung.steps} steps" for rung in self.planned]
        time = f"time: about {self.seconds / 60:.1f} minutes, by a trial"
        room = f"memory: about {self.pace.memory / 1e9:.1f} GB; disk: up to {self.disk / 1e9:.2g} GB for models"
        return [f"candidates: {len(self.tried)}", *names, "rungs, the best of each go on:", *rungs, room, time]


def _told(left: Left) -> str:
    of_bytes, of_token = (f"{100 * (share - 1):+.0f}%" for share in (left.bytes, left.active))
    return f"{of_bytes} of the weights' bytes, {of_token} of the parameters that a token uses"
