"""The decisions that a change took from its samples, kept in the run folder: they give a later session's model its
shape."""

from __future__ import annotations

import json
from pathlib import Path

from tuili.compress.compression import Compression
from tuili.compress.result import REMEDY, damaged
from tuili.files import write_durably, writing

DECISIONS_FILE = "decisions.json"


def record_decisions(compression: Compression, out: Path) -> None:
    """Write the decisions, if there are any; call it before the first checkpoint after the change."""
    if decisions := compression.decisions:
        file = out / DECISIONS_FILE
        with writing(file, REMEDY):
            write_durably(file, json.dumps(decisions).encode())


def recall_decisions(compression: Compression, out: Path) -> None:
    """Pass stored decisions to a compression that has any. Raises `InputError` if they are damaged."""
    if compression.decisions:
        file = out / DECISIONS_FILE
        try:
            compression.recall(json.loads(file.read_bytes()))
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise damaged(file) from error
