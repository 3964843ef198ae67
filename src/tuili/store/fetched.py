"""Models that the package has as an adapter alone: which there are, and whether one has been fetched.

A fetched model lies in the cache, as its base with the adapter added. Fetching it is left to `tuili.exchange`.
"""

from __future__ import annotations

import os
from pathlib import Path

SHIPPED_ADAPTERS = Path(__file__).parents[1] / "adapters"
"""The folder that holds one folder for each adapter inside the package."""
MANIFEST_FILE = "fetch.json"
"""In the folder of an adapter: what it is added to, and what comes of it."""
FETCHED_FILE = Path("tuili") / "fetched.json"
"""In a fetched model: the manifest of the adapter that it was made with."""

IMPORTABLE = ("smollm2",)
"""Models that `tuili import` knows by a short name."""


def cache_folder() -> Path:
    """Where Tuili keeps what it has downloaded."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tuili"


def cached_model(name: str) -> Path:
    """Where a model lies that was downloaded by its name."""
    return cache_folder() / "models" / name


def adapter_names() -> tuple[str, ...]:
    """The names of the models that can be fetched."""
    return tuple(sorted(path.parent.name for path in SHIPPED_ADAPTERS.glob(f"*/{MANIFEST_FILE}")))


def shipped_adapter(name: str) -> Path:
    """The folder of an adapter inside the package."""
    return SHIPPED_ADAPTERS / name


def is_fetched(name: str, folder: Path) -> bool:
    """Whether a folder holds the model of that name as this version of the package has it. Weights are not read."""
    try:
        return (folder / FETCHED_FILE).read_bytes() == (shipped_adapter(name) / MANIFEST_FILE).read_bytes()
    except OSError:
        return False
