"""The record of a benchmark: a JSON file with its figures and everything that repeating them needs.

A record names the commit, the configuration, the versions and the machine, never a host or a path. Every figure keeps
all its runs, so that the spread can be judged. What is measured is left to each benchmark, its command to `command`.
"""

from __future__ import annotations

import hashlib
import json
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuili.machine import machine
from tuili.provenance import installed_versions

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "accelerate")
MEASURED_PATHS = ("src", "benchmarks/*.py", "recipes", "pyproject.toml")
"""What a record depends on, as git's pathspecs: a star matches folders too."""
MEASURED_FILES = ("src/**/*", "benchmarks/**/*.py", "recipes/**/*", "pyproject.toml")
"""The same as patterns of files."""
MOUNTS = Path("/proc/self/mounts")
"""Where Linux tells which file systems are mounted where, the newest last."""


@dataclass(frozen=True)
class Figure:
    """One measured quantity: its unit and the value of every run, in the order of the runs."""

    unit: str
    runs: Sequence[float]

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError("a figure needs at least one run")

    @property
    def median(self) -> float:
        """The middle of the runs."""
        return statistics.median(self.runs)

    @property
    def spread(self) -> float:
        """Distance of the largest from the smallest run, in the figure's unit."""
        return max(self.runs) - min(self.runs)

    def summary(self) -> dict[str, Any]:
        """The figure as it stands in a record."""
        return {
            "unit": self.unit,
            "n": len(self.runs),
            "median": self.median,
            "min": min(self.runs),
            "max": max(self.runs),
            "spread": self.spread,
            "runs": list(self.runs),
        }


def together(found: Sequence[Mapping[str, Figure]]) -> dict[str, Figure]:
    """Figures of a run each as figures of all runs."""
    return {key: Figure(one.unit, [each[key].runs[0] for each in found]) for key, one in found[0].items()}


def time_runs(*functions: Callable[[], object], n: int = 5, warmup: int = 1) -> tuple[Figure, ...]:
    """Wall-clock milliseconds of `n` calls of each function, after `warmup` calls that are not timed.

    The functions take turns, so that all see the same machine.
    """
    for function in functions * warmup:
        function()
    runs: list[list[float]] = [[] for _ in functions]
    for _ in range(n):
        for function, times in zip(functions, runs, strict=True):
            start = time.perf_counter()
            function()
            times.append((time.perf_counter() - start) * 1e3)
    return tuple(Figure("ms", times) for times in runs)


def write_record(
    name: str, measured: str | None, config: Mapping[str, Any], figures: Mapping[str, Figure], folder: Path = RESULTS
) -> Path:
    """Write `folder/name.json`, replacing an earlier record, and return its path.

    measured: the commit that was measured, as `commit` gives it.
    Raises `ValueError` for a figure that is not a number.
    """
    record = {
        "benchmark": name,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": measured,
        "config": dict(config),
        "figures": {key: figure.summary() for key, figure in figures.items()},
        "machine": machine(),
        "versions": installed_versions(PACKAGES),
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n")
    return file


def commit() -> str | None:
    """The commit that was measured, with `+` behind it where the work tree differs; None without a commit."""
    try:
        return _git("rev-parse", "HEAD") + ("+" if _git("status", "--porcelain", "--", *MEASURED_PATHS) else "")
    except (OSError, subprocess.CalledProcessError):  # no git, or no repository
        return None


def file_system(folder: Path) -> str | None:
    """The type of the file system that a folder lies on, such as ext4 or tmpfs; None where the system does not tell it.

    On some, nothing of a file has to come to a disk before `fsync` returns.
    """
    place, kind, longest = folder.resolve(), None, 0
    for line in MOUNTS.read_text().splitlines() if MOUNTS.is_file() else ():
        _, mounted, name, *_ = line.split(" ")
        root = Path(re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), mounted))  # a space is \040
        if place.is_relative_to(root) and len(root.parts) >= longest:
            kind, longest = name, len(root.parts)
    return kind


def measured_code(root: Path = ROOT) -> str:
    """The SHA-256 of all files that a record depends on, as they are now, whatever the commit is."""
    digest = hashlib.sha256()
    files = {file for pattern in MEASURED_FILES for file in root.glob(pattern) if "__pycache__" not in file.parts}
    for file in sorted(files):
        if file.is_file():
            digest.update(f"{file.relative_to(root)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
