"""What a change has decided by its samples, kept in the folder of a run: the shape of a later session's model."""

from __future__ import annotations

import json
from pathlib import Path

from tuili.compress.compression import Compression
from tuili.compress.result import REMEDY, damaged
from tuili.files import write_durably, writing

DECISIONS_FILE = "decisions.json"


def record_decisions(compression: Compression, out: Path) -> None:
    """Write them, if there are any; before the first checkpoint behind the change."""
    if decisions := compression.decisions:
        file = out / DECISIONS_FILE
        with writing(file, REMEDY):
            write_durably(file, json.dumps(decisions).encode())


def recall_decisions(compression: Compression, out: Path) -> None:
    """Hand them to a compression that has any. Raises `InputError` where they are damaged."""
    if compression.decisions:
        file = out / DECISIONS_FILE
        try:
            compression.recall(json.loads(file.read_bytes()))
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise damaged(file) from error
