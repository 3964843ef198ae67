"""How measuring tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the name of a job, how many of its parts are finished, and how many there are."""

JobProgress = Callable[[int, int], None]
"""Called with how many parts of one job are finished, and how many there are."""
