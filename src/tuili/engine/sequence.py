"""One response while it is written: its prompt, its limits, and what has come of it so far.

A request may need several of them. When each is read and written is decided in `scheduler`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import torch

from tuili.engine.request import Depth, Sampling


class Stop(StrEnum):
    """Why the writing ended."""

    END = "end"
    """The model ended it."""
    STOP = "stop"
    """A stop text came."""
    LENGTH = "length"
    """Its tokens are spent, or the model's context is full."""
    LAYERS = "layer_steps"
    """Its layer-steps are spent."""
    READ = "read"
    """It was only to be read."""
    DEADLINE = "deadline"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Limits:
    """What one response may take. `deadline` is a time of the scheduler's clock, in seconds."""

    tokens: int = 400
    layer_steps: int | None = None
    deadline: float | None = None


@dataclass(eq=False)
class Row:
    """A prompt and the response to it, token by token; or a response that the verifier is to read.

    `depths` and `chances` go with `tokens`: the layers that each took, the probability of the likeliest token when it
    was drawn.
    """

    prompt: list[int]
    limits: Limits
    sampling: Sampling = field(default_factory=Sampling)
    depth: Depth = "auto"
    threshold: float = 1.0
    priority: int = 0
    """Higher ones are begun first; equal ones by their deadline, then as they came."""
    given: tuple[str, ...] = ()
    """Steps of the response that stand in the prompt already."""
    verify_from: int | None = None
    """Where in the prompt the response begins that the verifier is to read; then nothing is written."""

    tokens: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    chances: list[float] = field(default_factory=list)
    logprobs: list[tuple[float, tuple[tuple[int, float], ...]]] = field(default_factory=list)
    """For each token, where they were asked for: its log-probability, and the likeliest tokens with theirs."""
    validity: list[float] = field(default_factory=list)
    """For each token of the prompt from `verify_from` on, the verifier's logit that nothing up to it is wrong; for the
    last one, that the answer is right."""
    believed: list[float] = field(default_factory=list)
    """The same as probabilities."""
    stop: Stop | None = None
    hurried: bool = False
    """Whether a token left earlier than it would have, for want of time or layer-steps."""
    reused: int = 0
    """Prompt tokens that had been read before."""
    submitted: float = 0.0
    begun: float | None = None
    first: float | None = None
    ended: float | None = None
    """Times of the scheduler's clock: when it was handed in, first read, when its first token came, when it ended."""
    layer_steps: int = 0
    """Layers that ran for its tokens. Drafts that were not taken count as well."""
    generator: torch.Generator | None = None

    @property
    def seconds(self) -> dict[str, float]:
        """Time in the queue, reading the prompt, and writing."""
        begun = self.submitted if self.begun is None else self.begun
        first = begun if self.first is None else self.first
        ended = first if self.ended is None else self.ended
        if self.begun is None and self.ended is not None:
            return {"queue": self.ended - self.submitted, "prefill": 0.0, "decode": 0.0}
        if self.first is None and self.ended is not None:
            return {"queue": begun - self.submitted, "prefill": self.ended - begun, "decode": 0.0}
        return {"queue": begun - self.submitted, "prefill": first - begun, "decode": ended - first}
