"""Runs functions of Python files within limits of time and memory. Used as a script of its own, in a fresh process.

The folder that it is given holds `calls.json`: for each file, the calls of its functions. It prints the outcomes.
"""

from __future__ import annotations

import importlib.util
import json
import resource
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

MEMORY_BYTES = 1 << 30
CPU_SECONDS = 300
CALL_SECONDS = 5.0


def _late(number: int, frame: FrameType | None) -> None:
    raise TimeoutError


def outcomes(file: Path, calls: list[tuple[str, list[Any]]]) -> list[str]:
    """What each call gives: `value …` or `error …`. A file of which nothing is called is not even loaded."""
    if not calls:
        return []
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        return [f"error {type(error).__name__}"] * len(calls)
    return [_outcome(vars(module).get(name), arguments) for name, arguments in calls]


def _outcome(function: Any, arguments: list[Any]) -> str:
    signal.setitimer(signal.ITIMER_REAL, CALL_SECONDS)
    try:
        return f"value {function(*arguments)!r}"
    except Exception as error:
        return f"error {type(error).__name__}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def main(folder: Path) -> None:
    """Prints the outcomes for the files of a folder as JSON, in the order of `calls.json`."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    signal.signal(signal.SIGALRM, _late)
    sys.dont_write_bytecode = True
    read = json.loads((folder / "calls.json").read_text())
    print(json.dumps([outcomes(folder / name, calls) for name, calls in read]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
