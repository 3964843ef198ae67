"""How measurements report their progress."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the name of a job, the number of its finished parts, and their total."""

JobProgress = Callable[[int, int], None]
"""Called with the number of finished parts of one job, and their total."""
