"""The events of a request: tokens as they are decoded, steps as they are checked, and at last the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tuili.engine.answer import Answer
from tuili.engine.sequence import Sequence
from tuili.engine.written import IncrementalDetokenizer
from tuili.steps import END_THINK, THINK, Context, Verdict, check, split_response
from tuili.store import Tokenizer


@dataclass(frozen=True)
class TokenWritten:
    """The text that one token adds, and the layers that ran for it. Attempts count from 1."""

    attempt: int
    text: str
    depth: int


@dataclass(frozen=True)
class StepJudged:
    """A whole step with the checker's verdict. `number` counts the steps of the response from 1."""

    attempt: int
    number: int
    text: str
    verdict: Verdict


@dataclass(frozen=True)
class Answered:
    """The last event."""

    answer: Answer


Event = TokenWritten | StepJudged | Answered


class EventBuilder:
    """Turns the new tokens of a sequence into events. Its steps are those that `split_response` finds in the whole."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        context: Context,
        attempt: int,
        prefix_steps: tuple[str, ...],
        stops: tuple[str, ...] = (),
    ) -> None:
        self._detokenizer, self._context, self._attempt = IncrementalDetokenizer(tokenizer), context, attempt
        self._stops, self._withheld = stops, ""
        self._text = "".join(f"{line}\n" for line in (THINK, *prefix_steps)) if prefix_steps else ""
        self._seen_tokens, self._seen_steps = 0, len(prefix_steps)
        for line in prefix_steps:
            self._context = self._context.after(line, check(line, self._context))

    def new_events(self, sequence: Sequence) -> Iterator[TokenWritten | StepJudged]:
        """The events since the last call."""
        for place in range(self._seen_tokens, len(sequence.tokens)):
            text = self._detokenizer.add(sequence.tokens[place])
            ends = place == len(sequence.tokens) - 1 and sequence.stop is not None
            if ends:
                text += self._detokenizer.flush()
            text = self._without_stop(text, ends)
            self._text += text
            self._seen_tokens += 1
            yield TokenWritten(self._attempt, text, sequence.depths[place])
            if ends or "\n" in text or END_THINK in text:
                yield from self._checked(ends)

    def _without_stop(self, text: str, ends: bool) -> str:
        """The text that can be shown now: it ends before a stop text, and before what may become one."""
        pending = self._withheld + text
        end = min((pending.index(stop) for stop in self._stops if stop in pending), default=None)
        if end is None:
            partial = (_partial_stop(pending, stop) for stop in self._stops)
            end = len(pending) if ends else min(partial, default=len(pending))
        self._withheld = pending[end:]
        return pending[:end]

    def _checked(self, ends: bool) -> Iterator[StepJudged]:
        """The steps that have become whole since the last call."""
        whole = self._text
        if not ends and END_THINK not in whole:
            whole = whole[: whole.rfind("\n") + 1]
        for line in split_response(whole).steps[self._seen_steps :]:
            verdict = check(line, self._context)
            self._context = self._context.after(line, verdict)
            self._seen_steps += 1
            yield StepJudged(self._attempt, self._seen_steps, line, verdict)


def _partial_stop(text: str, stop: str) -> int:
    """The start of the longest suffix of a text that is a beginning of a stop text; the length where there is none."""
    starts = range(max(0, len(text) - len(stop) + 1), len(text))
    return next((start for start in starts if stop.startswith(text[start:])), len(text))
