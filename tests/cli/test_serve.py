"""`tuili serve` before it serves: keys are made, and what cannot be is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuili.cli.app import main
from tuili.serve.alarm_files import default_state_folder


@pytest.mark.parametrize(("more", "role"), [((), None), (("--operator",), "operator")])
def test_a_new_key_has_the_role_that_is_asked_for(
    more: tuple[str, ...], role: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--new-key", "boss", *more]) == 0
    key, line = capsys.readouterr().out.splitlines()
    assert key.startswith("sk-tuili-")
    assert json.loads(line).get("role") == role


def test_a_folder_that_cannot_keep_alarms_is_refused_before_serving(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["serve", "nano", "--state-dir", str(tmp_path / "file" / "state")]) == 2
    error = capsys.readouterr().err
    assert "cannot be written" in error
    assert error.count("\n") == 1
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_state_folder() == tmp_path / "tuili"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert default_state_folder().is_absolute(), "without a home"
