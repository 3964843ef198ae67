"""What a listener hears while a request is answered: tokens as written, steps as judged, the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from tuili.engine.answer import Answer
from tuili.engine.row import Row
from tuili.engine.written import Speller
from tuili.steps import Context, Verdict, check_chain
from tuili.steps.response import END_THINK, THINK


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
    """Turns what a row has newly written into events."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, context: Context, attempt: int, given: tuple[str, ...]):
        self._speller, self._context, self._attempt = Speller(tokenizer), context, attempt
        self._lines, self._line, self._told = list(given), "", 0
        self._thinks = bool(given)

    def news(self, row: Row) -> Iterator[TokenWritten | StepJudged]:
        """The events since the last call."""
        for place in range(self._told, len(row.tokens)):
            text = self._speller.spell(row.tokens[place])
            if place == len(row.tokens) - 1 and row.stop is not None:
                text += self._speller.rest()
            yield TokenWritten(self._attempt, text, row.depths[place])
            yield from self._judged(text)
        self._told = len(row.tokens)

    def _judged(self, text: str) -> Iterator[StepJudged]:
        """The steps that this text completes."""
        self._line += text
        if not self._thinks:
            before, opened, rest = self._line.partition(THINK)
            self._thinks, self._line = bool(opened), rest if opened else before
        while self._thinks:
            thoughts, closed, _ = self._line.partition(END_THINK)
            line, ended, rest = thoughts.partition("\n")
            if not ended and not closed:
                return
            self._line = rest + (closed if ended else "")
            if line.strip():
                self._lines.append(line.strip())
                verdict = check_chain(self._lines, self._context)[-1]
                yield StepJudged(self._attempt, len(self._lines), line.strip(), verdict)
            if closed and not ended:
                self._thinks, self._line = False, END_THINK
