"""The interface of a model runner: what the scheduler requires of a model, in plain numbers and lists.

A runner holds the weights, the KV cache and the prefix cache. It chooses exits, samples tokens, and drafts and
verifies. The scheduler decides which sequence runs next, and for how long.
"""

from __future__ import annotations

from collections import abc
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from tuili.engine.sequence import Sequence, TokenLogprobs

ACTIVE_SHARE = 0.1
"""An attention head is active if its output is at least this share of the layer's largest head output."""


class StepPolicy(Protocol):
    """What a runner asks of the scheduler, and reports to it, during a step."""

    @property
    def timed(self) -> bool:
        """Whether a deadline depends on how long the step takes. The runner then waits for an accelerator."""
        ...

    def may_go_deeper(self, sequence: Sequence, exit_index: int, together: int) -> bool:
        """Whether the limits of a sequence leave room for the group of layers after an exit, where
        `together` sequences would run it."""
        ...

    def most_rows(self, sequences: int) -> float:
        """How many rows a step over this many sequences may read with looked-up drafts if deadlines are to be kept. A
        result of at most `sequences` leaves no room for drafts."""
        ...

    def trunk_reads(self, rows: int) -> None:
        """Record how many rows the trunk is about to read in a step: one for each sequence, for each looked-up draft
        token, and for each `unread` token."""
        ...

    def group_took(self, index: int, together: int, seconds: float) -> None:
        """Record the time of one group of layers, the one after exit `index`, over this many sequences."""
        ...

    def exit_took(self, together: int, seconds: float, whole: bool) -> None:
        """Record the time of the model's head over this many sequences, if it is run at the end of a step. If not
        `whole`, only a part of the head was run for some of them."""
        ...

    def drafts_took(self, tokens: int, seconds: float) -> None:
        """Record the time of verifying this many draft tokens."""
        ...


@dataclass(slots=True)
class StepOutput:
    """What one step decoded for one sequence: one token, or several if drafts were verified.

    depths, top_probs: as in `Sequence`, for these tokens. layer_steps: layers times tokens run, including rejected
    drafts. depth_limited: whether the policy kept a token from going as deep as it needed.
    """

    sequence: Sequence
    tokens: list[int]
    depths: list[int]
    top_probs: list[float]
    layer_steps: int
    logprobs: abc.Sequence[TokenLogprobs] = ()
    depth_limited: bool = False


@dataclass(slots=True)
class PrefillOutput:
    """The result of one piece of a prompt.

    layer_steps: layers times tokens run for the verifier. first: the first decoded token, after a whole prompt.
    validity: logits and probabilities of a whole response for the verifier. logprobs: the scores of a whole prompt that
    was to be scored. At most one of the last three is set.
    """

    layer_steps: int = 0
    first: StepOutput | None = None
    validity: tuple[list[float], list[float]] | None = None
    logprobs: list[TokenLogprobs] | None = None


@dataclass(frozen=True)
class Observation:
    """What experts and attention heads did for some tokens.

    expert_tokens: for each reasoning layer, how many tokens took each expert. active_heads: for each layer, trunk
    first, the share of attention heads that were active, averaged over tokens. A head is active for a token if the norm
    of its output is at least `ACTIVE_SHARE` of the largest in the layer.
    """

    expert_tokens: tuple[tuple[int, ...], ...]
    active_heads: tuple[float, ...]


@dataclass(frozen=True)
class Runtime:
    """How a runner computes. Two different runtimes may answer the same question differently.

    runner: the code that computes. numbers: the format of the weights and of the products.
    """

    runner: str = "torch"
    numbers: str = "fp32"

    def __str__(self) -> str:
        return f"{self.runner}, {self.numbers}"


class ModelRunner(Protocol):
    """Runs sequences through one model. Not thread-safe.

    `start` gives a sequence a slot, `prefill` reads its prompt piece by piece, each `decode` adds one or more tokens,
    and `release` frees the slot. At most one sequence is being prefilled at a time.
    """

    @property
    def slots(self) -> int:
        """Maximum number of sequences decoded together."""
        ...

    @property
    def context(self) -> int:
        """Maximum tokens of a prompt and its response together."""
        ...

    @property
    def exits(self) -> tuple[int, ...]:
        """Layers at each exit, the full depth last."""
        ...

    @property
    def read_depth(self) -> int:
        """Layers run for a token that is only read, because the next token is already known."""
        ...

    @property
    def exit_threshold(self) -> float:
        """The probability at which a token exits early, from the model's configuration."""
        ...

    @property
    def end_ids(self) -> tuple[int, ...]:
        """The tokens that end a response, the usual one first."""
        ...

    @property
    def verifies(self) -> bool:
        """Whether there is a verifier."""
        ...

    @property
    def runtime(self) -> Runtime:
        """How this runner computes."""
        ...

    def start(self, sequence: Sequence) -> int:
        """Give a sequence a slot. Returns how many of its prompt tokens the prefix cache has filled in."""
        ...

    def prefill(self, sequence: Sequence, tokens: list[int], policy: StepPolicy) -> PrefillOutput:
        """Read the next tokens of a prompt; after the last of them, the first token is decoded."""
        ...

    def decode(self, policy: StepPolicy) -> list[StepOutput]:
        """Decode one more token for every sequence whose prompt has been read. Sequences whose token is a draft are
        omitted until their drafts have been verified. Tokens that the checker wrote into a sequence, the `unread` ones
        and the last one, are read first."""
        ...

    def rewind(self, sequence: Sequence) -> None:
        """Discard what was read of the last tokens of a sequence, after they were removed from it."""
        ...

    def draft_length(self, sequence: Sequence) -> int:
        """How many tokens of a sequence are drafted but not yet verified."""
        ...

    def release(self, sequence: Sequence) -> None:
        """Free the slot of a sequence."""
        ...

    def measure(self) -> None:
        """Measure what decides how many drafts pay off. Called before anything has been started."""
        ...

    def observe(self) -> Observation | None:
        """The activity of experts and attention heads since the last call; None if nothing ran."""
        ...

    def check(self, decoding: Iterable[Sequence], prefilling: Sequence | None) -> None:
        """Assert that exactly these sequences hold slots, and that the cache holds their tokens."""
        ...
