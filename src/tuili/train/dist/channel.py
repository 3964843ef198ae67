"""A socket between two processes of one machine, which carries small values as JSON.

It reports when the process at the other end has exited or does not answer. What is sent is left to `shared_memory`.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from tuili.errors import TuiliError
from tuili.train.dist.group import ReplicaDied


@dataclass
class Channel:
    """One end of the socket."""

    connection: Connection
    rank: int
    """The rank of the process at the other end."""
    closed: Callable[[], BaseException]
    """Makes the error to raise when the other process has exited."""
    seconds: float = 0
    """How long this process waits for the other one; 0 means without limit."""

    def wait_at_most(self, seconds: float) -> None:
        """Limit each later send and receive to this many seconds. Time in which this process itself is stopped, as by
        Ctrl-Z, does not count: that interrupts the call, which then starts again."""
        self.seconds = seconds
        limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
        with socket.socket(fileno=os.dup(self.connection.fileno())) as end:
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                end.setsockopt(socket.SOL_SOCKET, option, limit)

    def send_bytes(self, data: bytes) -> None:
        """Raises the same errors as `receive_bytes`."""
        with self._noticing_loss():
            self.connection.send_bytes(data)

    def receive_bytes(self) -> bytes:
        """Raises `ReplicaDied` if the other process does not answer in time, and `closed()` if it has exited."""
        with self._noticing_loss():
            return self.connection.recv_bytes()

    @contextmanager
    def _noticing_loss(self) -> Iterator[None]:
        try:
            yield
        except BlockingIOError:
            who = f"replica {self.rank}" if self.rank else "process 0"
            raise ReplicaDied(f"{who} has not answered for {self.seconds:.0f} s", self.rank) from None
        except (EOFError, OSError):
            raise self.closed() from None

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a value or an error. Raises the same errors as `receive_bytes`."""
        self.send_bytes(json.dumps(message).encode())

    def receive(self) -> Any:
        """The value of a message. Raises `TuiliError` if it is an error, and the same errors as `receive_bytes`."""
        message = json.loads(self.receive_bytes())
        if "error" in message:
            raise TuiliError(message["error"])
        return message["value"]
