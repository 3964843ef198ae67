"""Reads batches in this process or in workers. Outcomes come in the order of the batches, with bounded memory.

If a worker dies, hangs or grows too large, the item at fault is refused with that reason.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Protocol, TypeVar

from tuili.data.pipeline.document import ReadFault, Refusal
from tuili.data.pipeline.handle import WorkerHandle
from tuili.data.pipeline.kernels import kernels
from tuili.data.pipeline.pipeline import Outcome, Pipeline, Refused
from tuili.data.pipeline.readers.inputs import Item
from tuili.data.pipeline.reading import Corpus
from tuili.data.pipeline.recipe import BuildSettings, Limits
from tuili.data.pipeline.worker import Setup
from tuili.errors import InputError

Read = tuple[list[Item], list[list[Outcome]]]
IDLE = 30.0
"""The number of seconds without computing after which a worker is given up."""
Answer = TypeVar("Answer")


class Pool(Protocol):
    """Reads batches."""

    def outline(self, file: int) -> list[Item]:
        """The items of a file that foreign code splits."""

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
        """Nothing to stop."""


class Workers:
    """Reads in several worker processes."""

    def __init__(self, settings: BuildSettings, corpus: Corpus, count: int) -> None:
        self._corpus, self._count = corpus, count
        kernels()  # compiled here if necessary: workers never compile
        setup = Setup(settings.model_dump_json())
        self._workers = [WorkerHandle(setup, IDLE) for _ in range(count)]
        self._threads = ThreadPoolExecutor(count)
        self._free = SimpleQueue[WorkerHandle]()
        for worker in self._workers:
            self._free.put(worker)

    def outline(self, number: int) -> list[Item]:
        """The items of a file that foreign code splits; one refused item if that code dies over the file."""
        file = self._corpus.files[number]

        def outlined() -> list[Item] | ReadFault:
            return self._with_worker(lambda worker: worker.outline(number, file))

        answer = self._threads.submit(outlined).result()
        if isinstance(answer, ReadFault):
            return [Item(number, 0, file.name, fault=Refusal(file.name, answer, _explain(answer)))]
        return answer

    def read(self, batches: Iterator[list[Item]]) -> Iterator[Read]:
        """Yield each batch with the outcomes of its items, in order. At most two batches per worker wait."""
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
        for worker in self._workers:
            worker.stop()
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.close()

    def _outcomes(self, batch: list[Item]) -> list[list[Outcome]]:
        files = [self._corpus.files[item.file] for item in batch]
        answers = self._with_worker(lambda worker: worker.read(batch, files))
        return [
            [Refused(str(file.format), Refusal(item.place, answer, _explain(answer)))]
            if isinstance(answer, ReadFault)
            else answer
            for item, file, answer in zip(batch, files, answers, strict=True)
        ]

    def _with_worker(self, call: Callable[[WorkerHandle], Answer]) -> Answer:
        worker = self._free.get()  # there are as many workers as threads
        try:
            return call(worker)
        finally:
            self._free.put(worker)


@contextmanager
def open_pool(settings: BuildSettings, corpus: Corpus, pipeline: Pipeline, workers: int) -> Iterator[Pool]:
    """A pool that is closed after the `with` block: workers, or this process for 0, unless foreign code has to read.

    Raises `InputError` for limits that no worker would enforce.
    """
    pool: Pool
    if not (workers or corpus.needs_worker) and settings.limits != Limits():
        raise InputError("build.limits are kept by workers: take one at least, --workers 1")
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
