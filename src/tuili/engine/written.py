"""From decoded tokens back to text: the steps of a response, each with its verdict, sources and mean depth.

`answer` accounts for what an answer cost.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from statistics import fmean
from typing import Any, Literal

from tuili.engine.text.detokenizer import IncrementalDetokenizer
from tuili.engine.text.judging import JudgedChain
from tuili.engine.text.prose import split_prose
from tuili.steps import END_THINK, THINK, Context, Status, StepSources, Verdict, split_response
from tuili.store import AnyTokenizer, Tokenizer

Writer = Literal["model", "checker"]
Pieces = tuple[tuple[str, int], ...]
"""The text of each token, and the layers run for it."""


@dataclass(frozen=True)
class CheckedStep:
    """One step of a response, the checker's verdict, and the mean number of layers that its tokens used.

    A step corrected by the checker has depth 0, because no layers ran for it.
    """

    text: str
    verdict: Verdict
    depth: float
    pieces: Pieces
    last_token: int | None = None
    """The index of the step's last token within the attempt, None if the attempt did not decode it."""
    confidence: float | None = None
    """The verifier's probability that the step holds, if the checker cannot decide it."""
    sources: StepSources = field(default_factory=StepSources)
    """Where the step's numbers come from."""
    written_by: Writer = "model"
    """Who wrote the value or conclusion of the step."""

    @property
    def corrected(self) -> bool:
        """Whether the checker corrected the step."""
        return not self.depth

    @property
    def from_nowhere(self) -> bool:
        """Whether the step holds although some of its numbers have no known source."""
        return self.verdict.status is Status.VALID and not self.sources.traced

    def as_json(self) -> dict[str, Any]:
        """The documented JSON form. `reason`, `expected` and `confidence` are null if there are none."""
        return {
            "text": self.text,
            "verdict": str(self.verdict.status),
            "depth": self.depth,
            "reason": self.verdict.reason,
            "expected": self.verdict.expected,
            "confidence": self.confidence,
            "written_by": self.written_by,
            "traced": self.sources.traced,
            "numbers": [number.as_json() for number in self.sources.numbers],
        }


@dataclass(frozen=True)
class ParsedResponse:
    """A response as text. complete: whether a whole answer follows a closed block of steps.

    reasoning_tokens, answer_tokens: decoded tokens of the steps, and those after them. unused: the numbers of the
    prompt that no step used.
    """

    steps: tuple[CheckedStep, ...]
    answer: str
    complete: bool
    reasoning_tokens: int
    answer_tokens: int
    unused: tuple[str, ...] = ()


def parse_tokens(
    tokenizer: Tokenizer,
    tokens: Sequence[int],
    depths: Sequence[int],
    context: Context,
    prefix_steps: Sequence[CheckedStep] = (),
    stops: Sequence[str] = (),
    cut: bool = False,
    judged: JudgedChain | None = None,
    calculated: Sequence[int] = (),
) -> ParsedResponse:
    """Parse the response that tokens spell out, with each step checked in `context`.

    Args:
        prefix_steps: steps already in the prompt, which the tokens continue.
        stops: the response ends before the first of these texts.
        cut: whether a limit ended the response, so that its last line may be incomplete.
        judged: the root of what has been judged in `context`, which is reused.
        calculated: the indices of tokens that the checker wrote.
    """
    pieces = tuple(zip(_pieces(tokenizer, tokens), depths, strict=True))
    decoded = _before_stops(pieces, stops)
    text = "\n".join((THINK, *(step.text for step in prefix_steps), decoded)) if prefix_steps else decoded
    response = split_response(text)
    start = 0 if prefix_steps else len(THINK) * decoded.startswith(THINK)
    lines = response.steps[len(prefix_steps) :]
    written = _Written(pieces, decoded, calculated)
    steps, chain = _checked(judged or JudgedChain(context), prefix_steps, lines, written, start)
    closing = tokenizer.token_id(END_THINK)
    reasoning = tokens.index(closing) + 1 if closing in tokens else len(tokens)
    complete = response.complete and bool(response.answer) and not cut
    answering = len(tokens) - reasoning
    return ParsedResponse(steps, response.answer, complete, reasoning, answering, chain.unused)


