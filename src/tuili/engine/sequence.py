"""A sequence: one prompt, the limits of the response to it, and the response as far as it is decoded.

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
    """The grammar takes more work than is allowed. The text is not whole."""
    READ = "read"
    """The verifier has read the response, or the prompt's log-probabilities are known. Nothing was to be decoded."""
    DEADLINE = "deadline"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class SequenceLimits:
    """What one response may take. `deadline` is a time of the scheduler's clock, in seconds."""

    tokens: int = 400
    layer_steps: int | None = None
    deadline: float | None = None


@dataclass(frozen=True)
class TokenLogprobs:
    """The log-probability of a token, and the likeliest tokens at its place with theirs: the model's own, before biases
    and temperature.
    """

    chosen: float
    top: tuple[tuple[int, float], ...]


@dataclass(eq=False)
class Sequence:
    """A prompt and its response, token by token; or a text that is only read, by the verifier or for log-probabilities.

    `tokens`, `depths` and `top_probs` have equal lengths: a depth is the number of layers that ran for the token, a top
    probability that of the likeliest token at its place.
    """

    prompt: list[int]
    limits: SequenceLimits
    sampling: Sampling = field(default_factory=Sampling)
    depth: Depth = "auto"
    exit_threshold: float = 1.0
    """At depth `auto`, a token leaves at the first exit whose likeliest token has at least this probability."""
    priority: int = 0
    """Higher ones are started first; equal ones by their deadlines, then in the order of arrival."""
    prefix_steps: tuple[str, ...] = ()
    """Steps of the response that are part of the prompt already."""
    verify_from: int | None = None
    """Where in the prompt the response begins that the verifier is to read. Nothing is decoded then."""
    score_from: int | None = None
    """Where in the prompt the tokens begin whose log-probabilities are to be told. Nothing is decoded then."""
    grammar: CompiledGrammar | None = None
    """The form of the response."""
    calculator: ValueWriter | None = None
    """What writes values into the steps of the response; None where the model writes all of it."""

    tokens: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    top_probs: list[float] = field(default_factory=list)
    logprobs: list[TokenLogprobs] = field(default_factory=list)
    """One for each token, where the sampling asks for them; or for each prompt token from `score_from` on."""
    validity_logits: list[float] = field(default_factory=list)
    """One for each prompt token from `verify_from` on: the verifier's logit that everything up to the token is right;
    the last one is the logit that the answer is right."""
    validity_probs: list[float] = field(default_factory=list)
    """The same as calibrated probabilities."""
    calculated: list[int] = field(default_factory=list)
    """The places of those tokens that the checker has written. For each, the depth is that of reading the token before
    it, and the probability 1."""
    taken_back: int = 0
    """Tokens that the model has written, and that the checker has taken back."""
    unread: int = 0
    """Tokens before the last one that the model has yet to read, since the checker has written behind them."""
    stop: StopReason | None = None
    depth_limited: bool = False
    """Whether a token left at an earlier exit than it needed, because time or layer-steps were short."""
    cached_tokens: int = 0
    """Prompt tokens that were taken from the prefix cache."""
    submitted_at: float = 0.0
    started_at: float | None = None
    first_token_at: float | None = None
    ended_at: float | None = None
    """Times of the scheduler's clock, in seconds."""
    layer_steps: int = 0
    """Layers times tokens so far. Drafts that were rejected count as well."""

    @property
    def read_from(self) -> int | None:
        """Where in the prompt the tokens begin that are read at full depth; None where a response is decoded."""
        return self.score_from if self.verify_from is None else self.verify_from

    @property
    def written(self) -> int:
        """Tokens that were written, those included that were taken back."""
        return len(self.tokens) + self.taken_back

    @property
    def settled(self) -> int:
        """Tokens at the beginning of the response that nothing takes back any more, and whose depths are known."""
        if self.calculator is None or self.stop is not None:
            return len(self.tokens)
        return len(self.tokens) - max(self.calculator.held, self.unread)

    def min_layers(self, exits: tuple[int, ...]) -> int:
        """The fewest layers that a token can take, given the depths of the model's exits."""
        if self.depth == "exact":
            return exits[-1]
        return exits[0] if self.depth == "auto" else self.depth

    def most_tokens(self, context: int) -> int:
        """Tokens of the prompt and its response together, at most."""
        return min(context, len(self.prompt) + (self.limits.tokens if self.read_from is None else 0))

    def tokens_left(self, context: int, full_depth: int) -> int:
        """Tokens of full depth that the limits and the model's context leave room for."""
        left = min(self.limits.tokens - self.written, context - len(self.prompt) - len(self.tokens))
        if self.limits.layer_steps is not None:
            left = min(left, (self.limits.layer_steps - self.layer_steps) // full_depth)
        return left

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds in the queue, of reading the prompt (`prefill`) and of decoding."""
        started = self.submitted_at if self.started_at is None else self.started_at
        first = started if self.first_token_at is None else self.first_token_at
        ended = first if self.ended_at is None else self.ended_at
        if self.started_at is None and self.ended_at is not None:
            return {"queue": self.ended_at - self.submitted_at, "prefill": 0.0, "decode": 0.0}
        if self.first_token_at is None and self.ended_at is not None:
            return {"queue": started - self.submitted_at, "prefill": self.ended_at - started, "decode": 0.0}
        return {"queue": started - self.submitted_at, "prefill": first - started, "decode": ended - first}
