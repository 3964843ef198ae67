"""A worker from the coordinator's view: items go in; the outcome of each, or how the worker died, comes out."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from threading import Lock

import msgspec

from tuili.data.pipeline.channel import Channel
from tuili.data.pipeline.document import ReadFault
from tuili.data.pipeline.pipeline import Outcome
from tuili.data.pipeline.readers.inputs import Item, SourceFile
from tuili.data.pipeline.worker import LENGTH, Done, Failed, Outline, Outlined, Setup, Work, framed
from tuili.errors import TuiliError

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_WORKER = ("-P", "-m", "tuili.data.pipeline.worker")
"""Python's arguments: no module of the current folder is mistaken for one of Tuili's."""
_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU})
"""Signals that end a worker for other reasons than an item, for example from an operator, or when memory is short."""
_END_SECONDS = 10.0
"""The number of seconds within which a worker that has closed its end of a pipe ends."""


class KilledError(TuiliError):
    """A worker was killed, but not by the item that it was reading."""


class WorkerHandle:
    """A worker, started by the first call and restarted by the next call after its death. One call at a time."""

    def __init__(self, setup: Setup, idle: float) -> None:
        """idle: seconds without computing after which the worker is given up; it limits its computing time itself."""
        self._setup, self._idle = setup, idle
        self._decoder: msgspec.msgpack.Decoder[Done | Outlined | Failed]
        self._decoder = msgspec.msgpack.Decoder(Done | Outlined | Failed)
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._shared, path = tempfile.mkstemp()
        Path(path).unlink()
        os.write(self._shared, LENGTH.pack(0))  # allocates the disk space: a page that does not fit ends the process
        self._reading = mmap.mmap(self._shared, LENGTH.size)
        """Which of the most recently sent items the worker is reading."""
        self._lock, self._stopped = Lock(), False

    def outline(self, number: int, file: SourceFile) -> list[Item] | ReadFault:
        """The items of a file. Raises `TuiliError` as `read` does."""
        try:
            return self._outline(number, file)
        except KilledError:
            return self._outline(number, file)

    def read(self, items: Sequence[Item], files: Sequence[SourceFile]) -> list[list[Outcome] | ReadFault]:
        """Return the outcomes of each item. files: the files of the items.

        Raises `TuiliError` if the process cannot be started, met an error that ends the build, or was killed from
        outside while it read an item and again on the second attempt: refusing the item would lose it.
        """
        results, faults, killed_at = list[list[Outcome] | ReadFault](), dict[int, ReadFault](), -1
        while (begin := len(results)) < len(items):
            if fault := faults.pop(begin, None):
                results.append(fault)
                continue
            end = min((place for place in (*faults, killed_at) if place > begin), default=len(items))
            try:
                fault = self._read_on(items[begin:end], files[begin:end], results)
            except KilledError:
                if begin + self._place <= killed_at:
                    raise
                killed_at = begin + self._place
            else:
                if fault:
                    faults[begin + self._place] = fault
        return results

    def stop(self) -> None:
        """Kill the process, whatever it is doing, and let every call fail. May be called from another thread."""
        with self._lock:
            self._stopped = True
            if self._process:
                self._process.kill()

    def close(self) -> None:
        """Kill the process and wait for its end. May be called again, but no other call may follow."""
        self._end_process()
        if not self._reading.closed:
            self._reading.close()
            os.close(self._shared)

    def _end_process(self) -> None:
        process, self._process = self._process, None
        channel, self._channel = self._channel, None
        if process:
            process.kill()
            process.wait()
        if channel:
            channel.close()

    def _outline(self, number: int, file: SourceFile) -> list[Item] | ReadFault:
        self._running()
        answer = self._answer(Outline(number, file.packed()))
        assert not isinstance(answer, Done)
        return answer.items if isinstance(answer, Outlined) else answer

    def _read_on(
        self, items: Sequence[Item], files: Sequence[SourceFile], results: list[list[Outcome] | ReadFault]
    ) -> ReadFault | None:
        """Append the items' results in order, until all are there or the process has died over one. Results before
        that one may be lost: those items are read again, and their results sent as soon as all of them are read."""
        self._reading[:] = LENGTH.pack(0)
        self._running()
        answer = self._answer(Work(list(items), [file.packed() for file in files]))
        for number in range(len(items)):
            if not isinstance(answer, Done):
                assert isinstance(answer, ReadFault)
                return answer
            results.append(answer.outcomes)
            if number + 1 < len(items):
                answer = self._answer(None)
        return None

    @property
    def _place(self) -> int:
        """Which of the most recently sent items the worker is reading, or has read last."""
        place: int = LENGTH.unpack(self._reading[:])[0]
        return place

    def _running(self) -> None:
        if self._process and self._process.poll() is None:
            return
        self._end_process()
        environment = os.environ | dict.fromkeys(_THREADS, "1")
        with tempfile.TemporaryFile() as errors:
            try:
                with self._lock:
                    if self._stopped:
                        raise CancelledError
                    self._process = subprocess.Popen(
                        [sys.executable, *_WORKER, str(self._shared)],
                        0,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=errors,
                        env=environment,
                        pass_fds=[self._shared],
                    )
                self._channel = Channel(self._process, self._idle)
                why = self._answer(self._setup)
            except OSError as error:
                raise TuiliError(f"a worker process cannot be started: {error}") from error
            if isinstance(why, Done):
                return
            self._end_process()
            errors.seek(0)
            lines = errors.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), why)
        raise TuiliError(f"a worker process cannot be started: {last}")

    def _answer(self, message: msgspec.Struct | None) -> Done | Outlined | ReadFault:
        """Send a message, if there is one, and return the next answer, or how the process died.

        Raises `KilledError` if it was killed from outside.
        """
        assert self._channel
        try:
            if message is not None:
                self._channel.send(framed(message))
            answer = self._decoder.decode(self._channel.receive())
        except (EOFError, BrokenPipeError, msgspec.DecodeError):
            fault = ReadFault.CRASHED
        except TimeoutError:
            fault = ReadFault.TOO_MUCH_TIME
        else:
            if isinstance(answer, Failed):
                raise TuiliError(answer.message)
            return answer
        if self._stopped:
            raise CancelledError
        code = self._ended(_END_SECONDS if fault is ReadFault.CRASHED else 0)
        self._end_process()
        if code is not None and -code in _FROM_OUTSIDE:
            raise KilledError(
                f"a worker was killed by {signal.Signals(-code).name}: if memory is short, take fewer --workers; "
                "what is done is kept: start the same command again"
            )
        return ReadFault.TOO_MUCH_TIME if code == -signal.SIGPROF else fault

    def _ended(self, seconds: float) -> int | None:
        """The exit code if the process ended by itself within this number of seconds, else None."""
        assert self._process
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
