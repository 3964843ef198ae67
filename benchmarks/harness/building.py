"""Builds of a corpus in a process of their own, under a limit of memory: what became of the documents, how long it
took, and how much memory was used. The process may die, and the benchmark lives.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harness.record import ROOT
from tuili.data import pipeline

MEMORY = 2**30
"""Bytes of data that the process that leads may have."""


class BuildTold(NamedTuple):
    """What is told of a build."""

    documents: dict[str, int]
    """How many were kept, dropped and refused."""
    seconds: float
    """Of the build, without the start of the process."""
    leader: int
    """Bytes of memory at the peak, of the process that leads."""
    worker: int
    """The same of the largest worker; 0 without workers."""


def build_apart(settings: Mapping[str, Any], out: Path, workers: int, memory: int = MEMORY) -> BuildTold:
    """Build a corpus in a process of its own. Raises `RuntimeError` where that does not end well."""
    command = [sys.executable, "-m", "benchmarks.harness.building", json.dumps(settings), str(out), str(memory)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT))), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, str(workers)], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the build of {out.name} ended with {done.returncode}: {done.stderr[-2000:]}")
    return BuildTold(**json.loads(done.stdout))


def main(settings: str, out: str, memory: str, workers: str) -> None:
    """Build, and print what is told of it."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (int(memory), hard))  # a worker sets its own
    given, began = pipeline.BuildSettings.model_validate_json(settings), time.perf_counter()
    built = pipeline.build(given, Path(out), workers=int(workers))
    seconds = time.perf_counter() - began
    leader, worker = _own_peak(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    json.dump(BuildTold(built.manifest["documents"], seconds, leader, worker)._asdict(), sys.stdout)


def _own_peak() -> int:
    """Bytes of memory at the peak of this process. What `getrusage` tells of it has that of the process which started
    it, too.
    """
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
