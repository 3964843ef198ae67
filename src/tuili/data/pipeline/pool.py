"""Who reads batches: this process, or workers. Outcomes come in the order of the batches, with bounded memory.

A worker that dies, hangs or grows too large costs the item that was at fault, which is refused with that reason.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Protocol

from tuili.data.pipeline.document import ReadFault, Refusal
from tuili.data.pipeline.handle import WorkerHandle
from tuili.data.pipeline.pipeline import Outcome, Pipeline, Refused
from tuili.data.pipeline.readers.reader import Item
from tuili.data.pipeline.reading import Corpus
from tuili.data.pipeline.recipe import BuildSettings
from tuili.data.pipeline.worker import Done, Failed, Outline, Outlined, Setup, Work
from tuili.errors import TuiliError

Read = tuple[list[Item], list[list[Outcome]]]
WAIT = 30
"""A worker that computes nothing is given up after this many times the seconds that an item may compute."""


class Pool(Protocol):
    """Who reads batches."""

    def outline(self, file: int) -> list[Item]:
        """The items of a file that foreign code cuts."""

    def read(self, batches: Iterator[list[Item]]) -> Iterator[Read]:
        """Each batch with the outcomes of its items."""

    def close(self) -> None:
        """Stop."""


class OwnProcess:
    """Reads in this process. A file that crashes foreign code ends it."""

    def __init__(self, corpus: Corpus, pipeline: Pipeline) -> None:
        self._corpus, self._pipeline = corpus, pipeline
        self.outline = corpus.outline

    def read(self, batches: Iterator[list[Item]]) -> Iterator[Read]:
        """Each batch with the outcomes of its items."""
        for batch in batches:
            yield batch, [self._corpus.read(item, self._pipeline) for item in batch]

    def close(self) -> None:
        """Nothing is to be stopped."""


class Workers:
    """Reads in several worker processes."""

    def __init__(self, settings: BuildSettings, corpus: Corpus, count: int) -> None:
        files: list[tuple[bytes, str, str | None, int, int, int]] = [
            (os.fsencode(file.path.absolute()), *file[1:]) for file in corpus.files
        ]
        self._setup = Setup(settings.model_dump_json(), files)
        self._corpus, self._seconds, self._count = corpus, settings.limits.seconds, count
        self._threads = ThreadPoolExecutor(count)
        self._idle = SimpleQueue[WorkerHandle]()
        self._all = list[WorkerHandle]()
        self._closed = False
        for _ in range(count):
            self._start()

    def outline(self, file: int) -> list[Item]:
        """The items of a file that foreign code cuts; a refused one where that code dies over it."""
        answer = self._threads.submit(self._call, Outline(file)).result()
        if isinstance(answer, Outlined):
            return answer.items
        assert isinstance(answer, ReadFault)
        name = self._corpus.files[file].name
        return [Item(file, 0, name, fault=Refusal(name, answer, _explain(answer)))]

    def read(self, batches: Iterator[list[Item]]) -> Iterator[Read]:
        """Each batch with the outcomes of its items, in order. At most two batches a worker wait."""
        waiting = deque[tuple[list[Item], Future[list[list[Outcome]]]]]()
        for batch in batches:
            waiting.append((batch, self._threads.submit(self._outcomes, batch)))
            if len(waiting) > 2 * self._count:
                batch, future = waiting.popleft()
                yield batch, future.result()
        for batch, future in waiting:
            yield batch, future.result()

    def close(self) -> None:
        """Stop all workers, whatever they are doing."""
        self._closed = True
        for worker in self._all:
            worker.kill()
        self._threads.shutdown(cancel_futures=True)

    def _outcomes(self, batch: list[Item]) -> list[list[Outcome]]:
        answer = self._call(Work(batch))
        if isinstance(answer, Done):
            return answer.outcomes
        assert isinstance(answer, ReadFault)
        if len(batch) > 1:  # one of them is at fault
            return [self._outcomes([item])[0] for item in batch]
        (item,) = batch
        format_ = str(self._corpus.files[item.file].format)
        return [[Refused(format_, Refusal(item.place, answer, _explain(answer)))]]

    def _call(self, message: Work | Outline) -> Done | Outlined | ReadFault:
        """The answer of an idle worker, or how it died. Another one takes its place."""
        worker = self._idle.get()
        answer = worker.call(message)
        if self._closed:
            raise CancelledError
        if isinstance(answer, ReadFault):
            self._all.remove(worker)
            self._start()
            return answer
        self._idle.put(worker)
        if isinstance(answer, Failed):
            raise TuiliError(f"reading failed at {answer.message}")
        return answer

    def _start(self) -> None:
        worker = WorkerHandle(self._setup, self._seconds * WAIT)
        self._all.append(worker)
        self._idle.put(worker)


@contextmanager
def open_pool(settings: BuildSettings, corpus: Corpus, pipeline: Pipeline, workers: int) -> Iterator[Pool]:
    """A pool that is closed behind the block: workers, or this process for 0, unless foreign code has to read."""
    pool: Pool
    if workers or corpus.needs_worker:
        pool = Workers(settings, corpus, max(workers, 1))
    else:
        pool = OwnProcess(corpus, pipeline)
    try:
        yield pool
    finally:
        pool.close()


def _explain(fault: ReadFault) -> str:
    if fault is ReadFault.TOO_MUCH_TIME:
        return "reading it takes too much time: see limits.seconds"
    return "reading it ends the process that reads: the file is damaged, hostile, or larger than limits.memory"
