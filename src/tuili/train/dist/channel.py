"""A socket between two processes of one machine. Small values travel over it as JSON.

It tells when the process at its other end has gone, or does not answer. What they say is left to `shared_memory`.
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
    """One end."""

    connection: Connection
    rank: int
    """That of the other process."""
    closed: Callable[[], BaseException]
    """Makes the error to raise when it has gone."""
    seconds: float = 0
    """How long this process waits for the other one; 0 is without end."""

    def wait_at_most(self, seconds: float) -> None:
        """Let nothing that is sent or received from now on take longer, beside the time in which this process itself
        is stopped, as by Ctrl-Z: that interrupts the call, which begins anew."""
        self.seconds = seconds
        limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
        with socket.socket(fileno=os.dup(self.connection.fileno())) as end:
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                end.setsockopt(socket.SOL_SOCKET, option, limit)

    def send_bytes(self, data: bytes) -> None:
        """Raises what `receive_bytes` raises."""
        with self._noticing_loss():
            self.connection.send_bytes(data)

    def receive_bytes(self) -> bytes:
        """Raises `ReplicaDied` where the other process has not answered in time, and `closed` where it has gone."""
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
        """A value, or an error. Raises what `receive_bytes` raises."""
        self.send_bytes(json.dumps(message).encode())

    def receive(self) -> Any:
        """The value of a message. Raises `TuiliError` where it is an error, and what `receive_bytes` raises."""
        message = json.loads(self.receive_bytes())
        if "error" in message:
            raise TuiliError(message["error"])
        return message["value"]
