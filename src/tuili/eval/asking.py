"""Problems answered by an engine, as in a server: within a budget, in several attempts if the budget allows.

`runner` makes single attempts without an engine; `file_evaluation` makes the report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean

from tuili.engine import Answer, Engine, Outcome, Request, RequestState, Ticket, best_of
from tuili.eval.comparing import Comparison
from tuili.eval.own import OwnProblem
from tuili.steps import Status
from tuili.store import AnyTokenizer
from tuili.tasks import same_last_number

ALL_ATTEMPTS = float("inf")
"""A confidence that no answer has, so that every attempt is made."""


@dataclass(frozen=True)
class AskedResponse:
    """One problem, the attempts at it, the final answer, and how it is compared."""

    problem: OwnProblem
    state: RequestState
    given: Answer
    comparison: Comparison

    @property
    def answer(self) -> str:
        """The answer that was given; empty if there is none."""
        return self.given.answer

    @cached_property
    def correct(self) -> bool:
        """Whether the answer is right."""
        return self._is_right(self.answer)

    @property
    def nearly_correct(self) -> bool:
        """Whether the answer is right, or at least its last number."""
        return self.correct or same_last_number(self.problem.answer, self.answer)

    @property
    def depths(self) -> list[int]:
        """The layers of every token, in all attempts."""
        return [depth for attempt in self.state.attempts for depth in attempt.sequence.depths]

    @property
    def depth(self) -> float:
        """Mean number of layers per token; 0.0 if none was written."""
        return fmean(self.depths) if self.depths else 0.0

    @property
    def ended(self) -> bool:
        """Whether the response ended by itself."""
        return self.given.receipt.stop == "end"

    @property
    def statuses(self) -> list[Status]:
        """The checker's verdict on every step of the answer."""
        return [step.verdict.status for step in self.given.steps]

    def right_after(self, attempts: int) -> bool:
        """Whether the best answer after this many attempts is right; the given answer if no more attempts were made."""
        if attempts >= len(self.state.attempts):
            return self.correct
        return self._is_right(best_of(self.state.attempts[:attempts]).response.answer)

    def explained(self, _: AnyTokenizer) -> Answer:
        """The answer."""
        return self.given

    def _is_right(self, answer: str) -> bool:
        return self.comparison.is_right(self.problem.answer, answer, self.problem.specification)


def ask_problems(
    engine: Engine,
    problems: Sequence[OwnProblem],
    request: Callable[[OwnProblem], Request],
    comparison: Comparison,
    all_attempts: bool = False,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> list[AskedResponse]:
    """Answer every problem, as many at once as the engine has slots; its queue must have room for all of them.

    Args:
        request: makes the request for a problem.
        all_attempts: whether every attempt of the budget is made, so that they vote; otherwise, the first attempt
            without a shortcoming gives the answer.
        progress: called with (finished, total) problems.
    """
    confidence = ALL_ATTEMPTS if all_attempts else None
    tickets = [engine.admit(request(problem), min_confidence=confidence) for problem in problems]
    finished = 0
    while engine.busy:
        if ended := len(engine.step()):
            finished += ended
            progress(finished, len(problems))
    return [
        AskedResponse(problem, ticket.state, _given(ticket, all_attempts), comparison)
        for problem, ticket in zip(problems, tickets, strict=True)
    ]


def _given(ticket: Ticket, all_attempts: bool) -> Answer:
    """The answer of a ticket. If all attempts were requested, insufficient confidence does not count as a
    shortcoming."""
    answer = ticket.answer
    assert answer is not None
    if not all_attempts or not ticket.state.attempts:
        return answer
    reason = best_of(ticket.state.attempts).shortcoming
    outcome = answer.receipt.outcome if reason else Outcome.ANSWERED
    return replace(answer, receipt=replace(answer.receipt, reason=reason, outcome=outcome))
