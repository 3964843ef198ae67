"""The worker of our engine: `python -m benchmarks.engine.peers.workers.tuili_engine MODEL THREADS`.

MODEL is a name of `sizes`, with random weights, or a folder of an imported model. Variants: `runner` and `numbers`, as
`load_runner` takes them; `depth`, as a `Sequence` has it; and `depths`, texts of exits by number that nano's tokens
left at, which are replayed. Each replayed token runs as at depth `auto`: every exit up to the one that it leaves at is
computed, and a policy, not its likelihood, ends it there. Work without a depth runs at full depth and computes the last
exit. The native runner takes at most so many threads, as many of them as help.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.engine.peers.protocol import Tokens, Work, serve
from benchmarks.engine.peers.sizes import SIZES, build_ours
from tuili.engine import ModelRunner, Scheduler, Sequence, SequenceLimits, load_runner
from tuili.model import LoadedModel

NEVER_SURE = 2.0
"""A threshold that no probability reaches."""
SLOTS = 16
"""Of every scheduler: as many as the largest batch has."""


class ReplayingScheduler(Scheduler):
    """A scheduler that lets tokens leave at given exits."""

    exits_of: Mapping[Sequence, str]
    """For each sequence the number of the exit of each token, as digits."""

    def may_go_deeper(self, sequence: Sequence, exit_index: int, together: int) -> bool:
        """See `Scheduler`."""
        if exits := self.exits_of.get(sequence):
            return exit_index < int(exits[len(sequence.tokens)])
        return super().may_go_deeper(sequence, exit_index, together)


class TuiliEngine:
    """One model with a scheduler for each variant, which is made once."""

    def __init__(self, model: str) -> None:
        self.loaded: Any = random_model(model) if model in SIZES else endless(model)
        self.schedulers: dict[tuple[Any, ...], ReplayingScheduler] = {}
        self._warm: set[tuple[Any, ...]] = set()

    def prepare(self, work: Work) -> Callable[[], Tokens]:
        """A scheduler that has done such work before; the work makes the sequences."""
        options = {name: value for name, value in work.variant.items() if name not in ("depth", "depths")}
        slots = self.slots(work.batch)
        key = slots, *sorted(options.items())
        if key not in self.schedulers:
            scheduler = ReplayingScheduler.of(self.runner(slots, options), self.loaded.tokenizer)
            assert isinstance(scheduler, ReplayingScheduler)
            self.schedulers[key] = scheduler
        done = *key, work.batch, work.variant.get("depth")
        if done not in self._warm:
            self._warm.add(done)
            self._write(replace(work, new=4, seed=-1), self.schedulers[key])
        return lambda: self._write(work, self.schedulers[key])

    def runner(self, slots: int, options: Mapping[str, Any]) -> ModelRunner:
        """A runner with so many slots."""
        return load_runner(self.loaded, slots=slots, prefix_cache_bytes=0, **options)

    def slots(self, batch: int) -> int:
        """The slots of the scheduler that does work of this batch size."""
        return max(SLOTS, batch)

    def _write(self, work: Work, scheduler: ReplayingScheduler) -> Tokens:
        limits, runner = SequenceLimits(work.new), scheduler.runner
        if depths := work.variant.get("depths"):
            sequences = [Sequence(prompt, limits, exit_threshold=NEVER_SURE) for prompt in work.prompts()]
            scheduler.exits_of = {each: replayed(depths, work, row) for row, each in enumerate(sequences)}
        else:
            way: Any = {"depth": work.variant.get("depth", runner.exits[-1]), "exit_threshold": runner.exit_threshold}
            sequences = [Sequence(prompt, limits, **way) for prompt in work.prompts()]
            scheduler.exits_of = {}
        for sequence in sequences:
            scheduler.submit(sequence)
        while scheduler.busy:
            scheduler.step()
        return [sequence.tokens for sequence in sequences]


def random_model(size: str) -> LoadedModel:
    """One of `SIZES`, which never writes an end."""
    return LoadedModel(*build_ours(SIZES[size], torch.float32), Path("random weights"))


def endless(folder: str) -> Any:
    """The model of a folder; its ends are tokens like others, as they are for the other engines."""
    from tuili.store import open_model  # which the sources that `tuili_compiled` imports have in another form

    model: Any = open_model(folder)
    return replace(model, tokenizer=replace(model.tokenizer, end_ids=(-1,)))


def replayed(depths: list[str], work: Work, row: int) -> str:
    """The exits of the tokens of one response: whole texts of nano's, one after the other, drawn by the seed."""
    rng, exits = random.Random(f"{work.seed}/{row}"), ""
    while len(exits) < work.new:
        exits += rng.choice(depths)
    return exits[: work.new]


if __name__ == "__main__":
    model, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    serve(TuiliEngine(model).prepare)
