"""Processes that start at once, for tests that start many: copies of one that has imported torch and Tuili.

The package starts them by `spawn`, where each imports all that anew, for five seconds of computing. Tests that tell how
processes get signals, or how they end with their parent, keep to that.
"""

from __future__ import annotations

from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerContext

import pytest

PRELOADED = ["torch", "tuili.train.run", "tuili.eval.parallel"]
STARTERS = ("tuili.train.dist.replicas", "tuili.eval.parallel")
"""Modules that start processes."""


def quick_context(method: str) -> ForkServerContext:
    """A context in place of the one of `method`."""
    assert method == "spawn"
    forkserver.set_forkserver_preload(PRELOADED)
    forkserver.ensure_running()  # here, where no signal is blocked: the processes inherit that
    return get_context("forkserver")


def start_quickly(patch: pytest.MonkeyPatch) -> None:
    """Let Tuili start such processes until the patch is undone."""
    for module in STARTERS:
        patch.setattr(f"{module}.get_context", quick_context)
