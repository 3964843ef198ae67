"""Provenance: when something was made, by which code and with which versions of the packages below it.

Records, reports, lineages and run folders write it down. What the machine is, is left to `machine`.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
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
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def current_versions() -> dict[str, str]:
    """The versions of Python and of `MODEL_PACKAGES`; `not installed` for a package that is missing."""
    return dict.fromkeys(("python", *MODEL_PACKAGES), "not installed") | installed_versions(MODEL_PACKAGES)


def code_hash(package: Path = PACKAGE) -> str:
    """The first 12 hex digits of the SHA-256 of all modules of a package, by default of Tuili itself.

    Two working copies of one version of Tuili can differ; their hashes then differ too.
    """
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(f"{file.relative_to(package)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:CODE_HASH_DIGITS]
