"""Provenance: when something was made, by which code and with which versions of the packages that it uses.

Records, reports, lineages and run folders store it. `machine` describes the machine.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGE = Path(__file__).parent
MODEL_PACKAGES = ("tuili", "torch", "transformers", "tokenizers", "safetensors")
"""The packages whose versions decide what a model computes."""
CODE_HASH_DIGITS = 12


def timestamp() -> str:
    """The time now in UTC, to the second, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """The version of Python, and of each of these packages that is installed."""
    known = {package: found for package in packages if (found := _version(package)) is not None}
    return {"python": platform.python_version()} | known


@cache
def _version(package: str) -> str | None:
    """The version of an installed package, cached because each lookup takes milliseconds."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def current_versions() -> dict[str, str]:
    """The versions of Python and `MODEL_PACKAGES`; `not installed` for a missing package."""
    return dict.fromkeys(("python", *MODEL_PACKAGES), "not installed") | installed_versions(MODEL_PACKAGES)


def code_hash(package: Path = PACKAGE) -> str:
    """The first 12 hex digits of the SHA-256 of all modules of a package, by default Tuili itself.

    Two working copies of one Tuili version can differ; their hashes then differ too.
    """
    digest, above = hashlib.sha256(), len(f"{package}{os.sep}")
    for file in sorted(_modules(str(package))):
        with open(file, "rb", buffering=0) as opened:  # noqa: PTH123  # a thousand files, read thrice in each run
            digest.update(f"{file[above:]}\0".encode() + opened.read())
    return digest.hexdigest()[:CODE_HASH_DIGITS]


def _modules(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _modules(entry.path) if entry.name != "__pycache__" else ()
            elif entry.name.endswith(".py"):
                yield entry.path
