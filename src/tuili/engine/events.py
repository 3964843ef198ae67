"""What a listener hears while a request is answered: tokens as written, steps as judged, the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from tuili.engine.answer import Answer
from tuili.engine.sequence import Row
from tuili.engine.written import Speller
from tuili.steps import END_THINK, THINK, Context, Verdict, check, split_response


@dataclass(frozen=True)
class TokenWritten:
    """The text that one token added in an attempt (counted from 1), and the layers that it took."""

    attempt: int
    text: str
    depth: int


@dataclass(frozen=True)
class StepJudged:
    """A whole line of an attempt with the checker's verdict; `number` counts the lines of the response from 1."""

    attempt: int
    number: int
    text: str
    verdict: Verdict


@dataclass(frozen=True)
class Answered:
    """The end: nothing comes after it."""

    answer: Answer


Event = TokenWritten | StepJudged | Answered


class Narrator:
    """Turns what a row has newly written into events. The lines are those that `split_response` finds in the whole."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        context: Context,
        attempt: int,
        given: Sequence[str],
        stops: Sequence[str] = (),
    ) -> None:
        self._speller, self._context, self._attempt = Speller(tokenizer), context, attempt
        self._stops, self._held = stops, ""
        self._text = "".join(f"{line}\n" for line in (THINK, *given)) if given else ""
        self._told_tokens, self._told_steps = 0, len(given)
        for line in given:
            self._context = self._context.after(line, check(line, self._context))

    def news(self, row: Row) -> Iterator[TokenWritten | StepJudged]:
        """The events since the last call."""
        for place in range(self._told_tokens, len(row.tokens)):
            text = self._speller.spell(row.tokens[place])
            ends = place == len(row.tokens) - 1 and row.stop is not None
            if ends:
                text += self._speller.rest()
            text = self._without_stop(text, ends)
            self._text += text
            self._told_tokens += 1
            yield TokenWritten(self._attempt, text, row.depths[place])
            if ends or "\n" in text or END_THINK in text:
                yield from self._judged(ends)

    def _without_stop(self, text: str, ends: bool) -> str:
        """What may be told when this text has come: nothing from a stop text on, nor what may become the beginning of
        one."""
        held = self._held + text
        told = min((held.index(stop) for stop in self._stops if stop in held), default=None)
        if told is None:
            told = len(held) if ends else min((_open_end(held, stop) for stop in self._stops), default=len(held))
        self._held = held[told:]
        return held[:told]

    def _judged(self, ends: bool) -> Iterator[StepJudged]:
        """The steps that have become whole."""
        whole = self._text
        if not ends and END_THINK not in whole:
            whole = whole[: whole.rfind("\n") + 1]
        for line in split_response(whole).steps[self._told_steps :]:
            verdict = check(line, self._context)
            self._context = self._context.after(line, verdict)
            self._told_steps += 1
            yield StepJudged(self._attempt, self._told_steps, line, verdict)


def _open_end(text: str, stop: str) -> int:
    """Where the end of a text begins that is the beginning of a stop text."""
    starts = range(max(0, len(text) - len(stop) + 1), len(text))
    return next((start for start in starts if stop.startswith(text[start:])), len(text))
