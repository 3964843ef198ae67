"""Models that the package ships only as an adapter: which ones exist, and whether one has been fetched.

A fetched model is kept in the cache, as its base with the adapter added. `tuili.exchange` does the fetching.
"""

from __future__ import annotations

import os
from pathlib import Path

SHIPPED_ADAPTERS = Path(__file__).parents[1] / "adapters"
"""The folder inside the package that holds one folder for each adapter."""
MANIFEST_FILE = "fetch.json"
"""In an adapter folder: the base that the adapter is added to, and the model that results."""
FETCHED_FILE = Path("tuili") / "fetched.json"
"""In a fetched model: the manifest of the adapter that was added."""

IMPORTABLE = ("smollm2",)
"""Models that `tuili import` knows by a short name."""


def cache_folder() -> Path:
    """The folder in which Tuili keeps its downloads."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tuili"


def cached_model(name: str) -> Path:
    """The cache folder of a model that was downloaded by name."""
    return cache_folder() / "models" / name


def adapter_names() -> tuple[str, ...]:
    """The names of the models that can be fetched."""
    return tuple(sorted(path.parent.name for path in SHIPPED_ADAPTERS.glob(f"*/{MANIFEST_FILE}")))


def shipped_adapter(name: str) -> Path:
    """The folder of an adapter inside the package."""
    return SHIPPED_ADAPTERS / name


def is_fetched(name: str, folder: Path) -> bool:
    """Whether a folder holds this package version's model of that name. Weights are not read."""
    try:
        return (folder / FETCHED_FILE).read_bytes() == (shipped_adapter(name) / MANIFEST_FILE).read_bytes()
    except OSError:
        return False
