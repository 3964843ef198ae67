"""Problems and mutants are the same in every process, whatever its hashes of texts are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.tasks.digests import of_mutants, of_problems

ROOT = Path(__file__).parents[2]


def test_problems_and_mutants_are_the_same_in_every_process() -> None:
    """In this one texts have other hashes than in that one, or else Python were asked for the same."""
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join((f"{ROOT}/src", str(ROOT)))}
    command = [sys.executable, "-m", "tests.tasks.digests"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [of_problems(), of_mutants()]
