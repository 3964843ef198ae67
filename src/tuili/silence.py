"""Silences the reports and progress bars of transformers: whatever matters in them is raised as an error.

Every module that loads networks with transformers may use it. transformers is imported on first use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Let transformers print only errors within the block."""
    from transformers.utils import logging

    library: Any = logging  # it has no type hints
    verbosity, bars = library.get_verbosity(), library.is_progress_bar_enabled()
    library.set_verbosity_error()
    library.disable_progress_bar()
    try:
        yield
    finally:
        library.set_verbosity(verbosity)
        if bars:
            library.enable_progress_bar()
