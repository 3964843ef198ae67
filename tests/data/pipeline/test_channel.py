"""Messages through the pipes of a process, which may end or stop at any byte."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tuili.data.pipeline.channel import Channel
from tuili.data.pipeline.worker import LENGTH

ECHO = """
import sys
while head := sys.stdin.buffer.read(8):
    sys.stdout.buffer.write(head + sys.stdin.buffer.read(int.from_bytes(head, "little")))
    sys.stdout.buffer.flush()
"""
COMPUTE = "import sys, time\nwhile time.process_time() < 1: pass\nsys.stdout.buffer.write(bytes(8))"
HALF = "import sys\nsys.stdout.buffer.write((2**20).to_bytes(8, 'little') + bytes(2**19))"
LARGE = 2**22
"""Bytes that no pipe holds."""
Open = Callable[..., Channel]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens channels to Python code."""
    channels = list[Channel]()
    processes = list[subprocess.Popen[bytes]]()

    def opening(code: str, idle: float = 60.0) -> Channel:
        command = [sys.executable, "-c", code]
        processes.append(subprocess.Popen(command, 0, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        channels.append(Channel(processes[-1], idle))
        return channels[-1]

    yield opening
    for process, channel in zip(processes, channels, strict=True):
        process.kill()
        process.wait()
        channel.close()


def test_messages_of_every_size_come_back(opened: Open) -> None:
    channel = opened(ECHO)
    for message in (b"", b"one", b"0" * LARGE, b"another"):
        channel.send(LENGTH.pack(len(message)) + message)
        assert channel.receive() == message


def test_a_message_that_ends_in_its_middle_is_an_end(opened: Open) -> None:
    with pytest.raises(EOFError):
        opened(HALF).receive()


def test_a_process_that_has_ended_takes_no_message(opened: Open) -> None:
    with pytest.raises(BrokenPipeError):
        opened("").send(bytes(LARGE))


def test_a_process_that_computes_nothing_is_given_up(opened: Open) -> None:
    with pytest.raises(TimeoutError):
        opened("import time\ntime.sleep(1000)", idle=0.5).receive()


def test_a_process_that_computes_is_waited_for(opened: Open) -> None:
    assert opened(COMPUTE, idle=0.5).receive() == b""
