"""The worker of our engine: `python -m benchmarks.engine.peers.workers.tuili_engine SIZE DTYPE THREADS`.

Variants: `compiled`, `int8`, and `shares`: the share of tokens that leave at each exit. Random
weights are never sure, so where shares are given each token's depth is drawn beforehand by them; the exits that a token
passes on its way are looked at only where another token leaves there.
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


class Ours:
    """One model with a scheduler for each batch size and variant, so that each is laid out and compiled once."""

    def __init__(self, size: str, dtype: torch.dtype) -> None:
        self._model, self._tokenizer = build_ours(SIZES[size], dtype)
        self._schedulers: dict[tuple[int, bool, bool], Scheduler] = {}

    def prepare(self, work: Work) -> Callable[[], Tokens]:
        """Rows for the prompts, and a scheduler that has done such work before."""
        key = work.batch, bool(work.variant.get("compiled")), bool(work.variant.get("int8"))
        if key not in self._schedulers:
            self._schedulers[key] = load_scheduler(
                self._model, self._tokenizer, slots=work.batch, prefix_cache_bytes=0, compiled=key[1], int8=key[2]
            )
            self._write(Work(work.batch, work.prompt, 4, work.vocabulary, work.variant, seed=-1), self._schedulers[key])
        return lambda: self._write(work, self._schedulers[key])

    def _write(self, work: Work, scheduler: Scheduler) -> Tokens:
        exits = self._model.config.exit_layers
        rows = [Sequence(prompt, SequenceLimits(work.new), depth=exits[-1]) for prompt in work.prompts()]
        depths = [[exits[-1]] * work.new for _ in rows]
        if shares := work.variant.get("shares"):
            rng = random.Random(work.seed)
            depths = [rng.choices(exits, shares, k=work.new) for _ in rows]
        for row in rows:
            scheduler.submit(row)
        while scheduler.busy:
            for row, own in zip(rows, depths, strict=True):
                if len(row.tokens) < work.new:
                    row.depth = own[len(row.tokens)]
            scheduler.step()
        return [row.tokens for row in rows]


if __name__ == "__main__":
    size, dtype, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    serve(Ours(size, getattr(torch, dtype)).prepare)
