"""Greedy decoding of many prompts, with a depth chosen per token. `answer` turns a generation into an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tuili.engine.dialects.choice import dialect_of
from tuili.engine.request import Depth
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.sequence import Sequence, SequenceLimits
from tuili.errors import InputError
from tuili.steps import Turns
from tuili.store import AnyTokenizer


@dataclass(frozen=True)
class Generation:
    """The response to one prompt.

    text: without special tokens other than `<think>`. tokens: ids, including `<|end|>`. depths: layers run for each
    token. stop: `end`, or `length` if the limit cut the response off. seconds: wall-clock time waiting for a slot
    (`queue`), reading the prompt (`prefill`) and decoding (`decode`).
    """

    text: str
    tokens: list[int]
    depths: list[int]
    stop: str
    seconds: dict[str, float]


class Decoder:
    """Answers prompts with one model. `load_decoder` makes one.

    Args:
        scheduler: runs the sequences; its slots are the batch size.
        depth: layers for every token, one of the model's exits; `auto`: as many as each token needs; `exact`: full
            depth, with drafts from the trunk.
        exit_threshold: probability at which a token exits early at depth `auto`; the model's own if None.
        max_new_tokens: maximum tokens of a response.
    Raises `InputError` for a depth that is not an exit of the model, or a threshold outside [0, 1].
    """

    def __init__(
        self,
        scheduler: Scheduler,
        tokenizer: AnyTokenizer,
        depth: Depth = "auto",
        exit_threshold: float | None = None,
        max_new_tokens: int = 400,
    ) -> None:
        runner = scheduler.runner
        self.exit_threshold = runner.exit_threshold if exit_threshold is None else exit_threshold
        check_depth(depth, self.exit_threshold, runner.exits)
        if max_new_tokens < 1:
            raise InputError(f"max_new_tokens {max_new_tokens} must be at least 1")
        self.tokenizer, self.depth, self.max_new_tokens = tokenizer, depth, max_new_tokens
        self._scheduler, self.context, self.runtime = scheduler, runner.context, runner.runtime
        self._dialect = dialect_of(tokenizer)

    def generate(self, asked: Iterable[str | Turns], progress: Callable[[int], None] | None = None) -> list[Generation]:
        """Generate one response for each prompt, in order. Prompts are read in the same way as by the engine.

        Args:
            asked: single questions, or questions with the turns before them.
            progress: called with the number of prompts that have just been answered.
        Raises `PromptError` for a prompt that is empty, not UTF-8, or too long for the model's context.
        """
        limits = SequenceLimits(self.max_new_tokens)
        encoded = [self.encode(Turns.of(one)) for one in asked]
        sequences = [Sequence(ids, limits, depth=self.depth, exit_threshold=self.exit_threshold) for ids in encoded]
        for each in sequences:
            self._scheduler.submit(each)
        try:
            while self._scheduler.busy:
                ended = sum(each.stop is not None for each in self._scheduler.step())
                if ended and progress is not None:
                    progress(ended)
        finally:
            for each in sequences:
                self._scheduler.cancel(each)
        return [
            Generation(self._text(each.tokens), each.tokens, each.depths, str(each.stop), each.seconds)
            for each in sequences
        ]

    def encode(self, turns: Turns) -> list[int]:
        """The ids of a question that follows earlier turns. Raises `PromptError` as `generate` does."""
        return self._dialect.encode(turns, self.context)

    def _text(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True)


def check_depth(depth: Depth, exit_threshold: float | None, exits: tuple[int, ...]) -> None:
    """Raise `InputError` for a depth that is not an exit of the model, or a threshold outside [0, 1]."""
    if exit_threshold is not None and not 0 <= exit_threshold <= 1:
        raise InputError(f"threshold {exit_threshold} is no probability: use 0 to 1")
    if isinstance(depth, int) and depth not in exits:
        raise InputError(f"depth {depth} is no exit of this model: use one of {', '.join(map(str, exits))}")
