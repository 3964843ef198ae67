"""The state of a build between two steps: where reading goes on, how far each file has been written, and the tally; and
where all this lies until the build is done.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from tuili.data.pipeline.listing import Refusals
from tuili.data.pipeline.tally import Tally
from tuili.data.pipeline.writers.shards import ShardPosition
from tuili.errors import InputError, TuiliError
from tuili.files import refusing_faults, write_durably

STATE_FILE = "state.json"
PRIVATE = ".build"
"""The folder in it that holds state, journals and, for Parquet, shards to be converted; it is removed at the end."""
_WORK_SUFFIX = ".building"


class State(msgspec.Struct):
    """All that a build that goes on must know. Written after the files that it speaks of are on the disk."""

    recipe: str
    """A hash of the recipe and of Tuili's version."""
    corpus: str
    """A hash of the files of the corpus."""
    file: int = 0
    """The file that is read next, ..."""
    item: int = 0
    """... from this item on."""
    kept: ShardPosition = msgspec.field(default_factory=ShardPosition)
    dropped: ShardPosition = msgspec.field(default_factory=ShardPosition)
    journals: dict[str, int] = {}
    """Bytes of the journal of each ordered block, by its place."""
    refusals: Refusals = msgspec.field(default_factory=Refusals)
    tally: Tally = msgspec.field(default_factory=Tally)
    complete: bool = False
    """Whether all was read."""


def work_folder(folder: Path) -> Path:
    """Where the work of a build lies until it is done.

    Raises `InputError` where the folder cannot be written for its name: that of a file, too long, or none, as `.`, `..`
    and `/`.
    """
    if folder.name in ("", ".."):
        raise InputError(f"{folder} exists already: choose another place")
    work = folder.with_name(f"{folder.name}{_WORK_SUFFIX}")
    with refusing_faults(folder):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file: choose another place")
        work.exists()  # raises for too long a name
    return work


def is_unfinished(folder: Path) -> bool:
    """Whether a folder holds the work of a build that is not done."""
    try:
        return (folder / PRIVATE).is_dir() and folder.resolve().name.endswith(_WORK_SUFFIX)
    except OSError:  # a folder that cannot be read
        return False


def read_state(folder: Path, recipe: str, corpus: str) -> State | None:
    """The state of a build that was left, or None where there is none.

    Raises `InputError` where it was left by another recipe or documents have changed since.
    """
    path = folder / STATE_FILE
    try:
        state = msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, OSError) as error:
        raise TuiliError(f"{path} cannot be read ({error}): remove {folder} and begin anew") from error
    for then, now, what in (
        (state.recipe, recipe, "another recipe or another version of Tuili"),
        (state.corpus, corpus, "other documents"),
    ):
        if then != now:
            raise InputError(f"{folder} was left by a build with {what}: remove it, or choose another place")
    return state


def write_state(folder: Path, state: State) -> None:
    """Write the state so that after a crash it is there whole, or as it was before."""
    write_durably(folder / STATE_FILE, msgspec.json.encode(state))
