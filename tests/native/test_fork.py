"""A process that is forked from one with a model may use the model, and ends: the workers are its parent's."""

from __future__ import annotations

import subprocess
import sys

from tests.native.calling import library

SCRIPT = """
import gc, os, sys
from tuili.engine import load_decoder

decoder = load_decoder("nano", max_new_tokens=12, runner="native", threads=3)
before = decoder.generate(["What is 48 + 27 * 3?"])[0].tokens
child = os.fork()
if not child:
    assert decoder.generate(["What is 48 + 27 * 3?"])[0].tokens == before
    del decoder
    gc.collect()
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert decoder.generate(["What is 48 + 27 * 3?"])[0].tokens == before
"""


def test_a_forked_process_runs_a_model_with_threads_and_ends() -> None:
    library()
    subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT], check=True, timeout=120)
