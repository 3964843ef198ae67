"""What a command line says when it refuses something."""

from __future__ import annotations

import pytest

from tuili.cli.app import main


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The line that a command line is refused with."""
    capsys.readouterr()
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("tuili: error: ")
    return line
