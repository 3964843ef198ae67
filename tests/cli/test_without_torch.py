"""What needs no model is told at once, and a question is answered soon: nothing that takes seconds to import has been
imported then.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SLOW = ("torch", "transformers", "matplotlib", "scipy", "sympy", "huggingface_hub", "reasoning_gym")
"""Packages whose import takes a second or more."""
COMMANDS: tuple[tuple[int, str, tuple[str, ...]], ...] = (
    (0, "as recorded", ("info", "nano")),
    (0, '"as_recorded": true', ("info", "nano", "--json")),
    (0, "models run by", ("info", "--machine")),
    (0, "15", ("ask", "What is 7 + 8?", "--runner", "native")),
    (0, "100.0%", ("eval", "nano", "--data", "sums.jsonl", "--runner", "native")),
    (2, "'nosuch' not found", ("info", "nosuch")),
    (2, "'nosuch' not found", ("ask", "1 + 1", "--model", "nosuch")),
    (2, "'nosuch' not found", ("eval", "nosuch")),
    (2, "'nosuch' not found", ("calibrate", "nosuch")),
    (2, "'nosuch' not found", ("serve", "nosuch", "--port", "0")),
    (2, "'nosuch' not found", ("bench", "engine", "nosuch")),
    (2, "No such command 'nosuch'", ("bench", "nosuch")),
    (2, "recipe nosuch: no such file", ("train", "nosuch")),
    (2, "not valid YAML", ("train", "bad.yaml")),
    (2, "nosuch cannot be read", ("data", "check", "nosuch")),
    (2, "No such command 'nosuch'", ("data", "nosuch")),
    (2, "unknown domain 'magic'", ("eval", "nano", "--domains", "magic")),
    (2, "level 9 does not exist", ("calibrate", "nano", "--levels", "9")),
    (2, "nosuch cannot be read", ("eval", "nano", "--data", "nosuch")),
    (2, "nosuch cannot be read", ("calibrate", "nano", "--data", "nosuch")),
    (2, "prompt is empty", ("ask", "", "--model", "nano")),
    (2, "config.json", ("eval", "damaged")),
    (2, "pickle", ("ask", "1 + 1", "--model", "unsafe")),
    (2, "65535", ("serve", "nano", "--port", "99999")),
)
RUN_ALL = """
import contextlib, io, json, sys
from tuili.cli.app import main
for command in json.loads(sys.argv[1]):
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        code = main(command)
    print(json.dumps([code, text.getvalue(), [name for name in json.loads(sys.argv[2]) if name in sys.modules]]))
"""


def test_nothing_slow_is_imported(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("train: {steps: 3")
    (tmp_path / "sums.jsonl").write_text('{"question": "What is 7 + 8?", "answer": "15", "equation": "+ 7 8"}')
    for name, file in (("damaged", "config.json"), ("unsafe", "weights.bin")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("[")
    (tmp_path / "unsafe" / "config.json").write_text("{}")
    commands = json.dumps([command for *_, command in COMMANDS])
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL, commands, json.dumps(SLOW)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for (code, said, command), line in zip(COMMANDS, done.stdout.splitlines(), strict=True):
        ended, text, imported = json.loads(line)
        assert (ended, imported) == (code, []), (command, text)
        assert said in text, (command, text)
        assert code == 0 or text.count("\n") == 1, text
