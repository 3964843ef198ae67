"""Blocks that another process prepares: their path from its stream to the training process.

Generating problems is plain Python: in a thread it would hold the interpreter lock, for which every operation of the
training waits. The process is started by its own command, so that it imports nothing of the training program:
`python -m tuili.train.feed.preparation`, with a request of one line of JSON on its standard input. It ends when that is
closed. Between blocks, a thread sends a sign of life twice a second. `tuili.data` defines what a stream yields,
`blocks` which process learns from which block.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from multiprocessing.connection import wait
from pathlib import Path
from struct import Struct
from threading import Event, Thread
from typing import IO, Any

import torch

import tuili.errors
from tuili.data import StreamState, prefetch
from tuili.errors import TuiliError
from tuili.parent import same_modules
from tuili.store import Tokenizer
from tuili.tasks import BUILT_IN_DOMAINS
from tuili.train.dist.config import TIMEOUT
from tuili.train.dist.group import MEETING_SECONDS, PREPARATION_SECONDS, ReplicaDied
from tuili.train.feed.blocks import PreparedBlocks, decode_blocks, encode_blocks
from tuili.train.feed.stream import StreamConfig, build_curriculum, build_sources, open_stream
from tuili.train.signals import ENDING_SIGNALS

SIZE = Struct("<Q")
"""Each message is preceded by its length in bytes. An empty message is a sign of life."""
BEAT_SECONDS = 0.5
EXIT_TIMEOUT_SECONDS = 5.0
"""How long a killed process may take to end: one that waits for a disk cannot be killed."""

MIN_BLOCKS_OF_A_PROCESS = 200
"""For fewer blocks, starting another process, which takes some seconds of one core, does not pay off."""


def deserves_a_process(config: StreamConfig, state: StreamState) -> bool:
    """Whether a run still needs enough blocks for starting a process to pay off, and that process can prepare them.

    It cannot if a script has registered a domain in this process.
    """
    is_long = config.blocks_after(state) >= MIN_BLOCKS_OF_A_PROCESS
    return is_long and {*config.data.domain_names, *config.data.weights} <= set(BUILT_IN_DOMAINS)


@contextmanager
def preparing(
    config: StreamConfig, tokenizer: Path, state: StreamState, timeout: int = TIMEOUT
) -> Iterator[PreparedBlocks]:
    """The blocks of a run from a given state on, each with the state after it, prepared by a separate process.

    tokenizer: the folder of the run's tokenizer. timeout: how many seconds to wait for a sign of life. In place of a
    block, raises the `TuiliError` that occurred in the process, and `ReplicaDied` if it was killed or hangs. The
    process ends with the `with` block, or with this process.
    """
    request = {"stream": config.model_dump_json(), "tokenizer": str(tokenizer), "state": asdict(state)}
    command = [sys.executable, "-m", "tuili.train.feed.preparation"]
    environment = os.environ | same_modules()
    # This process decides how to react to a signal; the new one inherits the mask of those that it does not receive.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    try:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        yield _received(process, process.stdout, timeout)
    finally:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(EXIT_TIMEOUT_SECONDS)
        process.stdin.close()
        process.stdout.close()


def _received(process: subprocess.Popen[bytes], source: IO[bytes], timeout: int = TIMEOUT) -> PreparedBlocks:
    patience, beats = max(MEETING_SECONDS, timeout), 0  # no sign of life comes before its imports are done
    while (data := _message(source, patience)) is not None:
        patience = timeout
        if not data:
            beats += 1
            if beats * BEAT_SECONDS > PREPARATION_SECONDS:
                raise ReplicaDied(f"the process that prepares the data has given none for {PREPARATION_SECONDS} s")
            continue
        beats = 0
        head = json.loads(data.partition(b"\n")[0])
        if "error" in head:
            raise getattr(tuili.errors, head["kind"], TuiliError)(head["error"])
        (block,) = decode_blocks(data)
        yield block, StreamState(**head["after"])
    code = process.wait()
    if code < 0:
        raise ReplicaDied(f"the process that prepares the data was killed by {signal.Signals(-code).name}")
    raise TuiliError(f"the process that prepares the data ended with exit code {code}")


def _message(source: IO[bytes], patience: float) -> bytes | None:
    """The next message; None if the process has ended, even in the middle of one."""
    if (size := _read(source, SIZE.size, patience)) is None:
        return None
    (length,) = SIZE.unpack(size)
    return _read(source, length, patience)


def _read(source: IO[bytes], length: int, patience: float) -> bytes | None:
    """`length` bytes, bypassing the buffer; None if fewer come. Raises `ReplicaDied` if none come for `patience` s."""
    data = b""
    while len(data) < length:
        _await(source, patience)
        part = os.read(source.fileno(), length - len(data))
        if not part:
            return None
        data += part
    return data


def _await(source: IO[bytes], patience: float, clock: Callable[[], float] = time.monotonic) -> None:
    """Wait until there is something to read. Time in which this process is stopped, as by Ctrl-Z, does not count."""
    silent, before = 0.0, clock()
    while not wait([source.fileno()], BEAT_SECONDS):
        now = clock()
        silent, before = silent + min(now - before, 2 * BEAT_SECONDS), now
        if silent > patience:
            raise ReplicaDied(f"the process that prepares the data has not shown any sign of life for {patience:.0f} s")


def _main() -> None:
    """Run the process that prepares blocks."""
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever else is printed must not come between the blocks
    request = json.loads(sys.stdin.buffer.readline())
    Thread(target=_end_with, args=(sys.stdin.buffer.read,), daemon=True).start()
    with _beating(sink):
        try:
            _send_blocks(request, sink)
        except Exception as error:
            expected = isinstance(error, TuiliError)
            if not expected:
                traceback.print_exc()
            message = {
                "error": str(error) if expected else f"while data was prepared: {error!r}",
                "kind": type(error).__name__,
            }
            _send(sink, json.dumps(message).encode())


@contextmanager
def _beating(sink: IO[bytes]) -> Iterator[None]:
    """Send signs of life of this process during the `with` block."""
    ended = Event()

    def beat() -> None:
        with suppress(OSError):  # the other process has gone
            while not ended.wait(BEAT_SECONDS):
                _send(sink, b"")

    thread = Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _send_blocks(request: dict[str, Any], sink: IO[bytes]) -> None:
    torch.set_num_threads(1)
    config = StreamConfig.model_validate_json(request["stream"])
    sources = build_sources(config.data, config.seed, config.part)
    state, tokenizer = StreamState(**request["state"]), Tokenizer.load(Path(request["tokenizer"]))
    with prefetch(open_stream(config, build_curriculum(config), sources, tokenizer, state)) as blocks:
        for block, after in blocks:
            _send(sink, encode_blocks([block], after))


def _send(sink: IO[bytes], data: bytes) -> None:
    """Send a message, from any thread: one call of `write` is never interrupted by another."""
    sink.write(SIZE.pack(len(data)) + data)
    sink.flush()


def _end_with(wait: Callable[[], object]) -> None:
    """End this process when the other one has closed its end of the pipe, however it ended."""
    wait()
    os._exit(1)


if __name__ == "__main__":
    _main()
