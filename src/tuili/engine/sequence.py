"""A sequence: one prompt, the limits of its response, and the response as decoded so far.

A request may need several sequences. The scheduler decides when each is prefilled and decoded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from tuili.engine.request import Depth, Sampling

if TYPE_CHECKING:
    from tuili.engine.text.value_writer import ValueWriter
    from tuili.grammars import CompiledGrammar


class StopReason(StrEnum):
    """Why decoding ended."""

    END = "end"
    """The model wrote its end token."""
    STOP = "stop"
    """The text contains a stop text."""
    LENGTH = "length"
    """The token limit is reached, or the model's context is full."""
    LAYERS = "layer_steps"
    """The limit of layer-steps is reached."""
    GRAMMAR = "grammar"
    """The grammar needs more work than is allowed. The text is incomplete."""
    READ = "read"
    """The verifier has read the response, or the prompt's log-probabilities are known. Nothing was to be decoded."""
    DEADLINE = "deadline"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class SequenceLimits:
    """The limits of one response. `deadline`: in seconds of the scheduler's clock."""

    tokens: int = 400
    layer_steps: int | None = None
    deadline: float | None = None


@dataclass(frozen=True)
class TokenLogprobs:
    """The log-probability of a token, and the likeliest tokens at its position with theirs: the model's own values,
    before biases and temperature.
    """

    chosen: float
    top: tuple[tuple[int, float], ...]


@dataclass(eq=False)
class Sequence:
    """A prompt and its response, token by token; or a text that is only read, by the verifier or for log-probabilities.

    `tokens`, `depths` and `top_probs` have equal lengths: a depth is the number of layers run for the token, a top
    probability is the probability of the likeliest token at its position.
    """

    prompt: list[int]
    limits: SequenceLimits
    sampling: Sampling = field(default_factory=Sampling)
    depth: Depth = "auto"
    exit_threshold: float = 1.0
    """At depth `auto`, a token exits at the first exit whose likeliest token has at least this probability."""
    priority: int = 0
    """Higher priorities start first; equal ones by deadline, then in order of arrival."""
    prefix_steps: tuple[str, ...] = ()
    """Steps of the response that are already part of the prompt."""
    verify_from: int | None = None
    """Index in the prompt at which the response for the verifier begins. Nothing is decoded then."""
    score_from: int | None = None
    """Index in the prompt from which tokens are scored for log-probabilities. Nothing is decoded then."""
    grammar: CompiledGrammar | None = None
    """The form of the response."""
    calculator: ValueWriter | None = None
    """Writes values into the steps of the response; None if the model writes everything."""

    tokens: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    top_probs: list[float] = field(default_factory=list)
    logprobs: list[TokenLogprobs] = field(default_factory=list)
    """One for each token, if the sampling asks for them; or for each prompt token from `score_from` on."""
    validity_logits: list[float] = field(default_factory=list)
    """One for each prompt token from `verify_from` on: the verifier's logit that everything up to the token is right;
    the last one is the logit that the answer is right."""
    validity_probs: list[float] = field(default_factory=list)
    """The same as calibrated probabilities."""
    calculated: list[int] = field(default_factory=list)
    """The indices of the tokens that the checker wrote. Their depth is the depth at which the token before them was
    read, and their probability is 1."""
    taken_back: int = 0
    """Number of tokens written by the model and then taken back by the checker."""
    unread: int = 0
    """Number of tokens before the last one that the model still has to read, because the checker wrote after them."""
    stop: StopReason | None = None
    depth_limited: bool = False
    """Whether a token exited earlier than it needed to, because time or layer-steps were short."""
    cached_tokens: int = 0
    """Prompt tokens taken from the prefix cache."""
    submitted_at: float = 0.0
    started_at: float | None = None
    first_token_at: float | None = None
    ended_at: float | None = None
    """Times in seconds of the scheduler's clock."""
    layer_steps: int = 0
    """Layers times tokens so far, including rejected drafts."""

    @property
    def read_from(self) -> int | None:
        """Index in the prompt from which tokens are read at full depth; None if a response is decoded."""
        return self.score_from if self.verify_from is None else self.verify_from

    @property
    def written(self) -> int:
        """Tokens written so far, including those taken back."""
        return len(self.tokens) + self.taken_back

    @property
    def settled(self) -> int:
        """Tokens at the beginning of the response that can no longer be taken back and whose depths are known."""
        if self.calculator is None or self.stop is not None:
            return len(self.tokens)
        return len(self.tokens) - max(self.calculator.held, self.unread)

    def min_layers(self, exits: tuple[int, ...]) -> int:
        """The minimum layers of a token, given the depths of the model's exits."""
        if self.depth == "exact":
            return exits[-1]
        return exits[0] if self.depth == "auto" else self.depth

    def most_tokens(self, context: int) -> int:
        """Maximum tokens of the prompt and its response together."""
        return min(context, len(self.prompt) + (self.limits.tokens if self.read_from is None else 0))

    def tokens_left(self, context: int, full_depth: int) -> int:
        """Tokens at full depth that the limits and the model's context leave room for."""
        left = min(self.limits.tokens - self.written, context - len(self.prompt) - len(self.tokens))
        if self.limits.layer_steps is not None:
            left = min(left, (self.limits.layer_steps - self.layer_steps) // full_depth)
        return left

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds in the queue, reading the prompt (`prefill`) and decoding."""
        started = self.submitted_at if self.started_at is None else self.started_at
        first = started if self.first_token_at is None else self.first_token_at
        ended = first if self.ended_at is None else self.ended_at
        if self.started_at is None and self.ended_at is not None:
            return {"queue": self.ended_at - self.submitted_at, "prefill": 0.0, "decode": 0.0}
        if self.first_token_at is None and self.ended_at is not None:
            return {"queue": started - self.submitted_at, "prefill": self.ended_at - started, "decode": 0.0}
        return {"queue": started - self.submitted_at, "prefill": first - started, "decode": ended - first}
