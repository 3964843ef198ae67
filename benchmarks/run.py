"""`make bench`: runs every benchmark, or those named, one after the other in processes of their own.

A benchmark is a module or a package of this folder that measures when run with `python -m benchmarks.NAME` and writes
its record with `benchmarks.record`. An unknown name is refused; a failing benchmark does not stop the others.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HELPERS = {"__init__", "cells", "command", "mixtral", "ours", "record", "run", "served", "table", "texts"}


def names() -> list[str]:
    """Every benchmark of this folder."""
    folder = Path(__file__).parent
    packages = [file.parent.name for file in folder.glob("*/__main__.py")]
    return sorted([*packages, *(file.stem for file in folder.glob("*.py") if file.stem not in HELPERS)])


def main(chosen: list[str]) -> int:
    """Run the chosen benchmarks, or all, and return an exit code."""
    if unknown := set(chosen) - set(names()):
        print(f"bench: error: no benchmark {min(unknown)}: use some of {', '.join(names())}", file=sys.stderr)
        return 2
    failed = []
    for name in chosen or names():
        print(f"bench: {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"bench: failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
