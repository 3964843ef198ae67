"""How fast a link is for single messages after pauses, like the gradients of one bucket, whatever its bulk throughput.

`benchmarks.codec.overlap` runs this on both sides of a link: one sends messages and waits for a byte after each.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from pathlib import Path

from benchmarks.codec.namespace import ADDRESS, bytes_sent_by_two

PORT, PAUSE_SECONDS = 29501, 0.02
PATIENCE_SECONDS = 60.0


def megabits_by_message(megabits: int, size: int, count: int, scratch: Path) -> list[float]:
    """Megabits a second of each of `count` messages of `size` bytes, over a link of `bytes_sent_by_two`. scratch: a
    folder. Raises what `bytes_sent_by_two` raises."""
    file = scratch / "link.json"
    bytes_sent_by_two([sys.executable, "-m", __name__, str(size), str(count), str(file)], megabits)
    return [8 * size / 1e6 / seconds for seconds in json.loads(file.read_bytes())]


def main(size: int, count: int, file: Path) -> None:
    """Run the side of the link that SIDE names. Side 1 sends, and writes the seconds that each message took."""
    if os.environ["SIDE"] == "0":
        with socket.create_server((ADDRESS, PORT)) as server:
            server.settimeout(PATIENCE_SECONDS)
            with server.accept()[0] as other:
                other.settimeout(PATIENCE_SECONDS)
                for _ in range(count):
                    _receive(other, size)
                    other.sendall(b".")
        return
    with _connected() as other:
        other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        seconds = list[float]()
        for _ in range(count):
            time.sleep(PAUSE_SECONDS)
            begun = time.perf_counter()
            other.sendall(bytes(size))
            _receive(other, 1)
            seconds.append(time.perf_counter() - begun)
    file.write_text(json.dumps(seconds), encoding="utf-8")


def _receive(other: socket.socket, size: int) -> None:
    """Wait for a message of `size` bytes. Raises `OSError` if it does not come."""
    while size:
        if not (part := other.recv(size)):
            raise ConnectionError("the other side has ended")
        size -= len(part)


def _connected() -> socket.socket:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return socket.create_connection((ADDRESS, PORT), PATIENCE_SECONDS)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
