"""What a compression is going to do: parameters before and after, and memory and time by a trial of a few steps."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from tuili.compress.compression import Compression
from tuili.compress.parent import HealingData
from tuili.compress.recipe import HealingConfig
from tuili.compress.watch import Tell, duration
from tuili.data import StreamState
from tuili.posttrain import build_optimizers
from tuili.store import Parameters, count_parameters
from tuili.train import hidden_matrices, peak_memory

TRIAL_STEPS = 3
"""The first of them, which is slower, does not count."""


@dataclass(frozen=True)
class CompressionPlan:
    """What is to come. changes: what becomes of the model, for readers. steps, tokens: of the recovery, in which
    `seconds` and the most bytes of memory are estimated by a trial; 0 where none was made. problems: those that both
    models answer."""

    before: Parameters
    after: Parameters
    changes: tuple[str, ...]
    sources: tuple[str, ...]
    steps: int
    tokens: int
    seconds: float = 0.0
    memory: int = 0
    problems: int = 0
    sampling: int = 0
    """Bytes before the recovery, by arithmetic: of the parent, its copy, and what samples leave; 0 without samples."""

    @property
    def lines(self) -> list[str]:
        """The plan for readers."""
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
        if not self.steps:
            return [*lines, "recovery: none"]
        named = ", ".join(self.sources[:4]) + (f" and {len(self.sources) - 4} more" if len(self.sources) > 4 else "")
        lines.append(f"recovery: {self.steps:,} steps, about {self.tokens:,} tokens, from {named}")
        if self.seconds:
            memory = f"memory: about {self.memory / 1e9:.1f} GB"
            lines.append(f"time of the recovery: about {duration(self.seconds)}, {memory}, by a trial")
        return lines


def make_plan(
    compression: Compression, healing: HealingConfig, data: HealingData, problems: int = 0
) -> CompressionPlan:
    """The plan of a run without a trial. problems: those that accuracy is measured on."""
    parent = compression.parent
    changes = tuple(f"{name}: {told}" for name, told in compression.changes.items())
    tokens = healing.steps * healing.rows * data.length
    before, after = count_parameters(parent.shape), compression.parameters
    found = compression.sample_bytes
    sampling = found + 8 * before.total if found else 0
    plan = CompressionPlan(before, after, changes, data.names, healing.steps, tokens, problems=problems)
    return replace(plan, sampling=sampling)


def tried_plan(
    plan: CompressionPlan, compression: Compression, healing: HealingConfig, data: HealingData, tell: Tell
) -> CompressionPlan:
    """The plan with time and memory, by a few steps of the last stage; nothing is written."""
    if not plan.steps:
        return plan
    tell(f"trying {TRIAL_STEPS} steps")
    parent = compression.parent
    last = compression.stages - 1
    student = parent.network(compression.blank(last), learns=True)
    healed = compression.learner(last, student, compression.teacher())
    hidden = hidden_matrices(student.model) if healing.optimizer == "muon" else ()
    optimizers = build_optimizers(healed.parameters, healing.learning_rate, healing.weight_decay, hidden)
    moments = []
    with data.open_blocks(StreamState()) as blocks:
        for step in range(TRIAL_STEPS):
            moments.append(time.perf_counter())
            healed.learn(next(blocks)[0], step)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
    seconds = (time.perf_counter() - moments[1]) / (TRIAL_STEPS - 1) * plan.steps
    return replace(plan, seconds=seconds, memory=peak_memory())
