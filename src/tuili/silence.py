"""transformers without its reports and progress bars: what matters of them is raised as an error.

Every part that loads networks by transformers may use it. transformers is imported with the first use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """transformers prints errors alone while this lasts."""
    from transformers.utils import logging

    library: Any = logging  # without types
    verbosity, bars = library.get_verbosity(), library.is_progress_bar_enabled()
    library.set_verbosity_error()
    library.disable_progress_bar()
    try:
        yield
    finally:
        library.set_verbosity(verbosity)
        if bars:
            library.enable_progress_bar()
