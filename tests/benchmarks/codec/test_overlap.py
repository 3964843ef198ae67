"""The benchmark of overlap: a throttled interface, and ratios of the right ways."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.codec import namespace, overlap
from benchmarks.codec.link import megabits_by_message
from benchmarks.codec.namespace import ADDRESS, NoNamespace, bytes_sent_by_two, why_failed
from benchmarks.codec.overlap import Run, figures
from benchmarks.harness import cells
from tests.waiting import eventually

BOTH_SEND = f"""
import os, socket, threading, time
def connected():
    if os.environ["SIDE"] == "0":
        with socket.create_server(("{ADDRESS}", 29500)) as server:
            return server.accept()[0]
    while True:
        try:
            return socket.create_connection(("{ADDRESS}", 29500))
        except ConnectionError:
            time.sleep(0.01)
with connected() as other:
    begun = time.monotonic()  # before the other side may send: a busy machine makes it longer alone
    other.sendall(b".")
    other.recv(1)
    sending = threading.Thread(target=other.sendall, args=(bytes(10**6),))
    sending.start()
    for _ in range(10):
        assert len(other.recv(10**5, socket.MSG_WAITALL)) == 10**5
    sending.join()
    assert time.monotonic() - begun > 0.35
"""


def test_a_throttled_link_lets_no_more_through_in_each_direction() -> None:
    """A megabyte is 8 megabits: at 20 a second, all but the burst takes more than 0.35 seconds."""
    if reason := namespace.refusal():
        pytest.skip(reason)
    sent = bytes_sent_by_two([sys.executable, "-c", BOTH_SEND], megabits=20)
    assert 2 * 10**6 < sent < 2.2 * 10**6


def test_single_messages_are_throttled_too(tmp_path: Path) -> None:
    """What is saved up in a pause lets less through than a message has."""
    if reason := namespace.refusal():
        pytest.skip(reason)
    rates = megabits_by_message(20, 100_000, 5, tmp_path)
    assert len(rates) == 5
    assert max(rates) < 30


def test_nothing_is_left_of_a_command_that_is_interrupted(tmp_path: Path) -> None:
    if reason := namespace.refusal():
        pytest.skip(reason)
    pids, program = tmp_path / "pids", (
        "import signal, sys; from benchmarks.codec.namespace import bytes_sent_by_two as two\n"
        "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        "two(['sh', '-c', f'echo $$ >> {sys.argv[1]}; exec sleep 1000'], 20)"
    )  # fmt: skip
    run = subprocess.Popen([sys.executable, "-c", program, str(pids)], stderr=subprocess.DEVNULL)
    begun = eventually(lambda: found if pids.exists() and len(found := pids.read_text().split()) == 2 else [], "both")
    run.terminate()
    run.wait()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in begun), "they live on")


def test_one_side_that_fails_ends_both() -> None:
    if reason := namespace.refusal():
        pytest.skip(reason)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        bytes_sent_by_two(["sh", "-c", "[ $SIDE = 1 ] && exec sleep 100; echo no room >&2; exit 3"], megabits=20)
    assert why_failed(caught.value) == "no room"


def test_ways_are_compared_round_by_round() -> None:
    hidden = {"communication": 0.9, "update": 0.8}
    found = {
        "3bit-update": [Run(1.0, 100, hidden), Run(2.0, 100, hidden)],
        "3bit-off": [Run(1.5, 100, dict.fromkeys(hidden, 0.0)), Run(2.4, 100, dict.fromkeys(hidden, 0.0))],
        "fp16-off": [Run(4.0, 600, dict.fromkeys(hidden, 0.0)), Run(5.0, 600, dict.fromkeys(hidden, 0.0))],
    }
    told = figures(found)
    assert told["faster_than_3bit-off"].runs == [1.5, 1.2]
    assert told["faster_than_fp16-off"].runs == [4.0, 2.5]
    assert told["3bit-update_communication_hidden"].runs == [0.9, 0.9]
    assert told["3bit-update_update_hidden"].runs == [0.8, 0.8]
    assert told["fp16-off_sent"].runs == [600, 600]


def test_what_was_measured_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, fails_at = list[str](), 4

    def trained(way: str, *_: object) -> Run:
        if len(asked) == fails_at:
            raise NoNamespace("no more")
        asked.append(way)
        return Run(2.0, 100.0, {"communication": 0.5, "update": 0.25})

    monkeypatch.setattr(overlap, "Cells", lambda name, setting: cells.Cells(name, setting, tmp_path))
    monkeypatch.setattr(overlap, "trained", trained)
    monkeypatch.setattr(overlap, "link_rates", lambda megabits: asked.append("link") or [float(megabits)])
    given = {"rounds": 2, "ways": ("3bit-update", "3bit-off")}
    with pytest.raises(SystemExit, match=r"^overlap: no more$"):
        overlap.measure(**given)
    fails_at = -1
    _, told = overlap.measure(**given)
    assert sorted(asked) == ["3bit-off", "3bit-off", "3bit-update", "3bit-update", "link"]
    assert told["link"].runs == [200.0]
    assert told["faster_than_3bit-off"].runs == [1.0, 1.0]
    assert told["3bit-update_update_hidden"].runs == [0.25, 0.25]
