"""The events of a request: tokens as they are decoded, steps as they are checked, and at last the answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from tuili.engine.answer import Answer
from tuili.engine.sequence import Sequence
from tuili.engine.text.detokenizer import IncrementalDetokenizer
from tuili.engine.text.judging import JudgedChain
from tuili.engine.text.step_reader import StepReader
from tuili.engine.text.stop_texts import StopTextFilter
from tuili.steps import StepSources, Verdict
from tuili.store import Tokenizer


class TokenWritten(NamedTuple):
    """The text that one token adds, and the layers that ran for it. Attempts count from 1."""

    attempt: int
    text: str
    depth: int


@dataclass(frozen=True)
class StepJudged:
    """A whole step with the checker's verdict and where its numbers come from.

    `number` counts the steps of the response from 1.
    """

    attempt: int
    number: int
    text: str
    verdict: Verdict
    sources: StepSources = field(default_factory=StepSources)


@dataclass(frozen=True)
class Answered:
    """The last event."""

    answer: Answer


Event = TokenWritten | StepJudged | Answered


class EventBuilder:
    """Turns the new tokens of a sequence into events.

    Args:
        judged: the beginning of what has been judged of the request.
        prefix_steps: steps that the prompt has already, which the tokens continue.
        stops: texts before the first of which the response ends.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        judged: JudgedChain,
        attempt: int,
        prefix_steps: tuple[str, ...],
        stops: tuple[str, ...] = (),
    ) -> None:
        self._detokenizer, self._attempt = IncrementalDetokenizer(tokenizer), attempt
        self._stops = StopTextFilter(stops) if stops else None
        self._steps, self._judged = StepReader(thinking=bool(prefix_steps)), judged
        self._seen_tokens, self._seen_steps = 0, len(prefix_steps)
        for line in prefix_steps:
            _, self._judged = self._judged.then(line)

    def new_events(self, sequence: Sequence) -> list[TokenWritten | StepJudged]:
        """The events since the last call."""
        events = list[TokenWritten | StepJudged]()
        tokens, depths, count = sequence.tokens, sequence.depths, len(sequence.tokens)
        for place in range(self._seen_tokens, count):
            text = self._detokenizer.add(tokens[place])
            ends = sequence.stop is not None and place == count - 1
            if ends:
                text += self._detokenizer.flush()
            if self._stops is not None:
                text = self._stops.add(text, ends)
            events.append(TokenWritten(self._attempt, text, depths[place]))
            for line in self._steps.add(text, ends):
                judged, self._judged = self._judged.then(line)
                self._seen_steps += 1
                events.append(StepJudged(self._attempt, self._seen_steps, line, *judged))
        self._seen_tokens = count
        return events
