"""How a process recognises, from the errors that torch raises, that another process is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist

from tuili.errors import one_line
from tuili.train.dist.group import ReplicaDied

_SIGNS_OF_LOSS = (
    "Connection closed by peer",
    "Application timeout caused pair closure",
    "Timed out waiting",
    "Read error [",
    "Read timeout [",
    "writev [",
    "Write timeout [",
    "Gloo connectFullMesh failed",
)
"""What gloo says about lost connections, in plain errors; which of these appears depends on who notices the loss first.
Other errors of gloo do not mean a loss."""


@contextmanager
def noticing_loss() -> Iterator[None]:
    """Turns what torch raises if another process is gone or does not answer in time into `ReplicaDied`.

    Other errors stay as they are: a run that meets them is not restarted.
    """
    try:
        yield
    except RuntimeError as error:
        of_torch = isinstance(error, (dist.DistBackendError, dist.DistNetworkError, dist.DistStoreError))
        if not (of_torch or any(sign in str(error) for sign in _SIGNS_OF_LOSS)):
            raise
        raise ReplicaDied(f"another process has ended or does not answer ({without_place(error)})") from error


def without_place(error: Exception) -> str:
    """Torch's message without its source line, and without what gloo adds for its own users."""
    return re.sub(r"^\[\S*?:\d+\]\s*|\.? This is typically caused by .*", "", one_line(error))
