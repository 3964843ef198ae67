"""Verdicts on the lines of one request, and the sources of their numbers. A line after the same lines is judged once.

Streamed events, the attempt that has ended, and later attempts with the same first steps request the same judgements.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tuili.steps import Context, NumberTracer, StepSources, Verdict, calculate, check


class Judged(NamedTuple):
    """What is known about a line: the checker's verdict, and the sources of its numbers."""

    verdict: Verdict
    sources: StepSources


class JudgedChain:
    """Lines that have been judged, and what is known about the lines after them: a tree that `then` descends."""

    def __init__(
        self,
        context: Context,
        prompt: str = "",
        earlier: Sequence[tuple[str, str]] = (),
        tracer: NumberTracer | None = None,
    ) -> None:
        """Args:
        prompt, earlier: the question, and the earlier questions with their answers, all of which supply numbers.
        tracer: a tracer that has read these and the lines so far.
        """
        self._context = context
        self._given = prompt, tuple(text for turn in earlier for text in turn)
        self._known_tracer = tracer
        self._next: dict[str, tuple[Judged, JudgedChain]] = {}

    @property
    def _tracer(self) -> NumberTracer:
        """The number tracer; it reads the prompt when the first line arrives."""
        if self._known_tracer is None:
            prompt, earlier = self._given
            self._known_tracer = NumberTracer(prompt, self._context, earlier)
        return self._known_tracer

    @property
    def unused(self) -> tuple[str, ...]:
        """The numbers of the prompt that these lines did not use."""
        return self._tracer.unused

    def then(self, line: str) -> tuple[Judged, JudgedChain]:
        """What is known about a line after these, and the chain including it."""
        known = self._next.get(line)
        if known is None:
            verdict, tracer = check(line, self._context), self._tracer.copy()
            judged = Judged(verdict, tracer.trace(line))
            context = self._context.after(line, verdict)
            known = self._next[line] = judged, JudgedChain(context, tracer=tracer)
        return known

    def calculate(self, line: str, decimals: bool) -> str | None:
        """The value that follows a line ending with `=`; see `tuili.steps.calculate`."""
        return calculate(line, self._context, decimals)

    def judge(self, lines: Iterable[str]) -> tuple[list[Judged], JudgedChain]:
        """What is known about each of some lines, given those before it, and the chain including all of them."""
        known, chain = list[Judged](), self
        for line in lines:
            judged, chain = chain.then(line)
            known.append(judged)
        return known, chain
