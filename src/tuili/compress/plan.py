"""The plan of a compression: parameters before and after, with memory and time from a trial."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tuili.compress.compression import Compression
from tuili.compress.parent import HealingData
from tuili.compress.recipe import HealingConfig
from tuili.compress.trial import Clock, Tried, answering_seconds, finishing, seconds_of
from tuili.compress.watch import Tell, duration, shares_of_time
from tuili.data import StreamState
from tuili.posttrain import build_optimizers
from tuili.store import Parameters, count_parameters
from tuili.tasks import Problem
from tuili.train import hidden_matrices, peak_memory

TRIAL_STEPS = 3
"""The first of them is slower and does not count."""


@dataclass(frozen=True)
class CompressionPlan:
    """The plan. changes: what changes in the model, for readers. steps, tokens: of the recovery. problems: the number
    that both models answer. seconds: for each part of the run, and memory: the most bytes of the recovery, from a
    trial; empty and 0 without a trial."""

    before: Parameters
    after: Parameters
    changes: tuple[str, ...]
    sources: tuple[str, ...]
    steps: int
    tokens: int
    seconds: Mapping[str, float] = field(default_factory=dict)
    memory: int = 0
    problems: int = 0
    sampling: int = 0
    """Calculated bytes before the recovery: of the parent, its copy, and what samples leave; 0 without samples."""

    @property
    def lines(self) -> list[str]:
        """The plan as lines for readers."""
        change = self.after.total / self.before.total - 1
        active = f"{self.before.active:,} -> {self.after.active:,} of them for a token at full depth"
        lines = [f"parameters: {self.before.total:,} -> {self.after.total:,} ({change:+.1%}), {active}"]
        lines += self.changes
        measured = f"on {self.problems:,} problems, before and after" if self.problems else "not measured"
        lines.append(f"accuracy: {measured}")
        if self.sampling:
            lines.append(
                f"memory before it: about {self.sampling / 1e9:.1f} GB, for both models and what is found by samples"
            )
        lines.append(self._recovery)
        if self.memory:
            lines.append(f"memory: about {self.memory / 1e9:.1f} GB, by a trial")
        if self.seconds:
            whole, parts = duration(sum(self.seconds.values())), shares_of_time(self.seconds)
            lines.append(f"time: about {whole}, by a trial and without reading and writing files: {parts}")
        return lines

    @property
    def _recovery(self) -> str:
        if not self.steps:
            return "recovery: none"
        named = ", ".join(self.sources[:4]) + (f" and {len(self.sources) - 4} more" if len(self.sources) > 4 else "")
        return f"recovery: {self.steps:,} steps, about {self.tokens:,} tokens, from {named}"


@dataclass(frozen=True)
class TriedSteps:
    """A few steps of the last stage: seconds per step, the most bytes of memory, and what they were tried with."""

    seconds: float
    memory: int
    tried: Tried


def make_plan(
    compression: Compression, healing: HealingConfig, data: HealingData, problems: int = 0
) -> CompressionPlan:
    """The plan of a run without a trial. problems: the number on which accuracy is measured."""
    parent = compression.parent
    changes = tuple(f"{name}: {told}" for name, told in compression.changes.items())
    tokens = healing.steps * healing.rows * data.length
    before, after = count_parameters(parent.shape), compression.parameters
    found = compression.sample_bytes
    sampling = found + 2 * parent.compute_dtype.itemsize * before.total if found else 0
    return CompressionPlan(
        before, after, changes, data.names, healing.steps, tokens, problems=problems, sampling=sampling
    )


def tried_plan(
    plan: CompressionPlan, compression: Compression, healing: HealingConfig, data: HealingData, tell: Tell,
    problems: Sequence[Problem] = (), clock: Clock = time.perf_counter,
) -> CompressionPlan:  # fmt: skip
    """The plan with memory and the time of each part, from a trial of a little of each; writes nothing. problems: those
    that both models answer; the smaller model is assumed to take as long as its parent."""
    tell("trying a little of each part")
    steps = try_steps(compression, healing, data, clock)
    seconds = dict(seconds_of(compression.parts(steps.tried), clock))
    if plan.steps:
        seconds["steps"] = plan.steps * steps.seconds
    seconds |= seconds_of([finishing(compression.parent, steps.tried)], clock)
    if problems:
        path, numbers = compression.parent.path, compression.compared_with
        seconds["answers"] = 2 * answering_seconds(path, problems, clock, numbers)
    return replace(plan, seconds=seconds, memory=steps.memory)


def try_steps(
    compression: Compression, healing: HealingConfig, data: HealingData, clock: Clock = time.perf_counter
) -> TriedSteps:
    """Try a few steps of the last stage, if the recovery has any."""
    parent, last = compression.parent, compression.stages - 1
    teacher, student = compression.teacher(), parent.network(compression.blank(last), learns=True)
    healed = compression.learner(last, student, teacher)
    hidden = hidden_matrices(student.model) if healing.optimizer == "muon" else ()
    optimizers = build_optimizers(healed.parameters, healing.learning_rate, healing.weight_decay, hidden)
    begun = []
    with data.open_blocks(StreamState()) as blocks:
        block, _ = next(blocks)
        for step in range(TRIAL_STEPS if healing.steps else 0):
            begun.append(clock())
            healed.learn(block, step)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
            block, _ = next(blocks)
    seconds = (clock() - begun[1]) / (TRIAL_STEPS - 1) if begun else 0.0
    return TriedSteps(seconds, peak_memory(), Tried(data, teacher, student, block))
