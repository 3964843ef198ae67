"""A worker process as the process that leads sees it: a call, and its answer or how it died."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from typing import BinaryIO

import msgspec

from tuili.data.pipeline.document import ReadFault
from tuili.data.pipeline.worker import Done, Failed, Outline, Outlined, Setup, Work, receive, send
from tuili.errors import TuiliError

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class WorkerHandle:
    """A worker process as the process that leads sees it."""

    def __init__(self, setup: Setup, wait: float) -> None:
        environment = os.environ | dict.fromkeys(_THREADS, "1")
        command = [sys.executable, "-P", "-m", "tuili.data.pipeline.worker"]  # no module of the current folder
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self._wait = wait
        self._decoder = msgspec.msgpack.Decoder(Done | Outlined | Failed)
        self._setup = setup
        self._ready = False

    def call(self, message: Work | Outline) -> Done | Outlined | Failed | ReadFault:
        """Send a message and wait for its answer."""
        try:
            if not self._ready:
                if not isinstance(self._exchange(self._setup), Done):
                    self.kill()
                    raise TuiliError("a worker process cannot be started: use workers=0 to see why")
                self._ready = True
            answer = self._exchange(message)
        except TimeoutError:
            self.kill()
            return ReadFault.TOO_MUCH_TIME
        if answer is not None:
            return answer
        self.kill()
        code = self._process.returncode
        return ReadFault.TOO_MUCH_TIME if code == -signal.SIGPROF else ReadFault.CRASHED

    def _exchange(self, message: msgspec.Struct) -> Done | Outlined | Failed | None:
        requests, answers = self._process.stdin, self._process.stdout
        assert requests and answers
        try:
            send(_binary(requests), message)
        except BrokenPipeError:
            return None
        if not select.select([answers], [], [], self._wait)[0]:
            raise TimeoutError
        data = receive(_binary(answers))
        return None if data is None else self._decoder.decode(data)

    def kill(self) -> None:
        """End the process and wait for its end; it may have ended already."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with suppress(BrokenPipeError):
                    stream.close()


def _binary(stream: object) -> BinaryIO:
    return stream  # type: ignore[return-value] # Popen without text gives binary streams
