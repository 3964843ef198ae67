"""What the parts of the benchmark share: the model by Tuili, by transformers and by llama.cpp, prompts, kept results.

Texts are ids. Ends of texts are tokens like others. What is compared is left to the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.engine.peers.protocol import Worker
from benchmarks.harness.cells import Cells
from benchmarks.harness.record import Figure
from benchmarks.imported.prompts import chats, equally_long
from benchmarks.imported.quality.ours import Ours
from benchmarks.imported.quality.reference import Reference
from benchmarks.imported.quality.round_trip import export
from tuili.engine import Numbers
from tuili.store import ImportedModel

BATCH = 20
"""Prompts that are continued together."""
NEW = 32
"""Tokens that follow each prompt."""
EVERYTHING = 1000
"""Prompts of which those are taken that are as long as others."""
Texts = Sequence[Sequence[int]]
Figures = dict[str, Figure]
Ask = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Counts:
    """How much is compared: texts, windows of the unseen text, prompts of each part, requests."""

    texts: int
    windows: int
    prompts: int
    gguf_prompts: int
    draft_prompts: int
    requests: int


class Measuring(ExitStack):
    """One model with its counterparts, each loaded when it is first needed.

    Args:
        files: the folder of the model in llama.cpp's formats, which `speed.prepare_files` has written.
        peers: the Python of other engines.
    """

    def __init__(
        self, model: ImportedModel, cells: Cells, counts: Counts, files: Path, peers: str, threads: int
    ) -> None:
        super().__init__()
        self.model, self.cells, self.counts, self.files = model, cells, counts, files
        self._peers, self._threads = peers, threads
        self.exported = cache(self._exported)
        """The path of the model in another form, by its name in `round_trip.NAMES`."""

    @cached_property
    def ours(self) -> Ours:
        """The model by Tuili's native runner."""
        return Ours(self.model)

    @cached_property
    def reference(self) -> Reference:
        """The model by transformers in fp32."""
        return Reference(self.model.path)

    @cached_property
    def exact(self) -> Reference:
        """The model by transformers in fp64."""
        return Reference(self.model.path, torch.float64)

    @contextmanager
    def llama_cpp(self, file: Callable[[], Path]) -> Iterator[Ask]:
        """Asks llama.cpp with a file, which is made and loaded with the first question."""
        workers: list[Worker] = []

        def ask(asked: dict[str, Any]) -> dict[str, Any]:
            if not workers:
                module, log = "benchmarks.imported.quality.llama_worker", self.files / "llama_worker.log"
                workers.append(Worker(self._peers, module, [str(file())], self._threads, log))
            return workers[0].ask(asked)

        try:
            yield ask
        finally:
            for worker in workers:
                worker.close()

    def batches(self, count: int) -> list[list[list[int]]]:
        """So many prompts, in batches of one length."""
        return list(equally_long(chats(self.model.tokenizer, EVERYTHING), count, BATCH))

    def written(
        self, name: str, batches: Sequence[Texts], write: Callable[[Texts], list[list[int]]]
    ) -> list[list[int]]:
        """What somebody writes behind the prompts of each batch; a batch is a cell of the name."""
        rows: list[list[int]] = []
        for number, prompts in enumerate(batches):
            rows += self.cells.get(f"written/{name}/{number}", partial(write, prompts))
        return rows

    def written_by_ours(
        self, prompts_of: str, batches: Sequence[Texts], numbers: Numbers, depth: Any = None
    ) -> list[list[int]]:
        """What the native runner writes, at full depth where no other is given. prompts_of: the name of the batches."""
        depth = depth or self.ours.full

        def write(prompts: Texts) -> list[list[int]]:
            return self.ours.write(prompts, NEW, numbers, depth)

        return self.written(f"{prompts_of}/ours_{numbers}_{depth}", batches, write)

    def _exported(self, form: str) -> Path:
        return export(self.model, form, Path(self.enter_context(TemporaryDirectory())))


def equal(name: str, ones: Sequence[list[int]], others: Sequence[list[int]]) -> Figures:
    """How many prompts are continued alike, and how many there are."""
    same = sum(one == other for one, other in zip(ones, others, strict=True))
    return {f"{name}_equal": Figure("prompts", [same]), f"{name}_prompts": Figure("prompts", [len(ones)])}
