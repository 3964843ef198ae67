"""Every verb with hostile arguments: one line of error and an exit code, whatever is given, and never a traceback."""

from __future__ import annotations

import gc
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.refusals import refusal
from tuili.cli.app import VERBS, main

HOSTILE = {
    "nothing": "",
    "a blank": " ",
    "a dash": "-",
    "a negative number": "-1",
    "a device": "/dev/null/x",
    "the folder above": "..",
    "NUL": "\0",
    "half a character": "\udcff",
    "a long name": "x" * 5000,
    "a name of the hub that cannot be": "../../x",
    "markup": "[/red]{x}%s",
    "an escape": "\x1b[31m",
}
WITH_ONE_ARGUMENT = {
    "train": ["train"],
    "eval": ["eval"],
    "calibrate": ["calibrate"],
    "info": ["info"],
    "serve": ["serve", "--port", "0"],
    "bench": ["bench", "engine"],
    "bench verb": ["bench"],
    "data verb": ["data"],
    "data check": ["data", "check"],
    "data show": ["data", "show"],
    "data show --model": ["data", "show", "x.jsonl", "--model"],
    "data show --html": ["data", "show", "x.jsonl", "--html"],
    "data import": ["data", "import", "--out", "x.jsonl"],
    "eval --data": ["eval", "nano", "--data"],
    "calibrate --data": ["calibrate", "nano", "--data"],
    "ask --model": ["ask", "1 + 1", "--model"],
    "ask --depth": ["ask", "1 + 1", "--depth"],
    "ask --seed": ["ask", "1 + 1", "--seed"],
    "eval --levels": ["eval", "nano", "--levels"],
    "eval --domains": ["eval", "nano", "--domains"],
    "calibrate --tolerance": ["calibrate", "nano", "--tolerance"],
    "serve --keys-file": ["serve", "nano", "--port", "0", "--keys-file"],
    "serve --host": ["serve", "nano", "--port", "0", "--host"],
    "quickstart": ["quickstart"],
}


@pytest.fixture(autouse=True)
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder, no hub, and nothing on standard input."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    yield
    gc.enable()


@pytest.mark.parametrize("command", WITH_ONE_ARGUMENT.values(), ids=WITH_ONE_ARGUMENT)
def test_no_argument_ends_in_a_traceback(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for argument in HOSTILE.values():
        try:
            line = refusal(capsys, *command, argument)
        except BaseException as error:
            raise AssertionError(f"{command} {argument[:40]!r}: {error!r}") from error
        assert "Traceback" not in line


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.startswith(f"Usage: tuili {verb}")
