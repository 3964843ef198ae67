"""Follow-ups: questions that need the turns before them, such as `and minus 5?`, with their steps and answers.

`operations` and `replay` do the calculations; `converse` adds the turns around them.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from tuili.tasks.conversations.operations import LARGEST, WITHOUT_NUMBER, Working, draw_operation, work_out
from tuili.tasks.conversations.replay import replace_number
from tuili.tasks.conversations.shapes import PLAIN
from tuili.tasks.conversations.texts import texts_of
from tuili.tasks.problem import Problem
from tuili.tasks.wordings.language import lexicon

REPLAYED_DOMAINS = frozenset({"arithmetic", "word_problems"})
"""Domains in which a chain of calculations shows how the answer depends on the numbers of the prompt."""
OPERATION_DOMAIN = "arithmetic"
_WHOLE_NUMBER = re.compile("-?[0-9]{1,6}", re.ASCII)
_TRIES = 8


@dataclass(frozen=True)
class FollowUp:
    """A question with the turns that it needs, including the first question and its answer.

    kind: the group of its text. plain: the same request without these turns. domain: the domain whose kind of steps
    lead to the answer.
    """

    kind: str
    earlier: tuple[tuple[str, str], ...]
    question: str
    plain: str
    steps: tuple[str, ...]
    answer: str
    domain: str


class FollowUps:
    """Draws follow-ups in the language of a problem, worded by one part of the texts."""

    def __init__(self, problem: Problem, rng: random.Random, part: str) -> None:
        self._problem, self._rng, self._part = problem, rng, part

    @property
    def is_possible(self) -> bool:
        """Whether the answer to the problem is a whole number that is small enough to continue from."""
        answer = self._problem.answer
        return bool(_WHOLE_NUMBER.fullmatch(answer)) and abs(int(answer)) <= LARGEST // 2

    def draw(self, another: Problem | None) -> FollowUp | None:
        """A follow-up to the problem, or to it and another problem; None if none fits."""
        if not self.is_possible:
            return None
        makers = [self._operated, self._operated, self._changed, self._chained]
        if self._problem.domain in REPLAYED_DOMAINS:
            makers += [self._replaced, self._replaced, self._replaced]
        if another and _WHOLE_NUMBER.fullmatch(another.answer):
            makers.append(lambda: self._of_both(another))
        for make in self._rng.choices(makers, k=_TRIES):
            if found := make():
                return found
        return self._operated()

    @property
    def _first(self) -> tuple[str, str]:
        return self._problem.prompt, self._problem.answer

    def _operated(self) -> FollowUp | None:
        """`And minus 5?`"""
        a = int(self._problem.answer)
        drawn = draw_operation(a, self._rng)
        return self._asked(drawn[0], (self._first,), a, drawn[1], drawn[2]) if drawn else None

    def _chained(self) -> FollowUp | None:
        """`And minus 5?`, then `Now double that.`"""
        a = int(self._problem.answer)
        first = draw_operation(a, self._rng, numeric=True)
        second = draw_operation(int(first[2].answer), self._rng) if first else None
        if not (first and second):
            return None
        turn = self._say(first[0], n=first[1]), first[2].answer
        return self._asked(second[0], (self._first, turn), int(first[2].answer), second[1], second[2])

    def _changed(self) -> FollowUp | None:
        """`And minus 5?`, then `And if it were 30 instead?`"""
        a = int(self._problem.answer)
        first = draw_operation(a, self._rng)
        if not first or first[0] in WITHOUT_NUMBER:
            return None
        operation, n, before = first
        for _ in range(_TRIES):
            new = self._rng.randint(2, 9) if n < 10 else self._rng.randint(n // 2, 2 * n)
            working = work_out(operation, a, new) if new != n else None
            if working:
                break
        else:
            return None
        turn = self._say(operation, n=n), self._word(before)
        plain = self._say(operation, PLAIN, a=a, n=new)
        asked = self._say("instead", new=new)
        return FollowUp(
            "instead", (self._first, turn), asked, plain, working.steps, self._word(working), OPERATION_DOMAIN
        )

    def _of_both(self, another: Problem) -> FollowUp | None:
        """`And both together?`, after two problems."""
        b, a = int(another.answer), int(self._problem.answer)
        kind = self._rng.choice(("sum_of_both", "difference_of_both"))
        if kind == "sum_of_both":
            working = work_out("plus", b, a)
        else:
            working = work_out("minus", max(a, b), min(a, b))
        if working is None or min(a, b) < 0 or a == b:
            return None
        plain = self._say(kind, PLAIN, a=a, b=b)
        earlier = (another.prompt, another.answer), self._first
        return FollowUp(kind, earlier, self._say(kind), plain, working.steps, working.answer, OPERATION_DOMAIN)

    def _replaced(self) -> FollowUp | None:
        """`And with 30 instead of 27?`"""
        problem = self._problem
        found = replace_number(problem.prompt, problem.steps, problem.answer, self._rng)
        if not found:
            return None
        asked = self._say("replace", old=found.old, new=found.new)
        return FollowUp("replace", (self._first,), asked, found.prompt, found.steps, found.answer, problem.domain)

    def _asked(
        self, operation: str, earlier: tuple[tuple[str, str], ...], a: int, n: int, working: Working
    ) -> FollowUp:
        asked = self._say(operation, n=n)
        plain = self._say(operation, PLAIN, a=a, n=n)
        return FollowUp(operation, earlier, asked, plain, working.steps, self._word(working), OPERATION_DOMAIN)

    def _word(self, working: Working) -> str:
        """The answer in the language of the problem."""
        return lexicon(self._problem.language).terms.get(working.answer, working.answer)

    def _say(self, kind: str, part: str | None = None, **slots: int) -> str:
        texts = texts_of("follow_ups", self._problem.language, part or self._part, kind)
        return self._rng.choice(texts).filled(**slots)
