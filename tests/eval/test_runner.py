"""The runner: responses in the order of the problems, scored strictly."""

from __future__ import annotations

from typing import Any

from tests.eval.scripted import Oracle
from tuili.eval.runner import answer_problems
from tuili.tasks import unseen_problems


def test_responses_keep_the_order_of_the_problems_and_are_scored_strictly() -> None:
    problems = unseen_problems(["arithmetic", "calendar"], [1], 2, seed=0)
    wrong = problems[2].prompt
    reported: list[Any] = []
    responses = answer_problems(Oracle(problems, wrong={wrong}), problems, lambda *counts: reported.append(counts))
    assert [response.problem for response in responses] == problems
    assert [response.correct for response in responses] == [True, True, False, True]
    assert reported == [(1, 4), (4, 4)]
