"""Greedy decoding of many prompts, with a depth chosen for each token: texts, tokens and the layers they used.

A token leaves at the first exit whose most likely token has at least the threshold's probability. The writing itself is
left to `scheduler`, what an answer means to `answer`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tuili.engine.prompt import prompt_ids
from tuili.engine.request import Depth
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.sequence import Limits, Row
from tuili.errors import InputError
from tuili.model import TuiliForCausalLM
from tuili.store import Tokenizer


@dataclass(frozen=True)
class Generation:
    """The response to one prompt.

    text: without special tokens other than `<think>`. tokens: ids, `<|end|>` included. depths: layers used by each of
    them. stop: `end`, or `length` where the limit cut it. seconds: wall-clock of waiting for a place in the batch
    (`queue`), of reading the prompt (`prefill`) and of writing (`decode`).
    """

    text: str
    tokens: list[int]
    depths: list[int]
    stop: str
    seconds: dict[str, float]


class Decoder:
    """Answers prompts with one model, whose weights are to stay as they are.

    Args:
        depth: layers for every token, one of `model.config.exit_layers`; `auto` for as many as each needs; `exact` for
            those of the full depth, which verifies what the trunk drafts.
        threshold: probability at which `auto` leaves; the model's own `exit_threshold` if None.
        max_new_tokens: longest response.
        batch_size: prompts that are answered together; the next one begins when one has ended.
        compiled: write through graphs that are compiled first; int8: with rounded weights; see `Network`.
    Raises `InputError` for a depth the model does not have, or a threshold outside [0, 1].
    """

    def __init__(
        self,
        model: TuiliForCausalLM,
        tokenizer: Tokenizer,
        depth: Depth = "auto",
        threshold: float | None = None,
        max_new_tokens: int = 400,
        batch_size: int = 64,
        compiled: bool = False,
        int8: bool = False,
    ) -> None:
        self.model, self.tokenizer = model, tokenizer
        model.train(False)
        self.threshold = model.config.exit_threshold if threshold is None else threshold
        if not 0 <= self.threshold <= 1:
            raise InputError(f"threshold {self.threshold} is no probability: use 0 to 1")
        if max_new_tokens < 1 or batch_size < 1:
            raise InputError(f"max_new_tokens {max_new_tokens} and batch_size {batch_size} must be at least 1")
        model.model.groups(depth if isinstance(depth, int) else None)
        self.depth, self.max_new_tokens = depth, max_new_tokens
        self._scheduler = Scheduler(
            model, tokenizer, slots=batch_size, waiting=sys.maxsize, compiled=compiled, int8=int8
        )

    def generate(self, prompts: Sequence[str], progress: Callable[[int], None] | None = None) -> list[Generation]:
        """One generation for each prompt, in order; `progress` is called with the number of prompts just answered.

        Raises `PromptError` for a prompt that is empty, is not UTF-8 or does not fit the model's context.
        """
        limits = Limits(self.max_new_tokens)
        context = self.model.config.max_position_embeddings
        encoded = [prompt_ids(self.tokenizer, prompt, context) for prompt in prompts]
        rows = [Row(ids, limits, depth=self.depth, threshold=self.threshold) for ids in encoded]
        for row in rows:
            self._scheduler.submit(row)
        try:
            while self._scheduler.busy:
                ended = sum(row.stop is not None for row in self._scheduler.tick())
                if ended and progress is not None:
                    progress(ended)
        finally:
            for row in rows:
                self._scheduler.cancel(row)
        return [Generation(self._text(row.tokens), row.tokens, row.depths, str(row.stop), row.seconds) for row in rows]

    def _text(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(list(ids), skip_special_tokens=True)
