"""Models that a command line of Tuili makes in the folder of a run, once. An interrupted run goes on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tuili.errors import InputError
from tuili.store import LineageEntry, read_lineage


def made(folder: Path, is_of: Callable[[LineageEntry], bool], *command: str) -> Path:
    """The model of a run's folder, made by a command unless it is there.

    is_of: whether the last entry of its lineage is of what the command asks for.
    """
    model = folder / "model"
    if not (model.is_dir() and is_of(read_lineage(model)[-1])):
        print(f"bench: {' '.join(command[:2])} in {folder.name}", flush=True)
        resume = ["--resume"] if (folder / "run.json").is_file() else []
        tuili(*command, "--out", str(folder), *resume)
    return model


def tuili(*arguments: str) -> None:
    """Run a command line of Tuili. Raises `InputError` with what it says where it fails."""
    done = subprocess.run([sys.executable, "-m", "tuili", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise InputError(f"tuili {' '.join(arguments)} failed and says: {said}")
