"""The parts of the benchmark: what each compares, and its figures. Each result of a text or a batch is a cell.

logits: ours in fp32 beside transformers'. generate: greedy tokens in fp32 beside those of `generate`. perplexity: of a
text that the model has not seen, in each format, and by llama.cpp on the same ids. round_trip: import, export, import.
gguf: greedy tokens of llama.cpp with the file that Tuili exports, beside ours. drafts: tokens of verified drafts beside
those of full depth. Ends of texts are tokens like others. Budgets are left to `budgets`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from math import exp
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmarks.engine.peers.contenders import GGUF
from benchmarks.engine.peers.protocol import Worker
from benchmarks.harness.cells import Cells
from benchmarks.harness.record import Figure
from benchmarks.imported.prompts import chats, equally_long
from benchmarks.imported.quality.ours import Ours
from benchmarks.imported.quality.reference import Reference
from benchmarks.imported.quality.round_trip import NAMES, export, round_trip
from benchmarks.imported.quality.texts import windows
from benchmarks.imported.source import has_exits
from tuili.engine import Numbers
from tuili.store import ImportedModel

FORMATS: tuple[Numbers, ...] = ("fp32", "bf16", "int8", "int4")
DRAFTED: tuple[Numbers, ...] = ("fp32", "int8")
"""The formats in which verified drafts are compared."""
WINDOW = 512
"""Tokens of a piece of the unseen text."""
TEXT = 128
"""Tokens of a text whose logits are compared."""
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
    """How much is compared: texts, windows of the unseen text, and prompts of each part."""

    texts: int
    windows: int
    prompts: int
    gguf_prompts: int
    draft_prompts: int


class Compared:
    """One model, ours and others', each loaded when it is first needed.

    Args:
        files: the folder of the model in llama.cpp's formats, which `speed.prepare_files` has written.
        peers: the Python of other engines.
    """

    def __init__(
        self, model: ImportedModel, cells: Cells, counts: Counts, files: Path, peers: str, threads: int
    ) -> None:
        self._model, self._cells, self._counts = model, cells, counts
        self._files, self._peers, self._threads = files, peers, threads

    @cached_property
    def _ours(self) -> Ours:
        return Ours(self._model)

    @cached_property
    def _reference(self) -> Reference:
        return Reference(self._model.path)

    @cached_property
    def _exact(self) -> Reference:
        return Reference(self._model.path, torch.float64)

    def logits(self) -> Figures:
        """The largest distance of a logit from transformers' in each text: half are prompts, half are prose."""
        half = self._counts.texts // 2
        texts = [*chats(self._model.tokenizer, half), *windows(self._model.tokenizer, self._counts.texts - half, TEXT)]
        cells = [self._cells.get(f"logits/{number}", partial(self._apart, ids)) for number, ids in enumerate(texts)]
        apart = {name: [cell[name] for cell in cells] for name in cells[0]}
        return {name: Figure("largest distance of a text", runs) for name, runs in apart.items()} | {
            f"{name}_most_apart": Figure("largest distance", [max(runs)]) for name, runs in apart.items()
        }

    def _apart(self, ids: Sequence[int]) -> dict[str, float]:
        """Ours from transformers in fp32, and both from transformers in fp64, which tells whose rounding it is."""
        ours, theirs, exact = (who.logits(ids) for who in (self._ours, self._reference, self._exact))
        pairs = {"logits": (ours, theirs), "logits_fp64": (ours, exact), "logits_of_transformers": (theirs, exact)}
        return {name: float(np.abs(one - other).max()) for name, (one, other) in pairs.items()}

    def generate(self) -> Figures:
        """How many prompts are continued as transformers' `generate` does."""
        batches = self._batches(self._counts.prompts)
        ours = self._written("ours", batches, partial(self._ours_fp32))
        theirs = self._written("transformers", batches, lambda prompts: self._reference.write(prompts, NEW))
        return _equal("generate", ours, theirs)

    def perplexity(self) -> Figures:
        """The perplexity of the unseen text by transformers, by each of our formats and by llama.cpp's."""
        pieces = windows(self._model.tokenizer, self._counts.windows, WINDOW)
        readers: dict[str, Callable[[Sequence[int]], float]] = {"transformers": lambda ids: self._reference.nats(ids)}
        readers |= {f"ours_{numbers}": partial(self._nats, numbers) for numbers in FORMATS}
        figures = {name: self._perplexity(name, read, pieces) for name, read in readers.items()}
        for kind in GGUF:
            with self._llama_cpp(self._files / f"{kind}.gguf") as ask:
                figures[f"llama_cpp_{kind}"] = self._perplexity(f"llama_cpp_{kind}", partial(_nats, ask), pieces)
        first = figures["transformers"].median
        over = {name: Figure("%", [100 * (figure.median / first - 1)]) for name, figure in figures.items()}
        told = {f"perplexity_{name}": figure for name, figure in figures.items()}
        return told | {
            f"perplexity_{name}_over_fp32": figure for name, figure in over.items() if name != "transformers"
        }

    def _nats(self, numbers: Numbers, ids: Sequence[int]) -> float:
        return self._ours.nats(ids, numbers)

    def _perplexity(self, name: str, read: Callable[[Sequence[int]], float], pieces: Texts) -> Figure:
        found = [self._cells.get(f"nats/{name}/{number}", partial(read, ids)) for number, ids in enumerate(pieces)]
        return Figure("perplexity", [exp(sum(found) / sum(len(ids) - 1 for ids in pieces))])

    def round_trip(self) -> Figures:
        """How many files come back with the same bytes from each form."""
        figures: Figures = {}
        for form in NAMES:
            found = self._cells.get(f"round_trip/{form}", partial(round_trip, self._model, form))
            figures |= {f"round_trip_{form}_{what}": Figure("files", [count]) for what, count in found.items()}
        return figures

    def gguf(self) -> Figures:
        """How many prompts llama.cpp continues as ours, with the file that is exported."""
        batches = self._batches(self._counts.gguf_prompts)
        ours = self._written("ours", batches, self._ours_fp32)
        with TemporaryDirectory() as scratch, self._llama_cpp(Path(scratch, NAMES["gguf"])) as ask:

            def write(prompts: Texts) -> list[list[int]]:
                if not Path(scratch, NAMES["gguf"]).exists():
                    export(self._model, "gguf", Path(scratch))
                written: list[list[int]] = ask({"write": prompts, "new": NEW})["tokens"]
                return written

            theirs = self._written("llama_cpp", batches, write)
        return _equal("gguf", ours, theirs)

    def drafts(self) -> Figures:
        """How many prompts verified drafts continue as full depth does; nothing for a model without exits."""
        if not has_exits(self._model):
            return {}
        prompts = chats(self._model.tokenizer, self._counts.draft_prompts)
        batches = [prompts[first : first + BATCH] for first in range(0, len(prompts), BATCH)]
        figures: Figures = {}
        for numbers in DRAFTED:
            full, exact = (
                self._written(f"{numbers}/{depth}", batches, partial(self._at_depth, numbers, depth))
                for depth in (self._ours.full, "exact")
            )
            figures |= _equal(f"drafts_{numbers}", exact, full)
        return figures

    def _at_depth(self, numbers: Numbers, depth: Any, prompts: Texts) -> list[list[int]]:
        return self._ours.write(prompts, NEW, numbers, depth)

    def _ours_fp32(self, prompts: Texts) -> list[list[int]]:
        return self._ours.write(prompts, NEW, "fp32", self._ours.full)

    def _batches(self, count: int) -> list[list[list[int]]]:
        everything = chats(self._model.tokenizer, EVERYTHING)
        return list(equally_long(everything, count, BATCH))

    def _written(
        self, who: str, batches: Sequence[Texts], write: Callable[[Texts], list[list[int]]]
    ) -> list[list[int]]:
        rows: list[list[int]] = []
        for number, prompts in enumerate(batches):
            rows += self._cells.get(f"written/{who}/{number}", partial(write, prompts))
        return rows

    @contextmanager
    def _llama_cpp(self, file: Path) -> Iterator[Ask]:
        """Asks llama.cpp with a file, in a process that is started with the first question."""
        module, log = "benchmarks.imported.quality.llama_worker", self._files / "llama_worker.log"
        worker = Worker(self._peers, module, [str(file)], self._threads, log)
        try:
            yield worker.ask
        finally:
            worker.close()


def _nats(ask: Ask, ids: Sequence[int]) -> float:
    return float(ask({"score": ids})["nats"])


def _equal(name: str, ones: Sequence[list[int]], others: Sequence[list[int]]) -> Figures:
    same = sum(one == other for one, other in zip(ones, others, strict=True))
    return {f"{name}_equal": Figure("prompts", [same]), f"{name}_prompts": Figure("prompts", [len(ones)])}
