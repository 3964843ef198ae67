"""OpenAI's client for Node works unchanged; `node/conformance.test.js` has its requests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.conftest import Running, running
from tests.serve.test_keys import key
from tests.waiting import GUARD_SECONDS
from tuili.serve.app import Settings
from tuili.serve.keys import Keys

FOLDER = Path(__file__).parent / "node"
TESTS = len(re.findall(r"^test\(", (FOLDER / "conformance.test.js").read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def guarded() -> Iterator[Running]:
    yield from running(
        Settings(Keys([key("free", "one"), key("slow", "two", requests_per_minute=1)], clock=lambda: 0.0))
    )


@pytest.mark.conformance
def test_the_client_for_node_works_unchanged(guarded: Running) -> None:
    node = shutil.which("node")
    assert node is not None, "Node is needed, 20 or newer"
    assert (FOLDER / "node_modules" / "openai").is_dir(), "make conformance installs it"
    done = subprocess.run(
        [node, "--test", "--test-reporter=tap", "conformance.test.js"],
        cwd=FOLDER,
        env=os.environ | {"TUILI_URL": guarded.url},
        capture_output=True,
        text=True,
        timeout=GUARD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(re.findall(r"^# (pass|fail|skipped|todo) (\d+)$", done.stdout, re.MULTILINE))
    assert counts == {"pass": str(TESTS), "fail": "0", "skipped": "0", "todo": "0"}
    assert TESTS >= 12
