"""Processor time per token: a model and its parent answer the same prompts in turns, so that other load on the machine
affects both equally."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median, quantiles

from tuili.bench import TokenTimer, worked_prompts
from tuili.engine import Numbers, load_scheduler
from tuili.store import open_model

Timed = Callable[[], tuple[float, float]]
"""Returns the processor seconds per prompt token, and per token of the answers."""


@dataclass(frozen=True)
class TurnSettings:
    """prompts: how many prompts. prompt: tokens of each. new: tokens generated for each. rounds: the fewest turns of
    each model. seconds: rounds continue until both models together have used this many processor seconds. most: the
    most rounds."""

    prompts: int = 8
    prompt: int = 64
    new: int = 32
    rounds: int = 5
    seconds: float = 1.0
    most: int = 50


@dataclass(frozen=True)
class Latency:
    """Time per generated token relative to the parent in the same rounds. share: the median over the rounds. spread:
    the interquartile range. parent: the parent's processor milliseconds per generated token. reading: as `share`, for a
    prompt token."""

    share: float
    spread: float
    parent: float
    reading: float


def measure_latency(
    parent: Path, model: Path, settings: TurnSettings, numbers: tuple[Numbers, Numbers] = ("auto", "auto")
) -> Latency:
    """Both models get the parent's prompts, because the model may name other domains or none. numbers: the numeric
    formats in which the parent and the model compute."""
    stored = open_model(parent)
    length = min(settings.prompt, stored.shape.max_position_embeddings - settings.new)
    prompts = worked_prompts(stored, length, settings.prompts)
    of_parent, of_model = (partial(load_scheduler, numbers=each) for each in numbers)
    one, other = TokenTimer(stored, of_parent), TokenTimer(open_model(model), of_model)
    tokens = settings.prompts * settings.new
    return in_turns(
        lambda: one.time(prompts, settings.new), lambda: other.time(prompts, settings.new), tokens, settings
    )  # fmt: skip


def in_turns(parent: Timed, model: Timed, tokens: int, settings: TurnSettings) -> Latency:
    """The latency over rounds in which the two models alternate in going first, after one warm-up round.

    tokens: how many one model writes in a round.
    """
    parent(), model()
    before, after = list[tuple[float, float]](), list[tuple[float, float]]()
    while len(before) < settings.rounds or (
        len(before) < settings.most and tokens * sum(of[1] for of in (*before, *after)) < settings.seconds
    ):
        turns = [(parent, before), (model, after)]
        for timed, found in turns if len(before) % 2 else reversed(turns):
            found.append(timed())
    return Latency(
        share=median(_shares(before, after, 1)),
        spread=_interquartile_range(_shares(before, after, 1)),
        parent=1e3 * median(of[1] for of in before),
        reading=median(_shares(before, after, 0)),
    )


def _shares(before: Sequence[tuple[float, float]], after: Sequence[tuple[float, float]], which: int) -> list[float]:
    return [now[which] / max(was[which], 1e-9) for was, now in zip(before, after, strict=True)]


def _interquartile_range(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    low, _, high = quantiles(values, n=4, method="inclusive")
    return high - low
