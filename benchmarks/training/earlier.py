"""An earlier commit's side of the benchmark `training`: its own `tuili train`, from its own sources."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.training.tuili_training import Segment, segment_of

REPOSITORY = Path(__file__).parents[2]


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A folder with the files of a commit, for the time of the `with` block."""
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch, "tree")
        git = ("git", "-C", str(REPOSITORY), "worktree")
        subprocess.run([*git, "add", "--quiet", "--detach", tree, commit], check=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", tree], check=True)


def train_earlier(tree: Path, recipe: str, overrides: Sequence[str]) -> Segment:
    """The speed of a new run by the sources in `tree`, after the first line of its log."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "tuili", "train", recipe, "--out", out, *overrides]
        subprocess.run(
            command, env=os.environ | {"PYTHONPATH": str(tree / "src")}, check=True, stdout=subprocess.DEVNULL
        )
        return segment_of(Path(out))
