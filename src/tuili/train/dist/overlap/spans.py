"""The names under which a profiler's trace shows the parts of a step; `hidden` reads them."""

from __future__ import annotations

from enum import StrEnum


class Span(StrEnum):
    """A part of a step."""

    FORWARD = "tuili forward"
    BACKWARD = "tuili backward"
    BUCKET = "tuili bucket"
    """The moment at which the gradients of a bucket have been computed."""
    AVERAGE = "tuili average"
    """A bucket is encoded, sent, received and decoded."""
    UPDATE = "tuili update"
    WAIT = "tuili wait"
    """The forward pass waits for an update."""
