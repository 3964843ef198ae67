"""Measures the processor time of single answers of a given length: for reading the prompt, and for each token after it.

End tokens are banned, so that a model with short answers is timed on as many tokens as one that never ends.
"""

from __future__ import annotations

import time
from collections import abc

from tuili.engine import Sampling, Scheduler, Sequence, SequenceLimits, helpful_threads, load_scheduler
from tuili.store import ImportedModel, StoredModel


class TokenTimer:
    """One model in the engine at batch 1, with the engine's default number format and runner."""

    def __init__(self, model: StoredModel | ImportedModel, load: abc.Callable[..., Scheduler] = load_scheduler) -> None:
        self._scheduler = load(model, threads=helpful_threads(model.shape), slots=1, prefix_cache_bytes=0)
        self._threshold = model.shape.exit_threshold
        self._sampling = Sampling(logit_bias=tuple((token, -100.0) for token in model.tokenizer.end_ids))

    def time(self, prompts: abc.Sequence[list[int]], new: int) -> tuple[float, float]:
        """Processor seconds over all threads, per prompt token, and per answer token after the first, which belongs to
        the prompt. new: tokens of an answer, at least 2."""
        read = written = 0.0
        tokens = 0
        for prompt in prompts:
            sequence = Sequence(prompt, SequenceLimits(new), self._sampling, exit_threshold=self._threshold)
            begun = time.process_time()
            self._scheduler.submit(sequence)
            while self._scheduler.busy and not sequence.tokens:
                self._scheduler.step()
            first, known = time.process_time(), len(sequence.tokens)
            while self._scheduler.busy:
                self._scheduler.step()
            read, written = read + first - begun, written + time.process_time() - first
            tokens += len(sequence.tokens) - known
        return read / sum(map(len, prompts)), written / max(1, tokens)
