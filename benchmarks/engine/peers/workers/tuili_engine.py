"""The worker of our engine: `python -m benchmarks.engine.peers.workers.tuili_engine SIZE DTYPE THREADS`.

Variants: `compiled`, `int8`, and `shares`, the share of tokens that leave at each exit. No exit is sure enough with
random weights, so that each token's depth is drawn beforehand by the shares. An exit is computed where a token leaves
at it.
"""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable

import torch

from benchmarks.engine.peers.protocol import Tokens, Work, serve
from benchmarks.engine.peers.sizes import SIZES, build_ours
from tuili.engine import Scheduler, Sequence, SequenceLimits, load_scheduler


def compiles() -> bool:
    """Whether there is a C++ compiler for the engine."""
    return any(shutil.which(name) for name in ("g++", "clang++", "c++"))


class TuiliEngine:
    """One model with a scheduler for each batch size and variant, so that each is made and compiled once."""

    def __init__(self, size: str, dtype: torch.dtype) -> None:
        self._model, self._tokenizer = build_ours(SIZES[size], dtype)
        self.schedulers: dict[tuple[int, bool, bool], Scheduler] = {}

    def prepare(self, work: Work) -> Callable[[], Tokens]:
        """A scheduler that has done such work before; the work makes the sequences."""
        key = work.batch, bool(work.variant.get("compiled")), bool(work.variant.get("int8"))
        if key not in self.schedulers:
            self.schedulers[key] = load_scheduler(
                self._model, self._tokenizer, slots=work.batch, prefix_cache_bytes=0, int8=key[2]
            )
            self._write(Work(work.batch, work.prompt, 4, work.vocabulary, work.variant, seed=-1), self.schedulers[key])
        return lambda: self._write(work, self.schedulers[key])

    def _write(self, work: Work, scheduler: Scheduler) -> Tokens:
        exits = self._model.config.exit_layers
        sequences = [Sequence(prompt, SequenceLimits(work.new), depth=exits[-1]) for prompt in work.prompts()]
        depths = [[exits[-1]] * work.new for _ in sequences]
        if shares := work.variant.get("shares"):
            rng = random.Random(work.seed)
            depths = [rng.choices(exits, shares, k=work.new) for _ in sequences]
        for sequence in sequences:
            scheduler.submit(sequence)
        while scheduler.busy:
            for sequence, its_depths in zip(sequences, depths, strict=True):
                if len(sequence.tokens) < work.new:
                    sequence.depth = its_depths[len(sequence.tokens)]
            scheduler.step()
        return [sequence.tokens for sequence in sequences]


if __name__ == "__main__":
    size, dtype, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    serve(TuiliEngine(size, getattr(torch, dtype)).prepare)
