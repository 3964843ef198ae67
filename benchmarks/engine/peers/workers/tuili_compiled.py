"""The worker of our last commit that compiled the torch step: as `tuili_engine`, in a process that imports its sources.

Variants: `compiled` and `int8`, as its `load_runner` took them; and `depths`, as for `tuili_engine`. Weights are bf16.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import torch

from benchmarks.engine.peers.protocol import serve
from benchmarks.engine.peers.workers.tuili_engine import TuiliEngine
from tuili.engine import ModelRunner, load_runner


class CompiledEngine(TuiliEngine):
    """One model in bf16."""

    def __init__(self, size: str) -> None:
        super().__init__(size)
        self.loaded.model.bfloat16()

    def runner(self, slots: int, options: Mapping[str, Any]) -> ModelRunner:
        """A runner as that commit made it."""
        load: Any = load_runner  # which takes other arguments now
        runner: ModelRunner = load(
            self.loaded.model, self.loaded.tokenizer, slots=slots, prefix_cache_bytes=0, **options
        )
        return runner

    def slots(self, batch: int) -> int:
        """As many as the batch has, for that is what is compiled."""
        return batch


if __name__ == "__main__":
    size, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    serve(CompiledEngine(size).prepare)
