"""The interface of a model runner: what the scheduler asks of a model, in plain numbers and lists.

A runner holds the weights, the key/value cache and the prefix cache. It chooses exits, samples tokens, drafts and
verifies. Which sequence runs next, and for how long, is left to the scheduler.
"""

from __future__ import annotations

from collections import abc
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from tuili.engine.sequence import Sequence, TokenLogprobs

ACTIVE_SHARE = 0.1
"""Of the largest head's output in a layer, that another head's must have to be called active."""


class StepPolicy(Protocol):
    """What a runner asks of the scheduler, and tells it, during a step."""

    @property
    def timed(self) -> bool:
        """Whether a deadline depends on how long the step takes. An accelerator is then waited for."""
        ...

    def may_go_deeper(self, sequence: Sequence, exit_index: int, together: int) -> bool:
        """Whether the limits of a sequence leave room for the group of layers behind an exit, where `together`
        sequences would run it."""
        ...

    def most_rows(self, sequences: int) -> float:
        """How many rows a step over so many sequences may read with looked-up drafts, so that deadlines are kept. As
        many as there are sequences, or fewer, leave no room for drafts."""
        ...

    def trunk_reads(self, rows: int) -> None:
        """Note how many rows the trunk is about to read in a step: one for each sequence, for each looked-up draft
        token, and for each `unread` token."""
        ...

    def group_took(self, index: int, together: int, seconds: float) -> None:
        """Note the time of one group of layers, the one behind exit `index`, over so many sequences."""
        ...

    def exit_took(self, together: int, seconds: float, whole: bool) -> None:
        """Note the time of the model's head over so many sequences, where it is run at the end of a step; of a part of
        it, for some of them, if it is not `whole`."""
        ...

    def drafts_took(self, tokens: int, seconds: float) -> None:
        """Note the time of verifying so many draft tokens."""
        ...


@dataclass(slots=True)
class StepOutput:
    """What one step decoded for one sequence: several tokens where drafts were verified, else one.

    depths, top_probs: as in `Sequence`, for these tokens. layer_steps: layers times tokens that ran, rejected drafts
    included. depth_limited: whether the policy kept a token from going as deep as it needed.
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
    """What one piece of a prompt led to.

    layer_steps: layers times tokens that ran for the verifier. first: the first decoded token, behind a whole prompt.
    validity: logits and probabilities of a whole response that the verifier was to read. logprobs: of a whole prompt
    that was to be scored. Only one of the last three is there.
    """

    layer_steps: int = 0
    first: StepOutput | None = None
    validity: tuple[list[float], list[float]] | None = None
    logprobs: list[TokenLogprobs] | None = None


@dataclass(frozen=True)
class Observation:
    """What experts and attention heads did with some tokens.

    expert_tokens: for each reasoning layer, how many tokens took each expert. active_heads: for each layer, trunk
    first, the share of attention heads that were active, mean over tokens. A head is active for a token if its output's
    norm is at least `ACTIVE_SHARE` of the largest head's in the layer.
    """

    expert_tokens: tuple[tuple[int, ...], ...]
    active_heads: tuple[float, ...]


@dataclass(frozen=True)
class Runtime:
    """How a runner computes. Two of these may answer the same question differently.

    runner: the code that computes. numbers: the format that weights have and products are made in.
    """

    runner: str = "torch"
    numbers: str = "fp32"

    def __str__(self) -> str:
        return f"{self.runner}, {self.numbers}"


class ModelRunner(Protocol):
    """Runs sequences through one model. Not thread-safe.

    A sequence takes a slot by `start`, gets its prompt read by `prefill` piece by piece, one token or more by each
    `decode`, and gives the slot back by `release`. At most one sequence is being prefilled at a time.
    """

    @property
    def slots(self) -> int:
        """Sequences that are decoded together, at most."""
        ...

    @property
    def context(self) -> int:
        """Tokens of a prompt and its response together, at most."""
        ...

    @property
    def exits(self) -> tuple[int, ...]:
        """Layers at each exit, the full depth last."""
        ...

    @property
    def read_depth(self) -> int:
        """Layers that run for a token which is only read, since what follows it is known."""
        ...

    @property
    def exit_threshold(self) -> float:
        """The probability at which a token leaves early, by the model's configuration."""
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
        """How it computes."""
        ...

    def start(self, sequence: Sequence) -> int:
        """Give a sequence a slot. Returns how many of its prompt tokens the prefix cache has filled in."""
        ...

    def prefill(self, sequence: Sequence, tokens: list[int], policy: StepPolicy) -> PrefillOutput:
        """Read the next tokens of a prompt; behind the last of them the first token is decoded."""
        ...

    def decode(self, policy: StepPolicy) -> list[StepOutput]:
        """One more token for every sequence whose prompt has been read. Those whose token is a draft are left out until
        their drafts have been verified. Tokens that a sequence has got from others, `unread` and the last one, are read
        before."""
        ...

    def rewind(self, sequence: Sequence) -> None:
        """Take back what was read of the last tokens of a sequence, which it has no more."""
        ...

    def draft_length(self, sequence: Sequence) -> int:
        """How many tokens of a sequence are drafted and not verified yet."""
        ...

    def release(self, sequence: Sequence) -> None:
        """Take the slot of a sequence back."""
        ...

    def measure(self) -> None:
        """Measure what is decided by: how many drafts pay. Nothing has been started yet."""
        ...

    def observe(self) -> Observation | None:
        """What experts and attention heads have done since the last call; None where nothing ran."""
        ...

    def check(self, decoding: Iterable[Sequence], prefilling: Sequence | None) -> None:
        """Assert that exactly these sequences hold slots, and that the cache has their tokens."""
        ...
