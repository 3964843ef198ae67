"""What Tuili's native runner makes of the same texts, in each number format and at each depth. Texts are ids.

Dimensions: T tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence as Many
from dataclasses import replace
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.engine.peers.workers.tuili_engine import endless
from benchmarks.imported.quality.forced import Forced, read_forced
from tuili.engine import Depth, ModelRunner, Numbers, Sampling, Scheduler, Sequence, SequenceLimits, load_runner
from tuili.machine import usable_cores
from tuili.native import Library, NativeModel, Sizes, load, pack_dense
from tuili.store import ImportedModel, open_tensors, rotary_frequencies

SLOTS = 16


class Ours:
    """One model with a scheduler in each format, which is made once. Ends are tokens like others."""

    def __init__(self, model: ImportedModel) -> None:
        self._model = endless(str(model.path))
        self.full = model.shape.exit_layers[-1]
        self.runner = cache(self._loaded)
        """The runner of a number format, with so many threads, or as many as help, and so much memory for prompts.
        Runners of other names have seen other texts."""

    def logits(self, ids: Many[int]) -> NDArray[np.float32]:
        """The logits [T, V] behind each token in fp32, by the library itself: an engine tells the likeliest."""
        native, tokens = self._native, len(ids)
        slots, batch = native.slots(1), native.batch(tokens)
        slots.reserve(0, tokens, 1)
        batch.table[:] = [(0, place, 0, place, token) for place, token in enumerate(ids)]
        native.trunk(slots, batch, tokens)
        native.exit(batch, tokens)
        return batch.logits.copy()

    @cached_property
    def _native(self) -> NativeModel:
        """All layers as a trunk, without exits."""
        library, shape = load(), replace(self._model.shape, exit_layers=(self.full,))
        assert isinstance(library, Library), "there is no native library"
        pack = pack_dense(*rotary_frequencies(shape), {})
        with open_tensors(self._model.path, shape) as tensors:
            return NativeModel(library, Sizes.of(shape), tensors, "fp32", threads=usable_cores(), pack=pack)

    def nats(self, ids: Many[int], numbers: Numbers) -> float:
        """The sum over all tokens but the first of their negative log-probabilities."""
        text = Sequence(list(ids), SequenceLimits(1), Sampling(prompt_logprobs=0), score_from=1)
        self._run([text], numbers)
        return -sum(place.chosen for place in text.logprobs)

    def write(self, prompts: Many[Many[int]], new: int, numbers: Numbers, depth: Depth) -> list[list[int]]:
        """Go on with prompts greedily by so many tokens each."""
        texts = [Sequence(list(prompt), SequenceLimits(new), depth=depth) for prompt in prompts]
        self._run(texts, numbers)
        return [text.tokens for text in texts]

    def read_forced(
        self, texts: Many[tuple[Many[int], Many[int]]], numbers: Numbers, depth: Depth, threshold: float | None = None
    ) -> list[Forced]:
        """What is written at each place of the responses of prompts: see `forced`."""
        return read_forced(self.runner(numbers), self._model, texts, depth, threshold)

    def _run(self, texts: Many[Sequence], numbers: Numbers) -> None:
        scheduler = Scheduler.of(self.runner(numbers), self._model.tokenizer, waiting=len(texts))
        for text in texts:
            scheduler.submit(text)
        while scheduler.busy:
            scheduler.step()

    def _loaded(self, numbers: Numbers, threads: int | None = None, kept_bytes: int = 0, name: str = "") -> ModelRunner:
        how: Any = {"numbers": numbers, "threads": threads, "prefix_cache_bytes": kept_bytes}
        runner = load_runner(self._model, runner="native", slots=SLOTS, **how)
        runner.measure()  # as an engine's warm-up does: by this it plans drafts
        return runner
