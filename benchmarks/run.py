"""`make bench`: runs every benchmark, or those named, one after the other in processes of their own.

A benchmark is a module of a room that ends with `run("NAME", measure)`; NAME is also the name of its record. An unknown
name is refused. A failing benchmark does not stop the others.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
CALL = re.compile(r'^ +run\("(\w+)", measure\)$', re.MULTILINE)


def modules() -> dict[str, str]:
    """The module of each benchmark, by the benchmark's name. Raises `ValueError` where two have one name."""
    by_name: dict[str, str] = {}
    for file in sorted(FOLDER.glob("*/**/*.py")):
        module = ".".join(("benchmarks", *file.relative_to(FOLDER).with_suffix("").parts)).removesuffix(".__main__")
        for name in CALL.findall(file.read_text()):
            if name in by_name:
                raise ValueError(f"benchmark {name}: both {by_name[name]} and {module} have this name")
            by_name[name] = module
    return dict(sorted(by_name.items()))


def main(chosen: list[str]) -> int:
    """Run the chosen benchmarks, or all, and return an exit code."""
    known = modules()
    if unknown := set(chosen) - set(known):
        print(f"bench: error: no benchmark {min(unknown)}: use some of {', '.join(known)}", file=sys.stderr)
        return 2
    failed = []
    for name in chosen or known:
        print(f"bench: {name}", flush=True)
        if subprocess.run([sys.executable, "-m", known[name]], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"bench: failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
