"""The events of a request: tokens as they are decoded, steps as they are checked, and finally the answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from tuili.engine.answer import Answer
from tuili.engine.dialects.dialect import ResponseReader
from tuili.engine.sequence import Sequence
from tuili.engine.text.detokenizer import IncrementalDetokenizer
from tuili.engine.text.judging import JudgedChain
from tuili.engine.text.stop_texts import StopTextFilter
from tuili.engine.written import Writer
from tuili.steps import Status, StepSources, Verdict
from tuili.store import AnyTokenizer


class TokenWritten(NamedTuple):
    """The text that one token adds, and the layers run for it. Attempts are counted from 1.

    thought, answer: for a model that writes prose, the parts of the text that are thinking and answer. Once emitted,
    answer text is final: if a step of the thinking is wrong, no answer text is emitted before the answer is chosen.
    thought is None for a model that writes steps, whose answers are emitted after they have been judged.
    """

    attempt: int
    text: str
    depth: int
    thought: str | None = None
    answer: str = ""


@dataclass(frozen=True)
class StepJudged:
    """A complete step with the checker's verdict and the sources of its numbers.

    `number` counts the steps of the response from 1.
    """

    attempt: int
    number: int
    text: str
    verdict: Verdict
    sources: StepSources = field(default_factory=StepSources)
    written_by: Writer = "model"
    """Who wrote its value."""


@dataclass(frozen=True)
class Answered:
    """The last event."""

    answer: Answer


Event = TokenWritten | StepJudged | Answered


class EventBuilder:
    """Turns the new tokens of a sequence into events.

    Args:
        reader: reads the response.
        judged: the root of what has been judged for the request.
        prefix_steps: steps already in the prompt, which the tokens continue.
        stops: the response ends before the first of these texts.
    """

    def __init__(
        self,
        tokenizer: AnyTokenizer,
        reader: ResponseReader,
        judged: JudgedChain,
        attempt: int,
        prefix_steps: tuple[str, ...],
        stops: tuple[str, ...] = (),
    ) -> None:
        self._detokenizer, self._attempt = IncrementalDetokenizer(tokenizer), attempt
        self._stops = StopTextFilter(stops) if stops else None
        self._reader, self._judged, self._sound = reader, judged, True
        self._writer: Writer = "model"
        """Who has written the value in the unfinished line."""
        self._seen_tokens, self._seen_steps = 0, len(prefix_steps)
        for line in prefix_steps:
            _, self._judged = self._judged.then(line)

    def new_events(self, sequence: Sequence) -> list[TokenWritten | StepJudged]:
        """The events since the last call."""
        events = list[TokenWritten | StepJudged]()
        tokens, depths, count, calculated = sequence.tokens, sequence.depths, sequence.settled, sequence.calculated
        for place in range(self._seen_tokens, count):
            text = self._detokenizer.add(tokens[place])
            ends = sequence.stop is not None and place == count - 1
            if ends:
                text += self._detokenizer.flush()
            if self._stops is not None:
                text = self._stops.add(text, ends)
            if place in calculated:
                self._writer = "checker"
            steps = list(map(self._judge, self._reader.add(text, ends)))
            answer = self._reader.answer if self._sound else ""
            events.append(TokenWritten(self._attempt, text, depths[place], self._reader.thought, answer))
            events += steps
        self._seen_tokens = count
        return events

    def _judge(self, line: str) -> StepJudged:
        judged, self._judged = self._judged.then(line)
        self._sound = self._sound and judged.verdict.status is not Status.INVALID
        self._seen_steps += 1
        writer, self._writer = self._writer, "model"
        return StepJudged(self._attempt, self._seen_steps, line, *judged, writer)