def parse_prose(
    tokenizer: AnyTokenizer,
    tokens: Sequence[int],
    depths: Sequence[int],
    judged: JudgedChain,
    prefix_steps: Sequence[CheckedStep] = (),
    stops: Sequence[str] = (),
    inside: bool = False,
    calculated: Sequence[int] = (),
) -> ParsedResponse:
    """Parse the prose response that tokens spell out, with each line of its thinking checked.

    Args:
        judged: the root of what has been judged in the request's context.
        prefix_steps: steps already in the prompt, which the tokens continue.
        stops: the response ends before the first of these texts.
        inside: whether the prompt has opened the thinking.
        calculated: the indices of tokens that the checker wrote.
    """
    pieces = tuple(zip(_pieces(tokenizer, tokens), depths, strict=True))
    written = _Written(pieces, _before_stops(pieces, stops), calculated)
    prose = split_prose(written.text, inside)
    lines = tuple(line for each in prose.thinking.splitlines() if (line := each.strip()))
    steps, chain = _checked(judged, prefix_steps, lines, written, 0)
    reasoning = bisect_right(written.ends, prose.begins) if prose.begins else 0
    unused = chain.unused if steps else ()
    whole = bool(prose.answer.strip())
    return ParsedResponse(steps, prose.answer, whole, reasoning, len(tokens) - reasoning, unused)


class _Written:
    """The pieces of a response, and its text up to the first stop text. ends: where each piece ends."""

    def __init__(self, pieces: Pieces, text: str, calculated: Sequence[int]) -> None:
        self.pieces, self.text, self._calculated = pieces, text, calculated
        self.ends = list(accumulate(len(piece) for piece, _ in pieces))

    def writer(self, start: int, end: int) -> Writer:
        """Who wrote the value in the text range [start, end)."""
        first, last = bisect_right(self.ends, start), bisect_left(self.ends, end)
        return "checker" if any(first <= place <= last for place in self._calculated) else "model"

    def between(self, start: int, end: int) -> Pieces:
        """The pieces with characters in [start, end), trimmed to that range."""
        parts = []
        for place in range(bisect_right(self.ends, start), len(self.pieces)):
            text, depth = self.pieces[place]
            first = self.ends[place] - len(text)
            if first >= end:
                break
            parts.append((text[max(0, start - first) : end - first], depth))
        return tuple(parts)


def _checked(
    judged: JudgedChain, prefix_steps: Sequence[CheckedStep], lines: Sequence[str], written: _Written, start: int
) -> tuple[tuple[CheckedStep, ...], JudgedChain]:
    """The steps in the prompt followed by the lines written from `start` on, and the chain of what is judged next."""
    known, chain = judged.judge((*(step.text for step in prefix_steps), *lines))
    steps = [
        replace(step, last_token=None, sources=line.sources) for step, line in zip(prefix_steps, known, strict=False)
    ]
    for line, (verdict, sources) in zip(lines, known[len(prefix_steps) :], strict=True):
        start = written.text.index(line, start)
        end = start + len(line)
        part, writer = written.between(start, end), written.writer(start, end)
        depth, last = fmean(depth for _, depth in part), bisect_left(written.ends, end)
        steps.append(CheckedStep(line, verdict, depth, part, last, sources=sources, written_by=writer))
        start = end
    return tuple(steps), chain


def _before_stops(pieces: Pieces, stops: Sequence[str]) -> str:
    text = "".join(piece for piece, _ in pieces)
    return text[: min((text.index(stop) for stop in stops if stop in text), default=len(text))]


def _pieces(tokenizer: AnyTokenizer, tokens: Sequence[int]) -> list[str]:
    """The text of each token."""
    detokenizer = IncrementalDetokenizer(tokenizer)
    pieces = [detokenizer.add(token) for token in tokens]
    if pieces:
        pieces[-1] += detokenizer.flush()
    return pieces
