"""How a process and the ones that it starts are tied together: where these find modules, and when they end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread

LOOK_SECONDS = 0.5
LAUNCHER_VARIABLE = "TUILI_LAUNCHER"
"""The variable in which a launcher passes its process ID to those that it starts: they may look after it is gone."""


def same_modules() -> Mapping[str, str]:
    """What a Python that this process starts needs in its environment to find modules where this one does.

    Otherwise it would look first in the working folder, as it does for `-m` and `-c`.
    """
    places = os.pathsep.join(place or str(Path.cwd()) for place in sys.path)
    return {"PYTHONPATH": places, "PYTHONSAFEPATH": "1"}


def end_with_parent() -> None:
    """End this process as soon as the one that started it by `multiprocessing` is gone, even if that was killed."""
    Thread(target=_follow_parent, name="parent", daemon=True).start()


def end_with_launcher() -> None:
    """The same for a process that was started in any way; it polls.

    `LAUNCHER_VARIABLE` names the process to watch; without it, that is the current parent.
    """
    launcher = int(os.environ.get(LAUNCHER_VARIABLE, os.getppid()))
    Thread(target=_follow_launcher, args=(launcher,), name="launcher", daemon=True).start()


def _follow_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _follow_launcher(launcher: int) -> None:
    while os.getppid() == launcher:
        time.sleep(LOOK_SECONDS)
    os._exit(1)
