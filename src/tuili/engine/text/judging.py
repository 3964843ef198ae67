"""Verdicts on the lines of one request: a line is checked once behind the same lines, whoever asks.

Streamed events, the attempt that has ended, and later attempts behind the same steps ask for the same verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable

from tuili.steps import Context, Verdict, check


class JudgedChain:
    """Lines that have been judged, and what is known of the lines behind them: a tree, which `then` descends."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._next: dict[str, tuple[Verdict, JudgedChain]] = {}

    def then(self, line: str) -> tuple[Verdict, JudgedChain]:
        """The verdict on a line behind these, and the chain with it."""
        known = self._next.get(line)
        if known is None:
            verdict = check(line, self._context)
            known = self._next[line] = verdict, JudgedChain(self._context.after(line, verdict))
        return known

    def verdicts(self, lines: Iterable[str]) -> list[Verdict]:
        """The verdicts on some lines, each behind those before it, as `check_chain` gives them."""
        verdicts, chain = list[Verdict](), self
        for line in lines:
            verdict, chain = chain.then(line)
            verdicts.append(verdict)
        return verdicts
