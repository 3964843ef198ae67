"""Programs that tests run, the Debian packages that they come with, and what was skipped for want of them.

`debian_packages.txt` is the table: a program and its packages on each line. `.ci/run` installs from it.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

PACKAGES: dict[str, list[str]] = {
    program: packages
    for program, *packages in map(str.split, Path(__file__).with_name("debian_packages.txt").read_text().splitlines())
}


def needs(program: str) -> pytest.MarkDecorator:
    """Skips a test where a program of the table is not installed. CI installs all of them."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=_reason(program))


def skip_summary(reasons: Iterable[str]) -> list[str]:
    """The lines that count skipped tests by reason, and name the packages with which some of them would run."""
    counts = Counter(reasons)
    lines = [f"{number:5} {reason}" for reason, number in counts.most_common()]
    missing = {program: counts[_reason(program)] for program in PACKAGES if counts[_reason(program)]}
    if missing:
        packages = sorted({package for program in missing for package in PACKAGES[program]})
        lines.append(f"To run {sum(missing.values())} of them: apt-get install {' '.join(packages)}")
    return lines


def _reason(program: str) -> str:
    return f"needs {program}: Debian package {' and '.join(PACKAGES[program])}"
