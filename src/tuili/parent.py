"""The process that started this one: what works for it is of no use without it."""

from __future__ import annotations

import os
from multiprocessing import parent_process
from threading import Thread


def end_with_parent() -> None:
    """Ends this process, begun by `multiprocessing`, as soon as the one that began it is gone, killed or not."""
    Thread(target=_follow_parent, name="parent", daemon=True).start()


def _follow_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
