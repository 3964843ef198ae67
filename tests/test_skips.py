"""The end of a test run says what was skipped, and which Debian packages would change that."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.debian import PACKAGES, skip_summary

ROOT = Path(__file__).parents[1]
SKIPPING = """
import pytest
from tests.debian import needs

@needs("kubectl")
@pytest.mark.parametrize("number", range(3))
def test_of_manifests(number): ...

@needs("buildah")
def test_of_the_image(): ...

@pytest.mark.skipif(True, reason="there is a GPU")
def test_without_a_gpu(): ...

def test_that_runs(): ...
"""


@pytest.mark.parametrize("options", [[], ["-n", "1"]], ids=["one process", "workers"])
def test_a_run_ends_with_what_it_skipped(options: list[str], tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_terminal_summary")
    (tmp_path / "test_some.py").write_text(SKIPPING)
    environment = os.environ | {"PATH": "", "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:schemathesis", *options, "."]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    _, section = re.split(r"^=+ 5 skipped =+\n", done.stdout, flags=re.MULTILINE)
    *lines, total = filter(None, section.splitlines())
    assert lines == [
        "    3 needs kubectl: Debian package kubernetes-client",
        "    1 needs buildah: Debian package buildah and netavark",
        "    1 there is a GPU",
        "To run 4 of them: apt-get install buildah kubernetes-client netavark",
    ]
    assert "1 passed, 5 skipped" in total


def test_no_package_is_named_where_none_would_help() -> None:
    assert skip_summary(["there is a GPU"] * 2) == ["    2 there is a GPU"]
    assert skip_summary([]) == []


def test_every_program_has_a_package() -> None:
    assert all(PACKAGES.values())
