"""The layout of a checkpoint: a folder `step-00000200`, and the names of what is in it.

`state.json`, and for each group of tensors `GROUP.safetensors` of a process alone or `GROUP-00001-of-00002.safetensors`
of each of several; `manifest.json`, which is written last: the SHA-256 sum of each file, and of each tensor its type,
its shape, and the runs of numbers of which it consists. Nothing in it is a pickle.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuili.errors import CheckpointError

MANIFEST_FILE, STATE_FILE, TENSORS_SUFFIX = "manifest.json", "state.json", ".safetensors"
CHECKPOINT_PREFIX, SCRATCH_PREFIX = "step-", ".step-"
CHECKSUM = "checksum"
"""The key of the manifest's own sum in it."""


def saved_steps(folder: Path) -> list[int]:
    """The steps of all checkpoints, from the first to the last one."""
    names = (path.name.removeprefix(CHECKPOINT_PREFIX) for path in folder.glob(f"{CHECKPOINT_PREFIX}*"))
    return sorted(int(name) for name in names if name.isdigit())


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step stands."""
    return folder / f"{CHECKPOINT_PREFIX}{step:08d}"


def checksum(manifest: Mapping[str, Any]) -> str:
    """The sum of a manifest without its own."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def check_whole(tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise `CheckpointError` where numbers of a tensor are there twice or not at all, by the groups of a manifest."""
    for group, entries in tables.items():
        for name, entry in entries.items():
            runs = [(begin, begin + count) for _, begin, count in entry["parts"]]
            begins, ends = [begin for begin, _ in runs], [end for _, end in runs]
            if [0, *ends] != [*begins, math.prod(entry["shape"])]:
                raise CheckpointError(f"{group}: {name} of shape {entry['shape']} is not whole, with {entry['parts']}")
