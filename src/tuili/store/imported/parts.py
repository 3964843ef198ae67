"""The parts of an imported model that affect its answers besides its weights: how it is asked, where tokens exit and
how it thinks.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tuili.store.folder import model_type
from tuili.store.imported.dense_shape import IMPORTED_TYPES
from tuili.store.imported.exits_file import EXITS_FILE
from tuili.store.imported.foreign_tokenizer import GENERATION_FILE
from tuili.store.imported.thinking_file import THINKING_FILE
from tuili.store.template_files import TEMPLATE_FILE, TEMPLATE_FOLDER

_PARTS = (
    "tokenizer.json",
    "tokenizer_config.json",
    GENERATION_FILE,
    TEMPLATE_FILE,
    f"{TEMPLATE_FOLDER}/*.jinja",
    str(EXITS_FILE),  # it includes the hash of the tensors
    str(THINKING_FILE),
)


def parts_hash(folder: Path) -> str | None:
    """SHA-256 over these parts; None for a model of Tuili's own kind, which has none."""
    if model_type(folder) not in IMPORTED_TYPES:
        return None
    digest = hashlib.sha256()
    for file in sorted(file for pattern in _PARTS for file in folder.glob(pattern)):
        data = file.read_bytes()
        digest.update(f"{file.relative_to(folder)}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()
