"""From tokens back to text: the lines of a response, each with the checker's verdict and the layers it used.

How the tokens came about is left to `scheduler`, what an answer cost to `answer`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from statistics import fmean
from typing import Any

from transformers import PreTrainedTokenizerFast

from tuili.steps import END_THINK, THINK, Context, Verdict, check_chain, split_response

REPLACEMENT = "\ufffd"  # what bytes that are no character decode to
MAX_UTF8_BYTES = 4
Pieces = tuple[tuple[str, int], ...]
"""The text of each token with the number of layers it used."""


@dataclass(frozen=True)
class CheckedStep:
    """One step as written, the checker's verdict, and the mean number of layers its tokens used.

    A step that the checker put right was written by nobody: its depth is 0.
    """

    text: str
    verdict: Verdict
    depth: float
    pieces: Pieces
    last: int | None = None
    """The place of its last token among those written, None where nobody wrote it in this attempt."""
    confidence: float | None = None
    """The verifier's probability that it holds, where the checker cannot decide it."""

    @property
    def put_right(self) -> bool:
        """Whether the checker put it right."""
        return not self.depth

    def as_json(self) -> dict[str, Any]:
        """`text`, `verdict`, `depth`, the reason and right value where the verdict has them, and the verifier's
        confidence where there is one."""
        return {
            "text": self.text,
            "verdict": str(self.verdict.status),
            "depth": self.depth,
            "reason": self.verdict.reason,
            "expected": self.verdict.expected,
            "confidence": self.confidence,
        }


@dataclass(frozen=True)
class Written:
    """A response read back. `complete` says that it has an answer, whole, behind a block of steps that was closed.

    `reasoning` and `answering` are the numbers of tokens written for the steps and behind them.
    """

    steps: tuple[CheckedStep, ...]
    answer: str
    complete: bool
    reasoning: int
    answering: int


def read_back(
    tokenizer: PreTrainedTokenizerFast,
    tokens: Sequence[int],
    depths: Sequence[int],
    context: Context,
    given: Sequence[CheckedStep] = (),
    stops: Sequence[str] = (),
    cut: bool = False,
) -> Written:
    """The response that tokens say, when they go on behind the steps that were `given`, checked in `context`.

    It ends before the first of the texts in `stops`. `cut`: something else than the model ended it in midst of it.
    """
    pieces = tuple(zip(_pieces(tokenizer, tokens), depths, strict=True))
    own = "".join(piece for piece, _ in pieces)
    own = own[: min((own.index(stop) for stop in stops if stop in own), default=len(own))]
    text = "\n".join((THINK, *(step.text for step in given), own)) if given else own
    response = split_response(text)
    verdicts = check_chain(response.steps, context)
    steps, start = [replace(step, last=None) for step in given], 0 if given else len(THINK) * own.startswith(THINK)
    ends = list(accumulate(len(piece) for piece, _ in pieces))
    for line, verdict in list(zip(response.steps, verdicts, strict=True))[len(given) :]:
        start = own.index(line, start)
        part = _between(pieces, start, start + len(line))
        start += len(line)
        last = bisect_left(ends, start)
        steps.append(CheckedStep(line, verdict, fmean(depth for _, depth in part), part, last))
    closing = tokenizer.convert_tokens_to_ids(END_THINK)
    reasoning = tokens.index(closing) + 1 if closing in tokens else len(tokens)
    complete = response.complete and bool(response.answer) and not cut
    return Written(tuple(steps), response.answer, complete, reasoning, len(tokens) - reasoning)


class Speller:
    """The text of one token after the other; that of a character spread over several comes with the last of them."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer, self._open = tokenizer, list[int]()

    def spell(self, token: int) -> str:
        """What a token adds to the text."""
        self._open.append(token)
        broken = ""
        while (text := self._decoded()).endswith(REPLACEMENT):
            if len(self._open) < MAX_UTF8_BYTES:
                return broken
            broken += str(self._tokenizer.decode(self._open[:1], skip_special_tokens=True))
            self._open = self._open[1:]  # no character begins with it
        self._open = []
        return broken + text

    def rest(self) -> str:
        """What a character that never became whole adds to it."""
        return self._decoded() if self._open else ""

    def _decoded(self) -> str:
        return str(self._tokenizer.decode(self._open, skip_special_tokens=True))


def _pieces(tokenizer: PreTrainedTokenizerFast, tokens: Sequence[int]) -> list[str]:
    """The text of each token."""
    speller = Speller(tokenizer)
    pieces = [speller.spell(token) for token in tokens]
    if pieces:
        pieces[-1] += speller.rest()
    return pieces


def _between(pieces: Pieces, start: int, end: int) -> Pieces:
    """The pieces that have a character in [start, end), cut to it."""
    found = []
    ends = accumulate(len(text) for text, _ in pieces)
    for (text, depth), piece_end in zip(pieces, ends, strict=True):
        first = piece_end - len(text)
        if first < end and piece_end > start:
            found.append((text[max(0, start - first) : end - first], depth))
    return tuple(found)
