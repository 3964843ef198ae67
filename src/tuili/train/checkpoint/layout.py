"""The layout of a checkpoint: a folder `step-00000200`, and the names of what is in it.

It holds `state.json`; for each group of tensors `GROUP.safetensors` from a single process, or
`GROUP-00001-of-00002.safetensors` from each of several; and `manifest.json`, which is written last: the SHA-256 sum of
each file, and for each tensor its type, its shape, and the runs of numbers it consists of. Nothing in it is a pickle.
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
"""The key in the manifest that holds the manifest's own checksum."""


def saved_steps(folder: Path) -> list[int]:
    """The steps of all checkpoints, in ascending order."""
    names = (path.name.removeprefix(CHECKPOINT_PREFIX) for path in folder.glob(f"{CHECKPOINT_PREFIX}*"))
    return sorted(int(name) for name in names if name.isdigit())


def checkpoint_path(folder: Path, step: int) -> Path:
    """The folder of the checkpoint of a step."""
    return folder / f"{CHECKPOINT_PREFIX}{step:08d}"


def checksum(manifest: Mapping[str, Any]) -> str:
    """The checksum of a manifest that does not contain its own."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def check_whole(tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise `CheckpointError` if numbers of a tensor occur twice or not at all. tables: by group, as in a manifest."""
    for group, entries in tables.items():
        for name, entry in entries.items():
            runs = [(begin, begin + count) for _, begin, count in entry["parts"]]
            begins, ends = [begin for begin, _ in runs], [end for _, end in runs]
            if [0, *ends] != [*begins, math.prod(entry["shape"])]:
                raise CheckpointError(f"{group}: {name} of shape {entry['shape']} is not whole, with {entry['parts']}")
