"""`tuili serve` refuses what it cannot do before it loads a model or says that it runs."""

from __future__ import annotations

import gc
import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.refusals import refusal
from tuili.cli.app import main
from tuili.serve.alarm_files import default_state_folder


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """The verb turns garbage collection off until models are loaded."""
    yield
    gc.enable()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--port", "99999"], ["--port", "65535"]),
        (["--port", "-1"], ["--port", "0"]),
        (["--slots", "0"], ["--slots", "1"]),
        (["--slots", "1000000"], ["--slots", "1024"]),
        (["--waiting", "0"], ["--waiting", "1"]),
        (["--drain", "-1"], ["--drain", "0"]),
        (["--drain", "9" * 30], ["--drain", "86400"]),
        (["--host", "no such host"], ["no such host", "--host"]),
        (["--host", "h" * 300], ["hhh", "--host"]),
        (["--host", "192.0.2.1"], ["192.0.2.1", "--host"]),
        (["--tls-key", "key.pem"], ["--tls-cert"]),
        (["--port", "0", "--tls-cert", "none.pem"], ["none.pem", "No such file"]),
        (["--port", "0", "--tls-cert", "empty.pem"], ["empty.pem"]),
        (["--keys-file", "none"], ["none", "No such file"]),
        (["--new-key", "a b"], ["'a b'", "letters"]),
        (["--new-key", ""], ["''", "letters"]),
        (["--traces", "here"], ["here", "URL"]),
        (["nano"], ["two models are called nano"]),
    ],
)
def test_what_cannot_be_served_is_refused_at_once(
    options: list[str],
    named: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.pem").write_text("")
    heard = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    line = refusal(capsys, "serve", "nano", *options)
    assert all(name in line for name in named), line
    assert heard == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_a_port_in_use_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refusal(capsys, "serve", "nano", "--port", str(port))
    assert f"127.0.0.1:{port}: Address already in use" in line
    with socket.create_server(("127.0.0.1", port)):  # nothing has kept it
        pass


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
