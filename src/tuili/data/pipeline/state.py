"""The state of a build between two steps: where reading continues, how far each file is written, and the tally. Also
the folder that holds all this until the build is done.
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
"""The subfolder with the state, the journals and, for Parquet, shards to be converted; it is removed at the end."""
_WORK_SUFFIX = ".building"


class State(msgspec.Struct):
    """All that a resumed build needs. It is written after the files that it describes are on the disk."""

    recipe: str
    """A hash of the recipe and of Tuili's version."""
    corpus: str
    """A hash of the files of the corpus."""
    file: int = 0
    """The file to read next, ..."""
    item: int = 0
    """... starting with this item."""
    kept: ShardPosition = msgspec.field(default_factory=ShardPosition)
    dropped: ShardPosition = msgspec.field(default_factory=ShardPosition)
    journals: dict[str, int] = {}
    """The length of each ordered block's journal in bytes, by the block's position."""
    refusals: Refusals = msgspec.field(default_factory=Refusals)
    tally: Tally = msgspec.field(default_factory=Tally)
    complete: bool = False
    """Whether everything was read."""


def work_folder(folder: Path) -> Path:
    """The folder that holds the work of a build until it is done.

    Raises `InputError` if the folder's name makes writing impossible: it is the name of a file, too long, or no name at
    all, as `.`, `..` and `/`.
    """
    if folder.name in ("", ".."):
        raise InputError(f"{folder} exists already: choose another place")
    work = folder.with_name(f"{folder.name}{_WORK_SUFFIX}")
    with refusing_faults(folder):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file: choose another place")
        work.exists()  # raises if the name is too long
    return work


def is_unfinished(folder: Path) -> bool:
    """Whether a folder holds the work of an unfinished build."""
    try:
        return (folder / PRIVATE).is_dir() and folder.resolve().name.endswith(_WORK_SUFFIX)
    except OSError:  # a folder that cannot be read
        return False


def read_state(folder: Path, recipe: str, corpus: str) -> State | None:
    """The state of an interrupted build, or None if there is none.

    Raises `InputError` if that build had another recipe or other documents.
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
    """Write the state so that a crash leaves either the whole new state or the old one."""
    write_durably(folder / STATE_FILE, msgspec.json.encode(state))
